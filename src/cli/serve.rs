//! `wecomd serve`: the daemon.

use std::{sync::Arc, thread, time::Duration};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::database::Database;
use crate::{app::App, config::Config, telemetry, vault::Vault};

/// The options of `serve` only.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Accept callbacks, but leave recording to other processes
    #[arg(long)]
    no_worker: bool,

    /// Record, but leave accepting to other processes
    #[arg(long)]
    no_callback: bool,

    /// Leave greetings, refreshes and downloads to other processes
    #[arg(long)]
    no_tasks: bool,
}

pub(super) async fn run(mut config: Config, arguments: Arguments) -> anyhow::Result<()> {
    telemetry::logs(&config.log, config.log_json)?;
    config.worker.enabled &= !arguments.no_worker;
    config.callback.enabled &= !arguments.no_callback;
    config.tasks.enabled &= !arguments.no_tasks;
    let vault = Arc::new(Vault::from_env_or_file(config.master_key_file())?);
    let mut stop = Stop::new()?;

    if config.database_url().is_none() {
        tracing::info!(data_dir = %config.data_dir.display(), "no database_url: starting a private PostgreSQL");
    }
    let database = Database::own(&config).await?;
    if let Some(server) = &database.private {
        tracing::info!(log = %server.log_path().display(), pid = server.pid(), "the private PostgreSQL is running");
    }
    let served = tokio::select! {
        app = App::start(&config, &database.url, vault) => match app {
            Ok(app) => {
                announce(&app);
                stop.wait().await;
                tracing::info!("stopping: no new requests, finishing those in hand");
                app.stop().await;
                Ok(())
            }
            Err(error) => Err(error),
        },
        () = stop.wait() => Ok(()),
    };
    match tokio::time::timeout(DATABASE_STOP_LIMIT, database.stop()).await {
        Ok(stopped) => stopped?,
        Err(_) => {
            tracing::warn!("the private PostgreSQL has not stopped yet; it will, or the next start takes it over")
        }
    }
    tracing::info!("stopped");
    served
}

/// How long the stop waits for the private PostgreSQL's last checkpoint.
const DATABASE_STOP_LIMIT: Duration = Duration::from_secs(5);

/// How long after the first signal the process ends in any case. The parts' limits add up to less.
const STOP_LIMIT: Duration = Duration::from_secs(24);

/// SIGTERM or Ctrl-C. After the first of them the process ends within [`STOP_LIMIT`].
pub(super) struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    /// Handles the signals from now on.
    pub(super) fn new() -> std::io::Result<Self> {
        let mut watched = Self::listen()?;
        tokio::spawn(async move {
            watched.wait().await;
            // A thread of its own ends the process even if no task runs any more.
            thread::spawn(|| {
                thread::sleep(STOP_LIMIT);
                eprintln!("wecomd: the stop took longer than {} s and was cut off", STOP_LIMIT.as_secs());
                std::process::exit(1);
            });
        });
        Self::listen()
    }

    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns at the next signal.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn announce(app: &App) {
    if let Some(public) = app.public {
        tracing::info!(address = %public, "callbacks arrive at /callback/{{app}}");
    }
    tracing::info!(address = %app.admin, "administrators arrive at /api/enterprise-wechat/; probes at /livez /readyz /metrics");
}
