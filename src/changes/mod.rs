//! What a batch of events changes, before it is written: rows folded by key, so that one statement per table does.
//!
//! Handlers fill it, `tables` writes it. Folding uses the same rule as the SQL, the greater (time, value) wins, so a
//! batch may be cut anywhere and its events may come in any order.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ids::{CorpId, DeliveryKey, ExternalUserId, UserId};

pub mod contact;

pub mod member;

pub mod record;

pub mod register;

pub mod notice;

pub mod payload;

pub mod task;

pub mod transfer;

pub mod tombstone;

pub use contact::Contact;
pub use member::{Member, Named, Rename};
pub use notice::Notice;
pub use payload::{FetchMediaPayload, Payload, WelcomePayload};
pub use record::Record;
pub use register::Register;
pub use task::Task;
pub use tombstone::{Person, Tombstone};
pub use transfer::TransferFail;

pub use crate::states::{ContactStatus, ContactType, TaskKind};

/// Which delivery says so, for which corp, and when by the event's own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The delivery that is being recorded.
    pub key: DeliveryKey,
    /// The corp whose tables it changes.
    pub corpid: CorpId,
    /// When it happened, as the plaintext says; none if it does not say so.
    pub happened_at: Option<DateTime<Utc>>,
    /// When the delivery was stored.
    pub received_at: DateTime<Utc>,
    /// Its plaintext was not well formed, and was read as it was meant.
    pub repaired: bool,
}

impl Source {
    /// The event's own time: the clock of every register that it sets. The epoch if it has none, so that it never
    /// undoes what has a time.
    pub fn at(&self) -> DateTime<Utc> {
        self.happened_at.unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// When it arrived, if nothing else is known of when it happened. People are shown it; nothing is decided by it.
    pub fn arrived_at(&self) -> Option<DateTime<Utc>> {
        self.happened_at.is_none().then_some(self.received_at)
    }

    /// The time from which what must still be done is counted: the event's own, or its arrival if it has none or one
    /// that was still to come.
    pub fn counts_from(&self) -> DateTime<Utc> {
        self.happened_at.map_or(self.received_at, |at| at.min(self.received_at))
    }
}

/// `(corp, customer, member)`: one row of `customer_wechat_contact`.
pub type ContactKey = (CorpId, ExternalUserId, UserId);

/// Everything a batch of deliveries changes.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Rows of `customer_wechat_contact`.
    pub contacts: BTreeMap<ContactKey, Contact>,
    /// When each customer last wrote.
    pub activity: BTreeMap<(CorpId, ExternalUserId), DateTime<Utc>>,
    /// Rows of `wechat_contact_record`.
    pub records: BTreeMap<(DateTime<Utc>, Uuid, CorpId), Record>,
    /// Rows of `member`.
    pub members: BTreeMap<(CorpId, UserId), Member>,
    /// Userids that are named as members', spelled as they are.
    pub named: BTreeMap<(CorpId, UserId), Named>,
    /// Rows of `transfer_fail`.
    pub transfer_fails: BTreeSet<TransferFail>,
    /// Userids that changed, in no order.
    pub renames: Vec<Rename>,
    /// Rows of `task`, by kind and subject.
    pub tasks: BTreeMap<(CorpId, TaskKind, String), Task>,
    /// Deliveries from which nothing is recorded, with the event's name.
    pub ignored: Vec<(DeliveryKey, String)>,
}

impl Changes {
    /// The contact between a member and a customer, to be told what became of it.
    pub fn contact(&mut self, source: &Source, user: &UserId, customer: &ExternalUserId) -> &mut Contact {
        self.says(source, user);
        self.contacts.entry((source.corpid.clone(), customer.clone(), user.clone())).or_default()
    }

    /// A customer wrote at the source's time; at the epoch if it has none, which says only that they did.
    pub fn heard_from(&mut self, source: &Source, customer: &ExternalUserId) {
        let last = self.activity.entry((source.corpid.clone(), customer.clone())).or_insert(source.at());
        *last = (*last).max(source.at());
    }

    /// The member of that id, to be told what became of them.
    pub fn member(&mut self, source: &Source, user: &UserId) -> &mut Member {
        self.says(source, user);
        self.members.entry((source.corpid.clone(), user.clone())).or_default()
    }

    /// WeCom lists a customer of a member's as left behind by them. `held` is how the contact stands in the table, and
    /// since when.
    pub fn left_behind(
        &mut self,
        corpid: &CorpId,
        customer: &ExternalUserId,
        user: &UserId,
        left_at: DateTime<Utc>,
        held: Option<(ContactStatus, DateTime<Utc>)>,
    ) {
        self.members.entry((corpid.clone(), user.clone())).or_default().left(left_at);
        self.contacts.entry((corpid.clone(), customer.clone(), user.clone())).or_default().named_again(held);
    }

    /// The directory spells a member's userid so.
    pub fn directory_says(&mut self, corpid: &CorpId, user: &UserId, at: DateTime<Utc>) {
        self.name(corpid, user, Named { said_at: None, directory_at: Some(at) });
    }

    /// An event spells a member's userid so.
    fn says(&mut self, source: &Source, user: &UserId) {
        self.name(&source.corpid, user, Named { said_at: Some(source.at()), directory_at: None });
    }

    fn name(&mut self, corpid: &CorpId, user: &UserId, named: Named) {
        self.named.entry((corpid.clone(), user.clone())).or_default().absorb(named);
    }

    /// A member's userid changed. From now on the directory spells the new one so.
    pub fn rename(&mut self, source: &Source, old: &UserId, new: &UserId) {
        self.says(source, old);
        self.says(source, new);
        self.directory_says(&source.corpid, new, source.at());
        let corpid = source.corpid.clone();
        self.renames.push(Rename { corpid, old: old.clone(), new: new.clone(), at: source.at() });
    }

    /// Something passed between them.
    pub fn record(&mut self, source: &Source, mut record: Record) {
        if let Some(user) = &record.user {
            self.says(source, user);
        }
        record.arrived_at = source.arrived_at();
        record.repaired = source.repaired;
        record.stored_under = source.key.event_at;
        match self.records.entry((source.at(), source.key.record_id(), source.corpid.clone())) {
            Entry::Vacant(slot) => {
                slot.insert(record);
            }
            // The same plaintext, through another app of the corp.
            Entry::Occupied(mut slot) => register::earliest(&mut slot.get_mut().arrived_at, record.arrived_at),
        }
    }

    /// Something is to be done with WeCom.
    pub fn task(&mut self, source: &Source, kind: TaskKind, subject: &str, task: Task) {
        let key = (source.corpid.clone(), kind, subject.to_owned());
        match self.tasks.entry(key) {
            Entry::Vacant(slot) => {
                slot.insert(task);
            }
            Entry::Occupied(mut slot) => slot.get_mut().absorb(task),
        }
    }

    /// Nothing is recorded from this delivery; it is kept and counted under `name`.
    pub fn ignore(&mut self, source: &Source, name: &str) {
        self.ignored.push((source.key.clone(), name.to_owned()));
    }

    /// Every (corp, userid) that these changes mention: what must be resolved to what its owner goes by now.
    pub fn users(&self) -> impl Iterator<Item = (&CorpId, &UserId)> {
        let contacts = self.contacts.keys().map(|(corp, _, user)| (corp, user));
        let members = self.members.keys().map(|(corp, user)| (corp, user));
        let records = self.records.iter().filter_map(|((_, _, corp), it)| Some((corp, it.user.as_ref()?)));
        let named = self.named.keys().map(|(corp, user)| (corp, user));
        contacts.chain(members).chain(records).chain(named)
    }

    /// Senders who are taken for customers by the shape of their id.
    pub fn guessed(&self) -> BTreeSet<Person> {
        let records = self.records.iter().filter(|(_, it)| it.is_guessed());
        let senders = records.filter_map(|((_, _, corp), it)| Some((corp.clone(), it.customer.clone()?)));
        senders.chain(self.activity.keys().cloned()).collect()
    }

    /// Takes those of them for members who are, each with the userid that they go by now.
    pub fn recognise(&mut self, members: &BTreeMap<Person, UserId>) {
        if members.is_empty() {
            return;
        }
        self.activity.retain(|person, _| !members.contains_key(person));
        for ((_, _, corp), record) in self.records.iter_mut().filter(|(_, it)| it.is_guessed()) {
            let person = record.customer.as_ref().map(|it| (corp.clone(), it.clone()));
            if let Some(user) = person.and_then(|it| members.get(&it)) {
                record.customer = None;
                record.sender = user.0.clone();
                record.user = Some(user.clone());
            }
        }
    }

    /// Replaces userids by the ones their owners go by now, folding rows that become one.
    pub fn resolve(&mut self, current: &BTreeMap<(CorpId, UserId), UserId>) {
        if current.is_empty() {
            return;
        }
        let now = |corp: &CorpId, user: &UserId| current.get(&(corp.clone(), user.clone())).cloned();
        for ((corp, customer, user), contact) in std::mem::take(&mut self.contacts) {
            let user = now(&corp, &user).unwrap_or(user);
            self.contacts.entry((corp, customer, user)).or_default().absorb(contact);
        }
        for ((corp, user), member) in std::mem::take(&mut self.members) {
            let user = now(&corp, &user).unwrap_or(user);
            self.members.entry((corp, user)).or_default().absorb(member);
        }
        for ((_, _, corp), record) in &mut self.records {
            if let Some(user) = record.user.as_ref().and_then(|user| now(corp, user)) {
                if record.sender == record.user.as_ref().map_or("", UserId::as_str) {
                    record.sender = user.0.clone();
                }
                record.user = Some(user);
            }
        }
    }

    /// Whether rows that other batches may be writing depend on these: a member's contacts follow a rename and fill
    /// a handover, a customer's contacts follow what the customer writes, whose customer a contact is follows from
    /// others of the same person, and how a userid is spelled follows from the directory.
    pub fn need_quiet(&self) -> bool {
        let membership = |it: &Member| it.joined_at.is_some() || it.left_at.is_some();
        let identity = |it: &Contact| it.customer_id.is_some() || !it.scans.is_empty() || it.card.is_some();
        !self.renames.is_empty()
            || self.named.values().any(|it| it.directory_at.is_some())
            || !self.activity.is_empty()
            || self.members.values().any(membership)
            || self.contacts.values().any(identity)
    }

    /// The corps that these changes are about.
    pub fn corps(&self) -> BTreeSet<&CorpId> {
        let renamed = self.renames.iter().map(|it| &it.corpid);
        let tasked = self.tasks.keys().map(|(corp, _, _)| corp);
        let active = self.activity.keys().map(|(corp, _)| corp);
        let failed = self.transfer_fails.iter().map(|it| &it.corpid);
        self.users().map(|(corp, _)| corp).chain(failed).chain(renamed).chain(tasked).chain(active).collect()
    }
}
