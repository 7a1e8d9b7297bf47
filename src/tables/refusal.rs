//! Interprets the database's refusals.

/// Whether a value is the cause (classes 22, 23 and 54: it cannot be stored, violates a constraint, or is too large):
/// leaving out its row can help.
pub fn is_about_a_value(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code()).unwrap_or_default();
    matches!(error, sqlx::Error::Encode(_)) || ["22", "23", "54"].iter().any(|class| code.starts_with(class))
}

/// Whether the refusal would repeat: it is none of connections (class 08), a database that takes no writes (25),
/// deadlocks and serialization failures (40), resources (53), locks (55), cancellation or shutdown (57), the system
/// (58).
pub fn is_lasting(error: &sqlx::Error) -> bool {
    let passing = ["08", "25", "40", "53", "55", "57", "58"];
    error.as_database_error().and_then(|it| it.code()).is_some_and(|code| {
        let passes = passing.iter().any(|class| code.starts_with(class));
        !passes
    })
}

/// The database's error without any value.
pub fn words(error: &sqlx::Error) -> String {
    let Some(error) = error.as_database_error() else { return "the value cannot be sent to the database".to_owned() };
    let mut words = format!("the database refuses it (SQLSTATE {})", error.code().unwrap_or_default());
    if let Some(constraint) = error.constraint() {
        words.push_str(&format!(", constraint {constraint}"));
    }
    words
}
