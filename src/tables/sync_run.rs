//! `sync_run`: the walks through WeCom's lists, how far each is, and who works at it.
//!
//! A lease on the row keeps a run to one worker. Whatever a step learns is committed together with the row, and only
//! while the lease is held, so a run that was cancelled or taken over is changed by nobody else any more.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::plans;
use crate::ids::CorpId;

/// How long a worker may be silent before another takes its run over, in seconds.
const LEASE_S: f64 = 60.0;

/// A failed run is taken up again within this time, in hours; later a new one begins.
const RESUME_WITHIN_H: i32 = 12;

/// How long the reports are kept, in days.
const KEPT_D: i32 = 90;

/// What a run is doing. They come in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reading which departments there are.
    Departments,
    /// Reading each department's members.
    Members,
    /// Reading who may have customers.
    Staff,
    /// Reading their customers.
    Customers,
    /// Reading the customers of those who left.
    Unassigned,
    /// Making sense of what was found.
    Compare,
    /// Nothing any more.
    End,
}

impl Phase {
    const ALL: [Self; 7] =
        [Self::Departments, Self::Members, Self::Staff, Self::Customers, Self::Unassigned, Self::Compare, Self::End];

    /// Its name in `sync_run.phase`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Departments => "departments",
            Self::Members => "members",
            Self::Staff => "staff",
            Self::Customers => "customers",
            Self::Unassigned => "unassigned",
            Self::Compare => "compare",
            Self::End => "end",
        }
    }

    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|it| it.as_str() == name).unwrap_or(Self::End)
    }
}

/// Whose turn it is to work at a run.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The run.
    pub run: i64,
    /// Its corp.
    pub corpid: CorpId,
    /// Whoever works at it.
    pub holder: Uuid,
}

/// Where a run stands, and the database's time.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What it is doing.
    pub phase: Phase,
    /// The departments to read.
    pub departments: Vec<i64>,
    /// How many of them are done.
    pub position: i32,
    /// Where the unassigned list goes on.
    pub cursor: String,
    /// When the reading of members began.
    pub members_from: Option<DateTime<Utc>>,
    /// How many contacts were read.
    pub contacts: i64,
    /// How many there may be.
    pub expected: i64,
    /// Now, by the one clock that all processes share.
    pub now: DateTime<Utc>,
}

/// What a step adds to the counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Calls to WeCom.
    pub calls: i64,
    /// Members read.
    pub members: i32,
    /// Contacts read.
    pub contacts: i64,
    /// Customers of leavers read.
    pub unassigned: i64,
}

/// Begins a run, unless one is running.
pub async fn begin(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<Option<i64>> {
    let mut transaction = conn.begin().await?;
    plans::whole(&mut transaction).await?;
    let run = sqlx::query_scalar!(
        r#"
        insert into sync_run (corpid, expected)
        values ($1, (select count(*) from customer_wechat_contact
            where corpid = $1 and status in ('assumed', 'contacted')))
        on conflict do nothing
        returning id
        "#,
        corpid.as_str(),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    plans::keyed(&mut transaction).await?;
    transaction.commit().await?;
    Ok(run)
}

/// Begins a run for every corp that has none of this turn yet and none running. A corp that never had one waits for
/// the first turn after its first app was added. Only apps that can call count.
pub async fn begin_scheduled(conn: &mut PgConnection, turn: DateTime<Utc>) -> sqlx::Result<Vec<i64>> {
    let mut transaction = conn.begin().await?;
    plans::whole(&mut transaction).await?;
    let runs = sqlx::query_scalar!(
        r#"
        insert into sync_run (corpid, scheduled_for, expected)
        select corpid, $1, (select count(*) from customer_wechat_contact contact
            where contact.corpid = able.corpid and status in ('assumed', 'contacted'))
        from (
            select corpid, min(created_at) as since from enterprise_wechat_config
            where status = 'enabled' and secret is not null
            group by corpid
        ) able
        where coalesce((select max(started_at) from sync_run run where run.corpid = able.corpid), since) < $1
        on conflict do nothing
        returning id
        "#,
        turn,
    )
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(runs)
}

/// Takes the corp's latest run up again if it failed not long ago.
pub async fn resume_failed(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<Option<i64>> {
    let run = sqlx::query_scalar!(
        r#"
        update sync_run set state = 'running', reason = null, trouble = null, finished_at = null
        where id = (select id from sync_run where corpid = $1 order by started_at desc limit 1)
            and state = 'failed' and finished_at > now() - make_interval(hours => $2)
        returning id
        "#,
        corpid.as_str(),
        RESUME_WITHIN_H,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(run) = run {
        sqlx::query!("update sync_shard set restarts = 0 where run_id = $1", run).execute(conn).await?;
    }
    Ok(run)
}

/// The corp's running run.
pub async fn running(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select id from sync_run where corpid = $1 and state = 'running'", corpid.as_str())
        .fetch_optional(conn)
        .await
}

/// Takes a run that nobody works at, that one if it is named.
pub async fn take(conn: &mut PgConnection, run: Option<i64>) -> sqlx::Result<Option<Lease>> {
    sqlx::query_as!(
        Lease,
        r#"
        update sync_run set holder = gen_random_uuid(), leased_until = now() + make_interval(secs => $2),
            heartbeat_at = now()
        where id = (
            select id from sync_run
            where state = 'running' and (leased_until is null or leased_until < now()) and ($1::bigint is null or id = $1)
            order by id
            limit 1
            for update skip locked
        )
        returning id as run, corpid as "corpid: CorpId", holder as "holder!"
        "#,
        run,
        LEASE_S,
    )
    .fetch_optional(conn)
    .await
}

/// Where the run stands; none if it is no longer this holder's.
pub async fn look(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<Option<Standing>> {
    let row = sqlx::query!(
        r#"
        select phase, departments, position, cursor, members_from, contacts, expected, clock_timestamp() as "now!"
        from sync_run
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Standing {
        phase: Phase::named(&row.phase),
        departments: row.departments,
        position: row.position,
        cursor: row.cursor,
        members_from: row.members_from,
        contacts: row.contacts,
        expected: row.expected,
        now: row.now,
    }))
}

/// Adds to the counts and extends the lease, and locks the row until `conn`'s transaction ends; false if the run is
/// no longer this holder's.
pub async fn count(conn: &mut PgConnection, lease: &Lease, counts: &Counts) -> sqlx::Result<bool> {
    let counted = sqlx::query!(
        r#"
        update sync_run set calls = calls + $3, members = members + $4, contacts = contacts + $5,
            unassigned = unassigned + $6, trouble = null, heartbeat_at = now(),
            leased_until = now() + make_interval(secs => $7)
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
        counts.calls,
        counts.members,
        counts.contacts,
        counts.unassigned,
        LEASE_S,
    )
    .execute(conn)
    .await?;
    Ok(counted.rows_affected() == 1)
}

/// Says that the holder is alive; false if the run is no longer theirs.
pub async fn beat(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<bool> {
    let alive = sqlx::query!(
        r#"
        update sync_run set heartbeat_at = now(), leased_until = now() + make_interval(secs => $3)
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
        LEASE_S,
    )
    .execute(conn)
    .await?;
    Ok(alive.rows_affected() == 1)
}

/// Says what the run waits for, and that a call was made for it.
pub async fn wait(conn: &mut PgConnection, lease: &Lease, trouble: &str) -> sqlx::Result<bool> {
    let waits = sqlx::query!(
        r#"
        update sync_run set trouble = $3, calls = calls + 1, heartbeat_at = now(),
            leased_until = now() + make_interval(secs => $4)
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
        trouble,
        LEASE_S,
    )
    .execute(conn)
    .await?;
    Ok(waits.rows_affected() == 1)
}

/// The next thing that a run does.
pub async fn go_on(conn: &mut PgConnection, run: i64, phase: Phase, position: i32, cursor: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update sync_run set phase = $2, position = $3, cursor = $4 where id = $1",
        run,
        phase.as_str(),
        position,
        cursor,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down which departments are to be read from `at` on.
pub async fn set_departments(
    conn: &mut PgConnection,
    run: i64,
    departments: &[i64],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update sync_run set departments = $2, members_from = $3, phase = 'members', position = 0 where id = $1",
        run,
        departments,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a run well: what was needed only to go on goes with it, and so do very old reports.
pub async fn finish(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<()> {
    sqlx::query!("delete from sync_shard where run_id = $1", lease.run).execute(&mut *conn).await?;
    sqlx::query!(
        "delete from sync_run where state <> 'running' and started_at < now() - make_interval(days => $1)",
        KEPT_D,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        update sync_run set state = 'done', phase = 'end', finished_at = clock_timestamp(), holder = null,
            leased_until = null
        where id = $1
        "#,
        lease.run,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a run because of `reason`, in words. It can be taken up again.
pub async fn fail(conn: &mut PgConnection, lease: &Lease, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sync_run set state = 'failed', reason = $3, trouble = null, calls = calls + 1,
            finished_at = clock_timestamp(), holder = null, leased_until = null
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets go of a run, so that others need not wait until the lease has ended.
pub async fn release(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<()> {
    sqlx::query!(
        "update sync_run set holder = null, leased_until = null where id = $1 and holder = $2 and state is not distinct from 'running'",
        lease.run,
        lease.holder,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a run that is running; whoever works at it notices at its next step. One that is over stays as it is.
pub async fn cancel(conn: &mut PgConnection, run: i64) -> sqlx::Result<()> {
    let cancelled = sqlx::query!(
        r#"
        update sync_run set state = 'cancelled', finished_at = clock_timestamp(), holder = null, leased_until = null
        where id = $1 and state is not distinct from 'running'
        "#,
        run,
    )
    .execute(&mut *conn)
    .await?;
    if cancelled.rows_affected() == 1 {
        sqlx::query!("delete from sync_shard where run_id = $1", run).execute(conn).await?;
    }
    Ok(())
}

/// A run as people see it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SyncRun")]
pub struct Shown {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: String,
    /// running, done, failed or cancelled.
    pub state: String,
    /// departments, members, staff, customers, unassigned, compare or end.
    pub phase: String,
    /// How many members were read; one in several departments counts in each.
    pub members: i32,
    /// How many contacts were read.
    pub contacts: i64,
    /// How many contacts we held when it began.
    pub expected: i64,
    /// How many of the groups of members are read, of how many; none once it is done.
    pub shards_done: i64,
    /// See `shards_done`.
    pub shards: i64,
    /// How many customers of leavers were read.
    pub unassigned: i64,
    /// How often WeCom was asked.
    pub calls: i64,
    /// What it waits for at the moment.
    pub trouble: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Which turn of the schedule it is; null if somebody asked for it.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When whoever works at it was last heard of.
    pub heartbeat_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Up to `limit` runs before `before`, latest first; or the one that is named.
pub async fn list(
    conn: &mut PgConnection,
    run: Option<i64>,
    corpid: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Shown>> {
    sqlx::query_as!(
        Shown,
        r#"
        select id, corpid, state, phase, members, contacts, expected,
            (select count(*) from sync_shard where run_id = run.id and sync_shard.state in ('done', 'refused'))
                as "shards_done!",
            (select count(*) from sync_shard where run_id = run.id) as "shards!",
            unassigned, calls, trouble, reason, scheduled_for, started_at, heartbeat_at, finished_at
        from sync_run run
        where ($1::bigint is null or id = $1)
            and ($2::text is null or corpid = $2)
            and ($3::bigint is null or id < $3)
        order by id desc
        limit $4
        "#,
        run,
        corpid,
        before,
        limit,
    )
    .fetch_all(conn)
    .await
}
