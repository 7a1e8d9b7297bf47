//! One customer known to one staff member: what events say of it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::register::{Register, earliest, latest};
use crate::{
    ids::{ContactWayState, CustomerId},
    states::ContactStatus,
};

/// The smallest step of a time in the tables.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);

/// What a batch says of one contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// How it stands.
    pub status: Option<Register<ContactStatus>>,
    /// The `state` of the contact way that brought them together.
    pub state: Option<Register<String>>,
    /// The business's own id, where a state names it.
    pub customer_id: Option<Register<CustomerId>>,
    /// Contact ways of ours that they came through, each with the earliest time.
    pub scans: BTreeMap<ContactWayState, DateTime<Utc>>,
    /// When they first became contacts.
    pub first_contact_time: Option<DateTime<Utc>>,
    /// When anything last passed between them.
    pub last_contact_time: Option<DateTime<Utc>>,
    /// What only WeCom can tell, as it was last read.
    pub card: Option<Register<Card>>,
    /// When it first arrived that they know each other, where that was said without a time.
    pub heard_arrived_at: Option<DateTime<Utc>>,
    /// When it first arrived that they became contacts, where that was said without a time.
    pub met_arrived_at: Option<DateTime<Utc>>,
}

/// What a customer's card says: read from WeCom as a whole, never said by a callback.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Card {
    /// The customer's name in WeChat.
    pub nickname: Option<String>,
    /// The customer's id across the company's WeChat apps.
    pub unionid: Option<String>,
    /// The URL of the customer's picture.
    pub avatar: Option<String>,
    /// The name that the member gave them.
    pub remark: Option<String>,
    /// The member's note.
    pub description: Option<String>,
    /// The tags' names.
    pub tags: Vec<String>,
    /// The phone numbers that the member wrote down.
    pub remark_mobiles: Vec<String>,
    /// How they became contacts, as WeCom numbers it.
    pub add_way: Option<i32>,
}

impl Contact {
    /// The relation took this turn at `at`.
    pub fn became(&mut self, status: ContactStatus, at: DateTime<Utc>) {
        Register::set(&mut self.status, status, at);
    }

    /// They were in contact at `at`.
    pub fn met(&mut self, at: DateTime<Utc>) {
        earliest(&mut self.first_contact_time, Some(at));
        latest(&mut self.last_contact_time, Some(at));
    }

    /// A contact way with this `state` brought them together; it may name the business's customer, or be one of ours.
    pub fn came_through(&mut self, state: &str, at: DateTime<Utc>) {
        Register::set(&mut self.state, state.to_owned(), at);
        if let Some(way) = ContactWayState::from_state(state) {
            self.scanned(way, at);
        }
        if let Some(customer) = CustomerId::from_state(state) {
            Register::set(&mut self.customer_id, customer, at);
        }
    }

    /// Somebody said so without a time; it arrived then.
    pub fn heard_of(&mut self, arrived_at: Option<DateTime<Utc>>) {
        earliest(&mut self.heard_arrived_at, arrived_at);
    }

    /// Somebody said without a time that they became contacts; it arrived then.
    pub fn met_without_time(&mut self, arrived_at: Option<DateTime<Utc>>) {
        earliest(&mut self.met_arrived_at, arrived_at);
    }

    fn scanned(&mut self, way: ContactWayState, at: DateTime<Utc>) {
        let first = self.scans.entry(way).or_insert(at);
        *first = at.min(*first);
    }

    /// We said that it is gone, and WeCom names it again: that takes back our own word, and nobody else's. `held` is how
    /// it stands in the table, and since when.
    pub fn named_again(&mut self, held: Option<(ContactStatus, DateTime<Utc>)>) {
        if let Some((ContactStatus::Gone, since)) = held {
            self.became(ContactStatus::Contacted, since + MOMENT);
        }
    }

    /// WeCom was asked at `at`, and this is what the card says.
    pub fn read(&mut self, card: Card, at: DateTime<Utc>) {
        Register::set(&mut self.card, card, at);
    }

    /// Folds what another batch says of the same contact.
    pub fn absorb(&mut self, other: Contact) {
        Register::absorb(&mut self.status, other.status);
        Register::absorb(&mut self.state, other.state);
        Register::absorb(&mut self.customer_id, other.customer_id);
        for (way, at) in other.scans {
            self.scanned(way, at);
        }
        earliest(&mut self.first_contact_time, other.first_contact_time);
        latest(&mut self.last_contact_time, other.last_contact_time);
        Register::absorb(&mut self.card, other.card);
        earliest(&mut self.heard_arrived_at, other.heard_arrived_at);
        earliest(&mut self.met_arrived_at, other.met_arrived_at);
    }
}
