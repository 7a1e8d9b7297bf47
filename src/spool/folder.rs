//! The folders of the spool and the files in them: `<location>/<number>/`, each held by one process through a lock that
//! the system releases when the process ends, however it ends.
//!
//! It knows names and locks. What is in a file is not known here.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::embedded::make_folder;

/// A folder that this process holds until it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// A file with records in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentFile {
    /// Its number; files are read in its order.
    pub(super) number: u64,
    /// Its path.
    pub(super) path: PathBuf,
}

/// How many processes may share a location: each needs a folder.
const FOLDERS_MAX: u32 = 1_000;

/// The locked file.
const LOCK: &str = "lock";

/// A prepared, empty segment.
const SPARE: &str = "spare";

/// The ending of files with records.
const SEGMENT: &str = "seg";

/// The ending of files that had a damaged record, after their whole ones were taken out.
const BAD: &str = "bad";

/// The beginning of the names of files with records that the database refused.
pub(super) const REFUSED: &str = "refused-";

impl Folder {
    /// Takes the first folder that no process holds, and makes it if it is missing.
    pub(super) fn first_free(location: &Path) -> io::Result<Self> {
        for number in 0..FOLDERS_MAX {
            let path = location.join(number.to_string());
            make(&path)?;
            if let Some(folder) = Self::take(&path)? {
                return Ok(folder);
            }
        }
        Err(io::Error::other(format!("{FOLDERS_MAX} other processes use the spool")))
    }

    /// Takes this folder; none if another process holds it.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let lock = private().create(true).truncate(false).write(true).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether a process holds this folder. It makes nothing, so that root may ask about the folder of another user.
    pub(super) fn is_held(path: &Path) -> io::Result<bool> {
        let lock = match File::open(path.join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            lock => lock?,
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The files with records that wait for the database, in the order in which they were written.
    pub(super) fn segments(&self) -> io::Result<Vec<SegmentFile>> {
        let mut found: Vec<_> = files(&self.path)?.into_iter().filter_map(numbered).collect();
        found.sort();
        Ok(found)
    }

    /// A number that no segment of this folder has, or had when it was refused or damaged.
    pub(super) fn next_number(&self) -> io::Result<u64> {
        let numbers = files(&self.path)?.into_iter().filter_map(|path| number_in(&path));
        Ok(numbers.max().unwrap_or(0).saturating_add(1))
    }

    /// Where a segment of that number is.
    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:012}.{SEGMENT}"))
    }

    /// Where the spare segment is.
    pub(super) fn spare(&self) -> PathBuf {
        self.path.join(SPARE)
    }

    /// Makes names that were added, changed or removed durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.path)
    }
}

/// Makes the location and what is missing above it, durably.
pub(super) fn make_location(location: &Path) -> io::Result<()> {
    let missing: Vec<_> = location.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists()).collect();
    make_folder(location).map_err(io::Error::other)?;
    missing.into_iter().try_for_each(sync_parent)
}

/// Makes a folder that only this user may enter.
pub(super) fn make(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_parent(path),
    }
}

/// The folders of a location, in the order of their numbers.
pub(super) fn folders(location: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in files(location)? {
        let number = path.file_name().and_then(|it| it.to_str()).and_then(|it| it.parse::<u32>().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Whether no segment in a folder waits for the database.
pub(super) fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(!files(folder)?.into_iter().any(|path| numbered(path).is_some()))
}

/// Options for files that only this user may read.
pub(super) fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.mode(0o600);
    options
}

/// Renames a file that had a damaged record, so that it is not read again.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    fs::rename(path, path.with_extension(BAD))?;
    sync_parent(path)
}

/// Where those records of a segment are kept that the database refused: in the same folder, under the same number.
pub(super) fn refused_of(segment: &Path) -> SegmentFile {
    let number = number_in(segment).unwrap_or_default();
    SegmentFile { number, path: segment.with_file_name(format!("{REFUSED}{number:012}.{SEGMENT}")) }
}

/// Everything in a folder; nothing if there is no folder.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|it| it.map(|it| it.path())).collect()
}

/// Whether the file had a damaged record.
pub(super) fn is_bad(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == BAD)
}

/// Whether the file is a segment, whatever became of it.
pub(super) fn is_segment(path: &Path) -> bool {
    is_bad(path) || path.extension().is_some_and(|it| it == SEGMENT)
}

/// A segment that waits for the database, by its name.
fn numbered(path: PathBuf) -> Option<SegmentFile> {
    let stem = path.file_stem()?.to_str()?;
    let waits = path.extension().is_some_and(|it| it == SEGMENT) && stem.bytes().all(|it| it.is_ascii_digit());
    let number = stem.parse().ok().filter(|_| waits)?;
    Some(SegmentFile { number, path })
}

/// The number in the name of any segment.
fn number_in(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    stem.strip_prefix(REFUSED).unwrap_or(stem).parse().ok().filter(|_| is_segment(path))
}

/// Makes the name of a file or folder durable, or that it has none any more.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    sync(parent.unwrap_or(Path::new(".")))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
