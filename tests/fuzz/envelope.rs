//! The outermost bytes: a request's query and body, before anything about them is proven.

use std::sync::atomic::{AtomicUsize, Ordering};

use bolero::{TypeGenerator, check};
use wecomd::crypto::{OpenError, Query, envelope};

use crate::{ITERATIONS, SHRINK_LIMIT, TIME_LIMIT};

/// The longest signature, timestamp or nonce that may come out of a query.
const PARAMETER_BYTES_MAX: usize = 128;

/// The longest query that is decoded.
const QUERY_BYTES_MAX: usize = 8 * 1024;

/// The parameters that count, and one that does not.
const NAMES: [&str; 5] = ["msg_signature", "timestamp", "nonce", "echostr", "other"];

#[test]
fn an_envelope_of_any_bytes_gives_a_trimmed_text_or_is_refused() {
    check!().with_iterations(ITERATIONS).with_test_time(TIME_LIMIT).with_shrink_time(SHRINK_LIMIT).for_each(
        |body: &[u8]| {
            holds_a_trimmed_text(body);
            // Most bytes are no document at all; inside one they get further.
            holds_a_trimmed_text(&[b"<xml><Encrypt>", body, b"</Encrypt></xml>"].concat());
            holds_a_trimmed_text(&[b"<xml>", body, b"<Encrypt>QUJD</Encrypt></xml>"].concat());
            holds_a_trimmed_text(&[b"{\"encrypt\":\"", body, b"\"}"].concat());
        },
    );
}

#[test]
fn the_first_of_each_parameter_is_read_and_the_result_is_bounded() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    check!()
        .with_type::<Vec<Parameter>>()
        .with_iterations(ITERATIONS)
        .with_test_time(TIME_LIMIT)
        .with_shrink_time(SHRINK_LIMIT)
        .for_each(|parameters: &Vec<Parameter>| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for it in parameters {
                query.append_pair(it.name(), &it.value());
            }
            let query = query.finish();
            let first = |name| parameters.iter().find(|it| it.name() == name).map(Parameter::value);
            let good = |name| first(name).filter(|it| (1..=PARAMETER_BYTES_MAX).contains(&it.len()));
            let whole = ["msg_signature", "timestamp", "nonce"].map(good);
            match Query::parse(&query) {
                Ok(query) => {
                    READ.fetch_add(1, Ordering::Relaxed);
                    assert_eq!([query.msg_signature, query.timestamp, query.nonce].map(Some), whole);
                    let echo = first("echostr").filter(|it| !it.is_empty());
                    assert_eq!(query.echostr.is_some(), echo.is_some());
                    let echo = query.echostr.unwrap_or_default();
                    assert!(echo.len().is_multiple_of(4) && !echo.contains(' '), "{echo}");
                }
                Err(error) => {
                    assert_eq!(error, OpenError::Query);
                    let long = query.len() > QUERY_BYTES_MAX;
                    assert!(whole.contains(&None) || long, "{parameters:?} should have been accepted");
                }
            }
        });
    assert!(READ.load(Ordering::Relaxed) > 0, "no query was ever read");
}

#[test]
fn a_query_of_any_bytes_is_read_the_same_every_time() {
    check!().with_iterations(ITERATIONS).with_test_time(TIME_LIMIT).with_shrink_time(SHRINK_LIMIT).for_each(
        |bytes: &[u8]| {
            let query = String::from_utf8_lossy(bytes);
            assert_eq!(Query::parse(&query), Query::parse(&query));
        },
    );
}

/// One parameter; few names, so that they repeat, and values on both sides of their limit.
#[derive(Debug, TypeGenerator)]
struct Parameter {
    name: u8,
    value: Vec<u8>,
    times: u8,
}

impl Parameter {
    fn name(&self) -> &'static str {
        NAMES[usize::from(self.name) % NAMES.len()]
    }

    fn value(&self) -> String {
        String::from_utf8_lossy(&self.value).repeat(usize::from(self.times) % 3)
    }
}

fn holds_a_trimmed_text(body: &[u8]) {
    let found = envelope(body);
    assert_eq!(found, envelope(body));
    match found {
        Ok(encrypt) => assert!(!encrypt.is_empty() && encrypt.trim_ascii() == encrypt, "{encrypt:?}"),
        Err(error) => assert_eq!(error, OpenError::Envelope),
    }
}
