//! The outer format of a backup: encrypted in chunks, with a checksum that can be verified without the key.
//!
//! A file is `WECOMDBK | version | master key's id u32 | salt 32 | key check 16`, then chunks of 64 KiB, AES-256-GCM
//! each, then the SHA-256 of all that. The file's key is derived from the master key for this purpose and salt, and
//! is used for this file alone, so a chunk's number can serve as its nonce. The number and the last-chunk flag are
//! authenticated: chunks that are exchanged, left out or cut off do not open. The content is not known here.

use std::path::{Path, PathBuf};

use aes_gcm::{
    Aes256Gcm, Key, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

use super::BackupError;
use crate::vault::Vault;

/// How many bytes are encrypted at once.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// The first bytes of every backup.
const MAGIC: [u8; 8] = *b"WECOMDBK";

/// The layout's version.
const VERSION: u8 = 1;

/// The purpose in the key derivation.
const CONTEXT: &str = "wecomd backup 1";

/// The part of the head before the key check: magic, version, key id, salt.
const NAMED_BYTES: usize = 8 + 1 + 4 + SALT_BYTES;

/// The length of the salt, which makes each file's key unique.
const SALT_BYTES: usize = 32;

/// The length of GCM's tag.
const TAG_BYTES: usize = 16;

/// The length of the whole head.
const HEAD_BYTES: usize = NAMED_BYTES + TAG_BYTES;

/// The length of the checksum at the end.
const SUM_BYTES: usize = 32;

/// How many bytes are read at once for the checksum.
const READ_BYTES: usize = 1 << 20;

/// A chunk's position. The key check is sealed like a chunk, at a position that no chunk can have.
#[derive(Debug, Clone, Copy)]
enum ChunkPosition {
    Check,
    Chunk(u64),
    Last(u64),
}

/// A file that is being written.
pub(super) struct Writer {
    path: PathBuf,
    file: File,
    cipher: Aes256Gcm,
    head: [u8; NAMED_BYTES],
    waiting: Vec<u8>,
    chunks: u64,
    hash: Sha256,
    bytes: u64,
}

/// A file that is being read; its checksum is verified.
pub(super) struct Reader {
    path: PathBuf,
    file: File,
    cipher: Aes256Gcm,
    head: [u8; NAMED_BYTES],
    chunks: u64,
    left: u64,
}

impl Writer {
    /// Creates a file with the vault's current key.
    pub(super) async fn create(path: &Path, vault: &Vault) -> Result<Self, BackupError> {
        let salt: [u8; SALT_BYTES] = rand::random();
        let head = [&MAGIC[..], &[VERSION], &vault.current().to_be_bytes(), &salt].concat();
        let head: [u8; NAMED_BYTES] = head.try_into().map_err(|_| foreign(path))?;
        let cipher = cipher(path, vault, vault.current(), &salt)?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(path).await.map_err(at(path))?;
        let mut writer = Self {
            path: path.to_owned(),
            file,
            cipher,
            head,
            waiting: Vec::new(),
            chunks: 0,
            hash: Sha256::new(),
            bytes: 0,
        };
        let check = writer.sealed(ChunkPosition::Check, &[])?;
        writer.put(&head).await?;
        writer.put(&check).await?;
        Ok(writer)
    }

    /// Appends bytes.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            // A full chunk is written when more bytes come, because the last one must be marked.
            if self.waiting.len() == CHUNK_BYTES {
                let chunk = self.sealed(ChunkPosition::Chunk(self.chunks), &self.waiting)?;
                self.put(&chunk).await?;
                self.waiting.clear();
                self.chunks += 1;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Writes the last chunk and the checksum, and syncs; returns the file's length and SHA-256.
    pub(super) async fn finish(mut self) -> Result<(u64, [u8; 32]), BackupError> {
        let chunk = self.sealed(ChunkPosition::Last(self.chunks), &self.waiting)?;
        self.put(&chunk).await?;
        let sum: [u8; SUM_BYTES] = self.hash.clone().finalize().into();
        self.put(&sum).await?;
        self.file.flush().await.map_err(at(&self.path))?;
        self.file.sync_all().await.map_err(at(&self.path))?;
        Ok((self.bytes, self.hash.finalize().into()))
    }

    fn sealed(&self, position: ChunkPosition, plain: &[u8]) -> Result<Vec<u8>, BackupError> {
        let sealed = self.cipher.encrypt(&nonce(position), Payload { msg: plain, aad: &self.head });
        sealed.map_err(|_| BackupError::Altered { path: self.path.clone(), what: "cannot be sealed".to_owned() })
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(at(&self.path))
    }
}

impl Reader {
    /// Opens a file after verifying its checksum and key. `seen` is called with the number of bytes read.
    pub(super) async fn open(path: &Path, vault: &Vault, seen: &(dyn Fn(u64) + Sync)) -> Result<Self, BackupError> {
        let mut file = File::open(path).await.map_err(at(path))?;
        let length = file.metadata().await.map_err(at(path))?.len();
        let mut head = [0; HEAD_BYTES];
        let shortest = HEAD_BYTES + TAG_BYTES + SUM_BYTES;
        if length < shortest as u64 {
            return Err(foreign(path));
        }
        file.read_exact(&mut head).await.map_err(at(path))?;
        let (named, check) = head.split_first_chunk::<NAMED_BYTES>().ok_or_else(|| foreign(path))?;
        let named = *named;
        let (magic, rest) = named.split_first_chunk::<8>().ok_or_else(|| foreign(path))?;
        let ([version, id @ ..], salt) = rest.split_first_chunk::<5>().ok_or_else(|| foreign(path))?;
        if *magic != MAGIC {
            return Err(foreign(path));
        }
        compare_sum(path, &mut file, length, seen).await?;
        if *version != VERSION {
            return Err(foreign(path));
        }

        let id = u32::from_be_bytes(*id);
        let cipher = cipher(path, vault, id, salt)?;
        let other = |_| BackupError::OtherKey { path: path.to_owned(), id };
        cipher.decrypt(&nonce(ChunkPosition::Check), Payload { msg: check, aad: &named }).map_err(other)?;
        file.seek(std::io::SeekFrom::Start(HEAD_BYTES as u64)).await.map_err(at(path))?;
        let left = length - (HEAD_BYTES + SUM_BYTES) as u64;
        Ok(Self { path: path.to_owned(), file, cipher, head: named, chunks: 0, left })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next decrypted chunk; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        if self.left == 0 {
            return Ok(None);
        }
        let full = (CHUNK_BYTES + TAG_BYTES) as u64;
        let number = self.chunks;
        let position = if self.left > full { ChunkPosition::Chunk(number) } else { ChunkPosition::Last(number) };
        let length = self.left.min(full);
        let mut sealed = vec![0; usize::try_from(length).unwrap_or(CHUNK_BYTES + TAG_BYTES)];
        self.file.read_exact(&mut sealed).await.map_err(at(&self.path))?;
        self.left -= length;
        self.chunks += 1;
        let opened = self.cipher.decrypt(&nonce(position), Payload { msg: &sealed, aad: &self.head });
        let what = || format!("chunk {number} does not open");
        opened.map(Some).map_err(|_| BackupError::Altered { path: self.path.clone(), what: what() })
    }
}

/// Adds the file's path to an error.
pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

fn foreign(path: &Path) -> BackupError {
    BackupError::Foreign { path: path.to_owned() }
}

fn cipher(path: &Path, vault: &Vault, id: u32, salt: &[u8]) -> Result<Aes256Gcm, BackupError> {
    let key = vault.derived(id, CONTEXT, salt);
    let key = key.map_err(|source| BackupError::Key { path: path.to_owned(), source })?;
    Ok(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)))
}

/// The nonce of a position. The key is used for this file alone, so no nonce repeats.
fn nonce(position: ChunkPosition) -> Nonce<aes_gcm::aead::consts::U12> {
    let (number, kind) = match position {
        ChunkPosition::Chunk(number) => (number, 0),
        ChunkPosition::Last(number) => (number, 1),
        ChunkPosition::Check => (0, 2),
    };
    let mut nonce = [0; 12];
    let (front, back) = nonce.split_at_mut(8);
    front.copy_from_slice(&number.to_be_bytes());
    back.fill(kind);
    Nonce::from(nonce)
}

/// Compares the file with the checksum at its end. The read position is undefined afterwards.
async fn compare_sum(
    path: &Path,
    file: &mut File,
    length: u64,
    seen: &(dyn Fn(u64) + Sync),
) -> Result<(), BackupError> {
    file.rewind().await.map_err(at(path))?;
    let mut left = length - SUM_BYTES as u64;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
        let part = buffer.get_mut(..most).unwrap_or_default();
        file.read_exact(part).await.map_err(at(path))?;
        hash.update(&*part);
        left -= most as u64;
        seen(most as u64);
    }
    let mut sum = [0; SUM_BYTES];
    file.read_exact(&mut sum).await.map_err(at(path))?;
    if <[u8; SUM_BYTES]>::from(hash.finalize()) != sum {
        return Err(BackupError::Altered { path: path.to_owned(), what: "its checksum differs".to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("wecomd-seal-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    async fn written(path: &Path, vault: &Vault, plain: &[u8]) {
        let mut writer = Writer::create(path, vault).await.expect("a file");
        for part in plain.chunks(10_007) {
            writer.write(part).await.expect("written");
        }
        let (bytes, sum) = writer.finish().await.expect("on disk");
        let file = std::fs::read(path).expect("read");
        assert_eq!((bytes, sum), (file.len() as u64, Sha256::digest(&file).into()));
    }

    async fn read(path: &Path, vault: &Vault) -> Result<Vec<u8>, BackupError> {
        let mut reader = Reader::open(path, vault, &|_| ()).await?;
        let mut plain = Vec::new();
        while let Some(chunk) = reader.next().await? {
            plain.extend(chunk);
        }
        Ok(plain)
    }

    /// Changes the file and rewrites its checksum, as an attacker could.
    fn sum_again(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut file = std::fs::read(path).expect("read");
        file.truncate(file.len() - SUM_BYTES);
        change(&mut file);
        let sum = Sha256::digest(&file);
        file.extend(sum);
        std::fs::write(path, file).expect("written");
    }

    #[tokio::test]
    async fn data_of_any_length_reads_back_as_written() {
        let (folder, vault) = (Folder::new("length"), Vault::random());
        for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
            let path = folder.0.join(length.to_string());
            let plain: Vec<u8> = (0..length).map(|it| u8::try_from(it % 251).expect("small")).collect();
            written(&path, &vault, &plain).await;
            assert!(read(&path, &vault).await.expect("reads") == plain, "{length}");
        }
    }

    #[tokio::test]
    async fn a_changed_byte_or_a_swapped_or_missing_chunk_is_detected() {
        let (folder, vault) = (Folder::new("changed"), Vault::random());
        let path = folder.0.join("backup");
        written(&path, &vault, &[7; 3 * CHUNK_BYTES]).await;
        let whole = std::fs::read(&path).expect("read");
        for position in [8, 12, 20, NAMED_BYTES, HEAD_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            std::fs::write(&path, changed).expect("written");
            let error = read(&path, &vault).await.expect_err("altered").to_string();
            assert!(error.contains("backup: was altered or is incomplete (its checksum differs)"), "{error}");
        }
        let full = CHUNK_BYTES + TAG_BYTES;
        let altered: [fn(&mut Vec<u8>, usize); 3] = [
            |file, full| file.truncate(HEAD_BYTES + 2 * full),
            |file, full| file[HEAD_BYTES..HEAD_BYTES + 2 * full].rotate_left(full),
            |file, full| drop(file.drain(HEAD_BYTES..HEAD_BYTES + full)),
        ];
        for change in altered {
            std::fs::write(&path, &whole).expect("written");
            sum_again(&path, |file| change(file, full));
            let error = read(&path, &vault).await.expect_err("altered").to_string();
            assert!(error.contains("does not open"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_wrong_key_and_a_foreign_file_each_have_their_own_error() {
        let (folder, vault) = (Folder::new("key"), Vault::random());
        let path = folder.0.join("backup");
        written(&path, &vault, b"plain").await;
        let error = read(&path, &Vault::random()).await.expect_err("another key").to_string();
        assert!(error.contains("master key 1 is not the one it was made with"), "{error}");
        std::fs::write(&path, [7; 500]).expect("written");
        let error = read(&path, &vault).await.expect_err("no backup").to_string();
        assert!(error.ends_with("is not a backup that this version of wecomd can read"), "{error}");
    }
}
