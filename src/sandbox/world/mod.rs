//! The pretend WeCom's state: the company, its customers, messages, codes and counters.
//!
//! It is made from a company, a size and a seed, and lives in memory; the same input makes the same world. It knows
//! neither HTTP nor errcodes: `api` queries it, tests read and change it, and customers act in it.

mod clock;

mod window;

mod credential;

mod directory;

mod contacts;

mod contact_way;

mod transfer;

mod group;

mod token;

mod code;

mod sent;

mod media;

mod archive;
mod kf;

mod make;

mod error;

mod change;

mod tag;

mod form;

#[cfg(test)]
mod tests;

pub use archive::Archive;
pub use clock::Clock;
pub use contact_way::{ContactWay, Temporary};
pub use contacts::Notes;
pub use credential::{Credential, Visible};
pub use directory::{Department, Member, MemberStatus};
pub use error::{ChangeError, ScanError};
pub use form::Form;
pub use group::{Group, GroupCall, JoinScene};
pub use kf::{Kf, KfAccount, KfGreeting, NoAccount};
pub use sent::{Message, Welcomed};
pub use tag::Tag;
pub use token::TokenMode;
pub use transfer::{TransferCall, TransferFlow, TransferRules};

pub(in crate::sandbox) use code::{LOGIN_LIFE_S, Visitor, WELCOME_LIFE_S, Welcome};
pub(in crate::sandbox) use contacts::{Customer, Follow, card};
pub(in crate::sandbox) use group::{GroupStatus, NotGiven, version};
pub(in crate::sandbox) use kf::{
    KEPT_S as KF_KEPT_S, SESSION_S as KF_SESSION_S, TOKEN_LIFE_S as KF_TOKEN_LIFE_S, state as kf_state,
};
pub(in crate::sandbox) use sent::keep;
pub(in crate::sandbox) use tag::group_id;
pub(in crate::sandbox) use token::{LIFE_S as TOKEN_LIFE_S, TokenError};
pub(in crate::sandbox) use transfer::{NotTaken, Outcome, Pair, Transfer};

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use bytes::Bytes;

use super::chance::{ALPHANUMERIC, Chance};
use super::push::AppKind;
use crate::ids::{CorpId, ExternalUserId, UserId};

use self::code::Codes;
use self::contact_way::ContactWays;
use self::contacts::Contacts;
use self::directory::Directory;
use self::group::Groups;
use self::media::{Media, Medium};
use self::sent::Post;
use self::token::Tokens;
use self::transfer::Transfers;
use self::window::Window;

/// The span for counting calls of one endpoint.
const MINUTE_S: i64 = 60;

/// The characters of a media id, a welcome code and a login code.
const CODE_CHARS: usize = 43;

/// How large a made-up world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Members of the company.
    pub members: usize,
    /// Its customers.
    pub customers: usize,
    /// Its departments below the whole company, at least three: a working day needs them.
    pub departments: usize,
}

/// The platform's limits, lower if a test wants to reach them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls of one endpoint in a minute.
    pub calls_per_minute: u32,
    /// The same for single endpoints, by their path such as `externalcontact/get`.
    pub calls_per_minute_of: HashMap<String, u32>,
    /// Wrong secrets from one address in an hour, before it is banned.
    pub wrong_secrets_per_hour: u32,
    /// Messages of one app to one member in a minute.
    pub messages_per_minute: u32,
    /// Messages of one app to one member in an hour.
    pub messages_per_hour: u32,
    /// Contact ways of the company.
    pub contact_ways: usize,
    /// Leavers' customers on one page.
    pub unassigned_per_page: usize,
    /// Transfers of two members on one page.
    pub transfers_per_page: usize,
    /// Groups on one page.
    pub groups_per_page: usize,
    /// Groups that one member gives away, or is given, on one day.
    pub groups_per_day: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_minute: 10_000,
            calls_per_minute_of: HashMap::new(),
            wrong_secrets_per_hour: 2000,
            messages_per_minute: 30,
            messages_per_hour: 1000,
            contact_ways: 500_000,
            unassigned_per_page: 1000,
            transfers_per_page: 1000,
            groups_per_page: 1000,
            groups_per_day: 300,
        }
    }
}

/// The pretend WeCom's state.
pub struct World {
    /// The result of requesting a token while another is valid.
    pub token_mode: TokenMode,
    /// The limits.
    pub limits: Limits,
    /// The trusted addresses (企业可信 IP); without a list every address is trusted.
    pub allowed_ips: Option<Vec<IpAddr>>,
    /// Whether a value of a wrong type is skipped with a warning; otherwise it is refused.
    pub tolerates_wrong_types: bool,
    /// Whether answers hold undocumented fields and numbers, as a later version of the platform may.
    pub speaks_of_tomorrow: bool,
    /// The company has bound a developer account, so customers have a unionid.
    pub shows_unionids: bool,
    /// How many of the next welcomes are refused because another app is sending one (41096).
    pub welcome_conflicts: u32,
    /// What members received, the oldest first.
    pub messages: VecDeque<Message>,
    /// The welcomes that customers received, the oldest first.
    pub welcomes: VecDeque<Welcomed>,
    /// Rules for the outcome of transfers.
    pub transfer_rules: TransferRules,
    /// The requests to transfer customers, the oldest first.
    pub transfer_calls: VecDeque<TransferCall>,
    /// The requests to transfer groups, the oldest first.
    pub group_calls: VecDeque<GroupCall>,
    /// 微信客服.
    pub kf: Kf,
    /// Seats and consents of the message archive.
    pub archive: Archive,
    pub(in crate::sandbox) seed: u64,
    pub(in crate::sandbox) clock: Clock,
    pub(in crate::sandbox) chance: Chance,
    pub(in crate::sandbox) corpid: CorpId,
    pub(in crate::sandbox) credentials: Vec<Credential>,
    pub(in crate::sandbox) directory: Directory,
    pub(in crate::sandbox) contacts: Contacts,
    pub(in crate::sandbox) tags: Vec<Tag>,
    pub(in crate::sandbox) contact_ways: ContactWays,
    pub(in crate::sandbox) transfers: Transfers,
    pub(in crate::sandbox) groups: Groups,
    pub(in crate::sandbox) forms: Vec<Form>,
    pub(in crate::sandbox) tokens: Tokens,
    pub(in crate::sandbox) welcome_codes: Codes<Welcome>,
    pub(in crate::sandbox) login_codes: Codes<Visitor>,
    pub(in crate::sandbox) media: Media,
    pub(in crate::sandbox) post: Post,
    calls: HashMap<String, Window>,
}

impl World {
    /// The company.
    pub fn corpid(&self) -> &CorpId {
        &self.corpid
    }

    /// The credential of the app of this kind.
    pub fn app(&self, kind: AppKind) -> Option<&Credential> {
        self.credentials.iter().find(|it| it.kind == kind)
    }

    /// The same, to change it.
    pub fn app_mut(&mut self, kind: AppKind) -> Option<&mut Credential> {
        self.credentials.iter_mut().find(|it| it.kind == kind)
    }

    /// An active member.
    pub fn member(&self, userid: &UserId) -> Option<&Member> {
        self.directory.get(self.directory.find(userid.as_str())?)
    }

    /// The same, to change them.
    pub fn member_mut(&mut self, userid: &UserId) -> Option<&mut Member> {
        let place = self.directory.find(userid.as_str())?;
        self.directory.get_mut(place)
    }

    /// All active members.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.directory.members.iter().filter(|member| member.left_at.is_none())
    }

    /// Every customer who is or was a contact.
    pub fn customers(&self) -> impl Iterator<Item = &ExternalUserId> {
        self.contacts.customers.iter().map(|customer| &customer.id)
    }

    /// A member's customers, the oldest contact first.
    pub fn customers_of(&self, userid: &UserId) -> Vec<ExternalUserId> {
        let follows = self.member(userid).map(|member| member.follows.as_slice()).unwrap_or_default();
        let customer = |&place: &u32| self.contacts.customer(self.contacts.follow(place)?.customer);
        follows.iter().filter_map(customer).map(|customer| customer.id.clone()).collect()
    }

    /// What a member wrote about a customer; none if they are no contacts.
    pub fn notes(&self, userid: &UserId, customer: &ExternalUserId) -> Option<Notes> {
        let (_, follow) = self.contact(userid, customer)?;
        Some(follow.notes.as_deref().cloned().unwrap_or_default())
    }

    /// The unionid that a customer's card shows, if the world shows any.
    pub fn unionid(&self, customer: &ExternalUserId) -> String {
        card(self.seed, customer).unionid
    }

    /// A contact way by its `config_id`.
    pub fn contact_way(&self, config_id: &str) -> Option<&ContactWay> {
        self.contact_ways.get(config_id)
    }

    /// All contact ways, the oldest first.
    pub fn contact_ways(&self) -> impl Iterator<Item = &ContactWay> {
        self.contact_ways.from(0).map(|(_, way)| way)
    }

    /// Revokes every token of the company; the next call with one gets 40014.
    pub fn revoke_tokens(&mut self, corpid: &CorpId) {
        if *corpid == self.corpid {
            self.tokens.revoke_all();
        }
    }

    /// A member opens the login page; returns the redirect's code.
    pub fn login_code(&mut self, userid: &UserId) -> String {
        self.issue_login_code(Visitor::Member(userid.clone()))
    }

    /// An outsider opens the login page, known as a customer or not.
    pub fn stranger_code(&mut self, customer: Option<&ExternalUserId>) -> String {
        self.issue_login_code(Visitor::Stranger(customer.cloned()))
    }

    /// A file that can be fetched for three days.
    pub fn add_media(&mut self, bytes: impl Into<Bytes>, content_type: &str, filename: &str) -> String {
        let media_id = format!("3{}", self.chance.text(ALPHANUMERIC, CODE_CHARS));
        let medium = Medium {
            bytes: bytes.into(),
            content_type: content_type.to_owned(),
            filename: filename.to_owned(),
            created_at: self.now(),
        };
        self.media.add(media_id.clone(), medium);
        media_id
    }

    /// Seconds since 1970, by the world's clock.
    pub(in crate::sandbox) fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// The contact between a member and a customer, and its place.
    pub(in crate::sandbox) fn contact(&self, userid: &UserId, customer: &ExternalUserId) -> Option<(u32, &Follow)> {
        let member = self.directory.find(userid.as_str())?;
        let place = self.contacts.between(member, self.contacts.find(customer)?)?;
        Some((place, self.contacts.follow(place)?))
    }

    /// Counts a call of an endpoint; false if there were too many within the minute.
    pub(in crate::sandbox) fn admits_call(&mut self, path: &str) -> bool {
        let max = self.limits.calls_per_minute_of.get(path).copied().unwrap_or(self.limits.calls_per_minute);
        self.admits(path, max)
    }

    /// Counts something of this name; false if there were more than `max` within the minute.
    pub(in crate::sandbox) fn admits(&mut self, path: &str, max: u32) -> bool {
        let now = self.now();
        match self.calls.get_mut(path) {
            Some(window) => window.admits(now, MINUTE_S, max),
            None => self.calls.entry(path.to_owned()).or_default().admits(now, MINUTE_S, max),
        }
    }

    fn issue_login_code(&mut self, visitor: Visitor) -> String {
        let code = self.chance.text(ALPHANUMERIC, CODE_CHARS);
        self.login_codes.issue(code.clone(), visitor, self.now());
        code
    }
}
