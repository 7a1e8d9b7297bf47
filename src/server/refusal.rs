//! What is not ours: told apart in the log and in a counter, never to the caller.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The same refusal of the same app is logged at most this often; scanners would fill the disk.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// How much of a path is logged.
const PATH_CHARS_MAX: usize = 120;

/// Remembers what was logged when.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<(String, &'static str), Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    since: u64,
}

impl Refusals {
    /// Counts a refused callback, and logs it unless the same was logged a moment ago. `app` is the name of an app
    /// that we know, or empty: a stranger's words become neither a label nor a key.
    pub(super) fn note(&self, app: &str, step: &'static str, peer: SocketAddr) {
        if let Some(times) = self.count(app, step) {
            tracing::warn!(app, step, peer = %peer, times, "refused a callback: {}", meaning(step));
        }
    }

    /// The same for a request that leads to no app, with the path that it named.
    pub(super) fn note_path(&self, step: &'static str, peer: SocketAddr, path: &str) {
        if let Some(times) = self.count("", step) {
            let path = shown(path);
            tracing::warn!(step, peer = %peer, times, path, "refused a callback: {}", meaning(step));
        }
    }

    /// Counts it. Since when it was last logged it was refused so often; `None` if that was a moment ago.
    fn count(&self, app: &str, step: &'static str) -> Option<u64> {
        metrics::counter!("wecomd_refused_total", "app" => app.to_owned(), "step" => step).increment(1);
        let now = Instant::now();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = said.entry((app.to_owned(), step)).or_insert(Said { at: now, since: 0 });
        let first = last.since == 0;
        last.since += 1;
        if !first && now.duration_since(last.at) < LOG_EVERY {
            return None;
        }
        let times = std::mem::replace(&mut last.since, 1);
        last.at = now;
        Some(times)
    }
}

/// A stranger's path as it may stand in a log: escaped, and not long.
fn shown(path: &str) -> String {
    let escaped = path.chars().flat_map(char::escape_default);
    let mut shown: String = escaped.clone().take(PATH_CHARS_MAX).collect();
    if escaped.count() > PATH_CHARS_MAX {
        shown.push('…');
    }
    shown
}

/// What a failed step most often means, for whoever reads the log.
fn meaning(step: &str) -> &'static str {
    match step {
        "app" => "no enabled app has that name; check the URL in the WeCom console",
        "path" => {
            "callbacks go to /callback/ and the app's name; check the URL in the WeCom console, and whether a proxy changes it"
        }
        "method" => "WeCom only sends GET and POST",
        "query" => "the signature parameters are missing; this is not WeCom, or a proxy drops the query",
        "envelope" => "the body is not WeCom's envelope; this is not WeCom, or a proxy changes the body",
        "encoded_twice" => {
            "a proxy percent-encodes the query a second time, and decoded twice the signature does not match either; mend the proxy, then check the Token"
        }
        "signature" => "the Token differs from the WeCom console's, or this is not WeCom",
        "base64" | "cipher" => "the ciphertext is damaged; a proxy may change the body",
        "padding" | "frame" => "the Token is right but the EncodingAESKey differs from the WeCom console's",
        "receiveid" => "the keys are right but the callback is for another corp or suite; check corpid and receive_ids",
        "echo" => "a verification whose echo is no number: somebody tries to have a callback decrypted",
        "body_slow" => "the body took too long",
        "body_too_large" => "the body is larger than http.body_bytes_max",
        _ => "the request broke off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_opening_has_a_meaning() {
        for step in [
            "path",
            "encoded_twice",
            "app",
            "method",
            "query",
            "envelope",
            "signature",
            "base64",
            "cipher",
            "padding",
            "frame",
            "receiveid",
            "echo",
        ] {
            assert_ne!(meaning(step), meaning("broken"), "{step}");
        }
    }

    #[test]
    fn a_path_is_logged_escaped_and_short() {
        assert_eq!(shown("/callback/a\u{1b}[31m\n中"), "/callback/a\\u{1b}[31m\\n\\u{4e2d}");
        assert_eq!(shown(&"/x".repeat(500)).chars().count(), PATH_CHARS_MAX + 1);
    }
}
