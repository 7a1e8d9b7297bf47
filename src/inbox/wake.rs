//! Tells the recording half that there is something to do.
//!
//! Within a process a wake is a flag; between processes it is a NOTIFY. Both are hints: whoever waits also polls, so
//! a lost one costs [`POLL_EVERY`] and nothing else.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Notify;

/// The channel on which processes tell each other of new deliveries.
pub(super) const CHANNEL: &str = "wecomd_inbox";

/// How long a sleeping worker waits before it looks by itself.
pub const POLL_EVERY: Duration = Duration::from_secs(1);

/// Between attempts to listen again after the connection was lost.
const LISTEN_RETRY: Duration = Duration::from_secs(2);

/// A doorbell that any number of workers may sleep by.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes everyone who sleeps now, and the next one who would.
    pub fn ring(&self) {
        self.0.notify_waiters();
        self.0.notify_one();
    }

    /// Returns at a ring, or after [`POLL_EVERY`].
    pub async fn sleep(&self) {
        let _ = tokio::time::timeout(POLL_EVERY, self.0.notified()).await;
    }

    /// Rings whenever another process says that it stored something. Never returns.
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
