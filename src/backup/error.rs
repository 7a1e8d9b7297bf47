//! Errors of making and restoring backups, each with its remedy in words.

use std::{io, path::PathBuf};

use crate::{media::StoreError, vault::VaultError};

/// Why a backup could not be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Another process makes a backup.
    #[error("another process makes a backup of this database right now")]
    Busy,
    /// A program of PostgreSQL is missing, or too old.
    #[error(
        "no {name} of PostgreSQL {needed} or newer is installed (found: {found}): \
         run `apt-get install postgresql-client`, or set WECOMD_PG_BIN to the folder that holds it"
    )]
    NoProgram {
        /// The program.
        name: &'static str,
        /// The required version.
        needed: u32,
        /// The installed versions.
        found: String,
    },
    /// A program of PostgreSQL failed.
    #[error("{name} failed: {words}")]
    Program {
        /// The program.
        name: &'static str,
        /// The last lines of its output.
        words: String,
    },
    /// The URL cannot be passed to PostgreSQL's programs.
    #[error("the database URL is not of the form postgres://user:password@host/database")]
    Url,
    /// A file operation failed.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The database failed.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The media store failed.
    #[error("{location}: {source}")]
    Media {
        /// The file in it.
        location: String,
        /// The store's error.
        source: StoreError,
    },
    /// The master key is missing.
    #[error("{path}: {source}")]
    Key {
        /// The backup.
        path: PathBuf,
        /// The missing key.
        source: VaultError,
    },
    /// The master key of that id is a different one.
    #[error(
        "{path}: master key {id} is not the one it was made with: add the key that had this id then, as `{id}:base64`"
    )]
    OtherKey {
        /// The backup.
        path: PathBuf,
        /// The key's id.
        id: u32,
    },
    /// The file is not a backup, or comes from a later version.
    #[error("{path}: is not a backup that this version of wecomd can read")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was changed or is incomplete.
    #[error("{path}: was altered or is incomplete ({what}): take another backup")]
    Altered {
        /// The backup.
        path: PathBuf,
        /// The evidence.
        what: String,
    },
    /// The restored data differs from the backup.
    #[error("{path}: the restored data differs from the backup: {what}")]
    Differs {
        /// The backup.
        path: PathBuf,
        /// The difference.
        what: String,
    },
    /// The database has tables.
    #[error("the database is not empty: name one without tables, such as `createdb` makes")]
    NotEmpty,
    /// Its schema comes from a later version.
    #[error("the backup has migration {0}, which this wecomd does not know: restore it with the version that made it")]
    Newer(i64),
    /// The grants name roles that the server does not have.
    #[error(
        "the backup's permissions name roles that are missing here ({0}): create them first, \
         or leave all permissions out with --no-privileges"
    )]
    MissingRoles(String),
}
