//! How callbacks are stored at the moment: directly in the database, or in the spool until it is back.
//!
//! The committer goes over to the spool, and the drainer back. Neither knows the other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// The mode of storing. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Mode(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    spooling: AtomicBool,
    changed: Notify,
}

impl Mode {
    /// Whether callbacks go to the spool without asking the database.
    pub(super) fn is_spooling(&self) -> bool {
        self.0.spooling.load(Ordering::Relaxed)
    }

    /// From now on callbacks go to the spool; whether they did not before.
    pub(super) fn spool(&self) -> bool {
        let begun = !self.0.spooling.swap(true, Ordering::Relaxed);
        if begun {
            self.0.changed.notify_one();
        }
        begun
    }

    /// From now on callbacks go to the database; whether they did not before.
    pub(super) fn direct(&self) -> bool {
        self.0.spooling.swap(false, Ordering::Relaxed)
    }

    /// Returns when callbacks begin to go to the spool, or after this time.
    pub(super) async fn begun_or(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.0.changed.notified()).await;
    }
}
