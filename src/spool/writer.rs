//! Writes records into segments: a group at once, one fdatasync, into a file that was filled with zeros before.
//!
//! A spare segment is always prepared by a thread of its own, so that the next one begins without a wait, and a full
//! disk shows while all is well. After a failed write or sync a file is not written again, because the kernel may have
//! dropped its pages; the group goes into the next segment. It blocks, and runs on the spool's thread.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use chrono::Utc;

use super::{
    folder::{self, Folder, SegmentFile, private},
    segment::{COPY_AT, Header, RECORDS_AT, Record, Sealer, TooLong, record_bytes},
    state::State,
};
use crate::vault::{Vault, VaultError};

/// The length of a segment, unless the spool may have less than four of them, or a single record is longer.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// A spool has room for at least so many segments, so that it can be written while it is read.
const SEGMENTS_MIN: u64 = 4;

/// How many zeros are written at once.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The memory for a group that is kept for the next one.
const BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// Why callbacks were not taken.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk refuses.
    #[error("the spool's disk: {0}")]
    Disk(#[from] io::Error),
    /// `spool.bytes_max` is reached.
    #[error("the spool is full: {bytes} bytes wait, of {bytes_max} (spool.bytes_max)")]
    Full {
        /// How many bytes wait in the folder of this process.
        bytes: u64,
        /// How many may.
        bytes_max: u64,
    },
    /// The disk did not answer in time.
    #[error("the spool's disk does not answer")]
    Silent,
    /// The master key cannot be used.
    #[error(transparent)]
    Key(#[from] VaultError),
    /// A callback is too long.
    #[error("a callback is too long for the spool")]
    TooLong,
}

impl From<TooLong> for SpoolError {
    fn from(_: TooLong) -> Self {
        Self::TooLong
    }
}

/// Writes the segments of one folder.
pub(super) struct Writer {
    folder: Arc<Folder>,
    vault: Arc<Vault>,
    state: Arc<State>,
    bytes_max: u64,
    segment_bytes: u64,
    current: Option<Segment>,
    spare: Spare,
    next_number: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// Writes into this folder, at most `bytes_max` bytes of waiting segments.
    pub(super) fn new(folder: Arc<Folder>, vault: Arc<Vault>, state: Arc<State>, bytes_max: u64) -> io::Result<Self> {
        let next_number = folder.next_number()?;
        let segment_bytes = SEGMENT_BYTES.min(bytes_max / SEGMENTS_MIN);
        let mut writer = Self {
            folder,
            vault,
            state,
            bytes_max,
            segment_bytes,
            current: None,
            spare: Spare::None,
            next_number,
            buffer: Vec::new(),
        };
        writer.prepare_spare();
        Ok(writer)
    }

    /// Writes and syncs records. When it fails, some of them may be on disk all the same.
    pub(super) fn append(&mut self, mut records: &[Record]) -> Result<(), SpoolError> {
        let mut tried_again = false;
        while !records.is_empty() {
            match self.append_some(records) {
                Ok(count) => records = records.get(count..).unwrap_or_default(),
                Err(SpoolError::Disk(error)) if !tried_again => {
                    tracing::warn!(error = %error, "a segment of the spool cannot be written; trying the next one");
                    tried_again = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the current segment: what comes next goes into a new one.
    pub(super) fn close(&mut self) {
        self.current = None;
        self.state.close();
    }

    /// Makes a spare segment if there is none, and notes whether there is one.
    pub(super) fn tend(&mut self) -> Result<(), SpoolError> {
        match std::mem::take(&mut self.spare) {
            Spare::Preparing(thread) if thread.is_finished() => {
                let spare = joined(thread).inspect_err(|error| self.state.no_spare(error))?;
                self.spare = Spare::Ready(Box::new(spare));
            }
            Spare::None => self.prepare_spare(),
            spare => self.spare = spare,
        }
        if matches!(self.spare, Spare::Ready(_)) {
            self.state.spare_is_ready();
        }
        Ok(())
    }

    /// Writes as many records as the current segment has room for, and syncs; returns how many that were.
    fn append_some(&mut self, records: &[Record]) -> Result<usize, SpoolError> {
        let Some(first) = records.first() else { return Ok(0) };
        let mut segment = match self.current.take().filter(|it| it.room() >= record_bytes(first)) {
            Some(segment) => segment,
            None => self.next_segment(record_bytes(first))?,
        };
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_MAX);
        let (mut count, mut length) = (0, 0);
        for (index, record) in (segment.index..).zip(records) {
            length += record_bytes(record);
            if length > segment.room() {
                break;
            }
            segment.sealer.seal(index, segment.index, record, &mut self.buffer)?;
            count += 1;
        }
        // If it fails, the segment is dropped here, and never written again.
        segment.write(&self.buffer, count)?;
        self.current = Some(segment);
        Ok(count)
    }

    /// Begins a segment with room for a record of that length.
    fn next_segment(&mut self, record: u64) -> Result<Segment, SpoolError> {
        self.close();
        let length = self.segment_bytes.max(RECORDS_AT + record);
        // What a process that is gone left to this one takes none of its room.
        let bytes = self.state.own_bytes();
        if bytes + length > self.bytes_max {
            return Err(SpoolError::Full { bytes, bytes_max: self.bytes_max });
        }
        let (from, segment) = if length == self.segment_bytes {
            (self.folder.spare(), self.take_spare()?)
        } else {
            let path = self.folder.path().join("long");
            let number = self.number();
            let segment = Segment::create(&self.vault, &path, number, length)?;
            (path, segment)
        };
        let path = self.folder.segment(segment.number);
        // Announced before it exists, so that nobody takes it for a segment that nobody writes.
        self.state.begin(&path, length, Utc::now());
        let begun = fs::rename(from, &path).and_then(|()| self.folder.sync());
        self.prepare_spare_if_none();
        begun.inspect_err(|_| self.state.remove(&path))?;
        Ok(segment)
    }

    /// The spare segment, as soon as it is prepared.
    fn take_spare(&mut self) -> Result<Segment, SpoolError> {
        self.prepare_spare_if_none();
        match std::mem::take(&mut self.spare) {
            Spare::Ready(segment) => Ok(*segment),
            Spare::Preparing(thread) => joined(thread),
            Spare::None => Err(SpoolError::Silent),
        }
    }

    fn prepare_spare_if_none(&mut self) {
        if matches!(self.spare, Spare::None) {
            self.prepare_spare();
        }
    }

    fn prepare_spare(&mut self) {
        let (folder, vault, length, number) =
            (self.folder.clone(), self.vault.clone(), self.segment_bytes, self.number());
        self.spare = Spare::Preparing(thread::spawn(move || {
            let segment = Segment::create(&vault, &folder.spare(), number, length)?;
            folder.sync()?;
            Ok(segment)
        }));
    }

    fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        number
    }
}

/// The segment that is used next.
#[derive(Default)]
enum Spare {
    /// There is none.
    #[default]
    None,
    /// A thread makes it.
    Preparing(JoinHandle<Result<Segment, SpoolError>>),
    /// It is made.
    Ready(Box<Segment>),
}

fn joined(spare: JoinHandle<Result<Segment, SpoolError>>) -> Result<Segment, SpoolError> {
    spare.join().unwrap_or(Err(SpoolError::Silent))
}

/// A segment that is being written.
struct Segment {
    file: File,
    sealer: Sealer,
    number: u64,
    /// The index of the next record.
    index: u64,
    /// Where it goes.
    at: u64,
    /// Where the segment ends.
    end: u64,
}

impl Segment {
    /// Makes a file of so many zeros with a header, and syncs it.
    fn create(vault: &Vault, path: &Path, number: u64, length: u64) -> Result<Self, SpoolError> {
        let header = Header::new(vault, number);
        let sealer = Sealer::new(vault, &header)?;
        let made = || {
            let file = private().create(true).truncate(true).write(true).open(path)?;
            fill(&file, length)?;
            file.write_all_at(&header.encode(), 0)?;
            file.write_all_at(&header.encode(), COPY_AT)?;
            file.sync_all()?;
            Ok(file)
        };
        // Half a file would only take room that is needed.
        let file = made().inspect_err(|_: &io::Error| drop(fs::remove_file(path)))?;
        Ok(Self { file, sealer, number, index: 0, at: RECORDS_AT, end: length })
    }

    fn room(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// Writes `count` sealed records and syncs them.
    fn write(&mut self, sealed: &[u8], count: usize) -> io::Result<()> {
        self.file.write_all_at(sealed, self.at)?;
        self.file.sync_data()?;
        self.at += sealed.len() as u64;
        self.index += count as u64;
        Ok(())
    }
}

/// Keeps records that the database refused in this file, which is not read again. If it is there already, because not
/// all of its segment could be stored the last time, it is replaced.
pub(super) fn refuse(vault: &Vault, file: &SegmentFile, records: &[Record]) -> Result<(), SpoolError> {
    let mut segment = Segment::create(vault, &file.path, file.number, 0)?;
    let mut sealed = Vec::new();
    for (index, record) in (0..).zip(records) {
        segment.sealer.seal(index, 0, record, &mut sealed)?;
    }
    segment.write(&sealed, records.len())?;
    Ok(folder::sync_parent(&file.path)?)
}

/// Fills a file with zeros. Reserved but unwritten blocks would make each sync ten times as slow.
fn fill(file: &File, length: u64) -> io::Result<()> {
    let mut at = 0;
    while at < length {
        let piece = ZEROS.len().min(usize::try_from(length - at).unwrap_or(usize::MAX));
        file.write_all_at(ZEROS.get(..piece).unwrap_or_default(), at)?;
        at += piece as u64;
    }
    Ok(())
}

/// The place of a folder's spare segment and of an unfinished long one: remains of an earlier process.
pub(super) fn remains(folder: &Folder) -> [PathBuf; 2] {
    [folder.spare(), folder.path().join("long")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failed_write_the_group_goes_into_the_next_segment() {
        let location = std::env::temp_dir().join(format!("wecomd-writer-{}", std::process::id()));
        fs::create_dir_all(&location).expect("a folder");
        let folder = Arc::new(Folder::first_free(&location).expect("a folder"));
        let (vault, state) = (Arc::new(Vault::random()), Arc::new(State::new(folder.path())));
        let mut writer = Writer::new(folder, vault, state.clone(), 1 << 20).expect("a writer");
        let record = Record {
            app_id: 1,
            app_name: "service".to_owned(),
            received_at: Utc::now(),
            plaintext: b"<xml/>".to_vec(),
        };
        writer.append(std::slice::from_ref(&record)).expect("written");
        let segment = writer.current.as_mut().expect("a segment");
        let (number, path) = (segment.number, writer.folder.segment(segment.number));
        // Nothing can be written through this.
        segment.file = File::open(&path).expect("there");
        writer.append(&[record.clone(), record]).expect("written elsewhere");
        let segment = writer.current.as_ref().expect("another segment");
        assert!(segment.number > number && segment.index == 2, "{}", segment.number);
        assert_eq!(state.closed(), [path], "the first one can be read");
        drop(writer);
        // The thread that prepares the spare may still write into it.
        let _ = fs::remove_dir_all(&location);
    }
}
