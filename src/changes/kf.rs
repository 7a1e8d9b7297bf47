//! What is said about accounts, customers and sessions of 微信客服.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Changes, Person, Source,
    register::{Register, latest},
};
use crate::{
    ids::{CorpId, ExternalUserId, KfSessionKey, UserId},
    states::KfState,
};

/// A batch's changes to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfAccount {
    /// The app that may pull; of several, the one with the smallest id.
    pub app_id: i32,
    /// Whether the app manages the account.
    pub managed: Option<Register<bool>>,
}

/// A batch's changes to a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KfCustomer {
    /// The app that may read the person's card.
    pub app_id: i32,
    /// When they last wrote or entered.
    pub seen_at: Option<DateTime<Utc>>,
    /// When they last entered through a link: whoever was erased before starts anew.
    pub entered_at: Option<DateTime<Utc>>,
    /// The card as WeCom returned it, and when.
    pub card: Option<(DateTime<Utc>, Value)>,
}

/// The state of a session and its servicer, as the event spelled them. They are not resolved to a current userid: at equal
/// times the greater spelling wins, whatever is known of renames. Readers resolve it.
pub type KfStanding = (KfState, Option<UserId>);

/// A batch's changes to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfSession {
    /// The state.
    pub state: Register<KfStanding>,
    /// Scene and parameter of the link through which the customer entered.
    pub entered: Option<Register<(Option<String>, Option<String>)>>,
}

impl KfSession {
    /// Nothing is known but that the customer was there.
    fn unknown() -> Self {
        Self { state: Register { value: (KfState::New, None), at: DateTime::UNIX_EPOCH }, entered: None }
    }

    /// The state as of `at`; the caller makes the servicer known as a member.
    pub fn became(&mut self, state: KfState, servicer: Option<&UserId>, at: DateTime<Utc>) {
        let value = (state, servicer.cloned());
        if (self.state.at, &self.state.value) < (at, &value) {
            self.state = Register { value, at };
        }
    }
}

impl Changes {
    /// An account that an app may pull.
    pub fn kf_account(&mut self, source: &Source, open_kfid: &str) -> &mut KfAccount {
        let app_id = source.key.app_id;
        let new = KfAccount { app_id, managed: None };
        let it = self.kf_accounts.entry((source.corpid.clone(), open_kfid.to_owned())).or_insert(new);
        it.app_id = it.app_id.min(app_id);
        it
    }

    /// A person wrote, was written to, or entered.
    pub fn kf_customer(&mut self, source: &Source, customer: &ExternalUserId) -> &mut KfCustomer {
        let key = (source.corpid.clone(), customer.clone());
        let it = self.kf_customers.entry(key).or_insert(KfCustomer { app_id: i32::MAX, ..KfCustomer::default() });
        it.app_id = it.app_id.min(source.key.app_id);
        latest(&mut it.seen_at, Some(source.at()));
        it
    }

    /// A session, for the caller to change.
    pub fn kf_session(&mut self, corpid: &CorpId, key: KfSessionKey) -> &mut KfSession {
        self.kf_sessions.entry((corpid.clone(), key)).or_insert_with(KfSession::unknown)
    }

    /// The card of a person, as WeCom returned it at `at`.
    pub fn kf_card(&mut self, corpid: &CorpId, customer: &ExternalUserId, app_id: i32, card: Value, at: DateTime<Utc>) {
        let it = KfCustomer { app_id, card: Some((at, card)), ..KfCustomer::default() };
        self.kf_customers.insert((corpid.clone(), customer.clone()), it);
    }

    /// The corps of the changes to 微信客服.
    pub(super) fn kf_corps(&self) -> impl Iterator<Item = &CorpId> {
        let accounts = self.kf_accounts.keys().map(|(corp, _)| corp);
        let people = self.kf_customers.keys().map(|(corp, _)| corp);
        accounts.chain(people).chain(self.kf_sessions.keys().map(|(corp, _)| corp))
    }

    /// Everybody in 微信客服 whom these changes are about.
    pub(super) fn kf_people(&self) -> impl Iterator<Item = Person> {
        let sessions = self.kf_sessions.keys().map(|(corp, key)| (corp.clone(), key.customer.clone()));
        self.kf_customers.keys().cloned().chain(sessions)
    }
}
