//! The committer's results, from which `/readyz` tells whether callbacks can be stored.
//!
//! One delivery that the database refuses says nothing about the next one. Storing counts as broken if several
//! different deliveries were refused with nothing stored in between, or after an error that no delivery can cause.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::trouble::{is_of_all, is_refusal, said};
use crate::time_limit::DatabaseFailure;

/// How long one failed commit keeps `/readyz` red without asking the database again.
const FAILURE_COUNTS_FOR: Duration = Duration::from_secs(10);

/// If this many different deliveries were refused with nothing stored in between, the deliveries are not the cause.
const REFUSED_MIN: usize = 3;

/// The results of the last groups. Cheap to clone; holds no connection.
#[derive(Debug, Clone, Default)]
pub struct CommitStatus(Arc<Mutex<Commits>>);

#[derive(Debug, Default)]
struct Commits {
    /// The hashes of deliveries that were refused since one was stored, up to [`REFUSED_MIN`].
    refused: BTreeSet<[u8; 32]>,
    failure: Option<Failure>,
}

/// The last failure to store, with nothing stored since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    at: Instant,
    /// SQLSTATE and message.
    pub said: String,
}

impl Failure {
    /// Whether it is recent enough to count without a trial write.
    pub fn is_fresh(&self) -> bool {
        self.at.elapsed() <= FAILURE_COUNTS_FOR
    }
}

impl CommitStatus {
    /// The last failure, if nothing was stored since.
    pub fn failure(&self) -> Option<Failure> {
        self.commits().failure.clone()
    }

    /// Something was stored.
    pub(super) fn stored(&self) {
        *self.commits() = Commits::default();
    }

    /// These deliveries could not be stored, and nothing else was.
    pub(super) fn not_stored<'a>(&self, error: &DatabaseFailure, hashes: impl Iterator<Item = &'a [u8; 32]>) {
        let mut commits = self.commits();
        let room = REFUSED_MIN.saturating_sub(commits.refused.len());
        if error.is(is_refusal) {
            let new: Vec<_> = hashes.filter(|it| !commits.refused.contains(*it)).take(room).copied().collect();
            commits.refused.extend(new);
        }
        if !error.is(is_refusal) || error.is(is_of_all) || commits.refused.len() >= REFUSED_MIN {
            commits.failure = Some(Failure { at: Instant::now(), said: said(error) });
        }
    }

    /// Neither the database nor the spool took callbacks, and this is what the spool said.
    pub(super) fn not_kept(&self, said: String) {
        self.commits().failure = Some(Failure { at: Instant::now(), said });
    }

    /// Clears this failure after a successful trial. A newer failure stays.
    pub fn mended(&self, failure: &Failure) {
        let mut commits = self.commits();
        if commits.failure.as_ref() == Some(failure) {
            *commits = Commits::default();
        }
    }

    fn commits(&self) -> MutexGuard<'_, Commits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal that the delivery itself may have caused.
    fn refusal() -> DatabaseFailure {
        sqlx::Error::Encode("too long".into()).into()
    }

    #[test]
    fn repeated_refusals_of_one_delivery_are_no_commit_failure() {
        let commit_status = CommitStatus::default();
        for _ in 0..10 {
            commit_status.not_stored(&refusal(), [[1; 32]].iter());
        }
        assert_eq!(commit_status.failure(), None);
    }

    #[test]
    fn several_refused_deliveries_in_a_row_are_a_failure_until_one_is_stored() {
        let commit_status = CommitStatus::default();
        for byte in 1..=2 {
            commit_status.not_stored(&refusal(), [[byte; 32]].iter());
        }
        commit_status.stored();
        for byte in 3..=4 {
            commit_status.not_stored(&refusal(), [[byte; 32]].iter());
        }
        assert_eq!(commit_status.failure(), None, "one was stored in between");
        commit_status.not_stored(&refusal(), [[5; 32]].iter());
        assert!(commit_status.failure().is_some_and(|it| it.said.contains("too long") && it.is_fresh()));
        commit_status.stored();
        assert_eq!(commit_status.failure(), None);
    }

    #[test]
    fn a_database_error_is_a_failure_until_a_later_trial_succeeds() {
        let commit_status = CommitStatus::default();
        let silent = DatabaseFailure::TimedOut { what: "storing a group", limit: Duration::from_secs(4) };
        commit_status.not_stored(&silent, [[1; 32]].iter());
        let first = commit_status.failure().expect("a failure");
        assert_eq!(first.said, "storing a group took longer than 4s");
        commit_status.not_stored(&sqlx::Error::PoolClosed.into(), [[1; 32]].iter());
        commit_status.mended(&first);
        let second = commit_status.failure().expect("the newer one stands");
        commit_status.mended(&second);
        assert_eq!(commit_status.failure(), None);
    }
}
