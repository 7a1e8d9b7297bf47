//! `archive`: how far the message archive (会话内容存档) is read.

use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            route::{Route, VIEWER, now},
        },
    },
    tables::archive::archive_account::{self, ArchiveView},
};

/// The archives.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ArchiveList {
    /// One for each corp whose archive is read.
    items: Vec<ArchiveView>,
}

pub(super) const SHOW: Route = Route {
    id: "archiveShow",
    method: "GET",
    path: "/api/enterprise-wechat/archive",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(show),
    operation: Operation {
        about: say(
            "How far each corp's message archive is read, what did not open, what was lost, who has a seat, and how many customers agreed.",
            "各企业会话内容存档的读取进度、未解密的消息数、丢失的区间、开启成员以及同意存档的客户数。",
        ),
        answers: &[Response::json::<ArchiveList>(200, "The archives.", "各企业的存档。")],
        ..Operation::new(Tag::Deliveries, "Show the message archive", "查看会话内容存档")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let answer = async { Answer::ok(ArchiveList { items: archive_account::views(conn).await? }) };
    About::nothing().answers(answer.await)
}
