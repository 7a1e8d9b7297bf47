//! `sync_run`: reconciling runs through WeCom's lists, their progress, and their worker.
//!
//! A lease on the row limits a run to one worker. Every step's results are committed together with the row, and only
//! while the lease is held, so a run that was cancelled or taken over is not changed by its former worker.

mod list;

mod skipped;

pub use list::{RunView, list};
pub use skipped::{Skipped, skip};

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, types::Json};
use uuid::Uuid;

use crate::ids::CorpId;
use crate::states::SyncPhase;
use crate::tables::plans;

/// How long a worker may be silent before another takes its run over, in seconds.
const LEASE_S: f64 = 60.0;

/// A failed run is taken up again within this time, in hours; later a new one begins.
const RESUME_WITHIN_H: i32 = 12;

/// How long the reports are kept, in days.
const KEPT_D: i32 = 90;

/// The right to work at a run.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The run.
    pub run: i64,
    /// Its corp.
    pub corpid: CorpId,
    /// The worker's id.
    pub holder: Uuid,
    /// Whether its last step failed.
    pub troubled: bool,
}

/// Which runs may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That one alone.
    One(i64),
    /// Any run that is due; those whose last step succeeded come first.
    Any,
    /// Any run that is due and whose last step succeeded.
    Untroubled,
}

/// A run's progress, and the database's time.
#[derive(Debug, Clone)]
pub struct RunProgress {
    /// The current phase.
    pub phase: SyncPhase,
    /// The departments to read.
    pub departments: Vec<i64>,
    /// How many of them are done, of the unassigned list how many pages, of the groups how many hundreds of owners.
    pub position: i32,
    /// Where the unassigned list, or the list of groups, goes on.
    pub cursor: String,
    /// When the reading of members began.
    pub members_from: Option<DateTime<Utc>>,
    /// How many contacts were read.
    pub contacts: i64,
    /// The expected number of contacts.
    pub expected: i64,
    /// How many rows could not be used.
    pub unreadable: i64,
    /// How many steps in a row failed.
    pub troubles: i32,
    /// How many of them in a row the database refused.
    pub refusals: i32,
    /// The phases left out because WeCom does not permit them.
    pub skipped: Vec<Skipped>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// A step's additions to the counts.
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
    /// Customer groups listed.
    pub group_chats: i32,
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

/// Begins a run for every corp that has neither a run of this turn nor a running one. A corp that never had one waits
/// for the first turn after its first app was added. Only apps that can make API calls count.
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

/// Resumes the corp's latest run if it failed recently.
pub async fn resume_failed(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<Option<i64>> {
    let run = sqlx::query_scalar!(
        r#"
        update sync_run set state = 'running', reason = null, trouble = null, finished_at = null, due_at = now(),
            troubles = 0, refusals = 0, skipped = case when phase = 'departments' then '[]' else skipped end
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
        sqlx::query!("update sync_shard set restarts = 0, pages = 0 where run_id = $1", run).execute(conn).await?;
    }
    Ok(run)
}

/// The running run of the corp.
pub async fn running(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select id from sync_run where corpid = $1 and state = 'running'", corpid.as_str())
        .fetch_optional(conn)
        .await
}

/// Claims a due run that has no worker: the one that has waited longest.
pub async fn take(conn: &mut PgConnection, which: Which) -> sqlx::Result<Option<Lease>> {
    let run = match which {
        Which::One(run) => Some(run),
        Which::Any | Which::Untroubled => None,
    };
    sqlx::query_as!(
        Lease,
        r#"
        update sync_run set holder = gen_random_uuid(), leased_until = now() + make_interval(secs => $2),
            heartbeat_at = now()
        where id = (
            select id from sync_run
            where state = 'running' and due_at <= now() and (leased_until is null or leased_until < now())
                and ($1::bigint is null or id = $1) and (troubles = 0 or not $3)
            order by troubles > 0, due_at, id
            limit 1
            for update skip locked
        )
        returning id as run, corpid as "corpid: CorpId", holder as "holder!", troubles > 0 as "troubled!"
        "#,
        run,
        LEASE_S,
        which == Which::Untroubled,
    )
    .fetch_optional(conn)
    .await
}

/// The run's progress; none if this worker no longer holds it.
pub async fn look(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<Option<RunProgress>> {
    let row = sqlx::query!(
        r#"
        select phase as "phase: SyncPhase", departments, position, cursor, members_from, contacts, expected, unreadable, troubles, refusals,
            skipped as "skipped: Json<Vec<Skipped>>", clock_timestamp() as "now!"
        from sync_run
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| RunProgress {
        phase: row.phase,
        departments: row.departments,
        position: row.position,
        cursor: row.cursor,
        members_from: row.members_from,
        contacts: row.contacts,
        expected: row.expected,
        unreadable: row.unreadable,
        troubles: row.troubles,
        refusals: row.refusals,
        skipped: row.skipped.0,
        now: row.now,
    }))
}

/// Adds to the counts, extends the lease, and locks the row until `conn`'s transaction ends; `false` if this worker
/// no longer holds the run.
pub async fn count(conn: &mut PgConnection, lease: &Lease, counts: &Counts) -> sqlx::Result<bool> {
    let counted = sqlx::query!(
        r#"
        update sync_run set calls = calls + $3, members = members + $4, contacts = contacts + $5,
            unassigned = unassigned + $6, group_chats = group_chats + $8, trouble = null, troubles = 0, refusals = 0, heartbeat_at = now(),
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
        counts.group_chats,
    )
    .execute(conn)
    .await?;
    Ok(counted.rows_affected() == 1)
}

/// Counts rows that could not be used.
pub async fn count_unreadable(conn: &mut PgConnection, run: i64, rows: i64) -> sqlx::Result<()> {
    sqlx::query!("update sync_run set unreadable = unreadable + $2 where id = $1", run, rows).execute(conn).await?;
    Ok(())
}

/// Extends the lease; `false` if this worker no longer holds the run.
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

/// Records why and for how long the run waits, and that a call was made for it. `refused` is whether the database
/// refused the step.
pub async fn wait(
    conn: &mut PgConnection,
    lease: &Lease,
    trouble: &str,
    pause: Duration,
    refused: bool,
) -> sqlx::Result<bool> {
    let waits = sqlx::query!(
        r#"
        update sync_run set trouble = $3, troubles = troubles + 1, calls = calls + 1, heartbeat_at = now(),
            refusals = case when $6 then refusals + 1 else 0 end, due_at = now() + make_interval(secs => $5),
            leased_until = now() + make_interval(secs => $4)
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
        trouble,
        LEASE_S,
        pause.as_secs_f64(),
        refused,
    )
    .execute(conn)
    .await?;
    Ok(waits.rows_affected() == 1)
}

/// All groups of the members who serve customers were listed.
pub async fn group_chats_listed(conn: &mut PgConnection, run: i64) -> sqlx::Result<()> {
    sqlx::query!("update sync_run set group_chats_at = now() where id = $1", run).execute(conn).await?;
    Ok(())
}

/// Sets the run's next phase and position.
pub async fn go_on(
    conn: &mut PgConnection,
    run: i64,
    phase: SyncPhase,
    position: i32,
    cursor: &str,
) -> sqlx::Result<()> {
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

/// Stores the departments to read from `at` on.
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

/// Clears the time when reading members began, because not all could be read: members who are missing then prove
/// nothing.
pub async fn judge_no_members(conn: &mut PgConnection, run: i64) -> sqlx::Result<()> {
    sqlx::query!("update sync_run set members_from = null where id = $1", run).execute(conn).await?;
    Ok(())
}

/// Ends a run successfully, and deletes its working rows and very old reports.
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

/// Ends a run as failed for `reason`. It can be resumed.
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

/// Releases a run, so that others need not wait for the lease to expire. Unless it waits, it is due at once, behind
/// those that are already due.
pub async fn release(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sync_run set holder = null, leased_until = null, due_at = greatest(due_at, now())
        where id = $1 and holder = $2 and state is not distinct from 'running'
        "#,
        lease.run,
        lease.holder,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Cancels a running run; its worker notices at its next step. A run that has ended stays as it is.
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
