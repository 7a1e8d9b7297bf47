//! Counts how often something happens in a span of time.
//!
//! A span begins with its first event, not with a minute of the clock, so the limit can be reached from any starting
//! time.

/// A count and when it began.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sandbox) struct Window {
    since: i64,
    count: u32,
}

impl Window {
    /// Counts an event at `now`, in spans of `seconds`; `false` if there are more than `max`.
    pub(in crate::sandbox) fn admits(&mut self, now: i64, seconds: i64, max: u32) -> bool {
        if self.count == 0 || now - self.since >= seconds {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_counts_within_its_window_and_starts_again_after_it() {
        let mut window = Window::default();
        let admitted: Vec<bool> = [100, 100, 159, 160, 160, 160].map(|now| window.admits(now, 60, 2)).to_vec();
        assert_eq!(admitted, [true, true, false, true, true, false]);
    }
}
