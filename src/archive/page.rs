//! A page of the archive as the library gives it, and what must be known of a message before it is stored.
//!
//! Input is WeCom's JSON. One message of a page that cannot be read costs only itself.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use super::trouble::Trouble;
use crate::{ids::ExternalUserId, repair};

/// The messages that follow a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// WeCom's own code in the answer; the library mostly returns it itself.
    pub errcode: i32,
    /// The messages, by their numbers.
    pub messages: Vec<Sealed>,
    /// How many entries could not be read: they have no number.
    pub unreadable: usize,
}

/// A sealed message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sealed {
    /// Its number, by which the next page is asked for.
    pub seq: i64,
    /// WeCom's id of it.
    #[serde(default)]
    pub msgid: String,
    /// The version of the public key that its short key is sealed with.
    #[serde(rename = "publickey_ver", default, deserialize_with = "number")]
    pub version: i32,
    /// The short key, sealed with RSA, in base64.
    #[serde(rename = "encrypt_random_key", default)]
    pub random_key: String,
    /// The message, sealed with the short key.
    #[serde(rename = "encrypt_chat_msg", default)]
    pub message: String,
}

impl Page {
    /// Reads the library's answer.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Trouble> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(default)]
            errcode: i32,
            #[serde(borrow, default)]
            chatdata: Option<Vec<&'a RawValue>>,
        }
        let text = String::from_utf8_lossy(bytes);
        let text = repair::json(&text);
        let odd = |error: serde_json::Error| Trouble::Odd(format!("the library's page cannot be read: {error}"));
        let answer: Answer<'_> = serde_json::from_str(&text).map_err(odd)?;
        let mut page = Self { errcode: answer.errcode, ..Self::default() };
        for entry in answer.chatdata.unwrap_or_default() {
            match serde_json::from_str::<Sealed>(entry.get()) {
                Ok(message) => page.messages.push(message),
                Err(_) => page.unreadable += 1,
            }
        }
        page.messages.sort_by_key(|it| it.seq);
        Ok(page)
    }

    /// The largest number in it.
    pub fn last(&self) -> Option<i64> {
        self.messages.last().map(|it| it.seq)
    }
}

/// A number, also in quotes.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(number.and_then(|it| i32::try_from(it).ok()).unwrap_or_default())
}

/// What must be known of a message before it is stored: when it was sent, and whether somebody outside takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When it was sent.
    pub sent_at: Option<DateTime<Utc>>,
    /// Whether only members take part, so that it is no talk with a customer.
    pub is_internal: bool,
}

impl Envelope {
    /// Reads it from an opened message. One that cannot be read counts as a talk with somebody outside: it is stored,
    /// and a person will see it.
    pub fn read(text: &str, msgid: &str) -> Self {
        #[derive(Deserialize, Default)]
        struct Head {
            #[serde(default)]
            from: Value,
            #[serde(default)]
            tolist: Value,
            #[serde(default)]
            msgtime: Value,
            #[serde(default)]
            time: Value,
        }
        let head = serde_json::from_str::<Head>(&repair::json(text)).unwrap_or_default();
        let millis =
            |value: &Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|it| *it > 0);
        let sent_at = millis(&head.msgtime).or_else(|| millis(&head.time)).and_then(DateTime::from_timestamp_millis);
        let to = head.tolist.as_array().into_iter().flatten();
        let named: Vec<_> = to.chain([&head.from]).filter_map(Value::as_str).filter(|it| !it.is_empty()).collect();
        let outside = named.iter().any(|it| !it.starts_with("wb") && ExternalUserId::from_sender(it).is_some());
        // Action `switch` names nobody: it is no talk at all.
        let is_internal = !named.is_empty() && !outside && !msgid.ends_with("_external");
        Self { sent_at, is_internal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_and_a_broken_entry_costs_itself() {
        let page = "{\"errcode\":0,\"chatdata\":[{\"seq\":9,\"msgid\":\"b\",\"publickey_ver\":\"2\"},{\"seq\":\"x\"},\
                    {\"seq\":7,\"msgid\":\"a\u{1}\",\"publickey_ver\":1,\"encrypt_random_key\":\"r\",\"encrypt_chat_msg\":\"c\"}]}";
        let page = Page::read(page.as_bytes()).expect("a page");
        assert_eq!((page.unreadable, page.last()), (1, Some(9)));
        let read: Vec<_> = page.messages.iter().map(|it| (it.seq, it.msgid.as_str(), it.version)).collect();
        assert_eq!(read, [(7, "a\u{1}", 1), (9, "b", 2)]);
        assert_eq!(Page::read(b"{\"errcode\":301058}").expect("an answer").errcode, 301_058);
        assert!(matches!(Page::read(b"<html>"), Err(Trouble::Odd(_))));
    }

    #[test]
    fn a_talk_is_internal_if_nobody_in_it_is_from_outside() {
        const CUSTOMER: &str = "wmEXAMPLE000000000000000000000001";
        let internal = |text: &str, msgid: &str| Envelope::read(text, msgid).is_internal;
        assert!(internal(r#"{"from":"ann","tolist":["bob"],"msgtime":1}"#, "m"));
        assert!(!internal(&format!(r#"{{"from":"ann","tolist":["{CUSTOMER}"]}}"#), "m"));
        assert!(!internal(&format!(r#"{{"from":"{CUSTOMER}","tolist":["ann"]}}"#), "m"));
        assert!(!internal(r#"{"from":"ann","tolist":["bob"]}"#, "m_external"), "WeCom says so");
        assert!(
            internal(r#"{"from":"wbROBOT0000000000000000000000001","tolist":["ann"]}"#, "m"),
            "a robot is nobody outside"
        );
        assert!(!internal(r#"{"action":"switch","time":1,"user":"ann"}"#, "m"));
        assert!(!internal("no JSON", "m"));
    }

    #[test]
    fn the_time_is_read_also_beside_raw_control_characters() {
        let read = Envelope::read("{\"msgtime\":\"1760000000123\",\"text\":\"a\u{2}b\"}", "m");
        assert_eq!(read.sent_at.map(|it| it.timestamp_millis()), Some(1_760_000_000_123));
        assert_eq!(Envelope::read(r#"{"time":1760000000123}"#, "m").sent_at, read.sent_at);
        assert_eq!(Envelope::read(r#"{"msgtime":"soon"}"#, "m").sent_at, None);
    }
}
