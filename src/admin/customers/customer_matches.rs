//! `customer-matches`: people who match several customers, and the decisions about them.

use serde::Deserialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Call, Outcome},
        },
        reading::{
            body,
            cursor::{Page, Paging},
        },
        spec::{
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CURSOR, FLAG, LIMIT, path, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, by_path, now},
        },
    },
    check,
    ids::CustomerId,
    tables::{apply, customers::customer_match},
};

/// Which customer a person is.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CustomerMatchDecision")]
pub(super) struct Decision {
    /// One of the candidates, or another id of the business.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    customer_id: String,
}

pub(super) const LIST: Route = Route {
    id: "customerMatchList",
    method: "GET",
    path: "/api/enterprise-wechat/customer-matches",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        query: &[
            query("decided", FLAG, "Those that were decided, instead of those that were not.", "true 返回已确认的。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<customer_match::MatchRow>>(200, "A page of them.", "一页匹配。")],
        ..Operation::new(Tag::Customers, "List people who may be one of several customers", "列出待确认的客户匹配")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let decided = params.take("decided").as_deref() == Some("true");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let rows = customer_match::list(conn, decided, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const DECIDE: Route = Route {
    id: "customerMatchDecide",
    method: "POST",
    path: "/api/enterprise-wechat/customer-matches/{id}",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(decide),
    operation: Operation {
        path: Some(path("id", Allowed::Number, "The match's number.", "匹配编号。")),
        body: Some(RequestBody::of::<Decision>()),
        answers: &[Response::json::<customer_match::MatchRow>(200, "It as decided.", "已确认。")],
        codes: &[Code::CustomerMatchUnknown],
        ..Operation::new(Tag::Customers, "Decide which customer a person is", "确认客户匹配")
    },
};

pub(super) async fn decide(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let decision: Decision = body::parse(&call.request.body)?;
    check::id("customer_id", &decision.customer_id)?;
    let about = call.about_path().of_customer(&decision.customer_id);
    let answer = async {
        let id = call.id.parse().map_err(|_| unknown())?;
        let (corpid, person) = customer_match::person(conn, id).await?.ok_or_else(unknown)?;
        apply::lock_alone(conn, &corpid).await?;
        let decided = customer_match::decide(conn, id, &CustomerId(decision.customer_id), call.who()).await?;
        let decided = decided.ok_or_else(unknown)?;
        apply::follow_scans(conn, &[].into(), [(corpid, person)].into()).await?;
        Answer::ok(decided)
    };
    about.answers(answer.await)
}

fn unknown() -> Problem {
    Problem::new(
        Code::CustomerMatchUnknown,
        (
            "list them with `GET customer-matches`; one goes away once it is clear",
            "可用 `GET customer-matches` 查看；确认后即不再列出",
        ),
    )
}
