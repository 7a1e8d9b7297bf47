//! Drains the inbox: claim a batch, understand it, write it, settle it, in one transaction.
//!
//! A batch that fails is undone and taken again one delivery at a time, so that one the database refuses cannot hold
//! the rest. What cannot be understood never will be: it is parked at once. What fails for another reason is tried
//! again later, then parked. Trouble with the database itself is nobody's fault and counts against no delivery.

mod batch;

mod erased;

mod backoff;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::watch;

use crate::{
    inbox::{self, Recording, Wake},
    tables::{plans, records::wechat_contact_record::KnownMonths},
    time_limit::{DatabaseFailure, within},
};

pub use backoff::backoff;

/// After trouble with the database, a worker waits this long before it connects again.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// After a batch that was not full, deliveries gather this long. A worker that keeps up would else take the few that
/// each commit brings, in as many transactions, and under load leave too little of the machine for accepting.
const GATHER: Duration = Duration::from_millis(20);

/// How long one statement of a batch may take; then PostgreSQL cancels it and the batch is undone.
const STATEMENT_LIMIT: &str = "30s";

/// How long a batch may take in all. A database that vanishes without a word is noticed by this alone.
const BATCH_LIMIT: Duration = Duration::from_secs(60);

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What it is that may take no longer than [`CONNECT_LIMIT`].
const CONNECTING: &str = "connecting to the database";

/// A worker begins this long before where it left off: what was due earlier may have been committed later.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(1);

/// And at least this often at the very front.
const FRONT_EVERY: Duration = Duration::from_secs(30);

/// How workers go about it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many deliveries a batch takes at most.
    pub batch_max: u32,
    /// How often recording a delivery is tried before it is parked.
    pub attempts_max: u32,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing was due.
    Idle,
    /// So many deliveries were settled, postponed or parked.
    Worked(usize),
}

/// One worker: one connection, one batch at a time. Any number may share a database.
pub struct Worker {
    options: PgConnectOptions,
    settings: Settings,
    conn: Option<PgConnection>,
    months: KnownMonths,
    recording: Recording,
    /// How many deliveries to take one by one, after a batch failed.
    singly: usize,
    position: QueuePosition,
}

/// Where in the queue a worker is.
#[derive(Debug, Default)]
struct QueuePosition {
    /// When the last delivery it took was due.
    due_at: Option<DateTime<Utc>>,
    /// When it last began at the front.
    front: Option<Instant>,
}

impl Worker {
    /// A worker that connects when it first has something to do.
    pub fn new(options: PgConnectOptions, settings: Settings) -> Self {
        Self {
            options: plans::fixed(options).options([("statement_timeout", STATEMENT_LIMIT)]),
            settings,
            conn: None,
            months: KnownMonths::default(),
            recording: Recording::default(),
            singly: 0,
            position: QueuePosition::default(),
        }
    }

    /// Says there how it goes.
    pub fn report_to(self, recording: Recording) -> Self {
        Self { recording, ..self }
    }

    /// Works until told to stop, then finishes the batch in hand.
    pub async fn run(mut self, wake: Wake, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let step = self.step().await;
            match &step {
                Ok(_) => self.recording.goes_on(),
                Err(error) => self.recording.failed(error),
            }
            match step {
                Ok(Step::Worked(size)) if self.singly > 0 || size >= self.settings.batch_max as usize => {}
                Ok(Step::Worked(_)) => tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    _ = stop.changed() => {}
                },
                Ok(Step::Idle) => tokio::select! {
                    () = wake.sleep() => {}
                    _ = stop.changed() => {}
                },
                Err(error) => {
                    tracing::warn!(error = %error, "recording stands still until the database answers again");
                    tokio::select! {
                        () = tokio::time::sleep(RECONNECT_AFTER) => {}
                        _ = stop.changed() => {}
                    }
                }
            }
        }
        if let Some(conn) = self.conn {
            let _ = conn.close().await;
        }
    }

    /// Takes one batch, or one delivery of a batch that failed, all the way.
    ///
    /// An error means that the database could not be worked with; nothing was settled and nothing is lost.
    pub async fn step(&mut self) -> Result<Step, DatabaseFailure> {
        match self.position.since() {
            // Nothing where it left off: perhaps at the front, before it may say that it is idle.
            Some(since) => match self.take(since).await? {
                Step::Idle => self.take_from_front().await,
                worked => Ok(worked),
            },
            None => self.take_from_front().await,
        }
    }

    async fn take_from_front(&mut self) -> Result<Step, DatabaseFailure> {
        self.position.front = Some(Instant::now());
        self.take(DateTime::UNIX_EPOCH).await
    }

    async fn take(&mut self, since: DateTime<Utc>) -> Result<Step, DatabaseFailure> {
        let limit = if self.singly > 0 { 1 } else { i64::from(self.settings.batch_max) };
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => within(CONNECT_LIMIT, CONNECTING, PgConnection::connect_with(&self.options)).await?,
        };
        let began = Instant::now();
        let recording = batch::record(&mut conn, since, limit, &mut self.months);
        let Ok(outcome) = tokio::time::timeout(BATCH_LIMIT, recording).await else {
            self.months.forget();
            return Err(DatabaseFailure::TimedOut { what: "recording a batch", limit: BATCH_LIMIT });
        };
        match outcome {
            Ok(batch) => {
                self.conn = Some(conn);
                self.singly = self.singly.saturating_sub(batch.size);
                self.position.due_at = batch.due_at.or(self.position.due_at);
                batch.report(began.elapsed());
                Ok(if batch.size == 0 { self.idle() } else { Step::Worked(batch.size) })
            }
            Err(failed) => {
                self.months.forget();
                self.undone(conn, failed).await
            }
        }
    }

    /// A batch was undone: is it the delivery, or the database?
    async fn undone(&mut self, conn: PgConnection, failed: batch::Failed) -> Result<Step, DatabaseFailure> {
        let batch::Failed { claimed, error } = failed;
        if inbox::is_crossing(&error) {
            self.conn = Some(conn);
            return Ok(Step::Worked(0));
        }
        // What takes too long alone is the delivery's own doing, however much the database has to do.
        let too_slow = inbox::is_too_slow(&error) && !claimed.is_empty();
        if !inbox::is_refusal(&error) && !too_slow {
            // The connection goes, and with it whatever it still held.
            return Err(error.into());
        }
        self.conn = Some(conn);
        self.after_refusal(claimed, error).await
    }

    fn idle(&mut self) -> Step {
        self.singly = 0;
        Step::Idle
    }

    /// The database refused a batch: its deliveries are taken singly. It refused a single one: that one waits. It
    /// refused the claim itself: there is nothing to take, and trying again at once would only fill the log.
    async fn after_refusal(
        &mut self,
        claimed: Vec<batch::Undone>,
        error: sqlx::Error,
    ) -> Result<Step, DatabaseFailure> {
        match claimed.as_slice() {
            [] => {
                self.conn = None;
                Err(error.into())
            }
            [single] => {
                let Some(conn) = &mut self.conn else { return Err(error.into()) };
                batch::set_aside(conn, single, &self.settings, &error).await?;
                self.singly = self.singly.saturating_sub(1);
                Ok(Step::Worked(1))
            }
            many => {
                tracing::warn!(error = %error, size = many.len(), "a batch was refused; recording one by one");
                self.singly = many.len();
                Ok(Step::Worked(0))
            }
        }
    }
}

impl QueuePosition {
    /// Where to begin; `None` for the front.
    fn since(&self) -> Option<DateTime<Utc>> {
        let fresh = self.front.is_some_and(|at| at.elapsed() < FRONT_EVERY);
        self.due_at.filter(|_| fresh).map(|at| at - LOOK_BACK)
    }
}
