//! `handover` and its tables: which customers, orders and groups go to whom, and the outcome of each.
//!
//! Until somebody plans it, a leaver's handover is derived from the tables: `derive` derives it again whenever the
//! leaver or one of their contacts changes, with the same result in any order. After that its states are changed by
//! `handover`, with the corp's lock held exclusively.

mod call;

mod change;

mod checklist;

mod collect;

mod derive;

mod hint;

mod history;

mod item;

mod log;

mod plan;

mod successor;

pub use call::{Call, NewCall, answer, begin_call, calls, found_calls};
pub use change::{
    NewHandover, Transferable, add_customers, call_off, create, link, named, open_of, replanned, revive, submit,
    transferable, wake_now,
};
pub use checklist::{
    Counted as Page, Customer, Group, OpenOrder, Pending, RECENT_DAYS, Read, Record, customers, groups, open_orders,
    pending, reads, records,
};
pub use collect::{collect_contacts, collect_groups, collect_orders, collect_sessions, no_longer_theirs};
pub use derive::{derive, rename};
pub use hint::{Failed, fails, hinted, note_fails, wake};
pub use history::{ItemFilter, Transfer, TransferFilter, items, transfers};
pub use item::{
    Counted, HandoverFlags, Heard, Item, Moved, Taken, calling, counts, expect, in_states, moved, next_takeover, note,
    overdue, planned, standing, stuck, submitted_since, successor_staff, taken_on, taken_over, transition,
};
pub use log::{Turned, log};
pub use plan::{
    Candidate, CandidateSearch, ToPlan, candidates, departments, give, moved_lately, placed, reopen, take_back, to_plan,
};
pub use successor::{
    Part, Successor, answered, follow_plan, not_agreed, parts, planned_for, succeeds, successors, told,
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::access::own::Own;
use crate::{
    ids::{CorpId, UserId},
    states::{HandoverCause, HandoverState},
};

/// A handover, as it stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Handover {
    /// The handover's number.
    pub id: i64,
    /// The corp.
    pub corpid: CorpId,
    /// Who hands over, as WeCom names them.
    pub wechat_userid: UserId,
    /// Who hands over, as the business names them.
    pub staff_id: Option<String>,
    /// detected, planned, notified, submitted, waiting, done or cancelled.
    pub state: HandoverState,
    /// left, resignation or transfer.
    pub cause: HandoverCause,
    /// The resignation that it came of.
    pub resignation_id: Option<i64>,
    /// Who began it.
    pub ordered_by: String,
    /// What the customers are told once an in-service transfer is done.
    pub message: Option<String>,
    /// When they left; none if they are still here, or if nobody said when.
    pub left_at: Option<DateTime<Utc>>,
    /// When we heard of it first.
    pub detected_at: DateTime<Utc>,
    /// When the successors were told.
    pub notified_at: Option<DateTime<Utc>>,
    /// When, and by whom, it was let go.
    pub submitted_at: Option<DateTime<Utc>>,
    /// See `submitted_at`.
    pub submitted_by: Option<String>,
    /// When everything had an owner or a reason.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who called it off; none if the leaver came back.
    pub cancelled_by: Option<String>,
    /// When it was called off, or the leaver came back.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// When WeCom was last asked for results.
    pub polled_at: Option<DateTime<Utc>>,
    /// How often it was asked since the last submission.
    pub polls: i32,
    /// When WeCom was last asked about what is overdue.
    pub overdue_polled_at: Option<DateTime<Utc>>,
    /// Counts the changes of its plan.
    pub version: i64,
}

/// A handover in a list.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "HandoverListed")]
pub struct HandoverRow {
    /// The handover's number.
    pub id: i64,
    /// The corp.
    pub corpid: String,
    /// Who hands over, as WeCom names them.
    pub wechat_userid: String,
    /// Who hands over, as the business names them.
    pub staff_id: Option<String>,
    /// detected, planned, notified, submitted, waiting, done or cancelled.
    pub state: HandoverState,
    /// left, resignation or transfer.
    pub cause: HandoverCause,
    /// When they left, by the event's own time; none if they are still here, or if it had none.
    pub left_at: Option<DateTime<Utc>>,
    /// When we heard of it first.
    pub detected_at: DateTime<Utc>,
    /// How many customers, orders and groups are in it.
    pub items: i64,
}

/// Which handovers are listed.
#[derive(Debug, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<HandoverState>,
    /// Of this staff member.
    pub staff_id: Option<String>,
    /// Of this member, by any id of theirs.
    pub wechat_userid: Option<String>,
    /// With a smaller number than this one.
    pub before: Option<i64>,
    /// With this successor.
    pub own: Option<Own>,
}

/// Up to `limit` handovers, latest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<HandoverRow>> {
    let (own_corp, own_staff) = Own::parts(filter.own.as_ref());
    sqlx::query_as!(
        HandoverRow,
        r#"
        select id, corpid, wechat_userid, staff_id, state as "state: HandoverState", cause as "cause: HandoverCause",
            nullif(left_at, to_timestamp(0)) as left_at, detected_at,
            (
                select count(distinct (kind, subject)) from handover_item
                where handover_id = handover.id and ($5::text is null or successor_staff_id = $6)
            ) as "items!"
        from handover
        where ($1::text is null or state = $1)
            and ($2::text is null or staff_id = $2)
            and ($3::text is null or wechat_userid = $3 or (corpid, wechat_userid) in (
                select alias.corpid, alias.wechat_userid from member_alias alias where alias.key = userid_key($3)
            ))
            and ($4::bigint is null or id < $4)
            and ($5::text is null or (corpid = $5 and exists (
                select from handover_successor own where own.handover_id = handover.id and own.staff_id = $6
            )))
        order by id desc
        limit $7
        "#,
        filter.state.map(HandoverState::as_str),
        filter.staff_id.as_deref(),
        filter.wechat_userid.as_deref(),
        filter.before,
        own_corp,
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Locks a handover until the transaction ends. The corp's lock must be taken first.
pub async fn lock(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<Handover>> {
    sqlx::query_scalar!("select id from handover where id = $1 for update", id).fetch_optional(&mut *conn).await?;
    find(conn, id).await
}

/// A handover.
pub async fn find(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<Handover>> {
    sqlx::query_as!(
        Handover,
        r#"
        select
            id, corpid as "corpid: CorpId", wechat_userid as "wechat_userid: UserId", staff_id,
            state as "state: HandoverState", cause as "cause: HandoverCause", resignation_id, ordered_by, message,
            nullif(left_at, to_timestamp(0)) as left_at, detected_at, notified_at, submitted_at, submitted_by,
            finished_at, cancelled_by, cancelled_at, polled_at, polls, overdue_polled_at, version
        from handover
        where id = $1
        "#,
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Stores the state that follows from the items.
pub async fn set_state(conn: &mut PgConnection, id: i64, state: HandoverState) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update handover
        set state = $2, finished_at = case when $2 in ('done', 'cancelled') then clock_timestamp() end
        where id = $1
        "#,
        id,
        state.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that WeCom was asked for results just now.
pub async fn polled(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("update handover set polled_at = now(), polls = polls + 1 where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Records the same for the overdue items.
pub async fn polled_overdue(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("update handover set overdue_polled_at = now() where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Restarts polling, after a new submission or on a person's request: results are polled often again, and overdue
/// items at once.
pub async fn poll_afresh(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("update handover set polls = 0, overdue_polled_at = null where id = $1", id).execute(conn).await?;
    Ok(())
}
