//! `[backup]`: the schedule, folder and number of backups.

use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, setting, within};
use crate::backup::Schedule;

/// Settings of backups.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Whether this process makes due backups.
    pub enabled: bool,
    /// The schedule as a crontab line, in Shanghai's time.
    pub schedule: String,
    /// The folder for backups; empty for the folder `backups` in `data_dir`.
    pub location: String,
    /// How many are kept.
    pub keep: u32,
    /// Whether the files of the media store are in them, if it is a folder.
    pub media: bool,
}

impl Default for Backup {
    fn default() -> Self {
        let schedule = "30 2 * * *".to_owned();
        Self { enabled: false, schedule, location: String::new(), keep: 7, media: true }
    }
}

impl Backup {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("backup.keep", self.keep.into(), 1..=1_000)?;
        if !self.location.is_empty() && !Path::new(&self.location).is_absolute() {
            return Err(setting("backup.location", "must be a folder's whole path"));
        }
        let schedule = Schedule::parse(&self.schedule).map_err(|error| {
            let example = "such as \"30 2 * * *\" for half past two each night";
            setting("backup.schedule", &format!("is no crontab line ({error}): write five fields, {example}"))
        })?;
        if schedule.age_max(Utc::now()).is_none() {
            return Err(setting("backup.schedule", "never comes round: name a day that exists"));
        }
        Ok(())
    }
}

impl Config {
    /// The folder for backups.
    pub fn backup_location(&self) -> PathBuf {
        let location = &self.backup.location;
        if location.is_empty() { self.data_dir.join("backups") } else { PathBuf::from(location) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_schedule_is_refused_by_the_name_of_its_setting() {
        let check = |schedule: &str| Backup { schedule: schedule.to_owned(), ..Backup::default() }.check();
        assert!(check("*/15 8-18 * * 1-5").is_ok());
        let error = check("at night").expect_err("no schedule").to_string();
        assert!(error.starts_with("backup.schedule: is no crontab line"), "{error}");
        let never = check("0 3 30 2 *").expect_err("there is no 30th of February").to_string();
        assert!(never.starts_with("backup.schedule: never comes round"), "{never}");
        let relative = Backup { location: "backups".to_owned(), ..Backup::default() };
        assert!(relative.check().is_err());
    }
}
