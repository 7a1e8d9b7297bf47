//! The payloads of tasks, by kind: the code that creates a task writes one, its executor reads it.
//!
//! Stored as JSON text. An earlier version may have stored a task, so newer fields have a default. If one task gets
//! two payloads, the greater text wins; therefore fields are written in the order of their names, and the names must
//! not change. A `notify_staff` task carries a [`super::Notice`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::ids::{ExternalUserId, UserId};

/// The payload of the tasks of one kind.
pub trait Payload: Serialize + DeserializeOwned {
    /// Its stored form.
    fn to_text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Parses the stored form, perhaps of an earlier version. A task of a kind with a payload always has one.
    fn read(text: Option<&str>) -> serde_json::Result<Self> {
        serde_json::from_str(text.unwrap_or_default())
    }
}

/// The payload of a `welcome` task: what recording knew when it created the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomePayload {
    /// The event's time in seconds. With `hash` it identifies the callback, from whose arrival the greeting is timed.
    #[serde(default)]
    pub event_s: i64,
    /// The customer to greet.
    pub external_userid: ExternalUserId,
    /// The hash of the callback's plaintext, in hexadecimal.
    #[serde(default)]
    pub hash: String,
    /// The `state` of the channel the customer came through.
    pub state: Option<String>,
    /// The member who greets.
    pub wechat_userid: UserId,
}

impl WelcomePayload {
    /// The field that holds the customer, for SQL that searches by it.
    pub const GREETED: &str = "external_userid";
}

impl Payload for WelcomePayload {}

/// The payload of a `welcome_kf` task: what recording knew when it created the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeKfPayload {
    /// The event's time in seconds. With `hash` it identifies the delivery, from whose arrival the greeting is timed.
    pub event_s: i64,
    /// The customer to greet.
    pub external_userid: ExternalUserId,
    /// The hash of the delivery, in hexadecimal.
    pub hash: String,
    /// The account that greets.
    pub open_kfid: String,
}

impl Payload for WelcomeKfPayload {}

/// The payload of a `pull_kf` task: the callback's token, which lifts the pull's rate limit for ten minutes. Of two
/// callbacks the later one's counts, since its text is greater.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullKfPayload {
    /// The time of the callback, in seconds.
    pub at_s: i64,
    /// Its token, if it had one.
    pub token: Option<String>,
}

impl Payload for PullKfPayload {}

/// The payload of a `fetch_media` task: the record that names the media id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchMediaPayload {
    /// The record's time.
    pub contact_time: DateTime<Utc>,
    /// The record's id. Nothing reads it: the subject identifies the record.
    #[serde(default)]
    pub id: Option<Uuid>,
}

impl Payload for FetchMediaPayload {}

/// The payload of a `refresh_group` task: the latest event that asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshGroupPayload {
    /// The event's time in seconds, by which the latest is found: it has as many digits until the year 2286.
    pub event_s: i64,
    /// The version of the list of members after it, if it is about members. A card with that version that was read
    /// later shows it.
    pub version: Option<String>,
}

impl Payload for RefreshGroupPayload {}

/// The payload of a `read_approval` task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadApprovalPayload {
    /// The form's template.
    pub template_id: String,
}

impl Payload for ReadApprovalPayload {}

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
        let group = RefreshGroupPayload { event_s: 1_709_251_200, version: Some("1e".to_owned()) };
        assert_eq!(group.to_text(), r#"{"event_s":1709251200,"version":"1e"}"#);
        let later = RefreshGroupPayload { event_s: 1_709_251_201, version: None };
        assert!(later.to_text() > group.to_text(), "the latest event's payload is the one that is kept");
        let media = FetchMediaPayload { contact_time: DateTime::UNIX_EPOCH, id: Some(Uuid::nil()) };
        let text = r#"{"contact_time":"1970-01-01T00:00:00Z","id":"00000000-0000-0000-0000-000000000000"}"#;
        assert_eq!(media.to_text(), text);
        assert_eq!(FetchMediaPayload::read(Some(text)).expect("it reads back"), media);
    }

    #[test]
    fn of_two_tokens_the_later_has_the_greater_text() {
        let text = |at_s, token: Option<&str>| PullKfPayload { at_s, token: token.map(str::to_owned) }.to_text();
        assert_eq!(text(1_760_000_000, Some("A")), r#"{"at_s":1760000000,"token":"A"}"#);
        assert!(text(1_760_000_001, Some("A")) > text(1_760_000_000, Some("Z")));
        assert!(text(1_760_000_000, Some("A")) > text(0, Some("Z")));
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
        let greeted = WelcomeKfPayload {
            event_s: 0,
            external_userid: "wmX".into(),
            hash: String::new(),
            open_kfid: "wk1".to_owned(),
        };
        assert_eq!(serde_json::json!(greeted)[WelcomePayload::GREETED], "wmX", "one name for both kinds of greetings");
        let notice = Notice::new("ann".into(), "a", "b", String::new());
        assert_eq!(serde_json::json!(notice)[Notice::TOLD], "ann");
    }
}
