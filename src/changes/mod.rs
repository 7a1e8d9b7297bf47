//! The changes of a batch of events, before they are written: rows folded by key, so that each table needs one
//! statement.
//!
//! Handlers fill it, `tables` writes it. Folding uses the same rule as the SQL (the greater (time, value) wins), so a
//! batch may be cut anywhere and its events may come in any order.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ids::{ChatId, CorpId, DeliveryKey, ExternalUserId, KfSessionKey, UserId, pulled_record_id};

pub mod company;

pub mod contact;

pub mod group;

pub mod member;

pub mod record;

pub mod revocation;

pub mod archive;
pub mod kf;

pub mod register;

pub mod notice;

pub mod payload;

pub mod task;

pub mod transfer;

pub mod tombstone;

pub use archive::ArchiveFile;
pub use company::{Alert, Approval, Department, TagList};
pub use contact::Contact;
pub use group::{GroupChat, GroupMember};
pub use kf::{KfAccount, KfCustomer, KfSession};
pub use member::{Member, Named, Rename};
pub use notice::Notice;
pub use payload::{
    FetchMediaPayload, Payload, PullKfPayload, ReadApprovalPayload, RefreshGroupPayload, WelcomeKfPayload,
    WelcomePayload,
};
pub use record::Record;
pub use register::Register;
pub use revocation::Revocation;
pub use task::Task;
pub use tombstone::{Person, Tombstone};
pub use transfer::TransferFail;

pub use crate::states::{
    AlertKind, ApprovalEngine, ContactStatus, ContactType, KfState, Origin, RecordSource, RevokedBy, TaskKind,
};

/// The source of a change: delivery, corp, and the event's own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The delivery that is being recorded.
    pub key: DeliveryKey,
    /// The corp whose rows it changes.
    pub corpid: CorpId,
    /// When it happened according to the plaintext; none if it gives no time.
    pub happened_at: Option<DateTime<Utc>>,
    /// When the delivery was stored.
    pub received_at: DateTime<Utc>,
    /// What brought the delivery.
    pub origin: Origin,
    /// WeCom's id of a pulled message.
    pub msgid: Option<String>,
    /// Whether its plaintext was malformed and had to be repaired.
    pub repaired: bool,
}

impl Source {
    /// The event's own time, used for every register that it sets. Without one it is the epoch, so that the event
    /// never overrides one that has a time.
    pub fn at(&self) -> DateTime<Utc> {
        self.happened_at.unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The arrival time, if the event has no time of its own. It is only displayed; no decision depends on it.
    pub fn arrived_at(&self) -> Option<DateTime<Utc>> {
        self.happened_at.is_none().then_some(self.received_at)
    }

    /// The id of its record: of a pulled message by WeCom's msgid, of a callback by its bytes.
    pub fn record_id(&self) -> Uuid {
        self.msgid.as_deref().map_or_else(|| self.key.record_id(), |msgid| self.record_id_of(msgid))
    }

    /// The id of the record of another message of the same origin.
    pub fn record_id_of(&self, msgid: &str) -> Uuid {
        pulled_record_id(self.origin.as_str(), &self.corpid, msgid)
    }

    /// The time from which deadlines count: the event's own, or its arrival if it has none or one in the future.
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
    /// Rows of `message_revocation`, by the records' ids.
    pub revocations: BTreeMap<(CorpId, Uuid), Revocation>,
    /// Rows of `kf_account`, by corp and open_kfid.
    pub kf_accounts: BTreeMap<(CorpId, String), KfAccount>,
    /// Rows of `kf_customer`.
    pub kf_customers: BTreeMap<Person, KfCustomer>,
    /// Rows of `kf_session`.
    pub kf_sessions: BTreeMap<(CorpId, KfSessionKey), KfSession>,
    /// Rows of `member`.
    pub members: BTreeMap<(CorpId, UserId), Member>,
    /// Userids that events name as members', in their spellings.
    pub named: BTreeMap<(CorpId, UserId), Named>,
    /// Rows of `transfer_fail`.
    pub transfer_fails: BTreeSet<TransferFail>,
    /// Rows of `group_chat`.
    pub groups: BTreeMap<(CorpId, ChatId), GroupChat>,
    /// Rows of `group_member`; the person is a userid or an external userid.
    pub group_members: BTreeMap<(CorpId, ChatId, String), GroupMember>,
    /// Rows of `department`, by WeCom's number.
    pub departments: BTreeMap<(CorpId, i64), Department>,
    /// Rows of `corp_tag`: a reading names all of a corp's tags.
    pub tag_lists: BTreeMap<CorpId, TagList>,
    /// Rows of `approval`, by engine and number.
    pub approvals: BTreeMap<(CorpId, ApprovalEngine, String), Approval>,
    /// Rows of `app_alert`, by app and kind.
    pub alerts: BTreeMap<(CorpId, i32, AlertKind), Alert>,
    /// Rows of `archive_consent`.
    pub consents: BTreeMap<archive::ConsentKey, Register<String>>,
    /// Rows of `archive_media`, by the media ids.
    pub archive_media: BTreeMap<(CorpId, String), ArchiveFile>,
    /// Userids that changed, in no order.
    pub renames: Vec<Rename>,
    /// Rows of `task`, by kind and subject.
    pub tasks: BTreeMap<(CorpId, TaskKind, String), Task>,
    /// Deliveries from which nothing is recorded, with the event's name.
    pub ignored: Vec<(DeliveryKey, String)>,
}

impl Changes {
    /// The contact between a member and a customer, for the caller to change.
    pub fn contact(&mut self, source: &Source, user: &UserId, customer: &ExternalUserId) -> &mut Contact {
        self.says(source, user);
        self.contacts.entry((source.corpid.clone(), customer.clone(), user.clone())).or_default()
    }

    /// A customer wrote at the source's time; without one, at the epoch, which only says that they did write.
    pub fn heard_from(&mut self, source: &Source, customer: &ExternalUserId) {
        let last = self.activity.entry((source.corpid.clone(), customer.clone())).or_insert(source.at());
        *last = (*last).max(source.at());
    }

    /// The member with that id, for the caller to change.
    pub fn member(&mut self, source: &Source, user: &UserId) -> &mut Member {
        self.says(source, user);
        self.members.entry((source.corpid.clone(), user.clone())).or_default()
    }

    /// The group with that id, for the caller to change.
    pub fn group(&mut self, corpid: &CorpId, chat: &ChatId) -> &mut GroupChat {
        self.groups.entry((corpid.clone(), chat.clone())).or_default()
    }

    /// A person in a group, for the caller to change. Whether they are a member or a customer is not known here.
    pub fn group_member(&mut self, corpid: &CorpId, chat: &ChatId, person: &str) -> &mut GroupMember {
        self.group_members.entry((corpid.clone(), chat.clone(), person.to_owned())).or_default()
    }

    /// The department with that number, for the caller to change.
    pub fn department(&mut self, corpid: &CorpId, id: i64) -> &mut Department {
        self.departments.entry((corpid.clone(), id)).or_default()
    }

    /// The form with that number, for the caller to change.
    pub fn approval(&mut self, source: &Source, engine: ApprovalEngine, number: &str) -> &mut Approval {
        self.approvals.entry((source.corpid.clone(), engine, number.to_owned())).or_default()
    }

    /// That kind of alert of the app that got the event, for the caller to change.
    pub fn alert(&mut self, source: &Source, kind: AlertKind) -> &mut Alert {
        self.alerts.entry((source.corpid.clone(), source.key.app_id, kind)).or_default()
    }

    /// WeCom lists the customer as unassigned after the member left. `held` is the contact's status in the table, and
    /// its time.
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

    /// The directory uses this spelling of a member's userid.
    pub fn directory_says(&mut self, corpid: &CorpId, user: &UserId, at: DateTime<Utc>) {
        self.name(corpid, user, Named { said_at: None, directory_at: Some(at) });
    }

    /// An event uses this spelling of a member's userid.
    pub fn says(&mut self, source: &Source, user: &UserId) {
        self.name(&source.corpid, user, Named { said_at: Some(source.at()), directory_at: None });
    }

    fn name(&mut self, corpid: &CorpId, user: &UserId, named: Named) {
        self.named.entry((corpid.clone(), user.clone())).or_default().absorb(named);
    }

    /// A member's userid changed; the directory uses this spelling of the new one from now on.
    pub fn rename(&mut self, source: &Source, old: &UserId, new: &UserId) {
        self.says(source, old);
        self.says(source, new);
        self.directory_says(&source.corpid, new, source.at());
        let corpid = source.corpid.clone();
        self.renames.push(Rename { corpid, old: old.clone(), new: new.clone(), at: source.at() });
    }

    /// Adds a record of something that passed between them.
    pub fn record(&mut self, source: &Source, mut record: Record) {
        if let Some(user) = &record.user {
            self.says(source, user);
        }
        record.arrived_at = source.arrived_at();
        record.repaired = source.repaired;
        record.source = source.origin.into();
        // Only callbacks were ever stored under another time.
        record.stored_under = if source.origin == Origin::Callback { source.key.event_at } else { source.at() };
        match self.records.entry((source.at(), source.record_id(), source.corpid.clone())) {
            Entry::Vacant(slot) => {
                slot.insert(record);
            }
            // The same plaintext came through another app of the corp.
            Entry::Occupied(mut slot) => register::earliest(&mut slot.get_mut().arrived_at, record.arrived_at),
        }
    }

    /// The message of this msgid was recalled; its record may come later.
    pub fn revoke(&mut self, source: &Source, msgid: &str, by_whom: RevokedBy) {
        let said = Revocation { revoked_at: source.at(), by_whom };
        let key = (source.corpid.clone(), source.record_id_of(msgid));
        self.revocations.entry(key).and_modify(|it| *it = (*it).min(said)).or_insert(said);
    }

    /// A customer agreed, or did not, that a talk with a member or in a group is archived.
    pub fn consent(
        &mut self,
        source: &Source,
        (customer, user, room): (&ExternalUserId, Option<&UserId>, Option<&str>),
        word: &str,
        at: DateTime<Utc>,
    ) {
        if let Some(user) = user {
            self.says(source, user);
        }
        let user = user.cloned().unwrap_or_else(|| UserId(String::new()));
        let key = (source.corpid.clone(), customer.clone(), user, room.unwrap_or_default().to_owned());
        self.consented(key, Register { value: word.to_owned(), at });
    }

    /// The same from any source; the latest word counts.
    pub fn consented(&mut self, key: archive::ConsentKey, said: Register<String>) {
        let mut slot = self.consents.remove(&key);
        Register::absorb(&mut slot, Some(said));
        self.consents.extend(slot.map(|it| (key, it)));
    }

    /// Adds a task for WeCom.
    pub fn task(&mut self, source: &Source, kind: TaskKind, subject: &str, task: Task) {
        let key = (source.corpid.clone(), kind, subject.to_owned());
        match self.tasks.entry(key) {
            Entry::Vacant(slot) => {
                slot.insert(task);
            }
            Entry::Occupied(mut slot) => slot.get_mut().absorb(task),
        }
    }

    /// Records nothing from this delivery; it is kept and counted under `name`.
    pub fn ignore(&mut self, source: &Source, name: &str) {
        self.ignored.push((source.key.clone(), name.to_owned()));
    }

    /// Every (corp, userid) in these changes, to be resolved to its owner's current id.
    pub fn users(&self) -> impl Iterator<Item = (&CorpId, &UserId)> {
        let contacts = self.contacts.keys().map(|(corp, _, user)| (corp, user));
        let members = self.members.keys().map(|(corp, user)| (corp, user));
        let records = self.records.iter().filter_map(|((_, _, corp), it)| Some((corp, it.user.as_ref()?)));
        let named = self.named.keys().map(|(corp, user)| (corp, user));
        let cards = self.groups.iter().filter_map(|((corp, _), it)| Some((corp, &it.card.as_ref()?.value)));
        let in_cards = cards.flat_map(|(corp, card)| card.users().map(move |user| (corp, user)));
        let invitors = self.group_members.iter().filter_map(|((corp, ..), it)| Some((corp, it.invitor()?)));
        let consents = self.consents.keys().filter(|(_, _, user, _)| !user.0.is_empty());
        let consents = consents.map(|(corp, _, user, _)| (corp, user));
        contacts.chain(members).chain(records).chain(named).chain(in_cards).chain(invitors).chain(consents)
    }

    /// People of whom it is not known whether they are members: senders whose id has the shape of a customer's, and
    /// everybody in a group.
    pub fn guessed(&self) -> BTreeSet<Person> {
        let in_groups = self.group_members.keys().map(|(corp, _, person)| (corp.clone(), person.as_str().into()));
        let records = self.records.iter().filter(|(_, it)| it.is_guessed());
        let senders = records.filter_map(|((_, _, corp), it)| Some((corp.clone(), it.customer.clone()?)));
        senders.chain(self.activity.keys().cloned()).chain(in_groups).collect()
    }

    /// Corrects those of them who are members, each with their current userid.
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
        for ((corp, chat, person), it) in std::mem::take(&mut self.group_members) {
            let user = members.get(&(corp.clone(), ExternalUserId(person.clone())));
            let person = user.map_or(person, |user| user.0.clone());
            self.group_members.entry((corp, chat, person)).or_default().absorb(it);
        }
    }

    /// Replaces userids by their owners' current ones, and folds rows that become the same.
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
        for ((corp, customer, user, room), said) in std::mem::take(&mut self.consents) {
            let user = now(&corp, &user).unwrap_or(user);
            self.consented((corp, customer, user, room), said);
        }
        for ((_, _, corp), record) in &mut self.records {
            if let Some(user) = record.user.as_ref().and_then(|user| now(corp, user)) {
                if record.sender == record.user.as_ref().map_or("", UserId::as_str) {
                    record.sender = user.0.clone();
                }
                record.user = Some(user);
            }
        }
        for ((corp, _), group) in &mut self.groups {
            for user in group.card.iter_mut().flat_map(|it| it.value.users_mut()) {
                *user = now(corp, user).unwrap_or_else(|| user.clone());
            }
        }
        for ((corp, ..), it) in &mut self.group_members {
            if let Some(user) = it.invitor_mut() {
                *user = now(corp, user).unwrap_or_else(|| user.clone());
            }
        }
    }

    /// Whether rows move from one userid to another, so that no other batch of the corp may write any. A spelling that is
    /// new moves rows, too, but only the tables tell.
    pub fn need_quiet(&self) -> bool {
        !self.renames.is_empty()
    }

    /// Whether other batches may be writing contacts that depend on these changes: a member's contacts fill a handover, a
    /// customer's contacts follow the customer's messages, and a contact's match follows from the same person's other
    /// contacts, in 微信客服 as well.
    pub fn need_contacts_quiet(&self) -> bool {
        let membership = |it: &Member| it.joined_at.is_some() || it.left_at.is_some();
        !self.activity.is_empty()
            || !self.kf_customers.is_empty()
            || self.members.values().any(membership)
            || self.contacts.values().any(Contact::may_match)
    }

    /// The corps whose contacts, members or handovers these changes write.
    pub fn corps_of_contacts(&self) -> BTreeSet<&CorpId> {
        let contacts = self.contacts.keys().map(|(corp, ..)| corp);
        let active = self.activity.keys().map(|(corp, _)| corp);
        let members = self.members.keys().map(|(corp, _)| corp);
        let failed = self.transfer_fails.iter().map(|it| &it.corpid);
        let served = self.kf_customers.keys().map(|(corp, _)| corp);
        contacts.chain(active).chain(members).chain(failed).chain(served).collect()
    }

    /// The corps in these changes.
    pub fn corps(&self) -> BTreeSet<&CorpId> {
        let renamed = self.renames.iter().map(|it| &it.corpid);
        let tasked = self.tasks.keys().map(|(corp, _, _)| corp);
        let active = self.activity.keys().map(|(corp, _)| corp);
        let failed = self.transfer_fails.iter().map(|it| &it.corpid);
        let grouped = self.groups.keys().map(|(corp, _)| corp).chain(self.group_members.keys().map(|(corp, ..)| corp));
        let ours = self.departments.keys().map(|(corp, _)| corp).chain(self.tag_lists.keys());
        let asked = self.approvals.keys().map(|(corp, ..)| corp).chain(self.alerts.keys().map(|(corp, ..)| corp));
        let others = grouped.chain(ours).chain(asked).chain(self.revocations.keys().map(|(corp, _)| corp));
        self.users()
            .map(|(corp, _)| corp)
            .chain(failed)
            .chain(renamed)
            .chain(tasked)
            .chain(active)
            .chain(others)
            .chain(self.consents.keys().map(|(corp, ..)| corp))
            .chain(self.kf_corps())
            .collect()
    }
}
