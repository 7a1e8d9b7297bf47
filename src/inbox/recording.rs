//! The workers' progress in this process, from which `/readyz` tells whether recording stands still, and why.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::trouble::said;
use crate::time_limit::DatabaseFailure;

/// A worker that fails for longer than this counts as halted; a shorter failure may be a database restart.
const HALT_AFTER: Duration = Duration::from_secs(5);

/// Shared by the workers of a process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Recording(Arc<Mutex<Option<Halt>>>);

#[derive(Debug)]
struct Halt {
    since: Instant,
    said: String,
}

impl Recording {
    /// A worker took a step.
    pub fn goes_on(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A worker could not take a step.
    pub fn failed(&self, error: &DatabaseFailure) {
        let mut halt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = halt.as_ref().map_or_else(Instant::now, |it| it.since);
        *halt = Some(Halt { since, said: said(error) });
    }

    /// The last database error, if no worker could take a step for a while.
    pub fn halted(&self) -> Option<String> {
        self.halted_for(HALT_AFTER)
    }

    fn halted_for(&self, least: Duration) -> Option<String> {
        let halt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halt.as_ref().filter(|it| it.since.elapsed() >= least).map(|it| it.said.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_keep_failing_count_as_halted_until_one_succeeds() {
        let recording = Recording::default();
        assert_eq!(recording.halted_for(Duration::ZERO), None);
        recording.failed(&sqlx::Error::PoolClosed.into());
        recording.failed(&DatabaseFailure::TimedOut { what: "recording a batch", limit: Duration::from_secs(60) });
        assert_eq!(recording.halted(), None, "it has only begun");
        let said = recording.halted_for(Duration::ZERO).expect("a reason");
        assert_eq!(said, "recording a batch took longer than 60s", "the latest reason counts");
        recording.goes_on();
        assert_eq!(recording.halted_for(Duration::ZERO), None);
    }
}
