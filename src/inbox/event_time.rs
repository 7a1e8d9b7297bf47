//! Reads an event's time from its plaintext without parsing the event.
//!
//! The time leads the dedupe key and picks the partition, so it must be the same in every repeat: it depends on the
//! plaintext alone, and every version computes it in the same way. A later version may read an event's time better
//! (milliseconds, malformed documents): `event::Head` does that, and it changes no key.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use crate::document;

/// `CreateTime` (messages and events), `TimeStamp` (notices) or `create_time` (robots), in seconds.
///
/// The epoch if there is none, if it is not a number, or if the plaintext is no document at all: such deliveries
/// are kept in `inbox_undated`.
pub fn event_time(plaintext: &[u8]) -> DateTime<Utc> {
    let mut found = None;
    if let Ok(text) = std::str::from_utf8(plaintext) {
        // Fields before an error still count: a truncated document has its time at its beginning.
        let _ = document::scan(text, |name, value| {
            if ["CreateTime", "TimeStamp", "create_time"].iter().any(|it| it.eq_ignore_ascii_case(name)) {
                found = value.parse::<i64>().ok();
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
    }
    found
        .filter(|seconds| (0..SECONDS_END).contains(seconds))
        .and_then(|it| DateTime::from_timestamp(it, 0))
        .unwrap_or_default()
}

/// The year 2200: later values are not times.
const SECONDS_END: i64 = 7_258_118_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_time_is_found_in_each_family_of_plaintext() {
        let times = [
            "<xml><FromUserName>a</FromUserName><CreateTime>1700000000</CreateTime></xml>",
            "<xml><SuiteId>s</SuiteId><TimeStamp> <![CDATA[1700000000]]></TimeStamp></xml>",
            r#"{"msgid":"m","create_time":1700000000}"#,
        ];
        for text in times {
            assert_eq!(event_time(text.as_bytes()).timestamp(), 1_700_000_000, "{text}");
        }
    }

    #[test]
    fn a_plaintext_without_a_believable_time_is_undated() {
        let undated: [&[u8]; 5] = [
            b"<xml><MsgType>text</MsgType></xml>",
            b"<xml><CreateTime>tomorrow</CreateTime></xml>",
            b"<xml><CreateTime>99999999999999</CreateTime></xml>",
            b"<xml><CreateTime>-1</CreateTime></xml>",
            b"\xff\xfe",
        ];
        for plaintext in undated {
            assert_eq!(event_time(plaintext), DateTime::UNIX_EPOCH);
        }
    }

    #[test]
    fn a_time_typed_into_a_message_is_not_its_event_time() {
        let text =
            "<xml><Content><![CDATA[<CreateTime>1</CreateTime>]]></Content><CreateTime>1700000000</CreateTime></xml>";
        assert_eq!(event_time(text.as_bytes()).timestamp(), 1_700_000_000);
    }
}
