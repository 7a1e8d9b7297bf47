//! Transfers of customers between members.
//!
//! A request is accepted at once. Then the customer may refuse, and after a day the others move to the successor, as
//! far as the successor may have more customers. Time passes only on request: [`World::settle_transfers`] carries out
//! what was due, at the time it was due, and returns the callbacks.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::contacts::{AddWay, Follow};
use super::{Member, MemberStatus, World};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::chance::Chance;
use crate::sandbox::day::wire::{Xml, contact_event};
use crate::sandbox::push::{AppKind, Push};

/// How long after the request a transfer completes, in seconds.
const COMPLETES_AFTER_S: i64 = 24 * 3600;

/// How long after the request a customer refuses, in seconds.
const REFUSES_AFTER_S: i64 = 3600;

/// How often a customer may be moved in service within a number of seconds.
const MOVES_MAX: usize = 2;
const MOVES_WITHIN_S: i64 = 90 * 24 * 3600;

/// Whether the former member is still active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferFlow {
    /// Active.
    InService,
    /// Left.
    Resigned,
}

/// The outcome of transfers. Changes apply to later requests.
#[derive(Debug, Clone)]
pub struct TransferRules {
    /// These customers refuse.
    pub refusers: HashSet<ExternalUserId>,
    /// The share of the other customers who refuse, 0 to 1; the seed decides who.
    pub refuse_share: f64,
    /// How long after the request they refuse, in seconds.
    pub refuse_after_s: i64,
    /// How long after the request the others are moved, in seconds.
    pub complete_after_s: i64,
    /// The errcode that a request returns for these customers, in any case.
    pub errcodes: HashMap<ExternalUserId, i64>,
    /// The status that results return for these customers, in any case; `None` leaves them out.
    pub results: HashMap<ExternalUserId, Option<i64>>,
    /// The errcode that a request returns for groups, by chat_id.
    pub group_errcodes: HashMap<String, i64>,
    /// How long the transfer of a leaver's group takes, in seconds; 0 is at once.
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
    /// The customers and their errcodes: 0 means accepted.
    pub customers: Vec<(ExternalUserId, i64)>,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// Why a customer is not transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum NotTaken {
    /// There is no such customer.
    Unknown,
    /// The customer has no follower any more.
    Nobodys,
    /// The customer belongs to another member.
    NotTheirs,
    /// A transfer of the customer is in progress.
    UnderWay,
    /// The customer was moved too often lately.
    MovedTooOften,
    /// The successor has as many customers as they may.
    Full,
}

/// The progress of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Outcome {
    /// In progress until then.
    Waiting(i64),
    /// Completed then.
    Done(i64),
    Refused,
    Full,
}

/// The endpoint, the former member and the successor.
pub(in crate::sandbox) type Pair = (TransferFlow, u32, u32);

/// A customer's transfer.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Transfer {
    pub(in crate::sandbox) pair: Pair,
    pub(in crate::sandbox) customer: u32,
    pub(in crate::sandbox) outcome: Outcome,
    asked_at: i64,
    /// Whether the customer will refuse.
    refuses: bool,
}

/// Every transfer that was accepted, in order.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Transfers {
    all: Vec<Transfer>,
    /// Only the latest transfer of each customer of a pair.
    by_pair: HashMap<Pair, Vec<u32>>,
    by_customer: HashMap<u32, Vec<u32>>,
    /// The next event of each transfer, by time.
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

    /// The next transfer that is due by then, and when.
    fn next_due(&mut self, now: i64) -> Option<(i64, u32)> {
        let next = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&next);
        Some(next)
    }
}

impl World {
    /// How often a transfer of a customer was accepted, through both endpoints and between any members.
    pub fn transfers_accepted(&self, customer: &ExternalUserId) -> usize {
        let place = self.contacts.find(customer);
        place.map_or(0, |place| self.transfers.of_customer(place).count())
    }

    /// Everybody who has a customer as a contact, active or not, the oldest contact first.
    pub fn followers_of(&self, customer: &ExternalUserId) -> Vec<UserId> {
        let known = self.contacts.find(customer).and_then(|place| self.contacts.customer(place));
        let follows = known.map(|it| it.follows.as_slice()).unwrap_or_default();
        let member = |&place: &u32| self.directory.get(self.contacts.follow(place)?.member);
        follows.iter().filter_map(member).map(|member| member.userid.clone()).collect()
    }

    /// Whether a member may have no more customers, and this one is not among theirs.
    fn has_no_room(&self, member: u32, customer: u32) -> bool {
        let is_full = |it: &Member| it.customers_max.is_some_and(|max| it.follows.len() >= max);
        self.directory.get(member).is_some_and(is_full) && self.contacts.between(member, customer).is_none()
    }

    /// Begins a customer's transfer. The caller has checked the two members.
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

    /// Carries out everything due by now, and returns the callbacks.
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

    /// How often a customer was moved in service lately. Refused transfers are not counted; the platform's rule is
    /// unknown.
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
        // Drawn separately for each customer, so that the order of requests does not matter.
        let drawn = || Chance::new(self.seed, &format!("refuses {customer}")).happens(rules.refuse_share);
        rules.refusers.contains(customer) || drawn()
    }

    /// Moves the customer from the former member to the successor.
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

    /// The beginning of a callback about a member and a customer; none if the member has left, since no callbacks are
    /// sent for leavers.
    fn transfer_event(&self, change: &str, member: u32, customer: u32, at: i64) -> Option<Xml> {
        let member = self.directory.get(member).filter(|it| it.status != MemberStatus::Left)?;
        let customer = self.contacts.customer(customer)?;
        Some(contact_event(&self.corpid, at, change, &member.userid, &customer.id))
    }
}

fn said(event: Xml) -> Push {
    Push::genuine(AppKind::App, event.document())
}
