//! `[handover]`: settings of handovers.

use serde::{Deserialize, Serialize};

use super::{ConfigError, setting, within};

/// Settings of handovers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handover {
    /// Whether each successor must agree before anything is submitted.
    pub acceptance: bool,
    /// The URL that a successor's notice opens; {id} stands for the handover's number.
    pub page_url: String,
    /// After how many seconds WeCom is first asked for results.
    pub poll_first_seconds: u32,
    /// The longest time between two polls.
    pub poll_max_seconds: u32,
}

impl Default for Handover {
    fn default() -> Self {
        Self { acceptance: false, page_url: String::new(), poll_first_seconds: 300, poll_max_seconds: 7_200 }
    }
}

impl Handover {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("handover.poll_first_seconds", self.poll_first_seconds.into(), 1..=3_600)?;
        within("handover.poll_max_seconds", self.poll_max_seconds.into(), 1..=86_400)?;
        if self.poll_max_seconds < self.poll_first_seconds {
            return Err(setting("handover.poll_max_seconds", "must not be less than handover.poll_first_seconds"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_polling_interval_must_not_be_shorter_than_the_first() {
        let it = Handover { poll_first_seconds: 60, poll_max_seconds: 30, ..Handover::default() };
        assert!(it.check().is_err_and(|error| error.to_string().starts_with("handover.poll_max_seconds: ")));
        assert!(Handover::default().check().is_ok());
    }
}
