//! Messages that were pulled: of 微信客服, and of the message archive.
//!
//! Input is one message as WeCom sent it, a JSON object. Nothing here is reached by a callback.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Callback, Event, Head, ParseError, archive, head::named};
use crate::{repair, states::Origin};

/// Numbers from here on are milliseconds; see [`super::fields`].
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// The year 2200: later values are not times.
const SECONDS_END: i64 = 7_258_118_400;

/// A JSON object, without NUL characters, which the database refuses.
#[derive(Debug, Clone)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    /// A text that is there and not empty; a number counts as its digits.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.0.get(name)?)
    }

    /// A whole number, also in quotes.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The object inside; empty if there is none.
    pub(super) fn object(&self, name: &str) -> Self {
        match self.0.get(name) {
            Some(Value::Object(inner)) => Self(inner.clone()),
            _ => Self(Map::new()),
        }
    }

    /// A time in seconds or milliseconds; the latter are kept.
    fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        let number = self.number(name)?;
        let millis = if number >= MILLISECONDS_FROM { number } else { number.checked_mul(1_000)? };
        let at = DateTime::from_timestamp_millis(millis)?;
        (1..SECONDS_END).contains(&at.timestamp()).then_some(at)
    }
}

/// Reads a pulled message.
pub(super) fn read(plaintext: &[u8], origin: Origin) -> Result<Callback, ParseError> {
    let (object, repaired) = parse(plaintext)?;
    let msgtype = object.text("msgtype").unwrap_or_default();
    let action = object.text("action").unwrap_or_default();
    let what = if msgtype == "event" { object.object("event").text("event_type").unwrap_or_default() } else { action };
    let head = Head {
        corpid: None,
        at: ["send_time", "msgtime", "time"].into_iter().find_map(|name| object.time(name)),
        agentid: None,
        name: named(&[origin.as_str(), &msgtype, &what]),
        msgid: object.text("msgid"),
    };
    let event = match origin {
        Origin::Archive => archive::read(&object.0)?,
        Origin::Callback | Origin::Kf => Event::Unknown,
    };
    Ok(Callback { head, event, repaired })
}

/// Parses the object, as it was meant if it is not quite JSON.
fn parse(plaintext: &[u8]) -> Result<(Object, bool), ParseError> {
    let strict = serde_json::from_slice::<Value>(plaintext);
    let repaired = strict.is_err();
    let value = strict.or_else(|_| serde_json::from_str(&repair::json_bytes(plaintext)));
    match value.map(without_nul) {
        Ok(Value::Object(object)) => Ok((Object(object), repaired)),
        _ => Err(ParseError::NotAnObject),
    }
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn without_nul(value: Value) -> Value {
    let clean = |text: String| if text.contains('\0') { text.replace('\0', "") } else { text };
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (clean(name), without_nul(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(origin: Origin, text: &str) -> Head {
        super::super::parse(text.as_bytes(), origin).expect("a message").head
    }

    #[test]
    fn the_head_of_a_pulled_message_has_its_own_time_name_and_id() {
        let kf = head(Origin::Kf, r#"{"msgid":"m\u00001","send_time":"1760000000","msgtype":"text"}"#);
        assert_eq!((kf.name.as_str(), kf.msgid.as_deref()), ("kf/text", Some("m1")));
        assert_eq!(kf.at.map(|at| at.timestamp()), Some(1_760_000_000));
        let event = head(Origin::Kf, r#"{"msgid":"m2","msgtype":"event","event":{"event_type":"wave"}}"#);
        assert_eq!((event.name.as_str(), event.at), ("kf/event/wave", None));
        let archive =
            head(Origin::Archive, r#"{"msgid":"m3","action":"send","msgtime":1760000000123,"msgtype":"text"}"#);
        assert_eq!(archive.name, "archive/text/send");
        assert_eq!(archive.at.map(|at| at.timestamp_millis()), Some(1_760_000_000_123), "milliseconds are kept");
        assert_eq!(head(Origin::Archive, r#"{"send_time":99999999999}"#).at, None, "no believable time");
    }

    #[test]
    fn broken_json_is_read_as_it_was_meant_and_anything_else_refused() {
        let broken = super::super::parse(b"{\"msgid\":\"a\nb\"}", Origin::Archive).expect("repaired");
        assert!(broken.repaired && broken.head.msgid.as_deref() == Some("a\nb"));
        for other in ["<xml/>", "[]", "7", ""] {
            assert_eq!(super::super::parse(other.as_bytes(), Origin::Kf), Err(ParseError::NotAnObject), "{other}");
        }
    }

    #[test]
    fn a_callback_cannot_pass_for_a_pulled_message() {
        let text = br#"{"msgid":"m1","send_time":1760000000,"origin":3,"msgtype":"text","external_userid":"wmX"}"#;
        // As a callback it is a message that names no sender.
        assert_eq!(super::super::parse(text, Origin::Callback), Err(ParseError::Missing("FromUserName")));
    }
}
