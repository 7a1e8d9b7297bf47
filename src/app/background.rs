//! The parts that need the database: workers, executors, housekeeping, and those that follow changes. They start once the
//! database has this program's schema: with the program, or later if it was away then.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    database::prepare,
    settings::{handover_settings, retention, sync_settings, tasks_settings, worker_settings},
};
use crate::{
    admin::{self, Admin},
    archive::Archive,
    backup::{self, Backups, Schedule},
    config::Config,
    housekeeping::{self, Housekeeper, indexing::Indexer},
    inbox::{Recording, Wake},
    privacy::{self, Eraser},
    sync::{self, Sync},
    tasks,
    worker::Worker,
};

/// Time between two attempts to prepare a database that was away at the start.
const PREPARE_AGAIN: Duration = Duration::from_secs(1);

/// What the parts are made of.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) options: PgConnectOptions,
    pub(super) acting_pool: PgPool,
    pub(super) admin_half: Arc<Admin>,
    pub(super) wake: Wake,
    pub(super) recording: Recording,
    pub(super) backups: Backups,
    pub(super) backup_schedule: Option<Schedule>,
    pub(super) kf: tasks::kf::Settings,
    /// Where the state of 微信客服 is told.
    pub(super) kf_said: watch::Sender<Value>,
    /// Where the state of the tasks is told.
    pub(super) tasks_said: watch::Sender<Value>,
    /// Where WeCom's alerts are told.
    pub(super) alerts_said: watch::Sender<Value>,
    /// The readers of the message archive, if this process reads it.
    pub(super) archive: Option<Archive>,
    /// Where the state of the archive is told.
    pub(super) archive_said: watch::Sender<Value>,
    /// Where the state of the backups is told.
    pub(super) backups_said: watch::Sender<Value>,
    pub(super) stopping: watch::Receiver<bool>,
}

/// The parts that run, and the one that starts them.
pub(super) struct Background {
    running: Arc<Mutex<Running>>,
    starting: Option<JoinHandle<()>>,
}

/// Parts that run.
#[derive(Default)]
pub(super) struct Running {
    /// Those that finish what they have in hand when they are told to stop.
    pub(super) workers: Vec<JoinHandle<()>>,
    /// Those that may be cut off.
    pub(super) followers: Vec<JoinHandle<()>>,
}

impl Background {
    /// Starts the parts: the database is prepared.
    pub(super) fn start(parts: Parts) -> Self {
        Self { running: Arc::new(Mutex::new(parts.start())), starting: None }
    }

    /// Starts the parts as soon as the database is back and prepared, and then says so.
    pub(super) fn start_later(parts: Parts, prepared: watch::Sender<bool>) -> Self {
        let running = Arc::<Mutex<Running>>::default();
        let started = running.clone();
        let starting = tokio::spawn(async move {
            while let Err(error) = first_use(&parts).await {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the database cannot be used yet; callbacks go to the spool"
                );
                tokio::time::sleep(PREPARE_AGAIN).await;
                // Previous keys end meanwhile. What cannot be read now stays as it was read at the start.
                let apps = parts.admin_half.apps.clone();
                let _ = tokio::task::spawn_blocking(move || apps.read_kept()).await;
            }
            *started.lock().unwrap_or_else(PoisonError::into_inner) = parts.start();
            prepared.send_replace(true);
            tracing::info!("the database is back and prepared");
        });
        Self { running, starting: Some(starting) }
    }

    /// The parts that run, of which no more are started from now on.
    pub(super) async fn end_start(self) -> Running {
        if let Some(starting) = self.starting {
            starting.abort();
            // It is not in the middle of anything once this returns.
            let _ = starting.await;
        }
        std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Prepares a database that was away at the start, and reads its apps.
async fn first_use(parts: &Parts) -> anyhow::Result<()> {
    let admin = &parts.admin_half;
    drop(admin.pool.acquire().await?);
    prepare(&parts.config, &parts.options, &admin.pool).await?;
    Ok(admin.apps.refresh().await?)
}

impl Parts {
    fn start(self) -> Running {
        let mut workers = self.recorders();
        workers.push(tokio::spawn(housekeeping::partitions::work(self.options.clone(), self.stopping.clone())));
        workers.extend(self.acting());
        if let Some(schedule) = self.backup_schedule.clone() {
            workers.push(tokio::spawn(backup::work(self.backups, schedule, self.stopping)));
        }
        let (admin, archive_pool) = (self.admin_half, self.acting_pool.clone());
        let mut followers = vec![
            tokio::spawn(tasks::kf::status::watch(self.acting_pool.clone(), self.kf.route, self.kf_said)),
            tokio::spawn(tasks::watch(self.acting_pool.clone(), self.tasks_said)),
            tokio::spawn(tasks::watch_alerts(self.acting_pool, self.alerts_said)),
            tokio::spawn(backup::watch(admin.pool.clone(), self.backup_schedule, self.backups_said)),
            tokio::spawn(admin.apps.clone().follow()),
            tokio::spawn(admin::note(admin)),
            tokio::spawn(self.wake.listen(self.options)),
        ];
        if self.archive.is_some() {
            followers.push(tokio::spawn(tasks::watch_archive(archive_pool, self.archive_said)));
        }
        Running { workers, followers }
    }

    fn recorders(&self) -> Vec<JoinHandle<()>> {
        let count = if self.config.worker.enabled { self.config.worker.workers } else { 0 };
        let settings = worker_settings(&self.config);
        let worker = || Worker::new(self.options.clone(), settings.clone()).report_to(self.recording.clone());
        (0..count).map(|_| tokio::spawn(worker().run(self.wake.clone(), self.stopping.clone()))).collect()
    }

    /// Starts the background work that is enabled in this process: housekeeping, erasing, retention, reconciling, tasks.
    fn acting(&self) -> Vec<JoinHandle<()>> {
        let Self { config, options, acting_pool, admin_half: admin, stopping, .. } = self;
        let mut started = Vec::new();
        if config.worker.enabled {
            let housekeeper = Housekeeper::new(acting_pool.clone(), admin.wecom.clone(), admin.rules.clone());
            let housekeeper = housekeeper.reading_archives(self.archive.as_ref().map(|it| it.settings().poll));
            started.push(tokio::spawn(housekeeper.run(stopping.clone())));
            started.push(tokio::spawn(Indexer::new(acting_pool.clone()).run(stopping.clone())));
            let eraser = Eraser::new(admin.pool.clone(), admin.media.clone());
            let keep = retention(config, admin.pool.clone(), admin.media.clone());
            started.push(tokio::spawn(privacy::work(eraser, keep, stopping.clone())));
        }
        if config.sync.enabled {
            let sync = Sync { pool: acting_pool.clone(), wecom: admin.wecom.clone() };
            started.push(tokio::spawn(sync::work(sync, sync_settings(config), stopping.clone())));
        }
        if config.tasks.enabled {
            let context = tasks::Context {
                pool: acting_pool.clone(),
                wecom: admin.wecom.clone(),
                media: admin.media.clone(),
                handover: handover_settings(config),
                kf: self.kf.clone(),
                archive: self.archive.clone(),
            };
            started.extend(tasks::start(&context, &tasks_settings(config), options, stopping));
            started.push(tokio::spawn(tasks::kf::poll::run(acting_pool.clone(), self.kf.clone(), stopping.clone())));
        }
        started
    }
}
