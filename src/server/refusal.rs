//! Logs and counts refused callbacks by reason. The caller never learns the reason.

use std::net::IpAddr;

/// How much of a path is logged.
const PATH_CHARS_MAX: usize = 120;

/// Counts a refused callback and logs it with its likely cause; repeats are logged once a minute. `app` is the name
/// of a configured app, or empty: text from unauthenticated callers becomes no label.
pub(super) fn note(app: &str, step: &'static str, caller: IpAddr) {
    count(app, step);
    tracing::warn!(app, step, peer = %caller, "refused a callback: {}", meaning(step));
}

/// The same for a request whose path leads to no app.
pub(super) fn note_path(step: &'static str, caller: IpAddr, path: &str) {
    count("", step);
    let path = shown(path);
    tracing::warn!(step, peer = %caller, path, "refused a callback: {}", meaning(step));
}

fn count(app: &str, step: &'static str) {
    metrics::counter!("wecomd_refused_total", "app" => app.to_owned(), "step" => step).increment(1);
}

/// A caller's path for the log: escaped and shortened.
fn shown(path: &str) -> String {
    let escaped = path.chars().flat_map(char::escape_default);
    let mut shown: String = escaped.clone().take(PATH_CHARS_MAX).collect();
    if escaped.count() > PATH_CHARS_MAX {
        shown.push('…');
    }
    shown
}

/// The most likely cause of a failed step, for the reader of the log.
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
        "body_crowded" => {
            "too many half bodies at once, and this was the oldest; it was not answered, so WeCom repeats it"
        }
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
