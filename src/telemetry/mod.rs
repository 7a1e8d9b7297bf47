//! What the process says about itself: log lines on stderr, numbers for Prometheus.
//!
//! It is told a filter and a format and is set up once for the whole process; asking again changes nothing.
//! It refuses to know what is logged or counted, except for the names of the numbers and what they mean
//! ([`METRICS`]).
//! Labels are ours alone (event kinds, outcomes, route patterns): nothing a stranger chose becomes one.

mod described;

mod repeats;

pub use described::{Kind, METRICS, Metric};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    io::IsTerminal,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, prelude::*};

use repeats::{HoldBack, Repeats};

/// A log filter that says nothing.
#[derive(Debug, thiserror::Error)]
#[error("not a log filter ({0}): write a level such as `info`, or `info,wecomd::worker=debug`")]
pub struct FilterError(#[from] ParseError);

/// The lines that this process said within the last minute.
static REPEATS: OnceLock<Arc<Repeats>> = OnceLock::new();

/// Between two looks whether a minute is over for a line that was held back.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Starts logging, as text or as one JSON object per line. What is said again and again is counted instead.
pub fn logs(filter: &str, json: bool) -> Result<(), FilterError> {
    let repeats = REPEATS.get_or_init(|| {
        let repeats = Arc::<Repeats>::default();
        tell(repeats.clone());
        repeats
    });
    let registry = tracing_subscriber::registry().with(HoldBack(repeats.clone())).with(parse_filter(filter)?);
    // Standard output belongs to what a command was asked for.
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let installed = if json {
        registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
    } else {
        registry.with(lines.with_target(false)).try_init()
    };
    // Somebody was first, and the process has one log: theirs stays.
    let _ = installed;
    Ok(())
}

/// Tells once a minute what was counted. It is a thread, so that it needs no runtime and outlives none.
fn tell(repeats: Arc<Repeats>) {
    let told = std::thread::Builder::new().name("log-repeats".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(TELL_EVERY);
            repeats.tell(Instant::now());
        }
    });
    if let Err(error) = told {
        tracing::warn!(error = %error, "how often lines repeat is told at the end only");
    }
}

/// Tells how often lines came that were held back: the process ends.
pub fn tell_the_rest() {
    if let Some(repeats) = REPEATS.get() {
        repeats.tell_the_rest();
    }
}

/// Reads a log filter: levels for everything or for single modules.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, FilterError> {
    Ok(EnvFilter::try_new(format!("{QUIET},{filter}"))?)
}

/// Installs the recorder of the process's numbers and returns the handle that renders them.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder was installed first: /metrics will stay empty");
            }
            for it in METRICS {
                match it.kind {
                    Kind::Counter => metrics::describe_counter!(it.name, it.english),
                    Kind::Gauge => metrics::describe_gauge!(it.name, it.english),
                    Kind::Histogram => metrics::describe_histogram!(it.name, metrics::Unit::Seconds, it.english),
                }
            }
            handle
        })
        .clone()
}

/// Folds recorded durations into their buckets, for ever: without it they pile up until somebody scrapes.
pub async fn upkeep(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        handle.run_upkeep();
    }
}

/// Libraries that tell each of their steps; a filter may still ask for them by name.
const QUIET: &str = "sqlx=warn,hyper=warn";

/// How often durations are folded into their buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds in seconds: fine below the 5 s that WeCom waits, coarse above.
const BUCKETS_S: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

fn recorder() -> metrics_exporter_prometheus::PrometheusRecorder {
    let suffix = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(suffix, &BUCKETS_S);
    // Buckets are refused only if there are none; without them a duration becomes a summary, which still counts.
    builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_may_be_started_twice() {
        logs("info", false).expect("the first");
        logs("debug", true).expect("the second");
    }

    #[test]
    fn an_invalid_log_filter_is_refused() {
        let error = logs("wecomd=loud", false).expect_err("there is no such level");
        assert!(error.to_string().contains("not a log filter"), "{error}");
        let filter = parse_filter("debug,sqlx=info").expect("libraries may be asked for by name");
        assert!(filter.to_string().contains("sqlx=info"), "{filter}");
    }

    #[test]
    fn a_duration_is_exported_as_a_histogram_with_its_description() {
        let handle = metrics();
        metrics::histogram!("wecomd_callback_seconds").record(0.003);
        metrics().run_upkeep();
        let text = handle.render();
        assert!(text.contains("wecomd_callback_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("# HELP wecomd_callback_seconds From a callback's head"), "{text}");
    }
}
