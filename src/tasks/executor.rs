//! The executors of one worker pool: they claim due tasks, run them, and record the outcome.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sqlx::Acquire;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinError, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::{
    Bells, Context, Failure, Went, WorkerPool,
    fairness::{Reach, Troubles},
};
use crate::{
    changes::TaskKind,
    tables::task::{self, Finished, Taken},
    wecom::ApiError,
    worker::backoff,
};

/// How many attempts a task has before it is parked; with growing pauses they last about three hours.
const ATTEMPTS_MAX: i32 = 20;

/// How long one attempt may take. A single call has its own, much shorter limit; the longest task is a large
/// download.
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long a stop waits for running tasks before it gives them back.
const STOP_LIMIT: Duration = Duration::from_secs(12);

/// How long a worker pool waits after a database error before it asks again.
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// How often recording a task's outcome is tried. After that its lease expires, and the task runs again.
const SETTLE_TRIES: u32 = 4;

/// How many characters of a reason are kept.
const REASON_CHARS_MAX: usize = 500;

/// A worker pool extends its leases this many times within a lease's duration.
const EXTENSIONS_PER_LEASE: u32 = 3;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing was due.
    Idle,
    /// A task is done, postponed or parked.
    Worked,
}

/// The executors of one worker pool of one process.
pub struct Executor {
    context: Context,
    worker_pool: WorkerPool,
    running: JoinSet<Reach>,
    in_hand: HashMap<tokio::task::Id, Held>,
    troubles: Troubles,
}

/// A running task.
struct Held {
    task: Taken,
    abort: AbortHandle,
}

impl Executor {
    /// A worker pool without running tasks.
    pub fn new(context: Context, worker_pool: WorkerPool) -> Self {
        let troubles = Troubles::new(worker_pool.concurrency, worker_pool.rest_longest);
        Self { context, worker_pool, running: JoinSet::new(), in_hand: HashMap::new(), troubles }
    }

    /// Works until told to stop, then finishes the running tasks or gives them back.
    pub async fn run(mut self, bells: Bells, mut stop: watch::Receiver<bool>) {
        let mut heartbeat = interval(self.worker_pool.lease / EXTENSIONS_PER_LEASE);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stop.borrow() {
            let pause = match self.take().await {
                Ok(()) => self.worker_pool.poll,
                Err(error) => {
                    tracing::warn!(kinds = ?self.worker_pool.kinds, error = %error, "no task can be taken until the database answers");
                    DATABASE_RETRY
                }
            };
            let room = self.in_hand.len() < self.worker_pool.concurrency;
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.ended(ended).await,
                _ = heartbeat.tick(), if !self.in_hand.is_empty() => self.extend().await,
                () = bells.sleep(&self.worker_pool.kinds, pause), if room => {}
                _ = stop.changed() => {}
            }
        }
        self.wind_up(&mut heartbeat).await;
    }

    /// Claims due tasks and returns when a running one has ended.
    ///
    /// An error means that the database could not be asked; nothing is lost.
    pub async fn step(&mut self) -> sqlx::Result<Step> {
        self.take().await?;
        let Some(ended) = self.running.join_next_with_id().await else { return Ok(Step::Idle) };
        self.ended(ended).await;
        Ok(Step::Worked)
    }

    /// Fills the worker pool, most urgent kind first, without letting one corp take all places.
    async fn take(&mut self) -> sqlx::Result<()> {
        for kind in self.worker_pool.kinds.clone() {
            let in_hand = self.in_hand.values().map(|it| (&it.task.corpid, it.task.kind));
            let room = self.troubles.room(kind, in_hand, Instant::now());
            if room.limit == 0 {
                return Ok(());
            }
            let mut conn = self.context.pool.acquire().await?;
            let taken = task::claim(&mut conn, kind, &room, self.worker_pool.lease).await?;
            drop(conn);
            for task in taken {
                let (context, own) = (self.context.clone(), task.clone());
                let abort = self.running.spawn(async move { carry_out(&context, &own).await });
                self.in_hand.insert(abort.id(), Held { task, abort });
            }
        }
        Ok(())
    }

    /// A task's run has ended. It has recorded its outcome itself, unless it panicked.
    async fn ended(&mut self, ended: Result<(tokio::task::Id, Reach), JoinError>) {
        match ended {
            Ok((id, reach)) => {
                if let Some(Held { task, .. }) = self.in_hand.remove(&id) {
                    self.troubles.hear(&task.corpid, task.kind, reach, Instant::now());
                }
            }
            Err(error) => {
                let held = self.in_hand.remove(&error.id());
                if let Some(held) = held.filter(|_| error.is_panic()) {
                    let why = anyhow::anyhow!("the executor panicked; the log says where");
                    settle(&self.context, &held.task, Err(Failure::Retry { why, after: None })).await;
                }
            }
        }
    }

    /// Extends the leases of the running tasks. A task whose lease is lost is dropped at once.
    async fn extend(&mut self) {
        let ids: Vec<_> = self.in_hand.values().map(|it| it.task.id).collect();
        let leases: Vec<_> = self.in_hand.values().map(|it| it.task.lease).collect();
        let extended = async {
            let mut conn = self.context.pool.acquire().await?;
            task::extend(&mut conn, &ids, &leases, self.worker_pool.lease).await
        };
        match extended.await {
            Ok(ours) => {
                for held in self.in_hand.values().filter(|it| leases.contains(&it.task.lease)) {
                    if !ours.contains(&held.task.lease) && !held.abort.is_finished() {
                        tracing::warn!(
                            task.id = held.task.id,
                            task.kind = held.task.kind.as_str(),
                            "a task is no longer ours"
                        );
                        held.abort.abort();
                    }
                }
            }
            Err(error) => tracing::warn!(error = %error, "leases could not be extended"),
        }
    }

    /// Finishes the running tasks within the stop limit, and gives back the rest.
    async fn wind_up(&mut self, heartbeat: &mut tokio::time::Interval) {
        let limit = tokio::time::sleep(STOP_LIMIT);
        tokio::pin!(limit);
        while !self.in_hand.is_empty() {
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.ended(ended).await,
                _ = heartbeat.tick() => self.extend().await,
                () = &mut limit => break,
            }
        }
        self.running.shutdown().await;
        for (_, held) in self.in_hand.drain() {
            settle(&self.context, &held.task, Err(Failure::Interrupted { why: anyhow::anyhow!("told to stop") })).await;
        }
    }
}

/// Runs a task and records its outcome. Returns what the outcome tells about its corp.
async fn carry_out(context: &Context, task: &Taken) -> Reach {
    let began = Instant::now();
    let outcome = if task.attempts > ATTEMPTS_MAX {
        // The earlier attempts died before they could record why they failed.
        Err(Failure::park(format!("taken {} times, and never finished", task.attempts - 1)))
    } else {
        let run = tokio::time::timeout(RUN_LIMIT, super::run(context, task));
        run.await.unwrap_or_else(|_| {
            let why = anyhow::anyhow!("it took longer than {} minutes", RUN_LIMIT.as_secs() / 60);
            Err(Failure::Retry { why, after: None })
        })
    };
    metrics::histogram!("wecomd_task_seconds", "kind" => task.kind.as_str()).record(began.elapsed());
    let reach = outcome.as_ref().map_or_else(Reach::of, |_| Reach::Served);
    settle(context, task, outcome).await;
    reach
}

/// Records the outcome, and tries again if the database is in trouble.
async fn settle(context: &Context, task: &Taken, outcome: Result<Went, Failure>) {
    for _ in 0..SETTLE_TRIES {
        match write_down(context, task, &outcome).await {
            Ok(said) => {
                count(task.kind, said);
                return;
            }
            Err(error) => {
                tracing::warn!(task.id = task.id, error = %error, "a task's outcome could not be recorded")
            }
        }
        tokio::time::sleep(DATABASE_RETRY).await;
    }
    count(task.kind, "unsaid");
}

async fn write_down(context: &Context, task: &Taken, outcome: &Result<Went, Failure>) -> sqlx::Result<&'static str> {
    let mut conn = context.pool.acquire().await?;
    let conn = conn.acquire().await?;
    let (id, kind, attempts, corpid) = (task.id, task.kind.as_str(), task.attempts, task.corpid.as_str());
    let (ours, said) = match outcome {
        Ok(Went::Again(wait)) => (task::again(conn, task, *wait).await?, "again"),
        Ok(Went::Done) => match task::finish(conn, task).await? {
            Finished::Done => (true, "done"),
            Finished::MarkedAgain => (true, "again"),
            Finished::Lost => (false, "done"),
        },
        Err(Failure::Retry { why, .. }) if attempts >= ATTEMPTS_MAX && !task.kind.is_lasting() => {
            tracing::error!(
                task.id = id,
                task.kind = kind,
                corpid,
                attempts,
                cause = cause(why),
                error = format!("{why:#}"),
                "a task failed too often; parked"
            );
            (task::park(conn, task, &reason(why)).await?, "parked")
        }
        Err(Failure::Retry { why, after }) => {
            let attempt = i16::try_from(attempts).unwrap_or(i16::MAX);
            let wait = after.unwrap_or_else(|| backoff(attempt, rand::random()));
            tracing::warn!(
                task.id = id,
                task.kind = kind,
                corpid,
                attempts,
                wait_s = wait.as_secs_f64(),
                cause = cause(why),
                error = format!("{why:#}"),
                "a task is postponed"
            );
            // A lasting task never uses up its last attempt by failing, so only killed processes can.
            let uncounted = task.kind.is_lasting() && attempts >= ATTEMPTS_MAX;
            (task::postpone(conn, task, wait, &reason(why), uncounted).await?, "postponed")
        }
        Err(Failure::Park { why }) => {
            tracing::error!(
                task.id = id,
                task.kind = kind,
                corpid,
                attempts,
                cause = cause(why),
                error = format!("{why:#}"),
                "a task is parked"
            );
            (task::park(conn, task, &reason(why)).await?, "parked")
        }
        Err(Failure::Interrupted { why }) => {
            tracing::info!(task.id = id, task.kind = kind, corpid, error = format!("{why:#}"), "a task is given back");
            (task::release(conn, task, DATABASE_RETRY).await?, "released")
        }
    };
    Ok(if ours { said } else { "lost" })
}

fn count(kind: TaskKind, outcome: &'static str) {
    metrics::counter!("wecomd_tasks_total", "kind" => kind.as_str(), "outcome" => outcome).increment(1);
}

/// The part of a failure's text that all tasks with the same cause share.
fn cause(why: &anyhow::Error) -> String {
    why.downcast_ref::<ApiError>().map_or_else(|| format!("{why:#}"), ApiError::cause)
}

fn reason(why: &anyhow::Error) -> String {
    format!("{why:#}").chars().filter(|it| *it != '\0').take(REASON_CHARS_MAX).collect()
}
