//! When WeCom is asked for results: soon after something was submitted, then less and less often. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Settings;

/// How long after the announced time of a transfer WeCom is asked about it.
const GRACE: TimeDelta = TimeDelta::minutes(5);

/// The pause before the next question, after `polls` of them. `takeover_at` is when WeCom will hand over the next.
pub(super) fn pause(
    settings: &Settings,
    polls: i32,
    takeover_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Duration {
    let doublings = u32::try_from(polls.saturating_sub(1)).unwrap_or(0).min(16);
    let growing = settings.poll_first.saturating_mul(1 << doublings).min(settings.poll_max);
    let due = takeover_at.map(|at| (at + GRACE - now).to_std().unwrap_or(settings.poll_first));
    due.map_or(growing, |due| growing.min(due.max(settings.poll_first)))
}

/// How long WeCom has for a decision after the time that it announced, or after the call if it announced none. WeCom
/// transfers after a day. What waits longer is overdue.
pub const OVERDUE_AFTER: TimeDelta = TimeDelta::hours(26);

/// Between two questions about what is overdue.
const OVERDUE_EVERY: TimeDelta = TimeDelta::hours(24);

/// Whether WeCom should have decided by `now` what it accepted at `called_at` and announced for `takeover_at`.
pub(super) fn is_overdue(
    takeover_at: Option<DateTime<Utc>>,
    called_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    takeover_at.or(called_at).is_some_and(|at| now - at > OVERDUE_AFTER)
}

/// How long until WeCom is asked about what is overdue, after it was asked at `polled_at`.
pub(super) fn overdue_pause(polled_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    polled_at.map_or(Duration::ZERO, |at| (at + OVERDUE_EVERY - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_overdue_26_hours_after_the_announced_time_or_else_after_the_call() {
        let now = Utc::now();
        let ago = |hours| Some(now - TimeDelta::hours(hours));
        assert!(!is_overdue(None, ago(26), now) && is_overdue(None, ago(27), now));
        assert!(!is_overdue(ago(26), ago(90), now), "the announced time counts");
        assert!(is_overdue(ago(27), ago(51), now));
        assert!(!is_overdue(None, None, now));
    }

    #[test]
    fn what_is_overdue_is_asked_about_once_a_day() {
        let now = Utc::now();
        assert_eq!(overdue_pause(None, now), Duration::ZERO);
        assert_eq!(overdue_pause(Some(now - TimeDelta::hours(23)), now), Duration::from_secs(3600));
        assert_eq!(overdue_pause(Some(now - TimeDelta::hours(25)), now), Duration::ZERO);
    }

    const SETTINGS: Settings = Settings {
        poll_first: Duration::from_secs(300),
        poll_max: Duration::from_secs(7200),
        outcome_after: Duration::from_secs(20),
        resignation_templates: Vec::new(),
    };

    #[test]
    fn questions_become_rarer_and_last_beyond_a_day() {
        let minutes: Vec<_> = (1..=16).map(|polls| pause(&SETTINGS, polls, None, Utc::now()).as_secs() / 60).collect();
        assert_eq!(minutes.iter().take(7).copied().collect::<Vec<_>>(), [5, 10, 20, 40, 80, 120, 120]);
        assert!(minutes.iter().sum::<u64>() > 24 * 60);
        assert_eq!(pause(&SETTINGS, i32::MAX, None, Utc::now()), SETTINGS.poll_max);
        assert_eq!(pause(&SETTINGS, 0, None, Utc::now()), SETTINGS.poll_first);
    }

    #[test]
    fn the_moment_at_which_wecom_hands_over_is_not_slept_through() {
        let now = Utc::now();
        let soon = now + TimeDelta::minutes(20);
        assert_eq!(pause(&SETTINGS, 9, Some(soon), now), Duration::from_secs(25 * 60));
        assert_eq!(pause(&SETTINGS, 9, Some(now - TimeDelta::days(1)), now), SETTINGS.poll_first);
        assert_eq!(pause(&SETTINGS, 1, Some(soon), now), SETTINGS.poll_first);
    }
}
