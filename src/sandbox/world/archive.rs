//! The message archive (会话内容存档) as far as HTTP serves it: seats and consents. The messages themselves come by WeCom's
//! library, which nobody pretends here.

use std::collections::BTreeMap;

use super::World;
use crate::ids::{ExternalUserId, UserId};

/// Seats and consents.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    /// The members with a seat, by edition: 1 office, 2 service, 3 enterprise.
    pub seats: BTreeMap<i64, Vec<UserId>>,
    /// What a customer said about talks with a member: WeCom's word, and when.
    pub pairs: BTreeMap<(UserId, ExternalUserId), (String, i64)>,
    /// What customers said about a group.
    pub rooms: BTreeMap<String, Vec<(ExternalUserId, String, i64)>>,
}

impl World {
    /// A member gets a seat of an edition.
    pub fn give_seat(&mut self, edition: i64, userid: &UserId) {
        self.archive.seats.entry(edition).or_default().push(userid.clone());
    }

    /// A customer agrees, or does not, that talks with a member are archived.
    pub fn say_consent(&mut self, userid: &UserId, customer: &ExternalUserId, word: &str) {
        let now = self.now();
        self.archive.pairs.insert((userid.clone(), customer.clone()), (word.to_owned(), now));
    }

    /// The same for a group.
    pub fn say_room_consent(&mut self, room: &str, customer: &ExternalUserId, word: &str) {
        let now = self.now();
        self.archive.rooms.entry(room.to_owned()).or_default().push((customer.clone(), word.to_owned(), now));
    }
}
