//! Removes plaintexts from the inbox: of erased people, and of days past retention.
//!
//! A delivery's row stays as long as its day's partition, without its plaintext, so that a repeat is still
//! recognised. A plaintext is matched by the ids in its text; nothing else of it is interpreted here.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection};

use super::{
    claim::{columns, key},
    stretch::{self, EARLIEST},
};
use crate::ids::DeliveryKey;

/// A searched section of the inbox.
#[derive(Debug)]
pub struct Looked {
    /// The last delivery in it; none at the inbox's end.
    pub last: Option<DeliveryKey>,
    /// The deliveries in it that mention one of the ids.
    pub mentioning: Vec<DeliveryKey>,
}

/// Searches up to `limit` deliveries after the given one, in time order and not beyond `until`, for these ids.
pub async fn mentions(
    conn: &mut PgConnection,
    after: Option<&DeliveryKey>,
    until: DateTime<Utc>,
    ids: &[String],
    limit: i64,
) -> sqlx::Result<Looked> {
    let first = DeliveryKey { event_at: DateTime::<Utc>::MIN_UTC, app_id: 0, hash: [0; 32] };
    let after = after.unwrap_or(&first);
    let from = after.event_at.max(EARLIEST);
    let ids: Vec<_> = ids.iter().map(|it| it.clone().into_bytes()).collect();
    for days in stretch::all(conn, from, until).await? {
        // Rolled back at the end, so that the locks on the partitions are released.
        let mut reading = conn.begin().await?;
        let looked = mentions_within(&mut reading, after, days, &ids, limit).await?;
        reading.rollback().await?;
        if looked.last.is_some() {
            return Ok(looked);
        }
    }
    Ok(Looked { last: None, mentioning: Vec::new() })
}

async fn mentions_within(
    conn: &mut PgConnection,
    after: &DeliveryKey,
    days: Range<DateTime<Utc>>,
    ids: &[Vec<u8>],
    limit: i64,
) -> sqlx::Result<Looked> {
    let rows = sqlx::query!(
        r#"
        with stretch as materialized (
            select event_at, hash, app_id, plaintext from inbox
            where event_at >= $1 and event_at < $2 and (event_at, hash, app_id) > ($3, $4, $5)
            order by event_at, hash, app_id
            limit $6
        )
        select
            event_at as "event_at!", hash as "hash!", app_id as "app_id!",
            exists (select from unnest($7::bytea[]) id where position(id in plaintext) > 0) as "mentions!"
        from stretch
        order by event_at, hash, app_id
        "#,
        days.start,
        days.end,
        after.event_at.max(EARLIEST),
        &after.hash[..],
        after.app_id,
        limit,
        ids,
    )
    .fetch_all(conn)
    .await?;
    let mut looked = Looked { last: None, mentioning: Vec::new() };
    for row in rows {
        let key = key(row.event_at, row.app_id, &row.hash)?;
        if row.mentions {
            looked.mentioning.push(key.clone());
        }
        looked.last = Some(key);
    }
    Ok(looked)
}

/// Takes these deliveries out of the queue, so that nothing is recorded from them. A worker that holds one of them
/// checks for erased people itself.
pub async fn unqueue(conn: &mut PgConnection, keys: &[DeliveryKey]) -> sqlx::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let (times, apps, hashes) = columns(keys.iter());
    sqlx::query!(
        r#"
        delete from pending
        where ctid = any(array(
            select pending.ctid
            from unnest($1::timestamptz[], $2::integer[], $3::bytea[]) it (event_at, app_id, hash)
            join pending using (event_at, app_id, hash)
            for update of pending skip locked
        ))
        "#,
        &times,
        &apps,
        &hashes,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        with given as materialized (
            select * from unnest($1::timestamptz[], $2::integer[], $3::bytea[]) it (event_at, app_id, hash)
        ),
        concerned as materialized (
            select ctid as place from pending_group
            where earliest <= (select max(event_at) from given) and latest >= (select min(event_at) from given)
                and exists (select from given where hash = any(hashes))
            for update skip locked
        )
        update pending_group set (size, event_ats, app_ids, hashes) = (
            select count(*), coalesce(array_agg(event_at), '{}'), coalesce(array_agg(app_id), '{}'),
                coalesce(array_agg(hash), '{}')
            from unnest(event_ats, app_ids, hashes) it (event_at, app_id, hash)
            where (event_at, app_id, hash) not in (select event_at, app_id, hash from given)
        )
        where ctid = any(array(select place from concerned))
        "#,
        &times,
        &apps,
        &hashes,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from pending_group where size = 0").execute(conn).await?;
    Ok(())
}

/// Removes these deliveries' plaintexts; their keys stay. A delivery that is still queued is settled without being
/// read.
pub async fn empty(conn: &mut PgConnection, keys: &[DeliveryKey]) -> sqlx::Result<u64> {
    if keys.is_empty() {
        return Ok(0);
    }
    let mut keys = keys.to_vec();
    keys.sort_unstable_by_key(|it| (it.event_at, it.hash, it.app_id));
    let (times, apps, hashes) = columns(keys.iter());
    let emptied = sqlx::query_scalar!(
        r#"
        with given as materialized (
            select * from unnest($1::timestamptz[], $2::integer[], $3::bytea[]) it (event_at, app_id, hash)
        ),
        unparked as (
            delete from parked using given
            where (parked.event_at, parked.app_id, parked.hash) = (given.event_at, given.app_id, given.hash)
        ),
        unignored as (
            delete from ignored using given
            where (ignored.event_at, ignored.app_id, ignored.hash) = (given.event_at, given.app_id, given.hash)
        )
        select empty_deliveries($1, $2, $3) as "emptied!"
        "#,
        &times,
        &apps,
        &hashes,
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(emptied).unwrap_or(0))
}

/// Whether a delivery of that period is still pending or parked.
pub async fn unsettled(conn: &mut PgConnection, from: DateTime<Utc>, until: DateTime<Utc>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (select from pending where event_at >= $1 and event_at < $2)
            or exists (
                select from pending_group cross join lateral unnest(event_ats) event_at
                where latest >= $1 and earliest < $2 and event_at >= $1 and event_at < $2
            )
            or exists (select from parked where event_at >= $1 and event_at < $2) as "unsettled!"
        "#,
        from,
        until,
    )
    .fetch_one(conn)
    .await
}

/// Forgets the ignored deliveries of that period, together with their day.
pub async fn forget_ignored(conn: &mut PgConnection, from: DateTime<Utc>, until: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("delete from ignored where event_at >= $1 and event_at < $2", from, until).execute(conn).await?;
    Ok(())
}

/// Counts the settled deliveries in the default partitions that were received before that time, and their bytes.
pub async fn count_strays(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        select count(*) as "rows!", coalesce(sum(octet_length(plaintext)), 0)::bigint as "bytes!"
        from (select * from inbox_undated union all select * from inbox_elsewhen) stray
        where received_at < $1
            and not exists (select from pending_delivery it where (it.event_at, it.app_id, it.hash) = (stray.event_at, stray.app_id, stray.hash))
            and not exists (select from parked it where (it.event_at, it.app_id, it.hash) = (stray.event_at, stray.app_id, stray.hash))
        "#,
        before,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.rows, row.bytes))
}

/// Deletes up to `limit` of them; returns how many. Their days that are older than that time are noted as dropped.
pub async fn drop_strays(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query_scalar!(
        r#"
        with stray as materialized (
            select event_at, app_id, hash
            from (select * from inbox_undated union all select * from inbox_elsewhen) stray
            where received_at < $1
                and not exists (select from pending_delivery it where (it.event_at, it.app_id, it.hash) = (stray.event_at, stray.app_id, stray.hash))
                and not exists (select from parked it where (it.event_at, it.app_id, it.hash) = (stray.event_at, stray.app_id, stray.hash))
            order by event_at, hash, app_id
            limit $2
        ),
        unignored as (
            delete from ignored using stray
            where (ignored.event_at, ignored.app_id, ignored.hash) = (stray.event_at, stray.app_id, stray.hash)
        ),
        undated as (
            delete from inbox_undated it using stray
            where it.event_at = stray.event_at and it.app_id = stray.app_id and it.hash = stray.hash
        ),
        -- By its own name: by its parent's, every day would be locked.
        elsewhen as (
            delete from inbox_elsewhen it using stray
            where it.event_at = stray.event_at and it.app_id = stray.app_id and it.hash = stray.hash
            returning it.event_at
        ),
        noted as (
            insert into inbox_dropped_day (day)
            select distinct (event_at at time zone 'UTC')::date from elsewhen where event_at < $1
            on conflict do nothing
        )
        select count(*) as "count!" from stray
        "#,
        before,
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(gone).unwrap_or(0))
}

/// Notes that a day's partition is dropped in the same transaction: later repeats of that day are not stored.
pub async fn note_dropped(conn: &mut PgConnection, day: NaiveDate) -> sqlx::Result<()> {
    sqlx::query!("insert into inbox_dropped_day (day) values ($1) on conflict do nothing", day).execute(conn).await?;
    Ok(())
}
