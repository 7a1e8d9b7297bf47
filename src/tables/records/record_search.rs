//! `record_search`: what records are found by, written behind recording from `record_search_queue` and, once, for the
//! records of before.
//!
//! One process at a time writes it. Erasing waits for it, see [`lock`].

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    search_terms,
    wechat_contact_record::{KnownMonths, RecordPosition},
};

/// The advisory lock of whoever writes or erases terms.
const SEARCH_LOCK: i64 = 0x7763_7378;

/// Separates terms on their way into the database: no term holds a control character.
const SEPARATOR: char = '\u{1}';

/// A record and its content; none if the record is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The record.
    pub key: RecordPosition,
    /// What it says.
    pub content: Option<String>,
}

/// A record and its terms; a record without any is not findable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termed {
    key: RecordPosition,
    terms: Vec<String>,
}

/// How far records are findable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Since when the record that waits longest waits.
    pub waiting_since: Option<DateTime<Utc>>,
    /// Whether the records of before are all findable.
    pub backfilled: bool,
}

impl Text {
    /// The record with its terms.
    pub fn termed(self) -> Termed {
        let mut terms: Vec<_> = search_terms::pairs(self.content.as_deref().unwrap_or_default()).into_iter().collect();
        if !terms.is_empty() {
            terms.extend([search_terms::day(self.key.0), search_terms::hour(self.key.0)]);
        }
        Termed { key: self.key, terms }
    }
}

/// Whether the caller's transaction may write terms; `false` if another one does.
pub async fn try_lock(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "locked!""#, SEARCH_LOCK).fetch_one(conn).await
}

/// Waits until nobody else writes terms. An erasure takes the lock after it emptied the contents and before it erases
/// their terms: whoever read a content from before has then written its terms, and nobody reads it again.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", SEARCH_LOCK).execute(conn).await?;
    Ok(())
}

/// How far records are findable.
pub async fn progress(conn: &mut PgConnection) -> sqlx::Result<Progress> {
    sqlx::query_as!(
        Progress,
        r#"
        select
            (select queued_at from record_search_queue order by id limit 1) as waiting_since,
            not exists (select from record_search_backfill where done_at is null) as "backfilled!"
        "#,
    )
    .fetch_one(conn)
    .await
}

/// Takes up to `limit` records out of the queue, and at least what one statement wrote.
pub async fn take_queued(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Text>> {
    let rows = sqlx::query!(
        r#"
        with taken as (
            delete from record_search_queue where id = any(array(
                select id
                from (
                    select id, sum(cardinality(ids)) over (order by id) - cardinality(ids) as before
                    from (select id, ids from record_search_queue order by id limit $1) first
                ) counted
                where before < $1
            ))
            returning contact_times, ids, corpids
        ),
        written as (
            select distinct key.contact_time, key.id, key.corpid
            from taken, unnest(contact_times, ids, corpids) key (contact_time, id, corpid)
        )
        select contact_time as "at!", id as "id!", corpid as "corpid!", record.content as "content?"
        from written left join wechat_contact_record record using (contact_time, id, corpid)
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Text { key: (row.at, row.id, row.corpid), content: row.content }).collect())
}

/// Up to `limit` records of before, from where the last call ended; notes that they are findable, or that all are.
pub async fn take_earlier(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Text>> {
    let rows = sqlx::query!(
        r#"
        select record.contact_time, record.id, record.corpid, record.content
        from wechat_contact_record record, record_search_backfill reached
        where reached.done_at is null
            and record.contact_time <= coalesce(reached.contact_time, 'infinity')
            and (
                reached.contact_time is null
                or (record.contact_time, record.id, record.corpid) < (reached.contact_time, reached.id, reached.corpid)
            )
        order by record.contact_time desc, record.id desc, record.corpid desc
        limit $1
        "#,
        limit,
    )
    .fetch_all(&mut *conn)
    .await?;
    let texts: Vec<_> = rows
        .into_iter()
        .map(|row| Text { key: (row.contact_time, row.id, row.corpid), content: Some(row.content) })
        .collect();
    match texts.last() {
        Some(Text { key: (at, id, corpid), .. }) => {
            sqlx::query!("update record_search_backfill set contact_time = $1, id = $2, corpid = $3", at, id, corpid)
                .execute(conn)
                .await?;
        }
        None => {
            sqlx::query!("update record_search_backfill set done_at = now() where done_at is null")
                .execute(conn)
                .await?;
        }
    }
    Ok(texts)
}

/// Writes the terms of these records in place of those that they had.
pub async fn write(conn: &mut PgConnection, records: &[Termed], months: &mut KnownMonths) -> sqlx::Result<()> {
    let (said, silent): (Vec<_>, Vec<_>) = records.iter().partition(|it| !it.terms.is_empty());
    if !silent.is_empty() {
        let (times, ids, corps) = columns(silent.iter().map(|it| &it.key));
        sqlx::query!(
            r#"
            delete from record_search held
            using unnest($1::timestamptz[], $2::uuid[], $3::text[]) record (contact_time, id, corpid)
            where held.id = record.id and held.corpid = record.corpid and held.contact_time = record.contact_time
            "#,
            &times,
            &ids,
            &corps,
        )
        .execute(&mut *conn)
        .await?;
    }
    if said.is_empty() {
        return Ok(());
    }
    months.ensure(conn, said.iter().map(|it| it.key.0)).await?;
    let (times, ids, corps) = columns(said.iter().map(|it| &it.key));
    let terms: Vec<_> = said.iter().map(|it| it.terms.join(&SEPARATOR.to_string())).collect();
    sqlx::query!(
        r#"
        insert into record_search as held (contact_time, id, corpid, terms)
        select contact_time, id, corpid, string_to_array(terms, $5)
        from unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::text[]) record (contact_time, id, corpid, terms)
        on conflict on constraint record_search_key do update set terms = excluded.terms
        where held.terms <> excluded.terms
        "#,
        &times,
        &ids,
        &corps,
        &terms,
        &SEPARATOR.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes up to `limit` rows of a time that no dropped partition held; returns how many.
pub async fn drop_strays(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from record_search_elsewhen
        where ctid = any(array(
            select ctid from record_search_elsewhen where contact_time >= $1 and contact_time < $2 limit $3
        ))
        "#,
        from,
        until,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// The keys as columns.
pub fn columns<'a>(keys: impl Iterator<Item = &'a RecordPosition>) -> (Vec<DateTime<Utc>>, Vec<Uuid>, Vec<String>) {
    let (mut times, mut ids, mut corps) = (Vec::new(), Vec::new(), Vec::new());
    for (at, id, corp) in keys {
        times.push(*at);
        ids.push(*id);
        corps.push(corp.clone());
    }
    (times, ids, corps)
}
