//! The monthly partitions of `access_log`: made ahead, and dropped oldest first, leaving an anchor. The database's
//! own functions do both, so that no line is dropped without its anchor.

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};

use crate::tables::upkeep::partitions::{LOCK_LIMIT, limit_locks};

/// Makes the partitions of this month and the next, if missing. If a lock cannot be had in time, a later call tries
/// again.
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

/// Drops a month in the caller's transaction; returns how many lines it had. It must be the oldest, and over.
pub async fn drop(conn: &mut PgConnection, month: NaiveDate) -> sqlx::Result<i64> {
    limit_locks(conn, LOCK_LIMIT).await?;
    let lines =
        sqlx::query_scalar!(r#"select drop_access_log_month($1) as "lines!""#, month).fetch_one(&mut *conn).await?;
    limit_locks(conn, "0").await?;
    Ok(lines)
}
