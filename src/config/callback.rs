//! `[callback]` and `[spool]`: whether callbacks are accepted, and where they are kept while PostgreSQL is away.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, setting, within};

/// Accepting of callbacks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Callback {
    /// Whether this process accepts.
    pub enabled: bool,
    /// How many hours an old callback key stays valid after it was replaced.
    pub key_overlap_hours: u32,
}

/// Keeping of callbacks while the database is away.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spool {
    /// Whether callbacks are kept on this machine's disk while the database is away.
    pub enabled: bool,
    /// The folder; empty for the folder `spool` in `data_dir`.
    pub location: String,
    /// How many bytes may wait, for each process.
    pub bytes_max: u64,
    /// How long the database may take for a group of callbacks before the spool takes it, in milliseconds.
    pub patience_ms: u64,
}

impl Default for Callback {
    fn default() -> Self {
        Self { enabled: true, key_overlap_hours: 24 }
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self { enabled: true, location: String::new(), bytes_max: 1 << 30, patience_ms: 1_500 }
    }
}

impl Spool {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("spool.bytes_max", self.bytes_max, 1 << 20..=1 << 40)?;
        // Above that, the disk would have too little of the 4.5 s in which a callback must be answered.
        within("spool.patience_ms", self.patience_ms, 100..=2_000)?;
        if !self.location.is_empty() && !Path::new(&self.location).is_absolute() {
            return Err(setting("spool.location", "must be a folder's whole path"));
        }
        Ok(())
    }

    /// How long the database may take for a group of callbacks.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms)
    }
}

impl Config {
    /// The folder of the spool.
    pub fn spool_location(&self) -> PathBuf {
        let location = &self.spool.location;
        if location.is_empty() { self.data_dir.join("spool") } else { PathBuf::from(location) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_folder_for_the_spool_is_refused() {
        let relative = Spool { location: "spool".to_owned(), ..Spool::default() };
        let error = relative.check().expect_err("refused").to_string();
        assert_eq!(error, "spool.location: must be a folder's whole path");
    }
}
