//! Makes a backup: one at a time, complete or not at all.
//!
//! One connection holds the lock and updates the backup's row. Another holds a snapshot of the database, whose rows
//! are counted and which pg_dump writes. The file gets its name when it is on disk; until then it is `….part`, which
//! is deleted if anything fails, or at the next attempt if this process dies.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Stdio,
    str::FromStr,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::AsyncReadExt,
    process::{ChildStderr, ChildStdout, Command},
};

use super::{
    BackupError, Manifest,
    content::{self, PART_BYTES, Record},
    files::Files,
    programs::{self, Target},
    seal::{Writer, at},
};
use crate::{media::MediaStore, tables::upkeep::backup, vault::Vault};

/// The inputs and the destination of backups. Cheap to clone.
#[derive(Clone)]
pub struct Backups {
    /// The database's URL.
    pub database: SecretString,
    /// The keys that seal them.
    pub vault: Arc<Vault>,
    /// The store of files' bytes.
    pub media: MediaStore,
    /// The operator's settings.
    pub settings: Settings,
}

/// The operator's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder for backups.
    pub location: PathBuf,
    /// How many are kept.
    pub keep: u32,
    /// Whether the media store's files are in them, if it is a folder.
    pub media: bool,
    /// The folder that is searched first for PostgreSQL's programs.
    pub programs: Option<PathBuf>,
}

/// A backup that is complete and on disk.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its path.
    pub file: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of the file.
    pub sha256: [u8; 32],
    /// How many rows it holds in all.
    pub rows: i64,
    /// How many files of the media store it holds.
    pub media: u64,
    /// A description of what it lacks.
    pub lacking: Option<String>,
}

/// The folder's mode: backups are sealed, but other accounts need not read them anyway.
const FOLDER_MODE: u32 = 0o700;

impl Backups {
    /// The database's time, by which backups are due and were made.
    pub async fn now(&self) -> Result<DateTime<Utc>, BackupError> {
        let mut conn = self.connect().await?;
        let now = crate::tables::now(&mut conn).await?;
        sqlx::Connection::close(conn).await?;
        Ok(now)
    }

    /// Makes a backup, and removes the surplus ones. `seen` is called with the number of bytes read.
    pub async fn make(&self, now: DateTime<Utc>, seen: &(dyn Fn(u64) + Sync)) -> Result<Made, BackupError> {
        let mut conn = self.connect().await?;
        if !backup::try_lock(&mut conn).await? {
            return Err(BackupError::Busy);
        }
        let made = self.make_alone(&mut conn, now, seen).await;
        // Closing the connection would release the lock as well, but later; the next backup may begin at once.
        let unlocked = backup::unlock(&mut conn).await;
        if let Err(error) = unlocked {
            tracing::debug!(error = %error, "the backup's lock was released with its connection");
        }
        made
    }

    async fn make_alone(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<Made, BackupError> {
        for file in backup::abandon(conn).await? {
            // Complete or not, it is not recorded as a backup, so nothing else would remove it. Most likely it does
            // not exist.
            let _ = fs::remove_file(part_of(Path::new(&file)));
            let _ = fs::remove_file(&file);
        }
        let file = self.settings.location.join(format!("wecomd-{}.backup", now.format("%Y%m%dT%H%M%S%3fZ")));
        let id = backup::begin(conn, now, &file.to_string_lossy(), self.vault.current()).await?;
        match self.write(&file, seen).await {
            Ok(made) => {
                // The connection with the lock was idle for hours and may be dead.
                let mut fresh = self.connect().await?;
                let noted = backup::finish(&mut fresh, id, made.bytes, &made.sha256, made.lacking.as_deref()).await;
                if !matches!(noted, Ok(true)) {
                    // It is not recorded as a backup, so nothing else would remove it.
                    let _ = fs::remove_file(&made.file);
                    noted?;
                    // The lock was lost with its connection, and another process marked this backup as abandoned.
                    return Err(BackupError::Busy);
                }
                self.remove_surplus(&mut fresh).await?;
                Ok(made)
            }
            Err(error) => {
                backup::fail(conn, id, &error.to_string()).await?;
                Err(error)
            }
        }
    }

    async fn write(&self, file: &Path, seen: &(dyn Fn(u64) + Sync)) -> Result<Made, BackupError> {
        let location = &self.settings.location;
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(location).map_err(at(location))?;
        let part = part_of(file);
        let part = Part(part);
        let mut writer = Writer::create(&part.0, &self.vault).await?;

        let mut conn = self.connect().await?;
        let server = conn.server_version_num().unwrap_or_default() / 10_000;
        let target = Target::of_url(&self.database)?;
        let (pg_dump, version) = programs::program(DUMP, self.settings.programs.as_deref(), server, &target).await?;
        let mut moment = conn.begin().await?;
        let snapshot = backup::hold_moment(&mut moment).await?;
        let manifest = manifest(&mut moment, version).await?;
        let rows = manifest.tables.values().sum();
        content::write(&mut writer, &Record::Manifest(Box::new(manifest))).await?;
        dump(pg_dump, &snapshot, &mut writer, seen).await?;
        moment.rollback().await?;

        // Files that arrived after the snapshot are included as well, which does no harm.
        let mut files = Files::new(self.media.clone(), self.settings.media);
        let listed = files.write(&mut conn, &mut writer, seen).await?;
        content::write(&mut writer, &Record::End(listed)).await?;
        let (bytes, sha256) = writer.finish().await?;
        conn.close().await?;

        fs::rename(&part.0, file).map_err(at(file))?;
        fs::File::open(location).and_then(|it| it.sync_all()).map_err(at(location))?;
        Ok(Made { file: file.to_owned(), bytes, sha256, rows, media: files.kept, lacking: files.lacking() })
    }

    /// Removes the oldest backups among those that this database's own rows name.
    async fn remove_surplus(&self, conn: &mut PgConnection) -> Result<(), BackupError> {
        for (id, file) in backup::surplus(conn, self.settings.keep.into()).await? {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(file, error = %error, "an old backup cannot be removed");
                }
                _ => backup::removed(conn, id).await?,
            }
        }
        Ok(())
    }

    /// A connection outside the pool: it may be busy for hours.
    pub(super) async fn connect(&self) -> Result<PgConnection, BackupError> {
        connect(&self.database, None).await
    }
}

/// A connection to a URL's database, or to another one of the same server.
pub(super) async fn connect(url: &SecretString, database: Option<&str>) -> Result<PgConnection, BackupError> {
    let options = PgConnectOptions::from_str(url.expose_secret()).map_err(|_| BackupError::Url)?;
    let options = options.application_name("wecomd backup").options(PATIENCE);
    let options = database.map_or(options.clone(), |name| options.database(name));
    Ok(PgConnection::connect_with(&options).await?)
}

/// Overrides the role's own limits: counting tables may take long, and the connection with the lock is idle for
/// hours.
const PATIENCE: [(&str, &str); 3] =
    [("statement_timeout", "0"), ("idle_session_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];

/// PostgreSQL's program that writes a database.
const DUMP: &str = "pg_dump";

/// pg_dump's options: little compression, because answering callbacks needs the CPU; at most a minute's wait for a
/// locked table; and no table of backups.
const DUMP_OPTIONS: [&str; 4] =
    ["--format=custom", "--compress=1", "--lock-wait-timeout=60s", "--exclude-table-data=backup"];

/// How much of a program's error output is kept.
const WORDS_BYTES_MAX: u64 = 64 << 10;

/// An unfinished file, deleted on drop unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn part_of(file: &Path) -> PathBuf {
    file.with_extension("backup.part")
}

async fn manifest(conn: &mut PgConnection, pg_dump: u32) -> Result<Manifest, BackupError> {
    Ok(Manifest {
        made_at: crate::tables::now(conn).await?,
        wecomd: env!("CARGO_PKG_VERSION").to_owned(),
        pg_dump,
        migrations: backup::migrations(conn).await?,
        tables: backup::row_counts(conn).await?,
        roles: backup::roles(conn).await?,
    })
}

/// Appends the dump of a snapshot.
async fn dump(
    mut pg_dump: Command,
    snapshot: &str,
    writer: &mut Writer,
    seen: &(dyn Fn(u64) + Sync),
) -> Result<(), BackupError> {
    pg_dump.args(DUMP_OPTIONS).arg(format!("--snapshot={snapshot}"));
    pg_dump.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let broken = |error: std::io::Error| programs::failed(DUMP, error.to_string().as_bytes());
    let mut child = pg_dump.spawn().map_err(broken)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(programs::failed(DUMP, b"it has no output"));
    };
    let (copied, words) = tokio::join!(copy(stdout, writer, seen), words(stderr));
    let status = child.wait().await.map_err(broken)?;
    copied?;
    if !status.success() {
        return Err(programs::failed(DUMP, &words));
    }
    content::write(writer, &Record::DumpEnds).await
}

/// Copies the program's output. If writing fails, the pipe is closed, which ends the program.
async fn copy(mut stdout: ChildStdout, writer: &mut Writer, seen: &(dyn Fn(u64) + Sync)) -> Result<(), BackupError> {
    loop {
        let mut part = Vec::with_capacity(PART_BYTES);
        let limit = PART_BYTES as u64;
        let taken = (&mut stdout).take(limit).read_to_end(&mut part).await;
        if taken.map_err(|error| programs::failed(DUMP, error.to_string().as_bytes()))? == 0 {
            return Ok(());
        }
        seen(part.len() as u64);
        content::write(writer, &Record::Bytes(part)).await?;
    }
}

/// Reads a program's error output to its end, so that the program never blocks on it.
pub(super) async fn words(mut stderr: ChildStderr) -> Vec<u8> {
    let mut words = Vec::new();
    let mut rest = Vec::new();
    let _ = (&mut stderr).take(WORDS_BYTES_MAX).read_to_end(&mut words).await;
    while stderr.read_buf(&mut rest).await.is_ok_and(|length| length > 0) {
        rest.clear();
    }
    words
}
