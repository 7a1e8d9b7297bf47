//! What events say about one contact: a customer and the member who knows them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::register::{Register, earliest, latest};
use crate::{
    ids::{ContactWayState, CustomerId},
    states::ContactStatus,
};

/// The tables' time resolution.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);

/// A batch's changes to one contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The contact's status.
    pub status: Option<Register<ContactStatus>>,
    /// The `state` of the contact way that brought them together.
    pub state: Option<Register<String>>,
    /// The business's customer id, if a state names it.
    pub customer_id: Option<Register<CustomerId>>,
    /// Contact ways of ours that the customer used, each with the earliest time.
    pub scans: BTreeMap<ContactWayState, DateTime<Utc>>,
    /// When they first became contacts.
    pub first_contact_time: Option<DateTime<Utc>>,
    /// The time of the last exchange between them.
    pub last_contact_time: Option<DateTime<Utc>>,
    /// The card as WeCom last returned it; callbacks do not carry it.
    pub card: Option<Register<Card>>,
    /// When a callback without a time first said that they know each other.
    pub heard_arrived_at: Option<DateTime<Utc>>,
    /// When a callback without a time first said that they became contacts.
    pub met_arrived_at: Option<DateTime<Utc>>,
}

/// A customer's card: always read from WeCom as a whole, never part of a callback.
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
    /// The ids of the company's tags among them; a member's own tags have none.
    pub tag_ids: Vec<String>,
    /// The phone numbers in the member's remark.
    pub remark_mobiles: Vec<String>,
    /// How they became contacts, as WeCom numbers it.
    pub add_way: Option<i32>,
}

impl Contact {
    /// Sets the status as of `at`.
    pub fn became(&mut self, status: ContactStatus, at: DateTime<Utc>) {
        Register::set(&mut self.status, status, at);
    }

    /// They were in contact at `at`.
    pub fn met(&mut self, at: DateTime<Utc>) {
        earliest(&mut self.first_contact_time, Some(at));
        latest(&mut self.last_contact_time, Some(at));
    }

    /// The customer came through a contact way with this `state`; it may name the business's customer, or be one of
    /// ours.
    pub fn came_through(&mut self, state: &str, at: DateTime<Utc>) {
        Register::set(&mut self.state, state.to_owned(), at);
        if let Some(way) = ContactWayState::from_state(state) {
            self.scanned(way, at);
        }
        if let Some(customer) = CustomerId::from_state(state) {
            Register::set(&mut self.customer_id, customer, at);
        }
    }

    /// An event without a time mentions the contact; it arrived at this time.
    pub fn heard_of(&mut self, arrived_at: Option<DateTime<Utc>>) {
        earliest(&mut self.heard_arrived_at, arrived_at);
    }

    /// An event without a time says that they became contacts; it arrived at this time.
    pub fn met_without_time(&mut self, arrived_at: Option<DateTime<Utc>>) {
        earliest(&mut self.met_arrived_at, arrived_at);
    }

    fn scanned(&mut self, way: ContactWayState, at: DateTime<Utc>) {
        let first = self.scans.entry(way).or_insert(at);
        *first = at.min(*first);
    }

    /// WeCom lists the contact again: if we had marked it as gone, that mark is removed; a status set by an event
    /// stays. `held` is the status in the table, and its time.
    pub fn named_again(&mut self, held: Option<(ContactStatus, DateTime<Utc>)>) {
        if let Some((ContactStatus::Gone, since)) = held {
            self.became(ContactStatus::Contacted, since + MOMENT);
        }
    }

    /// Sets the card as WeCom returned it at `at`.
    pub fn read(&mut self, card: Card, at: DateTime<Utc>) {
        Register::set(&mut self.card, card, at);
    }

    /// Whether these changes may match the contact's customer to one of the business: a `state` that names one, a
    /// contact way of ours, or a card, which holds unionid and phone numbers.
    pub fn may_match(&self) -> bool {
        self.customer_id.is_some() || !self.scans.is_empty() || self.card.is_some()
    }

    /// Folds in another batch's changes to the same contact.
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
