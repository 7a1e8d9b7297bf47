//! From what went wrong inside to what a caller is told of it.

use super::problem::{Code, Problem};
use crate::{
    vault::VaultError,
    wecom::{ApiError, Class},
};

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let state = error.as_database_error().and_then(|it| it.code()).unwrap_or_default().into_owned();
        // A value that no column can hold (class 22: a year that PostgreSQL does not have) came from the caller.
        if state.starts_with("22") {
            return Self::new(Code::InvalidParameter, "a given value is not one that the database can hold");
        }
        // Connection trouble, a server that is going down or full, or two transactions that stood in each other's way.
        let passing = ["08", "40", "53", "57"].iter().any(|class| state.starts_with(class));
        let unreachable = matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        );
        if !passing && !unreachable {
            return Self::internal(error);
        }
        let detail = "try again in a moment; /readyz says when it is back";
        Self::new(Code::DatabaseUnavailable, detail).because(error)
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let detail = "give this process the master keys that it was sealed with; the log says which";
        Self::new(Code::SecretUnreadable, detail).because(error)
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let code = match error.class {
            Class::Transient | Class::Unknown => Code::WecomUnavailable,
            Class::Token | Class::Refused => Code::WecomRefused,
        };
        let detail = explained(&error);
        Self::new(code, detail).because(error)
    }
}

/// What WeCom said, in words if we know some: what it means and what to do, in English and Chinese, then the code, its
/// words, the hint, and the address it saw us come from.
fn explained(error: &ApiError) -> String {
    let mut said = error.to_string();
    if let Some(address) = &error.from_ip {
        said.push_str(&format!(" (WeCom saw us come from {address})"));
    }
    match error.meaning() {
        Some(it) => format!("{}: {}. {}：{}。 [{said}]", it.en, it.remedy_en, it.zh, it.remedy_zh),
        None => said,
    }
}
