//! `[retention]`: retention periods.

use serde::{Deserialize, Serialize};

use super::{ConfigError, setting, within};

/// The retention period of each kind of data; 0 for ever.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Plaintexts of callbacks.
    pub plaintext_days: u32,
    /// Contact records and their files.
    pub records_months: u32,
    /// Pictures, voice messages, videos and files.
    pub media_days: u32,
    /// The access log.
    pub access_log_months: u32,
}

/// WeCom repeats a callback within seconds, but a replayed or restored day may be older: a repeat is recognised only
/// while its day exists.
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
