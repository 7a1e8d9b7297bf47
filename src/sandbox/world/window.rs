//! How often something may happen in a span of time.
//!
//! A span begins with the first happening in it, not with a minute of the clock: whoever counts to the limit within
//! the span reaches it, whenever they begin.

/// A count and when it began.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sandbox) struct Window {
    since: i64,
    count: u32,
}

impl Window {
    /// Counts one more at `now`, in spans of `seconds`; false if that is more than `max`.
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
