//! The state of things at one moment of the day, and what is due later. It refuses to know what anybody does.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::cast::{Customer, Staff};
use super::{Contact, Ended};
use crate::ids::{CorpId, UserId};
use crate::sandbox::chance::Chance;
use crate::sandbox::corp::Corp;
use crate::sandbox::push::{AppKind, Push};

/// The agent number in messages when the company has no app that could tell it.
const DEFAULT_AGENTID: &str = "1000002";

/// Makes a push from the state of things, or nothing if there is nobody to do it.
pub(super) type Act = fn(&mut Story, i64) -> Option<Push>;

/// The state of things at one moment of the day.
pub(super) struct Story {
    pub(super) chance: Chance,
    pub(super) corpid: CorpId,
    pub(super) agentid: String,
    pub(super) staff: Vec<Present>,
    pub(super) customers: Vec<Customer>,
    pub(super) ties: Vec<Tie>,
    pub(super) groups: Vec<Group>,
    pub(super) tags: Vec<String>,
    /// The last message's number; each has a larger one.
    pub(super) message_number: u64,
    pub(super) due: BinaryHeap<Reverse<(i64, usize, FollowUp)>>,
    pub(super) said: HashSet<u64>,
}

/// A member as of now.
pub(super) struct Present {
    pub(super) id: UserId,
    pub(super) working: bool,
}

/// A member and a customer who met.
pub(super) struct Tie {
    pub(super) staff: usize,
    pub(super) customer: usize,
    pub(super) since: i64,
    pub(super) status: TieStatus,
}

/// How a tie stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TieStatus {
    Contact,
    /// One of them deleted the other.
    Ended(Ended),
}

/// Something that happens a while after something else. The number is a tie's or a member's place in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FollowUp {
    /// The member confirms a customer who was added without confirmation.
    Confirm(usize),
    /// The member writes a remark about a new customer.
    Remark(usize),
    /// The apps lose sight of a member who left.
    Vanish(usize),
}

/// A group chat with customers.
pub(super) struct Group {
    pub(super) id: String,
    pub(super) version: String,
}

impl Story {
    pub(super) fn begin(corp: &Corp, chance: Chance, staff: &[Staff]) -> Self {
        let agentid = corp.app(AppKind::App).map(|app| app.agentid.clone()).filter(|agentid| !agentid.is_empty());
        Self {
            chance,
            corpid: corp.corpid.clone(),
            agentid: agentid.unwrap_or_else(|| DEFAULT_AGENTID.to_owned()),
            staff: staff.iter().map(|it| Present { id: it.id.clone(), working: true }).collect(),
            customers: Vec::new(),
            ties: Vec::new(),
            groups: Vec::new(),
            tags: Vec::new(),
            message_number: 7_290_000_000_000_000_000,
            due: BinaryHeap::new(),
            said: HashSet::new(),
        }
    }

    /// Arranges for something to happen between `first` and `last` seconds from now.
    pub(super) fn later(&mut self, at: i64, (first, last): (u32, u32), follow_up: FollowUp) {
        let due = at + i64::from(self.chance.between(first, last));
        self.due.push(Reverse((due, self.due.len(), follow_up)));
    }

    /// Arranges for something to happen at the next moment.
    pub(super) fn next_of_all(&mut self, follow_up: FollowUp) {
        self.due.push(Reverse((i64::MIN, 0, follow_up)));
    }

    /// A member who works now.
    pub(super) fn somebody(&mut self) -> Option<usize> {
        let working: Vec<usize> = (0..self.staff.len()).filter(|&staff| self.works(staff)).collect();
        working.get(self.chance.below(working.len())).copied()
    }

    /// A contact, or one that ended, whose member works now, if a few draws find one.
    pub(super) fn some_tie(&mut self, contact: bool) -> Option<usize> {
        const DRAWS: usize = 16;
        (0..DRAWS).find_map(|_| {
            let drawn = self.chance.below(self.ties.len());
            let tie = self.ties.get(drawn)?;
            ((tie.status == TieStatus::Contact) == contact && self.works(tie.staff)).then_some(drawn)
        })
    }

    /// Whether a member still works here.
    pub(super) fn works(&self, staff: usize) -> bool {
        self.staff.get(staff).is_some_and(|present| present.working)
    }

    /// Who met whom so far.
    pub(super) fn contacts(&self, staff: &[Staff]) -> Vec<Contact> {
        let contact = |tie: &Tie| {
            let ended = match tie.status {
                TieStatus::Contact => None,
                TieStatus::Ended(by) => Some(by),
            };
            Some(Contact {
                userid: staff.get(tie.staff)?.id.clone(),
                external_userid: self.customers.get(tie.customer)?.id.clone(),
                since: tie.since,
                ended,
            })
        };
        self.ties.iter().filter_map(contact).collect()
    }

    /// The member with the most customers: whose departure hurts.
    pub(super) fn busiest(&self) -> Option<usize> {
        let contacts = |staff: usize| self.ties.iter().filter(|tie| tie.staff == staff).count();
        (0..self.staff.len()).filter(|&staff| self.works(staff)).max_by_key(|&staff| contacts(staff))
    }
}
