//! Drains the inbox: claims a batch, parses it, writes it and settles it in one transaction.
//!
//! A batch that the database refuses is undone, taken again and halved until the refused deliveries are found, so that
//! one of them cannot block the rest. One that takes too long is taken again one delivery at a time. A delivery that
//! cannot be parsed is parked at once, since its bytes never change. One that fails for another
//! reason is tried again later, then parked. Errors of the database itself count against no delivery.

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

use batch::{Manner, Undone, Work};

/// After trouble with the database, a worker waits this long before it connects again.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// After a batch that was not full, deliveries gather this long. Otherwise a worker that keeps up would take the few
/// rows of each commit, in as many transactions, and under load leave too little CPU for accepting.
const GATHER: Duration = Duration::from_millis(20);

/// For how long recording gives way to bursts of callbacks until the queue is empty once. A burst is accepted first and
/// recorded after; a load that lasts is recorded while it is accepted, since greetings have 20 s in all.
const GIVE_WAY_LIMIT: Duration = Duration::from_secs(2);

/// Between two looks whether a burst is over.
const GIVE_WAY_STEP: Duration = Duration::from_millis(5);

/// How long one statement of a batch may take; then PostgreSQL cancels it and the batch is undone.
const STATEMENT_LIMIT: &str = "30s";

/// A batch's commit does not wait for the disk. If the database crashes before it is there, the whole transaction never
/// was: its deliveries still wait and are recorded again. Nothing was done because of it either: whoever carries out a task
/// commits the claim first, and that commit waits for everything before it.
const UNSYNCED: (&str, &str) = ("synchronous_commit", "off");

/// How long a batch may take in all. Only this limit detects a database that vanishes without closing the connection.
const BATCH_LIMIT: Duration = Duration::from_secs(60);

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The operation that [`CONNECT_LIMIT`] bounds, for error texts.
const CONNECTING: &str = "connecting to the database";

/// A worker begins this much before the point where it left off, because a row that was due earlier may be committed
/// later.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(1);

/// How often, at least, it begins at the very front.
const FRONT_EVERY: Duration = Duration::from_secs(30);

/// Settings of the workers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many deliveries a batch takes; committed groups are taken whole, so it may be up to a group more.
    pub batch_max: u32,
    /// How often recording a delivery is tried before it is parked.
    pub attempts_max: u32,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing was due.
    Idle,
    /// This many deliveries were settled, postponed or parked.
    Worked(usize),
}

/// One worker: one connection, one batch at a time. Any number may share a database.
pub struct Worker {
    options: PgConnectOptions,
    settings: Settings,
    conn: Option<PgConnection>,
    months: KnownMonths,
    recording: Recording,
    /// Whether the last batch was refused.
    halving: bool,
    /// How many deliveries to take one by one, after a batch took too long.
    singly: usize,
    position: QueuePosition,
}

/// A worker's position in the queue.
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
            options: plans::fixed(options).options([("statement_timeout", STATEMENT_LIMIT), UNSYNCED]),
            settings,
            conn: None,
            months: KnownMonths::default(),
            recording: Recording::default(),
            halving: false,
            singly: 0,
            position: QueuePosition::default(),
        }
    }

    /// Reports its progress to `recording`.
    pub fn report_to(self, recording: Recording) -> Self {
        Self { recording, ..self }
    }

    /// Works until told to stop, then finishes the batch in hand.
    pub async fn run(mut self, wake: Wake, mut stop: watch::Receiver<bool>) {
        let mut given_way = Duration::ZERO;
        while !*stop.borrow() {
            while wake.is_burst() && given_way < GIVE_WAY_LIMIT && !*stop.borrow() {
                tokio::time::sleep(GIVE_WAY_STEP).await;
                given_way += GIVE_WAY_STEP;
            }
            let step = self.step().await;
            match &step {
                Ok(_) => self.recording.goes_on(),
                Err(error) => self.recording.failed(error),
            }
            match step {
                Ok(Step::Worked(size))
                    if self.halving || self.singly > 0 || size >= self.settings.batch_max as usize => {}
                Ok(Step::Worked(_)) => tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    _ = stop.changed() => {}
                },
                Ok(Step::Idle) => {
                    given_way = Duration::ZERO;
                    tokio::select! {
                        () = wake.sleep() => {}
                        _ = stop.changed() => {}
                    }
                }
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

    /// Records one batch, or one delivery of a batch that failed, to its end.
    ///
    /// An error means that the database did not work; nothing was settled and nothing is lost.
    pub async fn step(&mut self) -> Result<Step, DatabaseFailure> {
        match self.position.since() {
            // Nothing is due after that point: it looks once more from the front before it reports idle.
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
        let manner = if self.halving { Manner::Halving } else { Manner::BesideOthers };
        let mut work = Work { months: &mut self.months, settings: &self.settings };
        let recording = batch::record(&mut conn, since, limit, &mut work, manner);
        let Ok(outcome) = tokio::time::timeout(BATCH_LIMIT, recording).await else {
            self.months.forget();
            return Err(DatabaseFailure::TimedOut { what: "recording a batch", limit: BATCH_LIMIT });
        };
        match outcome {
            Ok(batch) => {
                self.conn = Some(conn);
                self.halving = false;
                self.singly = self.singly.saturating_sub(batch.size).max(batch.returned);
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

    /// A batch was undone: decides whether a delivery or the database is the cause.
    async fn undone(&mut self, conn: PgConnection, failed: batch::Failed) -> Result<Step, DatabaseFailure> {
        let batch::Failed { claimed, error } = failed;
        if inbox::is_crossing(&error) {
            self.conn = Some(conn);
            return Ok(Step::Worked(0));
        }
        // A delivery that runs into the time limit alone is itself the cause, however busy the database is.
        let too_slow = inbox::is_too_slow(&error) && !claimed.is_empty();
        if !inbox::is_refusal(&error) && !too_slow {
            // The connection is closed, which releases everything it held.
            return Err(error.into());
        }
        self.conn = Some(conn);
        self.after_refusal(claimed, error, too_slow).await
    }

    fn idle(&mut self) -> Step {
        self.singly = 0;
        Step::Idle
    }

    /// A refused batch is halved by the next step; if that is refused as a whole, or if it takes too long, its deliveries
    /// are taken one by one. A refused single delivery is set aside. If the claim itself was refused, the error is
    /// returned, since retrying at once would only fill the log.
    async fn after_refusal(
        &mut self,
        claimed: Vec<Undone>,
        error: sqlx::Error,
        too_slow: bool,
    ) -> Result<Step, DatabaseFailure> {
        let Some(conn) = &mut self.conn else { return Err(error.into()) };
        match claimed.as_slice() {
            [] => {
                self.conn = None;
                return Err(error.into());
            }
            [single] if !single.ticket.is_group() => {
                batch::set_aside_alone(conn, single, &self.settings, &error).await?;
                self.singly = self.singly.saturating_sub(1);
                return Ok(Step::Worked(1));
            }
            many if self.halving || too_slow => {
                tracing::warn!(error = %error, size = many.len(), "a batch failed; recording one by one");
                inbox::split(conn, &many.iter().map(|it| it.ticket).collect()).await?;
                (self.halving, self.singly) = (false, many.len());
            }
            many => {
                tracing::warn!(error = %error, size = many.len(), "a batch was refused; halving it");
                self.halving = true;
            }
        }
        Ok(Step::Worked(0))
    }
}

impl QueuePosition {
    /// The point where the next claim begins; `None` for the front.
    fn since(&self) -> Option<DateTime<Utc>> {
        let fresh = self.front.is_some_and(|at| at.elapsed() < FRONT_EVERY);
        self.due_at.filter(|_| fresh).map(|at| at - LOOK_BACK)
    }
}
