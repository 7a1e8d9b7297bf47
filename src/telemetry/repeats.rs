//! Deduplicates log lines: a warning or an error that repeats within a minute is counted, and the count is logged
//! once a minute, also after it stopped.
//!
//! Lines are the same if they come from the same place in the program with the same corp and the same cause. The
//! module looks only at lines, so logging code need not know of it, and a line that comes once is never held back.
//! The number of distinct lines is bounded, whatever callers send.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// How long repeats of a line are counted after it was logged.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many causes of one place and corp are distinguished; all others count as one.
const CAUSES_MAX: usize = 8;

/// How many lines are distinguished in all. Beyond that a place has one line for all corps and causes.
const LINES_MAX: usize = 2_048;

/// How many bytes of a cause are compared.
const CAUSE_BYTES_MAX: usize = 200;

/// The name for all causes beyond the bound.
const OTHERS: &str = "various";

/// The field that names a line's cause.
const CAUSE: &str = "cause";

/// The fields that together are the cause of a line without that field.
const REASONS: &[&str] = &[
    "error",
    "reason",
    "step",
    "code",
    "kind",
    "kinds",
    "task.kind",
    "app",
    "path",
    "errcode",
    "outcome",
    "phase",
    "file",
    "partition",
    "summary",
];

/// The lines of the last minute.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<Line, Said>>);

/// A line's identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    place: Identifier,
    corpid: String,
    cause: String,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// How often it was repeated since.
    since: u64,
    level: Level,
    message: String,
}

/// The repeats of a line.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    level: Level,
    message: String,
    corpid: String,
    cause: String,
    times: u64,
}

impl Repeats {
    /// Whether to log an event now; otherwise it is counted.
    fn hear(&self, event: &Event<'_>, now: Instant) -> bool {
        let metadata = event.metadata();
        let level = *metadata.level();
        // This module's own lines are counts already.
        if level > Level::INFO || metadata.target() == module_path!() {
            return true;
        }
        let mut read = Read::default();
        event.record(&mut read);
        let cause = read.cause();
        // Information is logged as is; with a cause it is about a failed attempt.
        if level == Level::INFO && cause.is_empty() {
            return true;
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = Line { place: metadata.callsite(), corpid: read.corpid, cause };
        if !lines.contains_key(&line) {
            let alike = lines.keys().filter(|it| it.place == line.place && it.corpid == line.corpid).count();
            if lines.len() >= LINES_MAX {
                line.corpid.clear();
            }
            if alike >= CAUSES_MAX || lines.len() >= LINES_MAX {
                OTHERS.clone_into(&mut line.cause);
            }
        }
        if let Some(said) = lines.get_mut(&line) {
            said.since += 1;
            return false;
        }
        lines.insert(line, Said { at: now, since: 0, level, message: read.message });
        true
    }

    /// Logs the repeats of lines that were logged a minute ago, and forgets lines without repeats.
    pub(super) fn tell(&self, now: Instant) {
        self.sums(|said| now.duration_since(said.at) >= INTERVAL, now).into_iter().for_each(say);
    }

    /// Logs all repeats counted so far, at the end of the process.
    pub(super) fn tell_the_rest(&self) {
        self.sums(|_| true, Instant::now()).into_iter().for_each(say);
    }

    fn sums(&self, is_due: impl Fn(&Said) -> bool, now: Instant) -> Vec<Sum> {
        let mut sums = Vec::new();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line, said| {
            if !is_due(said) {
                return true;
            }
            let times = std::mem::take(&mut said.since);
            said.at = now;
            if times > 0 {
                sums.push(Sum {
                    level: said.level,
                    message: said.message.clone(),
                    corpid: line.corpid.clone(),
                    cause: line.cause.clone(),
                    times,
                });
            }
            times > 0
        });
        sums
    }
}

/// The filter that holds back repeated lines.
pub(super) struct HoldBack(pub(super) std::sync::Arc<Repeats>);

impl<S: Subscriber> Layer<S> for HoldBack {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.0.hear(event, Instant::now())
    }
}

fn say(sum: Sum) {
    let Sum { level, message, corpid, cause, times } = sum;
    let (corpid, cause) = (corpid.as_str(), cause.as_str());
    match level {
        Level::ERROR => tracing::error!(corpid, cause, times, "{message}: {times} more times within the last minute"),
        Level::WARN => tracing::warn!(corpid, cause, times, "{message}: {times} more times within the last minute"),
        _ => tracing::info!(corpid, cause, times, "{message}: {times} more times within the last minute"),
    }
}

/// The fields of an event that matter here.
#[derive(Default)]
struct Read {
    message: String,
    corpid: String,
    cause: Option<String>,
    reasons: String,
}

impl Read {
    fn cause(&mut self) -> String {
        same(&self.cause.take().unwrap_or_else(|| std::mem::take(&mut self.reasons)))
    }

    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "corpid" => self.corpid = value,
            CAUSE => self.cause = Some(value),
            name if REASONS.contains(&name) => {
                if !self.reasons.is_empty() {
                    self.reasons.push_str(", ");
                }
                self.reasons.push_str(&value);
            }
            _ => {}
        }
    }
}

impl Visit for Read {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}

/// A cause without its varying parts: WeCom's trace ids, and remaining seconds.
fn same(cause: &str) -> String {
    let mut same = String::new();
    let mut rest = cause;
    while let Some((before, after)) = rest.split_once(" (hint ") {
        same.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    same.push_str(rest);
    let words = same.split(' ').collect::<Vec<_>>();
    let is_seconds = |at: usize| words.get(at + 1).is_some_and(|it| it.trim_end_matches([',', ')', ';']) == "s");
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit());
    let words = words.iter().enumerate().map(|(at, word)| if is_number(word) && is_seconds(at) { "…" } else { word });
    let mut same = words.collect::<Vec<_>>().join(" ");
    same.truncate(same.floor_char_boundary(CAUSE_BYTES_MAX));
    same
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use tracing_subscriber::{fmt::MakeWriter, prelude::*};

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// The lines that `say` logs.
    fn logged(repeats: &Arc<Repeats>, say: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let format = tracing_subscriber::fmt::layer().with_writer(lines.clone()).without_time().with_target(false);
        let subscriber = tracing_subscriber::registry().with(HoldBack(repeats.clone())).with(format.with_ansi(false));
        tracing::subscriber::with_default(subscriber, say);
        let bytes = lines.0.lock().expect("nobody panicked").clone();
        String::from_utf8(bytes).expect("UTF-8").lines().map(|it| it.trim().to_owned()).collect()
    }

    fn postponed(corpid: &str, error: &str, task: u32) {
        tracing::warn!(task.id = task, corpid, error, "a task is postponed");
    }

    fn after(minutes: u64) -> Instant {
        Instant::now() + INTERVAL * u32::try_from(minutes).expect("few")
    }

    #[test]
    fn ten_thousand_lines_are_one_for_each_corp_and_cause_and_a_sum_a_minute_later() {
        let repeats = Arc::new(Repeats::default());
        let first = logged(&repeats, || {
            for task in 0..10_000 {
                let corpid = if task % 2 == 0 { "ww1" } else { "ww2" };
                let error = if task % 4 < 2 { "user/get: 45009 too often (hint 1)" } else { "user/get: -1 busy" };
                postponed(corpid, error, task);
            }
        });
        assert_eq!(first.len(), 4, "{first:#?}");
        assert_eq!(
            first[0],
            r#"WARN a task is postponed task.id=0 corpid="ww1" error="user/get: 45009 too often (hint 1)""#
        );
        assert_eq!(logged(&repeats, || repeats.tell(Instant::now())), [""; 0], "not yet");

        let mut sums = logged(&repeats, || repeats.tell(after(1)));
        sums.sort();
        assert_eq!(sums.len(), 4, "{sums:#?}");
        let sum = r#"WARN a task is postponed: 2499 more times within the last minute corpid="ww1" cause="user/get: -1 busy" times=2499"#;
        assert_eq!(sums[0], sum);
        assert_eq!(logged(&repeats, || repeats.tell(after(3))), [""; 0], "it has stopped");
        assert_eq!(logged(&repeats, || postponed("ww1", "user/get: -1 busy", 1)).len(), 1, "and counting starts again");
    }

    #[test]
    fn counts_of_suppressed_lines_are_logged_when_the_program_stops() {
        let repeats = Arc::new(Repeats::default());
        let lines = logged(&repeats, || {
            (0..3).for_each(|task| postponed("ww1", "busy", task));
            repeats.tell_the_rest();
            repeats.tell_the_rest();
        });
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(lines[1].contains("times=2"), "{lines:#?}");
    }

    #[test]
    fn different_lines_and_information_without_a_cause_are_never_suppressed() {
        let repeats = Arc::new(Repeats::default());
        let lines = logged(&repeats, || {
            postponed("ww1", "busy", 1);
            tracing::error!(corpid = "ww1", error = "busy", "a run failed");
            tracing::warn!(app = "one", step = "signature", "refused a callback");
            tracing::warn!(app = "two", step = "signature", "refused a callback");
            (0..3).for_each(|_| tracing::info!(corpid = "ww1", "a run is done"));
            (0..3).for_each(|_| tracing::info!(error = "gone", "waiting for the database"));
        });
        assert_eq!(lines.len(), 4 + 3 + 1, "{lines:#?}");
    }

    #[test]
    fn log_lines_stay_bounded_with_many_corps_and_causes() {
        let repeats = Arc::new(Repeats::default());
        let lines = logged(&repeats, || (0..1_000).for_each(|n| postponed("ww1", &format!("cause {n}"), n)));
        assert_eq!(lines.len(), CAUSES_MAX + 1);
        logged(&repeats, || (0..10_000).for_each(|n| postponed(&format!("ww{n}"), "busy", n)));
        assert!(repeats.0.lock().expect("whole").len() <= LINES_MAX + 1);
        let sums = logged(&repeats, || repeats.tell(after(1)));
        assert!(sums.iter().any(|it| it.contains(&format!("cause={OTHERS:?}"))), "{} sums", sums.len());
    }

    #[test]
    fn trace_ids_and_seconds_do_not_make_a_cause_different() {
        let of = |hint: &str, seconds: u32| same(&format!("user/get: 45009 no (hint {hint}), for {seconds} s more"));
        assert_eq!(of("17_a", 59), of("18_b", 7));
        assert_eq!(of("17_a", 59), "user/get: 45009 no, for … s more");
        assert_ne!(same("user/get: 45009"), same("user/get: 45033"));
        assert!(same(&"错".repeat(500)).len() <= CAUSE_BYTES_MAX);
    }
}
