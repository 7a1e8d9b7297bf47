//! The backup schedule: a crontab's five fields, in Shanghai's time.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use croner::Cron;

/// A backup schedule.
#[derive(Debug, Clone)]
pub struct Schedule(Cron);

impl Schedule {
    /// Reads `minute hour day month weekday`, such as `30 2 * * *`.
    pub fn parse(text: &str) -> Result<Self, String> {
        Cron::from_str(text).map(Self).map_err(|error| error.to_string())
    }

    /// The latest turn before `now`; none if there was none.
    pub fn last_turn(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let there = now.with_timezone(&shanghai()?);
        self.0.find_previous_occurrence(&there, true).ok().map(|it| it.to_utc())
    }

    /// The age at which a backup counts as missing: twice the longest interval between turns around now. So Friday's
    /// backup is not late on Monday if the schedule skips weekends.
    pub fn age_max(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let last = self.last_turn(now)?;
        let there = last.with_timezone(&shanghai()?);
        let before = self.0.find_previous_occurrence(&there, false).ok()?.to_utc();
        let next = self.0.find_next_occurrence(&there, false).ok()?.to_utc();
        Some((last - before).max(next - last) * 2)
    }
}

/// The offset of Asia/Shanghai, which has not changed for decades.
const SHANGHAI_S: i32 = 8 * 3_600;

fn shanghai() -> Option<FixedOffset> {
    FixedOffset::east_opt(SHANGHAI_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_scheduled_backup_is_due_at_its_minute_in_shanghai_time() {
        let schedule = Schedule::parse("30 2 * * *").expect("a schedule");
        assert_eq!(schedule.last_turn(at("2026-05-29T18:29:59Z")), Some(at("2026-05-28T18:30:00Z")));
        assert_eq!(schedule.last_turn(at("2026-05-29T18:30:00Z")), Some(at("2026-05-29T18:30:00Z")));
        assert_eq!(schedule.age_max(at("2026-05-29T18:30:00Z")), Some(TimeDelta::hours(48)));
    }

    #[test]
    fn a_weekend_without_scheduled_backups_makes_none_late_on_monday() {
        let schedule = Schedule::parse("0 3 * * 1-5").expect("a schedule");
        // Monday, 1 June 2026, a minute after its turn.
        assert_eq!(schedule.age_max(at("2026-05-31T19:01:00Z")), Some(TimeDelta::hours(144)));
        assert_eq!(schedule.age_max(at("2026-06-03T19:01:00Z")), Some(TimeDelta::hours(48)));
    }

    #[test]
    fn a_malformed_schedule_is_refused() {
        for text in ["", "daily", "61 * * * *", "* * * *"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
