//! Medians, and the lines that a benchmark prints.
//!
//! Other programs disturb a measurement, but seldom two neighbours differently. So everything is measured in turns,
//! ratios are taken within a round, and of the rounds the median counts.

use std::ops::{Bound, RangeBounds};

/// One figure in all rounds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// Adds a round's figure.
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The median of the rounds.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let middle = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
        if sorted.len() % 2 == 1 { middle(half) } else { (middle(half.saturating_sub(1)) + middle(half)) / 2.0 }
    }

    /// How many times `other` this is: the median of the rounds' own ratios.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect()).median()
    }
}

/// Prints a figure beside its bar: `4.0..` for at least four, `..=1.5` for at most one and a half.
pub(crate) fn judge(figure: f64, unit: &str, bar: impl RangeBounds<f64>, meaning: &str) {
    let verdict = if bar.contains(&figure) { "pass" } else { "MISS" };
    let bar = match (bar.start_bound(), bar.end_bound()) {
        (Bound::Included(least), _) => format!("≥ {least}"),
        (_, Bound::Included(most)) => format!("≤ {most}"),
        _ => String::new(),
    };
    println!("  {verdict}  {figure:>7.2} {unit:<3} {bar:>7} {unit:<3} {meaning}");
}

/// Prints a figure that has no bar.
pub(crate) fn figure(figure: f64, unit: &str, meaning: &str) {
    println!("        {figure:>7.2} {unit:<3} {:>7} {:<3} {meaning}", "", "");
}

/// The time that this share of sorted times did not exceed.
pub(crate) fn within(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(f64::NAN)
}

/// Prints sorted times, in seconds, as p50, p99 and the longest.
pub(crate) fn print_times(what: &str, sorted: &[f64]) {
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| within(sorted, share) * 1_000.0);
    println!("  {what:<22} p50 {p50:>6.1} ms, p99 {p99:>6.1} ms, at most {most:>6.1} ms");
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
