//! When WeCom is asked for results: soon after something was submitted, then ever less often. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Settings;

/// After the time at which WeCom says it will hand a customer over, it is given this long.
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

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        poll_first: Duration::from_secs(300),
        poll_max: Duration::from_secs(7200),
        outcome_after: Duration::from_secs(20),
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
