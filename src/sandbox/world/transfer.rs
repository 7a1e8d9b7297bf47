//! Customers on their way from one member to another.
//!
//! A request is accepted at once. Then the customer may refuse, and after a day the rest goes over to the successor,
//! as far as there is room. Time passes only when somebody looks: [`World::settle_transfers`] makes whatever was due
//! by then happen, at the time at which it was due, and returns the callbacks that say so.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::contacts::{AddWay, Follow};
use super::{Member, MemberStatus, World};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::chance::Chance;
use crate::sandbox::day::wire::{Xml, contact_event};
use crate::sandbox::push::{AppKind, Push};

/// A transfer completes so long after it was asked for, in seconds.
const COMPLETES_AFTER_S: i64 = 24 * 3600;

/// Who refuses does so this long after it was asked for, in seconds.
const REFUSES_AFTER_S: i64 = 3600;

/// In service, a customer is moved so often within so many seconds.
const MOVES_MAX: usize = 2;
const MOVES_WITHIN_S: i64 = 90 * 24 * 3600;

/// Whether who hands over is still here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferFlow {
    /// They are.
    InService,
    /// They have left.
    Resigned,
}

/// What customers and the platform make of transfers. What is set here counts for requests from then on.
#[derive(Debug, Clone)]
pub struct TransferRules {
    /// These customers refuse.
    pub refusers: HashSet<ExternalUserId>,
    /// Of the others this share refuses, 0 to 1. The seed says who.
    pub refuse_share: f64,
    /// How long after the request they refuse, in seconds.
    pub refuse_after_s: i64,
    /// How long after the request the others go over, in seconds.
    pub complete_after_s: i64,
    /// What a request answers about these customers, whatever would be right.
    pub errcodes: HashMap<ExternalUserId, i64>,
    /// What results say of these customers' transfers, whatever would be right; none says nothing of them.
    pub results: HashMap<ExternalUserId, Option<i64>>,
    /// What a request answers about groups, by chat_id.
    pub group_errcodes: HashMap<String, i64>,
    /// How long a leaver's group takes to go over to its new owner, in seconds; 0 is at once.
    pub inherit_after_s: i64,
}

impl Default for TransferRules {
    fn default() -> Self {
        Self {
            refusers: HashSet::new(),
            refuse_share: 0.0,
            refuse_after_s: REFUSES_AFTER_S,
            complete_after_s: COMPLETES_AFTER_S,
            errcodes: HashMap::new(),
            results: HashMap::new(),
            group_errcodes: HashMap::new(),
            inherit_after_s: 0,
        }
    }
}

/// A request to transfer customers that was not refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferCall {
    /// Which of the two endpoints was called.
    pub flow: TransferFlow,
    /// Who hands over.
    pub handover: UserId,
    /// Who takes over.
    pub takeover: UserId,
    /// The customers, and what was answered about each: 0 means accepted.
    pub customers: Vec<(ExternalUserId, i64)>,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// Why a customer is not transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum NotTaken {
    /// There is no such customer.
    Unknown,
    /// Nobody has the customer any more.
    Nobodys,
    /// The customer is somebody else's.
    NotTheirs,
    /// The customer is on the way already.
    UnderWay,
    /// The customer was moved too often of late.
    MovedTooOften,
    /// The successor has as many customers as they may.
    Full,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Outcome {
    /// Until then.
    Waiting(i64),
    /// Since then.
    Done(i64),
    Refused,
    Full,
}

/// From whom to whom, and by which endpoint.
pub(in crate::sandbox) type Pair = (TransferFlow, u32, u32);

/// A customer's transfer.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Transfer {
    pub(in crate::sandbox) pair: Pair,
    pub(in crate::sandbox) customer: u32,
    pub(in crate::sandbox) outcome: Outcome,
    asked_at: i64,
    /// The customer will refuse.
    refuses: bool,
}

/// Every transfer that was accepted, in order.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Transfers {
    all: Vec<Transfer>,
    /// Of each customer of a pair the latest one only.
    by_pair: HashMap<Pair, Vec<u32>>,
    by_customer: HashMap<u32, Vec<u32>>,
    /// When something happens to which.
    due: BTreeSet<(i64, u32)>,
}

impl Transfers {
    /// The transfers of a pair from place `first` on, each with its place.
    pub(in crate::sandbox) fn of_pair(&self, pair: Pair, first: u32) -> impl Iterator<Item = (u32, &Transfer)> {
        let places = self.by_pair.get(&pair).map(Vec::as_slice).unwrap_or_default();
        let from = places.partition_point(|&place| place < first);
        places.iter().skip(from).filter_map(|&place| Some((place, self.all.get(place as usize)?)))
    }

    fn of_customer(&self, customer: u32) -> impl Iterator<Item = &Transfer> {
        let places = self.by_customer.get(&customer).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|&place| self.all.get(place as usize))
    }

    fn add(&mut self, transfer: Transfer, due_at: i64) {
        let place = self.all.len() as u32;
        let repeats = self.of_customer(transfer.customer).any(|it| it.pair == transfer.pair);
        let places = self.by_pair.entry(transfer.pair).or_default();
        if repeats {
            let earlier = |place: u32| self.all.get(place as usize).is_some_and(|it| it.customer == transfer.customer);
            places.retain(|&place| !earlier(place));
        }
        places.push(place);
        self.by_customer.entry(transfer.customer).or_default().push(place);
        self.due.insert((due_at, place));
        self.all.push(transfer);
    }

    /// The next transfer to which something happens by then, and when.
    fn next_due(&mut self, now: i64) -> Option<(i64, u32)> {
        let next = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&next);
        Some(next)
    }
}

impl World {
    /// How often the transfer of a customer was accepted, through both endpoints and between whomever.
    pub fn transfers_accepted(&self, customer: &ExternalUserId) -> usize {
        let place = self.contacts.find(customer);
        place.map_or(0, |place| self.transfers.of_customer(place).count())
    }

    /// Everybody who has a customer among their contacts, here or gone, the oldest contact first.
    pub fn followers_of(&self, customer: &ExternalUserId) -> Vec<UserId> {
        let known = self.contacts.find(customer).and_then(|place| self.contacts.customer(place));
        let follows = known.map(|it| it.follows.as_slice()).unwrap_or_default();
        let member = |&place: &u32| self.directory.get(self.contacts.follow(place)?.member);
        follows.iter().filter_map(member).map(|member| member.userid.clone()).collect()
    }

    /// Whether somebody has as many customers as they may, and this one is not among them.
    fn has_no_room(&self, member: u32, customer: u32) -> bool {
        let is_full = |it: &Member| it.customers_max.is_some_and(|max| it.follows.len() >= max);
        self.directory.get(member).is_some_and(is_full) && self.contacts.between(member, customer).is_none()
    }

    /// Begins a customer's transfer. Who of the two members may take part was looked at before.
    pub(in crate::sandbox) fn transfer(&mut self, pair: Pair, customer: &ExternalUserId) -> Result<(), NotTaken> {
        let (flow, handover, takeover) = pair;
        let now = self.now();
        let place = self.contacts.find(customer).ok_or(NotTaken::Unknown)?;
        if self.contacts.between(handover, place).is_none() {
            let anybody = self.contacts.customer(place).is_some_and(|it| !it.follows.is_empty());
            return Err(if anybody { NotTaken::NotTheirs } else { NotTaken::Nobodys });
        }
        let waits = |it: &Transfer| matches!(it.outcome, Outcome::Waiting(_)) && it.pair.1 == handover;
        if self.transfers.of_customer(place).any(waits) {
            return Err(NotTaken::UnderWay);
        }
        if flow == TransferFlow::InService && self.moves_of_late(place, now) >= MOVES_MAX {
            return Err(NotTaken::MovedTooOften);
        }
        if self.has_no_room(takeover, place) {
            return Err(NotTaken::Full);
        }
        let refuses = self.refuses(customer);
        let rules = &self.transfer_rules;
        let completes_at = now + rules.complete_after_s;
        let due_at = if refuses { completes_at.min(now + rules.refuse_after_s) } else { completes_at };
        let outcome = Outcome::Waiting(completes_at);
        self.transfers.add(Transfer { pair, customer: place, outcome, asked_at: now, refuses }, due_at);
        Ok(())
    }

    /// Makes happen whatever was due by now, and returns the callbacks that say so.
    pub(in crate::sandbox) fn settle_transfers(&mut self) -> Vec<Push> {
        let now = self.now();
        self.groups.settle(now);
        let mut pushes = Vec::new();
        while let Some((at, place)) = self.transfers.next_due(now) {
            let Some(transfer) = self.transfers.all.get(place as usize).copied() else { continue };
            let (_, _, takeover) = transfer.pair;
            let outcome = if transfer.refuses {
                pushes.extend(self.failed(&transfer, "customer_refused", at));
                Outcome::Refused
            } else if self.has_no_room(takeover, transfer.customer) {
                pushes.extend(self.failed(&transfer, "customer_limit_exceed", at));
                Outcome::Full
            } else {
                self.hand_over(&transfer, at, &mut pushes);
                Outcome::Done(at)
            };
            if let Some(transfer) = self.transfers.all.get_mut(place as usize) {
                transfer.outcome = outcome;
            }
        }
        pushes
    }

    /// In service, and not in vain: nobody knows whether the platform counts refused ones as well.
    fn moves_of_late(&self, customer: u32, now: i64) -> usize {
        let counts = |it: &&Transfer| {
            let in_service = it.pair.0 == TransferFlow::InService;
            let of_late = it.asked_at > now - MOVES_WITHIN_S;
            in_service && of_late && matches!(it.outcome, Outcome::Waiting(_) | Outcome::Done(_))
        };
        self.transfers.of_customer(customer).filter(counts).count()
    }

    fn refuses(&self, customer: &ExternalUserId) -> bool {
        let rules = &self.transfer_rules;
        // Drawn for each by itself, so that it does not depend on the order in which they are asked for.
        let drawn = || Chance::new(self.seed, &format!("refuses {customer}")).happens(rules.refuse_share);
        rules.refusers.contains(customer) || drawn()
    }

    /// The successor gets the customer, and who hands over loses them.
    fn hand_over(&mut self, transfer: &Transfer, at: i64, pushes: &mut Vec<Push>) {
        let Transfer { pair: (flow, handover, takeover), customer, .. } = *transfer;
        if let Some(place) = self.contacts.between(handover, customer) {
            self.contacts.part(&mut self.directory, place);
            if flow == TransferFlow::InService {
                let event = self.transfer_event("del_external_contact", handover, customer, at);
                pushes.extend(event.map(|it| said(it.cdata("Source", "DELETE_BY_TRANSFER"))));
            }
        }
        let known = self.contacts.between(takeover, customer).is_some();
        // Nothing is said either of a customer whom the successor once handed over and now gets back.
        let gave_away = |it: &Transfer| it.pair.1 == takeover && matches!(it.outcome, Outcome::Done(_));
        let comes_back = self.transfers.of_customer(customer).any(gave_away);
        let follow = Follow {
            member: takeover,
            customer,
            since: at,
            add_way: AddWay::Assigned,
            by_member: true,
            one_sided: false,
            state: None,
            notes: None,
        };
        self.contacts.meet(&mut self.directory, follow);
        if !known && !comes_back {
            pushes.extend(self.transfer_event("add_external_contact", takeover, customer, at).map(said));
        }
    }

    fn failed(&self, transfer: &Transfer, reason: &str, at: i64) -> Option<Push> {
        let (_, _, takeover) = transfer.pair;
        let event = self.transfer_event("transfer_fail", takeover, transfer.customer, at)?;
        Some(said(event.cdata("FailReason", reason)))
    }

    /// The beginning of a callback about a member and a customer; none if the member has left, for whom nobody listens.
    fn transfer_event(&self, change: &str, member: u32, customer: u32, at: i64) -> Option<Xml> {
        let member = self.directory.get(member).filter(|it| it.status != MemberStatus::Left)?;
        let customer = self.contacts.customer(customer)?;
        Some(contact_event(&self.corpid, at, change, &member.userid, &customer.id))
    }
}

fn said(event: Xml) -> Push {
    Push::genuine(AppKind::App, event.document())
}
