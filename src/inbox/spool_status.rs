//! The status of the spool, from which `/readyz` and the metrics tell where callbacks go. It reads no file.

use chrono::{TimeDelta, Utc};

use super::mode::Mode;
use crate::spool::Spool;

/// Where callbacks go, and how much waits. Cheap to clone.
#[derive(Clone)]
pub struct SpoolStatus {
    spool: Spool,
    mode: Mode,
}

impl SpoolStatus {
    pub(super) fn new(spool: Spool, mode: Mode) -> Self {
        Self { spool, mode }
    }

    /// Whether callbacks go to the spool without asking the database.
    pub fn is_spooling(&self) -> bool {
        self.mode.is_spooling()
    }

    /// Why the spool does not take callbacks; none if it does.
    pub fn problem(&self) -> Option<String> {
        self.spool.problem()
    }

    /// The size of the segments that wait for the database.
    pub fn bytes(&self) -> u64 {
        self.spool.bytes()
    }

    /// For how long the oldest callback in the spool has waited.
    pub fn age(&self) -> TimeDelta {
        self.spool.oldest().map_or_else(TimeDelta::zero, |at| (Utc::now() - at).max(TimeDelta::zero()))
    }
}
