//! The way to the database: connections with their limits, the schema, and what must be in the tables before use.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::settings::tasks_settings;
use crate::{
    config::Config,
    housekeeping,
    inbox::database_standing,
    sync,
    tables::{MIGRATOR, access::access_log::months, orders::contact_flow_setting, plans},
};

/// How long a start waits for a database that is itself only starting.
const DATABASE_START_LIMIT: Duration = Duration::from_secs(30);

/// Time between two attempts to reach it.
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// How long the first look may take that decides whether callbacks are kept in the spool from the start.
const FIRST_LOOK_LIMIT: Duration = Duration::from_secs(2);

/// How long a statement of the admin API may take.
const ADMIN_STATEMENT_LIMIT: &str = "15s";

/// How long a request of the admin API waits for a connection.
const POOL_LIMIT: Duration = Duration::from_secs(5);

/// How many connections the executors need besides one per task: for the worker pools, and to count the queue.
const WORKER_POOLS_SPARE: u32 = 5;

/// How many connections housekeeping and the search for reconciling runs need.
const KEEPERS: u32 = 2;

/// Options for connections to the database that a URL names.
pub fn connect_options(url: &SecretString) -> anyhow::Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_| anyhow::anyhow!("the database URL is not of the form postgres://user:password@host/database"))?;
    Ok(options.application_name("wecomd"))
}

/// A pool of connections, once the database answers; retried while the database is starting.
pub async fn connect(options: &PgConnectOptions, pool_max: u32) -> anyhow::Result<PgPool> {
    let pool = pool(options, pool_max);
    connected(&pool).await?;
    Ok(pool)
}

/// A pool of connections, none of which is open yet.
pub(super) fn pool(options: &PgConnectOptions, pool_max: u32) -> PgPool {
    // Statements are planned for their actual values: a generic plan would lock every partition.
    let options = plans::fresh(options.clone()).options([("statement_timeout", ADMIN_STATEMENT_LIMIT)]);
    PgPoolOptions::new().max_connections(pool_max).acquire_timeout(POOL_LIMIT).connect_lazy_with(options)
}

/// Returns once the database answers; retried while the database is starting.
pub(super) async fn connected(pool: &PgPool) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        match pool.acquire().await {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > DATABASE_START_LIMIT || is_final(&error) => {
                return Err(error).context("cannot reach the database; check database_url (DATABASE_URL)");
            }
            Err(error) => {
                tracing::info!(error = %error, "waiting for the database");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
        }
    }
}

/// Migrates the database to this program's schema, however long that takes. A lock in the database lets any number of
/// processes do it at once.
pub async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut conn = PgConnection::connect_with(options).await?;
    // `run` is the same, but its future cannot be sent to another thread.
    MIGRATOR
        .run_direct(None, &mut conn, false)
        .await
        .context("the database cannot be brought to this program's schema")?;
    Ok(conn.close().await?)
}

/// Whether the database is away for now: it cannot be reached, or takes no writes. What waiting cannot help, such as a
/// wrong password, is not this.
pub(super) async fn is_away(options: &PgConnectOptions) -> bool {
    let look = async {
        let mut conn = PgConnection::connect_with(options).await?;
        let (_, writes) = database_standing(&mut conn).await?;
        let _ = conn.close().await;
        Ok::<_, sqlx::Error>(writes)
    };
    match tokio::time::timeout(FIRST_LOOK_LIMIT, look).await {
        Ok(Ok(writes)) => !writes,
        Ok(Err(error)) => !is_final(&error),
        Err(_) => true,
    }
}

/// Brings a database that answers to this program's schema, and prepares its tables.
pub(super) async fn prepare(config: &Config, options: &PgConnectOptions, pool: &PgPool) -> anyhow::Result<()> {
    migrate(options).await?;
    housekeeping::partitions::prepare(options).await;
    prepare_tables(config, pool).await
}

/// Connections for background work: as many as it ever needs at once, so that a greeting never waits for one. Their
/// plans are fixed.
pub fn acting_pool(config: &Config, options: &PgConnectOptions) -> PgPool {
    let options = plans::fixed(options.clone()).options([("statement_timeout", ADMIN_STATEMENT_LIMIT)]);
    let connections = tasks_settings(config).total() + WORKER_POOLS_SPARE + sync::CONNECTIONS + KEEPERS;
    PgPoolOptions::new().max_connections(connections).acquire_timeout(POOL_LIMIT).connect_lazy_with(options)
}

/// Prepares the tables before use: stores the settings that statements read, and makes the access log's next month.
async fn prepare_tables(config: &Config, pool: &PgPool) -> anyhow::Result<()> {
    let mut conn = pool.acquire().await?;
    let (order, url) = (&config.matching.order, &config.assignment.order_url);
    contact_flow_setting::save(&mut conn, order, url, config.kf.trust_scene_param).await?;
    if let Err(error) = months::ensure(&mut conn).await {
        tracing::warn!(error = %error, "the access log's next month could not be made yet");
    }
    Ok(())
}

/// Whether waiting cannot help: wrong password, unknown database or user, TLS refused.
fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("28") || code == "3D000"),
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => true,
        _ => false,
    }
}
