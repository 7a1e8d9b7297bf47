//! What must still be done with WeCom, one file per kind of task.
//!
//! Tasks come from the queue in `tables::task`, most pressing first. An executor calls WeCom with no transaction open,
//! writes down what it learnt in a short one, and says how it went: done, later, or never. It refuses to know how a
//! task came about. A task may be run more than once: each kind says how a repetition does no harm.

mod failure;

mod executor;

mod fairness;

mod wake;

pub mod refresh_contact;

pub mod refresh_member;

mod notify_staff;

mod fetch_media;

mod find_leavers;

mod handover;

mod queue_status;

mod welcome;

pub mod template;

use std::time::Duration;

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{sync::watch::Receiver, task::JoinHandle};

use crate::{
    changes::{Changes, TaskKind},
    media::MediaStore,
    tables::{apply, records::wechat_contact_record::KnownMonths, task::Taken},
    wecom::Wecom,
};

pub use executor::{Executor, Step};
pub use failure::Failure;
pub use queue_status::{BACKLOG_MAX, watch};
pub use wake::Bells;

/// What every task works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The database, by connections that nobody else waits for.
    pub pool: PgPool,
    /// The way to WeCom.
    pub wecom: Wecom,
    /// Where pictures, sounds and films are kept.
    pub media: MediaStore,
    /// How handovers are driven.
    pub handover: handover::Settings,
}

/// How many tasks a process carries out at once.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Greetings.
    pub welcome: u32,
    /// Notices to staff.
    pub notify_staff: u32,
    /// Cards of customers and members that are read again.
    pub refresh: u32,
    /// Downloads.
    pub fetch_media: u32,
    /// Handovers driven on.
    pub handover: u32,
}

/// How a task went that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    /// It is over.
    Done,
    /// There is another turn of it after so long.
    Again(Duration),
}

/// Kinds that wait for each other, and for no other kind.
#[derive(Debug, Clone)]
pub struct WorkerPool {
    /// Its kinds, most pressing first.
    pub kinds: Vec<TaskKind>,
    /// How many of them are carried out at once.
    pub concurrency: usize,
    /// How long a task stays with an executor that says nothing more.
    pub lease: Duration,
    /// How often to look for what nobody rang for.
    pub poll: Duration,
    /// How long the tasks of a corp that WeCom does not answer are left in the queue, at most, before one is tried.
    pub rest_longest: Duration,
}

/// The kinds that can be carried out. The others wait in the queue for a version that can.
const EXECUTED: &[TaskKind] = &TaskKind::ALL;

/// A greeting's executor that died must be noticed while the code lives.
const URGENT_LEASE: Duration = Duration::from_secs(5);

/// And a greeting that waits for its next attempt is not kept waiting.
const URGENT_POLL: Duration = Duration::from_millis(200);

/// How long the other tasks stay with an executor that died.
const LEASE: Duration = Duration::from_secs(30);

/// How often to look for the other tasks.
const POLL: Duration = Duration::from_secs(1);

/// How long the other tasks of a corp rest that WeCom does not answer. Greetings never do.
const REST_LONGEST: Duration = Duration::from_secs(30);

impl Context {
    /// Writes what a task learnt, in one short transaction.
    async fn write(&self, changes: Changes) -> Result<(), Failure> {
        let mut transaction = self.pool.begin().await?;
        // What tasks learn are rows of contacts and members: they need no month of records.
        apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await?;
        Ok(transaction.commit().await?)
    }
}

impl Settings {
    /// How many tasks are carried out at once, all together.
    pub fn total(&self) -> u32 {
        self.welcome + self.notify_staff + self.refresh + self.fetch_media + self.handover
    }
}

impl WorkerPool {
    /// A worker pool of one kind, with the times that fit it.
    pub fn of(kind: TaskKind, concurrency: u32) -> Self {
        Self::new(&[kind], concurrency)
    }

    fn new(kinds: &[TaskKind], concurrency: u32) -> Self {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| EXECUTED.contains(kind)).collect();
        let greets = kinds.contains(&TaskKind::Welcome);
        let (lease, poll) = if greets { (URGENT_LEASE, URGENT_POLL) } else { (LEASE, POLL) };
        let rest_longest = if greets { Duration::ZERO } else { REST_LONGEST };
        Self { kinds, concurrency: usize::try_from(concurrency).unwrap_or(1), lease, poll, rest_longest }
    }
}

/// Starts this process's executors; they end when told to stop, with what they have in hand finished or given back.
pub fn start(
    context: &Context,
    settings: &Settings,
    options: &PgConnectOptions,
    stopping: &Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let bells = Bells::new();
    let pools = worker_pools(settings).into_iter().filter(|pool| !pool.kinds.is_empty());
    let mut started: Vec<_> = pools
        .map(|pool| tokio::spawn(Executor::new(context.clone(), pool).run(bells.clone(), stopping.clone())))
        .collect();
    if !started.is_empty() {
        started.push(tokio::spawn(bells.listen(options.clone(), stopping.clone())));
    }
    started
}

/// Greetings never queue behind anything else.
fn worker_pools(settings: &Settings) -> [WorkerPool; 5] {
    [
        WorkerPool::new(&[TaskKind::Welcome], settings.welcome),
        WorkerPool::new(&[TaskKind::NotifyStaff], settings.notify_staff),
        WorkerPool::new(&[TaskKind::FindLeavers, TaskKind::RefreshMember, TaskKind::RefreshContact], settings.refresh),
        WorkerPool::new(&[TaskKind::FetchMedia], settings.fetch_media),
        WorkerPool::new(&[TaskKind::Handover], settings.handover),
    ]
}

/// Every kind and where it is carried out.
async fn run(context: &Context, task: &Taken) -> Result<Went, Failure> {
    match task.kind {
        TaskKind::Handover => return handover::run(context, task).await,
        TaskKind::NotifyStaff => notify_staff::run(context, task).await,
        TaskKind::RefreshMember => refresh_member::run(context, task).await,
        TaskKind::RefreshContact => refresh_contact::run(context, task).await,
        TaskKind::FindLeavers => find_leavers::run(context, task).await,
        TaskKind::FetchMedia => fetch_media::run(context, task).await,
        TaskKind::Welcome => welcome::run(context, task).await,
    }?;
    Ok(Went::Done)
}
