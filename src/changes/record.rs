//! A contact record: one message or event between a staff member and a customer.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    ids::{ExternalUserId, UserId},
    states::{ContactType, RecordSource},
};

/// A row of `wechat_contact_record`, but for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The customer's side, if there is one.
    pub customer: Option<ExternalUserId>,
    /// The staff member's side, if there is one.
    pub user: Option<UserId>,
    /// The sender or actor, as WeCom names them: a userid, an external userid, or `sys`.
    pub sender: String,
    /// The type.
    pub contact_type: ContactType,
    /// WeCom's name of the event, for [`ContactType::Event`].
    pub event: Option<String>,
    /// Whether a transfer took the customer away from the member. WeCom uses one event name for this and for a
    /// deletion.
    pub by_transfer: bool,
    /// The text, or a summary. It is only displayed; nothing is counted by it.
    pub content: String,
    /// WeCom's id of the picture, voice message or video; downloadable for three days.
    pub media_id: Option<String>,
    /// Where it comes from.
    pub source: RecordSource,
    /// The group or the 微信客服 account; none between two people.
    pub chat_id: Option<String>,
    /// What the summary leaves out, as WeCom sent it.
    pub detail: Option<Value>,
    /// When it first arrived, if the event has no time.
    pub arrived_at: Option<DateTime<Utc>>,
    /// Whether it was read from a malformed plaintext.
    pub repaired: bool,
    /// The time in its delivery's key. An earlier version may have stored the record under that time.
    pub stored_under: DateTime<Utc>,
}

impl Record {
    /// A record of this type; [`super::Changes::record`] fills in the rest from its source.
    pub fn new(contact_type: ContactType, sender: String, content: String) -> Self {
        Self {
            customer: None,
            user: None,
            sender,
            contact_type,
            event: None,
            by_transfer: false,
            content,
            media_id: None,
            source: RecordSource::App,
            chat_id: None,
            detail: None,
            arrived_at: None,
            repaired: false,
            stored_under: DateTime::UNIX_EPOCH,
        }
    }
}

impl Record {
    /// Whether the sender counts as a customer only because of the id's shape: a message to an app names nobody else. A
    /// pulled message says who is a customer.
    pub fn is_guessed(&self) -> bool {
        self.source == RecordSource::App && self.user.is_none() && self.event.is_none() && self.customer.is_some()
    }
}
