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
  --grow N         how many deliveries and records are there beforehand (benchmark `growth`), or how many contacts, with
                   ten times as many records (benchmark `report`)";

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
}

impl Options {
    /// Reads the command line; `None` if it asks for other benchmarks. `seconds` is the standard window.
    pub(crate) fn read(name: &str, seconds: f64) -> anyhow::Result<Option<Self>> {
        let (mut filters, mut quick, mut rounds, mut window) = (Vec::new(), false, None, None);
        let (mut connections, mut grow) = (None, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--bench" => {}
                "--quick" => quick = true,
                "--rounds" => rounds = Some(value()?.parse()?),
                "--seconds" => window = Some(Duration::try_from_secs_f64(value()?.parse()?)?),
                "--connections" => connections = Some(value()?.parse()?),
                "--grow" => grow = Some(value()?.replace('_', "").parse()?),
                filter if !filter.starts_with('-') => filters.push(filter.to_owned()),
                unknown => anyhow::bail!("{unknown} is no option\n{USAGE}"),
            }
        }
        let wanted = filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
        let (rounds_standard, share, grow_standard) = if quick { (2, 0.25, 50_000) } else { (5, 1.0, 1_000_000) };
        let options = Self {
            rounds: rounds.unwrap_or(rounds_standard).max(1),
            window: window.unwrap_or(Duration::from_secs_f64(seconds * share)),
            connections,
            grow: grow.unwrap_or(grow_standard),
        };
        Ok(wanted.then_some(options))
    }
}
