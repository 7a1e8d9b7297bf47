//! Why a task is not done, named by what its executor does next.

use std::time::Duration;

use crate::{
    handover::Trouble,
    inbox,
    wecom::{ApiError, Class},
};

/// Why a task is not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A dependency was not ready: try again later, after a growing pause or after `after`. After too many attempts
    /// the task is parked.
    #[error("will be tried again: {why:#}")]
    Retry {
        /// The reason.
        why: anyhow::Error,
        /// The minimum pause before the next attempt.
        after: Option<Duration>,
    },
    /// No repetition can help: park it for a person.
    #[error("parked: {why:#}")]
    Park {
        /// The reason, for the person who looks at it.
        why: anyhow::Error,
    },
    /// The database was in trouble. That is not the task's fault and does not count as an attempt.
    #[error("interrupted: {why:#}")]
    Interrupted {
        /// The database's error.
        why: anyhow::Error,
    },
}

/// The pause before a task that needs the operator is tried again.
const OPERATOR_AFTER: Duration = Duration::from_secs(10 * 60);

impl Failure {
    /// Parks it, with a reason in words.
    pub fn park(why: impl Into<String>) -> Self {
        Self::Park { why: anyhow::Error::msg(why.into()) }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let after = error.retry_after;
        match error.class {
            Class::Transient | Class::Unknown | Class::Token => Self::Retry { why: error.into(), after },
            Class::Refused if error.needs_operator() => Self::Retry { why: error.into(), after: Some(OPERATOR_AFTER) },
            Class::Refused => Self::Park { why: error.into() },
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Wecom(error) => error.into(),
            Trouble::Database(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if inbox::is_refusal(&error) || inbox::is_too_slow(&error) {
            return Self::Retry {
                why: anyhow::Error::new(error).context("the database refuses it, or takes too long"),
                after: None,
            };
        }
        Self::Interrupted { why: error.into() }
    }
}
