//! Taking tasks and giving them back: done, later, or never.
//!
//! A task in hand carries a lease. Its holder extends it as long as it works; if the holder dies, the lease runs out and
//! the task is taken again. Whatever a holder says about a task counts only while the lease is still its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, postgres::types::PgInterval};
use uuid::Uuid;

use crate::{changes::TaskKind, ids::CorpId};

/// A task in hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub corpid: CorpId,
    /// What is to be done.
    pub kind: TaskKind,
    /// To whom or what. It is the id that the event named: who it is may have been renamed since.
    pub subject: String,
    /// The app through which the hint came.
    pub app_id: i32,
    /// What else is known, as JSON text.
    pub payload: Option<String>,
    /// Since when it could be done.
    pub due_at: DateTime<Utc>,
    /// Of no use after.
    pub deadline: Option<DateTime<Utc>>,
    /// How often it was taken, this time included.
    pub attempts: i32,
    /// Which state of affairs it is about: marking it again makes another.
    pub version: i64,
    /// When a call that is not safe to repeat was begun earlier, and nobody wrote down how it ended.
    pub attempted_at: Option<DateTime<Utc>>,
    /// What proves that it is still ours.
    pub lease: Uuid,
}

/// What finishing a task came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It is gone.
    Done,
    /// It was marked again meanwhile and is due once more.
    MarkedAgain,
    /// The lease had run out, or the task was cancelled: what becomes of it is no longer ours to say.
    Lost,
}

/// Takes up to `limit` due tasks of a kind for `lease`, most pressing first, and counts the attempt.
///
/// Those whose deadline is still to come go before all others: after a long stop, thousands that are too late anyway must
/// not make the next ones late as well.
pub async fn claim(conn: &mut PgConnection, kind: TaskKind, limit: i64, lease: Duration) -> sqlx::Result<Vec<Taken>> {
    let rows = sqlx::query!(
        r#"
        with in_time as (
            select id from task
            where kind = $1 and parked_at is null and due_at <= now() and (leased_until is null or leased_until <= now())
                and deadline > now()
            order by deadline, due_at, id
            limit $2
            for update skip locked
        ), late as (
            select id from task
            where kind = $1 and parked_at is null and due_at <= now() and (leased_until is null or leased_until <= now())
                and deadline <= now()
            order by deadline, due_at, id
            limit greatest($2 - (select count(*) from in_time), 0)
            for update skip locked
        ), dateless as (
            -- By themselves, so that the walk along the index ends with those that are due.
            select id from task
            where kind = $1 and parked_at is null and due_at <= now() and (leased_until is null or leased_until <= now())
                and deadline is null
            order by deadline, due_at, id
            limit greatest($2 - (select count(*) from in_time) - (select count(*) from late), 0)
            for update skip locked
        ), picked as (
            select id, true as in_time from in_time
            union all select id, false from late
            union all select id, false from dateless
        )
        update task
        set lease = gen_random_uuid(), leased_until = now() + $3, attempts = attempts + 1
        from picked
        where task.id = picked.id
        returning
            task.id, corpid as "corpid: CorpId", subject, app_id, payload, due_at, deadline, attempts, version, attempted_at,
            lease as "lease!", in_time as "in_time!"
        "#,
        kind.as_str(),
        limit,
        interval(lease),
    )
    .fetch_all(conn)
    .await?;
    let mut taken: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let order = (!row.in_time, row.deadline.is_none(), row.deadline, row.due_at, row.id);
            let task = Taken {
                id: row.id,
                corpid: row.corpid,
                kind,
                subject: row.subject,
                app_id: row.app_id,
                payload: row.payload,
                due_at: row.due_at,
                deadline: row.deadline,
                attempts: row.attempts,
                version: row.version,
                attempted_at: row.attempted_at,
                lease: row.lease,
            };
            (order, task)
        })
        .collect();
    // An update returns its rows in no order.
    taken.sort_by_key(|(order, _)| *order);
    Ok(taken.into_iter().map(|(_, task)| task).collect())
}

/// Extends these leases, and returns those that are still held.
pub async fn extend(conn: &mut PgConnection, ids: &[i64], leases: &[Uuid], lease: Duration) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        with mine as (
            select id from task
            where id = any($1) and lease = any($2)
            -- Whoever marks a batch of tasks locks them in another order; theirs are extended the next time.
            for update skip locked
        ), extended as (
            update task set leased_until = now() + $3 from mine where task.id = mine.id
        )
        select lease as "lease!" from task where id = any($1) and lease = any($2)
        "#,
        ids,
        leases,
        interval(lease),
    )
    .fetch_all(conn)
    .await
}

/// Records that a call which is not safe to repeat begins now. The caller commits before it calls; `false` if the task
/// is no longer ours and nothing must be called.
pub async fn begin_attempt(conn: &mut PgConnection, task: &Taken) -> sqlx::Result<bool> {
    let result = sqlx::query!("update task set attempted_at = now() where id = $1 and lease = $2", task.id, task.lease)
        .execute(conn)
        .await?;
    Ok(result.rows_affected() > 0)
}

/// Whether the task is still there; if so, it stays until the transaction ends. What it learnt about somebody is written
/// with it only: erasing takes the task away first.
pub async fn hold(conn: &mut PgConnection, task: &Taken) -> sqlx::Result<bool> {
    let held = sqlx::query!("select id from task where id = $1 for key share", task.id).fetch_optional(conn).await?;
    Ok(held.is_some())
}

/// It is done: gone if nobody marked it again meanwhile, else due again.
pub async fn finish(conn: &mut PgConnection, task: &Taken) -> sqlx::Result<Finished> {
    let (id, lease) = (task.id, task.lease);
    let gone = sqlx::query!("delete from task where id = $1 and lease = $2 and version = $3", id, lease, task.version)
        .execute(&mut *conn)
        .await?;
    if gone.rows_affected() > 0 {
        return Ok(Finished::Done);
    }
    let again = sqlx::query!(
        r#"
        update task set lease = null, leased_until = null, attempted_at = null, attempts = 0, reason = null
        where id = $1 and lease = $2
        "#,
        id,
        lease,
    )
    .execute(conn)
    .await?;
    Ok(if again.rows_affected() > 0 { Finished::MarkedAgain } else { Finished::Lost })
}

/// This turn of it is done, and there will be another after `wait`; at once if it was marked again meanwhile. `false` if
/// it is no longer ours.
pub async fn again(conn: &mut PgConnection, task: &Taken, wait: Duration) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        r#"
        update task
        set lease = null, leased_until = null, attempted_at = null, attempts = 0, reason = null,
            due_at = case when version = $3 then now() + $4 else due_at end
        where id = $1 and lease = $2
        "#,
        task.id,
        task.lease,
        task.version,
        interval(wait),
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// It is tried again after `wait`, for this reason; if `uncounted`, this attempt is none. `false` if it is no longer
/// ours.
pub async fn postpone(
    conn: &mut PgConnection,
    task: &Taken,
    wait: Duration,
    reason: &str,
    uncounted: bool,
) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        r#"
        update task
        set lease = null, leased_until = null, due_at = greatest(due_at, now() + $3), reason = $4,
            attempts = attempts - case when $5 then 1 else 0 end
        where id = $1 and lease = $2
        "#,
        task.id,
        task.lease,
        interval(wait),
        reason,
        uncounted,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// It is set aside for a person, for this reason; due again if it was marked again meanwhile. `false` if it is no longer
/// ours.
pub async fn park(conn: &mut PgConnection, task: &Taken, reason: &str) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        r#"
        update task
        set lease = null, leased_until = null, reason = $4,
            parked_at = case when version = $3 then now() end,
            attempts = case when version = $3 then attempts else 0 end
        where id = $1 and lease = $2
        "#,
        task.id,
        task.lease,
        task.version,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Gives it back as it was taken: what kept us from it was not its fault, and the attempt does not count.
pub async fn release(conn: &mut PgConnection, task: &Taken, wait: Duration) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        r#"
        update task
        set lease = null, leased_until = null, attempts = greatest(attempts - 1, 0),
            due_at = case when $3::interval > '0' then greatest(due_at, now() + $3) else due_at end
        where id = $1 and lease = $2
        "#,
        task.id,
        task.lease,
        interval(wait),
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// As PostgreSQL counts time. Ours are short: none is longer than some hours.
fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}
