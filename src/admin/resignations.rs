//! `resignations`: who is going to leave. One that an admin approves begins a handover before the last day.

use chrono::NaiveDate;
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    body,
    call::{Answer, Call},
    check,
    handover_acts::{NOTE_BYTES_MAX, call_off, note},
    page::Paging,
    problem::{Code, Problem},
    staff_bind::corp,
};
use crate::{
    handover::turn::{By, settle},
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

pub(super) async fn add(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let wanted: Wanted = body::parse(&call.request.body)?;
    let named = wanted.staff_id.as_ref().or(wanted.wechat_userid.as_ref());
    call.subject = named.cloned().unwrap_or_default();
    note("reason", wanted.reason.as_deref())?;
    let corpid = corp(conn, wanted.corpid.as_deref()).await?.map_err(|why| Problem::field("corpid", why))?;
    apply::lock_alone(conn, &corpid).await?;
    let not_bound = |field| Problem::new(Code::NotBound, "bind the staff member first").at(field);
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
        _ => return Err(Problem::field("staff_id", "give either staff_id or wechat_userid")),
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
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let (state, staff_id) = (params.take_word("state")?, params.take("staff_id"));
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    let filter = Filter { state, staff_id, before: paging.after(|key| key.parse().ok())? };
    let rows = resignation::list(conn, &filter, paging.fetch()).await?;
    Answer::ok(paging.page(rows, |row| row.id.to_string()))
}

pub(super) async fn show(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    Answer::ok(find(conn, number(call.id)?).await?)
}

pub(super) async fn approve(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (it, decision) = begin(call, conn).await?;
    if it.state == ResignationState::Approved {
        return Answer::ok(it);
    }
    only(&it, &[ResignationState::Requested])?;
    resignation::decide(conn, it.id, ResignationState::Approved, call.who(), decision.note.as_deref()).await?;
    hand_over(conn, &it, call.who()).await?;
    Answer::ok(find(conn, it.id).await?)
}

pub(super) async fn refuse(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let (it, decision) = begin(call, conn).await?;
    if it.state == ResignationState::Refused {
        return Answer::ok(it);
    }
    only(&it, &[ResignationState::Requested])?;
    resignation::decide(conn, it.id, ResignationState::Refused, call.who(), decision.note.as_deref()).await?;
    Answer::ok(find(conn, it.id).await?)
}

pub(super) async fn cancel(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
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
    let detail = format!("it is {}. 当前状态不允许该操作。", it.state);
    Err(Problem::new(Code::ResignationState, detail))
}

async fn find(conn: &mut PgConnection, id: i64) -> Result<Resignation, Problem> {
    resignation::find(conn, id).await?.ok_or_else(unknown)
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(Code::ResignationUnknown, "list them with `GET resignations` to see which there are")
}

fn open_already(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(|it| it.constraint()) {
        Some("resignation_open") => Problem::new(
            Code::AlreadyOpen,
            "a resignation of theirs is open: decide that one first. 已有未结的离职申请。",
        ),
        _ => error.into(),
    }
}
