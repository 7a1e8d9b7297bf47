//! The message archive (会话内容存档) as far as HTTP serves it: seats and consents. The messages themselves come by the
//! library, see `sandbox/archive/`.

use std::collections::BTreeMap;

use super::World;
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::day::wire::event;
use crate::sandbox::push::{AppKind, Push};

/// The archive's number, the same in every company.
const AGENTID: i64 = 2_000_004;

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

    /// The callback that tells that there is something to pull.
    pub fn archive_notice(&self) -> Push {
        let document = event(&self.corpid, self.now(), "msgaudit_notify").plain("AgentID", AGENTID);
        Push::genuine(AppKind::Archive, document.document())
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
