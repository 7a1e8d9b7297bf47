//! One thing that passed between a staff member and a customer.

use chrono::{DateTime, Utc};

use crate::{
    ids::{ExternalUserId, UserId},
    states::ContactType,
};

/// A row of `wechat_contact_record`, but for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The customer's side, if there is one.
    pub customer: Option<ExternalUserId>,
    /// The staff member's side, if there is one.
    pub user: Option<UserId>,
    /// Who spoke or acted, as WeCom names them: a userid, an external userid, or `sys`.
    pub sender: String,
    /// What it was.
    pub contact_type: ContactType,
    /// WeCom's name of the event, for [`ContactType::Event`].
    pub event: Option<String>,
    /// A transfer took the customer away from the member. WeCom has one event name for this and for a deletion.
    pub by_transfer: bool,
    /// The words, or a summary in words. For people alone: nothing is counted by it.
    pub content: String,
    /// WeCom's id of the picture, sound or film; downloadable for three days.
    pub media_id: Option<String>,
    /// When it first arrived, if the event has no time of its own.
    pub arrived_at: Option<DateTime<Utc>>,
    /// It was read from a plaintext that is not well formed.
    pub repaired: bool,
    /// The time in the key of its delivery. An earlier version may have recorded it under that.
    pub stored_under: DateTime<Utc>,
}

impl Record {
    /// A record of this kind; of the rest [`super::Changes::record`] takes what its source says.
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
            arrived_at: None,
            repaired: false,
            stored_under: DateTime::UNIX_EPOCH,
        }
    }
}

impl Record {
    /// Whether the sender was taken for a customer by the shape of their id alone: a message, which names nobody else.
    pub fn is_guessed(&self) -> bool {
        self.user.is_none() && self.event.is_none() && self.customer.is_some()
    }
}
