//! The schema's tables, as the catalogue lists them: how many rows each has, and emptying them.

use std::{collections::BTreeMap, sync::Arc};

use sqlx::{AssertSqlSafe, PgConnection};

/// Tables that are no partitions, and partitioned tables.
const TABLES: &str = "
    select oid::regclass::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    order by 1";

/// How many rows each table has, by its quoted name.
pub(crate) type Counts = BTreeMap<String, i64>;

/// Counts all tables.
pub(crate) async fn counts(conn: &mut PgConnection) -> anyhow::Result<Counts> {
    let names: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *conn).await?;
    counts_of(conn, &names).await
}

/// Counts these tables.
pub(crate) async fn counts_of(conn: &mut PgConnection, names: &[String]) -> anyhow::Result<Counts> {
    let mut counts = Counts::new();
    for name in names {
        let count = format!("select count(*) from {name}");
        counts.insert(name.clone(), sqlx::query_scalar(assembled(count)).fetch_one(&mut *conn).await?);
    }
    Ok(counts)
}

/// The tables that have more rows than before.
pub(crate) fn grown(before: &Counts, after: &Counts) -> Vec<String> {
    let is_grown = |(name, count): &(&String, &i64)| **count > before.get(*name).copied().unwrap_or(0);
    after.iter().filter(is_grown).map(|(name, _)| name.clone()).collect()
}

/// Empties these tables, and those whose rows refer to theirs.
pub(crate) async fn truncate(conn: &mut PgConnection, names: &[String]) -> anyhow::Result<()> {
    if !names.is_empty() {
        sqlx::raw_sql(assembled(format!("truncate {} cascade", names.join(", ")))).execute(conn).await?;
    }
    Ok(())
}

/// SQL that is put together from names: the catalogue's, or a benchmark's own.
#[expect(clippy::disallowed_methods, reason = "no value gets into it, and nobody else's name")]
pub(crate) fn assembled(sql: impl Into<Arc<str>>) -> AssertSqlSafe<Arc<str>> {
    AssertSqlSafe(sql.into())
}
