//! `customer-owners`: who held a customer from when to when, and why.

use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{cursor::fetch, time::take_moment},
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{Allowed, LIMIT_MAX, Parameter, path, query},
            problem::{Code, Problem},
            route::{Route, VIEWER, now},
        },
    },
    tables::customers::customer_owner::{self, OwnerView},
};

/// The owners of a customer.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CustomerOwners")]
pub(super) struct Owners {
    /// The stretches of time in which the customer was a member's, earliest first; at most 200.
    items: Vec<OwnerView>,
    /// Whether there are more than are shown.
    more: bool,
}

/// The moment for which owners are asked.
pub(super) const AS_OF: Parameter = query(
    "as_of",
    Allowed::Text("2026-04-01"),
    "Only who held the customer at that moment; of a day, at its end in Asia/Shanghai.",
    "仅返回该时刻的归属；给出日期时指当日结束时（北京时间）。",
);

pub(super) const SHOW: Route = Route {
    id: "customerOwnersShow",
    method: "GET",
    path: "/api/enterprise-wechat/customer-owners/{customerId}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: now!(show),
    operation: Operation {
        about: say(
            "Derived from callbacks, reconciling and handovers. Callers who see their own alone get all owners of their \
             customers.",
            "由回调、对账和交接推导。仅限本人数据的调用者可看到自己客户的全部归属历史。",
        ),
        path: Some(path(
            "customerId",
            Allowed::Text("C-9001"),
            "The business's id of a matched customer, or WeCom's external_userid.",
            "已匹配客户的业务编号，或企业微信的 external_userid。",
        )),
        query: &[AS_OF],
        answers: &[Response::json::<Owners>(200, "The owners.", "归属历史。")],
        codes: &[Code::CustomerUnknown],
        ..Operation::new(Tag::Customers, "Show whose customer somebody was, and when", "查询客户归属历史")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let as_of = take_moment(&mut params, "as_of")?;
    params.finish()?;
    let about = About::customer(call.id);
    let answer = async {
        let mut items = customer_owner::of_customer(conn, call.own(), call.id, as_of, fetch(LIMIT_MAX)).await?;
        if items.is_empty() && as_of.is_none() {
            return Err(unknown());
        }
        let more = items.len() > LIMIT_MAX;
        items.truncate(LIMIT_MAX);
        Answer::ok(Owners { items, more })
    };
    about.answers(answer.await)
}

fn unknown() -> Problem {
    let detail = (
        "give the business's id of a matched customer, or WeCom's external_userid",
        "请给出已匹配客户的业务编号，或企业微信的 external_userid",
    );
    Problem::new(Code::CustomerUnknown, detail).at("customerId")
}
