//! The media store: a folder, or any S3 service.
//!
//! A file arrives in parts, which may be hours apart. Each complete part is an object of its own until the last one
//! arrives; then they are joined under the file's own name and deleted. An interrupted download thus continues where
//! it was, in every store. Names are made here from hashes: nothing that a caller sent becomes part of a path. WeCom
//! and access rights are not known here.

use std::{
    fs::DirBuilder,
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path as Key, prefix::PrefixStore,
};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::ids::CorpId;

/// How often a failed S3 request is repeated.
const RETRIES_MAX: usize = 3;

/// How long S3 requests are repeated: an administrator may be waiting.
const RETRY_LIMIT: Duration = Duration::from_secs(15);

/// Why bytes cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("the media store has no such object any more")]
    Missing,
    /// The store does not work, temporarily or permanently.
    #[error("the media store does not work: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The store of files' bytes. Cheap to clone.
#[derive(Clone)]
pub struct MediaStore(Arc<Inner>);

struct Inner {
    kind: StoreKind,
    /// Opened on first use: a process that fetches nothing needs no folder.
    opened: OnceCell<Arc<dyn ObjectStore>>,
    bytes_max: u64,
}

enum StoreKind {
    Folder(PathBuf),
    Bucket(Arc<dyn ObjectStore>),
}

/// The name of a file, also while it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    whole: Key,
    parts: Key,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name within the store.
    pub location: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl Name {
    /// The name for a corp's media id in the month it was sent.
    pub fn new(corpid: &CorpId, sent_at: DateTime<Utc>, media_id: &str) -> Self {
        let hash = hex::encode(Sha256::digest(media_id));
        let (year, month) = (sent_at.format("%Y").to_string(), sent_at.format("%m").to_string());
        Self {
            whole: Key::from_iter([corpid.as_str(), &year, &month, &hash]),
            parts: Key::from_iter([corpid.as_str(), "parts", &hash]),
        }
    }

    /// The name of a stored file's location, as in [`Kept`].
    pub fn at(location: &str) -> Result<Self, StoreError> {
        let whole = Key::parse(location).map_err(|error| StoreError::Broken(error.into()))?;
        let parts = Key::from_iter(["parts", &hex::encode(Sha256::digest(location))]);
        Ok(Self { whole, parts })
    }

    fn part(&self, number: u64) -> Key {
        self.parts.clone().join(number.to_string())
    }
}

impl MediaStore {
    /// A store in a folder, or at `s3://bucket/prefix` with the environment's S3 settings.
    pub fn new(location: &Path, bytes_max: u64) -> Result<Self, StoreError> {
        let kind = match location.to_str().and_then(|it| it.strip_prefix("s3://")) {
            Some(bucket) => StoreKind::Bucket(open_bucket(bucket)?),
            None => StoreKind::Folder(location.to_owned()),
        };
        Ok(Self(Arc::new(Inner { kind, opened: OnceCell::new(), bytes_max })))
    }

    /// Whether it is a folder of this machine.
    pub fn is_folder(&self) -> bool {
        matches!(self.0.kind, StoreKind::Folder(_))
    }

    /// How large a file may be, in bytes.
    pub fn bytes_max(&self) -> u64 {
        self.0.bytes_max
    }

    /// How many parts of a file are stored from an earlier attempt, without a gap, each of `part_bytes`.
    pub async fn parts(&self, name: &Name, part_bytes: u64) -> Result<u64, StoreError> {
        let store = self.store().await?;
        let mut number = 0;
        loop {
            match store.head(&name.part(number)).await {
                Ok(meta) if meta.size == part_bytes => number += 1,
                Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(number),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Stores a part until the others are there; it is on disk when this returns.
    pub async fn keep_part(&self, name: &Name, number: u64, bytes: Bytes) -> Result<(), StoreError> {
        self.store().await?.put(&name.part(number), bytes.into()).await?;
        Ok(())
    }

    /// Joins the stored parts and the last one into the file. Safe to repeat.
    pub async fn complete(&self, name: &Name, parts: u64, last: Bytes) -> Result<Kept, StoreError> {
        let store = self.store().await?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        let mut seen = |bytes: &Bytes| {
            hash.update(bytes);
            length += bytes.len() as u64;
        };
        if parts == 0 {
            seen(&last);
            store.put(&name.whole, last.into()).await?;
        } else {
            let mut upload = store.put_multipart(&name.whole).await?;
            if let Err(error) = put_together(&*store, name, parts, last, upload.as_mut(), &mut seen).await {
                // A failed abort leaves an unfinished upload, which only costs space; the first error is more useful.
                let _ = upload.abort().await;
                return Err(error);
            }
        }
        self.discard(name).await;
        Ok(Kept { location: name.whole.to_string(), bytes: length, sha256: hash.finalize().into() })
    }

    /// Deletes the stored parts of a file.
    pub async fn discard(&self, name: &Name) {
        let Ok(store) = self.store().await else { return };
        for number in 0.. {
            match store.head(&name.part(number)).await {
                Ok(_) if store.delete(&name.part(number)).await.is_ok() => {}
                // A part that cannot be deleted only costs space; the next attempt uses it.
                _ => return,
            }
        }
    }

    /// Deletes a file and its stored parts. One that is gone already counts as deleted.
    pub async fn remove(&self, name: &Name) -> Result<(), StoreError> {
        let store = self.store().await?;
        match store.delete(&name.whole).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.discard(name).await;
        Ok(())
    }

    /// A range of a file's bytes.
    pub async fn read(&self, location: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let key = Key::parse(location).map_err(|error| StoreError::Broken(error.into()))?;
        let store = self.store().await?;
        // Stores refuse an empty range.
        if range.is_empty() {
            store.head(&key).await?;
            return Ok(Bytes::new());
        }
        Ok(store.get_range(&key, range).await?)
    }

    async fn store(&self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let store = self.0.opened.get_or_try_init(async || match &self.0.kind {
            StoreKind::Bucket(store) => Ok(store.clone()),
            StoreKind::Folder(folder) => open_folder(folder).await,
        });
        store.await.cloned()
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            other => Self::Broken(other.into()),
        }
    }
}

async fn put_together(
    store: &dyn ObjectStore,
    name: &Name,
    parts: u64,
    last: Bytes,
    upload: &mut dyn MultipartUpload,
    seen: &mut impl FnMut(&Bytes),
) -> Result<(), StoreError> {
    for number in 0..parts {
        let bytes = store.get(&name.part(number)).await?.bytes().await?;
        seen(&bytes);
        upload.put_part(bytes.into()).await?;
    }
    seen(&last);
    upload.put_part(last.into()).await?;
    upload.complete().await?;
    Ok(())
}

/// Other accounts of this machine must not read customers' files.
async fn open_folder(folder: &Path) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| StoreError::Broken(format!("{}: {error}", folder.display()).into()))?;
        Ok(LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true))
    });
    match opened.await {
        Ok(opened) => opened.map(|it| Arc::new(it) as Arc<dyn ObjectStore>),
        Err(error) => Err(StoreError::Broken(error.into())),
    }
}

fn open_bucket(location: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    // Fails only if the same provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (bucket, prefix) = location.split_once('/').unwrap_or((location, ""));
    let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_LIMIT, ..RetryConfig::default() };
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).build()?;
    let prefix = Key::parse(prefix.trim_matches('/')).map_err(|error| StoreError::Broken(error.into()))?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str) -> (MediaStore, PathBuf) {
        let folder = std::env::temp_dir().join(format!("wecomd-media-{name}-{}", std::process::id()));
        (MediaStore::new(&folder, 1 << 20).expect("a folder"), folder)
    }

    fn name(media_id: &str) -> Name {
        Name::new(&CorpId::from("ww1"), DateTime::from_timestamp(1_700_000_000, 0).expect("in range"), media_id)
    }

    #[test]
    fn no_media_id_leads_to_a_path_outside_the_store() {
        let name = Name::new(&CorpId::from("../.."), DateTime::UNIX_EPOCH, "../../etc/passwd");
        assert!(name.whole.as_ref().starts_with("..%2F../1970/01/"), "{}", name.whole);
        assert_eq!(name.whole.filename().map(str::len), Some(64));
    }

    #[tokio::test]
    async fn a_file_is_put_together_from_its_parts_and_they_are_taken_away() {
        let (store, folder) = store("parts");
        let name = name("M1");
        assert_eq!(store.parts(&name, 4).await.expect("looks"), 0);
        store.keep_part(&name, 0, Bytes::from("one,")).await.expect("kept");
        store.keep_part(&name, 1, Bytes::from("two,")).await.expect("kept");
        assert_eq!(store.parts(&name, 4).await.expect("looks"), 2);
        let kept = store.complete(&name, 2, Bytes::from("end")).await.expect("whole");
        assert_eq!((kept.bytes, kept.sha256), (11, Sha256::digest("one,two,end").into()));
        assert_eq!(store.parts(&name, 4).await.expect("looks"), 0);
        assert_eq!(store.read(&kept.location, 4..11).await.expect("reads"), "two,end");
        assert_eq!(store.complete(&name, 0, Bytes::from("again")).await.expect("again").location, kept.location);
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[tokio::test]
    async fn a_truncated_part_and_all_later_parts_are_ignored() {
        let (store, folder) = store("short");
        let name = name("M2");
        for (number, bytes) in [(0, "whole"), (1, "cut"), (2, "whole")] {
            store.keep_part(&name, number, Bytes::from(bytes)).await.expect("kept");
        }
        assert_eq!(store.parts(&name, 5).await.expect("looks"), 1);
        store.discard(&name).await;
        assert_eq!(store.parts(&name, 5).await.expect("looks"), 0);
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn opening_a_bucket_sends_no_request() {
        assert!(MediaStore::new(Path::new("s3://bucket/a/prefix/"), 1).is_ok());
        assert!(MediaStore::new(Path::new("s3://bucket"), 1).is_ok());
    }

    #[tokio::test]
    async fn a_missing_file_and_an_unusable_folder_are_different_errors() {
        let (store, folder) = store("missing");
        assert!(matches!(store.read("ww1/2026/01/none", 0..1).await, Err(StoreError::Missing)));
        std::fs::remove_dir_all(folder).expect("removed");
        let nowhere = MediaStore::new(Path::new("/dev/null/media"), 1).expect("not opened yet");
        let error = nowhere.read("a", 0..1).await.expect_err("no folder").to_string();
        assert!(error.starts_with("the media store does not work: /dev/null/media: "), "{error}");
    }
}
