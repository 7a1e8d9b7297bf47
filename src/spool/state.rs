//! What a process knows of its spool while it runs: which segments wait, whether it takes callbacks.
//!
//! It reads no file. Writer and drainer report here; probes, metrics and the drainer ask.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

/// The segments and the last problem.
#[derive(Debug, Default)]
pub(super) struct State(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    segments: BTreeMap<PathBuf, Waiting>,
    /// The segment that is being written.
    active: Option<PathBuf>,
    problem: Option<String>,
    /// Why there is no spare segment.
    no_spare: Option<String>,
}

/// A segment that waits for the database.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    bytes: u64,
    /// When its first record arrived, as far as that is known.
    since: Option<DateTime<Utc>>,
}

impl State {
    /// A segment waits for the database.
    pub(super) fn add(&self, path: PathBuf, bytes: u64, since: Option<DateTime<Utc>>) {
        self.kept().segments.insert(path, Waiting { bytes, since });
    }

    /// A new segment is about to be written.
    pub(super) fn begin(&self, path: &Path, bytes: u64, since: DateTime<Utc>) {
        let mut kept = self.kept();
        kept.segments.insert(path.to_owned(), Waiting { bytes, since: Some(since) });
        kept.active = Some(path.to_owned());
    }

    /// No segment is being written any more.
    pub(super) fn close(&self) {
        self.kept().active = None;
    }

    /// A segment is gone, so there is room again.
    pub(super) fn remove(&self, path: &Path) {
        let mut kept = self.kept();
        kept.segments.remove(path);
        kept.problem = None;
    }

    /// The segments that are not being written, oldest first.
    pub(super) fn closed(&self) -> Vec<PathBuf> {
        let kept = self.kept();
        let mut closed: Vec<_> = kept.segments.iter().filter(|(path, _)| Some(*path) != kept.active.as_ref()).collect();
        closed.sort_by_key(|(path, waiting)| (waiting.since, *path));
        closed.into_iter().map(|(path, _)| path.clone()).collect()
    }

    /// Whether a segment in this folder waits.
    pub(super) fn any_in(&self, folder: &Path) -> bool {
        self.kept().segments.keys().any(|it| it.starts_with(folder))
    }

    /// Whether a segment is being written.
    pub(super) fn is_writing(&self) -> bool {
        self.kept().active.is_some()
    }

    /// The size of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.kept().segments.values().map(|it| it.bytes).sum()
    }

    /// When the oldest record arrived.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.kept().segments.values().filter_map(|it| it.since).min()
    }

    /// Why the last callbacks were not taken, or the next ones may not be; none if all is well.
    pub(super) fn problem(&self) -> Option<String> {
        let kept = self.kept();
        kept.problem.clone().or_else(|| kept.no_spare.clone())
    }

    /// Notes why there is no spare segment, or that there is one.
    pub(super) fn note_spare(&self, problem: Option<String>) {
        self.kept().no_spare = problem;
    }

    /// Notes why callbacks are not taken, or that they are.
    pub(super) fn note(&self, problem: Option<String>) {
        self.kept().problem = problem;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
