//! The pretend world's time: the machine's, plus an offset that tests set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// A clock that can be advanced; a clone is the same clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        let ahead = TimeDelta::try_milliseconds(self.ahead_ms.load(Ordering::Relaxed)).unwrap_or_default();
        Utc::now().checked_add_signed(ahead).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        // Only an absurd advance saturates; the clock then stays at the end of time.
        let _ =
            self.ahead_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ahead| Some(ahead.saturating_add(by)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_a_clock_is_visible_to_all_its_holders() {
        let clock = Clock::default();
        let same = clock.clone();
        let before = clock.now();
        same.advance(Duration::from_secs(7200));
        assert!(clock.now() - before >= TimeDelta::seconds(7200));
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert!(clock.now() > before);
    }
}
