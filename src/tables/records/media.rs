//! `media`: the files that messages name: pictures, voice messages, videos, documents.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{
    ids::CorpId,
    states::{MediaProgress, MediaState},
};

/// A file whose bytes are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its name within the media store.
    pub location: String,
    /// WeCom's Content-Type.
    pub content_type: String,
    /// The file's name, if WeCom said it.
    pub filename: Option<String>,
    /// Its length in bytes.
    pub bytes: i64,
    /// The SHA-256 of its bytes.
    pub sha256: Vec<u8>,
}

/// Records that a file's bytes are stored, whatever was recorded before.
pub async fn keep(conn: &mut PgConnection, corpid: &CorpId, media_id: &str, it: &Fetched) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into media (corpid, media_id, state, location, content_type, filename, bytes, sha256, fetched_at)
        values ($1, $2, 'fetched', $3, $4, $5, $6, $7, now())
        on conflict on constraint media_key do update set
            state = excluded.state, location = excluded.location, content_type = excluded.content_type,
            filename = excluded.filename, bytes = excluded.bytes, sha256 = excluded.sha256,
            fetched_at = excluded.fetched_at, reason = null, noted_at = excluded.noted_at
        "#,
        corpid.as_str(),
        media_id,
        it.location,
        it.content_type,
        it.filename,
        it.bytes,
        it.sha256,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records why there are no bytes, unless there are some.
pub async fn give_up(
    conn: &mut PgConnection,
    corpid: &CorpId,
    media_id: &str,
    ending: MediaState,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into media as own (corpid, media_id, state, reason) values ($1, $2, $3, $4)
        on conflict on constraint media_key do update set
            state = excluded.state, reason = excluded.reason, noted_at = excluded.noted_at
        where own.state <> 'fetched'
        "#,
        corpid.as_str(),
        media_id,
        ending.as_str(),
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a file's bytes are stored.
pub async fn is_fetched(conn: &mut PgConnection, corpid: &CorpId, media_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from media where corpid = $1 and media_id = $2 and state = 'fetched'
        ) as "fetched!"
        "#,
        corpid.as_str(),
        media_id,
    )
    .fetch_one(conn)
    .await
}

/// The status of a media id.
#[derive(Debug)]
pub enum MediaStatus {
    /// Its bytes are stored.
    Fetched(Fetched),
    /// A task will fetch it.
    Waiting,
    /// There will never be any bytes.
    Ended {
        /// Why, in words.
        reason: String,
    },
}

/// The status of a media id; none if no message named it. A media id is unique across corps.
pub async fn standing(conn: &mut PgConnection, media_id: &str) -> sqlx::Result<Option<MediaStatus>> {
    let row = sqlx::query!(
        r#"
        with corp as materialized (select distinct corpid from enterprise_wechat_config)
        select
            media.state as "state?: MediaState", task.parked_at as "parked_at?", coalesce(media.reason, task.reason) as reason, media.location, media.content_type, media.filename, media.bytes,
            media.sha256
        from corp
        left join media on media.corpid = corp.corpid and media.media_id = $1
        left join task on task.corpid = corp.corpid and task.kind = 'fetch_media' and task.subject = $1
        where media.corpid is not null or task.id is not null
        order by media.state = 'fetched' desc nulls last, media.state is not null desc, corp.corpid
        limit 1
        "#,
        media_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        // A task that failed too often is parked without a row here.
        if row.state.is_none() && row.parked_at.is_none() {
            return MediaStatus::Waiting;
        }
        match (row.location, row.content_type, row.bytes, row.sha256) {
            (Some(location), Some(content_type), Some(bytes), Some(sha256)) => {
                MediaStatus::Fetched(Fetched { location, content_type, filename: row.filename, bytes, sha256 })
            }
            _ => MediaStatus::Ended { reason: row.reason.unwrap_or_default() },
        }
    }))
}

/// The fetching status of each of these media ids. Unknown ones are left out.
pub async fn states(
    conn: &mut PgConnection,
    corps: &[String],
    media_ids: &[String],
) -> sqlx::Result<BTreeMap<(String, String), MediaProgress>> {
    if media_ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        r#"
        select
            named.corpid as "corpid!", named.media_id as "media_id!",
            media.state as "state?: MediaState", task.parked_at as "parked_at?"
        from unnest($1::text[], $2::text[]) named (corpid, media_id)
        left join media on media.corpid = named.corpid and media.media_id = named.media_id
        left join task
            on task.corpid = named.corpid and task.kind = 'fetch_media' and task.subject = named.media_id
        where media.corpid is not null or task.id is not null
        "#,
        corps,
        media_ids,
    )
    .fetch_all(conn)
    .await?;
    let progress = rows.into_iter().map(|row| {
        let progress = match (row.state, row.parked_at) {
            (Some(state), _) => state.into(),
            (None, None) => MediaProgress::Waiting,
            (None, Some(_)) => MediaProgress::Failed,
        };
        ((row.corpid, row.media_id), progress)
    });
    Ok(progress.collect())
}
