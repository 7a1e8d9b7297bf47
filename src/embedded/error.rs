//! Why the private PostgreSQL is not there, and what the reader can do about it.

use std::{io, path::PathBuf};

use super::site::{SOCKET_BYTES_MAX, VERSION_MIN};

/// Why there is no server, and what the reader can do about it.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No server programs were found.
    #[error(
        "no PostgreSQL {VERSION_MIN} or newer is installed: run `apt-get install postgresql`, \
         or set WECOMD_PG_BIN to the folder that holds `initdb` and `postgres`"
    )]
    NotInstalled,
    /// The programs are not where we were told.
    #[error("WECOMD_PG_BIN is {0}, which holds no `initdb` and `postgres`: correct it, or unset it")]
    WrongBin(PathBuf),
    /// The path does not fit into the address of a unix socket.
    #[error(
        "{path} is too deep for a socket ({length} bytes, {SOCKET_BYTES_MAX} at most): choose a shorter data folder"
    )]
    TooDeep {
        /// The socket's path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// Something else lives in the folder.
    #[error("{0} holds files which are not ours: name an empty folder for the database")]
    NotOurs(PathBuf),
    /// Another process runs the server of this folder.
    #[error("{0} is in use by another wecomd: stop that one, or choose another data folder")]
    InUse(PathBuf),
    /// PostgreSQL refuses to run as root, and there is no other account.
    #[error("running as root, and no account `postgres` or `nobody` to run the database as: create one of them")]
    NoAccount,
    /// PostgreSQL's account may not pass through a folder above the cluster.
    #[error(
        "the account `{account}` cannot enter {path}: choose a folder such as /var/lib/wecomd, \
         or run `chmod a+x {path}`"
    )]
    NotReachable {
        /// The account that runs the database.
        account: String,
        /// The topmost folder it cannot enter.
        path: PathBuf,
    },
    /// One of PostgreSQL's own programs failed.
    #[error("`{tool}` failed: {output}")]
    Tool {
        /// Which program.
        tool: &'static str,
        /// The last lines of what it said.
        output: String,
    },
    /// The server ended, or was not ready in time.
    #[error("PostgreSQL did not start; {log} ends with: {output}")]
    NotReady {
        /// Where the rest of its words are.
        log: PathBuf,
        /// The last lines of its log.
        output: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server was told to stop and goes on.
    #[error("PostgreSQL (process {0}) has not stopped yet; it will, or the next start takes it over")]
    StillRunning(u32),
    /// The thread that was to do the work is gone.
    #[error("interrupted while PostgreSQL was starting or stopping")]
    Interrupted,
}
