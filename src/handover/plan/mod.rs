//! Who gets what: rules are turned into a successor for each item, or a reason why there is none. Pure.
//!
//! The same items, candidates and rules give the same plan. It refuses to know where they come from, and whether the
//! plan is saved.

mod broken;

use std::collections::{BTreeMap, BTreeSet};

pub use broken::{Broken, Said};

use serde::{Deserialize, Serialize};

use crate::{ids::UserId, states::ItemKind};

#[cfg(test)]
mod tests;

/// An item that somebody shall have.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: ItemKind,
    /// Which one.
    pub subject: String,
    /// Of an order: its customer, as WeCom names them, among the leaver's contacts; there may be several.
    pub customers: Vec<String>,
    /// It was moved twice within 90 days, and WeCom moves nobody a third time.
    pub moved_lately: bool,
}

/// Who hands over.
#[derive(Debug, Clone)]
pub struct Leaver {
    /// The member.
    pub user: UserId,
    /// Their departments.
    pub departments: BTreeSet<String>,
    /// They left more than a year ago.
    pub gone_too_long: bool,
}

/// Somebody who may take over.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The staff member.
    pub staff_id: String,
    /// The member that they are bound to; none if they are not bound.
    pub user: Option<UserId>,
    /// What they are called.
    pub name: Option<String>,
    /// Their departments.
    pub departments: BTreeSet<String>,
    /// They are here and use WeCom, as far as we know.
    pub active: bool,
    /// The app may see them; none if nobody asked.
    pub in_sight: Option<bool>,
    /// They may have customers; none if nobody asked.
    pub serves: Option<bool>,
    /// How many contacts they have.
    pub contacts: i64,
    /// How many orders they have that are not over.
    pub orders: i64,
}

/// Who shall have which items. Empty `kinds` mean all of them.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "PlanRule")]
pub enum Rule {
    /// One for all.
    Successor {
        /// The staff member.
        staff_id: String,
        /// For which items.
        #[serde(default)]
        kinds: Vec<ItemKind>,
    },
    /// A list. It goes before every other rule, wherever it stands: it names single items.
    Assign {
        /// Which item goes to whom.
        items: Vec<Assigned>,
    },
    /// The leaver's colleagues, by least load.
    Department {
        /// For which items.
        #[serde(default)]
        kinds: Vec<ItemKind>,
    },
    /// Whoever has least; of everybody, if nobody is named.
    LeastLoad {
        /// Among whom.
        #[serde(default)]
        staff_ids: Vec<String>,
        /// For which items.
        #[serde(default)]
        kinds: Vec<ItemKind>,
    },
    /// One after the other.
    RoundRobin {
        /// Among whom, in this order.
        staff_ids: Vec<String>,
        /// For which items.
        #[serde(default)]
        kinds: Vec<ItemKind>,
    },
}

/// A line of a list.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assigned {
    /// What the item is.
    pub kind: ItemKind,
    /// Which one.
    pub subject: String,
    /// Who shall have it.
    pub staff_id: String,
}

/// An item and who shall have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The item.
    pub item: i64,
    /// What it is.
    pub kind: ItemKind,
    /// Which one.
    pub subject: String,
    /// The staff member.
    pub staff_id: String,
    /// The member.
    pub user: UserId,
}

/// An item that nobody shall have, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The item.
    pub item: i64,
    /// What it is.
    pub kind: ItemKind,
    /// Which one.
    pub subject: String,
    /// Why.
    pub reason: Broken,
}

/// How many items of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Tally {
    /// Customers.
    pub customers: i64,
    /// Work orders.
    pub orders: i64,
    /// Groups.
    pub groups: i64,
    /// Open sessions of 微信客服.
    pub sessions: i64,
}

/// How many there were, and will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Load {
    /// Now.
    pub before: i64,
    /// Once everything is handed over.
    pub after: i64,
}

/// One successor's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The staff member.
    pub staff_id: String,
    /// The member.
    pub user: Option<UserId>,
    /// What they are called.
    pub name: Option<String>,
    /// What they get.
    pub given: Tally,
    /// Their contacts.
    pub contacts: Load,
    /// Their orders that are not over.
    pub open_orders: Load,
    /// What stands against them.
    pub broken: Vec<Broken>,
}

/// Something that stands against the plan as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// About which staff member.
    pub staff_id: String,
    /// About which item of a list.
    pub subject: Option<String>,
    /// What it is.
    pub broken: Broken,
}

/// Who gets what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What has a successor, in the order in which it was planned.
    pub given: Vec<Given>,
    /// What has none.
    pub left: Vec<Left>,
    /// The successors who are named or get something, by their staff id.
    pub shares: Vec<Share>,
    /// Why it may not be saved; empty if it may.
    pub refusals: Vec<Refusal>,
}

/// Plans these items. `placed` says who has, or will have, customers that are no longer to be planned: orders follow
/// them, too.
pub fn plan(
    leaver: &Leaver,
    items: &[Item],
    candidates: &[Candidate],
    placed: &BTreeMap<String, String>,
    rules: &[Rule],
) -> Plan {
    let mut planner = Planner::new(leaver, candidates, rules);
    planner.placed.clone_from(placed);
    let mut items = Vec::from_iter(items);
    items.sort_by_key(|it| (it.kind, it.id));
    for item in &items {
        planner.place(item);
    }
    planner.finish(&items)
}

/// The staff members whom rules name.
pub fn named(rules: &[Rule]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rule in rules {
        match rule {
            Rule::Successor { staff_id, .. } => drop(names.insert(staff_id.clone())),
            Rule::Assign { items } => names.extend(items.iter().map(|it| it.staff_id.clone())),
            Rule::LeastLoad { staff_ids, .. } | Rule::RoundRobin { staff_ids, .. } => {
                names.extend(staff_ids.iter().cloned());
            }
            Rule::Department { .. } => {}
        }
    }
    names
}

/// Whether a rule searches for successors among the leaver's colleagues, and whether one does among everybody.
pub fn searches(rules: &[Rule]) -> (bool, bool) {
    let department = rules.iter().any(|it| matches!(it, Rule::Department { .. }));
    let everybody = rules.iter().any(|it| matches!(it, Rule::LeastLoad { staff_ids, .. } if staff_ids.is_empty()));
    (department, everybody)
}

impl Candidate {
    /// What stands against this successor.
    pub fn broken(&self, leaver: &Leaver) -> Vec<Broken> {
        let Some(user) = &self.user else { return vec![Broken::NotBound] };
        let checks = [
            (*user == leaver.user, Broken::IsLeaver),
            (!self.active, Broken::NotActive),
            (self.in_sight == Some(false), Broken::OutOfSight),
            (self.serves == Some(false), Broken::NotServing),
        ];
        checks.into_iter().filter_map(|(is, broken)| is.then_some(broken)).collect()
    }
}

impl Tally {
    /// Counts an item.
    pub fn count(&mut self, kind: ItemKind, items: i64) {
        match kind {
            ItemKind::Customer => self.customers += items,
            ItemKind::Order => self.orders += items,
            ItemKind::Group => self.groups += items,
            ItemKind::Session => self.sessions += items,
        }
    }
}

/// A plan in the making.
struct Planner<'a> {
    leaver: &'a Leaver,
    candidates: BTreeMap<&'a str, &'a Candidate>,
    rules: &'a [Rule],
    lists: BTreeMap<(ItemKind, &'a str), &'a str>,
    fit: BTreeSet<&'a str>,
    tallies: BTreeMap<&'a str, Tally>,
    turns: Vec<usize>,
    placed: BTreeMap<String, String>,
    given: Vec<Given>,
    left: Vec<Left>,
}

impl<'a> Planner<'a> {
    fn new(leaver: &'a Leaver, candidates: &'a [Candidate], rules: &'a [Rule]) -> Self {
        let fit = candidates.iter().filter(|it| it.broken(leaver).is_empty()).map(|it| it.staff_id.as_str());
        let lists = rules.iter().flat_map(|rule| match rule {
            Rule::Assign { items } => items.as_slice(),
            _ => &[],
        });
        Self {
            leaver,
            candidates: candidates.iter().map(|it| (it.staff_id.as_str(), it)).collect(),
            rules,
            // Of two lines about one item, the first counts.
            lists: lists.rev().map(|it| ((it.kind, it.subject.as_str()), it.staff_id.as_str())).collect(),
            fit: fit.collect(),
            tallies: BTreeMap::new(),
            turns: vec![0; rules.len()],
            placed: BTreeMap::new(),
            given: Vec::new(),
            left: Vec::new(),
        }
    }

    fn place(&mut self, item: &Item) {
        let (id, kind, subject) = (item.id, item.kind, item.subject.clone());
        match self.choose(item) {
            Ok((candidate, user)) => {
                self.tallies.entry(&candidate.staff_id).or_default().count(kind, 1);
                if kind == ItemKind::Customer {
                    self.placed.insert(subject.clone(), candidate.staff_id.clone());
                }
                let staff_id = candidate.staff_id.clone();
                self.given.push(Given { item: id, kind, subject, staff_id, user: user.clone() });
            }
            Err(reason) => self.left.push(Left { item: id, kind, subject, reason }),
        }
    }

    fn choose(&mut self, item: &Item) -> Result<(&'a Candidate, &'a UserId), Broken> {
        if item.kind == ItemKind::Customer && self.leaver.gone_too_long {
            return Err(Broken::LeftTooLong);
        }
        if item.moved_lately {
            return Err(Broken::MovedTwice);
        }
        let listed = self.lists.get(&(item.kind, item.subject.as_str())).copied();
        let staff = listed.or_else(|| self.follow(item)).or_else(|| self.by_rules(item)).ok_or(Broken::NobodyFits)?;
        let candidate = self.candidates.get(staff).copied().ok_or(Broken::NotBound)?;
        Ok((candidate, candidate.user.as_ref().ok_or(Broken::NotBound)?))
    }

    /// An order goes where its customer goes.
    fn follow(&self, item: &Item) -> Option<&'a str> {
        let staff = item.customers.iter().find_map(|it| self.placed.get(it))?;
        self.fit.get(staff.as_str()).copied()
    }

    fn by_rules(&mut self, item: &Item) -> Option<&'a str> {
        let rules = self.rules;
        rules.iter().zip(0..).find_map(|(rule, number)| self.by_rule(rule, number, item.kind))
    }

    fn by_rule(&mut self, rule: &'a Rule, number: usize, kind: ItemKind) -> Option<&'a str> {
        let about = |kinds: &[ItemKind]| kinds.is_empty() || kinds.contains(&kind);
        match rule {
            Rule::Successor { staff_id, kinds } if about(kinds) => Some(staff_id),
            Rule::Department { kinds } if about(kinds) => {
                let colleague = |it: &&Candidate| !it.departments.is_disjoint(&self.leaver.departments);
                let among = self.fit.iter().filter(|it| self.candidates.get(*it).is_some_and(colleague)).copied();
                self.freest(among, kind)
            }
            Rule::LeastLoad { staff_ids, kinds } if about(kinds) => {
                let wanted = |it: &&str| staff_ids.is_empty() || staff_ids.iter().any(|id| id == it);
                self.freest(self.fit.iter().copied().filter(wanted), kind)
            }
            Rule::RoundRobin { staff_ids, kinds } if about(kinds) => {
                let fit: Vec<_> = staff_ids.iter().filter_map(|it| self.fit.get(it.as_str()).copied()).collect();
                let turn = self.turns.get_mut(number)?;
                let next = fit.get(turn.checked_rem(fit.len())?).copied();
                *turn += 1;
                next
            }
            _ => None,
        }
    }

    /// Whoever will have the fewest items of that kind; among equals, the fewest of all kinds; then the first by staff id.
    fn freest(&self, among: impl Iterator<Item = &'a str>, kind: ItemKind) -> Option<&'a str> {
        among.min_by_key(|staff| {
            let candidate = self.candidates.get(staff);
            let (contacts, orders) = candidate.map_or((0, 0), |it| (it.contacts, it.orders));
            let given = self.tallies.get(staff).copied().unwrap_or_default();
            let (contacts, orders) = (contacts + given.customers, orders + given.orders);
            let own = match kind {
                ItemKind::Customer => contacts,
                ItemKind::Order => orders,
                ItemKind::Group => given.groups,
                ItemKind::Session => given.sessions,
            };
            (own, contacts + orders + given.groups + given.sessions, *staff)
        })
    }

    fn finish(self, items: &[&Item]) -> Plan {
        let known: BTreeSet<_> = items.iter().map(|it| (it.kind, it.subject.as_str())).collect();
        let names = named(self.rules);
        let mut refusals = BTreeSet::new();
        for (key, staff) in &self.lists {
            if !known.contains(key) {
                let (staff_id, subject) = ((*staff).to_owned(), Some(key.1.to_owned()));
                refusals.insert(Refusal { staff_id, subject, broken: Broken::NotInHandover });
            }
        }
        let mut shares = Vec::new();
        for staff in names.iter().map(String::as_str).chain(self.tallies.keys().copied()).collect::<BTreeSet<_>>() {
            let candidate = self.candidates.get(staff);
            let broken = candidate.map_or_else(|| vec![Broken::NotBound], |it| it.broken(self.leaver));
            let refused = |&broken: &Broken| Refusal { staff_id: staff.to_owned(), subject: None, broken };
            refusals.extend(broken.iter().map(refused));
            let given = self.tallies.get(staff).copied().unwrap_or_default();
            let (contacts, orders) = candidate.map_or((0, 0), |it| (it.contacts, it.orders));
            shares.push(Share {
                staff_id: staff.to_owned(),
                user: candidate.and_then(|it| it.user.clone()),
                name: candidate.and_then(|it| it.name.clone()),
                given,
                contacts: Load { before: contacts, after: contacts + given.customers },
                open_orders: Load { before: orders, after: orders + given.orders },
                broken,
            });
        }
        Plan { given: self.given, left: self.left, shares, refusals: Vec::from_iter(refusals) }
    }
}
