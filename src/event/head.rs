//! The head of a callback: its corp, its time, and its name.
//!
//! Input is the plaintext's document. The time is read by the same rule as the one in the delivery's key: the first
//! field with one of its names counts. Only this reading knows milliseconds and repaired documents, because the other
//! is part of a key that never changes.

use chrono::{DateTime, Utc};

use super::fields::{believable, filled};
use super::kind::Kind;
use crate::document::Element;
use crate::ids::CorpId;

/// The maximum length of [`Head::name`] in bytes; the longest name in the reference has 57.
pub const NAME_BYTES_MAX: usize = 128;

/// The fields that every callback has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The corp it is about: `ToUserName`, or a notice's `AuthCorpId`.
    pub corpid: Option<CorpId>,
    /// When it happened, as WeCom says, to the second.
    pub at: Option<DateTime<Utc>>,
    /// The app it came through.
    pub agentid: Option<String>,
    /// The event's name: `text`, `change_contact/create_user`, `suite_ticket`, `aibot/event/enter_chat`.
    ///
    /// At most [`NAME_BYTES_MAX`] bytes of printable ASCII, so that it can be a label and stand in a log.
    /// Names that WeCom is known to misspell are spelled right.
    pub name: String,
    /// WeCom's id of a pulled message, by which its repeats are recognised. Callbacks have none.
    pub msgid: Option<String>,
}

impl Head {
    pub(super) fn read(kind: &Kind<'_>, doc: &Element) -> Self {
        let corpid = match kind {
            Kind::Robot { .. } => None,
            Kind::Notice { .. } => filled(doc, "AuthCorpId"),
            Kind::Hardware { .. } => doc.child("base_info").and_then(|base| filled(base, "auth_corpid")),
            _ => filled(doc, "ToUserName"),
        };
        Self {
            corpid: corpid.map(CorpId),
            at: happened_at(doc),
            agentid: filled(doc, "AgentID"),
            name: name(kind),
            msgid: None,
        }
    }
}

const TIME_NAMES: [&str; 3] = ["CreateTime", "TimeStamp", "create_time"];

fn happened_at(doc: &Element) -> Option<DateTime<Utc>> {
    let is_time = |field: &&Element| TIME_NAMES.iter().any(|name| name.eq_ignore_ascii_case(&field.name));
    believable(&doc.children.iter().find(is_time)?.text)
}

fn name(kind: &Kind<'_>) -> String {
    let parts = match *kind {
        Kind::Message(msg_type) => [msg_type, "", ""],
        Kind::App { event, change } => [event, change, ""],
        Kind::Notice { info, change } => [info, change, ""],
        Kind::Robot { msg_type, event } => ["aibot", msg_type, event],
        Kind::Hardware { msg_type } => ["hardware", msg_type, ""],
        Kind::Payment { notify_type, event_type } => ["payment", notify_type, event_type],
        Kind::Unmarked => ["unknown", "", ""],
    };
    named(&parts)
}

/// Joins the parts of a name that are not empty.
pub(super) fn named(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    let printable = |letter: char| if letter == ' ' || letter.is_ascii_graphic() { letter } else { '?' };
    parts.join("/").chars().map(printable).take(NAME_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use crate::event::parse_callback as parse;

    fn head(text: &str) -> super::Head {
        parse(text.as_bytes()).expect("a callback").head
    }

    #[test]
    fn an_event_name_is_always_short_and_printable() {
        let long = format!("<xml><MsgType>event</MsgType><Event>新\n{}</Event></xml>", "é".repeat(500));
        let name = head(&long).name;
        assert_eq!(name.len(), super::NAME_BYTES_MAX);
        assert!(name.bytes().all(|byte| byte == b'?'));
        assert_eq!(head("<xml><A>1</A></xml>").name, "unknown");
        assert_eq!(head("<xml><MsgType/><Event/><InfoType/></xml>").name, "unknown");
    }

    #[test]
    fn an_impossible_time_is_read_as_no_time() {
        for time in ["", "soon", "-1", "0", "7258118400", "99999999999999", "7258118400000", "9223372036854775807"] {
            assert_eq!(head(&format!("<xml><CreateTime>{time}</CreateTime></xml>")).at, None, "{time}");
        }
        let told = head("<xml><CreateTime> <![CDATA[1700000000]]> </CreateTime></xml>").at;
        assert_eq!(told.map(|at| at.timestamp()), Some(1_700_000_000));
    }

    #[test]
    fn a_time_in_milliseconds_is_rounded_down_to_its_second() {
        for document in [
            "<xml><CreateTime>1700000000999</CreateTime></xml>",
            "<xml><InfoType>x</InfoType><TimeStamp>1700000000000</TimeStamp></xml>",
            r#"{"aibotid":"b","create_time":1700000000001}"#,
        ] {
            assert_eq!(head(document).at.map(|at| at.timestamp_micros()), Some(1_700_000_000_000_000), "{document}");
        }
    }

    #[test]
    fn empty_ids_are_absent_ids() {
        let head = head("<xml><ToUserName> </ToUserName><AgentID></AgentID><MsgType>x</MsgType></xml>");
        assert_eq!((head.corpid, head.agentid), (None, None));
    }
}
