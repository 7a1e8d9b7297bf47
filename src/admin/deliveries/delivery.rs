//! `deliveries`: WeCom's deliveries, their states, and replaying them.

use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Call},
        },
        reading::cursor::{Page, Paging},
        spec::{
            language::say,
            operation::{Operation, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{OPERATOR, Route, VIEWER, by_path},
        },
    },
    ids::DeliveryKey,
    inbox::{self, Filter},
    states::DeliveryState,
};

/// A delivery that was queued again.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct DeliveryQueued {
    /// The delivery.
    id: String,
    /// How it stands.
    state: DeliveryState,
}

const DELIVERY: Parameter = path(
    "id",
    Allowed::Text("1-1700000000-8f55d7db0f1f7b8a0f6f7d3a2b1c4e5f60718293a4b5c6d7e8f9011223344556"),
    "The delivery: `app-seconds-hash`, as the list shows it.",
    "回调编号，即列表中的 `app-seconds-hash`。",
);

pub(super) const LIST: Route = Route {
    id: "deliveryList",
    method: "GET",
    path: "/api/enterprise-wechat/deliveries",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say("What WeCom sent, latest event first.", "企业微信推送的回调，按事件时间倒序。"),
        query: &[
            query("state", Allowed::OneOf(|| DeliveryState::WORDS.to_vec()), "Only those that stand so.", "处理状态。"),
            query("app", Allowed::Text("app"), "Only those of the app with this name.", "应用名称。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<inbox::DeliveryRow>>(200, "A page of deliveries.", "一页回调。")],
        ..Operation::new(Tag::Deliveries, "List deliveries", "列出回调")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let state = params.take_word("state")?;
    let app = params.take("app");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = Filter { state, app, after: paging.after(|key| key.parse().ok())? };
    let rows = inbox::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.clone()))
}

pub(super) const SHOW: Route = Route {
    id: "deliveryShow",
    method: "GET",
    path: "/api/enterprise-wechat/deliveries/{id}",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        path: Some(DELIVERY),
        answers: &[Response::json::<inbox::DeliveryView>(200, "The delivery.", "回调。")],
        codes: &[Code::DeliveryUnknown],
        ..Operation::new(Tag::Deliveries, "Show a delivery with its plaintext", "查看回调及其明文")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    match inbox::show(conn, &wanted(call)?).await? {
        Some(delivery) => Answer::ok(delivery),
        None => Err(unknown()),
    }
}

pub(super) const REPLAY: Route = Route {
    id: "deliveryReplay",
    method: "POST",
    path: "/api/enterprise-wechat/deliveries/{id}/replay",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(replay),
    operation: Operation {
        about: say("Recording it again changes nothing that is right.", "重复处理不会影响已正确的数据。"),
        path: Some(DELIVERY),
        answers: &[Response::json::<DeliveryQueued>(202, "It is queued.", "已排队。")],
        codes: &[Code::DeliveryUnknown],
        ..Operation::new(Tag::Deliveries, "Queue a delivery again", "重新处理回调")
    },
};

pub(super) async fn replay(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let key = wanted(call)?;
    if !inbox::replay(conn, &key).await? {
        return Err(unknown());
    }
    Answer::new(202, DeliveryQueued { id: key.to_string(), state: DeliveryState::Pending })
}

fn wanted(call: &Call<'_>) -> Result<DeliveryKey, Problem> {
    let key = call.id.parse();
    key.map_err(|_| {
        Problem::parameter(
            "id",
            (
                "must be `app-seconds-hash`, as the list of deliveries shows it",
                "须为 `app-seconds-hash` 格式，见回调列表",
            ),
        )
    })
}

fn unknown() -> Problem {
    Problem::new(
        Code::DeliveryUnknown,
        ("it was never stored here, or it was kept long enough and dropped", "该回调从未存储，或已超过保留期被删除"),
    )
    .at("id")
}
