//! What a process knows of its spool while it runs: which segments wait, whether it takes callbacks.
//!
//! It reads no file. Writer and drainer report here; probes, metrics and the drainer ask.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::writer::SpoolError;

/// The segments and the last problem.
#[derive(Debug)]
pub(super) struct State {
    /// The folder that this process writes into.
    own: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    segments: BTreeMap<PathBuf, Waiting>,
    /// The segment that is being written.
    active: Option<PathBuf>,
    problem: Option<Problem>,
    /// Why there is no spare segment.
    no_spare: Option<String>,
}

/// Why callbacks were not taken.
#[derive(Debug)]
struct Problem {
    says: String,
    /// Whether there was no room: only a deleted segment mends that, and nothing else needs one.
    is_full: bool,
}

/// A segment that waits for the database.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    bytes: u64,
    /// When its first record arrived, as far as that is known.
    since: Option<DateTime<Utc>>,
}

impl State {
    /// No segment waits yet, in this folder or in any other.
    pub(super) fn new(own: &Path) -> Self {
        Self { own: own.to_owned(), kept: Mutex::default() }
    }

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

    /// A segment is gone. If it was an own one, there is room again.
    pub(super) fn remove(&self, path: &Path) {
        let mut kept = self.kept();
        kept.segments.remove(path);
        let own = path.starts_with(&self.own);
        kept.problem.take_if(|it| it.is_full && own);
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

    /// The size of the segments in the own folder.
    pub(super) fn own_bytes(&self) -> u64 {
        self.kept().segments.iter().filter(|(path, _)| path.starts_with(&self.own)).map(|(_, it)| it.bytes).sum()
    }

    /// When the oldest record arrived.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.kept().segments.values().filter_map(|it| it.since).min()
    }

    /// Why the last callbacks were not taken, or the next ones may not be; none if all is well.
    pub(super) fn problem(&self) -> Option<String> {
        let kept = self.kept();
        kept.problem.as_ref().map(|it| it.says.clone()).or_else(|| kept.no_spare.clone())
    }

    /// Notes why there is no spare segment.
    pub(super) fn no_spare(&self, error: &SpoolError) {
        self.kept().no_spare = Some(error.to_string());
    }

    /// Notes that a spare segment could be made, so the disk takes callbacks again.
    pub(super) fn spare_is_ready(&self) {
        let mut kept = self.kept();
        kept.no_spare = None;
        kept.problem.take_if(|it| !it.is_full);
    }

    /// Notes why callbacks are not taken, or that they are.
    pub(super) fn note(&self, problem: Option<&SpoolError>) {
        let problem =
            problem.map(|it| Problem { says: it.to_string(), is_full: matches!(it, SpoolError::Full { .. }) });
        self.kept().problem = problem;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
