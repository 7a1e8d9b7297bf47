//! Cuts a period of the inbox into sections, so that a search never locks more than a few days at once.
//!
//! PostgreSQL locks every partition that a statement may touch. An inbox that is kept for years has thousands, and
//! all connections share the lock table.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::tables::upkeep::partitions;

/// How many day partitions a section has at most, besides the default ones.
const DAYS_MAX: usize = 16;

/// The earliest time that PostgreSQL can hold; nothing that we store is older.
pub(super) const EARLIEST: DateTime<Utc> = match DateTime::from_timestamp(-200_000_000_000, 0) {
    Some(earliest) => earliest,
    None => DateTime::UNIX_EPOCH,
};

/// Later than any time that we store.
pub(super) const LATEST: DateTime<Utc> = match DateTime::from_timestamp(200_000_000_000, 0) {
    Some(latest) => latest,
    None => DateTime::UNIX_EPOCH,
};

/// The sections from `from` to `until`, both included, earliest first.
pub(super) async fn all(
    conn: &mut PgConnection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<Range<DateTime<Utc>>>> {
    Ok(cut(&partitions::periods(conn, "inbox").await?, from, until))
}

fn cut(days: &[NaiveDate], from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Range<DateTime<Utc>>> {
    let until = until + TimeDelta::microseconds(1);
    let starts = days.iter().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let within = starts.filter(|start| *start > from && *start < until);
    // The day of `from` counts as well.
    let mut cuts: Vec<_> = within.skip(DAYS_MAX - 1).step_by(DAYS_MAX).collect();
    cuts.push(until);
    let mut start = from;
    let mut stretches = Vec::with_capacity(cuts.len());
    for end in cuts {
        stretches.push(start..end);
        start = end;
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn stretches_are_contiguous_and_touch_few_days_each() {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        let days: Vec<_> = first.iter_days().take(100).collect();
        let stretches = cut(&days, at("2026-01-05T12:00:00Z"), at("2026-04-05T00:00:00Z"));
        assert_eq!(stretches.first().map(|it| it.start), Some(at("2026-01-05T12:00:00Z")));
        assert_eq!(stretches.last().map(|it| it.end), Some(at("2026-04-05T00:00:00.000001Z")));
        assert!(stretches.windows(2).all(|pair| pair[0].end == pair[1].start));
        for stretch in &stretches {
            let touched = days.iter().filter(|day| {
                let start = day.and_time(NaiveTime::MIN).and_utc();
                start < stretch.end && start + TimeDelta::days(1) > stretch.start
            });
            assert!(touched.count() <= DAYS_MAX, "{stretch:?}");
        }
        assert_eq!(stretches.len(), 6);
    }

    #[test]
    fn an_inbox_without_days_is_one_stretch() {
        assert_eq!(cut(&[], EARLIEST, at("2026-01-01T00:00:00Z")).len(), 1);
    }
}
