//! Wakes the recording half when there is something to do.
//!
//! Within a process a wake is a flag; between processes it is a NOTIFY. Both are hints: workers also poll, so a lost
//! one costs [`POLL_EVERY`] and nothing else.

use std::{sync::Arc, time::Duration};

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

/// Tells the other processes that there are new deliveries.
pub(super) async fn tell_others(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, '')", CHANNEL).execute(conn).await?;
    Ok(())
}

/// A wake-up signal for any number of workers.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes all sleeping workers, and the next one that goes to sleep.
    pub fn ring(&self) {
        self.0.notify_waiters();
        self.0.notify_one();
    }

    /// Returns when rung, or after [`POLL_EVERY`].
    pub async fn sleep(&self) {
        let _ = tokio::time::timeout(POLL_EVERY, self.0.notified()).await;
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
