//! Whose fault an error is: the delivery's, or the database's own.

use crate::time_limit::DatabaseFailure;

/// Whether the database understood and refused: trying the rest without this delivery can help.
///
/// Everything else is the database's own trouble and counts against no delivery: connections (class 08), a database
/// that takes no writes (25), two transactions that crossed (40), resources (53), locks (55), cancelled or shut down
/// (57), the system (58).
pub fn is_refusal(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_));
    };
    let code = error.code().unwrap_or_default();
    !["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// Whether two transactions crossed (deadlock, serialization): one of them only has to begin again.
pub fn is_crossing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    matches!(code.as_deref(), Some("40P01" | "40001"))
}

/// Whether a statement took longer than it may.
pub fn is_too_slow(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|it| it.code().as_deref() == Some("57014"))
}

/// Whether no delivery can be the reason: it is the statement itself that is refused, as by a missing permission or
/// table (42), a missing schema (3F), a feature that is not there (0A), or a fault inside the database (XX).
pub(super) fn is_of_all(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code()).unwrap_or_default();
    ["0A", "3D", "3F", "42", "XX"].iter().any(|class| code.starts_with(class))
}

/// The SQLSTATE, or a dash if the database did not answer.
pub(super) fn sqlstate(error: &DatabaseFailure) -> String {
    let code = answered(error).and_then(|it| it.code());
    code.map_or_else(|| "-".to_owned(), |it| it.into_owned())
}

/// What the database itself answered, if it did.
fn answered(error: &DatabaseFailure) -> Option<&dyn sqlx::error::DatabaseError> {
    match error {
        DatabaseFailure::Sqlx(error) => error.as_database_error(),
        DatabaseFailure::TimedOut { .. } => None,
    }
}

/// How much of a message is repeated to whoever asks.
const SAID_CHARS_MAX: usize = 200;

/// What the database said, in short: SQLSTATE and message. Details, which may hold a row, are left out.
pub(super) fn said(error: &DatabaseFailure) -> String {
    match answered(error) {
        Some(it) => format!("{}: {}", sqlstate(error), it.message()).chars().take(SAID_CHARS_MAX).collect(),
        None => error.to_string().chars().take(SAID_CHARS_MAX).collect(),
    }
}
