//! Stores groups of callbacks in one statement each.
//!
//! Committer and drainer decide what is stored when, and what happens if it fails.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

use super::event_time;
use crate::{spool::Record, states::Origin};

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
    /// When it arrived, if it was kept in the spool since. Otherwise the database's clock says when it is stored.
    pub(super) kept_since: Option<DateTime<Utc>>,
    pub(super) origin: Origin,
    pub(super) hash: [u8; 32],
    pub(super) plaintext: Vec<u8>,
}

impl Arrival {
    /// A callback with its key.
    pub(super) fn new(app_id: i32, app_name: String, received_at: DateTime<Utc>, plaintext: Vec<u8>) -> Self {
        let hash = Sha256::digest(&plaintext).into();
        let (event_at, origin) = (event_time(&plaintext), Origin::Callback);
        Self { app_id, app_name, event_at, received_at, kept_since: None, origin, hash, plaintext }
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
        let kept_since = Some(it.received_at);
        Self { kept_since, ..Self::new(it.app_id, it.app_name, it.received_at, it.plaintext) }
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

/// Stores what is new and queues it, in one statement; returns how many were new. Those of one day wait together, and a
/// single one alone.
pub(super) async fn insert(conn: &mut PgConnection, group: &[&Arrival]) -> sqlx::Result<u64> {
    let times: Vec<_> = group.iter().map(|it| it.event_at).collect();
    let apps: Vec<_> = group.iter().map(|it| it.app_id).collect();
    let hashes: Vec<&[u8]> = group.iter().map(|it| &it.hash[..]).collect();
    let plaintexts: Vec<&[u8]> = group.iter().map(|it| &it.plaintext[..]).collect();
    let kept_since: Vec<_> = group.iter().map(|it| it.kept_since).collect();
    let origins: Vec<_> = group.iter().map(|it| it.origin.number()).collect();
    let new = sqlx::query_scalar!(
        r#"
        with stored as (
            insert into inbox (event_at, app_id, hash, plaintext, received_at, origin)
            select event_at, app_id, hash, plaintext, least(kept_since, now()), origin
            from unnest($1::timestamptz[], $2::integer[], $3::bytea[], $4::bytea[], $5::timestamptz[], $6::smallint[])
                it (event_at, app_id, hash, plaintext, kept_since, origin)
            on conflict do nothing
            returning event_at, app_id, hash
        ),
        day as (
            select count(*) as size, min(event_at) as earliest, max(event_at) as latest, array_agg(event_at) as event_ats,
                array_agg(app_id) as app_ids, array_agg(hash) as hashes
            from stored group by date_bin('1 day', event_at, 'epoch')
        ),
        alone as (
            insert into pending (event_at, app_id, hash) select event_ats[1], app_ids[1], hashes[1] from day where size = 1
        ),
        together as (
            insert into pending_group (size, earliest, latest, event_ats, app_ids, hashes)
            select * from day where size > 1
        )
        select coalesce(sum(size), 0)::bigint as "new!" from day
        "#,
        &times,
        &apps,
        &hashes as _,
        &plaintexts as _,
        &kept_since as _,
        &origins,
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(new).unwrap_or(0))
}
