//! For how long what is kept, as the operator decides.

use serde::{Deserialize, Serialize};

use super::{ConfigError, setting, within};

/// For how long each kind of data is kept; 0 for ever.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// What WeCom sent, as it was sent.
    pub plaintext_days: u32,
    /// What passed between customers and staff, with its files.
    pub records_months: u32,
    /// Pictures, sounds, films and files.
    pub media_days: u32,
    /// Who did what to whose data.
    pub access_log_months: u32,
}

/// WeCom repeats a callback within seconds, but a day that is replayed or restored may be older: a repeat is known as one
/// only while its day is there.
const PLAINTEXT_DAYS_MIN: u32 = 7;

/// The log of who used a network must be kept for half a year: 网络安全法, article 21.
const ACCESS_LOG_MONTHS_MIN: u32 = 6;

impl Retention {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("retention.plaintext_days", self.plaintext_days.into(), 0..=36_500)?;
        within("retention.records_months", self.records_months.into(), 0..=1_200)?;
        within("retention.media_days", self.media_days.into(), 0..=36_500)?;
        within("retention.access_log_months", self.access_log_months.into(), 0..=1_200)?;
        if (1..PLAINTEXT_DAYS_MIN).contains(&self.plaintext_days) {
            return Err(setting(
                "retention.plaintext_days",
                "must be 0 for ever, or at least 7: a repeat is known by it",
            ));
        }
        if (1..ACCESS_LOG_MONTHS_MIN).contains(&self.access_log_months) {
            return Err(setting("retention.access_log_months", "must be 0 for ever, or at least 6, as the law asks"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_period_that_is_too_short_is_refused_by_name() {
        let check = |it: Retention| it.check().map_err(|error| error.to_string());
        assert!(check(Retention::default()).is_ok());
        let short = check(Retention { plaintext_days: 6, ..Retention::default() }).expect_err("too short");
        assert!(short.starts_with("retention.plaintext_days: must be 0"), "{short}");
        let short = check(Retention { access_log_months: 5, ..Retention::default() }).expect_err("too short");
        assert!(short.starts_with("retention.access_log_months: must be 0"), "{short}");
        assert!(check(Retention { records_months: 1, media_days: 1, ..Retention::default() }).is_ok());
    }
}
