//! Why there is no backup, or why one cannot be restored: in words that say what to do.

use std::{io, path::PathBuf};

use crate::{media::StoreError, vault::VaultError};

/// Why there is no backup, or why one cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Another process is at it.
    #[error("another process makes a backup of this database right now")]
    Busy,
    /// PostgreSQL's own program is not there, or too old.
    #[error(
        "no {name} of PostgreSQL {needed} or newer is installed (found: {found}): \
         run `apt-get install postgresql-client`, or set WECOMD_PG_BIN to the folder that holds it"
    )]
    NoProgram {
        /// Which program.
        name: &'static str,
        /// The version it must have.
        needed: u32,
        /// The versions there are.
        found: String,
    },
    /// PostgreSQL's own program failed.
    #[error("{name} failed: {words}")]
    Program {
        /// Which program.
        name: &'static str,
        /// The last lines of what it said.
        words: String,
    },
    /// The URL is none that PostgreSQL's own programs could be told.
    #[error("the database URL is not of the form postgres://user:password@host/database")]
    Url,
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database refused.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The media store refused.
    #[error("{location}: {source}")]
    Media {
        /// Which of its files.
        location: String,
        /// What it said.
        source: StoreError,
    },
    /// The master key is missing.
    #[error("{path}: {source}")]
    Key {
        /// The backup.
        path: PathBuf,
        /// Which key.
        source: VaultError,
    },
    /// The master key of that id is another one.
    #[error(
        "{path}: master key {id} is not the one it was made with: add the key that had this id then, as `{id}:base64`"
    )]
    OtherKey {
        /// The backup.
        path: PathBuf,
        /// The key's id.
        id: u32,
    },
    /// The file was never one of ours, or comes from a later version.
    #[error("{path}: is no backup that this version of wecomd can read")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("{path}: was altered or is incomplete ({what}): take another backup")]
    Altered {
        /// The backup.
        path: PathBuf,
        /// What shows it.
        what: String,
    },
    /// What was restored is not what was backed up.
    #[error("{path}: what was restored differs from what was backed up: {what}")]
    Differs {
        /// The backup.
        path: PathBuf,
        /// In what.
        what: String,
    },
    /// Somebody lives there.
    #[error("the database is not empty: name one without tables, such as `createdb` makes")]
    NotEmpty,
    /// Its schema is from the future.
    #[error("the backup has migration {0}, which this wecomd does not know: restore it with the version that made it")]
    Newer(i64),
    /// The permissions name roles that the server does not have.
    #[error(
        "the backup's permissions name roles that are missing here ({0}): create them first, \
         or leave all permissions out with --no-privileges"
    )]
    MissingRoles(String),
}
