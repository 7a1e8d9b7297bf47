//! Accepts callbacks with group commit: concurrent callbacks share one transaction; a single one is committed at
//! once.
//!
//! One committer owns one connection. It takes all waiting callbacks, writes them in one statement, and answers all
//! of them after the commit. While it commits, the next group gathers, so no timer is needed. A second committer
//! would make the groups smaller and both slower.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{mpsc, oneshot};

use super::{
    CommitStatus, Wake, event_time, is_crossing, is_refusal,
    trouble::{is_of_all, sqlstate},
    wake::CHANNEL,
};
use crate::time_limit::{DatabaseFailure, within};

/// How many callbacks may queue for the committer. Further ones wait for a place, within their own time limit.
const WAITING_MAX: usize = 4_096;

/// How many callbacks one transaction takes.
const GROUP_MAX: usize = 1_024;

/// How many bytes of plaintext one transaction takes, unless a single callback is larger.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long storing may take in all. WeCom hangs up after 5 s, so a later commit could not be answered.
const ACCEPT_LIMIT: Duration = Duration::from_millis(4_500);

/// How long one group's statement may take before the connection is given up.
const COMMIT_LIMIT: Duration = Duration::from_secs(4);

/// The same limit on PostgreSQL's side, so that a statement we gave up does not wait there for ever.
const STATEMENT_LIMIT: &str = "4s";

/// Other processes are notified of new deliveries at most this often.
const NOTIFY_EVERY: Duration = Duration::from_millis(20);

/// The callback is not known to be durable: it must not be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The database refused it or cannot be reached.
    #[error("the database could not store it")]
    Database,
    /// It took too long, or too many were waiting.
    #[error("it could not be stored in time")]
    Late,
    /// The request body was dropped before it was complete, because its memory was needed.
    #[error("it was not read to its end")]
    Unread,
}

struct Waiting {
    app_id: i32,
    event_at: DateTime<Utc>,
    hash: [u8; 32],
    plaintext: Vec<u8>,
    answer: oneshot::Sender<Result<(), NotStored>>,
}

/// The entrance of the inbox. Cheap to clone; the committer ends when the last clone is dropped.
#[derive(Clone)]
pub struct Inbox {
    waiting: mpsc::Sender<Waiting>,
    commit_status: CommitStatus,
    wake: Wake,
}

impl Inbox {
    /// Starts the committer. To let it finish its work, drop every clone and await the handle.
    pub fn start(options: PgConnectOptions, wake: Wake) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        // Set explicitly, whatever the database's default is: an answer promises that the row is on disk.
        let options = options.options([("statement_timeout", STATEMENT_LIMIT), ("synchronous_commit", "on")]);
        let commit_status = CommitStatus::default();
        let committer =
            Committer { options, wake: wake.clone(), commit_status: commit_status.clone(), conn: None, notified: None };
        (Self { waiting: sender, commit_status, wake }, tokio::spawn(committer.run(receiver)))
    }

    /// The status of the last commits.
    pub fn commit_status(&self) -> CommitStatus {
        self.commit_status.clone()
    }

    /// Returns once the callback is committed, whether it is new or a repeat.
    pub async fn accept(&self, app_id: i32, plaintext: Vec<u8>) -> Result<(), NotStored> {
        let _waits = self.wake.callback_waits();
        let (answer, stored) = oneshot::channel();
        let hash = Sha256::digest(&plaintext).into();
        let waiting = Waiting { app_id, event_at: event_time(&plaintext), hash, plaintext, answer };
        let store = async {
            self.waiting.send(waiting).await.map_err(|_| NotStored::Database)?;
            stored.await.unwrap_or(Err(NotStored::Database))
        };
        tokio::time::timeout(ACCEPT_LIMIT, store).await.unwrap_or(Err(NotStored::Late))
    }
}

/// The result of writing a group.
#[derive(Debug, Clone, Copy)]
struct Written {
    /// How many were new.
    new: u64,
    /// How many belong to a day that retention has dropped; these are not stored.
    dropped: u64,
}

/// Deliveries younger than this are stored whatever was dropped; `skip_dropped_day` in the migrations has the same
/// number.
const KEPT_DAYS: TimeDelta = TimeDelta::days(7);

struct Committer {
    options: PgConnectOptions,
    wake: Wake,
    commit_status: CommitStatus,
    conn: Option<PgConnection>,
    /// When other processes were last notified.
    notified: Option<Instant>,
}

impl Committer {
    async fn run(mut self, mut receiver: mpsc::Receiver<Waiting>) {
        let mut arrived = Vec::with_capacity(GROUP_MAX);
        let mut owed = false;
        loop {
            let received = if owed {
                let receive = receiver.recv_many(&mut arrived, GROUP_MAX);
                match tokio::time::timeout(NOTIFY_EVERY, receive).await {
                    Ok(received) => received,
                    Err(_) => {
                        self.tell_others().await;
                        owed = false;
                        continue;
                    }
                }
            } else {
                receiver.recv_many(&mut arrived, GROUP_MAX).await
            };
            if received == 0 {
                break;
            }
            while !arrived.is_empty() {
                let group = arrived.drain(..group_len(&arrived)).collect();
                self.commit(group).await;
            }
            owed = true;
            if self.notified.is_none_or(|at| at.elapsed() >= NOTIFY_EVERY) {
                self.tell_others().await;
                owed = false;
            }
        }
        if let Some(conn) = self.conn {
            let _ = conn.close().await;
        }
    }

    /// Writes a group in one transaction and answers its callers. If the group fails as a whole, it is written one by
    /// one, so that one refused callback does not fail the others.
    async fn commit(&mut self, mut group: Vec<Waiting>) {
        // A caller that has given up will repeat the callback, so those that still wait need not wait for it.
        group.retain(|it| !it.answer.is_closed());
        if group.is_empty() {
            return;
        }
        // Two processes may write the same repeats at the same time: sorted, they cannot deadlock.
        group.sort_unstable_by_key(|it| (it.event_at, it.hash, it.app_id));
        let began = Instant::now();
        let written = self.write(&group).await;
        metrics::histogram!("wecomd_commit_seconds").record(began.elapsed());
        match written {
            Ok(written) => self.stored(group, written),
            // If no callback can be the cause, writing them one by one cannot help.
            Err(error) if group.len() > 1 && error.is(is_refusal) && !error.is(is_of_all) => {
                tracing::warn!(
                    error = %error, sqlstate = sqlstate(&error), size = group.len(),
                    "a group was refused; storing one by one"
                );
                self.commit_singly(group).await;
            }
            Err(error) => self.not_stored(group, &error, false),
        }
    }

    async fn commit_singly(&mut self, group: Vec<Waiting>) {
        let (mut refused, mut reason, mut any_stored) = (Vec::new(), None, false);
        let mut left = group.into_iter().filter(|it| !it.answer.is_closed());
        while let Some(one) = left.next() {
            match self.write(std::slice::from_ref(&one)).await {
                Ok(written) => {
                    any_stored = true;
                    self.stored(vec![one], written);
                }
                Err(error) if error.is(is_refusal) => {
                    refused.push(one);
                    reason.get_or_insert(error);
                }
                // The database itself is in trouble: each further write would run into its time limit.
                Err(error) => {
                    refused.push(one);
                    refused.extend(left);
                    reason = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = reason {
            self.not_stored(refused, &error, any_stored);
        }
    }

    fn stored(&self, group: Vec<Waiting>, written: Written) {
        let Written { new, dropped } = written;
        let duplicates = (group.len() as u64).saturating_sub(new + dropped);
        self.commit_status.stored();
        metrics::counter!("wecomd_callbacks_total", "outcome" => "stored").increment(new);
        metrics::counter!("wecomd_callbacks_total", "outcome" => "duplicate").increment(duplicates);
        metrics::counter!("wecomd_callbacks_total", "outcome" => "dropped_day").increment(dropped);
        self.wake.ring();
        answer(group, Ok(()));
    }

    /// Logs and counts the failed group once, whatever its size. `others_stored` says that the database stores other
    /// deliveries, so that these deliveries themselves are the cause.
    fn not_stored(&self, group: Vec<Waiting>, error: &DatabaseFailure, others_stored: bool) {
        let total = group.len() as u64;
        if !others_stored || !error.is(is_refusal) {
            self.commit_status.not_stored(error, group.iter().map(|it| &it.hash));
        }
        metrics::counter!("wecomd_callbacks_total", "outcome" => "not_stored").increment(total);
        metrics::counter!("wecomd_store_failures_total", "sqlstate" => sqlstate(error)).increment(total);
        tracing::error!(
            error = %error, sqlstate = sqlstate(error), size = total,
            "callbacks could not be stored; WeCom will repeat them"
        );
        answer(group, Err(NotStored::Database));
    }

    /// Writes the group; returns how many are new and how many belong to a dropped day. A connection that was lost
    /// while idle is replaced once, silently: writing a group twice stores it once.
    async fn write(&mut self, group: &[Waiting]) -> Result<Written, DatabaseFailure> {
        let had_connection = self.conn.is_some();
        match self.try_write(group).await {
            Err(DatabaseFailure::Sqlx(sqlx::Error::Io(_))) if had_connection => self.try_write(group).await,
            Err(error) if error.is(is_crossing) => self.try_write(group).await,
            result => result,
        }
    }

    async fn try_write(&mut self, group: &[Waiting]) -> Result<Written, DatabaseFailure> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                within(COMMIT_LIMIT, "connecting to the database", PgConnection::connect_with(&self.options)).await?
            }
        };
        let result = within(COMMIT_LIMIT, "storing a group", write_group(&mut conn, group)).await;
        // After anything but a clear refusal the connection's state is unknown, so it is closed.
        if result.as_ref().err().is_none_or(|error| error.is(is_refusal)) {
            self.conn = Some(conn);
        }
        result
    }

    async fn tell_others(&mut self) {
        self.notified = Some(Instant::now());
        let Some(conn) = &mut self.conn else { return };
        let telling = sqlx::query!("select pg_notify($1, '')", CHANNEL).execute(conn);
        let told = within(COMMIT_LIMIT, "telling the other processes", telling).await;
        if told.is_err() {
            // A lost notification costs one poll; the next group finds out whether the connection still works.
            self.conn = None;
        }
    }
}

fn answer(group: Vec<Waiting>, answer: Result<(), NotStored>) {
    for waiting in group {
        // Sending fails if the caller gave up at its own limit: WeCom repeats the callback, and the repeat is
        // recognised.
        let _ = waiting.answer.send(answer);
    }
}

/// Tests whether the database would store a delivery now: inserts one and rolls back.
pub async fn try_storing(conn: &mut PgConnection) -> sqlx::Result<()> {
    let mut transaction = conn.begin().await?;
    let plaintext = b"a trial".to_vec();
    let (answer, _) = oneshot::channel();
    let hash = Sha256::digest(&plaintext).into();
    let stored =
        insert(&mut transaction, &[Waiting { app_id: 0, event_at: Utc::now(), hash, plaintext, answer }]).await;
    transaction.rollback().await?;
    stored.map(|_| ())
}

/// How many of the arrived callbacks fit into one transaction.
fn group_len(arrived: &[Waiting]) -> usize {
    let mut bytes = 0;
    let fitting = arrived.iter().take_while(|it| {
        bytes += it.plaintext.len();
        bytes <= GROUP_BYTES_MAX
    });
    fitting.count().max(1)
}

/// Stores a group. Only if an old callback was not inserted, asks why: it is a repeat, or its day was dropped.
async fn write_group(conn: &mut PgConnection, group: &[Waiting]) -> sqlx::Result<Written> {
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
async fn insert(conn: &mut PgConnection, group: &[Waiting]) -> sqlx::Result<u64> {
    let times: Vec<_> = group.iter().map(|it| it.event_at).collect();
    let apps: Vec<_> = group.iter().map(|it| it.app_id).collect();
    let hashes: Vec<&[u8]> = group.iter().map(|it| &it.hash[..]).collect();
    let plaintexts: Vec<&[u8]> = group.iter().map(|it| &it.plaintext[..]).collect();
    let new = sqlx::query_scalar!(
        r#"
        with stored as (
            insert into inbox (event_at, app_id, hash, plaintext)
            select * from unnest($1::timestamptz[], $2::integer[], $3::bytea[], $4::bytea[])
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
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(new).unwrap_or(0))
}
