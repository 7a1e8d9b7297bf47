//! Contact ways (联系我): the data behind a QR code.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::ids::UserId;

/// A QR code or button, and the members it leads to.
#[derive(Debug, Clone)]
pub struct ContactWay {
    /// Its id in later calls.
    pub config_id: String,
    /// Leads to exactly one member (type 1) rather than to one of several (type 2).
    pub single: bool,
    /// Is a button in a mini-program (scene 1) rather than a QR code (scene 2).
    pub button: bool,
    /// A button's look.
    pub style: i64,
    /// The company's own memo.
    pub remark: String,
    /// The customer is added without the member's approval.
    pub skip_verify: bool,
    /// The `state` in the events of its scans.
    pub state: String,
    /// The members it leads to.
    pub user: Vec<UserId>,
    /// The departments whose members it leads to.
    pub party: Vec<u32>,
    /// A customer of another company stays with one member.
    pub is_exclusive: bool,
    /// Whether it ends by itself, and how.
    pub temporary: Option<Temporary>,
    /// When it was made, in seconds since 1970.
    pub created_at: i64,
}

/// A temporary chat's code.
#[derive(Debug, Clone)]
pub struct Temporary {
    /// How long it can be scanned, in seconds.
    pub expires_in: i64,
    /// How long the chat lasts, in seconds.
    pub chat_expires_in: i64,
    /// The unionid of the person it is for; empty for anybody.
    pub unionid: String,
    /// The closing message.
    pub conclusions: Value,
}

/// All contact ways, in the order in which they were made.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct ContactWays {
    ways: BTreeMap<u32, ContactWay>,
    by_id: HashMap<String, u32>,
    next: u32,
}

impl ContactWays {
    pub(in crate::sandbox) fn add(&mut self, way: ContactWay) {
        self.by_id.insert(way.config_id.clone(), self.next);
        self.ways.insert(self.next, way);
        self.next += 1;
    }

    pub(in crate::sandbox) fn get(&self, config_id: &str) -> Option<&ContactWay> {
        self.ways.get(self.by_id.get(config_id)?)
    }

    pub(in crate::sandbox) fn get_mut(&mut self, config_id: &str) -> Option<&mut ContactWay> {
        self.ways.get_mut(self.by_id.get(config_id)?)
    }

    pub(in crate::sandbox) fn remove(&mut self, config_id: &str) -> Option<ContactWay> {
        self.ways.remove(&self.by_id.remove(config_id)?)
    }

    /// Those from place `first` on, each with its place.
    pub(in crate::sandbox) fn from(&self, first: u32) -> impl Iterator<Item = (u32, &ContactWay)> {
        self.ways.range(first..).map(|(&place, way)| (place, way))
    }

    pub(in crate::sandbox) fn len(&self) -> usize {
        self.ways.len()
    }
}

impl ContactWay {
    /// Whether it can still be scanned.
    pub(in crate::sandbox) fn is_live(&self, now: i64) -> bool {
        self.temporary.as_ref().is_none_or(|temporary| self.created_at + temporary.expires_in > now)
    }
}
