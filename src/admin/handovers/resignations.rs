//! `resignations`: who is going to leave. One that an admin approves begins a handover before the last day.

use chrono::NaiveDate;
use serde::Deserialize;
use sqlx::PgConnection;

use super::acts::{NOTE_BYTES_MAX, call_off, note};
use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{
            body, corp,
            cursor::{Page, Paging},
        },
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            parameter::{Allowed, CURSOR, LIMIT, Parameter, path, query},
            problem::{Code, Problem},
            route::{ADMIN, OPERATOR, Route, VIEWER, by_path, now},
        },
    },
    check,
    handover::transition::{By, settle},
    ids::{StaffId, UserId},
    states::{HandoverCause, HandoverState, ItemKind, ItemState, ResignationState},
    tables::{
        apply,
        handover::{self, NewHandover},
        staff::{
            member_alias,
            resignation::{self, Filter, NewResignation, Resignation},
            staff_wechat_bind,
        },
    },
};

/// A resignation to enter.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewResignation")]
pub(super) struct Wanted {
    /// May be left out where there is only one corp.
    corpid: Option<String>,
    /// Who leaves; give either this or `wechat_userid`.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    staff_id: Option<String>,
    /// The same, as WeCom names them.
    #[schemars(length(min = 1, max = check::ID_BYTES_MAX))]
    wechat_userid: Option<String>,
    /// Their last day.
    last_day: NaiveDate,
    /// Why.
    #[schemars(length(min = 1, max = NOTE_BYTES_MAX))]
    reason: Option<String>,
}

/// What somebody says to it.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ResignationDecision")]
pub(super) struct Decision {
    /// What is said to it.
    #[schemars(length(min = 1, max = NOTE_BYTES_MAX))]
    note: Option<String>,
}

pub(super) const ADD: Route = Route {
    id: "resignationAdd",
    method: "POST",
    path: "/api/enterprise-wechat/resignations",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(add),
    operation: Operation {
        body: Some(RequestBody::of::<Wanted>()),
        answers: &[Response::json::<Resignation>(201, "The resignation.", "新登记的离职申请。")],
        codes: &[Code::NotBound, Code::AlreadyOpen],
        ..Operation::new(Tag::Resignations, "Enter a resignation", "登记离职申请")
    },
};

pub(super) async fn add(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let wanted: Wanted = body::parse(&call.request.body)?;
    let named = wanted.staff_id.as_ref().or(wanted.wechat_userid.as_ref());
    let about = About::thing(named.cloned().unwrap_or_default());
    let answer = async {
        note("reason", wanted.reason.as_deref())?;
        let corpid = corp::of_field(conn, wanted.corpid.as_deref()).await?;
        apply::lock_alone(conn, &corpid).await?;
        let not_bound =
            |field| Problem::new(Code::NotBound, ("bind the staff member first", "请先绑定该员工")).at(field);
        let (staff_id, user) = match (wanted.staff_id, wanted.wechat_userid) {
            (Some(staff), None) => {
                check::id("staff_id", &staff)?;
                let user = staff_wechat_bind::user_of(conn, &corpid, &StaffId(staff.clone())).await?;
                (staff, user.ok_or_else(|| not_bound("staff_id"))?)
            }
            (None, Some(user)) => {
                check::id("wechat_userid", &user)?;
                let user = member_alias::current(conn, &corpid, &UserId(user)).await?;
                let staff = staff_wechat_bind::staff_of(conn, &corpid, &user).await?;
                (staff.ok_or_else(|| not_bound("wechat_userid"))?, user)
            }
            _ => {
                return Err(Problem::field(
                    "staff_id",
                    ("give either staff_id or wechat_userid", "请给出 staff_id 或 wechat_userid 之一"),
                ));
            }
        };
        let new = NewResignation {
            corpid: &corpid,
            staff_id: &staff_id,
            user: &user,
            last_day: wanted.last_day,
            reason: wanted.reason.as_deref(),
            who: call.who(),
        };
        let id = resignation::insert(conn, &new).await.map_err(open_already)?;
        Answer::new(201, find(conn, id).await?)
    };
    about.answers(answer.await)
}

/// What deciding takes and answers.
const fn decision(en: &'static str, zh: &'static str) -> Operation {
    Operation {
        path: Some(ID),
        body: Some(RequestBody::perhaps::<Decision>()),
        answers: &[STANDS],
        codes: &[Code::ResignationUnknown, Code::ResignationState],
        ..Operation::new(Tag::Resignations, en, zh)
    }
}

const STANDS: Response =
    Response::json::<Resignation>(200, "The resignation as it stands now.", "离职申请的当前状态。");

const ID: Parameter = path("id", Allowed::Number, "The resignation's number.", "离职申请编号。");

pub(super) const LIST: Route = Route {
    id: "resignationList",
    method: "GET",
    path: "/api/enterprise-wechat/resignations",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say("Latest first.", "按时间倒序。"),
        query: &[
            query(
                "state",
                Allowed::OneOf(|| ResignationState::WORDS.to_vec()),
                "Only those in this state.",
                "申请状态。",
            ),
            query("staff_id", Allowed::Text("E-001"), "Only of this staff member.", "员工编号。"),
            LIMIT,
            CURSOR,
        ],
        answers: &[Response::json::<Page<Resignation>>(200, "A page of resignations.", "一页离职申请。")],
        ..Operation::new(Tag::Resignations, "List resignations", "列出离职申请")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (state, staff_id) = (params.take_word("state")?, params.take("staff_id"));
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = Filter { state, staff_id, before: paging.after(|key| key.parse().ok())? };
    let rows = resignation::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) const SHOW: Route = Route {
    id: "resignationShow",
    method: "GET",
    path: "/api/enterprise-wechat/resignations/{id}",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        path: Some(ID),
        answers: &[STANDS],
        codes: &[Code::ResignationUnknown],
        ..Operation::new(Tag::Resignations, "Show a resignation", "查看离职申请")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    Answer::ok(find(conn, number(call.id)?).await?)
}

pub(super) const APPROVE: Route = Route {
    id: "resignationApprove",
    method: "POST",
    path: "/api/enterprise-wechat/resignations/{id}/approve",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(approve),
    operation: Operation {
        about: say("A handover begins before the last day.", "批准后，在离职日之前即开始交接。"),
        ..decision("Approve a resignation", "批准离职申请")
    },
};

pub(super) async fn approve(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (it, decision) = begin(call, conn).await?;
    if it.state == ResignationState::Approved {
        return Answer::ok(it);
    }
    only(&it, &[ResignationState::Requested])?;
    resignation::decide(conn, it.id, ResignationState::Approved, call.who(), decision.note.as_deref()).await?;
    hand_over(conn, &it, call.who()).await?;
    Answer::ok(find(conn, it.id).await?)
}

pub(super) const REFUSE: Route = Route {
    id: "resignationRefuse",
    method: "POST",
    path: "/api/enterprise-wechat/resignations/{id}/refuse",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(refuse),
    operation: decision("Refuse a resignation", "驳回离职申请"),
};

pub(super) async fn refuse(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (it, decision) = begin(call, conn).await?;
    if it.state == ResignationState::Refused {
        return Answer::ok(it);
    }
    only(&it, &[ResignationState::Requested])?;
    resignation::decide(conn, it.id, ResignationState::Refused, call.who(), decision.note.as_deref()).await?;
    Answer::ok(find(conn, it.id).await?)
}

pub(super) const CANCEL: Route = Route {
    id: "resignationCancel",
    method: "POST",
    path: "/api/enterprise-wechat/resignations/{id}/cancel",
    access: OPERATOR,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(cancel),
    operation: Operation {
        about: say("The handover that it led to is called off.", "由其发起的交接一并取消。"),
        ..decision("Withdraw a resignation", "撤回离职申请")
    },
};

pub(super) async fn cancel(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (it, decision) = begin(call, conn).await?;
    if it.state == ResignationState::Cancelled {
        return Answer::ok(it);
    }
    only(&it, &[ResignationState::Requested, ResignationState::Approved])?;
    resignation::decide(conn, it.id, ResignationState::Cancelled, call.who(), decision.note.as_deref()).await?;
    let began = handover::open_of(conn, &it.corpid, &it.wechat_userid).await?;
    if let Some((id, _)) = began
        && let Some(handover) = handover::lock(conn, id).await?
        // One that was under way before has reasons of its own.
        && handover.cause == HandoverCause::Resignation
        && handover.resignation_id == Some(it.id)
        && handover.cancelled_at.is_none()
    {
        call_off(conn, &handover, call.who(), "离职申请已撤回").await?;
    }
    Answer::ok(find(conn, it.id).await?)
}

/// Begins the handover that an approved resignation leads to, or joins the one that is open.
async fn hand_over(conn: &mut PgConnection, it: &Resignation, who: &str) -> Result<(), Problem> {
    let by = By { actor: who, cause: "离职申请已批准" };
    let id = match handover::open_of(conn, &it.corpid, &it.wechat_userid).await? {
        None => {
            let new = NewHandover {
                corpid: &it.corpid,
                user: &it.wechat_userid,
                staff_id: &it.staff_id,
                cause: HandoverCause::Resignation,
                resignation_id: Some(it.id),
                ordered_by: who,
                message: None,
            };
            let id = handover::create(conn, &new).await?;
            handover::log(conn, id, None, HandoverState::Detected, by.actor, by.cause).await?;
            id
        }
        Some((id, HandoverState::Cancelled)) => {
            handover::lock(conn, id).await?;
            handover::revive(conn, id, it.id, who).await?;
            // Contacts come by themselves, as far as they still stand.
            let kinds = [ItemKind::Order, ItemKind::Group];
            handover::reopen(conn, id, &[ItemState::Cancelled], &kinds, None).await?;
            id
        }
        Some((id, _)) => return Ok(handover::link(conn, id, it.id).await?),
    };
    handover::collect_contacts(conn, id).await?;
    handover::collect_orders(conn, id).await?;
    settle(conn, id, by).await?;
    Ok(())
}

/// The resignation that the path names, with its corp to itself, and what is said to it.
async fn begin(call: &Call<'_>, conn: &mut PgConnection) -> Result<(Resignation, Decision), Problem> {
    call.no_params()?;
    let body = &call.request.body;
    let decision: Decision = if body.is_empty() { Decision::default() } else { body::parse(body)? };
    note("note", decision.note.as_deref())?;
    let id = number(call.id)?;
    let corpid = find(conn, id).await?.corpid;
    apply::lock_alone(conn, &corpid).await?;
    // Whoever had the lock before may have decided it.
    Ok((find(conn, id).await?, decision))
}

fn only(it: &Resignation, states: &[ResignationState]) -> Result<(), Problem> {
    if states.contains(&it.state) {
        return Ok(());
    }
    let detail = (format!("it is {}", it.state), format!("当前状态为 {}", it.state));
    Err(Problem::new(Code::ResignationState, detail))
}

async fn find(conn: &mut PgConnection, id: i64) -> Result<Resignation, Problem> {
    resignation::find(conn, id).await?.ok_or_else(unknown)
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(
        Code::ResignationUnknown,
        ("list them with `GET resignations` to see which there are", "可用 `GET resignations` 查看已有离职申请"),
    )
}

fn open_already(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(|it| it.constraint()) {
        Some("resignation_open") => Problem::new(
            Code::AlreadyOpen,
            ("a resignation of theirs is open: decide that one first", "已有未结的离职申请，请先处理"),
        ),
        _ => error.into(),
    }
}
