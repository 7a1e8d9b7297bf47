//! Writes the media store's files into a backup, and restores them.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    BackupError,
    content::{self, Medium, PART_BYTES, Record},
    seal::Writer,
};
use crate::{
    media::{MediaStore, Name, StoreError},
    tables::upkeep::backup,
};

/// How many files are read from the database at once.
const PAGE: i64 = 1_000;

/// Writes the media store's files into a backup.
pub(super) struct Files {
    media: MediaStore,
    read: bool,
    /// How many were written.
    pub(super) kept: u64,
    bad: u64,
    first_bad: Option<String>,
}

impl Files {
    /// `read` says whether to include their bytes, which requires a store in a folder of this machine.
    pub(super) fn new(media: MediaStore, read: bool) -> Self {
        let read = read && media.is_folder();
        Self { media, read, kept: 0, bad: 0, first_bad: None }
    }

    /// Writes every file that the database names; returns how many there are. A file that cannot be read, or has
    /// changed, is counted: it must not keep the database from being saved.
    pub(super) async fn write(
        &mut self,
        conn: &mut PgConnection,
        writer: &mut Writer,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, BackupError> {
        let (mut listed, mut after) = (0, (String::new(), String::new()));
        loop {
            let page = backup::media(conn, (&after.0, &after.1), PAGE).await?;
            let Some(last) = page.last() else { return Ok(listed) };
            after = (last.corpid.clone(), last.media_id.clone());
            for row in page {
                listed += 1;
                let bytes = u64::try_from(row.bytes).unwrap_or_default();
                let medium = Medium { location: row.location, bytes, sha256: hex::encode(row.sha256), held: false };
                self.add(medium, writer, seen).await?;
            }
        }
    }

    async fn add(
        &mut self,
        medium: Medium,
        writer: &mut Writer,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<(), BackupError> {
        if !self.read {
            return content::write(writer, &Record::Medium(medium)).await;
        }
        let mut read = 0;
        let mut hash = Sha256::new();
        loop {
            let end = medium.bytes.min(read + PART_BYTES as u64);
            let part = match self.media.read(&medium.location, read..end).await {
                Ok(part) => part,
                Err(error) => return self.skip(medium, read > 0, error, writer).await,
            };
            if read == 0 {
                content::write(writer, &Record::Medium(Medium { held: true, ..medium.clone() })).await?;
            }
            hash.update(&part);
            read += part.len() as u64;
            seen(part.len() as u64);
            let ends = part.is_empty() || read >= medium.bytes;
            content::write(writer, &Record::Bytes(part.to_vec())).await?;
            if ends {
                break;
            }
        }
        if hex::encode(hash.finalize()) == medium.sha256 {
            self.kept += 1;
        } else {
            self.note(medium.location, "is not what it was");
        }
        Ok(())
    }

    async fn skip(
        &mut self,
        medium: Medium,
        begun: bool,
        error: StoreError,
        writer: &mut Writer,
    ) -> Result<(), BackupError> {
        self.note(medium.location.clone(), &error.to_string());
        // A file that was begun stays too short, which a restore notices.
        if begun { Ok(()) } else { content::write(writer, &Record::Medium(medium)).await }
    }

    fn note(&mut self, location: String, why: &str) {
        tracing::warn!(location, why, "a file of the media store is not in the backup");
        self.bad += 1;
        self.first_bad.get_or_insert(location);
    }

    /// Describes the missing files.
    pub(super) fn lacking(&self) -> Option<String> {
        let first = self.first_bad.as_ref()?;
        Some(format!("{} files of the media store could not be saved, the first is {first}", self.bad))
    }
}

/// A file that is being restored part by part.
pub(super) struct Incoming {
    medium: Medium,
    /// The destination; none if it is only compared.
    store: Option<(MediaStore, Name)>,
    /// The part received last: only when another follows is it known not to be the last.
    last: Vec<u8>,
    parts: u64,
    bytes: u64,
    hash: Sha256,
}

impl Incoming {
    /// Begins a file whose parts follow.
    pub(super) fn new(medium: Medium, store: Option<&MediaStore>) -> Result<Self, BackupError> {
        let named = |it: &MediaStore| Ok((it.clone(), Name::at(&medium.location)?));
        let store = store.map(named).transpose().map_err(refused(&medium.location))?;
        Ok(Self { medium, store, last: Vec::new(), parts: 0, bytes: 0, hash: Sha256::new() })
    }

    /// Adds the next part.
    pub(super) async fn add(&mut self, part: Vec<u8>) -> Result<(), BackupError> {
        if self.bytes > 0 {
            if let Some((store, name)) = &self.store {
                let last = std::mem::take(&mut self.last).into();
                store.keep_part(name, self.parts, last).await.map_err(refused(&self.medium.location))?;
            }
            self.parts += 1;
        }
        self.hash.update(&part);
        self.bytes += part.len() as u64;
        self.last = part;
        Ok(())
    }

    /// Completes the file and stores it; returns its location if it differs from the original.
    pub(super) async fn finish(self) -> Result<Result<(), String>, BackupError> {
        let same = self.bytes == self.medium.bytes && hex::encode(self.hash.finalize()) == self.medium.sha256;
        let Some((store, name)) = self.store else {
            return Ok(if same { Ok(()) } else { Err(self.medium.location) });
        };
        if !same {
            store.discard(&name).await;
            return Ok(Err(self.medium.location));
        }
        let kept = store.complete(&name, self.parts, self.last.into()).await;
        kept.map(|_| Ok(())).map_err(refused(&self.medium.location))
    }
}

fn refused(location: &str) -> impl FnOnce(StoreError) -> BackupError {
    let location = location.to_owned();
    move |source| BackupError::Media { location, source }
}
