//! Tells a day: who is there, who knows whom, and what happens next.
//!
//! Each moment of the day has exactly one callback. A few are fixed (the staff arrives, one is renamed, one leaves),
//! some follow from earlier ones (a confirmed contact, a remark), and the rest is random. Events are made from the
//! state kept here, so nobody is edited before they were added or works after they left.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::NaiveDate;

use super::cast::{self, Staff};
use super::scene::{Act, FollowUp, Story};
use super::{Day, clock, company, customers, messages, routine};
use crate::ids::UserId;
use crate::sandbox::chance::Chance;
use crate::sandbox::corp::Corp;
use crate::sandbox::push::Push;

/// The renaming happens when this many of a thousand callbacks are over, and the departure at the second number.
const RENAMED_AT_PERMILLE: usize = 450;
const LEFT_AT_PERMILLE: usize = 930;

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

/// Tells the whole day.
pub(super) fn tell(corp: &Corp, seed: u64, date: NaiveDate, callbacks: usize) -> Day {
    let mut chance = Chance::new(seed, "day");
    let moments = clock::moments(&mut chance, date, callbacks);
    let staff = cast::staff(&mut chance, callbacks);
    let mut story = Story::begin(corp, chance, &staff);
    let mut script = Script::new(&staff, callbacks);
    let mut pushes: Vec<Push> = Vec::with_capacity(callbacks);
    while let Some(&at) = moments.get(pushes.len()) {
        let push = script.next(&mut story, pushes.len(), at).or_else(|| next(&mut story, at));
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

/// What is due, or else what chance chooses.
fn next(story: &mut Story, at: i64) -> Option<Push> {
    if story.due.peek().is_some_and(|Reverse((due, ..))| *due <= at) {
        let Reverse((_, _, follow_up)) = story.due.pop()?;
        return match follow_up {
            FollowUp::Confirm(tie) => customers::confirm(story, tie, at),
            FollowUp::Remark(tie) => customers::remark(story, tie, at),
            FollowUp::Vanish(staff) => company::unsubscribed(story, staff, at),
        };
    }
    let mut drawn = story.chance.below(ACTS.iter().map(|(_, weight)| weight).sum());
    let (act, _) = ACTS.iter().find(|(_, weight)| {
        let chosen = drawn < *weight;
        drawn = drawn.saturating_sub(*weight);
        chosen
    })?;
    act(story, at)
}

fn fingerprint(push: &Push) -> u64 {
    let mut hasher = DefaultHasher::new();
    push.plaintext.hash(&mut hasher);
    hasher.finish()
}
