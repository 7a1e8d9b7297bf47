//! `erasure` and `erasure_media`: requests to erase somebody, their progress, and the files still to be deleted.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    ids::{CorpId, DeliveryKey},
    states::{ErasureName, ErasureState},
};

/// An erasure as the admin API shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Erasure")]
pub struct ErasureView {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: String,
    /// The kind of id that was given: customer or person.
    pub named_by: ErasureName,
    /// Who asked.
    pub asked_by: String,
    /// The request's id.
    pub request_id: Uuid,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// running or done.
    pub state: ErasureState,
    /// How many rows of each table were deleted or made anonymous.
    pub counts: Value,
    /// How many deliveries lost their plaintext.
    pub deliveries: i64,
    /// How many files are still to be deleted.
    pub media_left: i64,
    /// Why it cannot go on at the moment.
    pub trouble: Option<String>,
    /// When it was done.
    pub finished_at: Option<DateTime<Utc>>,
}

/// An erasure to begin.
#[derive(Debug)]
pub struct New<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// customer or person.
    pub named_by: ErasureName,
    /// Who asks.
    pub asked_by: &'a str,
    /// By which token.
    pub token_id: Option<i32>,
    /// By which request.
    pub request_id: Uuid,
    /// The people to search the inbox for.
    pub persons: &'a [String],
}

/// An unfinished erasure that this process works on.
#[derive(Debug)]
pub struct Running {
    /// Its number.
    pub id: i64,
    /// Deliveries up to this time lose their plaintext; later ones are checked when they are recorded.
    pub asked_at: DateTime<Utc>,
    /// The people to search for.
    pub persons: Vec<String>,
    /// Where the search continues.
    pub scanned_to: Option<String>,
}

/// A file that is still to be deleted.
#[derive(Debug)]
pub struct Bytes {
    /// The corp.
    pub corpid: CorpId,
    /// WeCom's id of the file.
    pub media_id: String,
    /// When it was sent.
    pub contact_time: DateTime<Utc>,
    /// Its name in the store, if it was stored.
    pub location: Option<String>,
}

/// Begins an erasure; returns its number and the time from which the person counts as erased.
pub async fn begin(conn: &mut PgConnection, new: &New<'_>) -> sqlx::Result<(i64, DateTime<Utc>)> {
    // The time at which the corp's lock is held, not the time at which the request began to wait for it.
    let row = sqlx::query!(
        r#"
        insert into erasure (corpid, named_by, asked_by, token_id, request_id, asked_at, persons, counts)
        values ($1, $2, $3, $4, $5, clock_timestamp(), $6, '{}')
        returning id, asked_at
        "#,
        new.corpid.as_str(),
        new.named_by.as_str(),
        new.asked_by,
        new.token_id,
        new.request_id,
        new.persons,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.id, row.asked_at))
}

/// Stores the row counts of its first half.
pub async fn note(conn: &mut PgConnection, id: i64, counts: &Value) -> sqlx::Result<()> {
    sqlx::query!("update erasure set counts = $2 where id = $1", id, counts).execute(conn).await?;
    Ok(())
}

/// One erasure, or up to `limit` of them before the given number, latest first.
pub async fn list(
    conn: &mut PgConnection,
    id: Option<i64>,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<ErasureView>> {
    sqlx::query_as!(
        ErasureView,
        r#"
        select
            id, corpid, named_by as "named_by: ErasureName", asked_by, request_id, asked_at,
            state as "state: ErasureState", counts, deliveries, trouble, finished_at,
            (select count(*) from erasure_media where erasure_id = erasure.id) as "media_left!"
        from erasure
        where ($1::bigint is null or id = $1) and ($2::bigint is null or id < $2)
        order by id desc
        limit $3
        "#,
        id,
        before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Locks an unfinished erasure that no other process works on, until the transaction ends.
pub async fn take(conn: &mut PgConnection) -> sqlx::Result<Option<Running>> {
    sqlx::query_as!(
        Running,
        r#"
        select id, asked_at, persons, scanned_to
        from erasure
        where state = 'running' and due_at <= now()
        order by id
        limit 1
        for update skip locked
        "#
    )
    .fetch_optional(conn)
    .await
}

/// Stores how far the inbox was searched; to be committed together with the emptied deliveries.
pub async fn looked(conn: &mut PgConnection, id: i64, last: &DeliveryKey, emptied: u64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update erasure
        set scanned_to = $2, deliveries = deliveries + $3
        where id = $1
        "#,
        id,
        last.to_string(),
        i64::try_from(emptied).unwrap_or(i64::MAX),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `limit` files that are still to be deleted for it.
pub async fn bytes_left(conn: &mut PgConnection, id: i64, limit: i64) -> sqlx::Result<Vec<Bytes>> {
    sqlx::query_as!(
        Bytes,
        r#"
        select corpid as "corpid: CorpId", media_id, contact_time, location
        from erasure_media
        where erasure_id = $1
        order by media_id
        limit $2
        "#,
        id,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Records that this file is deleted.
pub async fn bytes_gone(conn: &mut PgConnection, id: i64, it: &Bytes) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from erasure_media where erasure_id = $1 and corpid = $2 and media_id = $3",
        id,
        it.corpid.as_str(),
        it.media_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records why it cannot go on: it is tried again after this many seconds.
pub async fn wait(conn: &mut PgConnection, id: i64, trouble: &str, wait_s: f64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update erasure
        set trouble = $2, due_at = now() + make_interval(secs => $3)
        where id = $1 and state = 'running'
        "#,
        id,
        trouble,
        wait_s,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks it as done and forgets whom it was about.
pub async fn finish(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update erasure
        set state = 'done', persons = '{}', scanned_to = null, trouble = null,
            finished_at = clock_timestamp()
        where id = $1 and state = 'running'
        "#,
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}
