//! `kf-accounts`: the accounts of 微信客服, how far they are pulled, and how many customers wait.

use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::cursor::{Page, Paging},
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{CURSOR, LIMIT},
            route::{Route, VIEWER, now},
        },
    },
    tables::kf::kf_account::{self, KfAccountView},
};

pub(super) const LIST: Route = Route {
    id: "kfAccountsList",
    method: "GET",
    path: "/api/enterprise-wechat/kf-accounts",
    access: VIEWER,
    // Nothing in it is of one staff member.
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(list),
    operation: Operation {
        about: say(
            "How far each is pulled, whether messages may be missing, and how many customers wait.",
            "各账号的拉取进度、消息是否可能缺失，以及等待的客户数。",
        ),
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<Page<KfAccountView>>(200, "A page of accounts.", "一页客服账号。")],
        ..Operation::new(Tag::Customers, "List the accounts of WeChat customer service", "列出微信客服账号")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let about = About::thing("");
    let answer = async {
        let after = paging.after(|it| it.split_once('/').map(|(corp, id)| (corp.to_owned(), id.to_owned())))?;
        let after = after.as_ref().map(|(corp, id)| (corp.as_str(), id.as_str()));
        let rows = kf_account::list(conn, after, paging.fetch()).await?;
        Answer::ok(paging.page(rows, |row| format!("{}/{}", row.corpid, row.open_kfid)))
    };
    about.answers(answer.await)
}
