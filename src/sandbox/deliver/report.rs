//! The results of deliveries.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::line::Unanswered;
use crate::sandbox::push::{AppKind, Push};

/// The result of one push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Whether the service accepted it with 200.
    pub answered_200: bool,
    /// How often it was sent.
    pub attempts: u32,
    /// The answer's status; none if no attempt was answered.
    pub status: Option<u16>,
    /// The answer's body: empty, or a sealed passive reply.
    pub body: Vec<u8>,
    /// How long the last attempt took.
    pub latency: Duration,
    /// Why the last attempt had no answer, if it had none.
    pub unanswered: Option<Unanswered>,
}

/// How many pushes had which result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Finished pushes.
    pub sent: u64,
    /// Answered 200.
    pub answered: u64,
    /// Answered with another status.
    pub refused: u64,
    /// Not answered, in spite of every retry.
    pub failed: u64,
}

/// A genuine push that the service answered with 200, so that it must be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acked {
    /// Its place in the list that was delivered, from 0.
    pub index: usize,
    /// Which app it was for.
    pub app: AppKind,
    /// The SHA-256 of its plaintext.
    pub sha256: [u8; 32],
}

/// The results of a list of pushes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// WeCom's pushes; a healthy service answers all with 200.
    pub genuine: Tally,
    /// Forged pushes; a healthy service refuses all.
    pub forged: Tally,
    /// Requests sent, retries included.
    pub attempts: u64,
    /// The time since the first push.
    pub elapsed: Duration,
    /// The latency of each genuine push's last attempt that was answered with 200, in the order of the answers.
    pub latencies: Vec<Duration>,
    /// The genuine pushes that were answered 200, in the order of the answers.
    pub acked: Vec<Acked>,
    /// Why the latest push that was given up had no answer.
    pub unanswered: Option<Unanswered>,
}

impl Report {
    /// The latency that `percent` of the answered pushes stayed within: 50 for the median.
    pub fn latency_within(&self, percent: f64) -> Option<Duration> {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        // A float's cast saturates, so any percentage leads to a place in the list or just behind it.
        let place = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
        sorted.get(place.clamp(1, sorted.len().max(1)) - 1).copied()
    }

    /// Answered genuine pushes per second.
    pub fn per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.genuine.answered as f64 / seconds } else { 0.0 }
    }

    /// Counts one finished push.
    pub(super) fn add(&mut self, index: usize, push: &Push, delivered: &Delivered) {
        self.attempts += u64::from(delivered.attempts);
        self.unanswered = delivered.unanswered.or(self.unanswered);
        let tally = if push.forged() { &mut self.forged } else { &mut self.genuine };
        tally.sent += 1;
        match delivered.status {
            Some(_) if delivered.answered_200 => tally.answered += 1,
            Some(_) => tally.refused += 1,
            None => tally.failed += 1,
        }
        if delivered.answered_200 && !push.forged() {
            self.latencies.push(delivered.latency);
            self.acked.push(Acked { index, app: push.app, sha256: Sha256::digest(&push.plaintext).into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let latencies: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        let report = Report { latencies, ..Report::default() };
        for (percent, millis) in [(0.0, 1), (50.0, 50), (99.0, 99), (99.5, 100), (100.0, 100), (1e9, 100)] {
            assert_eq!(report.latency_within(percent), Some(Duration::from_millis(millis)), "{percent}");
        }
        assert_eq!(Report::default().latency_within(50.0), None);
    }
}
