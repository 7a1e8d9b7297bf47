//! The tables. All SQL except the inbox's is here; a folder per subject, a file per table.
//!
//! Every function takes `&mut PgConnection` and runs in its caller's transaction.

pub mod apply;

pub mod customers;

pub mod records;

pub mod archive;
pub mod kf;

pub mod staff;

pub mod groups;

pub mod company;

pub mod orders;

pub mod handover;

pub mod task;

pub mod sync;

pub mod apps;

pub mod access;

pub mod privacy;

pub mod reports;

pub mod upkeep;

pub mod dictionary;

pub mod plans;

pub mod refusal;

/// The database's shape, from `migrations/`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The database's time: the one clock that all processes share.
pub async fn now(conn: &mut sqlx::PgConnection) -> sqlx::Result<chrono::DateTime<chrono::Utc>> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(conn).await
}

/// The database's time, read once and continued by this process's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SharedClock {
    read: chrono::DateTime<chrono::Utc>,
    since: std::time::Instant,
}

impl SharedClock {
    /// Reads the database's time.
    pub async fn read(conn: &mut sqlx::PgConnection) -> sqlx::Result<Self> {
        Ok(Self { since: std::time::Instant::now(), read: now(conn).await? })
    }

    /// The database's time now.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        let passed = chrono::TimeDelta::from_std(self.since.elapsed()).unwrap_or_default();
        self.read.checked_add_signed(passed).unwrap_or(self.read)
    }
}

/// How many migrations the database lacks; changes nothing.
pub async fn missing_migrations(conn: &mut sqlx::PgConnection) -> sqlx::Result<usize> {
    let table: bool =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&mut *conn).await?;
    if !table {
        return Ok(MIGRATOR.iter().count());
    }
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(conn).await?;
    Ok(MIGRATOR.iter().filter(|it| !applied.contains(&it.version)).count())
}
