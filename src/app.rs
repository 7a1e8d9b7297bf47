//! Assembles the whole program: what `serve`, `demo` and the tests start.

use std::{net::SocketAddr, str::FromStr, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use uuid::Uuid;

use crate::{
    admin::{
        self, Admin, AdminSettings, Lookups,
        door::{browser::Browser, guard::Guard},
    },
    apps::Apps,
    backup::{self, Backups},
    config::{self, Config},
    handover,
    housekeeping::{self, Housekeeper},
    ids::StaffId,
    inbox::{Inbox, Recording, Wake},
    media::MediaStore,
    orders::assignment::Rules,
    privacy::{self, Eraser, Retention},
    server::{self, AdminDoor, BodyRoom, CallbackDoor, Health, Limits, Proxies},
    sync::{self, Sync},
    tables::{
        MIGRATOR,
        access::access_log::months,
        orders::{contact_flow_setting, work_order::Patience},
        plans,
    },
    tasks, telemetry,
    vault::Vault,
    wecom::{self, Wecom},
    worker::{self, Worker},
};

/// What the admin API says of itself, for the command line, which prints it and imports nothing of `admin`.
pub mod api {
    pub use crate::admin::spec::{code::Code, language::Language, openapi::document};
}

/// How long a start waits for a database that is itself only starting.
const DATABASE_START_LIMIT: Duration = Duration::from_secs(30);

/// Time between two attempts to reach it.
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// How long a stop waits for all parts together: listeners, committer, workers, tasks. Each of them has its own,
/// shorter limit.
const PARTS_STOP_LIMIT: Duration = Duration::from_secs(15);

/// How long writing the last counts may take after that.
const LAST_COUNTS_LIMIT: Duration = Duration::from_secs(2);

/// How long closing the database connections may take.
const POOLS_CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The warning if the last counts cannot be written.
const LAST_COUNTS_LOST: &str =
    "refused requests and uses of previous callback keys of the last seconds are not counted";

/// How long a statement of the admin API may take.
const ADMIN_STATEMENT_LIMIT: &str = "15s";

/// How long a request of the admin API waits for a connection.
const POOL_LIMIT: Duration = Duration::from_secs(5);

/// How many connections the executors need besides one per task: for the worker pools, and to count the queue.
const WORKER_POOLS_SPARE: u32 = 5;

/// How many connections housekeeping and the search for reconciling runs need.
const KEEPERS: u32 = 2;

/// How long after the call's own limit a call that moves customers counts as unanswered, so that its outcome is asked
/// about.
const OUTCOME_SPARE: Duration = Duration::from_secs(15);

/// A running wecomd.
pub struct App {
    /// The callback listener's address, if this process accepts callbacks.
    pub public: Option<SocketAddr>,
    /// The admin listener's address.
    pub admin: SocketAddr,
    /// The administration, for callers within the same process.
    pub admin_half: Arc<Admin>,
    stop: Stop,
    doors: Vec<JoinHandle<()>>,
    committer: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    followers: Vec<JoinHandle<()>>,
    acting_pool: PgPool,
}

/// Tells every part to stop when dropped, so that nothing goes on after a start that failed.
struct Stop(watch::Sender<bool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// Options for connections to the database that a URL names.
pub fn connect_options(url: &SecretString) -> anyhow::Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_| anyhow::anyhow!("the database URL is not of the form postgres://user:password@host/database"))?;
    Ok(options.application_name("wecomd"))
}

/// A pool of connections, once the database answers; retried while the database is starting.
pub async fn connect(options: &PgConnectOptions, pool_max: u32) -> anyhow::Result<PgPool> {
    // Statements are planned for their actual values: a generic plan would lock every partition.
    let options = plans::fresh(options.clone()).options([("statement_timeout", ADMIN_STATEMENT_LIMIT)]);
    let pool = PgPoolOptions::new().max_connections(pool_max).acquire_timeout(POOL_LIMIT).connect_lazy_with(options);
    let began = std::time::Instant::now();
    loop {
        match pool.acquire().await {
            Ok(_) => return Ok(pool),
            Err(error) if began.elapsed() > DATABASE_START_LIMIT || is_final(&error) => {
                return Err(error).context("cannot reach the database; check database_url (DATABASE_URL)");
            }
            Err(error) => {
                tracing::info!(error = %error, "waiting for the database");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
        }
    }
}

/// Migrates the database to this program's schema, however long that takes. A lock in the database lets any number of
/// processes do it at once.
pub async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut conn = PgConnection::connect_with(options).await?;
    MIGRATOR.run(&mut conn).await.context("the database cannot be brought to this program's schema")?;
    Ok(conn.close().await?)
}

impl App {
    /// Connects, migrates, and opens the listeners. Returns once callbacks and administrators can connect.
    ///
    /// A lock in the database guards the migrations, so any number of processes may start at once.
    pub async fn start(config: &Config, database: &SecretString, vault: Arc<Vault>) -> anyhow::Result<Self> {
        // The listeners come first: a busy port is the most likely mistake and should be reported before waiting for
        // the database.
        let public = match config.callback.enabled {
            true => Some(server::bind(config.public_listen, "--public-listen").await?),
            false => None,
        };
        let inner = server::bind(config.admin_listen, "--admin-listen").await?;
        let addresses = (public.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?, inner.local_addr()?);

        let options = connect_options(database)?;
        let pool = connect(&options, config.database.pool_max).await?;
        migrate(&options).await?;
        housekeeping::partitions::prepare(&options).await;
        let apps = Apps::load(pool.clone(), vault.clone()).await?;

        let metrics = telemetry::metrics();
        let (stop, stopping) = watch::channel(false);
        let stop = Stop(stop);
        let wake = Wake::default();
        let (inbox, committer) = Inbox::start(options.clone(), wake.clone());
        // The client for WeCom reads its tokens through this pool, too.
        let acting_pool = acting_pool(config, &options);
        let wecom = Wecom::new(&wecom_settings(config), acting_pool.clone(), vault.clone())?;
        let media = MediaStore::new(&config.media_location(), config.media.bytes_max).context("media.location")?;
        prepare_tables(config, &pool).await?;
        let backups = backups(config, database, &vault, &media);
        let admin_half = Arc::new(admin_half(config, pool.clone(), vault, apps.clone(), wecom, media));

        let (limits, proxies) = (limits(config), Proxies::new(config.http.trusted_networks()?));
        let (said, tasks_said) = watch::channel(serde_json::Value::Null);
        let (backups_said, backup) = watch::channel(serde_json::Value::Null);
        let recording = Recording::default();
        let health =
            Health::new(pool.clone(), metrics.clone(), inbox.commit_status(), recording.clone(), tasks_said, backup);
        let admin_door = Arc::new(AdminDoor::new(admin_half.clone(), health, limits.clone(), proxies.clone()));
        let mut doors = vec![tokio::spawn(server::serve(inner, admin_door, limits.clone(), stopping.clone()))];
        if let Some(listener) = public {
            let door = Arc::new(CallbackDoor::new(apps.clone(), inbox, limits.clone(), proxies));
            doors.push(tokio::spawn(server::serve(listener, door, limits, stopping.clone())));
        }
        let backup_schedule = backup_schedule(config)?;
        let mut workers = workers(config, &options, &wake, &recording, &stopping);
        workers.push(tokio::spawn(housekeeping::partitions::work(options.clone(), stopping.clone())));
        if let Some(schedule) = backup_schedule.clone() {
            workers.push(tokio::spawn(backup::work(backups, schedule, stopping.clone())));
        }
        workers.extend(acting(config, &options, &acting_pool, &admin_half, &stopping));
        let followers = vec![
            tokio::spawn(tasks::watch(acting_pool.clone(), said)),
            tokio::spawn(backup::watch(pool, backup_schedule, backups_said)),
            tokio::spawn(apps.follow()),
            tokio::spawn(admin::note(admin_half.clone())),
            tokio::spawn(wake.listen(options)),
            tokio::spawn(telemetry::upkeep(metrics)),
        ];
        let (public, admin) = addresses;
        Ok(Self { public, admin, admin_half, stop, doors, committer, workers, followers, acting_pool })
    }

    /// Sends a request to the admin API as a caller over the network would: the status, and the body. `target` is the
    /// path below `/api/enterprise-wechat`, with its query.
    pub async fn ask_admin(
        &self,
        token: &SecretString,
        method: &str,
        target: &str,
        body: Option<Value>,
    ) -> (u16, Bytes) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = admin::Request {
            method: method.to_owned(),
            path: format!("/api/enterprise-wechat{path}"),
            query: query.to_owned(),
            bearer: Some(token.clone()),
            browser: Browser::default(),
            body: body.map(|it| it.to_string().into()).unwrap_or_default(),
            range: None,
            idempotency_key: None,
            accept: None,
            if_match: None,
            address: "127.0.0.1".to_owned(),
            request_id: Uuid::now_v7(),
        };
        let reply = match admin::admit(&self.admin_half, request).await {
            Ok(admitted) => admin::handle(&self.admin_half, admitted).await,
            Err(refused) => refused,
        };
        (reply.status, reply.body.into_bytes())
    }

    /// Stops accepting, answers what is in hand, settles what is claimed.
    ///
    /// It returns within [`PARTS_STOP_LIMIT`], [`LAST_COUNTS_LIMIT`] and [`POOLS_CLOSE_LIMIT`] together, even if the
    /// database hangs: a part that does not end by then is aborted, and its claims are taken over later.
    pub async fn stop(self) {
        drop(self.stop);
        let deadline = Instant::now() + PARTS_STOP_LIMIT;
        // The listeners hold the inbox open: once they are gone, the committer finishes its work and ends.
        for mut task in self.doors.into_iter().chain([self.committer]).chain(self.workers) {
            match tokio::time::timeout_at(deadline, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(error = %error, "a part of the program failed"),
                Err(_) => {
                    tracing::error!(
                        "a part of the program did not stop in time; what it had claimed is taken again later"
                    );
                    task.abort();
                }
            }
        }
        for follower in &self.followers {
            follower.abort();
        }
        let last_counts = async {
            admin::note_refused(&self.admin_half).await;
            self.admin_half.apps.write_previous().await
        };
        match tokio::time::timeout(LAST_COUNTS_LIMIT, last_counts).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %error, "{LAST_COUNTS_LOST}"),
            Err(_) => tracing::warn!("{LAST_COUNTS_LOST}: the database does not answer"),
        }
        let close = async {
            self.acting_pool.close().await;
            self.admin_half.pool.close().await;
        };
        if tokio::time::timeout(POOLS_CLOSE_LIMIT, close).await.is_err() {
            tracing::warn!("some connections to the database were cut off: it does not answer");
        }
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections_max: config.http.connections_max,
        header_timeout: Duration::from_millis(config.http.header_timeout_ms),
        body_timeout: Duration::from_millis(config.http.body_timeout_ms),
        body_bytes_max: config.http.body_bytes_max,
        body_room: BodyRoom::default(),
    }
}

/// Prepares the tables before use: stores the settings that statements read, and makes the access log's next month.
async fn prepare_tables(config: &Config, pool: &PgPool) -> anyhow::Result<()> {
    let mut conn = pool.acquire().await?;
    contact_flow_setting::save(&mut conn, &config.matching.order, &config.assignment.order_url).await?;
    if let Err(error) = months::ensure(&mut conn).await {
        tracing::warn!(error = %error, "the access log's next month could not be made yet");
    }
    Ok(())
}

fn admin_half(config: &Config, pool: PgPool, vault: Arc<Vault>, apps: Apps, wecom: Wecom, media: MediaStore) -> Admin {
    let settings = AdminSettings {
        key_overlap: TimeDelta::hours(config.callback.key_overlap_hours.into()),
        acceptance: config.handover.acceptance,
        handover_url: config.handover.page_url.clone(),
        public_url: config.wecom.public_url.trim_end_matches('/').to_owned(),
    };
    Admin {
        pool,
        vault,
        apps,
        wecom,
        media,
        settings,
        guard: Guard::default(),
        lookups: Lookups::default(),
        rules: assignment_rules(config),
        contact_way_life: TimeDelta::days(config.matching.contact_way_days.into()),
    }
}

/// Starts the background work that is enabled in this process: housekeeping, erasing, retention, reconciling, tasks.
fn acting(
    config: &Config,
    options: &PgConnectOptions,
    acting_pool: &PgPool,
    admin: &Admin,
    stopping: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let mut started = Vec::new();
    if config.worker.enabled {
        let housekeeper = Housekeeper::new(acting_pool.clone(), admin.wecom.clone(), admin.rules.clone());
        started.push(tokio::spawn(housekeeper.run(stopping.clone())));
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
        };
        started.extend(tasks::start(&context, &tasks_settings(config), options, stopping));
    }
    started
}

fn assignment_rules(config: &Config) -> Rules {
    let assignment = &config.assignment;
    let minutes = |minutes: u32| i32::try_from(minutes).unwrap_or(i32::MAX);
    let patience = Patience {
        pick_up_minutes: minutes(assignment.pick_up_minutes),
        escalate_minutes: minutes(assignment.escalate_minutes),
    };
    let escalate_to = Some(assignment.escalate_to.as_str()).filter(|it| !it.is_empty()).map(StaffId::from);
    Rules { automatic: assignment.automatic, patience, escalate_to }
}

fn handover_settings(config: &Config) -> handover::Settings {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    handover::Settings {
        poll_first: seconds(config.handover.poll_first_seconds),
        poll_max: seconds(config.handover.poll_max_seconds),
        // A call may be made twice, if its token had expired, and may wait for its permit before.
        outcome_after: Duration::from_millis(config.wecom.timeout_ms) * 2 + OUTCOME_SPARE,
    }
}

fn sync_settings(config: &Config) -> sync::Settings {
    let schedule = sync::Schedule { every_hours: config.sync.every_hours, at_hour: config.sync.at_hour };
    sync::Settings { schedule }
}

/// The configured inputs of backups.
pub fn backups(config: &Config, database: &SecretString, vault: &Arc<Vault>, media: &MediaStore) -> Backups {
    let config::Backup { keep, media: with_media, .. } = config.backup;
    let settings = backup::Settings { location: config.backup_location(), keep, media: with_media, programs: None };
    Backups { database: database.clone(), vault: vault.clone(), media: media.clone(), settings }
}

/// The configured schedule of backups, if they are enabled.
fn backup_schedule(config: &Config) -> anyhow::Result<Option<backup::Schedule>> {
    let schedule = config.backup.enabled.then(|| backup::Schedule::parse(&config.backup.schedule));
    schedule.transpose().map_err(anyhow::Error::msg).context("backup.schedule")
}

/// The configured retention.
pub fn retention(config: &Config, pool: PgPool, media: MediaStore) -> Retention {
    let config::Retention { plaintext_days, records_months, media_days, access_log_months } = config.retention;
    let settings = privacy::Settings { plaintext_days, records_months, media_days, access_log_months };
    Retention { pool, media, settings }
}

/// The configured client for WeCom.
pub fn wecom_settings(config: &Config) -> wecom::Settings {
    let proxy = Some(config.wecom.proxy.clone()).filter(|it| !it.expose_secret().is_empty());
    let timeout = Duration::from_millis(config.wecom.timeout_ms);
    let budget = wecom::Limits {
        corp_per_second: config.wecom.corp_per_second,
        path_per_second: config.wecom.path_per_second,
        concurrency: config.wecom.concurrency,
    };
    wecom::Settings { base_url: config.wecom.base_url.clone(), proxy, timeout, budget }
}

fn workers(
    config: &Config,
    options: &PgConnectOptions,
    wake: &Wake,
    recording: &Recording,
    stopping: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let count = if config.worker.enabled { config.worker.workers } else { 0 };
    let settings = worker::Settings { batch_max: config.worker.batch_max, attempts_max: config.worker.attempts_max };
    let worker = || Worker::new(options.clone(), settings.clone()).report_to(recording.clone());
    (0..count).map(|_| tokio::spawn(worker().run(wake.clone(), stopping.clone()))).collect()
}

fn tasks_settings(config: &Config) -> tasks::Settings {
    let config::Tasks { welcome, notify_staff, refresh, fetch_media, handover, .. } = config.tasks;
    tasks::Settings { welcome, notify_staff, refresh, fetch_media, handover }
}

/// Connections for background work: as many as it ever needs at once, so that a greeting never waits for one. Their
/// plans are fixed.
pub fn acting_pool(config: &Config, options: &PgConnectOptions) -> PgPool {
    let options = plans::fixed(options.clone()).options([("statement_timeout", ADMIN_STATEMENT_LIMIT)]);
    let connections = tasks_settings(config).total() + WORKER_POOLS_SPARE + sync::CONNECTIONS + KEEPERS;
    PgPoolOptions::new().max_connections(connections).acquire_timeout(POOL_LIMIT).connect_lazy_with(options)
}

/// Whether waiting cannot help: wrong password, unknown database or user, TLS refused.
fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("28") || code == "3D000"),
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => true,
        _ => false,
    }
}
