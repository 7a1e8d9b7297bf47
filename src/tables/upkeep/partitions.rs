//! Making partitions, and dropping them: the one place where SQL is put together from names.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection, error::DatabaseError};

/// Whether a partition had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was there already, or its rows live in the default partition and stay there.
    Before,
    /// This call made it.
    Now,
}

/// How long making a partition may wait for the table: a backup holds it for minutes, and nothing waits for that.
pub(in crate::tables) const LOCK_LIMIT: &str = "500ms";

/// The first half of the advisory lock that serialises the making of a table's partitions between processes; the
/// second is a hash of the table, since whoever makes one table's must not wait for another's.
const PARTITION_LOCK: i32 = 0x7763_7074;

/// A partition that holds a day or a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its first day; its name says so.
    pub from: NaiveDate,
    /// How many bytes it has, indexes included.
    pub bytes: i64,
}

/// Makes partition `name` of `parent` for `from <= time < to` (UTC days), unless it is there, in the caller's
/// transaction. [`super::partition_upkeep`] makes them ahead, so that this is seldom called for.
///
/// `parent` and `name` must be ours: they are put into the statement as they are.
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
            // The limit would otherwise last as long as the transaction around this one.
            limit_locks(&mut transaction, "0").await?;
            transaction.commit().await?;
            Ok(made)
        }
        // Its rows go to the default partition and stay together there, so that a repeat still meets its original.
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

/// The first days of these partitions, oldest first: without their sizes, no partition is locked for it.
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

/// Whether the database has room for the locks of a backup, which reads every table at once.
#[derive(Debug, Clone, Copy)]
pub struct LockRoom {
    /// How many partitions all tables have.
    pub partitions: i64,
    /// How many locks whoever reads them all takes: one for each, and one for each of their indexes.
    pub locks: i64,
    /// How many there is room for, shared by all connections.
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

/// Drops a partition, in the caller's transaction; it waits for the table no longer than making one does.
pub async fn drop(conn: &mut PgConnection, partition: &Partition) -> sqlx::Result<()> {
    limit_locks(conn, LOCK_LIMIT).await?;
    #[expect(clippy::disallowed_methods, reason = "the name is one of ours, as the catalogue has it")]
    sqlx::query(AssertSqlSafe(format!("drop table {}", partition.name))).execute(&mut *conn).await?;
    limit_locks(conn, "0").await
}

/// The default partition holds rows of that time (23514), the table could not be had (55P03), or looking through the
/// default partition took too long (57014).
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

/// How long the rest of the transaction waits for locks.
pub async fn limit_locks(conn: &mut PgConnection, limit: &str) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('lock_timeout', $1, true)", limit).fetch_one(conn).await?;
    Ok(())
}

/// Asked of the catalogue itself: `to_regclass` may answer from a cache that a wait for the lock has made stale.
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
