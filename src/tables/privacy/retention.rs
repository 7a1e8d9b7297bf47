//! `retention`: when each kind of old data was last deleted; and the rows that go with old records and files.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{ids::CorpId, states::RetentionKind};

/// The advisory lock of retention: one process deletes old data at a time.
const RETENTION_LOCK: i64 = 0x7763_7274;

/// The status of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct RetentionStatus {
    /// plaintext, records, media or access_log.
    pub kind: RetentionKind,
    /// When it last succeeded.
    pub ran_at: Option<DateTime<Utc>>,
    /// When it last failed, unless it succeeded since.
    pub failed_at: Option<DateTime<Utc>>,
    /// Why.
    pub reason: Option<String>,
}

/// A file past its retention period.
#[derive(Debug)]
pub struct OldFile {
    /// The corp.
    pub corpid: CorpId,
    /// WeCom's id of it.
    pub media_id: String,
    /// Its name in the store.
    pub location: Option<String>,
}

/// Takes the lock until the connection closes or [`unlock`]; `false` if another process has it.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "locked!""#, RETENTION_LOCK).fetch_one(conn).await
}

/// Raises this connection's statement timeout to what counting a large partition may take.
pub async fn be_patient(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('statement_timeout', '10min', false)").fetch_one(conn).await?;
    Ok(())
}

/// Gives the lock back.
pub async fn unlock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_unlock($1)", RETENTION_LOCK).fetch_one(conn).await?;
    Ok(())
}

/// Whether any kind is due: it neither succeeded nor failed within this many hours.
pub async fn is_due(
    conn: &mut PgConnection,
    kind: RetentionKind,
    every_hours: i32,
    again_hours: i32,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select not exists (
            select from retention
            where kind = $1 and case
                when failed_at is null then ran_at > now() - make_interval(hours => $2)
                else failed_at > now() - make_interval(hours => $3)
            end
        ) as "due!"
        "#,
        kind.as_str(),
        every_hours,
        again_hours,
    )
    .fetch_one(conn)
    .await
}

/// Records a success.
pub async fn went(
    conn: &mut PgConnection,
    kind: RetentionKind,
    partitions: i64,
    rows: i64,
    bytes: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into retention (kind, ran_at, partitions, "rows", bytes) values ($1, now(), $2, $3, $4)
        on conflict on constraint retention_key do update set
            ran_at = excluded.ran_at, partitions = excluded.partitions, "rows" = excluded."rows",
            bytes = excluded.bytes, failed_at = null, reason = null
        "#,
        kind.as_str(),
        partitions,
        rows,
        bytes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records a failure.
pub async fn failed(conn: &mut PgConnection, kind: RetentionKind, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into retention (kind, failed_at, reason) values ($1, now(), $2)
        on conflict on constraint retention_key do update set failed_at = excluded.failed_at, reason = excluded.reason
        "#,
        kind.as_str(),
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The status of every kind that has ever run.
pub async fn standing(conn: &mut PgConnection) -> sqlx::Result<Vec<RetentionStatus>> {
    sqlx::query_as!(
        RetentionStatus,
        r#"select kind as "kind: RetentionKind", ran_at, failed_at, reason from retention order by kind"#,
    )
    .fetch_all(conn)
    .await
}

/// How many files were fetched before that time, and their bytes.
pub async fn count_files(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        select count(*) as "rows!", coalesce(sum(bytes), 0)::bigint as "bytes!"
        from media
        where state = 'fetched' and fetched_at < $1
        "#,
        before,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.rows, row.bytes))
}

/// Up to `limit` of them.
pub async fn old_files(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> sqlx::Result<Vec<OldFile>> {
    sqlx::query_as!(
        OldFile,
        r#"
        select corpid as "corpid: CorpId", media_id, location
        from media
        where state = 'fetched' and fetched_at < $1
        order by fetched_at
        limit $2
        "#,
        before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Records that its bytes are deleted, with the reason for people who ask for the file.
pub async fn file_gone(conn: &mut PgConnection, it: &OldFile, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update media
        set state = 'gone', location = null, content_type = null, filename = null, bytes = null, sha256 = null,
            fetched_at = null, reason = $3, noted_at = now()
        where corpid = $1 and media_id = $2
        "#,
        it.corpid.as_str(),
        it.media_id,
        reason,
    )
    .execute(&mut *conn)
    .await?;
    forget_download(conn, it).await
}

/// Up to `limit` files of the records of that period, fetched or not.
pub async fn files_of_records(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<OldFile>> {
    sqlx::query_as!(
        OldFile,
        r#"
        select distinct media.corpid as "corpid: CorpId", media.media_id, media.location
        from wechat_contact_record record
        join media on media.corpid = record.corpid and media.media_id = record.media_id
        where record.contact_time >= $1 and record.contact_time < $2
        limit $3
        "#,
        from,
        until,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How many files the records of that period have, and their bytes.
pub async fn count_files_of_records(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        select count(*) as "rows!", coalesce(sum(bytes), 0)::bigint as "bytes!"
        from (
            select distinct media.corpid, media.media_id, media.bytes
            from wechat_contact_record record
            join media on media.corpid = record.corpid and media.media_id = record.media_id
            where record.contact_time >= $1 and record.contact_time < $2
        ) named
        "#,
        from,
        until,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.rows, row.bytes))
}

/// Deletes the row of a file whose bytes are deleted and whose record goes.
pub async fn forget_file(conn: &mut PgConnection, it: &OldFile) -> sqlx::Result<()> {
    sqlx::query!("delete from media where corpid = $1 and media_id = $2", it.corpid.as_str(), it.media_id)
        .execute(&mut *conn)
        .await?;
    forget_download(conn, it).await
}

/// Deletes what fetched a file of the message archive: nothing fetches it again.
async fn forget_download(conn: &mut PgConnection, it: &OldFile) -> sqlx::Result<()> {
    sqlx::query!("delete from archive_media where corpid = $1 and media_id = $2", it.corpid.as_str(), it.media_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many records in the default partition are older.
pub async fn count_stray_records(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "rows!" from wechat_contact_record_elsewhen where contact_time < $1"#,
        before,
    )
    .fetch_one(conn)
    .await
}

/// Deletes up to `limit` of them; returns how many.
pub async fn drop_stray_records(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from wechat_contact_record_elsewhen
        where ctid = any(array(
            select ctid from wechat_contact_record_elsewhen where contact_time < $1 limit $2
        ))
        "#,
        before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}
