//! Lists the task queue: due, running and parked tasks.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::states::{TaskKind, TaskState};

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of this kind.
    pub kind: Option<TaskKind>,
    /// Only those in this state.
    pub state: Option<TaskState>,
    /// Only those about this.
    pub subject: Option<String>,
    /// Only those older than the one with this number.
    pub before: Option<i64>,
}

/// A task in a list.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Task")]
pub struct TaskRow {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub corpid: String,
    /// What is to be done.
    pub kind: TaskKind,
    /// To whom or what; of a welcome the SHA-256 of its code, because the code is a key to somebody's chat.
    pub subject: String,
    /// due, running or parked.
    pub state: TaskState,
    /// Not before.
    pub due_at: DateTime<Utc>,
    /// Of no use after.
    pub deadline: Option<DateTime<Utc>>,
    /// How often it was taken.
    pub attempts: i32,
    /// When a call that is not safe to repeat was last begun.
    pub attempted_at: Option<DateTime<Utc>>,
    /// Since when a person must look at it.
    pub parked_at: Option<DateTime<Utc>>,
    /// Why it was postponed or parked.
    pub reason: Option<String>,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
}

/// The number of tasks of a kind by state.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskCounts {
    /// The kind.
    pub kind: TaskKind,
    /// Not running, and due.
    pub due: i64,
    /// Not running, and due later.
    pub waiting: i64,
    /// Running.
    pub running: i64,
    /// Parked for a person.
    pub parked: i64,
    /// For how many seconds the oldest due one has been due.
    pub age_s: f64,
}

/// Up to `limit` tasks, latest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<TaskRow>> {
    sqlx::query_as!(
        TaskRow,
        r#"
        select
            id, corpid, kind as "kind: TaskKind",
            case when kind = 'welcome' then encode(sha256(convert_to(subject, 'UTF8')), 'hex') else subject end as "subject!",
            state as "state!: TaskState", due_at, deadline, attempts, attempted_at, parked_at, reason, created_at
        from (
            select *, case
                when parked_at is not null then 'parked' when leased_until > now() then 'running' else 'due' end as state
            from task
        ) task
        where ($1::text is null or kind = $1) and ($2::text is null or state = $2)
            and ($3::text is null or subject = $3) and ($4::bigint is null or id < $4)
        order by id desc
        limit $5
        "#,
        filter.kind.map(TaskKind::as_str),
        filter.state.map(TaskState::as_str),
        filter.subject.as_deref(),
        filter.before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Makes a task due now with all its attempts, whatever its state; a running one runs once more. `false` if there is
/// none.
pub async fn replay(conn: &mut PgConnection, id: i64) -> sqlx::Result<bool> {
    let kind = sqlx::query_scalar!(
        r#"
        update task set parked_at = null, reason = null, attempts = 0, due_at = now(), version = version + 1
        where id = $1
        returning kind as "kind: TaskKind"
        "#,
        id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(kind) = kind else { return Ok(false) };
    super::ring(conn, std::iter::once(kind)).await?;
    Ok(true)
}

/// Deletes a task. A call in progress may still take effect. `false` if there is none.
pub async fn cancel(conn: &mut PgConnection, id: i64) -> sqlx::Result<bool> {
    let result = sqlx::query!("delete from task where id = $1", id).execute(conn).await?;
    Ok(result.rows_affected() > 0)
}

/// The state of the queue, kind by kind.
pub async fn standing(conn: &mut PgConnection) -> sqlx::Result<Vec<TaskCounts>> {
    sqlx::query_as!(
        TaskCounts,
        r#"
        select
            kind as "kind: TaskKind",
            count(*) filter (where not parked and not running and due_at <= now()) as "due!",
            count(*) filter (where not parked and not running and due_at > now()) as "waiting!",
            count(*) filter (where not parked and running) as "running!",
            count(*) filter (where parked) as "parked!",
            coalesce(extract(epoch from now() - min(due_at) filter (where not parked and not running and due_at <= now())), 0)::float8
                as "age_s!"
        from (
            select kind, due_at, parked_at is not null as parked, coalesce(leased_until > now(), false) as running from task
        ) task
        group by kind
        order by kind
        "#
    )
    .fetch_all(conn)
    .await
}
