//! The database of a command: the configured one, or a private one.

use secrecy::SecretString;
use sqlx::PgPool;

use crate::{
    app,
    config::Config,
    embedded::{Durability, Embedded, EmbeddedError},
    tables::MIGRATOR,
};

/// The database's name in a private PostgreSQL.
const PRIVATE_NAME: &str = "wecomd";

/// How many connections a command that runs once may open.
const POOL_MAX: u32 = 4;

/// A database, and its server if that is private.
pub(super) struct Database {
    /// Its URL.
    pub(super) url: SecretString,
    /// The server, to be stopped with [`Database::stop`].
    pub(super) private: Option<Embedded>,
}

impl Database {
    /// The configured database; without one a private server is started, or used if another wecomd runs it already.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        match Self::own(config).await {
            Err(error) if matches!(error.downcast_ref(), Some(EmbeddedError::InUse(_))) => {
                let url = Embedded::url_in(&config.data_dir.join("postgres"), PRIVATE_NAME)?;
                Ok(Self { url: url.into(), private: None })
            }
            database => database,
        }
    }

    /// The configured database, or a private server that no other process uses.
    pub(super) async fn own(config: &Config) -> anyhow::Result<Self> {
        if let Some(url) = config.database_url() {
            return Ok(Self { url: url.clone(), private: None });
        }
        let folder = config.data_dir.join("postgres");
        let server = Embedded::start(&folder, Durability::Full).await?;
        Ok(Self { url: server.url(PRIVATE_NAME).into(), private: Some(server) })
    }

    /// A pool of connections, after migrating to this program's schema.
    pub(super) async fn migrated(&self) -> anyhow::Result<PgPool> {
        let options = app::connect_options(&self.url)?;
        let pool = app::connect(&options, POOL_MAX).await?;
        app::migrate(&options).await?;
        Ok(pool)
    }

    /// Stops the server if it is private.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        match self.private {
            Some(server) => Ok(server.stop().await?),
            None => Ok(()),
        }
    }
}

/// Runs `work` on a pool to the database, and stops a server that was started for it.
pub(super) async fn with_pool<T>(
    config: &Config,
    work: impl AsyncFnOnce(&PgPool) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let database = Database::open(config).await?;
    let done = async {
        let pool = database.migrated().await?;
        let done = work(&pool).await;
        pool.close().await;
        done
    }
    .await;
    database.stop().await?;
    done
}

/// `wecomd migrate`.
pub(super) async fn migrate(config: &Config) -> anyhow::Result<()> {
    with_pool(config, async |_| {
        super::say(&format!("the schema is current: {} migrations", MIGRATOR.iter().count()));
        Ok(())
    })
    .await
}
