//! The content of a backup: a manifest, pg_dump's output, and the files of the media store, one after the other.
//!
//! It is a stream of records, `kind | length u32 | bytes`, so nothing has to be kept in memory and no length is
//! needed in advance. An invalid record is an error: only a holder of the key can have written it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    BackupError,
    seal::{Reader, Writer},
};

/// The facts that the rest of a backup must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The moment of the database's snapshot.
    pub made_at: DateTime<Utc>,
    /// The version of wecomd that made it.
    pub wecomd: String,
    /// pg_dump's major version: an older pg_restore cannot read its output.
    pub pg_dump: u32,
    /// The migrations that the database had.
    pub migrations: Vec<i64>,
    /// How many rows each table had.
    pub tables: BTreeMap<String, i64>,
    /// The roles in its grants.
    pub roles: Vec<String>,
}

/// A file of the media store, or only its description if its bytes are not in the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Medium {
    /// Its name within the store.
    pub(super) location: String,
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// The SHA-256 of its bytes, in hex.
    pub(super) sha256: String,
    /// Whether its bytes follow.
    pub(super) held: bool,
}

/// A record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The first record.
    Manifest(Box<Manifest>),
    /// Bytes of the database's dump, or of the file named last.
    Bytes(Vec<u8>),
    /// The dump is complete.
    DumpEnds,
    /// A file of the media store begins.
    Medium(Medium),
    /// The last record: how many files there were.
    End(u64),
}

/// Appends a record.
pub(super) async fn write(writer: &mut Writer, record: &Record) -> Result<(), BackupError> {
    let json;
    let (kind, bytes): (u8, &[u8]) = match record {
        Record::Bytes(bytes) => (BYTES, bytes),
        Record::DumpEnds => (DUMP_ENDS, &[]),
        Record::Manifest(manifest) => {
            json = serde_json::to_vec(manifest).unwrap_or_default();
            (MANIFEST, &json)
        }
        Record::Medium(medium) => {
            json = serde_json::to_vec(medium).unwrap_or_default();
            (MEDIUM, &json)
        }
        Record::End(count) => {
            json = count.to_be_bytes().to_vec();
            (END, &json)
        }
    };
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    writer.write(&[kind]).await?;
    writer.write(&length).await?;
    writer.write(bytes).await
}

/// A backup read as records.
pub(super) struct Records {
    reader: Reader,
    /// Decrypted bytes that are not read yet, and the position of the first.
    opened: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Records {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, opened: Vec::new(), at: 0, ended: false }
    }

    /// The next record; none after the end. A file that ends earlier is an error.
    pub(super) async fn next(&mut self) -> Result<Option<Record>, BackupError> {
        if self.ended {
            return Ok(None);
        }
        let head = self.take(HEAD_BYTES).await?;
        let (kind, length) = head.split_first().ok_or_else(|| self.odd())?;
        let length = u32::from_be_bytes(length.try_into().map_err(|_| self.odd())?);
        if length > RECORD_BYTES_MAX {
            return Err(self.odd());
        }
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX)).await?;
        let record = match *kind {
            BYTES => Record::Bytes(bytes),
            DUMP_ENDS => Record::DumpEnds,
            MANIFEST => Record::Manifest(serde_json::from_slice(&bytes).map_err(|_| self.odd())?),
            MEDIUM => Record::Medium(serde_json::from_slice(&bytes).map_err(|_| self.odd())?),
            END => Record::End(u64::from_be_bytes(bytes.try_into().map_err(|_| self.odd())?)),
            _ => return Err(self.odd()),
        };
        self.ended = matches!(record, Record::End(_));
        Ok(Some(record))
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, BackupError> {
        while self.opened.len() - self.at < length {
            let Some(chunk) = self.reader.next().await? else { return Err(self.odd()) };
            self.opened.drain(..self.at);
            self.at = 0;
            self.opened.extend_from_slice(&chunk);
        }
        let taken = self.opened.get(self.at..self.at + length).unwrap_or_default().to_vec();
        self.at += length;
        Ok(taken)
    }

    fn odd(&self) -> BackupError {
        let what = "its records make no sense".to_owned();
        BackupError::Altered { path: self.reader.path().to_owned(), what }
    }
}

/// How many bytes of the dump, or of a file, go into one record.
pub(super) const PART_BYTES: usize = 1 << 20;

/// The longest valid record: the manifest names every table, but no row.
const RECORD_BYTES_MAX: u32 = 16 << 20;

/// Kind and length.
const HEAD_BYTES: usize = 5;

const MANIFEST: u8 = 1;
const BYTES: u8 = 2;
const DUMP_ENDS: u8 = 3;
const MEDIUM: u8 = 4;
const END: u8 = 5;
