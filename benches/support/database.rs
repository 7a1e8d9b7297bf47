//! A private PostgreSQL on disk with full durability, gone when the benchmark ends.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::supply::FIRST_DAY;
use anyhow::{Context, ensure};
use chrono::TimeDelta;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use wecomd::{
    app_config::{NewConfig, save},
    embedded::{Durability, Embedded},
    sandbox::{App, Corp},
    tables::MIGRATOR,
    vault::Vault,
};

/// The file with the key that seals the apps' secrets.
const MASTER_KEY: &str = "master.key";

/// Partitions for so many days and their months.
const DAYS: &str = "
    select make_partition('inbox', 'inbox_' || to_char(day at time zone 'UTC', 'YYYYMMDD'), day, day + interval '24 hours', 0)
    from (select $1::timestamp at time zone 'UTC' + it * interval '24 hours' as day from generate_series(0, $2 - 1) it) days";
const DAYS_MAX: i32 = 200;

/// The server and its folder. Fields go in this order: the server stops first.
pub(crate) struct Database {
    server: Embedded,
    folder: Folder,
}

impl Database {
    /// Starts it in cargo's folder for temporary files, which lies on a disk even where `/tmp` is memory.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        Vault::generate(&folder.0.join(MASTER_KEY))?;
        Paused { folder }.resume().await
    }

    /// Stops the server, as an outage does for everybody who is connected.
    pub(crate) async fn pause(self) -> anyhow::Result<Paused> {
        self.server.stop().await?;
        Ok(Paused { folder: self.folder })
    }

    /// The folder of the server and of what belongs to it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The URL of one of its databases; `wecomd` is there from the beginning.
    pub(crate) fn url(&self, name: &str) -> String {
        self.server.url(name)
    }

    /// The file that opens what [`Database::prepare`] sealed.
    pub(crate) fn master_key_file(&self) -> PathBuf {
        self.folder.0.join(MASTER_KEY)
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Brings a database to our schema, with the company's apps in it.
    pub(crate) async fn prepare(&self, name: &str, corp: &Corp) -> anyhow::Result<PgConnection> {
        let mut conn = PgConnection::connect_with(&self.options(name)?).await?;
        MIGRATOR.run_direct(None, &mut conn, false).await?;
        // The days that the supply's callbacks are of: in the field each is made ahead.
        sqlx::query(DAYS).bind(FIRST_DAY).bind(DAYS_MAX).execute(&mut conn).await?;
        let vault = self.vault()?;
        for app in &corp.apps {
            let new = NewConfig {
                name: app.name.clone(),
                corpid: Some(corp.corpid.0.clone()),
                agentid: Some(app.agentid.clone()),
                secret: Some("".into()),
                token: Some(app.token.clone().into()),
                encoding_aes_key: Some(app.encoding_aes_key.clone().into()),
                ..NewConfig::default()
            };
            save(&mut conn, &vault, TimeDelta::zero(), new).await?;
        }
        Ok(conn)
    }

    /// Gives an app the secret that the pretend WeCom knows, and the words that it greets new contacts with.
    pub(crate) async fn entrust(
        &self,
        conn: &mut PgConnection,
        app: &App,
        welcome_message: Option<&str>,
    ) -> anyhow::Result<()> {
        let new = NewConfig {
            name: app.name.clone(),
            secret: Some(app.secret.clone().into()),
            welcome_message: welcome_message.map(|it| Some(it.to_owned())),
            ..NewConfig::default()
        };
        let saved = save(conn, &self.vault()?, TimeDelta::zero(), new).await;
        ensure!(saved.is_ok(), "the app's secret cannot be saved: {saved:?}");
        Ok(())
    }

    /// What seals the secrets.
    pub(crate) fn vault(&self) -> anyhow::Result<Vault> {
        Ok(Vault::from_env_or_file(Some(&self.master_key_file()))?)
    }

    /// How to connect to one of its databases.
    pub(crate) fn options(&self, name: &str) -> anyhow::Result<PgConnectOptions> {
        Ok(PgConnectOptions::from_str(&self.url(name))?)
    }

    /// Stops the server; the folder goes with it.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.server.stop().await?)
    }
}

/// Writes everything to the disk that is not there yet, so that nobody pays for it later.
///
/// The daemon's role may not ask for a checkpoint. Making a database by copying files has one before and after.
pub(crate) async fn checkpoint(conn: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("create database checkpointed strategy file_copy").execute(&mut *conn).await?;
    sqlx::raw_sql("drop database checkpointed").execute(conn).await?;
    Ok(())
}

/// A server that is stopped; its folder stays.
pub(crate) struct Paused {
    folder: Folder,
}

impl Paused {
    /// Starts the server in its folder, under the same URL.
    pub(crate) async fn resume(self) -> anyhow::Result<Database> {
        let server = Embedded::start(&self.folder.0.join("postgres"), Durability::Full).await?;
        Ok(Database { server, folder: self.folder })
    }
}

/// How many folders this process has made.
static FOLDERS: AtomicUsize = AtomicUsize::new(0);

/// A folder that goes when the benchmark ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let name = format!("bench-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
