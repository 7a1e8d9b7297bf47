//! Identifiers as types: a `UserId` can never be passed where an `ExternalUserId` is meant.
//!
//! Each holds the platform's (or the business's) string as it was delivered. Nothing here validates: WeCom's prefixes
//! are known from examples only.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(pub String);

        impl $name {
            /// The id as WeCom or the business wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// `corpid`: one company, `ww…` or `wx…`.
    CorpId
}
id! {
    /// `UserID`: a member of the company, as WeCom names them (`wechat_userid` in our tables).
    UserId
}
id! {
    /// `ExternalUserID`: a person outside the company, as WeCom names them.
    ExternalUserId
}
id! {
    /// A customer's id in the company's own system; null in our tables until it is matched.
    CustomerId
}
id! {
    /// A staff member's id in the company's own system.
    StaffId
}

id! {
    /// `ChatId`: a group of members and customers, `wr…`.
    ChatId
}

id! {
    /// The `state` of a contact way that we made for one customer; it cannot be guessed.
    ContactWayState
}

impl UserId {
    /// The key that all spellings of this id share. WeCom ignores the case of userids, but not of open_userids
    /// (`wo…`), which a provider's app gets instead. `userid_key` in the migrations does the same.
    pub fn key(&self) -> String {
        let made = self.0.strip_prefix(OPEN_PREFIX).is_some_and(|rest| {
            rest.len() >= MADE_REST_MIN && rest.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        });
        if made { self.0.clone() } else { self.0.to_ascii_lowercase() }
    }

    /// Whether this is the same id, in any spelling.
    pub fn is(&self, other: &Self) -> bool {
        self == other || self.key() == other.key()
    }
}

/// The prefix of an open_userid.
const OPEN_PREFIX: &str = "wo";

impl ExternalUserId {
    /// Reads a message's sender as a customer if it has the shape of a customer's id: a guess, for senders that were
    /// never named as a member. An id that was named as a member's is a member's, whatever its shape
    /// (`tables/member_alias.rs`).
    ///
    /// The platform sends both kinds of id in `FromUserName` and marks neither. Customers' ids begin with
    /// `wm`, `wo` or `wb` and go on with some thirty letters of mixed case; members' ids are chosen by people
    /// (`wolfgang`), so the prefix alone is not enough.
    pub fn from_sender(sender: &str) -> Option<Self> {
        let rest = ["wm", "wo", "wb"].iter().find_map(|prefix| sender.strip_prefix(prefix))?;
        let first = rest.bytes().next()?;
        let looks_made = !first.is_ascii_lowercase() || rest.len() >= MADE_REST_MIN;
        looks_made.then(|| Self(sender.to_owned()))
    }

    /// Every id with a customer's shape in a text.
    pub fn mentioned_in(text: &[u8]) -> BTreeSet<Self> {
        let part_of_id = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
        let words = text.split(|it| !part_of_id(it)).filter(|word| word.starts_with(b"w"));
        words.filter_map(|word| Self::from_sender(std::str::from_utf8(word).ok()?)).collect()
    }
}

/// An id with a prefix and at least this many further characters was made by WeCom, not chosen by a person.
const MADE_REST_MIN: usize = 18;

impl CustomerId {
    /// The business's customer id in a contact way's `state`: `cust:` and the id.
    ///
    /// A `state` is set by the company when it makes a contact way and holds at most 30 characters; the
    /// customer who scans cannot choose it.
    pub fn from_state(state: &str) -> Option<Self> {
        state.strip_prefix("cust:").map(str::trim).filter(|id| !id.is_empty()).map(Self::from)
    }
}

impl ContactWayState {
    /// A new one: 128 random bits, 26 of the 30 characters that a `state` may have.
    pub fn random() -> Self {
        Self(format!("{WAY_PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())))
    }

    /// Reads a `state` as one of ours, by its shape alone.
    pub fn from_state(state: &str) -> Option<Self> {
        state.starts_with(WAY_PREFIX).then(|| Self::from(state))
    }
}

/// The prefix of our contact ways' `state`; other tools use states of their own.
const WAY_PREFIX: &str = "way_";

/// The identity of a delivery: its app, the event's own time, and the SHA-256 of its plaintext.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// The event's own time, to the second; the epoch if it carries none.
    pub event_at: DateTime<Utc>,
    /// The app it was sent to: `enterprise_wechat_config.id`.
    pub app_id: i32,
    /// SHA-256 of the decrypted plaintext.
    pub hash: [u8; 32],
}

impl DeliveryKey {
    /// The id of its record: the same for the same event, through whichever app it came.
    pub fn record_id(&self) -> Uuid {
        first_half(&self.hash)
    }
}

fn first_half(hash: &[u8; 32]) -> Uuid {
    let (half, _) = hash.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    Uuid::from_bytes(*half)
}

/// A session of 微信客服: an account and a customer, `open_kfid/external_userid` as the subject of tasks and items.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KfSessionKey {
    /// The account.
    pub open_kfid: String,
    /// The customer.
    pub customer: ExternalUserId,
}

impl KfSessionKey {
    /// Reads a subject; none if it is not one.
    pub fn of(subject: &str) -> Option<Self> {
        let (open_kfid, customer) = subject.split_once('/')?;
        Some(Self { open_kfid: open_kfid.to_owned(), customer: customer.into() })
    }
}

impl std::fmt::Display for KfSessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.open_kfid, self.customer)
    }
}

/// The id of the record of a pulled message: the first half of SHA-256 of where it comes from (`archive`, `kf`), its corp
/// and WeCom's msgid. A repeat that is serialised in another way, or that another app pulled, is the same record, and a
/// recall finds it by the msgid alone.
pub fn pulled_record_id(origin: &str, corpid: &CorpId, msgid: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(format!("{origin}\0{corpid}\0{msgid}")).into();
    first_half(&hash)
}

/// `app-seconds-hash`, as people and the API write it: `1-1700000000-8f55d7db…`.
impl std::fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.app_id, self.event_at.timestamp(), hex::encode(self.hash))
    }
}

impl std::str::FromStr for DeliveryKey {
    type Err = NotADeliveryKey;

    fn from_str(text: &str) -> Result<Self, NotADeliveryKey> {
        let (app, rest) = text.split_once('-').ok_or(NotADeliveryKey)?;
        let (seconds, hash) = rest.rsplit_once('-').ok_or(NotADeliveryKey)?;
        let mut key = Self { event_at: DateTime::UNIX_EPOCH, app_id: 0, hash: [0; 32] };
        key.app_id = app.parse().map_err(|_| NotADeliveryKey)?;
        let seconds = seconds.parse().map_err(|_| NotADeliveryKey)?;
        key.event_at = DateTime::from_timestamp(seconds, 0).ok_or(NotADeliveryKey)?;
        hex::decode_to_slice(hash, &mut key.hash).map_err(|_| NotADeliveryKey)?;
        Ok(key)
    }
}

/// The text is not `app-seconds-hash`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delivery is named app-seconds-hash, as `wecomd inbox list` prints it")]
pub struct NotADeliveryKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_that_look_like_customers_are_distinguished_from_members() {
        assert!(ExternalUserId::from_sender("woEXAMPLE000000000000000000000001").is_some());
        assert!(ExternalUserId::from_sender("wmqfasd1e19278asdasdddd").is_some());
        for member in ["wolfgang", "wmartin", "zhangsan", "wm", ""] {
            assert!(ExternalUserId::from_sender(member).is_none(), "{member}");
        }
    }

    #[test]
    fn a_userid_is_the_same_in_any_case_and_an_open_userid_is_not() {
        let same = |one: &str, other: &str| UserId::from(one).is(&UserId::from(other));
        assert!(same("ZhangSan", "zhangsan") && same("Wo.Li-7@corp_x", "wo.li-7@CORP_X") && same("WM001", "wm001"));
        assert!(!same("woAJ2GCAAAXtWyujaWJHDDGi0mACAA01", "woaj2gcaaaxtwyujawjhddgi0macaa01"));
        assert!(!same("zhangsan", "zhangsan1"));
    }

    #[test]
    fn customer_ids_are_found_anywhere_in_a_text() {
        let text = b"<From><![CDATA[wmAlice]]></From><X>{\"u\":\"wo_Bob-1\"}</X> wolfgang wmAlice \xff woman";
        let found: Vec<_> = ExternalUserId::mentioned_in(text).into_iter().map(|it| it.0).collect();
        assert_eq!(found, ["wmAlice", "wo_Bob-1"]);
    }

    #[test]
    fn a_contact_way_state_fits_the_limit_and_is_recognised_by_its_form() {
        let state = ContactWayState::random();
        assert_eq!(state.as_str().len(), 26);
        assert_ne!(state, ContactWayState::random());
        assert_eq!(ContactWayState::from_state(state.as_str()), Some(state));
        assert_eq!(ContactWayState::from_state("booth-3"), None);
    }

    #[test]
    fn a_delivery_key_reads_back_as_it_is_written() {
        let key =
            DeliveryKey { event_at: DateTime::from_timestamp(-5, 0).expect("in range"), app_id: 7, hash: [9; 32] };
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("1-2".parse::<DeliveryKey>(), Err(NotADeliveryKey));
    }

    #[test]
    fn a_pulled_message_has_one_id_in_its_corp_and_another_one_elsewhere() {
        let id = |origin: &str, corp: &str, msgid: &str| pulled_record_id(origin, &CorpId::from(corp), msgid);
        // The first half of SHA-256("kf\0ww1\0m-1").
        assert_eq!(id("kf", "ww1", "m-1").to_string(), "c0002d65-a8da-0028-19ca-6c4bd9c505aa");
        let others = [id("archive", "ww1", "m-1"), id("kf", "ww2", "m-1"), id("kf", "ww1", "m-2")];
        assert!(others.iter().all(|it| *it != id("kf", "ww1", "m-1")));
    }

    #[test]
    fn only_a_state_with_the_prefix_names_a_customer() {
        assert_eq!(CustomerId::from_state("cust:C-1001"), Some(CustomerId::from("C-1001")));
        assert_eq!(CustomerId::from_state("booth-3"), None);
        assert_eq!(CustomerId::from_state("cust: "), None);
    }
}
