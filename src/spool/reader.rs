//! Reads a segment: every whole record, past damaged places, and what is missing.
//!
//! A record that cannot be read and has nothing valid behind it is the end of a write that a crash cut off: nobody was
//! answered for it. Damage is a record that is missing although a later group was synced: then it had been answered.
//! The reader changes no file.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::segment::{
    COPY_AT, FRAME_BYTES, Frame, HEADER_BYTES, Header, Opened, RECORD_MAGIC, RECORDS_AT, Record, Sealer,
};
use crate::vault::{Vault, VaultError};

/// How many bytes are read from the file at once, unless a record is longer.
const WINDOW_BYTES: usize = 64 * 1024;

/// If a read fails, it is tried in pieces of this size, so that one unreadable sector hides no more than that.
const SECTOR_BYTES: usize = 4_096;

/// How much a search for the next record moves on at once.
const SEARCH_BYTES: usize = WINDOW_BYTES - FRAME_BYTES;

/// What a piece of a segment that was never written consists of.
static ZEROS: [u8; WINDOW_BYTES] = [0; WINDOW_BYTES];

/// Why a segment cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refuses.
    #[error("{path}: {source}")]
    File {
        /// The segment.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Neither the header nor its copy is whole.
    #[error("{0} is not a segment, or both copies of its header are damaged")]
    NoHeader(PathBuf),
    /// It was written under a master key that is missing.
    #[error("{path}: {source}")]
    Key {
        /// The segment.
        path: PathBuf,
        /// Which key.
        source: VaultError,
    },
}

/// What was read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Whole records.
    pub records: u64,
    /// Records that were synced and are missing or damaged.
    pub damaged: u64,
    /// Whether something follows the last whole record: a write that was cut off, and never answered.
    pub torn: bool,
}

/// A segment that is being read, record by record.
pub struct Reader {
    window: Window,
    sealer: Sealer,
    /// Where the next record is expected.
    at: u64,
    /// Its index.
    next_index: u64,
    /// Indices that were passed over: from, and up to but without.
    missing: Vec<(u64, u64)>,
    /// Everything below this index was synced before a record that was read.
    synced_below: u64,
    records: u64,
    torn: bool,
}

impl Reader {
    /// Opens a segment.
    pub fn open(path: &Path, vault: &Vault) -> Result<Self, ReadError> {
        let failed = |source| ReadError::File { path: path.to_owned(), source };
        let mut window = Window::new(File::open(path).map_err(failed)?).map_err(failed)?;
        let header = header_in(&mut window).ok_or_else(|| ReadError::NoHeader(path.to_owned()))?;
        let sealer = Sealer::new(vault, &header).map_err(|source| ReadError::Key { path: path.to_owned(), source })?;
        Ok(Self {
            window,
            sealer,
            at: RECORDS_AT,
            next_index: 0,
            missing: Vec::new(),
            synced_below: 0,
            records: 0,
            torn: false,
        })
    }

    /// The next records, at most `records_max` with `bytes_max` bytes of plaintext, but at least one; none at the end.
    pub fn batch(&mut self, records_max: usize, bytes_max: usize) -> Vec<Record> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < records_max && bytes < bytes_max {
            let Some(record) = self.next_record() else { break };
            bytes += record.plaintext.len();
            batch.push(record);
        }
        batch
    }

    /// The next record; none at the end.
    pub fn next_record(&mut self) -> Option<Record> {
        loop {
            if let Some((frame, opened)) = self.record_here() {
                if frame.index > self.next_index {
                    self.missing.push((self.next_index, frame.index));
                }
                self.synced_below = self.synced_below.max(opened.group);
                self.next_index = frame.index.saturating_add(1);
                self.at = end_of(self.at, &frame);
                self.records += 1;
                return Some(opened.record);
            }
            self.at = self.next_frame()?;
        }
    }

    /// What was read so far; complete once there is no further record.
    pub fn found(&self) -> Found {
        let synced = |(from, to): &(u64, u64)| (*to).min(self.synced_below).saturating_sub(*from);
        let damaged = self.missing.iter().map(synced).sum();
        Found { records: self.records, damaged, torn: self.torn }
    }

    /// The record where one is expected; none if it is not whole, or was read before.
    fn record_here(&mut self) -> Option<(Frame, Opened)> {
        let frame = self.sealer.frame(self.window.bytes(self.at, FRAME_BYTES))?;
        if frame.index < self.next_index || end_of(self.at, &frame) > self.window.length {
            return None;
        }
        let sealed = self.window.bytes(self.at + FRAME_BYTES as u64, frame.length);
        Some((frame, self.sealer.open(frame.index, sealed)?))
    }

    /// The place of the next record whose check holds, behind the current place; none if there is no other.
    fn next_frame(&mut self) -> Option<u64> {
        let mut from = self.at.saturating_add(1);
        let mut written = self.window.bytes(self.at, 1) != [0; 1];
        while from < self.window.length {
            // Each piece overlaps the next one by a frame, so that none is missed between two.
            let piece = self.window.bytes(from, WINDOW_BYTES);
            if !ZEROS.starts_with(piece) {
                written = true;
                let starts = piece.windows(RECORD_MAGIC.len()).enumerate().filter(|(_, it)| *it == RECORD_MAGIC);
                let mut frames = starts.filter_map(|(at, _)| Some((at, self.sealer.frame(piece.get(at..)?)?)));
                if let Some((at, _)) = frames.find(|(_, frame)| frame.index >= self.next_index) {
                    return Some(from + at as u64);
                }
            }
            from += SEARCH_BYTES as u64;
        }
        self.torn |= written;
        // A later call finds the end at once.
        self.at = self.window.length;
        None
    }
}

/// The header, or its copy.
fn header_in(window: &mut Window) -> Option<Header> {
    [0, COPY_AT].into_iter().find_map(|at| Header::decode(window.bytes(at, HEADER_BYTES)))
}

/// The id of the master key under which a segment was written; none if it has no whole header.
pub(super) fn key_id(path: &Path) -> io::Result<Option<u32>> {
    Ok(header_in(&mut Window::new(File::open(path)?)?).map(|it| it.key_id))
}

fn end_of(at: u64, frame: &Frame) -> u64 {
    at.saturating_add((FRAME_BYTES + frame.length) as u64)
}

/// A file, and the part of it that was read last.
struct Window {
    file: File,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, start: 0, bytes: Vec::new() })
    }

    /// So many bytes from there, or as many as there are.
    fn bytes(&mut self, at: u64, length: usize) -> &[u8] {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let length = length.min(left);
        let end = at.saturating_add(length as u64);
        if at < self.start || end > self.start.saturating_add(self.bytes.len() as u64) {
            self.bytes.clear();
            self.bytes.shrink_to(WINDOW_BYTES);
            self.bytes.resize(length.max(WINDOW_BYTES).min(left), 0);
            self.start = at;
            if self.file.read_exact_at(&mut self.bytes, at).is_err() {
                self.read_in_sectors();
            }
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        self.bytes.get(from..from.saturating_add(length)).unwrap_or_default()
    }

    /// Reads what can be read; the rest stays zero, and is found to be damaged.
    fn read_in_sectors(&mut self) {
        let mut at = self.start;
        for sector in self.bytes.chunks_mut(SECTOR_BYTES) {
            let length = sector.len() as u64;
            if self.file.read_exact_at(sector, at).is_err() {
                sector.fill(0);
            }
            at += length;
        }
    }
}
