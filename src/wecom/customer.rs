//! Customers: whose they are, and what their cards say.
//!
//! <https://developer.work.weixin.qq.com/document/path/92114>, `…/92994`, `…/92571`, `…/92124`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Api, ApiError};
use crate::ids::{ExternalUserId, UserId};

/// How many customers, and how many members, `batch/get_by_user` takes at once.
pub const BATCH_MAX: usize = 100;

/// Nobody in the app's sight knows the customer, or nobody at all: WeCom does not say which.
pub const NOBODY_IN_SIGHT: i64 = 84061;

/// How many pages of followers one customer may have: 500 are on each.
const FOLLOWER_PAGES_MAX: usize = 200;

/// A customer, and each member they know.
#[derive(Debug, Clone, Deserialize)]
pub struct Customer {
    /// The customer as such.
    #[serde(rename = "external_contact")]
    pub profile: Profile,
    /// What each member knows of them.
    #[serde(rename = "follow_user", default)]
    pub followers: Vec<Follower>,
}

/// A customer as such.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Profile {
    /// The customer's id.
    pub external_userid: ExternalUserId,
    /// The name in WeChat.
    #[serde(default)]
    pub name: String,
    /// The picture's URL.
    #[serde(default)]
    pub avatar: Option<String>,
    /// 1 a WeChat user, 2 a member of another company.
    #[serde(rename = "type", default)]
    pub kind: i64,
    /// The id across the company's WeChat apps; only for WeChat users, and if the company bound an account.
    #[serde(default)]
    pub unionid: Option<String>,
}

/// What a member knows of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Follower {
    /// The member.
    #[serde(rename = "userid")]
    pub user: UserId,
    /// The name the member gave them.
    #[serde(default)]
    pub remark: String,
    /// The member's note.
    #[serde(default)]
    pub description: String,
    /// Since when they are contacts, in unix seconds.
    #[serde(default)]
    pub createtime: i64,
    /// The tags, as `get` gives them.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The company tags' ids, as `batch/get_by_user` gives them.
    #[serde(rename = "tag_id", default)]
    pub tag_ids: Vec<String>,
    /// The phone numbers the member wrote down.
    #[serde(default)]
    pub remark_mobiles: Vec<String>,
    /// How they became contacts; the numbers are in `…/92114`.
    #[serde(default)]
    pub add_way: Option<i64>,
    /// The `state` of the contact way.
    #[serde(default)]
    pub state: Option<String>,
}

/// A tag that a member gave a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tag {
    /// Its id; a personal tag has none.
    #[serde(default)]
    pub tag_id: Option<String>,
    /// Its name.
    #[serde(rename = "tag_name", default)]
    pub name: String,
    /// Its group's name.
    #[serde(default)]
    pub group_name: String,
}

/// A page of customers, one for each (customer, member).
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// The contacts.
    #[serde(rename = "external_contact_list", default)]
    pub contacts: Vec<Contact>,
    /// Where the next page begins; empty at the end.
    #[serde(default)]
    pub next_cursor: String,
}

/// A customer of one member.
#[derive(Debug, Clone, Deserialize)]
pub struct Contact {
    /// The customer as such.
    #[serde(rename = "external_contact")]
    pub profile: Profile,
    /// What the member knows of them.
    #[serde(rename = "follow_info")]
    pub follower: Follower,
}

/// A page of leavers' customers whom nobody has taken over.
#[derive(Debug, Clone, Deserialize)]
pub struct UnassignedPage {
    /// The leavers' customers.
    #[serde(rename = "info", default)]
    pub customers: Vec<Unassigned>,
    /// Whether it is the last page.
    #[serde(default)]
    pub is_last: bool,
    /// Where the next page begins; empty at the end.
    #[serde(default)]
    pub next_cursor: String,
}

/// A leaver's customer.
#[derive(Debug, Clone, Deserialize)]
pub struct Unassigned {
    /// The leaver.
    pub handover_userid: UserId,
    /// The customer.
    pub external_userid: ExternalUserId,
    /// When the leaver left.
    #[serde(rename = "dimission_time", with = "chrono::serde::ts_seconds")]
    pub left_at: DateTime<Utc>,
}

/// What a member shall know of a customer; none leaves it as it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Remark {
    /// The member.
    pub userid: String,
    /// The customer.
    pub external_userid: String,
    /// The name, at most 20 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// The note, at most 150 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The phone numbers, replacing those that stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark_mobiles: Option<Vec<String>>,
}

impl Api {
    /// A customer with every member that this app may see.
    ///
    /// 84061 means that nobody in sight knows them any more. Safe to repeat.
    pub async fn customer(&self, customer: &ExternalUserId) -> Result<Customer, ApiError> {
        const PATH: &str = "externalcontact/get";
        #[derive(Deserialize)]
        struct Answer {
            #[serde(flatten)]
            customer: Customer,
            #[serde(default)]
            next_cursor: String,
        }
        let first: Answer = self.get(PATH, &[("external_userid", customer.as_str())]).await?;
        let (mut whole, mut cursor) = (first.customer, first.next_cursor);
        for _ in 1..FOLLOWER_PAGES_MAX {
            if cursor.is_empty() {
                break;
            }
            let next: Answer = self.get(PATH, &[("external_userid", customer.as_str()), ("cursor", &cursor)]).await?;
            whole.followers.extend(next.customer.followers);
            cursor = next.next_cursor;
        }
        Ok(whole)
    }

    /// A page of the customers of up to [`BATCH_MAX`] members; an empty `cursor` begins. Safe to repeat.
    pub async fn customers_of(&self, users: &[UserId], cursor: &str) -> Result<Page, ApiError> {
        let body = json!({ "userid_list": users, "cursor": cursor, "limit": BATCH_MAX });
        self.post("externalcontact/batch/get_by_user", &body).await
    }

    /// The members who may have customers. Safe to repeat.
    pub async fn follow_users(&self) -> Result<Vec<UserId>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            follow_user: Vec<UserId>,
        }
        let answer: Answer = self.get("externalcontact/get_follow_user_list", &[]).await?;
        Ok(answer.follow_user)
    }

    /// A page of leavers' customers whom nobody has taken over; an empty `cursor` begins. Safe to repeat.
    pub async fn unassigned(&self, cursor: &str) -> Result<UnassignedPage, ApiError> {
        let body = json!({ "cursor": cursor, "page_size": 1_000 });
        self.post("externalcontact/get_unassigned_list", &body).await
    }

    /// Writes what a member knows of a customer. Safe to repeat; makes no callback.
    pub async fn remark(&self, remark: &Remark) -> Result<(), ApiError> {
        self.post::<serde::de::IgnoredAny>("externalcontact/remark", remark).await.map(drop)
    }
}
