//! What a benchmark is asked to do, from its command line.
//!
//! `cargo bench --bench accept -- --quick` and the like. Cargo adds `--bench`, which says nothing new. A bare word is
//! a filter, as everywhere in cargo: a benchmark whose name lacks it does nothing.

use std::time::Duration;

use anyhow::Context;

const USAGE: &str = "\
Options after `--`:
  --quick          a smoke test: two short rounds, whose figures mean little
  --rounds N       how many rounds; of each figure the median is shown
  --seconds S      how long one measurement takes
  --connections N  only with so many connections (benchmark `accept`)
  --messages N     how many messages wait in the archive in each round (benchmark `archive`)
  --grow N         how many deliveries and records are there beforehand, and in proportion to that how many contacts and
                   tasks (benchmark `growth`), or how many contacts, with ten times as many records (`report`), or
                   how many records (`search`)";

/// How many rounds most benchmarks have, and a smoke test.
const ROUNDS: usize = 5;
const ROUNDS_QUICK: usize = 2;

/// The share of a window that a smoke test takes, where the benchmark says nothing else.
const QUICK_SHARE: f64 = 0.25;

/// What a benchmark does unless its command line says otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standard {
    /// How long one measurement takes.
    pub(crate) seconds: f64,
    /// The same in a smoke test.
    pub(crate) quick_seconds: f64,
    /// How many rounds it has.
    pub(crate) rounds: usize,
}

/// How long and how often to measure.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How often everything is measured, in turns.
    pub(crate) rounds: usize,
    /// How long one measurement takes.
    pub(crate) window: Duration,
    /// Only so many connections.
    pub(crate) connections: Option<usize>,
    /// How many rows a grown database has.
    pub(crate) grow: u64,
    /// How many messages wait.
    pub(crate) messages: Option<u64>,
}

impl Options {
    /// Reads the command line; `None` if it asks for other benchmarks. `seconds` is the standard window.
    pub(crate) fn read(name: &str, seconds: f64) -> anyhow::Result<Option<Self>> {
        Self::read_standard(name, Standard { seconds, quick_seconds: seconds * QUICK_SHARE, rounds: ROUNDS })
    }

    /// The same for a benchmark with a standard of its own.
    pub(crate) fn read_standard(name: &str, standard: Standard) -> anyhow::Result<Option<Self>> {
        let (mut filters, mut quick, mut rounds, mut window) = (Vec::new(), false, None, None);
        let (mut connections, mut grow, mut messages) = (None, None, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--bench" => {}
                "--quick" => quick = true,
                "--rounds" => rounds = Some(value()?.parse()?),
                "--seconds" => window = Some(Duration::try_from_secs_f64(value()?.parse()?)?),
                "--connections" => connections = Some(value()?.parse()?),
                "--messages" => messages = Some(value()?.replace('_', "").parse()?),
                "--grow" => grow = Some(value()?.replace('_', "").parse()?),
                filter if !filter.starts_with('-') => filters.push(filter.to_owned()),
                unknown => anyhow::bail!("{unknown} is no option\n{USAGE}"),
            }
        }
        let wanted = filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
        let Standard { seconds, quick_seconds, rounds: rounds_standard } = standard;
        let (rounds_standard, seconds, grow_standard) = if quick {
            (ROUNDS_QUICK.min(rounds_standard), quick_seconds, 50_000)
        } else {
            (rounds_standard, seconds, 1_000_000)
        };
        let options = Self {
            rounds: rounds.unwrap_or(rounds_standard).max(1),
            window: window.unwrap_or(Duration::from_secs_f64(seconds)),
            connections,
            grow: grow.unwrap_or(grow_standard),
            messages,
        };
        Ok(wanted.then_some(options))
    }
}
