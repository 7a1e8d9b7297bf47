//! Logging to stderr and metrics for Prometheus.
//!
//! Logging is set up once for the whole process with a filter and a format; setting it up again changes nothing. What
//! is logged or counted is not known here, except the metrics' names and meanings ([`METRICS`]). Label values are
//! always our own (event kinds, outcomes, route patterns), never a caller's text.

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

/// An invalid log filter.
#[derive(Debug, thiserror::Error)]
#[error("not a log filter ({0}): write a level such as `info`, or `info,wecomd::worker=debug`")]
pub struct FilterError(#[from] ParseError);

/// The lines that this process logged within the last minute.
static REPEATS: OnceLock<Arc<Repeats>> = OnceLock::new();

/// How often to check whether a held-back line's minute is over.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Starts logging, as text or as one JSON object per line. Repeated lines are counted instead.
pub fn logs(filter: &str, json: bool) -> Result<(), FilterError> {
    let repeats = REPEATS.get_or_init(|| {
        let repeats = Arc::<Repeats>::default();
        tell(repeats.clone());
        repeats
    });
    let registry = tracing_subscriber::registry().with(HoldBack(repeats.clone())).with(parse_filter(filter)?);
    // Standard output is for a command's result.
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let installed = if json {
        registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
    } else {
        registry.with(lines.with_target(false)).try_init()
    };
    // If logging was set up before, that set-up stays: a process has one log.
    let _ = installed;
    Ok(())
}

/// Logs the counts once a minute. A thread does it, so that it needs no runtime.
fn tell(repeats: Arc<Repeats>) {
    let told = std::thread::Builder::new().name("log-repeats".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(TELL_EVERY);
            repeats.tell(Instant::now());
        }
    });
    if let Err(error) = told {
        tracing::warn!(error = %error, "repeated lines are reported only at the end");
    }
}

/// Logs the remaining counts at the end of the process.
pub fn tell_the_rest() {
    if let Some(repeats) = REPEATS.get() {
        repeats.tell_the_rest();
    }
}

/// Reads a log filter: levels for everything or for single modules.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, FilterError> {
    Ok(EnvFilter::try_new(format!("{QUIET},{filter}"))?)
}

/// Installs the metrics recorder; the returned handle renders the metrics.
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

/// Aggregates recorded durations into their buckets, for ever: without it they pile up until the next scrape.
pub async fn upkeep(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        handle.run_upkeep();
    }
}

/// Libraries that log each step; a filter may still name them.
const QUIET: &str = "sqlx=warn,hyper=warn";

/// How often durations are aggregated.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds in seconds: fine below the 5 s that WeCom waits, coarse above.
const BUCKETS_S: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

fn recorder() -> metrics_exporter_prometheus::PrometheusRecorder {
    let suffix = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(suffix, &BUCKETS_S);
    // Buckets are refused only if there are none; a duration then becomes a summary.
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
