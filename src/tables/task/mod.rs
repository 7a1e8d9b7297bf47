//! `task`: what must still be done with WeCom. Recording only adds tasks; executors claim them through `queue`;
//! people read them through `list`.
//!
//! Marking a subject again raises the task's version: a run in progress then does not finish it, and it stays due. A
//! parked task that is marked again is due again with all its attempts: there is news, and no later mark would reach
//! it otherwise.

mod list;

mod queue;

pub use list::{Filter, TaskCounts, TaskRow, cancel, list, replay, standing};
pub use queue::{
    CorpRoom, Finished, Room, Taken, again, begin_attempt, claim, extend, finish, hold, park, postpone, release,
};

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    changes::{Task, TaskKind},
    ids::{CorpId, ExternalUserId},
    tables::{apps::enterprise_wechat_config, now},
};

/// The channel on which executors learn of urgent tasks; the payload is the kind.
pub const CHANNEL: &str = "wecomd_task";

/// Adds one task outside a batch; an existing one is marked again.
pub async fn enqueue(
    conn: &mut PgConnection,
    corpid: &CorpId,
    kind: TaskKind,
    subject: &str,
    task: Task,
) -> sqlx::Result<()> {
    upsert(conn, &BTreeMap::from([((corpid.clone(), kind, subject.to_owned()), task)])).await
}

/// Has a customer's card read again at once, by any app of the corp that can.
pub async fn read_card_again(conn: &mut PgConnection, corpid: &CorpId, customer: &ExternalUserId) -> sqlx::Result<()> {
    let Some(app_id) = enterprise_wechat_config::speaker(conn, corpid).await? else { return Ok(()) };
    let task = Task { app_id, payload: None, due_at: now(conn).await?, deadline: None, marks: 1 };
    enqueue(conn, corpid, TaskKind::RefreshContact, customer.as_str(), task).await
}

/// Makes a task due at `due_at`, or earlier if it is due earlier; an existing one is marked again.
pub async fn hasten(
    conn: &mut PgConnection,
    corpid: &CorpId,
    kind: TaskKind,
    subject: &str,
    app_id: i32,
    due_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into task as own (corpid, kind, subject, app_id, due_at, version)
        values ($1, $2, $3, $4, $5, 1)
        on conflict on constraint task_key do update set
            due_at = least(own.due_at, excluded.due_at),
            version = own.version + 1,
            attempts = case when own.parked_at is null then own.attempts else 0 end,
            reason = case when own.parked_at is null then own.reason end,
            parked_at = null
        "#,
        corpid.as_str(),
        kind.as_str(),
        subject,
        app_id,
        due_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds the batch's tasks; existing ones are marked again.
pub async fn upsert(conn: &mut PgConnection, tasks: &BTreeMap<(CorpId, TaskKind, String), Task>) -> sqlx::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = tasks.keys().map(|(corp, ..)| corp.0.clone()).collect();
    let kinds: Vec<_> = tasks.keys().map(|(_, kind, _)| kind.as_str().to_owned()).collect();
    let subjects: Vec<_> = tasks.keys().map(|(.., subject)| subject.clone()).collect();
    let rows = || tasks.values();
    let apps: Vec<_> = rows().map(|it| it.app_id).collect();
    let payloads: Vec<_> = rows().map(|it| it.payload.clone()).collect();
    let due: Vec<_> = rows().map(|it| it.due_at).collect();
    let deadlines: Vec<_> = rows().map(|it| it.deadline).collect();
    let marks: Vec<_> = rows().map(|it| it.marks).collect();
    sqlx::query!(
        r#"
        insert into task as own (corpid, kind, subject, app_id, payload, due_at, deadline, version)
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::timestamptz[], $7::timestamptz[],
            $8::bigint[]
        ) given (corpid, kind, subject, app_id, payload, due_at, deadline, version)
        -- Nobody would pull an archive that no process reads.
        where kind <> 'pull_archive'
            or exists (select from archive_account account where account.corpid = given.corpid)
        on conflict on constraint task_key do update set
            app_id = least(own.app_id, excluded.app_id),
            payload = greatest(own.payload, excluded.payload),
            due_at = greatest(own.due_at, excluded.due_at),
            deadline = greatest(own.deadline, excluded.deadline),
            version = own.version + excluded.version,
            attempts = case when own.parked_at is null then own.attempts else 0 end,
            reason = case when own.parked_at is null then own.reason end,
            parked_at = null
        "#,
        &corps,
        &kinds,
        &subjects,
        &apps,
        &payloads as _,
        &due,
        &deadlines as _,
        &marks,
    )
    .execute(&mut *conn)
    .await?;
    ring(conn, tasks.keys().map(|(_, kind, _)| *kind)).await
}

/// Notifies executors, once the transaction commits, of the kinds that cannot wait for the next poll.
///
/// PostgreSQL serialises commits that notify, so most transactions do not.
async fn ring(conn: &mut PgConnection, kinds: impl Iterator<Item = TaskKind>) -> sqlx::Result<()> {
    let urgent: BTreeSet<_> = kinds.filter(|kind| kind.is_urgent()).collect();
    for kind in urgent {
        sqlx::query!("select pg_notify($1, $2)", CHANNEL, kind.as_str()).execute(&mut *conn).await?;
    }
    Ok(())
}
