//! Whether the measured program has a spool, and the settings for one.
//!
//! With a spool, callbacks are answered while the database is away.

use std::{fs, path::Path};

use anyhow::Context;

use super::database::Database;

/// The generated list of all settings. A test keeps it equal to the program.
const SETTINGS: &str = "docs/reference/configuration.md";

/// The spool's heading in it.
const HEADING: &str = "## `[spool]`";

/// What is printed instead of figures.
pub(crate) const SKIPPED: &str = "skipped: this program has no spool";

/// Whether the program has one.
pub(crate) fn is_there() -> anyhow::Result<bool> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SETTINGS);
    let settings = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(settings.contains(HEADING))
}

/// The folder for the spool beside this database.
pub(crate) fn location(database: &Database) -> String {
    database.folder().join("spool").display().to_string()
}

/// The daemon's settings for a spool in that folder.
pub(crate) fn settings(location: &str) -> [(&str, &str); 3] {
    // While the database is away each worker says so; nobody needs to read that here.
    [("WECOMD_SPOOL__ENABLED", "true"), ("WECOMD_SPOOL__LOCATION", location), ("WECOMD_LOG", "error")]
}
