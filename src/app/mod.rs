//! Assembles the whole program: what `serve`, `demo` and the tests start.

mod database;

mod settings;

mod storing;

mod background;

pub use database::{acting_pool, connect, connect_options, migrate};
pub use settings::{backups, retention, wecom_settings};

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgPool;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::Instant};
use uuid::Uuid;

use background::{Background, Parts, Running};
use settings::{admin_settings, assignment_rules, backup_schedule, kf_settings, limits};
use storing::{open_spool, start_inbox, take_kept};

use crate::{
    admin::{
        self, Admin, Lookups,
        door::{browser::Browser, guard::Guard},
    },
    apps::Apps,
    config::Config,
    inbox::{Recording, Wake},
    media::MediaStore,
    server::{self, AdminDoor, CallbackDoor, Health, Proxies, Told},
    tasks, telemetry,
    vault::Vault,
    wecom::Wecom,
};

/// What the admin API says of itself, for the command line, which prints it and imports nothing of `admin`.
pub mod api {
    pub use crate::admin::spec::{code::Code, language::Language, openapi::document};
}

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
    /// The committer, and the drainer if there is a spool.
    storing: Vec<JoinHandle<()>>,
    background: Background,
    upkeep: JoinHandle<()>,
    acting_pool: PgPool,
}

/// Tells every part to stop when dropped, so that nothing goes on after a start that failed.
struct Stop(watch::Sender<bool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

impl App {
    /// Connects, migrates, and opens the listeners. Returns once callbacks and administrators can connect.
    ///
    /// A lock in the database guards the migrations, so any number of processes may start at once. If the database is
    /// away, and the apps were kept, callbacks go to the spool, and the rest follows when the database is back.
    pub async fn start(config: &Config, database: &SecretString, vault: Arc<Vault>) -> anyhow::Result<Self> {
        // The listeners come first: a busy port is the most likely mistake and should be reported before waiting for
        // the database.
        let public = match config.callback.enabled {
            true => Some(server::bind(config.public_listen, "--public-listen").await?),
            false => None,
        };
        let inner = server::bind(config.admin_listen, "--admin-listen").await?;
        let addresses = (public.as_ref().map(TcpListener::local_addr).transpose()?, inner.local_addr()?);

        let options = connect_options(database)?;
        let pool = database::pool(&options, config.database.pool_max);
        let spool = open_spool(config, &vault).await;
        let keep_in = spool.as_ref().map(|_| config.spool_location());
        let apps = Apps::new(pool.clone(), vault.clone(), keep_in.as_deref());
        let cold = spool.is_some() && database::is_away(&options).await && take_kept(&apps).await;
        if !cold {
            database::connected(&pool).await?;
            database::prepare(config, &options, &pool).await?;
            apps.read_strictly().await?;
        }

        let (stop, stopping) = watch::channel(false);
        let stop = Stop(stop);
        let (prepared, is_prepared) = watch::channel(!cold);
        let wake = Wake::default();
        let (inbox, storing) = start_inbox(config, &options, &wake, spool, (is_prepared.clone(), stopping.clone()));
        // The client for WeCom reads its tokens through this pool, too.
        let acting_pool = acting_pool(config, &options);
        let wecom = Wecom::new(&wecom_settings(config), acting_pool.clone(), vault.clone())?;
        let media = MediaStore::new(&config.media_location(), config.media.bytes_max).context("media.location")?;
        let backups = backups(config, database, &vault, &media);
        let archive = settings::archive(config, &vault)?;
        let admin_half = Arc::new(admin_half(config, pool.clone(), vault, apps.clone(), wecom, media));

        let (tasks_said, tasks_state) = watch::channel(Value::Null);
        let (alerts_said, alerts) = watch::channel(Value::Null);
        let (backups_said, backup) = watch::channel(Value::Null);
        let (kf_said, kf) = watch::channel(Value::Null);
        let (archive_said, archive_state) = watch::channel(tasks::archive_off());
        let (metrics, recording) = (telemetry::metrics(), Recording::default());
        let told = Told { tasks: tasks_state, alerts, backup, kf, archive: archive_state };
        let health = Health::new(pool, metrics.clone(), &inbox, recording.clone(), told);
        let parts = Parts {
            config: config.clone(),
            options,
            acting_pool: acting_pool.clone(),
            admin_half: admin_half.clone(),
            wake,
            recording,
            backups,
            backup_schedule: backup_schedule(config)?,
            kf: kf_settings(config)?,
            kf_said,
            archive,
            archive_said,
            tasks_said,
            alerts_said,
            backups_said,
            stopping: stopping.clone(),
        };
        let (limits, proxies) = (limits(config), Proxies::new(config.http.trusted_networks()?));
        let door = AdminDoor::new(admin_half.clone(), health, limits.clone(), proxies.clone(), is_prepared);
        let mut doors = vec![tokio::spawn(server::serve(inner, Arc::new(door), limits.clone(), stopping.clone()))];
        if let Some(listener) = public {
            let door = Arc::new(CallbackDoor::new(apps, inbox, limits.clone(), proxies));
            doors.push(tokio::spawn(server::serve(listener, door, limits, stopping)));
        }
        let background = if cold { Background::start_later(parts, prepared) } else { Background::start(parts) };
        let upkeep = tokio::spawn(telemetry::upkeep(metrics));
        let (public, admin) = addresses;
        Ok(Self { public, admin, admin_half, stop, doors, storing, background, upkeep, acting_pool })
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
        let Running { workers, followers } = self.background.end_start().await;
        // The listeners hold the inbox open: once they are gone, the committer finishes its work and ends.
        for mut task in self.doors.into_iter().chain(self.storing).chain(workers) {
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
        for follower in followers.iter().chain([&self.upkeep]) {
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

fn admin_half(config: &Config, pool: PgPool, vault: Arc<Vault>, apps: Apps, wecom: Wecom, media: MediaStore) -> Admin {
    Admin {
        pool,
        vault,
        apps,
        wecom,
        media,
        settings: admin_settings(config),
        guard: Guard::default(),
        lookups: Lookups::default(),
        rules: assignment_rules(config),
        contact_way_life: TimeDelta::days(config.matching.contact_way_days.into()),
    }
}
