//! Waiting for the database for no longer than a limit, and an error that says what took too long.
//!
//! PostgreSQL's own limits (statement_timeout) come back as its errors. This is for what it cannot end: a connection that
//! is never made, a server that answers nothing at all.

use std::time::Duration;

/// Why something was not done with the database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseFailure {
    /// The database said so, or the connection broke.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// We stopped waiting. What was asked for may still be done.
    #[error("{what} took longer than {limit:?}")]
    TimedOut {
        /// What we waited for, as the beginning of a sentence.
        what: &'static str,
        /// How long we waited.
        limit: Duration,
    },
}

impl DatabaseFailure {
    /// Whether the database's error is of such a kind. A time-out of ours is of none.
    pub fn is(&self, kind: impl FnOnce(&sqlx::Error) -> bool) -> bool {
        matches!(self, Self::Sqlx(error) if kind(error))
    }
}

/// Waits for `work` for no longer than `limit`; then it is dropped, and with it the connection that it held.
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
