//! Classifies errors: caused by the delivery, or by the database itself.

use crate::time_limit::DatabaseFailure;

/// Whether the database was reached and refused: then leaving this delivery out can help.
///
/// Everything else is the database's own trouble and counts against no delivery: connections (class 08), a database
/// that takes no writes (25), deadlocks and serialization failures (40), resources (53), locks (55), cancellation or
/// shutdown (57), the system (58).
pub fn is_refusal(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_));
    };
    let code = error.code().unwrap_or_default();
    !["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// Whether two transactions conflicted (deadlock, serialization failure): one of them only has to begin again.
pub fn is_crossing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    matches!(code.as_deref(), Some("40P01" | "40001"))
}

/// Whether a statement ran into its time limit.
pub fn is_too_slow(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|it| it.code().as_deref() == Some("57014"))
}

/// Whether no delivery can be the cause: the statement itself is refused, as by a missing permission or table (42), a
/// missing schema (3F), an unsupported feature (0A), or a fault inside the database (XX).
pub(super) fn is_of_all(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code()).unwrap_or_default();
    ["0A", "3D", "3F", "42", "XX"].iter().any(|class| code.starts_with(class))
}

/// The SQLSTATE, or a dash if the database did not answer.
pub(super) fn sqlstate(error: &DatabaseFailure) -> String {
    let code = answered(error).and_then(|it| it.code());
    code.map_or_else(|| "-".to_owned(), |it| it.into_owned())
}

/// The database's own error, if it sent one.
fn answered(error: &DatabaseFailure) -> Option<&dyn sqlx::error::DatabaseError> {
    match error {
        DatabaseFailure::Sqlx(error) => error.as_database_error(),
        DatabaseFailure::TimedOut { .. } => None,
    }
}

/// How many characters of an error message are shown to monitoring.
const SAID_CHARS_MAX: usize = 200;

/// The database's error in short: SQLSTATE and message. Details, which may hold a row, are left out.
pub(super) fn said(error: &DatabaseFailure) -> String {
    match answered(error) {
        Some(it) => format!("{}: {}", sqlstate(error), it.message()).chars().take(SAID_CHARS_MAX).collect(),
        None => error.to_string().chars().take(SAID_CHARS_MAX).collect(),
    }
}
