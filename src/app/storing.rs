//! How this process stores callbacks: the spool, the apps that are known without a database, committer and drainer.

use std::{fmt::Display, sync::Arc};

use sqlx::postgres::PgConnectOptions;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    apps::Apps,
    config::Config,
    inbox::{Inbox, Spooling, Wake},
    spool::{self, Spool},
    vault::Vault,
};

/// The spool, if callbacks are accepted and it is enabled. A disk that refuses it does not stop the program, which then
/// does without.
pub(super) async fn open_spool(config: &Config, vault: &Arc<Vault>) -> Option<Spool> {
    if !config.callback.enabled || !config.spool.enabled {
        report_left(config).await;
        return None;
    }
    let settings = spool::Settings { location: config.spool_location(), bytes_max: config.spool.bytes_max };
    let vault = vault.clone();
    let refused = |error: &dyn Display| {
        let location = config.spool_location();
        tracing::error!(
            location = %location.display(), error = %error,
            "there is no spool: while the database is away, callbacks are not answered"
        );
    };
    match tokio::task::spawn_blocking(move || Spool::open(&settings, vault)).await {
        Ok(opened) => opened.inspect_err(|error| refused(error)).ok(),
        Err(error) => {
            refused(&error);
            None
        }
    }
}

/// Says so if callbacks wait in a spool that neither this process nor another one on this machine reads.
async fn report_left(config: &Config) {
    let location = config.spool_location();
    match tokio::task::spawn_blocking(move || spool::left_waiting(&location)).await {
        Ok(Ok(0)) | Err(_) => {}
        Ok(Ok(segments)) => tracing::error!(
            location = %config.spool_location().display(), segments,
            "callbacks wait in the spool, and this process does not read it: run `wecomd serve` with spool.enabled = \
             true and without --no-callback until `wecomd spool status` counts none"
        ),
        Ok(Err(error)) => tracing::warn!(
            location = %config.spool_location().display(), error = %error,
            "cannot look whether callbacks wait in the spool, which this process does not read"
        ),
    }
}

/// Takes the apps that were kept for a start without a database; whether any is enabled.
pub(super) async fn take_kept(apps: &Apps) -> bool {
    let kept = apps.clone();
    match tokio::task::spawn_blocking(move || kept.read_kept()).await {
        Ok(Ok(Some(enabled))) if enabled > 0 => {
            tracing::warn!(
                apps = enabled,
                "the database is away; callbacks of the apps that were kept go to the spool"
            );
            true
        }
        Ok(Ok(_)) | Err(_) => false,
        Ok(Err(error)) => {
            tracing::error!(error = %error, "the apps that were kept cannot be read");
            false
        }
    }
}

/// Starts the committer, and the drainer if there is a spool. `migrated` says whether the database has this program's
/// schema.
pub(super) fn start_inbox(
    config: &Config,
    options: &PgConnectOptions,
    wake: &Wake,
    spool: Option<Spool>,
    (migrated, stopping): (watch::Receiver<bool>, watch::Receiver<bool>),
) -> (Inbox, Vec<JoinHandle<()>>) {
    match spool {
        Some(spool) => {
            let spooling = Spooling { spool, patience: config.spool.patience(), migrated, stopping };
            let (inbox, tasks) = Inbox::spooling(options.clone(), wake.clone(), spooling);
            (inbox, tasks.into())
        }
        None => {
            let (inbox, committer) = Inbox::start(options.clone(), wake.clone());
            (inbox, vec![committer])
        }
    }
}
