//! `apps.sealed`: the apps as the database last had them, so that callbacks are taken although the database is away
//! when the program starts.
//!
//! It holds rows whose secrets are sealed, as in the database. The file as a whole is encrypted under a key of its own,
//! so that nobody can add an app to it: `WCAPPS01 | key id u32 | salt 32 | JSON and tag`. The salt is new with each
//! write, and with it the key, so the nonce is zero. What an app means is not known here.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};

use crate::{
    tables::apps::enterprise_wechat_config::Row,
    vault::{Vault, VaultError},
};

/// The file.
#[derive(Debug, Clone)]
pub(super) struct KeptApps {
    path: PathBuf,
    vault: Arc<Vault>,
}

/// Why the apps cannot be kept, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The system refuses.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The master key is missing or another one.
    #[error(transparent)]
    Key(#[from] VaultError),
    /// The file was changed, or comes from another version of the program.
    #[error("it was altered, or written by another version")]
    Altered,
}

/// The id of the master key under which this folder's file is; none if there is no file. It blocks.
pub fn kept_key_id(folder: &Path) -> io::Result<Option<u32>> {
    let mut head = Vec::new();
    match File::open(folder.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?.take(HEAD_BYTES as u64).read_to_end(&mut head)?,
    };
    let id = head.strip_prefix(&MAGIC[..]).and_then(|it| it.first_chunk());
    Ok(id.map(|it| u32::from_be_bytes(*it)))
}

/// The file's name in the folder of the spool.
const NAME: &str = "apps.sealed";

const MAGIC: &[u8; 8] = b"WCAPPS01";

const SALT_BYTES: usize = 32;

/// Magic, key id and salt.
const HEAD_BYTES: usize = 44;

/// What its key is derived for.
const CONTEXT: &str = "apps";

/// The longest file that is read; an app takes less than 10 kB.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

impl KeptApps {
    /// The file in this folder.
    pub(super) fn new(folder: &Path, vault: Arc<Vault>) -> Self {
        Self { path: folder.join(NAME), vault }
    }

    /// Replaces the file, durably, and never by half of one. It blocks.
    pub(super) fn write(&self, rows: &[Row]) -> Result<(), KeptError> {
        let salt: [u8; SALT_BYTES] = rand::random();
        let id = self.vault.current();
        let head = [&MAGIC[..], &id.to_be_bytes(), &salt].concat();
        let json = serde_json::to_vec(rows).map_err(io::Error::other)?;
        let sealed = self.cipher(id, &salt)?.encrypt(&Nonce::default(), Payload { msg: &json, aad: &head });
        let sealed = sealed.map_err(|_| KeptError::Altered)?;
        // Processes that share the folder write at the same time, each a file of its own.
        let unfinished = self.path.with_extension(std::process::id().to_string());
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(&head)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.path)?;
        Ok(self.path.parent().map_or(Ok(()), |it| File::open(it)?.sync_all())?)
    }

    /// Reads the file; none if there is none. It blocks.
    pub(super) fn read(&self) -> Result<Option<Vec<Row>>, KeptError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        let (head, sealed) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(KeptError::Altered)?;
        let rest = head.strip_prefix(&MAGIC[..]).ok_or(KeptError::Altered)?;
        let (id, salt) = rest.split_first_chunk().ok_or(KeptError::Altered)?;
        let salt = salt.first_chunk().ok_or(KeptError::Altered)?;
        let cipher = self.cipher(u32::from_be_bytes(*id), salt)?;
        let json = cipher.decrypt(&Nonce::default(), Payload { msg: sealed, aad: head });
        let json = json.map_err(|_| KeptError::Altered)?;
        serde_json::from_slice(&json).map(Some).map_err(|_| KeptError::Altered)
    }

    fn cipher(&self, id: u32, salt: &[u8; SALT_BYTES]) -> Result<Aes256Gcm, VaultError> {
        Ok(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.vault.derived(id, CONTEXT, salt)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_apps_with_a_changed_byte_or_under_another_key_are_refused() {
        let folder = std::env::temp_dir().join(format!("wecomd-apps-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let kept = KeptApps::new(&folder, Arc::new(Vault::random()));
        assert!(kept.read().expect("there is none").is_none());
        assert_eq!(kept_key_id(&folder).expect("there is none"), None);
        kept.write(&[]).expect("written");
        assert_eq!(kept.read().expect("whole").map(|it| it.len()), Some(0));
        assert_eq!(kept_key_id(&folder).expect("read"), Some(kept.vault.current()));
        let whole = fs::read(&kept.path).expect("a file");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&kept.path, &changed).expect("written");
            assert!(kept.read().is_err(), "{at}");
            fs::write(&kept.path, &whole[..at]).expect("written");
            assert!(kept.read().is_err(), "{at}");
        }
        fs::write(&kept.path, &whole).expect("written");
        assert!(KeptApps::new(&folder, Arc::new(Vault::random())).read().is_err());
        fs::remove_dir_all(&folder).expect("removed");
    }
}
