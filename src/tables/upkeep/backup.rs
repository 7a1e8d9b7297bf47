//! `backup`: the outcome of each attempt at a backup; and the database's facts that a backup stores.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::states::BackupOutcome;

/// The status of the backups.
#[derive(Debug, Clone, Default)]
pub struct BackupStatus {
    /// When the last complete one was begun.
    pub done_at: Option<DateTime<Utc>>,
    /// When the last attempt was begun.
    pub tried_at: Option<DateTime<Utc>>,
    /// Its outcome: running, done or failed; an attempt whose process died counts as failed.
    pub outcome: Option<BackupOutcome>,
    /// Whether the last finished one lacks files of the media store.
    pub incomplete: bool,
}

/// An attempt in a list.
#[derive(Debug, Clone, Serialize)]
pub struct BackupRow {
    /// Its number.
    pub id: i64,
    /// When it was begun.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// running, done or failed.
    pub outcome: BackupOutcome,
    /// Why it failed, or what it lacks.
    pub reason: Option<String>,
    /// The file.
    pub file: String,
    /// The file's length in bytes.
    pub bytes: Option<i64>,
    /// When the file was removed in favour of later ones.
    pub removed_at: Option<DateTime<Utc>>,
}

/// A file that the media store should have.
#[derive(Debug, Clone)]
pub struct Medium {
    /// The corp.
    pub corpid: String,
    /// WeCom's media id.
    pub media_id: String,
    /// Its name within the store.
    pub location: String,
    /// Its length in bytes.
    pub bytes: i64,
    /// The SHA-256 of its bytes.
    pub sha256: Vec<u8>,
}

/// The advisory lock that serialises backups between processes.
const BACKUP_LOCK: i64 = 0x7763_626b;

/// Takes the lock until this connection closes; `false` if another process makes a backup.
pub async fn try_lock(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "held!""#, BACKUP_LOCK).fetch_one(conn).await
}

/// Releases the lock.
pub async fn unlock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_unlock($1)", BACKUP_LOCK).fetch_one(conn).await?;
    Ok(())
}

/// Marks attempts as failed that are recorded as running although nobody holds the lock; returns their files. The
/// caller holds the lock.
pub async fn abandon(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        update backup set outcome = 'failed', reason = 'its process ended before the backup did', finished_at = now()
        where outcome = 'running'
        returning file
        "#,
    )
    .fetch_all(conn)
    .await
}

/// Records the begin of a backup; returns its number.
pub async fn begin(conn: &mut PgConnection, at: DateTime<Utc>, file: &str, key_id: u32) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "insert into backup (started_at, file, key_id) values ($1, $2, $3) returning id",
        at,
        file,
        i64::from(key_id),
    )
    .fetch_one(conn)
    .await
}

/// Records that the backup is complete and on disk. `lacking` names what is missing of the media store. `false` if
/// another process took it for abandoned meanwhile.
pub async fn finish(
    conn: &mut PgConnection,
    id: i64,
    bytes: u64,
    sha256: &[u8; 32],
    lacking: Option<&str>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update backup set outcome = 'done', finished_at = clock_timestamp(), bytes = $2, sha256 = $3, reason = $4
        where id = $1 and outcome = 'running'
        "#,
        id,
        i64::try_from(bytes).unwrap_or(i64::MAX),
        &sha256[..],
        lacking,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records that the backup failed, with the reason.
pub async fn fail(conn: &mut PgConnection, id: i64, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update backup set outcome = 'failed', finished_at = clock_timestamp(), reason = $2 where id = $1",
        id,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The complete files that are not removed, except the `keep` latest, with their numbers.
pub async fn surplus(conn: &mut PgConnection, keep: i64) -> sqlx::Result<Vec<(i64, String)>> {
    let rows = sqlx::query!(
        r#"
        select id, file from backup
        where outcome = 'done' and removed_at is null
        order by started_at desc, id desc
        offset $1
        "#,
        keep,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.file)).collect())
}

/// Records that the file is removed.
pub async fn removed(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("update backup set removed_at = now() where id = $1", id).execute(conn).await?;
    Ok(())
}

/// The status of the backups.
pub async fn standing(conn: &mut PgConnection) -> sqlx::Result<BackupStatus> {
    let found = sqlx::query_as!(
        BackupStatus,
        r#"
        select last.started_at as "tried_at?",
            case
                when last.outcome = 'running' and not exists (
                    select from pg_locks
                    where locktype = 'advisory' and objid::bigint = $1 and classid::bigint = 0
                        and database = (select oid from pg_database where datname = current_database())
                ) then 'failed'
                else last.outcome
            end as "outcome?: BackupOutcome",
            whole.started_at as "done_at?",
            coalesce(whole.reason is not null, false) as "incomplete!"
        from (select started_at, outcome from backup order by started_at desc, id desc limit 1) last
        left join (
            select started_at, reason from backup where outcome = 'done' order by started_at desc, id desc limit 1
        ) whole on true
        "#,
        BACKUP_LOCK,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.unwrap_or_default())
}

/// The latest attempts.
pub async fn list(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<BackupRow>> {
    sqlx::query_as!(
        BackupRow,
        r#"
        select id, started_at, finished_at, outcome as "outcome: BackupOutcome", reason, file, bytes, removed_at
        from backup
        order by started_at desc, id desc
        limit $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How many existing backup files are sealed with each master key.
pub async fn key_counts(conn: &mut PgConnection) -> sqlx::Result<BTreeMap<i64, i64>> {
    let rows = sqlx::query!(
        r#"
        select key_id, count(*) as "count!" from backup
        where outcome = 'done' and removed_at is null
        group by key_id
        "#,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key_id, row.count)).collect())
}

/// Exports a snapshot that lasts until `conn`'s transaction ends; returns its name, under which others can read the
/// same.
pub async fn hold_moment(conn: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query!("set transaction isolation level repeatable read, read only").execute(&mut *conn).await?;
    sqlx::query_scalar!(r#"select pg_export_snapshot() as "name!""#).fetch_one(conn).await
}

/// How many rows each table has, partitions counted together. The table of backups is left out, as it is from the
/// dump.
pub async fn row_counts(conn: &mut PgConnection) -> sqlx::Result<BTreeMap<String, i64>> {
    let rows = sqlx::query!(
        r#"
        select format('%I.%I', nspname, relname) as "name!", row_count(pg_class.oid) as "rows!"
        from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        where relkind in ('r', 'p') and not relispartition and pg_class.oid <> 'backup'::regclass
            and nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg\_%'
        "#,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.rows)).collect())
}

/// The migrations that were applied.
pub async fn migrations(conn: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar("select version from _sqlx_migrations where success order by version").fetch_all(conn).await
}

/// The database's name.
pub async fn database_name(conn: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(r#"select current_database() as "name!""#).fetch_one(conn).await
}

/// The roles in the database's grants, except the owners: the restoring role owns everything.
pub async fn roles(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select distinct pg_get_userbyid(named) as "role!"
        from (
            select relnamespace as space, relacl as acl, relowner as owner from pg_class
            union all
            select oid, nspacl, nspowner from pg_namespace
            union all
            select pronamespace, proacl, proowner from pg_proc
        ) object
        join pg_namespace on pg_namespace.oid = space,
        aclexplode(acl) it,
        unnest(array[it.grantor, it.grantee]) named
        where named not in (0, owner) and nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg\_%'
        order by 1
        "#,
    )
    .fetch_all(conn)
    .await
}

/// Which of these roles the server does not have.
pub async fn missing_roles(conn: &mut PgConnection, roles: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select role as "role!" from unnest($1::text[]) role
        where not exists (select from pg_roles where rolname = role)
        "#,
        roles,
    )
    .fetch_all(conn)
    .await
}

/// Whether the database is empty.
pub async fn is_empty(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select not exists (
            select from pg_class
            join pg_namespace on pg_namespace.oid = relnamespace
            where nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg\_%'
        ) as "empty!"
        "#,
    )
    .fetch_one(conn)
    .await
}

/// Up to `limit` files that the media store should have, after the given corp and media id.
pub async fn media(conn: &mut PgConnection, after: (&str, &str), limit: i64) -> sqlx::Result<Vec<Medium>> {
    sqlx::query_as!(
        Medium,
        r#"
        select corpid, media_id, location as "location!", bytes as "bytes!", sha256 as "sha256!"
        from media
        where state = 'fetched' and (corpid, media_id) > ($1, $2)
        order by corpid, media_id
        limit $3
        "#,
        after.0,
        after.1,
        limit,
    )
    .fetch_all(conn)
    .await
}
