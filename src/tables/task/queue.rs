//! Claims tasks and gives them back: done, later, or never.
//!
//! A claimed task carries a lease. Its holder extends it while it works; if the holder dies, the lease expires and
//! the task is claimed again. A holder's changes to a task count only while it holds the lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, postgres::types::PgInterval};
use uuid::Uuid;

use crate::{changes::TaskKind, ids::CorpId};

/// A claimed task.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: CorpId,
    /// What is to be done.
    pub kind: TaskKind,
    /// Its subject. An id is the one in the event and may have been renamed since.
    pub subject: String,
    /// The app whose callback asked for it.
    pub app_id: i32,
    /// Its payload, as JSON text.
    pub payload: Option<String>,
    /// When it became due.
    pub due_at: DateTime<Utc>,
    /// The time after which it is useless.
    pub deadline: Option<DateTime<Utc>>,
    /// How often it was claimed, this time included.
    pub attempts: i32,
    /// The version that was claimed: marking the task again raises it.
    pub version: i64,
    /// When an earlier attempt began a call that is not safe to repeat and whose outcome was not recorded.
    pub attempted_at: Option<DateTime<Utc>>,
    /// The lease, which proves that it is still ours.
    pub lease: Uuid,
}

/// The result of finishing a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It is deleted.
    Done,
    /// It was marked again meanwhile and is due once more.
    MarkedAgain,
    /// The lease had expired, or the task was cancelled; another holder decides now.
    Lost,
}

/// How many tasks may be claimed, in all and by corp.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// How many in all.
    pub limit: i64,
    /// How many of these are reserved for corps without a claimed task, if several corps have apps.
    pub reserve: i64,
    /// The corps that have claimed tasks, or may get fewer than `limit`.
    pub corps: Vec<CorpRoom>,
}

/// How many tasks of one corp may be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorpRoom {
    /// The corp.
    pub corpid: CorpId,
    /// How many are claimed already.
    pub held: i64,
    /// How many more may be claimed.
    pub room: i64,
}

impl Room {
    /// Room for `limit` tasks of any corp.
    pub fn of(limit: i64) -> Self {
        Self { limit, ..Self::default() }
    }
}

/// Claims due tasks of a kind for `lease`, most urgent first, and counts the attempt.
///
/// Tasks whose deadline is still to come go first: after a long stop, thousands that are late anyway must not make
/// the next ones late as well. Among equals the corps take turns, and the corp with fewer claimed tasks comes first:
/// a corp with thousands of tasks, or with slow calls, does not delay another one. The corps are found by skipping
/// through the index from one to the next, and of each no more rows are read than may be claimed.
pub async fn claim(conn: &mut PgConnection, kind: TaskKind, room: &Room, lease: Duration) -> sqlx::Result<Vec<Taken>> {
    let corps: Vec<_> = room.corps.iter().map(|it| it.corpid.0.clone()).collect();
    let helds: Vec<_> = room.corps.iter().map(|it| it.held).collect();
    let rooms: Vec<_> = room.corps.iter().map(|it| it.room).collect();
    let rows = sqlx::query_as!(
        ClaimedTask,
        r#"
        with recursive corp as (
            (select corpid from task where kind = $1 and parked_at is null order by corpid limit 1)
            union all select (
                select task.corpid from task where kind = $1 and parked_at is null and task.corpid > corp.corpid
                order by task.corpid limit 1
            ) from corp where corp.corpid is not null
        ), share as (
            select corp.corpid, coalesce(own.held, 0) as held, least($2, coalesce(own.room, $2)) as room
            from corp left join unnest($5::text[], $6::bigint[], $7::bigint[]) own (corpid, held, room)
                on own.corpid = corp.corpid where corp.corpid is not null
        ), in_time as (
            select share.corpid, share.held, due.* from share cross join lateral (
                select id, deadline, due_at from task
                where kind = $1 and corpid = share.corpid and parked_at is null and deadline > now()
                    and due_at <= now() and (leased_until is null or leased_until <= now())
                order by deadline, due_at, id limit share.room for update skip locked
            ) due
        ), late as (
            select share.corpid, share.held, due.* from share cross join lateral (
                select id, deadline, due_at from task
                where kind = $1 and corpid = share.corpid and parked_at is null and deadline <= now()
                    and due_at <= now() and (leased_until is null or leased_until <= now())
                order by deadline, due_at, id
                limit case when (select count(*) from in_time) < $2 then share.room else 0 end for update skip locked
            ) due
        ), timeless as (
            select share.corpid, share.held, due.* from share cross join lateral (
                select id, deadline, due_at from task
                where kind = $1 and corpid = share.corpid and parked_at is null and deadline is null
                    and due_at <= now() and (leased_until is null or leased_until <= now())
                order by deadline, due_at, id
                limit case when (select count(*) from in_time) < $2 then share.room else 0 end for update skip locked
            ) due
        ), due as (
            select *, true as in_time from in_time
            union all select *, false from late union all select *, false from timeless
        ), turn as (
            select *, held + row_number() over (partition by corpid order by in_time desc, deadline, due_at, id) as round
            from due
        ), ranked as (
            select *, row_number() over (order by in_time desc, round, deadline, due_at, id) as rank from turn
        ), picked as (
            select id, in_time from ranked
            where rank <= $2 and (round = 1 or rank <= $2 - case
                when (select count(distinct corpid) from enterprise_wechat_config) > 1 then $3::bigint else 0 end)
        )
        update task set lease = gen_random_uuid(), leased_until = now() + $4, attempts = attempts + 1
        from picked where task.id = picked.id
        returning task.id, corpid as "corpid: CorpId", subject, app_id, payload, due_at, deadline, attempts, version,
            attempted_at, lease as "lease!", in_time as "in_time!"
        "#,
        kind.as_str(),
        room.limit,
        room.reserve,
        interval(lease),
        &corps,
        &helds,
        &rooms,
    )
    .fetch_all(conn)
    .await?;
    Ok(in_order(rows, kind))
}

/// A row that was claimed.
struct ClaimedTask {
    id: i64,
    corpid: CorpId,
    subject: String,
    app_id: i32,
    payload: Option<String>,
    due_at: DateTime<Utc>,
    deadline: Option<DateTime<Utc>>,
    attempts: i32,
    version: i64,
    attempted_at: Option<DateTime<Utc>>,
    lease: Uuid,
    in_time: bool,
}

/// The claimed tasks, most pressing first: an update returns its rows in no order.
fn in_order(mut rows: Vec<ClaimedTask>, kind: TaskKind) -> Vec<Taken> {
    rows.sort_by_key(|row| (!row.in_time, row.deadline.is_none(), row.deadline, row.due_at, row.id));
    let task = |row: ClaimedTask| Taken {
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
    rows.into_iter().map(task).collect()
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

/// Records that a call which is not safe to repeat begins now. The caller commits before it calls; `false` if the
/// task is no longer ours and the call must not be made.
pub async fn begin_attempt(conn: &mut PgConnection, task: &Taken) -> sqlx::Result<bool> {
    let result = sqlx::query!("update task set attempted_at = now() where id = $1 and lease = $2", task.id, task.lease)
        .execute(conn)
        .await?;
    Ok(result.rows_affected() > 0)
}

/// Whether the task still exists; if so, it is locked until the transaction ends. Results about a person are written
/// only under this lock, because erasing deletes the task first.
pub async fn hold(conn: &mut PgConnection, task: &Taken) -> sqlx::Result<bool> {
    let held = sqlx::query!("select id from task where id = $1 for key share", task.id).fetch_optional(conn).await?;
    Ok(held.is_some())
}

/// Finishes the task: deletes it, or makes it due again if it was marked meanwhile.
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

/// Makes the task run again after `wait`; at once if it was marked again meanwhile. `false` if it is no longer ours.
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

/// Postpones the task by `wait`, with the reason; `uncounted` takes this attempt back. `false` if it is no longer
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

/// Parks the task for a person, with the reason; it is due again if it was marked meanwhile. `false` if it is no
/// longer ours.
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

/// Gives the task back unchanged: the interruption was not its fault, and the attempt does not count.
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

/// Converts to PostgreSQL's interval. Our durations are some hours at most.
fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}
