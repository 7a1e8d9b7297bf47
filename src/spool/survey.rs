//! What lies in a spool, looked at from outside: for the command line, also while other processes use it.
//!
//! It changes and makes nothing. To see whether a folder is held it shares the lock for a moment.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    folder::{self, Folder, REFUSED},
    reader::key_id,
};

/// One folder of the spool.
#[derive(Debug)]
pub struct FolderView {
    /// Its path.
    pub path: PathBuf,
    /// Whether a process holds it.
    pub held: bool,
    /// Its segments, by name.
    pub segments: Vec<SegmentView>,
}

/// One segment.
#[derive(Debug)]
pub struct SegmentView {
    /// Its path.
    pub path: PathBuf,
    /// Why it is there.
    pub holding: Holding,
    /// Its size.
    pub bytes: u64,
    /// When it was last written.
    pub written_at: SystemTime,
    /// The id of the master key under which it was written; none if its header is damaged.
    pub key_id: Option<u32>,
}

/// Why a segment is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Its callbacks wait for the database.
    Waiting,
    /// The database refused its callbacks.
    Refused,
    /// Some of its records were damaged; the whole ones are in the inbox.
    Damaged,
}

/// The folders of a location; none if nothing was ever spooled there. It blocks.
pub fn folder_views(location: &Path) -> io::Result<Vec<FolderView>> {
    folder::folders(location)?.into_iter().map(folder_view).collect()
}

/// How many segments wait for the database in folders that no running process holds. It blocks.
pub fn left_waiting(location: &Path) -> io::Result<usize> {
    let left = folder_views(location)?.into_iter().filter(|it| !it.held).flat_map(|it| it.segments);
    Ok(left.filter(|it| it.holding == Holding::Waiting).count())
}

fn folder_view(path: PathBuf) -> io::Result<FolderView> {
    let held = Folder::is_held(&path)?;
    let mut found: Vec<_> = folder::files(&path)?.into_iter().filter(|it| folder::is_segment(it)).collect();
    found.sort();
    let mut segments = Vec::new();
    for path in found {
        match segment_view(path) {
            // It was read to its end and deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            segment => segments.push(segment?),
        }
    }
    Ok(FolderView { path, held, segments })
}

fn segment_view(path: PathBuf) -> io::Result<SegmentView> {
    let metadata = path.metadata()?;
    let refused = path.file_name().and_then(|it| it.to_str()).is_some_and(|it| it.starts_with(REFUSED));
    let holding = match refused {
        _ if folder::is_bad(&path) => Holding::Damaged,
        true => Holding::Refused,
        false => Holding::Waiting,
    };
    let key_id = key_id(&path)?;
    Ok(SegmentView { path, holding, bytes: metadata.len(), written_at: metadata.modified()?, key_id })
}
