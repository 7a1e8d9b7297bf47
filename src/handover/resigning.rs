//! Resignations: entering one, and deciding about it. An approved one begins a handover before the last day; one that is
//! withdrawn calls that handover off.
//!
//! Each use case is a part of the caller's transaction and takes the corp's lock alone.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::{
    acts::call_off,
    note::Note,
    transition::{By, settle},
};
use crate::{
    check::{self, Invalid},
    ids::{CorpId, StaffId, UserId},
    states::{HandoverCause, HandoverState, ItemKind, ItemState, ResignationState},
    tables::{
        apply,
        handover::{self, NewHandover},
        staff::{
            member_alias,
            resignation::{self, Resignation},
            staff_wechat_bind,
        },
    },
};

/// A resignation to enter.
#[derive(Debug)]
pub struct ResignationInput {
    /// Who leaves; there is either this or `wechat_userid`.
    pub staff_id: Option<String>,
    /// The same, as WeCom names them.
    pub wechat_userid: Option<String>,
    /// Their last day.
    pub last_day: NaiveDate,
    /// Why.
    pub reason: Option<Note>,
}

/// Why a resignation is not entered.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// What names the staff member cannot be meant.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The staff member is bound to no member.
    #[error("{field}: the staff member is not bound")]
    NotBound {
        /// The field that names them.
        field: &'static str,
    },
    /// Another resignation of theirs is open.
    #[error("a resignation of theirs is open")]
    OpenAlready,
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why nothing is decided about a resignation.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// There is no such resignation.
    #[error("there is no such resignation")]
    Unknown,
    /// It is too late: this is its state.
    #[error("the resignation is {0}")]
    TooLate(ResignationState),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Enters a resignation. `who` does.
pub async fn enter(
    conn: &mut PgConnection,
    corpid: &CorpId,
    input: ResignationInput,
    who: &str,
) -> Result<Resignation, EntryError> {
    apply::lock_alone(conn, corpid).await?;
    let (staff_id, user) = leaver(conn, corpid, input.staff_id, input.wechat_userid).await?;
    let new = resignation::NewResignation {
        corpid,
        staff_id: staff_id.as_str(),
        user: &user,
        last_day: input.last_day,
        reason: input.reason.as_ref().map(Note::as_str),
        who,
    };
    let id = resignation::insert(conn, &new).await.map_err(open_already)?;
    // It was inserted in this transaction.
    Ok(resignation::find(conn, id).await?.ok_or(sqlx::Error::RowNotFound)?)
}

/// Approves a resignation, and begins the handover that it leads to. One that is approved already stays as it is.
pub async fn approve(
    conn: &mut PgConnection,
    id: i64,
    note: Option<&Note>,
    who: &str,
) -> Result<Resignation, DecisionError> {
    let it = lock(conn, id).await?;
    if it.state == ResignationState::Approved {
        return Ok(it);
    }
    only(&it, &[ResignationState::Requested])?;
    resignation::decide(conn, id, ResignationState::Approved, who, note.map(Note::as_str)).await?;
    hand_over(conn, &it, who).await?;
    find(conn, id).await
}

/// Refuses a resignation. One that is refused already stays as it is.
pub async fn refuse(
    conn: &mut PgConnection,
    id: i64,
    note: Option<&Note>,
    who: &str,
) -> Result<Resignation, DecisionError> {
    let it = lock(conn, id).await?;
    if it.state == ResignationState::Refused {
        return Ok(it);
    }
    only(&it, &[ResignationState::Requested])?;
    resignation::decide(conn, id, ResignationState::Refused, who, note.map(Note::as_str)).await?;
    find(conn, id).await
}

/// Withdraws a resignation, and calls off the handover that it began. One that is withdrawn already stays as it is.
pub async fn withdraw(
    conn: &mut PgConnection,
    id: i64,
    note: Option<&Note>,
    who: &str,
) -> Result<Resignation, DecisionError> {
    let it = lock(conn, id).await?;
    if it.state == ResignationState::Cancelled {
        return Ok(it);
    }
    only(&it, &[ResignationState::Requested, ResignationState::Approved])?;
    resignation::decide(conn, id, ResignationState::Cancelled, who, note.map(Note::as_str)).await?;
    let began = handover::open_of(conn, &it.corpid, &it.wechat_userid).await?;
    if let Some((open, _)) = began
        && let Some(handover) = handover::lock(conn, open).await?
        // One that was under way before has reasons of its own.
        && handover.cause == HandoverCause::Resignation
        && handover.resignation_id == Some(id)
        && handover.cancelled_at.is_none()
    {
        call_off(conn, &handover, who, "离职申请已撤回").await?;
    }
    find(conn, id).await
}

/// Who leaves, as the business and as WeCom name them.
async fn leaver(
    conn: &mut PgConnection,
    corpid: &CorpId,
    staff_id: Option<String>,
    wechat_userid: Option<String>,
) -> Result<(StaffId, UserId), EntryError> {
    match (staff_id, wechat_userid) {
        (Some(staff), None) => {
            check::id("staff_id", &staff)?;
            let staff = StaffId(staff);
            let user = staff_wechat_bind::user_of(conn, corpid, &staff).await?;
            Ok((staff, user.ok_or(EntryError::NotBound { field: "staff_id" })?))
        }
        (None, Some(user)) => {
            check::id("wechat_userid", &user)?;
            let user = member_alias::current(conn, corpid, &UserId(user)).await?;
            let staff = staff_wechat_bind::staff_of(conn, corpid, &user).await?;
            Ok((StaffId(staff.ok_or(EntryError::NotBound { field: "wechat_userid" })?), user))
        }
        _ => {
            let why = ("give either staff_id or wechat_userid", "请给出 staff_id 或 wechat_userid 之一");
            Err(Invalid::new("staff_id", why).into())
        }
    }
}

/// Begins the handover that an approved resignation leads to, or joins the one that is open.
async fn hand_over(conn: &mut PgConnection, it: &Resignation, who: &str) -> sqlx::Result<()> {
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
            // `collect_contacts` below brings back the customers who still are contacts.
            let kinds = [ItemKind::Order, ItemKind::Group, ItemKind::Session];
            handover::reopen(conn, id, &[ItemState::Cancelled], &kinds, None).await?;
            id
        }
        Some((id, _)) => return handover::link(conn, id, it.id).await,
    };
    handover::collect_contacts(conn, id).await?;
    handover::collect_orders(conn, id).await?;
    handover::collect_sessions(conn, id).await?;
    settle(conn, id, by).await?;
    Ok(())
}

/// The resignation of that number; nobody else decides about it until the transaction ends.
async fn lock(conn: &mut PgConnection, id: i64) -> Result<Resignation, DecisionError> {
    let corpid = find(conn, id).await?.corpid;
    apply::lock_alone(conn, &corpid).await?;
    // Whoever had the lock before may have decided it.
    find(conn, id).await
}

async fn find(conn: &mut PgConnection, id: i64) -> Result<Resignation, DecisionError> {
    resignation::find(conn, id).await?.ok_or(DecisionError::Unknown)
}

fn only(it: &Resignation, states: &[ResignationState]) -> Result<(), DecisionError> {
    if states.contains(&it.state) { Ok(()) } else { Err(DecisionError::TooLate(it.state)) }
}

fn open_already(error: sqlx::Error) -> EntryError {
    match error.as_database_error().and_then(|it| it.constraint()) {
        Some("resignation_open") => EntryError::OpenAlready,
        _ => error.into(),
    }
}
