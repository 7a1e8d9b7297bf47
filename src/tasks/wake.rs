//! Wakes executors when there is an urgent task. This is only a hint: executors also poll.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{Notify, watch};

use crate::{changes::TaskKind, tables::task::CHANNEL};

/// Time between attempts to listen again after the connection was lost.
const LISTEN_RETRY: Duration = Duration::from_secs(2);

/// A wake-up signal for each kind of task. Several unanswered rings count as one.
#[derive(Debug, Clone)]
pub struct Bells(Arc<[(TaskKind, Notify)]>);

impl Bells {
    /// Bells that have not been rung.
    pub fn new() -> Self {
        Self(TaskKind::ALL.iter().map(|kind| (*kind, Notify::new())).collect())
    }

    /// Wakes the executor of that kind, now or when it would next sleep.
    pub fn ring(&self, kind: TaskKind) {
        self.0.iter().filter(|(it, _)| *it == kind).for_each(|(_, bell)| bell.notify_one());
    }

    /// Returns at a ring for any of these, or after `longest`.
    pub(super) async fn sleep(&self, kinds: &[TaskKind], longest: Duration) {
        // Only the first kind of a worker pool is ever urgent. A pool of several polls often enough for the others.
        let bell = self.0.iter().find(|(kind, _)| kinds.first() == Some(kind));
        match bell {
            Some((_, bell)) => drop(tokio::time::timeout(longest, bell.notified()).await),
            None => tokio::time::sleep(longest).await,
        }
    }

    /// Rings whenever a process announces an urgent task, until told to stop.
    pub(super) async fn listen(self, options: PgConnectOptions, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                relayed = self.relay(&options) => {
                    if let Err(error) = relayed {
                        tracing::warn!(error = %error, "not listening for urgent tasks; polling until the database is back");
                    }
                }
                _ = stop.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(LISTEN_RETRY) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn relay(&self, options: &PgConnectOptions) -> sqlx::Result<()> {
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        // Covers announcements made while the connection was down.
        TaskKind::ALL.iter().for_each(|kind| self.ring(*kind));
        loop {
            let told = listener.recv().await?;
            if let Ok(kind) = told.payload().parse() {
                self.ring(kind);
            }
        }
    }
}

impl Default for Bells {
    fn default() -> Self {
        Self::new()
    }
}
