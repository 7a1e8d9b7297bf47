//! Decides when runs are due by schedule.

use chrono::{DateTime, FixedOffset, TimeDelta, TimeZone, Utc};
use sqlx::PgConnection;

use crate::tables::{self, sync::sync_run};

/// The offset of Asia/Shanghai, which has not changed for decades.
const SHANGHAI_S: i32 = 8 * 3600;

/// The schedule of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The interval in hours; 0 for never.
    pub every_hours: u32,
    /// The hour of the day in Shanghai from which intervals count.
    pub at_hour: u32,
}

/// The latest turn before `now`; none without a schedule.
pub fn last_turn(schedule: Schedule, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let every = TimeDelta::hours(i64::from(schedule.every_hours));
    let first = FixedOffset::east_opt(SHANGHAI_S)?.with_ymd_and_hms(2020, 1, 1, schedule.at_hour, 0, 0).single()?;
    let turns = (now - first.to_utc()).num_seconds().checked_div_euclid(every.num_seconds())?;
    Some(first.to_utc() + every * i32::try_from(turns).ok()?)
}

/// Begins due runs by the database's clock, which also records when runs began: with a clock ahead of it, a run would
/// be due again and again.
pub async fn begin_due_now(conn: &mut PgConnection, schedule: Schedule) -> sqlx::Result<usize> {
    let now = tables::now(conn).await?;
    begin_due(conn, schedule, now).await
}

/// Begins due runs, in whichever process comes first; returns how many.
pub async fn begin_due(conn: &mut PgConnection, schedule: Schedule, now: DateTime<Utc>) -> sqlx::Result<usize> {
    match last_turn(schedule, now) {
        Some(turn) => Ok(sync_run::begin_scheduled(conn, turn).await?.len()),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_turn_before(every_hours: u32, at_hour: u32, now: &str) -> Option<String> {
        let now: DateTime<Utc> = now.parse().expect("a time");
        last_turn(Schedule { every_hours, at_hour }, now).map(|it| it.to_rfc3339())
    }

    #[test]
    fn a_daily_run_is_due_at_its_hour_in_shanghai_time() {
        assert_eq!(last_turn_before(24, 3, "2026-05-29T18:59:59Z").as_deref(), Some("2026-05-28T19:00:00+00:00"));
        assert_eq!(last_turn_before(24, 3, "2026-05-29T19:00:00Z").as_deref(), Some("2026-05-29T19:00:00+00:00"));
    }

    #[test]
    fn runs_within_a_day_are_spaced_from_the_scheduled_hour() {
        assert_eq!(last_turn_before(6, 3, "2026-05-29T06:30:00Z").as_deref(), Some("2026-05-29T01:00:00+00:00"));
        assert_eq!(last_turn_before(6, 3, "2026-05-29T07:00:00Z").as_deref(), Some("2026-05-29T07:00:00+00:00"));
    }

    #[test]
    fn without_a_schedule_no_run_is_due() {
        assert_eq!(last_turn_before(0, 3, "2026-05-29T06:30:00Z"), None);
        assert_eq!(last_turn_before(24, 24, "2026-05-29T06:30:00Z"), None);
    }
}
