//! Lists runs for people.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use super::Skipped;
use crate::states::{SyncPhase, SyncState};

/// A run in a list.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SyncRun")]
pub struct RunView {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: String,
    /// running, done, failed or cancelled.
    pub state: SyncState,
    /// departments, members, staff, customers, unassigned, group_chats, department_names, compare or end.
    pub phase: SyncPhase,
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
    /// How many customer groups were listed.
    pub group_chats: i32,
    /// How many rows of WeCom's lists could not be used; the report says which and why (`unreadable`).
    pub unreadable: i64,
    /// How often WeCom was asked.
    pub calls: i64,
    /// What it waits for at the moment.
    pub trouble: Option<String>,
    /// Nobody works at it before this time.
    pub due_at: DateTime<Utc>,
    /// Why it failed.
    pub reason: Option<String>,
    /// What was left out because WeCom does not permit this corp's app to read it; the rest was read.
    #[schemars(with = "Vec<Skipped>")]
    pub skipped: Json<Vec<Skipped>>,
    /// Which turn of the schedule it is; null if somebody asked for it.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When its worker last extended the lease.
    pub heartbeat_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Up to `limit` runs before `before`, latest first; or the given one.
pub async fn list(
    conn: &mut PgConnection,
    run: Option<i64>,
    corpid: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<RunView>> {
    sqlx::query_as!(
        RunView,
        r#"
        select id, corpid, state as "state: SyncState", phase as "phase: SyncPhase", members, contacts, expected,
            (select count(*) from sync_shard where run_id = run.id and sync_shard.state in ('done', 'refused'))
                as "shards_done!",
            (select count(*) from sync_shard where run_id = run.id) as "shards!",
            unassigned, group_chats, unreadable, calls, trouble, due_at, reason, skipped as "skipped: Json<Vec<Skipped>>",
            scheduled_for, started_at, heartbeat_at, finished_at
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
