//! When things happen between 08:30 and 18:30 in Shanghai.

use chrono::{NaiveDate, NaiveTime};

use crate::sandbox::chance::Chance;

/// Shanghai is eight hours ahead of UTC, all year.
const SHANGHAI_SECONDS: i64 = 8 * 3600;

/// Work begins at 08:30.
const WORK_BEGINS: u32 = 8 * 3600 + 30 * 60;

/// Work ends at 18:30.
const WORK_ENDS: u32 = 18 * 3600 + 30 * 60;

/// Customers write most before noon and in the afternoon: these spells, in seconds of the day, get extra callbacks.
const BUSY_SPELLS: [(u32, u32); 2] = [(9 * 3600 + 30 * 60, 11 * 3600 + 30 * 60), (14 * 3600, 16 * 3600 + 30 * 60)];

/// How many of the callbacks fall in a busy spell on purpose.
const BUSY_SHARE: f64 = 0.5;

/// `count` moments of the working day in order, as seconds since 1970. Several may share a second, as they do in
/// reality.
pub(super) fn moments(chance: &mut Chance, date: NaiveDate, count: usize) -> Vec<i64> {
    let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp() - SHANGHAI_SECONDS;
    let mut moments: Vec<i64> = (0..count)
        .map(|_| {
            let spell = BUSY_SPELLS.get(chance.below(BUSY_SPELLS.len())).filter(|_| chance.happens(BUSY_SHARE));
            let (first, last) = spell.copied().unwrap_or((WORK_BEGINS, WORK_ENDS));
            midnight + i64::from(chance.between(first, last))
        })
        .collect();
    moments.sort_unstable();
    moments
}
