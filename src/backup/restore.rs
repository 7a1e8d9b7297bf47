//! Restores a backup: into a scratch database to verify it, or into an empty one to use it.
//!
//! First the checksum is checked, then the key, then the content: nothing is written before the file is known to be
//! complete. pg_restore works in one transaction, so a database is restored completely or stays empty; then rows are
//! counted and compared with the manifest. Files go back to the media store one by one; a damaged one is named and
//! left out.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use secrecy::SecretString;
use sqlx::{Connection, PgConnection};
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, Command},
};

use super::{
    BackupError, Manifest,
    content::{Record, Records},
    files::Incoming,
    make::{connect, words},
    programs::{self, Target},
    seal::Reader,
};
use crate::{
    media::MediaStore,
    tables::{MIGRATOR, upkeep::backup},
    vault::Vault,
};

/// A backup to restore.
#[derive(Clone)]
pub struct Restore {
    /// Its path.
    pub file: PathBuf,
    /// The keys that open it.
    pub vault: Arc<Vault>,
    /// The folder that is searched first for PostgreSQL's programs.
    pub programs: Option<PathBuf>,
}

/// The content of a restored backup. Rows and migrations were compared.
#[derive(Debug, Clone)]
pub struct Restored {
    /// Its manifest.
    pub manifest: Manifest,
    /// How many files of the media store it held intact.
    pub media: u64,
    /// How many files it only lists, without their bytes.
    pub elsewhere: u64,
    /// The damaged files.
    pub damaged: Vec<String>,
}

/// The destination of a restore.
struct Filling<'a> {
    target: &'a Target,
    database: &'a str,
    privileges: bool,
    media: Option<&'a MediaStore>,
}

impl Restore {
    /// Restores into a scratch database on the server of `server`, compares, and drops it again.
    pub async fn verify(&self, server: &SecretString, seen: &(dyn Fn(u64) + Sync)) -> Result<Restored, BackupError> {
        let mut conn = connect(server, None).await?;
        let beside = backup::database_name(&mut conn).await?;
        let version = conn.server_version_num().unwrap_or_default() / 10_000;
        conn.close().await?;
        // Opened first: an incomplete file needs no database.
        let records = self.open(seen).await?;

        // The name shows the origin of a left-over, within PostgreSQL's 63 bytes.
        let scratch = format!("{beside:.40}_verify_{:08x}", rand::random::<u32>());
        let target = Target::of_url(server)?;
        let run = async |name, arguments: &[&str]| {
            let (mut command, _) = programs::program(name, self.programs.as_deref(), version, &target).await?;
            command.args(arguments).arg(format!("--maintenance-db={beside}")).arg(&scratch);
            programs::run(name, command).await
        };
        run("createdb", &["--template=template0", "--encoding=UTF8"]).await?;
        let into =
            Filling { target: &target.with_database(&scratch), database: &scratch, privileges: false, media: None };
        let restored = self.fill(records, into, server, seen).await;
        run("dropdb", &["--force", "--if-exists"]).await?;
        restored
    }

    /// Restores into an empty database, and puts the files into `media`.
    pub async fn restore_into(
        &self,
        database: &SecretString,
        media: Option<&MediaStore>,
        privileges: bool,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<Restored, BackupError> {
        let mut conn = connect(database, None).await?;
        if !backup::is_empty(&mut conn).await? {
            return Err(BackupError::NotEmpty);
        }
        let name = backup::database_name(&mut conn).await?;
        conn.close().await?;
        let records = self.open(seen).await?;
        let target = Target::of_url(database)?;
        self.fill(records, Filling { target: &target, database: &name, privileges, media }, database, seen).await
    }

    async fn open(&self, seen: &(dyn Fn(u64) + Sync)) -> Result<Records, BackupError> {
        Ok(Records::new(Reader::open(&self.file, &self.vault, seen).await?))
    }

    async fn fill(
        &self,
        mut records: Records,
        into: Filling<'_>,
        server: &SecretString,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<Restored, BackupError> {
        let Some(Record::Manifest(manifest)) = records.next().await? else { return Err(self.odd()) };
        let known = MIGRATOR.iter().map(|it| it.version).max().unwrap_or_default();
        if let Some(newer) = manifest.migrations.iter().find(|it| **it > known) {
            return Err(BackupError::Newer(*newer));
        }
        let mut conn = connect(server, Some(into.database)).await?;
        if into.privileges {
            let missing = backup::missing_roles(&mut conn, &manifest.roles).await?;
            if !missing.is_empty() {
                return Err(BackupError::MissingRoles(missing.join(", ")));
            }
        }
        let (mut command, _) =
            programs::program(RESTORE, self.programs.as_deref(), manifest.pg_dump, into.target).await?;
        command.args(RESTORE_OPTIONS).arg(format!("--dbname={}", into.database));
        if !into.privileges {
            command.arg("--no-privileges");
        }
        self.feed(&mut records, command, seen).await?;
        self.compare(&mut conn, &manifest).await?;
        conn.close().await?;
        let mut restored = Restored { manifest: *manifest, media: 0, elsewhere: 0, damaged: Vec::new() };
        self.files(&mut records, into.media, &mut restored, seen).await?;
        Ok(restored)
    }

    /// Pipes the dump into pg_restore.
    async fn feed(
        &self,
        records: &mut Records,
        mut pg_restore: Command,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<(), BackupError> {
        pg_restore.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let broken = |error: std::io::Error| programs::failed(RESTORE, error.to_string().as_bytes());
        let mut child = pg_restore.spawn().map_err(broken)?;
        let (Some(stdin), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(programs::failed(RESTORE, b"it has no input"));
        };
        let (fed, words) = tokio::join!(self.pour(records, stdin, seen), words(stderr));
        let status = child.wait().await.map_err(broken)?;
        fed?;
        if status.success() { Ok(()) } else { Err(programs::failed(RESTORE, &words)) }
    }

    /// If this fails, the pipe is closed in the middle of the dump, and pg_restore rolls back.
    async fn pour(
        &self,
        records: &mut Records,
        mut stdin: ChildStdin,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<(), BackupError> {
        let mut listens = true;
        loop {
            match records.next().await? {
                Some(Record::Bytes(bytes)) => {
                    seen(bytes.len() as u64);
                    // A program that ended early reports a better reason than "broken pipe".
                    listens = listens && stdin.write_all(&bytes).await.is_ok();
                }
                Some(Record::DumpEnds) => return Ok(()),
                _ => return Err(self.odd()),
            }
        }
    }

    async fn compare(&self, conn: &mut PgConnection, manifest: &Manifest) -> Result<(), BackupError> {
        let differs = |what: String| BackupError::Differs { path: self.file.clone(), what };
        if backup::migrations(conn).await? != manifest.migrations {
            return Err(differs("other migrations".to_owned()));
        }
        let found = backup::row_counts(conn).await?;
        for name in found.keys().chain(manifest.tables.keys()) {
            let [found, expected] = [&found, &manifest.tables].map(|it| it.get(name).copied());
            if found != expected {
                let words = |rows: Option<i64>| rows.map_or("no such table".to_owned(), |it| format!("{it} rows"));
                return Err(differs(format!("{name} has {} instead of {}", words(found), words(expected))));
            }
        }
        Ok(())
    }

    async fn files(
        &self,
        records: &mut Records,
        store: Option<&MediaStore>,
        restored: &mut Restored,
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<(), BackupError> {
        let mut listed = 0;
        let mut file: Option<Incoming> = None;
        loop {
            match records.next().await? {
                Some(Record::Bytes(bytes)) => {
                    seen(bytes.len() as u64);
                    file.as_mut().ok_or_else(|| self.odd())?.add(bytes).await?;
                }
                Some(Record::Medium(medium)) => {
                    listed += 1;
                    note(file.take(), restored).await?;
                    if medium.held {
                        file = Some(Incoming::new(medium, store)?);
                    } else {
                        restored.elsewhere += 1;
                    }
                }
                Some(Record::End(count)) if count == listed => return note(file.take(), restored).await,
                _ => return Err(self.odd()),
            }
        }
    }

    fn odd(&self) -> BackupError {
        BackupError::Altered { path: self.file.clone(), what: "its records stand in another order".to_owned() }
    }
}

/// PostgreSQL's program that fills a database.
const RESTORE: &str = "pg_restore";

/// pg_restore's options: all or nothing, and the restoring role owns everything.
const RESTORE_OPTIONS: [&str; 3] = ["--single-transaction", "--exit-on-error", "--no-owner"];

/// Completes a file and counts it.
async fn note(file: Option<Incoming>, restored: &mut Restored) -> Result<(), BackupError> {
    let Some(file) = file else { return Ok(()) };
    match file.finish().await? {
        Ok(()) => restored.media += 1,
        Err(location) => restored.damaged.push(location),
    }
    Ok(())
}
