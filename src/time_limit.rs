//! Limits the wait for the database; the error names the operation that took too long.
//!
//! PostgreSQL's own limits (statement_timeout) come back as its errors. This limit is for what PostgreSQL cannot end:
//! a connection that is never made, a server that does not answer.

use std::time::Duration;

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseFailure {
    /// The database returned an error, or the connection broke.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// We stopped waiting. The operation may still take effect.
    #[error("{what} took longer than {limit:?}")]
    TimedOut {
        /// The operation, as the beginning of a sentence.
        what: &'static str,
        /// How long we waited.
        limit: Duration,
    },
}

impl DatabaseFailure {
    /// Whether it is a database error of this kind. A time-out of ours is of none.
    pub fn is(&self, kind: impl FnOnce(&sqlx::Error) -> bool) -> bool {
        matches!(self, Self::Sqlx(error) if kind(error))
    }
}

/// Waits for `work` at most `limit`; then drops it together with its connection.
pub async fn within<T, E: Into<DatabaseFailure>>(
    limit: Duration,
    what: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, DatabaseFailure> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(DatabaseFailure::TimedOut { what, limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_time_out_names_the_operation_and_its_limit_and_blames_no_pool() {
        let never = std::future::pending::<sqlx::Result<()>>();
        let error = within(Duration::from_millis(20), "connecting to the database", never).await.expect_err("never");
        assert_eq!(error.to_string(), "connecting to the database took longer than 20ms");
        assert!(!error.is(|_| true), "it is no error of the database's");
    }

    #[tokio::test]
    async fn a_database_result_within_the_limit_is_passed_on_unchanged() {
        let closed = async { Err::<(), _>(sqlx::Error::PoolClosed) };
        let error = within(Duration::from_secs(9), "anything", closed).await.expect_err("closed");
        assert_eq!(error.to_string(), sqlx::Error::PoolClosed.to_string());
        assert!(error.is(|it| matches!(it, sqlx::Error::PoolClosed)));
        let done = within(Duration::from_secs(9), "anything", async { Ok::<_, sqlx::Error>(7) }).await;
        assert_eq!(done.expect("in time"), 7);
    }
}
