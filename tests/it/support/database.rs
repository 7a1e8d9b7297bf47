//! One database for each test, copied from a migrated template.
//!
//! `scripts/with-postgres` starts the server and names it in `WECOMD_TEST_DATABASE_URL`.

#![expect(clippy::disallowed_methods, reason = "databases get names that are made up here, and tests ask freely")]

use std::str::FromStr;

use secrecy::SecretString;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use wecomd::tables::MIGRATOR;

/// Serialises the making of the template between test processes.
const TEMPLATE_LOCK: i64 = 7_364_512;

/// A database of one test's own.
pub(crate) struct TestDb {
    pub(crate) pool: PgPool,
    pub(crate) url: SecretString,
    name: String,
    admin: PgConnectOptions,
}

impl TestDb {
    /// A database with every table and no row.
    pub(crate) async fn new() -> Self {
        Self::made(true).await
    }

    /// A database without tables.
    pub(crate) async fn empty() -> Self {
        Self::made(false).await
    }

    async fn made(migrated: bool) -> Self {
        let server = std::env::var("WECOMD_TEST_DATABASE_URL").expect(
            "WECOMD_TEST_DATABASE_URL names a PostgreSQL for tests; run `scripts/with-postgres cargo nextest run`",
        );
        let admin = PgConnectOptions::from_str(&server).expect("WECOMD_TEST_DATABASE_URL is a URL");
        let mut conn = PgConnection::connect_with(&admin).await.expect("the test server answers");
        let template = if migrated { template(&mut conn, &admin).await } else { "template0".to_owned() };
        let name = format!("t_{}", uuid::Uuid::now_v7().simple());
        run(&mut conn, format!("create database {name} template {template}")).await;
        conn.close().await.expect("closes");
        let options = admin.clone().database(&name);
        let pool = PgPoolOptions::new().max_connections(4).connect_with(options).await.expect("connects");
        let url = SecretString::from(server.replace("/postgres?", &format!("/{name}?")));
        Self { pool, url, name, admin }
    }

    /// Lets what waits to be recorded wait in one group for each day, as if it had been committed together.
    pub(crate) async fn wait_together(&self) {
        self.execute(
            "with gone as (delete from pending returning *)
             insert into pending_group (size, earliest, latest, event_ats, app_ids, hashes)
             select count(*), min(event_at), max(event_at), array_agg(event_at order by event_at, hash),
                 array_agg(app_id order by event_at, hash), array_agg(hash order by event_at, hash)
             from gone group by date_bin('1 day', event_at, 'epoch')",
        )
        .await;
    }

    /// Lets each delivery that waits to be recorded wait alone, so that a test can postpone it.
    pub(crate) async fn wait_alone(&self) {
        self.execute(
            "with gone as (delete from pending_group returning *)
             insert into pending (due_at, event_at, app_id, hash)
             select due_at, it.event_at, it.app_id, it.hash
             from gone, unnest(event_ats, app_ids, hashes) it (event_at, app_id, hash)",
        )
        .await;
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.admin.clone().database(&self.name)
    }

    /// From now on the database's clock differs by so much from the process's, such as `-40 days`. Connections that are
    /// open already keep the old one.
    pub(crate) async fn set_clock(&self, by: &str) {
        self.execute(&format!(
            "create schema elsewhen;
             create function elsewhen.now() returns timestamptz stable language sql
                 as $$ select pg_catalog.now() + interval '{by}' $$;
             create function elsewhen.clock_timestamp() returns timestamptz volatile language sql
                 as $$ select pg_catalog.clock_timestamp() + interval '{by}' $$;
             do $$ declare it record; begin
                 for it in
                     select adrelid::regclass as relation, attname from pg_attrdef
                     join pg_attribute on (attrelid, attnum) = (adrelid, adnum)
                     where pg_get_expr(adbin, adrelid) in ('now()', 'clock_timestamp()')
                 loop
                     execute format('alter table %s alter column %I set default elsewhen.now()', it.relation, it.attname);
                 end loop;
                 execute format('alter database %I set search_path = public, elsewhen, pg_catalog', current_database());
             end $$;"
        ))
        .await;
    }

    /// Rows of one column, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        texts(&self.pool, sql).await
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await.expect("the query runs")
    }

    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.pool, sql).await;
    }

    /// The SQLSTATE with which statements are refused; none if they run.
    pub(crate) async fn refusal(&self, sql: &str) -> Option<String> {
        let refused = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.err()?;
        refused.as_database_error()?.code().map(|it| it.into_owned())
    }

    pub(crate) async fn close(self) {
        self.pool.close().await;
        let mut conn = PgConnection::connect_with(&self.admin).await.expect("the test server answers");
        run(&mut conn, format!("drop database if exists {} with (force)", self.name)).await;
    }
}

/// Rows of one column, as text, from any database.
pub(crate) async fn texts(pool: &PgPool, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(pool).await.expect("the query runs")
}

/// Runs statements in any database.
pub(crate) async fn execute(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.expect("the statement runs");
}

/// The name of the template for these migrations, made by whoever comes first.
async fn template(conn: &mut PgConnection, admin: &PgConnectOptions) -> String {
    let bytes = MIGRATOR.iter().flat_map(|it| it.checksum.iter());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    let name = format!("wecomd_template_{hash:016x}");
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *conn).await.expect("locks");
    let made: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1 and not datallowconn)")
            .bind(&name)
            .fetch_one(&mut *conn)
            .await
            .expect("looks");
    if !made {
        run(conn, format!("drop database if exists {name} with (force)")).await;
        run(conn, format!("create database {name}")).await;
        let mut inside = PgConnection::connect_with(&admin.clone().database(&name)).await.expect("connects");
        MIGRATOR.run_direct(None, &mut inside, false).await.expect("migrates");
        inside.close().await.expect("closes");
        run(conn, format!("alter database {name} with allow_connections false")).await;
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(conn).await.expect("unlocks");
    name
}

async fn run(conn: &mut PgConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(conn).await.expect("the statement runs");
}
