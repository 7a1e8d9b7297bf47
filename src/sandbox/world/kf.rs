//! 微信客服 of the pretend WeCom: accounts, what was said in them, sessions, tokens, greetings.
//!
//! Customers and servicers act in it; the API reads what was said through cursors, and moves sessions.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

use super::{CODE_CHARS, World, card};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::chance::ALPHANUMERIC;
use crate::sandbox::day::wire::event;
use crate::sandbox::push::{AppKind, Push};

/// How long messages are kept, and how long a customer may be asked who they are, in seconds.
pub(in crate::sandbox) const KEPT_S: i64 = 3 * 24 * 3600;

/// The same for a session after the customer's last word.
pub(in crate::sandbox) const SESSION_S: i64 = 48 * 3600;

/// How long a callback's token is valid, in seconds.
pub(in crate::sandbox) const TOKEN_LIFE_S: i64 = 600;

/// The state of a session, by WeCom's numbers.
pub(in crate::sandbox) mod state {
    pub(in crate::sandbox) const NEW: i64 = 0;
    pub(in crate::sandbox) const POOL: i64 = 2;
    pub(in crate::sandbox) const HUMAN: i64 = 3;
    pub(in crate::sandbox) const ENDED: i64 = 4;
}

/// An account.
#[derive(Debug, Clone)]
pub struct KfAccount {
    /// `wk…`.
    pub open_kfid: String,
    /// Its name.
    pub name: String,
    /// Whether the app manages it.
    pub managed: bool,
    /// Its servicers, and whether each receives customers.
    pub servicers: BTreeMap<UserId, bool>,
    /// What was said, and when, the oldest first.
    pub(in crate::sandbox) log: Vec<(i64, Value)>,
    pub(in crate::sandbox) sessions: HashMap<ExternalUserId, KfSession>,
}

/// A session.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct KfSession {
    pub(in crate::sandbox) state: i64,
    pub(in crate::sandbox) servicer: Option<UserId>,
    /// When the customer last wrote.
    pub(in crate::sandbox) wrote_at: Option<i64>,
    /// When the customer last entered.
    pub(in crate::sandbox) entered_at: Option<i64>,
    pub(in crate::sandbox) welcomed_at: Option<i64>,
}

/// A greeting that a customer received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfGreeting {
    /// The account.
    pub open_kfid: String,
    /// The customer.
    pub customer: ExternalUserId,
    /// The text.
    pub text: String,
    /// The id that the caller gave it.
    pub msgid: String,
}

/// What a code of 微信客服 may be used for.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct KfCode {
    pub(in crate::sandbox) open_kfid: String,
    pub(in crate::sandbox) customer: ExternalUserId,
}

/// All of 微信客服.
#[derive(Debug)]
pub struct Kf {
    /// The accounts.
    pub accounts: Vec<KfAccount>,
    /// The greetings that customers received, the oldest first.
    pub greetings: VecDeque<KfGreeting>,
    /// How many pulls without a token an account allows in a minute.
    pub tokenless_per_minute: u32,
    /// How many messages a page has.
    pub per_page: usize,
    /// Whether an empty page, with more to come, precedes each other one.
    pub empty_pages: bool,
    /// Whether cards show a unionid: the company has bound a developer account in 微信客服.
    pub shows_unionids: bool,
    /// The unionid of a customer, instead of a made-up one.
    pub unionids: HashMap<ExternalUserId, String>,
    pub(in crate::sandbox) tokens: HashMap<String, (String, i64)>,
    pub(in crate::sandbox) codes: super::code::Codes<KfCode>,
    pub(in crate::sandbox) said: u64,
}

impl Default for Kf {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            greetings: VecDeque::new(),
            tokenless_per_minute: 60,
            per_page: 1_000,
            empty_pages: false,
            shows_unionids: true,
            unionids: HashMap::new(),
            tokens: HashMap::new(),
            codes: super::code::Codes::default(),
            said: 0,
        }
    }
}

/// There is no such account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such account")]
pub struct NoAccount;

impl Kf {
    /// The account of that id.
    pub fn account(&self, open_kfid: &str) -> Option<&KfAccount> {
        self.accounts.iter().find(|it| it.open_kfid == open_kfid)
    }

    /// The same, to change it.
    pub fn account_mut(&mut self, open_kfid: &str) -> Option<&mut KfAccount> {
        self.accounts.iter_mut().find(|it| it.open_kfid == open_kfid)
    }
}

impl KfAccount {
    /// The state of a customer's session and who has it.
    pub fn session(&self, customer: &ExternalUserId) -> Option<(i64, Option<UserId>)> {
        self.sessions.get(customer).map(|it| (it.state, it.servicer.clone()))
    }

    /// Forgets all sessions, as after two days: the next word begins a new one.
    pub fn forget_sessions(&mut self) {
        self.sessions.clear();
    }

    /// The same, made if there is none.
    pub(in crate::sandbox) fn session_mut(&mut self, customer: &ExternalUserId) -> &mut KfSession {
        self.sessions.entry(customer.clone()).or_insert(KfSession {
            state: state::ENDED,
            servicer: None,
            wrote_at: None,
            entered_at: None,
            welcomed_at: None,
        })
    }
}

impl World {
    /// Adds an account that the app manages, with these servicers, all of whom receive customers.
    pub fn add_kf_account(&mut self, name: &str, servicers: &[&str]) -> String {
        let open_kfid = format!("wk{}", self.chance.text(ALPHANUMERIC, 28));
        self.open_kf_account(&open_kfid, name, servicers);
        open_kfid
    }

    /// A callback that is told elsewhere: its account exists and its token is good.
    pub(in crate::sandbox) fn know_kf_callback(&mut self, open_kfid: &str, token: &str) {
        if self.kf.account(open_kfid).is_none() {
            self.open_kf_account(open_kfid, "客服", &[]);
        }
        let now = self.now();
        self.kf.tokens.insert(token.to_owned(), (open_kfid.to_owned(), now));
    }

    fn open_kf_account(&mut self, open_kfid: &str, name: &str, servicers: &[&str]) {
        self.kf.accounts.push(KfAccount {
            open_kfid: open_kfid.to_owned(),
            name: name.to_owned(),
            managed: true,
            servicers: servicers.iter().map(|it| (UserId::from(*it), true)).collect(),
            log: Vec::new(),
            sessions: HashMap::new(),
        });
    }

    /// What a customer is called.
    pub(in crate::sandbox) fn kf_nickname(&self, customer: &ExternalUserId) -> String {
        let known = self.contacts.find(customer).and_then(|place| self.contacts.customer(place));
        known.map_or_else(|| "微信用户".to_owned(), |it| it.nickname.to_string())
    }

    /// The unionid that a customer's card in 微信客服 shows.
    pub(in crate::sandbox) fn kf_unionid(&self, customer: &ExternalUserId) -> String {
        let made_up = || card(self.seed, customer).unionid;
        self.kf.unionids.get(customer).cloned().unwrap_or_else(made_up)
    }

    /// A customer opens a conversation through a link.
    pub(in crate::sandbox) fn kf_enter(
        &mut self,
        open_kfid: &str,
        customer: &ExternalUserId,
        scene_param: &str,
    ) -> Result<Push, NoAccount> {
        let now = self.now();
        let code = self.chance.text(ALPHANUMERIC, CODE_CHARS);
        let account = self.kf.account_mut(open_kfid).ok_or(NoAccount)?;
        let session = account.session_mut(customer);
        session.entered_at = Some(now);
        let lately = |at: Option<i64>| at.is_some_and(|at| now - at < SESSION_S);
        let welcomes = !lately(session.welcomed_at) && !lately(session.wrote_at);
        let mut said = json!({
            "event_type": "enter_session", "open_kfid": open_kfid, "external_userid": customer, "scene": "home",
            "scene_param": scene_param,
        });
        if welcomes {
            session.welcomed_at = Some(now);
            said["welcome_code"] = code.clone().into();
            let meaning = KfCode { open_kfid: open_kfid.to_owned(), customer: customer.clone() };
            self.kf.codes.issue(code, meaning, now);
        }
        self.kf_event(open_kfid, said)
    }

    /// A customer says something: `msgtype` and its content. A session that had ended is new again.
    pub(in crate::sandbox) fn kf_say(
        &mut self,
        open_kfid: &str,
        customer: &ExternalUserId,
        msgtype: &str,
        content: Value,
    ) -> Result<Push, NoAccount> {
        let now = self.now();
        let session = self.kf.account_mut(open_kfid).ok_or(NoAccount)?.session_mut(customer);
        session.wrote_at = Some(now);
        if session.state == state::ENDED {
            (session.state, session.servicer) = (state::NEW, None);
        }
        let said = json!({
            "open_kfid": open_kfid, "external_userid": customer, "origin": 3, "msgtype": msgtype, msgtype: content,
        });
        self.kf_add(open_kfid, said)
    }

    /// A servicer writes in WeCom, and has the session.
    pub(in crate::sandbox) fn kf_reply(
        &mut self,
        open_kfid: &str,
        servicer: &UserId,
        customer: &ExternalUserId,
        text: &str,
    ) -> Result<Push, NoAccount> {
        let session = self.kf.account_mut(open_kfid).ok_or(NoAccount)?.session_mut(customer);
        (session.state, session.servicer) = (state::HUMAN, Some(servicer.clone()));
        let said = json!({
            "open_kfid": open_kfid, "external_userid": customer, "origin": 5, "servicer_userid": servicer,
            "msgtype": "text", "text": { "content": text },
        });
        self.kf_add(open_kfid, said)
    }

    /// A servicer ends a session in WeCom.
    pub(in crate::sandbox) fn kf_end(
        &mut self,
        open_kfid: &str,
        servicer: &UserId,
        customer: &ExternalUserId,
    ) -> Result<Push, NoAccount> {
        let session = self.kf.account_mut(open_kfid).ok_or(NoAccount)?.session_mut(customer);
        (session.state, session.servicer) = (state::ENDED, None);
        let said = json!({
            "event_type": "session_status_change", "open_kfid": open_kfid, "external_userid": customer, "change_type": 3,
            "old_servicer_userid": servicer, "msg_code": "MC",
        });
        self.kf_event(open_kfid, said)
    }

    /// A customer recalls what they said last.
    pub(in crate::sandbox) fn kf_recall(
        &mut self,
        open_kfid: &str,
        customer: &ExternalUserId,
    ) -> Result<Push, NoAccount> {
        let account = self.kf.account(open_kfid).ok_or(NoAccount)?;
        let theirs = |it: &&(i64, Value)| it.1["external_userid"] == customer.as_str() && it.1["origin"] == 3;
        let msgid = account.log.iter().rev().find(theirs).map(|(_, said)| said["msgid"].clone()).unwrap_or_default();
        let said = json!({
            "event_type": "user_recall_msg", "open_kfid": open_kfid, "external_userid": customer, "recall_msgid": msgid,
        });
        self.kf_event(open_kfid, said)
    }

    fn kf_event(&mut self, open_kfid: &str, said: Value) -> Result<Push, NoAccount> {
        self.kf_add(open_kfid, json!({ "origin": 4, "msgtype": "event", "event": said }))
    }

    /// Adds something that was said, and the callback that tells of it.
    pub(in crate::sandbox) fn kf_add(&mut self, open_kfid: &str, mut said: Value) -> Result<Push, NoAccount> {
        let now = self.now();
        self.kf.said += 1;
        said["msgid"] = format!("kfmsg{:08}", self.kf.said).into();
        said["send_time"] = now.into();
        self.kf.account_mut(open_kfid).ok_or(NoAccount)?.log.push((now, said));
        Ok(self.kf_callback(open_kfid))
    }

    /// A callback of an account, with a new token.
    pub(in crate::sandbox) fn kf_callback(&mut self, open_kfid: &str) -> Push {
        let now = self.now();
        let token = format!("ENC{}", self.chance.text(ALPHANUMERIC, CODE_CHARS));
        self.kf.tokens.insert(token.clone(), (open_kfid.to_owned(), now));
        let document = event(&self.corpid, now, "kf_msg_or_event").cdata("Token", token).cdata("OpenKfId", open_kfid);
        Push::genuine(AppKind::App, document.document())
    }
}
