//! Accepts callbacks with group commit: concurrent callbacks share one transaction; a single one is committed at
//! once.
//!
//! One committer owns one connection. It takes all waiting callbacks, writes them in one statement, and answers all
//! of them after the commit. While it commits, the next group gathers, so no timer is needed. A second committer
//! would make the groups smaller and both slower.
//!
//! A group that the database does not take goes to the spool, if there is one, and the next ones at once, until the
//! drainer finds the database again.

use std::time::{Duration, Instant};

use chrono::Utc;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    CommitStatus, SpoolStatus, Wake,
    accept::{Arrival, GROUP_BYTES_MAX, GROUP_MAX, Written, write_group},
    connection::StoreConnection,
    drainer::{Drainer, Shared},
    is_crossing, is_refusal,
    mode::Mode,
    trouble::{is_of_all, sqlstate},
    wake,
};
use crate::{
    spool::{Record, Spool},
    time_limit::{DatabaseFailure, within},
};

/// How many callbacks may queue for the committer. Further ones wait for a place, within their own time limit.
const WAITING_MAX: usize = 4_096;

/// How long storing may take in all. WeCom hangs up after 5 s, so a later commit could not be answered.
const ACCEPT_LIMIT: Duration = Duration::from_millis(4_500);

/// How long one group's statement may take before the connection is given up, if there is no spool.
const COMMIT_LIMIT: Duration = Duration::from_secs(4);

/// The same limit on PostgreSQL's side, so that a statement we gave up does not wait there for ever.
const STATEMENT_LIMIT: &str = "4s";

/// How long notifying them may take: it keeps the next group waiting, which has its own limit after that.
const NOTIFY_LIMIT: Duration = Duration::from_millis(200);

/// Other processes are notified of new deliveries at most this often.
const NOTIFY_EVERY: Duration = Duration::from_millis(20);

/// The callback is not known to be durable: it must not be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// The database refused it or cannot be reached, and the spool did not take it.
    #[error("the database could not store it")]
    Database,
    /// It took too long, or too many were waiting.
    #[error("it could not be stored in time")]
    Late,
    /// The request body was dropped before it was complete, because its memory was needed.
    #[error("it was not read to its end")]
    Unread,
}

/// What is needed to keep callbacks while the database is away.
pub struct Spooling {
    /// Where they are kept.
    pub spool: Spool,
    /// How long the database may take for a group before the group goes to the spool.
    pub patience: Duration,
    /// Whether the database has this program's schema; until then everything goes to the spool.
    pub migrated: watch::Receiver<bool>,
    /// When it becomes true, draining stops. What is left is stored after the next start.
    pub stopping: watch::Receiver<bool>,
}

struct Waiting {
    arrival: Arrival,
    answer: oneshot::Sender<Result<(), NotStored>>,
}

/// The entrance of the inbox. Cheap to clone; the committer ends when the last clone is dropped.
#[derive(Clone)]
pub struct Inbox {
    waiting: mpsc::Sender<Waiting>,
    commit_status: CommitStatus,
    spool_status: Option<SpoolStatus>,
    wake: Wake,
}

impl Inbox {
    /// Starts the committer without a spool. To let it finish its work, drop every clone and await the handle.
    pub fn start(options: PgConnectOptions, wake: Wake) -> (Self, JoinHandle<()>) {
        Self::start_with(store_options(options), wake, Shared::default(), None)
    }

    /// Starts the committer with a spool, and the drainer. The handles are the committer's and the drainer's.
    pub fn spooling(options: PgConnectOptions, wake: Wake, spooling: Spooling) -> (Self, [JoinHandle<()>; 2]) {
        let (options, shared) = (store_options(options), Shared::default());
        let Spooling { spool, patience, migrated, stopping } = spooling;
        if !*migrated.borrow() {
            shared.mode.spool();
        }
        let connection = StoreConnection::new(options.clone(), shared.abandoned.clone());
        let drainer = Drainer::new(connection, spool.clone(), shared.clone(), wake.clone());
        let drainer = tokio::spawn(drainer.run(migrated, stopping));
        let (inbox, committer) = Self::start_with(options, wake, shared, Some((spool, patience)));
        (inbox, [committer, drainer])
    }

    fn start_with(
        options: PgConnectOptions,
        wake: Wake,
        shared: Shared,
        spool: Option<(Spool, Duration)>,
    ) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let Shared { mode, abandoned, commit_status } = shared;
        let (spool, patience) = spool.unzip();
        let spool_status = spool.clone().map(|spool| SpoolStatus::new(spool, mode.clone()));
        let committer = Committer {
            connection: StoreConnection::new(options, abandoned),
            limit: patience.unwrap_or(COMMIT_LIMIT),
            wake: wake.clone(),
            commit_status: commit_status.clone(),
            spool,
            mode,
            notified: None,
        };
        (Self { waiting: sender, commit_status, spool_status, wake }, tokio::spawn(committer.run(receiver)))
    }

    /// The status of the last commits.
    pub fn commit_status(&self) -> CommitStatus {
        self.commit_status.clone()
    }

    /// The status of the spool, if there is one.
    pub fn spool_status(&self) -> Option<SpoolStatus> {
        self.spool_status.clone()
    }

    /// Returns once the callback is committed, whether it is new or a repeat, or is on disk in the spool.
    pub async fn accept(&self, app_id: i32, app_name: &str, plaintext: Vec<u8>) -> Result<(), NotStored> {
        let _waits = self.wake.callback_waits();
        let (answer, stored) = oneshot::channel();
        let arrival = Arrival::new(app_id, app_name.to_owned(), Utc::now(), plaintext);
        let store = async {
            self.waiting.send(Waiting { arrival, answer }).await.map_err(|_| NotStored::Database)?;
            stored.await.unwrap_or(Err(NotStored::Database))
        };
        tokio::time::timeout(ACCEPT_LIMIT, store).await.unwrap_or(Err(NotStored::Late))
    }
}

/// Set explicitly, whatever the database's default is: an answer promises that the row is on disk.
fn store_options(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("statement_timeout", STATEMENT_LIMIT), ("synchronous_commit", "on")])
}

/// Why a group was not written.
struct Unwritten {
    error: DatabaseFailure,
    /// Whether the database is away: it could not be reached, did not answer, or is in trouble itself. Otherwise it
    /// refused the group.
    away: bool,
}

struct Committer {
    connection: StoreConnection,
    /// How long a group may take.
    limit: Duration,
    wake: Wake,
    commit_status: CommitStatus,
    spool: Option<Spool>,
    mode: Mode,
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
        self.connection.close().await;
    }

    /// Stores a group and answers its callers.
    ///
    /// If the database refuses it, it is written one by one, so that one refused callback does not fail the others. If
    /// the database is away, the group goes to the spool. Then the database may have it, too: the key of the inbox
    /// makes it one.
    async fn commit(&mut self, mut group: Vec<Waiting>) {
        // A caller that has given up will repeat the callback, so those that still wait need not wait for it.
        group.retain(|it| !it.answer.is_closed());
        if group.is_empty() {
            return;
        }
        if self.mode.is_spooling() && self.spool.is_some() {
            return self.keep(group, None).await;
        }
        group.sort_unstable_by_key(|it| it.arrival.key());
        let began = Instant::now();
        let written = self.write(&group).await;
        metrics::histogram!("wecomd_commit_seconds").record(began.elapsed());
        match written {
            Ok(written) => self.stored(group, written),
            Err(Unwritten { error, away: true }) => self.keep(group, Some(error)).await,
            // If no callback can be the cause, writing them one by one cannot help.
            Err(Unwritten { error, .. }) if group.len() > 1 && !error.is(is_of_all) => {
                tracing::warn!(
                    error = %error, sqlstate = sqlstate(&error), size = group.len(),
                    "a group was refused; storing one by one"
                );
                self.commit_singly(group).await;
            }
            Err(Unwritten { error, .. }) => self.not_stored(group, &error, false),
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
                // Each further write would run into its time limit.
                Err(Unwritten { error, away: true }) => {
                    self.keep([one].into_iter().chain(left).collect(), Some(error)).await;
                    break;
                }
                Err(Unwritten { error, .. }) => {
                    refused.push(one);
                    reason.get_or_insert(error);
                }
            }
        }
        if let Some(error) = reason {
            self.not_stored(refused, &error, any_stored);
        }
    }

    /// Puts a group into the spool and answers its callers. `error` is why the database did not take it, if it was
    /// asked.
    async fn keep(&mut self, group: Vec<Waiting>, error: Option<DatabaseFailure>) {
        let (spool, error) = match (&self.spool, error) {
            (Some(spool), error) => (spool, error),
            (None, Some(error)) => return self.not_stored(group, &error, false),
            // Without a spool the database is always asked.
            (None, None) => return answer(group, Err(NotStored::Database)),
        };
        self.go_to_the_spool(error.as_ref());
        let total = group.len() as u64;
        let (records, answers): (Vec<_>, Vec<_>) =
            group.into_iter().map(|it| (Record::from(it.arrival), it.answer)).unzip();
        let kept = spool.append(records).await;
        let outcome = if kept.is_ok() { "spooled" } else { "not_stored" };
        metrics::counter!("wecomd_callbacks_total", "outcome" => outcome).increment(total);
        if let Err(problem) = &kept {
            self.commit_status.not_kept(problem.to_string());
            tracing::error!(error = %problem, size = total, "{NOWHERE_STORED}");
        }
        let answer = kept.map_err(|_| NotStored::Database);
        for it in answers {
            // Sending fails if the caller gave up at its own limit.
            let _ = it.send(answer);
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
            self.commit_status.not_stored(error, group.iter().map(|it| &it.arrival.hash));
        }
        metrics::counter!("wecomd_callbacks_total", "outcome" => "not_stored").increment(total);
        metrics::counter!("wecomd_store_failures_total", "sqlstate" => sqlstate(error)).increment(total);
        tracing::error!(error = %error, sqlstate = sqlstate(error), size = total, "{NOWHERE_STORED}");
        answer(group, Err(NotStored::Database));
    }

    /// Writes the group; returns how many are new and how many belong to a dropped day. A connection that was lost
    /// while idle is replaced once, silently: writing a group twice stores it once. All of it has one time limit.
    async fn write(&mut self, group: &[Waiting]) -> Result<Written, Unwritten> {
        let deadline = Instant::now() + self.limit;
        let had_connection = self.connection.is_open();
        let group: Vec<_> = group.iter().map(|it| &it.arrival).collect();
        match self.try_write(&group, deadline).await {
            Err(Unwritten { error: DatabaseFailure::Sqlx(sqlx::Error::Io(_)), .. }) if had_connection => {
                self.try_write(&group, deadline).await
            }
            Err(Unwritten { error, .. }) if error.is(is_crossing) => self.try_write(&group, deadline).await,
            result => result,
        }
    }

    async fn try_write(&mut self, group: &[&Arrival], deadline: Instant) -> Result<Written, Unwritten> {
        let left = || deadline.saturating_duration_since(Instant::now());
        // What was left of the limit says nothing to whoever reads the log.
        let limit = self.limit;
        let whole = |error| match error {
            DatabaseFailure::TimedOut { what, .. } => DatabaseFailure::TimedOut { what, limit },
            error => error,
        };
        // Whatever the reason is, without a connection nothing can be stored.
        let away = |error| Unwritten { error: whole(error), away: true };
        let mut lent = self.connection.lend(left()).await.map_err(away)?;
        let result = within(left(), "storing a group", write_group(&mut lent.conn, group)).await;
        self.connection.give_back(lent, &result);
        result.map_err(|error| Unwritten { away: !error.is(is_refusal), error: whole(error) })
    }

    /// From now on callbacks go to the spool. `error` is why, if the database was asked.
    fn go_to_the_spool(&self, error: Option<&DatabaseFailure>) {
        if self.mode.spool()
            && let Some(error) = error
        {
            tracing::warn!(
                error = %error, sqlstate = sqlstate(error),
                "the database does not store callbacks; they go to the spool until it does"
            );
        }
    }

    /// A lost notification costs one poll. But a database that does not answer it would not answer the next group.
    async fn tell_others(&mut self) {
        self.notified = Some(Instant::now());
        if !self.connection.is_open() {
            return;
        }
        let Ok(mut lent) = self.connection.lend(NOTIFY_LIMIT).await else { return };
        let told = within(NOTIFY_LIMIT, "telling the other processes", wake::tell_others(&mut lent.conn)).await;
        self.connection.give_back(lent, &told);
        if let Err(error @ DatabaseFailure::TimedOut { .. }) = &told
            && self.spool.is_some()
        {
            self.go_to_the_spool(Some(error));
        }
    }
}

/// What the log says when callbacks are lost unless WeCom repeats them.
const NOWHERE_STORED: &str = "callbacks could not be stored; WeCom will repeat them";

fn answer(group: Vec<Waiting>, answer: Result<(), NotStored>) {
    for waiting in group {
        // Sending fails if the caller gave up at its own limit: WeCom repeats the callback, and the repeat is
        // recognised.
        let _ = waiting.answer.send(answer);
    }
}

/// How many of the arrived callbacks fit into one transaction.
fn group_len(arrived: &[Waiting]) -> usize {
    let mut bytes = 0;
    let fitting = arrived.iter().take_while(|it| {
        bytes += it.arrival.plaintext.len();
        bytes <= GROUP_BYTES_MAX
    });
    fitting.count().max(1)
}
