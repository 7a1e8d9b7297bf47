//! Tells a day: who is there, who knows whom, and what happens next.
//!
//! Each moment of the day has exactly one callback. A few are fixed (the staff arrives, one is renamed, one leaves),
//! some follow from earlier ones (a confirmed contact, a remark), and the rest is random. Events are made from the
//! state kept here, so nobody is edited before they were added or works after they left.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::NaiveDate;

use super::cast::{self, Customer, Staff};
use super::{Contact, Day, Ended, clock, company, customers, messages, routine};
use crate::ids::{CorpId, UserId};
use crate::sandbox::chance::Chance;
use crate::sandbox::corp::Corp;
use crate::sandbox::push::{AppKind, Push};

/// The renaming happens when this many of a thousand callbacks are over, and the departure at the second number.
const RENAMED_AT_PERMILLE: usize = 450;
const LEFT_AT_PERMILLE: usize = 930;

/// The agent number in messages when the company has no app that could tell it.
const DEFAULT_AGENTID: &str = "1000002";

/// Something that chance may choose, with its weight.
const ACTS: [(Act, usize); 8] = [
    (messages::say, 38),
    (customers::add, 17),
    (customers::edit, 9),
    (customers::remove, 5),
    (customers::return_to, 4),
    (customers::consent, 2),
    (company::routine, 3),
    (routine::any, 22),
];

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
    pub(super) groups: Vec<routine::Group>,
    pub(super) tags: Vec<String>,
    /// The last message's number; each has a larger one.
    pub(super) message_number: u64,
    due: BinaryHeap<Reverse<(i64, usize, FollowUp)>>,
    said: HashSet<u64>,
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

/// Tells the whole day.
pub(super) fn tell(corp: &Corp, seed: u64, date: NaiveDate, callbacks: usize) -> Day {
    let mut chance = Chance::new(seed, "day");
    let moments = clock::moments(&mut chance, date, callbacks);
    let staff = cast::staff(&mut chance, callbacks);
    let mut story = Story::begin(corp, chance, &staff);
    let mut script = Script::new(&staff, callbacks);
    let mut pushes: Vec<Push> = Vec::with_capacity(callbacks);
    while let Some(&at) = moments.get(pushes.len()) {
        let push = script.next(&mut story, pushes.len(), at).or_else(|| story.next(at));
        // Whatever was said before, word for word, is not said again; chance then chooses something else.
        pushes.extend(push.filter(|push| story.said.insert(fingerprint(push))));
    }
    let contacts = story.contacts(&staff);
    Day { pushes, staff, customers: story.customers, contacts, leaver: script.leaver, renamed: script.renamed }
}

/// The part of the day that is fixed in advance.
struct Script {
    rename_at: usize,
    leave_at: usize,
    renamed: (UserId, UserId),
    leaver: UserId,
    staff: Vec<Staff>,
}

impl Script {
    fn new(staff: &[Staff], callbacks: usize) -> Self {
        let renamed = staff.last().map(|last| last.id.clone()).unwrap_or_else(|| UserId::from(""));
        let new_id = UserId(format!("{renamed}.sz"));
        Self {
            rename_at: callbacks * RENAMED_AT_PERMILLE / 1000,
            leave_at: callbacks * LEFT_AT_PERMILLE / 1000,
            renamed: (renamed, new_id),
            leaver: UserId::from(""),
            staff: staff.to_vec(),
        }
    }

    /// The callback that must come at this place, if one must.
    fn next(&mut self, story: &mut Story, place: usize, at: i64) -> Option<Push> {
        // Everybody arrives first: a creation in the directory, then the app comes into view.
        if let Some(member) = self.staff.get(place / 2) {
            let arrival = [company::created, company::subscribed].get(place % 2)?;
            return Some(arrival(story, member, at));
        }
        if place == self.rename_at && story.staff.iter().any(|present| present.id == self.renamed.0) {
            return company::renamed(story, &self.renamed, at);
        }
        if place == self.leave_at && self.leaver.as_str().is_empty() {
            let leaving = story.busiest()?;
            self.leaver = story.staff.get(leaving)?.id.clone();
            return company::left(story, leaving, at);
        }
        None
    }
}

impl Story {
    fn begin(corp: &Corp, chance: Chance, staff: &[Staff]) -> Self {
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

    /// What is due, or else what chance chooses.
    fn next(&mut self, at: i64) -> Option<Push> {
        if self.due.peek().is_some_and(|Reverse((due, ..))| *due <= at) {
            let Reverse((_, _, follow_up)) = self.due.pop()?;
            return match follow_up {
                FollowUp::Confirm(tie) => customers::confirm(self, tie, at),
                FollowUp::Remark(tie) => customers::remark(self, tie, at),
                FollowUp::Vanish(staff) => company::unsubscribed(self, staff, at),
            };
        }
        let mut drawn = self.chance.below(ACTS.iter().map(|(_, weight)| weight).sum());
        let (act, _) = ACTS.iter().find(|(_, weight)| {
            let chosen = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            chosen
        })?;
        act(self, at)
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
    fn contacts(&self, staff: &[Staff]) -> Vec<Contact> {
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
    fn busiest(&self) -> Option<usize> {
        let contacts = |staff: usize| self.ties.iter().filter(|tie| tie.staff == staff).count();
        (0..self.staff.len()).filter(|&staff| self.works(staff)).max_by_key(|&staff| contacts(staff))
    }
}

fn fingerprint(push: &Push) -> u64 {
    let mut hasher = DefaultHasher::new();
    push.plaintext.hash(&mut hasher);
    hasher.finish()
}
