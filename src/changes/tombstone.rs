//! Drops changes about erased people. Pure: the caller looks up who was erased.
//!
//! Data from before the erasure is dropped whenever it arrives. Data from after it counts only if the person became a
//! contact again since: they then start anew by their own choice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Changes, Contact, Payload, Register, Task, TaskKind, WelcomeKfPayload, WelcomePayload};
use crate::ids::{CorpId, ExternalUserId, KfSessionKey};

/// An erased person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// When they were erased.
    pub erased_at: DateTime<Utc>,
    /// Whether they became a contact again after that.
    pub returned: bool,
}

/// An external contact, and the corp that knows them.
pub type Person = (CorpId, ExternalUserId);

impl Tombstone {
    /// Whether data of this time is dropped.
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        !self.returned || at <= self.erased_at
    }
}

impl Changes {
    /// All external contacts in these changes.
    pub fn people(&self) -> BTreeSet<Person> {
        let contacts = self.contacts.keys().map(|(corp, customer, _)| (corp.clone(), customer.clone()));
        let records = self.records.iter();
        let records = records.filter_map(|((_, _, corp), it)| Some((corp.clone(), it.customer.clone()?)));
        let fails = self.transfer_fails.iter().map(|it| (it.corpid.clone(), it.customer.clone()));
        let tasks = self
            .tasks
            .iter()
            .filter_map(|((corp, kind, subject), it)| Some((corp.clone(), about(*kind, subject, it)?)));
        let consents = self.consents.keys().map(|(corp, customer, ..)| (corp.clone(), customer.clone()));
        let grouped = self.group_members.keys().map(|(corp, _, person)| (corp.clone(), person.as_str().into()));
        contacts
            .chain(self.activity.keys().cloned())
            .chain(records)
            .chain(fails)
            .chain(tasks)
            .chain(grouped)
            .chain(consents)
            .chain(self.kf_people())
            .collect()
    }

    /// Drops what is about erased people.
    pub fn forget(&mut self, mut erased: BTreeMap<Person, Tombstone>) {
        if erased.is_empty() {
            return;
        }
        for ((corp, customer, _), contact) in &self.contacts {
            if let Some(it) = erased.get_mut(&(corp.clone(), customer.clone())) {
                // Only an add event, or a card that mentions one, sets this time.
                it.returned |= contact.last_contact_time.is_some_and(|at| at > it.erased_at);
            }
        }
        for (person, it) in &self.kf_customers {
            if let Some(tombstone) = erased.get_mut(person) {
                // Whoever enters by themselves starts anew.
                tombstone.returned |= it.entered_at.is_some_and(|at| at > tombstone.erased_at);
            }
        }
        let covered = |person: &Person, at| erased.get(person).is_some_and(|it| it.covers(at));
        self.contacts.retain(|(corp, customer, _), contact| match erased.get(&(corp.clone(), customer.clone())) {
            Some(it) => it.returned && contact.begin_after(it.erased_at),
            None => true,
        });
        self.activity.retain(|person, at| !covered(person, *at));
        self.transfer_fails.retain(|it| !covered(&(it.corpid.clone(), it.customer.clone()), it.at));
        self.group_members.retain(|(corp, _, person), it| {
            let person = (corp.clone(), ExternalUserId(person.clone()));
            erased.get(&person).is_none_or(|tombstone| tombstone.returned && it.begin_after(tombstone.erased_at))
        });
        self.kf_customers.retain(|person, it| match it.seen_at {
            Some(at) => !covered(person, at),
            // A card is of the time of its reading.
            None => erased.get(person).is_none_or(|tombstone| tombstone.returned),
        });
        self.kf_sessions.retain(|(corp, key), it| {
            let last = it.entered.as_ref().map_or(it.state.at, |entered| entered.at.max(it.state.at));
            !covered(&(corp.clone(), key.customer.clone()), last)
        });
        self.consents.retain(|(corp, customer, ..), said| !covered(&(corp.clone(), customer.clone()), said.at));
        let mut media = BTreeSet::new();
        self.records.retain(|(at, _, corp), record| {
            let person = record.customer.as_ref().map(|it| (corp.clone(), it.clone()));
            let stays = person.is_none_or(|it| !covered(&it, *at));
            if !stays {
                media.extend(record.media_id.take().map(|it| (corp.clone(), it)));
            }
            stays
        });
        self.archive_media.retain(|file, _| !media.contains(file));
        self.tasks.retain(|(corp, kind, subject), task| match about(*kind, subject, task) {
            Some(person) => erased.get(&(corp.clone(), person)).is_none_or(|it| it.returned),
            None => *kind != TaskKind::FetchMedia || !media.contains(&(corp.clone(), subject.clone())),
        });
    }
}

impl Contact {
    /// Keeps only data from after `at`; `false` if nothing is left. A card has no such time of its own: it is kept
    /// together with the data that says that they met.
    fn begin_after(&mut self, at: DateTime<Utc>) -> bool {
        after(&mut self.status, at);
        after(&mut self.state, at);
        after(&mut self.customer_id, at);
        self.scans.retain(|_, scanned_at| *scanned_at > at);
        self.heard_arrived_at = self.heard_arrived_at.filter(|it| *it > at);
        self.met_arrived_at = self.met_arrived_at.filter(|it| *it > at);
        self.last_contact_time = self.last_contact_time.filter(|it| *it > at);
        self.first_contact_time = self.first_contact_time.filter(|it| *it > at).or(self.last_contact_time);
        self.status.is_some() || self.state.is_some() || self.last_contact_time.is_some()
    }
}

fn after<T>(register: &mut Option<Register<T>>, at: DateTime<Utc>) {
    if register.as_ref().is_some_and(|it| it.at <= at) {
        *register = None;
    }
}

/// The external contact a task is about, if it is about one.
fn about(kind: TaskKind, subject: &str, task: &Task) -> Option<ExternalUserId> {
    match kind {
        TaskKind::RefreshContact => Some(ExternalUserId::from(subject)),
        TaskKind::Welcome => Some(WelcomePayload::read(task.payload.as_deref()).ok()?.external_userid),
        TaskKind::WelcomeKf => Some(WelcomeKfPayload::read(task.payload.as_deref()).ok()?.external_userid),
        TaskKind::RefreshKfCustomer => Some(ExternalUserId::from(subject)),
        TaskKind::RouteKf => Some(KfSessionKey::of(subject)?.customer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        changes::{ContactStatus, ContactType, Record},
        ids::UserId,
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn person() -> Person {
        (CorpId::from("ww1"), ExternalUserId::from("wmX"))
    }

    fn message(changes: &mut Changes, seconds: i64, media_id: &str) {
        let (corp, customer) = person();
        let record = Record {
            customer: Some(customer.clone()),
            media_id: Some(media_id.to_owned()),
            ..Record::new(ContactType::Image, customer.0.clone(), "[图片]".to_owned())
        };
        changes.records.insert((at(seconds), Uuid::from_u128(seconds.unsigned_abs().into()), corp.clone()), record);
        changes.activity.insert((corp.clone(), customer), at(seconds));
        let task = Task { app_id: 1, payload: None, due_at: at(seconds), deadline: None, marks: 1 };
        changes.tasks.insert((corp, TaskKind::FetchMedia, media_id.to_owned()), task);
    }

    fn met(changes: &mut Changes, user: &str, seconds: i64) {
        let (corp, customer) = person();
        let contact = changes.contacts.entry((corp, customer, UserId::from(user))).or_default();
        contact.became(ContactStatus::Contacted, at(seconds));
        contact.met(at(seconds));
    }

    fn erased(returned: bool) -> BTreeMap<Person, Tombstone> {
        [(person(), Tombstone { erased_at: at(100), returned })].into()
    }

    #[test]
    fn an_erased_customer_who_did_not_return_stays_erased() {
        let mut changes = Changes::default();
        met(&mut changes, "ann", 50);
        message(&mut changes, 60, "M1");
        message(&mut changes, 160, "M2");
        let (corp, customer) = person();
        let task = Task { app_id: 1, payload: None, due_at: at(1), deadline: None, marks: 1 };
        changes.tasks.insert((corp.clone(), TaskKind::RefreshContact, customer.0.clone()), task.clone());
        let payload = r#"{"external_userid":"wmX","state":null,"wechat_userid":"ann"}"#.to_owned();
        let greeting = Task { payload: Some(payload), ..task.clone() };
        changes.tasks.insert((corp.clone(), TaskKind::Welcome, "CODE".to_owned()), greeting);
        changes.tasks.insert((corp, TaskKind::RefreshMember, "ann".to_owned()), task);
        assert_eq!(changes.people(), [person()].into());
        changes.forget(erased(false));
        assert!(changes.contacts.is_empty() && changes.records.is_empty() && changes.activity.is_empty());
        let left: Vec<_> = changes.tasks.keys().map(|(_, kind, _)| *kind).collect();
        assert_eq!(left, [TaskKind::RefreshMember]);
    }

    #[test]
    fn a_returning_customer_starts_anew_without_their_earlier_data() {
        let mut changes = Changes::default();
        met(&mut changes, "ann", 50);
        met(&mut changes, "bob", 150);
        message(&mut changes, 60, "M1");
        message(&mut changes, 160, "M2");
        changes.forget(erased(false));
        let users: Vec<_> = changes.contacts.keys().map(|(_, _, user)| user.0.clone()).collect();
        assert_eq!(users, ["bob"]);
        let media: Vec<_> = changes.records.values().filter_map(|it| it.media_id.clone()).collect();
        assert_eq!(media, ["M2"]);
        assert_eq!(changes.tasks.len(), 1, "the first picture is not fetched");
    }

    #[test]
    fn a_contact_met_before_and_after_erasure_keeps_the_later_time() {
        let mut changes = Changes::default();
        met(&mut changes, "ann", 50);
        met(&mut changes, "ann", 150);
        changes.forget(erased(false));
        let contact = changes.contacts.values().next().expect("it stands");
        assert_eq!(contact.first_contact_time, Some(at(150)));
    }

    #[test]
    fn a_tombstone_does_not_affect_the_same_id_in_another_corp() {
        let mut changes = Changes::default();
        met(&mut changes, "ann", 50);
        let other = (CorpId::from("ww2"), ExternalUserId::from("wmX"));
        changes.forget([(other, Tombstone { erased_at: at(100), returned: false })].into());
        assert_eq!(changes.contacts.len(), 1, "an id of another corp is another person");
    }
}
