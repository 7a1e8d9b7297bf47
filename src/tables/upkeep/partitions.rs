//! Makes and drops partitions: the one place where SQL is built from names.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection, error::DatabaseError};

/// Whether a partition had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It existed before, or its rows are in the default partition and stay there.
    Before,
    /// This call made it.
    Now,
}

/// How long making a partition may wait for the table: a backup locks it for minutes, and callers cannot wait that
/// long.
pub(in crate::tables) const LOCK_LIMIT: &str = "500ms";

/// The first half of the advisory lock that serialises making a table's partitions between processes; the second is a
/// hash of the table, so that different tables do not block each other.
const PARTITION_LOCK: i32 = 0x7763_7074;

/// A partition that holds a day or a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its first day, read from its name.
    pub from: NaiveDate,
    /// How many bytes it has, indexes included.
    pub bytes: i64,
}

/// Makes partition `name` of `parent` for `from <= time < to` (UTC days), if missing, in the caller's transaction.
/// [`super::partition_upkeep`] makes them ahead, so this is rarely needed.
///
/// `parent` and `name` must be constants of ours: they become part of the SQL.
pub async fn make(
    conn: &mut PgConnection,
    parent: &str,
    name: &str,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<Made> {
    if exists(conn, name).await? {
        return Ok(Made::Before);
    }
    let mut transaction = conn.begin().await?;
    limit_locks(&mut transaction, LOCK_LIMIT).await?;
    let made = create(&mut transaction, parent, name, from, to).await;
    match made {
        Ok(made) => {
            // Reset, because the limit would otherwise last until the outer transaction ends.
            limit_locks(&mut transaction, "0").await?;
            transaction.commit().await?;
            Ok(made)
        }
        // Its rows go to the default partition and stay there together, so that a repeat still meets its original.
        Err(sqlx::Error::Database(error)) if is_put_off(&*error) => {
            tracing::warn!(partition = name, error = %error, "a partition could not be made; its rows go to the default one");
            transaction.rollback().await?;
            Ok(Made::Before)
        }
        Err(error) => Err(error),
    }
}

/// The partitions of a table that hold a day (`_20260131`) or a month (`_202601`), oldest first.
pub async fn list(conn: &mut PgConnection, parent: &str) -> sqlx::Result<Vec<Partition>> {
    let rows = sqlx::query!(
        r#"
        select child.relname::text as "name!", pg_total_relation_size(child.oid) as "bytes!"
        from pg_class child
        join pg_inherits on inhrelid = child.oid
        join pg_class parent on parent.oid = inhparent
        where parent.relname = $1 and parent.relnamespace = current_schema()::regnamespace
        order by child.relname
        "#,
        parent,
    )
    .fetch_all(conn)
    .await?;
    let dated = rows.into_iter().filter_map(|row| {
        let from = first_day(parent, &row.name)?;
        Some(Partition { name: row.name, from, bytes: row.bytes })
    });
    Ok(dated.collect())
}

/// The first days of these partitions, oldest first. Sizes are not read, so no partition is locked.
pub async fn periods(conn: &mut PgConnection, parent: &str) -> sqlx::Result<Vec<NaiveDate>> {
    let names = sqlx::query_scalar!(
        r#"
        select child.relname::text as "name!"
        from pg_class child
        join pg_inherits on inhrelid = child.oid
        join pg_class parent on parent.oid = inhparent
        where parent.relname = $1 and parent.relnamespace = current_schema()::regnamespace
        order by child.relname
        "#,
        parent,
    )
    .fetch_all(conn)
    .await?;
    Ok(names.iter().filter_map(|name| first_day(parent, name)).collect())
}

/// The first day of a partition, as its name says.
fn first_day(parent: &str, name: &str) -> Option<NaiveDate> {
    let digits = name.strip_prefix(parent)?.strip_prefix('_')?;
    let day = if digits.len() == 6 { format!("{digits}01") } else { digits.to_owned() };
    NaiveDate::parse_from_str(&day, "%Y%m%d").ok()
}

/// The time of the first row of the default partition that is not before `from`, and before `until`.
pub async fn first_stray(
    conn: &mut PgConnection,
    parent: &str,
    column: &str,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let sql =
        format!("select {column} from {parent}_elsewhen where {column} >= $1 and {column} < $2 order by 1 limit 1");
    #[expect(clippy::disallowed_methods, reason = "the names are ours")]
    sqlx::query_scalar(AssertSqlSafe(sql)).bind(from).bind(until).fetch_optional(conn).await
}

/// Whether the lock table has room for a backup, which reads every table at once.
#[derive(Debug, Clone, Copy)]
pub struct LockRoom {
    /// How many partitions all tables have.
    pub partitions: i64,
    /// How many locks reading them all takes: one per partition, and one per index.
    pub locks: i64,
    /// How many locks fit, shared by all connections.
    pub room: i64,
}

/// Counts them.
pub async fn lock_room(conn: &mut PgConnection) -> sqlx::Result<LockRoom> {
    sqlx::query_as!(
        LockRoom,
        r#"
        select
            count(*) filter (where relkind = 'r') as "partitions!",
            count(*) as "locks!",
            current_setting('max_locks_per_transaction')::bigint
                * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
                as "room!"
        from pg_class
        where relispartition and relnamespace = current_schema()::regnamespace
        "#
    )
    .fetch_one(conn)
    .await
}

/// How many rows a partition has.
pub async fn rows(conn: &mut PgConnection, partition: &Partition) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select row_count((quote_ident(current_schema()) || '.' || quote_ident($1))::regclass) as "rows!""#,
        partition.name,
    )
    .fetch_one(conn)
    .await
}

/// Drops a partition in the caller's transaction; it waits for the table no longer than making one does.
pub async fn drop(conn: &mut PgConnection, partition: &Partition) -> sqlx::Result<()> {
    limit_locks(conn, LOCK_LIMIT).await?;
    #[expect(clippy::disallowed_methods, reason = "the name is one of ours, as the catalogue has it")]
    sqlx::query(AssertSqlSafe(format!("drop table {}", partition.name))).execute(&mut *conn).await?;
    limit_locks(conn, "0").await
}

/// Whether the error means: the default partition holds rows of that time (23514), the table's lock could not be had
/// (55P03), or scanning the default partition took too long (57014).
pub(in crate::tables) fn is_put_off(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("23514" | "55P03" | "57014"))
}

async fn create(
    conn: &mut PgConnection,
    parent: &str,
    name: &str,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<Made> {
    sqlx::query!("select pg_advisory_xact_lock($1, hashtext($2))", PARTITION_LOCK, parent).execute(&mut *conn).await?;
    if exists(conn, name).await? {
        return Ok(Made::Before);
    }
    let sql =
        format!("create table {name} partition of {parent} for values from ('{from} 00:00+00') to ('{to} 00:00+00')");
    #[expect(clippy::disallowed_methods, reason = "the names are ours and the days are dates")]
    sqlx::query(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(Made::Now)
}

/// Sets how long the rest of the transaction waits for locks.
pub async fn limit_locks(conn: &mut PgConnection, limit: &str) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('lock_timeout', $1, true)", limit).fetch_one(conn).await?;
    Ok(())
}

/// Reads the catalogue itself: `to_regclass` may use a cache that is stale after waiting for the lock.
async fn exists(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from pg_class where relname = $1 and relnamespace = current_schema()::regnamespace
        ) as "exists!"
        "#,
        name,
    )
    .fetch_one(conn)
    .await
}
