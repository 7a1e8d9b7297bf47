//! Stores groups of callbacks in one statement each.
//!
//! Committer and drainer decide what is stored when, and what happens if it fails.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

use super::event_time;
use crate::spool::Record;

/// How many callbacks one transaction takes.
pub(super) const GROUP_MAX: usize = 1_024;

/// How many bytes of plaintext one transaction takes, unless a single callback is larger.
pub(super) const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Deliveries younger than this are stored whatever was dropped; `skip_dropped_day` in the migrations has the same
/// number.
const KEPT_DAYS: TimeDelta = TimeDelta::days(7);

/// A callback to store.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) app_id: i32,
    pub(super) app_name: String,
    pub(super) event_at: DateTime<Utc>,
    pub(super) received_at: DateTime<Utc>,
    pub(super) hash: [u8; 32],
    pub(super) plaintext: Vec<u8>,
}

impl Arrival {
    /// A callback with its key.
    pub(super) fn new(app_id: i32, app_name: String, received_at: DateTime<Utc>, plaintext: Vec<u8>) -> Self {
        let hash = Sha256::digest(&plaintext).into();
        Self { app_id, app_name, event_at: event_time(&plaintext), received_at, hash, plaintext }
    }

    /// What groups are sorted by: two processes may write the same repeats at the same time, and sorted, they cannot
    /// deadlock.
    pub(super) fn key(&self) -> (DateTime<Utc>, [u8; 32], i32) {
        (self.event_at, self.hash, self.app_id)
    }
}

/// As it is kept in the spool; its key is computed again from that.
impl From<Arrival> for Record {
    fn from(it: Arrival) -> Self {
        Self { app_id: it.app_id, app_name: it.app_name, received_at: it.received_at, plaintext: it.plaintext }
    }
}

impl From<Record> for Arrival {
    fn from(it: Record) -> Self {
        Self::new(it.app_id, it.app_name, it.received_at, it.plaintext)
    }
}

/// The result of writing a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// How many were new.
    pub(super) new: u64,
    /// How many belong to a day that retention has dropped; these are not stored.
    pub(super) dropped: u64,
}

/// Tests whether the database would store a delivery now: inserts one and rolls back.
pub async fn try_storing(conn: &mut PgConnection) -> sqlx::Result<()> {
    let mut transaction = conn.begin().await?;
    let trial = Arrival { event_at: Utc::now(), ..Arrival::new(0, String::new(), Utc::now(), b"a trial".to_vec()) };
    let stored = insert(&mut transaction, &[&trial]).await;
    transaction.rollback().await?;
    stored.map(|_| ())
}

/// Stores a group. Only if an old callback was not inserted, asks why: it is a repeat, or its day was dropped.
pub(super) async fn write_group(conn: &mut PgConnection, group: &[&Arrival]) -> sqlx::Result<Written> {
    let new = insert(conn, group).await?;
    let old = || group.iter().map(|it| it.event_at).filter(|at| *at < Utc::now() - KEPT_DAYS);
    let dropped = if new < group.len() as u64 && old().next().is_some() {
        count_dropped(conn, &old().map(|it| it.date_naive()).collect::<Vec<_>>()).await?
    } else {
        0
    };
    Ok(Written { new, dropped })
}

/// How many of these days were dropped; a day that is listed twice counts twice.
async fn count_dropped(conn: &mut PgConnection, days: &[NaiveDate]) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from unnest($1::date[]) named (day) join inbox_dropped_day using (day)"#,
        days,
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Stores what is new and queues it, in one statement; returns how many were new.
async fn insert(conn: &mut PgConnection, group: &[&Arrival]) -> sqlx::Result<u64> {
    let times: Vec<_> = group.iter().map(|it| it.event_at).collect();
    let apps: Vec<_> = group.iter().map(|it| it.app_id).collect();
    let hashes: Vec<&[u8]> = group.iter().map(|it| &it.hash[..]).collect();
    let plaintexts: Vec<&[u8]> = group.iter().map(|it| &it.plaintext[..]).collect();
    let result = sqlx::query!(
        r#"
        with stored as (
            insert into inbox (event_at, app_id, hash, plaintext)
            select * from unnest($1::timestamptz[], $2::integer[], $3::bytea[], $4::bytea[])
            on conflict do nothing
            returning event_at, app_id, hash
        )
        insert into pending (event_at, app_id, hash)
        select event_at, app_id, hash from stored
        "#,
        &times,
        &apps,
        &hashes as _,
        &plaintexts as _,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}
