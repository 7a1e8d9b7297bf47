//! The months of `access_log`: made ahead, and dropped from the oldest on, with what they leave behind. The database's own
//! functions do both, so that no line is lost without its place being kept.

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};

use crate::tables::upkeep::partitions::{LOCK_LIMIT, limit_locks};

/// Makes this month and the next, unless they are there. What cannot be had in time is tried again later.
pub async fn ensure(conn: &mut PgConnection) -> sqlx::Result<()> {
    let mut transaction = conn.begin().await?;
    limit_locks(&mut transaction, LOCK_LIMIT).await?;
    sqlx::query!(
        r#"
        select make_access_log_month((date_trunc('month', now() at time zone 'UTC') + months * interval '1 month')::date)
        from generate_series(0, 1) months
        "#
    )
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Drops a month, in the caller's transaction; how many lines went. It has to be the oldest, and over.
pub async fn drop(conn: &mut PgConnection, month: NaiveDate) -> sqlx::Result<i64> {
    limit_locks(conn, LOCK_LIMIT).await?;
    let lines =
        sqlx::query_scalar!(r#"select drop_access_log_month($1) as "lines!""#, month).fetch_one(&mut *conn).await?;
    limit_locks(conn, "0").await?;
    Ok(lines)
}
