//! Replays deliveries from which an earlier version recorded nothing, by their event's name.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::claim::key;
use crate::ids::DeliveryKey;

/// Up to `limit` deliveries that are ignored under this name, after that one, are queued again; the name of an event without
/// its change (`change_external_chat`) means all of its changes. Returns how many there were, and the last one.
///
/// One that is ignored again is not met again: later calls begin after it.
pub async fn replay_ignored(
    conn: &mut PgConnection,
    name: &str,
    after: Option<&DeliveryKey>,
    limit: i64,
) -> sqlx::Result<(u64, Option<DeliveryKey>)> {
    let (after_at, after_hash) = after.map(|it| (it.event_at, it.hash.to_vec())).unzip();
    let rows = sqlx::query!(
        r#"
        with picked as materialized (
            select event_at, hash, app_id from ignored
            where (name = $1 or starts_with(name, $1 || '/'))
                and ($2::timestamptz is null or (event_at, hash, app_id) > ($2, $3, $4))
            order by event_at, hash, app_id
            limit $5
        ),
        unignored as (
            delete from ignored using picked
            where (ignored.event_at, ignored.app_id, ignored.hash) = (picked.event_at, picked.app_id, picked.hash)
        ),
        queued as (
            insert into pending (event_at, app_id, hash)
            select event_at, app_id, hash from picked
        )
        select event_at as "event_at!", hash as "hash!", app_id as "app_id!" from picked
        order by event_at, hash, app_id
        "#,
        name,
        after_at,
        after_hash,
        after.map_or(0, |it| it.app_id),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let last = rows.last().map(|it| key(it.event_at, it.app_id, &it.hash)).transpose()?;
    Ok((rows.len() as u64, last))
}

/// The names under which deliveries are ignored, each with how many there are and the time of the last one; most first.
pub async fn ignored_names(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<(String, i64, DateTime<Utc>)>> {
    let rows = sqlx::query!(
        r#"
        select name, count(*) as "count!", max(event_at) as "latest!" from ignored
        group by name order by 2 desc, name limit $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.name, it.count, it.latest)).collect())
}
