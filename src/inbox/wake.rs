//! Wakes the recording half when there is something to do, and tells it when callbacks wait for their commit.
//!
//! Within a process a wake is a flag; between processes it is a NOTIFY. Both are hints: workers also poll, so a lost
//! one costs [`POLL_EVERY`] and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::sync::Notify;

/// The channel on which processes notify each other of new deliveries.
const CHANNEL: &str = "wecomd_inbox";

/// How long a sleeping worker waits before it polls.
pub const POLL_EVERY: Duration = Duration::from_secs(1);

/// Time between attempts to listen again after the connection was lost.
const LISTEN_RETRY: Duration = Duration::from_secs(2);

/// If so many callbacks of this process wait for their commit, they are a burst: recording gives way to them.
const BURST: usize = 16;

/// Tells the other processes that there are new deliveries.
pub(super) async fn tell_others(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, '')", CHANNEL).execute(conn).await?;
    Ok(())
}

/// A wake-up signal for any number of workers.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    notify: Notify,
    waiting: AtomicUsize,
}

/// A callback that waits for its commit, until it is dropped.
#[derive(Debug)]
pub(super) struct WaitingCallback<'a>(&'a AtomicUsize);

impl Drop for WaitingCallback<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Wake {
    /// Wakes all sleeping workers, and the next one that goes to sleep.
    pub fn ring(&self) {
        self.0.notify.notify_waiters();
        self.0.notify.notify_one();
    }

    /// Counts a callback that waits for its commit.
    pub(super) fn callback_waits(&self) -> WaitingCallback<'_> {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        WaitingCallback(&self.0.waiting)
    }

    /// Whether a burst of callbacks waits for its commit in this process.
    pub fn is_burst(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) >= BURST
    }

    /// Returns when rung, or after [`POLL_EVERY`].
    pub async fn sleep(&self) {
        let _ = tokio::time::timeout(POLL_EVERY, self.0.notify.notified()).await;
    }

    /// Rings whenever another process announces a stored delivery. Never returns.
    pub async fn listen(self, options: PgConnectOptions) {
        loop {
            if let Err(error) = self.relay(&options).await {
                tracing::warn!(error = %error, "not listening for new deliveries; polling until the database is back");
            }
            tokio::time::sleep(LISTEN_RETRY).await;
        }
    }

    async fn relay(&self, options: &PgConnectOptions) -> sqlx::Result<()> {
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            listener.recv().await?;
            self.ring();
        }
    }
}
