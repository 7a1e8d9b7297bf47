//! Computes how long a failed delivery waits.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The pause doubles with every attempt, up to a quarter of an hour, and is then shortened by up to a quarter, so
/// that deliveries that failed together are not retried together. `jitter` is between 0 and 1.
pub fn backoff(attempts: i16, jitter: f64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
    let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    wait.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let waits: Vec<_> = [1, 2, 3, 11, i16::MAX].map(|it| backoff(it, 0.0).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 900, 900]);
    }

    #[test]
    fn jitter_only_shortens() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(750));
    }
}
