//! What a task carries beyond its subject, by kind: written by whoever asks for the task, read by whoever does it.
//!
//! Stored as JSON text. A task may have been stored by an earlier version, so a field that came later has a default. Of two
//! payloads of one task the greater text counts; fields are therefore written in the order of their names, which must stay.
//! What a `notify_staff` task carries is a [`super::Notice`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::ids::{ExternalUserId, UserId};

/// What the tasks of a kind carry.
pub trait Payload: Serialize + DeserializeOwned {
    /// As it is stored.
    fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// As it was stored, perhaps by an earlier version. A task of a kind that has a payload always has one.
    fn read(text: Option<&str>) -> serde_json::Result<Self> {
        serde_json::from_str(text.unwrap_or_default())
    }
}

/// What a `welcome` task carries: what recording knew when it asked for the greeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomePayload {
    /// The event's own second. With `hash` it names the callback, so that its greeting can be timed.
    #[serde(default)]
    pub event_s: i64,
    /// Whom it greets.
    pub external_userid: ExternalUserId,
    /// The hash of the callback's plaintext, in hexadecimal.
    #[serde(default)]
    pub hash: String,
    /// The channel through which they came.
    pub state: Option<String>,
    /// In whose name.
    pub wechat_userid: UserId,
}

impl WelcomePayload {
    /// The field that holds whom it greets, for statements that look for it.
    pub const GREETED: &str = "external_userid";
}

impl Payload for WelcomePayload {}

/// What a `fetch_media` task carries: which record names the media id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchMediaPayload {
    /// The record's time.
    pub contact_time: DateTime<Utc>,
    /// The record's id. Nothing reads it: the subject leads to the record.
    #[serde(default)]
    pub id: Option<Uuid>,
}

impl Payload for FetchMediaPayload {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::Notice;

    #[test]
    fn a_payload_is_stored_as_earlier_versions_stored_it() {
        let welcome = WelcomePayload {
            event_s: 1_709_251_200,
            external_userid: "wmX".into(),
            hash: "00ff".to_owned(),
            state: None,
            wechat_userid: "ann".into(),
        };
        let text = r#"{"event_s":1709251200,"external_userid":"wmX","hash":"00ff","state":null,"wechat_userid":"ann"}"#;
        assert_eq!(welcome.to_text(), text);
        assert_eq!(WelcomePayload::read(Some(text)).expect("it reads back"), welcome);
        let media = FetchMediaPayload { contact_time: DateTime::UNIX_EPOCH, id: Some(Uuid::nil()) };
        let text = r#"{"contact_time":"1970-01-01T00:00:00Z","id":"00000000-0000-0000-0000-000000000000"}"#;
        assert_eq!(media.to_text(), text);
        assert_eq!(FetchMediaPayload::read(Some(text)).expect("it reads back"), media);
    }

    #[test]
    fn payloads_of_the_first_version_are_read_and_malformed_ones_refused() {
        let old = r#"{"external_userid":"wmX","state":"cust:7","wechat_userid":"ann"}"#;
        let read = WelcomePayload::read(Some(old)).expect("it reads");
        assert_eq!((read.state.as_deref(), read.event_s, read.hash.as_str()), (Some("cust:7"), 0, ""));
        assert!(FetchMediaPayload::read(Some(r#"{"contact_time":"2024-03-01T08:00:00Z"}"#)).is_ok());
        let old = r#"{"desc":"b","lines":[["客户","王"]],"title":"a","url":"","wechat_userid":"ann"}"#;
        let notice = Notice::read(Some(old)).expect("it reads");
        assert_eq!((notice.to_text().as_str(), notice.lines.len()), (old, 1));
        assert!(WelcomePayload::read(None).is_err() && WelcomePayload::read(Some("{}")).is_err());
    }

    #[test]
    fn sql_statements_use_only_field_names_that_payloads_have() {
        let welcome =
            WelcomePayload::read(Some(r#"{"external_userid":"wmX","wechat_userid":"ann"}"#)).expect("it reads");
        assert_eq!(serde_json::json!(welcome)[WelcomePayload::GREETED], "wmX");
        let notice = Notice::new("ann".into(), "a", "b", String::new());
        assert_eq!(serde_json::json!(notice)[Notice::TOLD], "ann");
    }
}
