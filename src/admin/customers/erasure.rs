//! `customers/{id}` and `erasures`: that somebody be forgotten (个人信息保护法 article 47, 删除).

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use super::export::{WHOM, subject};
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{
            corp,
            cursor::{Page, Paging},
        },
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{Allowed, CORPID, CURSOR, LIMIT, path},
            problem::{Code, Problem},
            route::{ADMIN, Route, by_path, now},
        },
    },
    privacy,
    states::ErasureState,
    tables::{apply, privacy::erasure},
};

/// What erasing leaves, and why.
const KEPT: [&str; 2] = [
    "access_log: who looked at whose data, for as long as retention.access_log_months says 访问日志按保存期限保留",
    "backups: they hold what was there when they were made, until they are rotated out 备份在轮换后消失",
];

/// What an erasure did at once.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Erased {
    /// How far it is.
    erasure: erasure::ErasureView,
    /// How many people outside were erased.
    people: usize,
    /// Customers of the business whose orders stay, because a person was named and not them.
    customers_left: Vec<String>,
    /// What is kept all the same, and why.
    kept: [&'static str; 2],
}

pub(super) const ERASE: Route = Route {
    id: "customerErase",
    method: "DELETE",
    path: "/api/enterprise-wechat/customers/{id}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(remove),
    operation: Operation {
        about: say(
            "PIPL, article 47. All tables at once; deliveries and files within moments. It cannot be undone.",
            "个人信息保护法第四十七条。各表立即删除，推送原文和文件随后清除。不可撤销。",
        ),
        path: Some(WHOM),
        query: &[CORPID],
        answers: &[
            Response::json::<Erased>(200, "Nothing is left to do.", "已全部完成。"),
            Response::json::<Erased>(202, "The rest follows.", "其余部分随后完成。"),
        ],
        codes: &[Code::CustomerUnknown],
        ..Operation::new(Tag::Customers, "Erase somebody", "删除某人的信息")
    },
};

/// Erases somebody: the tables now, the inbox and the files in a moment.
pub(super) async fn remove(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let named = params.take("corpid");
    params.finish()?;
    let corpid = corp::of_parameter(conn, named.as_deref()).await?;
    apply::lock_alone(conn, &corpid).await?;
    let subject = subject(conn, corpid, call.id).await?;
    let asker = privacy::Asker {
        name: call.who(),
        token_id: call.caller.and_then(|it| it.token_id),
        request_id: call.request.request_id,
    };
    let erased = privacy::erase(conn, subject, &asker).await?;
    // Keep the erased id out of this audit line too.
    let about = About::thing(format!("erasure:{}", erased.erasure.id));
    let status = if erased.erasure.state == ErasureState::Done { 200 } else { 202 };
    let privacy::Erased { erasure, people, customers_left } = erased;
    about.answers(Answer::new(status, Erased { erasure, people, customers_left, kept: KEPT }))
}

pub(super) const ERASURES: Route = Route {
    id: "erasureList",
    method: "GET",
    path: "/api/enterprise-wechat/erasures",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(erasures),
    operation: Operation {
        about: say(
            "Who asked for them and how far they are, not who was erased.",
            "谁要求的、进行到哪里，不含被删除的人。",
        ),
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<Page<erasure::ErasureView>>(200, "A page of erasures.", "一页删除记录。")],
        ..Operation::new(Tag::Customers, "List erasures", "列出删除记录")
    },
};

/// Lists erasures: who asked for them and how far they are, not who was erased.
pub(super) async fn erasures(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let before = paging.after(|key| key.parse().ok())?;
    let rows = erasure::list(conn, None, before, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const SHOW_ERASURE: Route = Route {
    id: "erasureShow",
    method: "GET",
    path: "/api/enterprise-wechat/erasures/{id}",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(erasure),
    operation: Operation {
        path: Some(path("id", Allowed::Number, "The erasure's number.", "编号。")),
        answers: &[Response::json::<erasure::ErasureView>(200, "How far it is.", "进度。")],
        codes: &[Code::ErasureUnknown],
        ..Operation::new(Tag::Customers, "Show an erasure", "查看删除记录")
    },
};

/// Shows one.
pub(super) async fn erasure(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let unknown =
        || Problem::new(Code::ErasureUnknown, ("look for it in `GET erasures`", "可用 `GET erasures` 查找")).at("id");
    let id = call.id.parse().map_err(|_| unknown())?;
    Answer::ok(erasure::list(conn, Some(id), None, 1).await?.pop().ok_or_else(unknown)?)
}
