//! The tasks: calls that must still be made to WeCom, one file per kind.
//!
//! Tasks come from the queue in `tables::task`, most urgent first. An executor calls WeCom with no transaction open,
//! writes the results in a short one, and reports the outcome: done, later, or never. It does not know why a task was
//! created. A task may run more than once: each kind documents why that is harmless.

mod failure;

mod executor;

mod fairness;

mod wake;

pub mod refresh_contact;

pub mod refresh_member;

mod refresh_group;

mod refresh_tags;

mod read_approval;

mod notify_staff;

mod fetch_media;

mod fetch_archive_media;

mod find_leavers;

mod pull_archive;

mod check_consent;

mod archive_status;

mod handover;

mod queue_status;

mod alert_status;

mod welcome;

pub mod kf;

pub mod template;

use std::time::Duration;

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{sync::watch::Receiver, task::JoinHandle};

use crate::{
    archive::Archive,
    changes::{ArchiveFile, Changes, TaskKind},
    media::MediaStore,
    tables::{apply, records::wechat_contact_record::KnownMonths, task::Taken},
    wecom::Wecom,
};

pub use alert_status::watch as watch_alerts;
pub use archive_status::{archive_off, watch_archive};
pub use executor::{Executor, Step};
pub use failure::Failure;
pub use queue_status::{BACKLOG_MAX, watch};
pub use wake::Bells;

/// The dependencies of every task. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The tasks' own database connections.
    pub pool: PgPool,
    /// The client for WeCom.
    pub wecom: Wecom,
    /// The store for pictures, voice messages and videos.
    pub media: MediaStore,
    /// The handovers' settings.
    pub handover: handover::Settings,
    /// The settings of 微信客服.
    pub kf: kf::Settings,
    /// The readers of the message archive; none if this process reads none.
    pub archive: Option<Archive>,
}

/// How many tasks a process runs at once, by kind.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Greetings of new contacts; and as many of those who open 微信客服.
    pub welcome: u32,
    /// Notices to staff.
    pub notify_staff: u32,
    /// Cards of customers and members that are read again.
    pub refresh: u32,
    /// Downloads.
    pub fetch_media: u32,
    /// Handovers.
    pub handover: u32,
    /// Accounts of 微信客服 that are pulled; and as many of its sessions that are routed.
    pub kf: u32,
    /// Message archives; 0 if this process reads none.
    pub archive: u32,
}

/// The outcome of a task that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    /// It is finished.
    Done,
    /// It runs again after this pause.
    Again(Duration),
}

/// A worker pool: its kinds share places with each other and with no other kind.
#[derive(Debug, Clone)]
pub struct WorkerPool {
    /// Its kinds, most urgent first.
    pub kinds: Vec<TaskKind>,
    /// How many tasks it runs at once.
    pub concurrency: usize,
    /// How long a lease lasts that its executor does not extend.
    pub lease: Duration,
    /// How often it polls for tasks without a notification.
    pub poll: Duration,
    /// The longest rest of a corp that WeCom does not answer; its tasks stay in the queue meanwhile.
    pub rest_longest: Duration,
}

/// The kinds that this version can run. Others wait in the queue for a version that can.
const EXECUTED: &[TaskKind] = &TaskKind::ALL;

/// The kinds of the pool that reads WeCom's data again, most urgent first.
const REFRESHING: &[TaskKind] = &[
    TaskKind::FindLeavers,
    TaskKind::ReadApproval,
    TaskKind::RefreshMember,
    TaskKind::RefreshContact,
    TaskKind::RefreshTags,
    TaskKind::RefreshGroup,
];

/// The lease of greetings: a dead executor must be noticed while the code is valid.
const URGENT_LEASE: Duration = Duration::from_secs(5);

/// The poll interval of greetings, so that a retry is not delayed.
const URGENT_POLL: Duration = Duration::from_millis(200);

/// The lease of all other tasks.
const LEASE: Duration = Duration::from_secs(30);

/// The poll interval of all other tasks.
const POLL: Duration = Duration::from_secs(1);

/// The longest rest of a corp that WeCom does not answer, for all tasks but greetings, which never rest.
const REST_LONGEST: Duration = Duration::from_secs(30);

impl Context {
    /// Writes a task's results in one short transaction.
    async fn write(&self, changes: Changes) -> Result<(), Failure> {
        let mut transaction = self.pool.begin().await?;
        // Tasks change contacts and members only, so no partition of records is needed.
        apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await?;
        Ok(transaction.commit().await?)
    }
}

impl Settings {
    /// How many tasks run at once in all.
    pub fn total(&self) -> u32 {
        let single = self.notify_staff + self.refresh + self.fetch_media + self.handover + self.archive;
        2 * self.welcome + 2 * self.kf + single
    }
}

impl WorkerPool {
    /// A worker pool of one kind, with the kind's lease and poll interval.
    pub fn of(kind: TaskKind, concurrency: u32) -> Self {
        Self::new(&[kind], concurrency)
    }

    fn new(kinds: &[TaskKind], concurrency: u32) -> Self {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| EXECUTED.contains(kind)).collect();
        let greets = kinds.contains(&TaskKind::Welcome) || kinds.contains(&TaskKind::WelcomeKf);
        let (lease, poll) = if greets { (URGENT_LEASE, URGENT_POLL) } else { (LEASE, POLL) };
        let rest_longest = if greets { Duration::ZERO } else { REST_LONGEST };
        Self { kinds, concurrency: usize::try_from(concurrency).unwrap_or(1), lease, poll, rest_longest }
    }
}

/// Starts this process's executors. When told to stop, they finish their running tasks or give them back.
pub fn start(
    context: &Context,
    settings: &Settings,
    options: &PgConnectOptions,
    stopping: &Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let bells = Bells::new();
    let pools = worker_pools(settings).into_iter().filter(|pool| !pool.kinds.is_empty() && pool.concurrency > 0);
    let mut started: Vec<_> = pools
        .map(|pool| tokio::spawn(Executor::new(context.clone(), pool).run(bells.clone(), stopping.clone())))
        .collect();
    if !started.is_empty() {
        started.push(tokio::spawn(bells.listen(options.clone(), stopping.clone())));
    }
    started
}

/// Greetings have pools of their own, one for each kind, so that they never queue behind other kinds: after a long stop,
/// thousands of the one kind may be late.
fn worker_pools(settings: &Settings) -> [WorkerPool; 9] {
    [
        WorkerPool::new(&[TaskKind::Welcome], settings.welcome),
        WorkerPool::new(&[TaskKind::WelcomeKf], settings.welcome),
        WorkerPool::new(&[TaskKind::PullKf], settings.kf),
        WorkerPool::new(&[TaskKind::RouteKf, TaskKind::RefreshKfCustomer], settings.kf),
        WorkerPool::new(&[TaskKind::NotifyStaff], settings.notify_staff),
        WorkerPool::new(REFRESHING, settings.refresh),
        WorkerPool::new(&[TaskKind::FetchMedia], settings.fetch_media),
        WorkerPool::new(&[TaskKind::Handover], settings.handover),
        WorkerPool::new(&[TaskKind::PullArchive, TaskKind::CheckConsent], settings.archive),
    ]
}

/// Runs a task by its kind.
async fn run(context: &Context, task: &Taken) -> Result<Went, Failure> {
    match task.kind {
        TaskKind::Handover => return handover::run(context, task).await,
        TaskKind::PullKf => return kf::pull::run(context, task).await,
        TaskKind::RefreshKfCustomer => kf::customer::run(context, task).await,
        TaskKind::RouteKf => kf::route::run(context, task).await,
        TaskKind::PullArchive => return pull_archive::run(context, task).await,
        TaskKind::CheckConsent => return check_consent::run(context, task).await,
        TaskKind::FetchMedia if ArchiveFile::is_one(&task.subject) => {
            return fetch_archive_media::run(context, task).await;
        }
        TaskKind::NotifyStaff => notify_staff::run(context, task).await,
        TaskKind::RefreshMember => refresh_member::run(context, task).await,
        TaskKind::RefreshContact => refresh_contact::run(context, task).await,
        TaskKind::FindLeavers => find_leavers::run(context, task).await,
        TaskKind::ReadApproval => read_approval::run(context, task).await,
        TaskKind::RefreshGroup => refresh_group::run(context, task).await,
        TaskKind::RefreshTags => refresh_tags::run(context, task).await,
        TaskKind::FetchMedia => fetch_media::run(context, task).await,
        TaskKind::Welcome | TaskKind::WelcomeKf => welcome::run(context, task).await,
    }?;
    Ok(Went::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_pool_and_every_urgent_kind_leads_one() {
        let settings =
            Settings { welcome: 8, notify_staff: 2, refresh: 4, fetch_media: 2, handover: 2, kf: 4, archive: 2 };
        let pools = worker_pools(&settings);
        for kind in TaskKind::ALL {
            let own: Vec<_> = pools.iter().filter(|pool| pool.kinds.contains(&kind)).collect();
            assert_eq!(own.len(), 1, "{kind:?}");
            // Only the first kind's bell wakes a pool, and only it never waits for a place.
            assert!(!kind.is_urgent() || own[0].kinds.first() == Some(&kind), "{kind:?}");
        }
        let places: usize = pools.iter().map(|pool| pool.concurrency).sum();
        assert_eq!(u32::try_from(places).expect("small"), settings.total());
    }
}
