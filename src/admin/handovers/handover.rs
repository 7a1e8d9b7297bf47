//! `handovers`: who left or is leaving, what they leave behind, and how far its handover is.

use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Call},
        },
        reading::{
            cursor::{Page, Paging},
            sheet::Sheet,
        },
        spec::{
            language::say,
            operation::{Content, Operation, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{Route, VIEWER, by_path},
        },
    },
    states::{HandoverState, ItemKind, ItemState},
    tables::handover::{self, Filter, Handover, HandoverRow, Item, ItemFilter, Turned},
};

/// How many rows of each part the checklist shows. The lists have the rest.
const SHOWN_MAX: i64 = 50;

/// How many records it shows.
const RECORDS_MAX: i64 = 10;

/// How many calls it shows.
const CALLS_MAX: i64 = 20;

/// How many items a file may have: more than any member has customers.
const CSV_ROWS_MAX: usize = 100_000;

/// How many items are read at once for a file.
const CSV_PAGE: i64 = 5_000;

/// A handover with what matters of its items.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "HandoverStanding")]
pub(super) struct HandoverView {
    #[serde(flatten)]
    handover: Handover,
    /// How many items of each kind are in each state.
    counts: Vec<handover::Counted>,
    /// Who takes over.
    successors: Vec<handover::Successor>,
}

/// A handover as one caller or another sees it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "HandoverShown")]
pub(super) enum HandoverDetails {
    /// With all that is left behind.
    Whole(Box<Checklist>),
    /// To a successor who sees their own alone: what of it is theirs.
    Own(Box<HandoverView>),
}

/// What a leaver leaves behind.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Checklist {
    #[serde(flatten)]
    view: HandoverView,
    /// Their orders that are not over.
    orders: handover::Page<handover::OpenOrder>,
    /// Their customers.
    customers: handover::Page<handover::Customer>,
    /// Their groups.
    groups: handover::Page<handover::Group>,
    /// What lately passed between them and customers.
    records: handover::Page<handover::Record>,
    /// What is still to be done in their name.
    tasks: handover::Page<handover::Pending>,
    /// The last calls to WeCom.
    calls: Vec<handover::Call>,
    /// What was read with their tokens.
    reads: handover::Page<handover::Read>,
    /// How many days back records and reads are counted.
    recent_days: i32,
}

pub(super) const ID: Parameter = path("id", Allowed::Number, "The handover's number.", "交接编号。");

const ITEM_STATE: Parameter =
    query("state", Allowed::OneOf(|| ItemState::WORDS.to_vec()), "Only those in this state.", "交接项状态。");

pub(super) const LIST: Route = Route {
    id: "handoverList",
    method: "GET",
    path: "/api/enterprise-wechat/handovers",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say("Latest first.", "按时间倒序。"),
        query: &[
            query("state", Allowed::OneOf(|| HandoverState::WORDS.to_vec()), "Only those in this state.", "交接状态。"),
            query("staff_id", Allowed::Text("E-001"), "Only of this staff member.", "原员工编号。"),
            query("wechat_userid", Allowed::Text("zhangsan"), "Only of this member.", "原成员 userid。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<HandoverRow>>(200, "A page of handovers.", "一页交接。")],
        ..Operation::new(Tag::Handovers, "List handovers", "列出交接")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (state, staff_id, wechat_userid) =
        (params.take_word("state")?, params.take("staff_id"), params.take("wechat_userid"));
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let (before, own) = (paging.after(|key| key.parse().ok())?, call.own().cloned());
    let filter = Filter { state, staff_id, wechat_userid, before, own };
    let rows = handover::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const SHOW: Route = Route {
    id: "handoverShow",
    method: "GET",
    path: "/api/enterprise-wechat/handovers/{id}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        about: say("The first of everything; the lists have the rest.", "各类仅返回前若干条，其余请查询相应列表。"),
        path: Some(ID),
        answers: &[Response::json::<HandoverDetails>(200, "The handover.", "交接详情。")],
        codes: &[Code::HandoverUnknown],
        ..Operation::new(Tag::Handovers, "Show a handover and what is left behind", "查看交接与待交接清单")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = known(call, conn).await?;
    let view = view(call, conn, id).await?;
    if call.own().is_some() {
        // A successor sees what they shall have, and nothing else of what the leaver leaves behind.
        return Answer::ok(HandoverDetails::Own(Box::new(view)));
    }
    let of = &view.handover;
    let orders = handover::open_orders(conn, of, SHOWN_MAX).await?;
    let customers = handover::customers(conn, of, SHOWN_MAX).await?;
    let groups = handover::groups(conn, of, SHOWN_MAX).await?;
    let records = handover::records(conn, of, RECORDS_MAX).await?;
    let tasks = handover::pending(conn, of, SHOWN_MAX).await?;
    let calls = handover::calls(conn, of.id, CALLS_MAX).await?;
    let reads = handover::reads(conn, of, SHOWN_MAX).await?;
    let recent_days = handover::RECENT_DAYS;
    let all = Checklist { view, orders, customers, groups, records, tasks, calls, reads, recent_days };
    Answer::ok(HandoverDetails::Whole(Box::new(all)))
}

pub(super) const ITEMS: Route = Route {
    id: "handoverItems",
    method: "GET",
    path: "/api/enterprise-wechat/handovers/{id}/items",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(items),
    operation: Operation {
        path: Some(ID),
        query: &[
            query(
                "kind",
                Allowed::OneOf(|| ItemKind::WORDS.to_vec()),
                "Only customers, orders or groups.",
                "交接项类型。",
            ),
            ITEM_STATE,
            query(
                "successor",
                Allowed::Text("E-002"),
                "Only those that this staff member shall have.",
                "接替员工编号。",
            ),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<Item>>(200, "A page of items.", "一页交接项。")],
        codes: &[Code::HandoverUnknown],
        ..Operation::new(Tag::Handovers, "List a handover's items", "列出交接项")
    },
};

pub(super) async fn items(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (kind, state) = (params.take_word("kind")?, params.take_word("state")?);
    let successor = params.take("successor");
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = ItemFilter { kind, state, successor, own: call.own().cloned() };
    let after = paging.after(|key| key.parse().ok())?.unwrap_or(0);
    let id = known(call, conn).await?;
    let rows = handover::items(conn, id, &filter, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const ITEMS_CSV: Route = Route {
    id: "handoverItemsCsv",
    method: "GET",
    path: "/api/enterprise-wechat/handovers/{id}/items.csv",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(items_csv),
    operation: Operation {
        path: Some(ID),
        answers: &[Response::new(200, "All items.", "全部交接项。", Content::Table)],
        codes: &[Code::HandoverUnknown, Code::HandoverState],
        ..Operation::new(Tag::Handovers, "A handover's items as a table", "导出交接项")
    },
};

pub(super) async fn items_csv(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let id = known(call, conn).await?;
    let filter = ItemFilter { own: call.own().cloned(), ..ItemFilter::default() };
    let mut sheet = Sheet::new(&CSV_HEAD)?;
    let (mut after, mut rows) = (0, 0);
    loop {
        let page = handover::items(conn, id, &filter, after, CSV_PAGE).await?;
        let Some(last) = page.last().map(|it| it.id) else { break };
        (after, rows) = (last, rows + page.len());
        if rows > CSV_ROWS_MAX {
            let detail = (
                format!("a file holds {CSV_ROWS_MAX} items: read them with `GET handovers/{id}/items`"),
                format!("文件最多 {CSV_ROWS_MAX} 项，请用 `GET handovers/{id}/items` 读取"),
            );
            return Err(Problem::new(Code::HandoverState, detail));
        }
        for item in page {
            sheet.row(cells(item))?;
        }
    }
    sheet.answer(&format!("handover-{id}"), None)
}

pub(super) const LOG: Route = Route {
    id: "handoverLog",
    method: "GET",
    path: "/api/enterprise-wechat/handovers/{id}/log",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(log),
    operation: Operation {
        about: say("Each with who caused it, and why.", "每一步都记录操作者与原因。"),
        path: Some(ID),
        query: &[LIMIT, CURSOR],
        answers: &[Response::json::<Page<Turned>>(200, "A page of turns.", "一页经过。")],
        codes: &[Code::HandoverUnknown],
        ..Operation::new(Tag::Handovers, "List the turns that a handover took", "列出交接经过")
    },
};

pub(super) async fn log(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let after = paging.after(|key| key.parse().ok())?;
    let id = known(call, conn).await?;
    let rows = Turned::list(conn, id, after, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

/// A handover and its items as the caller sees them: one who sees their own alone sees what is theirs.
pub(super) async fn view(call: &Call<'_>, conn: &mut PgConnection, id: i64) -> Result<HandoverView, Problem> {
    let handover = handover::find(conn, id).await?.ok_or_else(unknown)?;
    let counts = handover::counts(conn, call.own(), id).await?;
    let successors = handover::successors(conn, call.own(), id).await?;
    Ok(HandoverView { handover, counts, successors })
}

/// The path's id as a number. No handover has an id that is no number.
pub(super) fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| unknown())
}

/// The path's handover, if there is one that the caller sees.
pub(super) async fn known(call: &Call<'_>, conn: &mut PgConnection) -> Result<i64, Problem> {
    let id = number(call.id)?;
    match call.own() {
        Some(own) if !handover::succeeds(conn, own, id).await? => Err(unknown()),
        _ => handover::find(conn, id).await?.map(|it| it.id).ok_or_else(unknown),
    }
}

pub(super) fn unknown() -> Problem {
    Problem::new(
        Code::HandoverUnknown,
        ("list them with `GET handovers` to see which there are", "可用 `GET handovers` 查看已有交接"),
    )
}

pub(super) fn called_off() -> Problem {
    Problem::new(Code::HandoverState, ("it was called off", "交接已取消"))
}

/// The columns of a file.
const CSV_HEAD: [&str; 12] = [
    "kind",
    "subject",
    "round",
    "state",
    "successor_staff_id",
    "successor_userid",
    "attempts",
    "errcode",
    "reason",
    "takeover_at",
    "submitted_at",
    "finished_at",
];

fn cells(item: Item) -> [String; 12] {
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|it| it.to_rfc3339()).unwrap_or_default();
    [
        item.kind.to_string(),
        item.subject,
        item.round.to_string(),
        item.state.to_string(),
        item.successor_staff_id.unwrap_or_default(),
        item.successor_userid.unwrap_or_default(),
        item.attempts.to_string(),
        item.errcode.map(|it| it.to_string()).unwrap_or_default(),
        item.reason.unwrap_or_default(),
        time(item.takeover_at),
        time(item.submitted_at),
        time(item.finished_at),
    ]
}
