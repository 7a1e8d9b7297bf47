//! `archive_media`: what fetches a file of the archive, and how far a download is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{changes::ArchiveFile, ids::CorpId};

/// A file, and how far its download is.
#[derive(Debug, Clone)]
pub struct Download {
    /// WeCom's id of it.
    pub sdkfileid: String,
    /// The MD5 that its message states.
    pub md5: Option<String>,
    /// Its type.
    pub content_type: String,
    /// Its name.
    pub filename: Option<String>,
    /// How many parts are stored.
    pub parts: i32,
    /// Where the next piece begins.
    pub next_index: String,
}

/// Notes the batch's files. A known one stays as it is.
pub async fn insert(conn: &mut PgConnection, files: &BTreeMap<(CorpId, String), ArchiveFile>) -> sqlx::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = files.keys().map(|(corp, _)| corp.0.clone()).collect();
    let media: Vec<_> = files.keys().map(|(_, media_id)| media_id.clone()).collect();
    let ids: Vec<_> = files.values().map(|it| it.sdkfileid.clone()).collect();
    let md5s: Vec<_> = files.values().map(|it| it.md5.clone()).collect();
    let types: Vec<_> = files.values().map(|it| it.content_type.clone()).collect();
    let names: Vec<_> = files.values().map(|it| it.filename.clone()).collect();
    sqlx::query!(
        r#"
        insert into archive_media (corpid, media_id, sdkfileid, md5, content_type, filename)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        on conflict on constraint archive_media_key do nothing
        "#,
        &corps,
        &media,
        &ids,
        &md5s as _,
        &types,
        &names as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A file's download.
pub async fn find(conn: &mut PgConnection, corpid: &CorpId, media_id: &str) -> sqlx::Result<Option<Download>> {
    sqlx::query_as!(
        Download,
        r#"
        select sdkfileid, md5, content_type, filename, parts, next_index
        from archive_media where corpid = $1 and media_id = $2
        "#,
        corpid.as_str(),
        media_id,
    )
    .fetch_optional(conn)
    .await
}

/// So many parts are stored, and the next piece begins there.
pub async fn came(
    conn: &mut PgConnection,
    corpid: &CorpId,
    media_id: &str,
    parts: i32,
    next: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update archive_media set parts = $3, next_index = $4 where corpid = $1 and media_id = $2",
        corpid.as_str(),
        media_id,
        parts,
        next,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The bytes that came have another MD5 than the message states.
pub async fn differs(conn: &mut PgConnection, corpid: &CorpId, media_id: &str, found: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update archive_media set found_md5 = $3 where corpid = $1 and media_id = $2",
        corpid.as_str(),
        media_id,
        found,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes those whose messages were recorded before that time, and are gone.
pub async fn drop_before(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let gone = sqlx::query!("delete from archive_media where noted_at < $1", before).execute(conn).await?;
    Ok(gone.rows_affected())
}
