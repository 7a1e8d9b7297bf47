//! What we keep. The only SQL about contacts, members, records and tasks; one file per table.
//!
//! Every function takes `&mut PgConnection` and runs in whatever transaction its caller holds.

pub mod apply;

pub mod member_alias;

pub mod member;

pub mod customer_wechat_contact;

pub mod customer_activity;

pub mod wechat_contact_record;

pub mod staff_wechat_bind;

pub mod handover;

pub mod erased_person;

pub mod erasure;

pub mod erase;

pub mod customer_export;

pub mod retention;

pub mod resignation;

pub mod task;

pub mod media;

pub mod welcome;

pub mod work_order;

pub mod contact_way;

pub mod contact_way_scan;

pub mod matching;

pub mod customer_match;

pub mod contact_flow_setting;

pub mod idempotency_key;

pub mod enterprise_wechat_config;

pub mod callback_key_use;

pub mod api_token;

pub mod console_user;

pub mod console_session;

pub mod own;

pub mod access_log;

pub mod sync_run;

pub mod sync_shard;

pub mod sync_drift;

pub mod report;

pub mod reporting;

pub mod dictionary;

pub mod plans;

pub mod partitions;

pub mod partition_upkeep;

pub mod wecom_token;

pub mod login_state;

pub mod sealed;

pub mod refusal;

pub mod backup;

/// The database's shape, from `migrations/`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The database's time: the one clock that all processes share.
pub async fn now(conn: &mut sqlx::PgConnection) -> sqlx::Result<chrono::DateTime<chrono::Utc>> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(conn).await
}

/// The database's time, read once and carried on by this process's own steady clock, which nobody sets.
#[derive(Debug, Clone, Copy)]
pub struct SharedClock {
    read: chrono::DateTime<chrono::Utc>,
    since: std::time::Instant,
}

impl SharedClock {
    /// Reads it.
    pub async fn read(conn: &mut sqlx::PgConnection) -> sqlx::Result<Self> {
        Ok(Self { since: std::time::Instant::now(), read: now(conn).await? })
    }

    /// What it shows now.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        let passed = chrono::TimeDelta::from_std(self.since.elapsed()).unwrap_or_default();
        self.read.checked_add_signed(passed).unwrap_or(self.read)
    }
}

/// How many migrations the database still lacks; changes nothing.
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
