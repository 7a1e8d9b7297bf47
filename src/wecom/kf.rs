//! 微信客服: accounts, servicers, what was said, who the customers are, and who serves them.
//!
//! A page of messages is passed on as WeCom sent it: what a message says is read where it is recorded.
//!
//! <https://developer.work.weixin.qq.com/document/path/94638>, `…/94669`, `…/94670`, `…/94677`, `…/95159`, `…/95122`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    Api, ApiError, Rows,
    lenient::{self, List, Number},
    paths::KF_ON_EVENT,
    rows::{Row, is_id},
};
use crate::{
    ids::{ExternalUserId, KfSessionKey, UserId},
    repair,
    states::KfState,
};

/// How many accounts one page of the list has.
pub const ACCOUNTS_PAGE: usize = 100;

/// How many messages one page has, at most.
const MESSAGES_PAGE: usize = 1_000;

/// The budget of pulls without a token.
const WITHOUT_TOKEN: &str = "kf/sync_msg without token";

/// The callback's token is wrong or older than ten minutes.
pub const TOKEN_EXPIRED: i64 = 95007;

/// WeCom limits the calls of an endpoint.
pub const TOO_OFTEN: i64 = 45009;

/// A greeting with this msgid was sent before.
pub const SENT_BEFORE: i64 = 95033;

/// The session does not allow this move, or has ended: somebody else moved it.
pub const MOVED_ALREADY: [i64; 2] = [95016, 95013];

/// The member is no servicer of the account, has stopped, or is out of sight.
pub const NOT_SERVING: [i64; 3] = [95014, 95019, 60030];

/// The customer has not asked anything within 48 hours.
pub const NO_INQUIRY: i64 = 95031;

/// What WeCom answers to a cursor that it does not know any more.
pub const CURSOR_REFUSED: [i64; 2] = [50100, 40035];

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KfAccountRow {
    /// The account.
    pub open_kfid: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Whether the app manages it.
    #[serde(default)]
    pub manage_privilege: bool,
}

/// A servicer of an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KfServicerRow {
    /// The member.
    pub userid: UserId,
    /// 0 receiving, 1 stopped: the event has other numbers.
    #[serde(default)]
    pub status: i64,
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfPage {
    /// The messages.
    pub messages: Vec<KfItem>,
    /// Where the next page begins.
    pub next_cursor: String,
    /// Whether there is more, also after an empty page.
    pub has_more: bool,
}

/// A message as WeCom sent it, and when it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfItem {
    /// When; none if it does not say so believably.
    pub sent_at: Option<DateTime<Utc>>,
    /// Its own bytes.
    pub bytes: Vec<u8>,
}

/// Who a customer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KfCard {
    /// The customer.
    #[serde(skip_serializing)]
    pub external_userid: ExternalUserId,
    /// Their name in WeChat.
    pub nickname: Option<String>,
    /// The URL of their picture.
    pub avatar: Option<String>,
    /// 1 male, 2 female.
    pub gender: i64,
    /// Their id across WeChat's apps.
    pub unionid: Option<String>,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfSessionState {
    /// The state.
    pub state: KfState,
    /// Who has it.
    pub servicer: Option<UserId>,
}

/// `kf/account/list`.
#[derive(Debug, Deserialize)]
pub(super) struct AccountsAnswer {
    account_list: List<KfAccountRow>,
}

/// `kf/servicer/list`.
#[derive(Debug, Deserialize)]
pub(super) struct ServicersAnswer {
    servicer_list: List<KfServicerRow>,
}

/// `kf/customer/batchget`.
#[derive(Debug, Deserialize)]
pub(super) struct CustomersAnswer {
    customer_list: List<KfCard>,
}

/// `kf/service_state/get`.
#[derive(Debug, Deserialize)]
pub(super) struct StateAnswer {
    service_state: Number,
    servicer_userid: Option<UserId>,
}

impl Row for KfAccountRow {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(&self.open_kfid)).then_some("open_kfid")
    }
}

impl Row for KfServicerRow {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(self.userid.as_str())).then_some("userid")
    }
}

impl Row for KfCard {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(self.external_userid.as_str())).then_some("external_userid")
    }
}

impl Api {
    /// The accounts from that one on; fewer than [`ACCOUNTS_PAGE`] rows are the last ones. Safe to repeat.
    pub async fn kf_accounts(&self, offset: usize) -> Result<Rows<KfAccountRow>, ApiError> {
        let body = json!({ "offset": offset, "limit": ACCOUNTS_PAGE });
        let answer: AccountsAnswer = self.post("kf/account/list", &body).await?;
        Ok(answer.account_list.rows("account_list"))
    }

    /// A page of an account's messages; an empty `cursor` begins with the oldest of the last three days. Safe to repeat.
    pub async fn kf_messages(&self, open_kfid: &str, cursor: &str, token: Option<&str>) -> Result<KfPage, ApiError> {
        let mut body = json!({ "open_kfid": open_kfid, "cursor": cursor, "limit": MESSAGES_PAGE, "voice_format": 0 });
        if let (Some(token), Some(fields)) = (token, body.as_object_mut()) {
            fields.insert("token".to_owned(), token.into());
        }
        let path = "kf/sync_msg";
        // WeCom limits the calls without a token far more. That must not delay the others.
        let budget = if token.is_some() { path } else { WITHOUT_TOKEN };
        let answer = self.post_for_bytes(path, budget, &body).await?;
        page(&answer).map_err(|error| ApiError::odd(path, format!("the page cannot be read: {error}")))
    }

    /// The servicers of an account; departments among them are left out. Safe to repeat.
    pub async fn kf_servicers(&self, open_kfid: &str) -> Result<Vec<KfServicerRow>, ApiError> {
        let answer: ServicersAnswer = self.get("kf/servicer/list", &[("open_kfid", open_kfid)]).await?;
        let listed = answer.servicer_list.0.unwrap_or_default().into_iter();
        Ok(listed.filter(|it| is_id(it.userid.as_str())).collect())
    }

    /// Who a customer is; none if they neither wrote nor entered within 48 hours. Safe to repeat.
    pub async fn kf_customer(&self, customer: &ExternalUserId) -> Result<Option<KfCard>, ApiError> {
        let body = json!({ "external_userid_list": [customer], "need_enter_session_context": 1 });
        let answer: CustomersAnswer = self.post("kf/customer/batchget", &body).await?;
        Ok(answer.customer_list.rows("customer_list").into_iter().find(|it| it.external_userid == *customer))
    }

    /// Where a session stands. Safe to repeat.
    pub async fn kf_state(&self, key: &KfSessionKey) -> Result<KfSessionState, ApiError> {
        let path = "kf/service_state/get";
        let body = json!({ "open_kfid": key.open_kfid, "external_userid": key.customer });
        let answer: StateAnswer = self.post(path, &body).await?;
        let state = answer.service_state.0.and_then(KfState::of);
        let state = state.ok_or_else(|| ApiError::odd(path, "the state is none that we know"))?;
        let servicer = answer.servicer_userid.filter(|it| state == KfState::Human && is_id(it.as_str()));
        Ok(KfSessionState { state, servicer })
    }

    /// Moves a session: to a servicer, or to the pool without one. Safe to repeat: a session that was moved already
    /// refuses it ([`MOVED_ALREADY`]) or moves to the same servicer.
    pub async fn kf_move(&self, key: &KfSessionKey, servicer: Option<&UserId>) -> Result<(), ApiError> {
        let state = if servicer.is_some() { KfState::Human } else { KfState::Pool };
        let mut body = json!({
            "open_kfid": key.open_kfid, "external_userid": key.customer, "service_state": state.number(),
        });
        if let (Some(servicer), Some(fields)) = (servicer, body.as_object_mut()) {
            fields.insert("servicer_userid".to_owned(), servicer.as_str().into());
        }
        self.post::<serde::de::IgnoredAny>("kf/service_state/trans", &body).await.map(drop)
    }

    /// Greets the customer of this code; a text of at most 2,048 bytes. Safe to repeat: the msgid makes a second one
    /// answer [`SENT_BEFORE`].
    pub async fn kf_greet(&self, code: &str, msgid: &str, text: &str) -> Result<(), ApiError> {
        let body: Value = json!({ "code": code, "msgid": msgid, "msgtype": "text", "text": { "content": text } });
        self.post::<serde::de::IgnoredAny>(KF_ON_EVENT, &body).await.map(drop)
    }
}

/// Reads a page, as it was meant if it is not quite JSON.
fn page(answer: &[u8]) -> Result<KfPage, serde_json::Error> {
    let read = |text: &str| {
        // The messages stay as they are; an odd value of another field costs only itself.
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
        let messages: Vec<&RawValue> = match fields.get("msg_list") {
            Some(list) => serde_json::from_str(list.get())?,
            None => Vec::new(),
        };
        let value =
            |name: &str| fields.get(name).and_then(|it| serde_json::from_str(it.get()).ok()).unwrap_or(Value::Null);
        Ok(KfPage {
            messages: messages.into_iter().map(|it| item(it.get())).collect(),
            next_cursor: value("next_cursor").as_str().unwrap_or_default().to_owned(),
            has_more: number(&value("has_more")) == Some(1),
        })
    };
    match std::str::from_utf8(answer).map(read) {
        Ok(Ok(page)) => Ok(page),
        _ => read(&repair::json_bytes(answer)),
    }
}

fn item(text: &str) -> KfItem {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let sent = number(&value["send_time"]);
    KfItem { sent_at: sent.and_then(lenient::time), bytes: text.as_bytes().to_vec() }
}

fn number(value: &Value) -> Option<i64> {
    Number::deserialize(lenient::Reader(value)).ok()?.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_the_bytes_of_its_messages() {
        let text = r#"{"errcode":0,"next_cursor":"K2","has_more":1,"msg_list":[ {"b":1.50,"send_time":"1760000000",
            "a":"\u4f60"} , {"send_time":"soon"}]}"#;
        let page = page(text.as_bytes()).expect("a page");
        assert_eq!((page.next_cursor.as_str(), page.has_more, page.messages.len()), ("K2", true, 2));
        let first = &page.messages[0];
        assert!(first.bytes.starts_with(br#"{"b":1.50,"#) && first.bytes.ends_with(br#""a":"\u4f60"}"#));
        assert_eq!(first.sent_at.map(|it| it.timestamp()), Some(1_760_000_000));
        assert_eq!(page.messages[1].sent_at, None);
    }

    #[test]
    fn a_broken_page_is_read_as_it_was_meant() {
        let page = page(b"{\"msg_list\":[{\"text\":\"a\nb\"}],\"next_cursor\":\"K\"}").expect("repaired");
        assert_eq!(page.messages[0].bytes, br#"{"text":"a\u000ab"}"#);
        assert!(super::page(b"{\"msg_list\":7}").is_err());
        let odd = super::page(br#"{"msg_list":[],"next_cursor":7,"has_more":"1"}"#).expect("a page");
        assert_eq!((odd.next_cursor.as_str(), odd.has_more), ("", true));
    }
}
