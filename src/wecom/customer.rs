//! Customers: the members who know them, and their cards.
//!
//! <https://developer.work.weixin.qq.com/document/path/92114>, `…/92994`, `…/92571`, `…/92124`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Api, ApiError, Pages, Rows, Unreadable,
    lenient::{self, Cursor, List, Number},
    rows::{Row, is_id},
};
use crate::ids::{ExternalUserId, UserId};

/// How many customers, and how many members, `batch/get_by_user` takes at once.
pub const BATCH_MAX: usize = 100;

/// Nobody visible to the app knows the customer, or nobody at all: WeCom does not say which.
pub const NOBODY_IN_SIGHT: i64 = 84061;

/// The endpoint that lists members' customers.
pub const CUSTOMERS: &str = "externalcontact/batch/get_by_user";

/// The endpoint that lists unassigned customers.
pub const UNASSIGNED: &str = "externalcontact/get_unassigned_list";

/// How many pages of followers one customer may have; each page has 500.
const FOLLOWER_PAGES_MAX: usize = 200;

/// A customer, and each member they know.
#[derive(Debug, Clone, Deserialize)]
pub struct Customer {
    /// The customer's own data.
    #[serde(rename = "external_contact")]
    pub profile: Profile,
    /// What each member has noted about them.
    #[serde(rename = "follow_user", default)]
    pub followers: Vec<Follower>,
    /// Members whose entry could not be read.
    #[serde(skip)]
    pub unreadable: Vec<Unreadable>,
    /// Why the list of members was not read to its end, if it was not.
    #[serde(skip)]
    pub cut: Option<Box<str>>,
}

/// A customer's own data.
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

/// What a member has noted about a customer.
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
    /// When they became contacts, in unix seconds.
    #[serde(default)]
    pub createtime: i64,
    /// The tags, as `get` gives them.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The company tags' ids, as `batch/get_by_user` gives them.
    #[serde(rename = "tag_id", default)]
    pub tag_ids: Vec<String>,
    /// The phone numbers in the member's remark.
    #[serde(default)]
    pub remark_mobiles: Vec<String>,
    /// How they became contacts; the numbers are in `…/92114`.
    #[serde(default)]
    pub add_way: Number,
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

impl Follower {
    /// When they became contacts; none if it was not said.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        lenient::time(self.createtime)
    }

    /// The phone numbers that can be read.
    pub fn mobiles(&self) -> Vec<String> {
        self.remark_mobiles.iter().filter(|it| !it.is_empty()).cloned().collect()
    }
}

/// A page of customers, one for each (customer, member).
#[derive(Debug, Clone)]
pub struct Page {
    /// The contacts.
    pub contacts: Vec<Contact>,
    /// The rows that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Where the next page begins; empty at the end.
    pub next_cursor: String,
}

/// A customer of one member.
#[derive(Debug, Clone, Deserialize)]
pub struct Contact {
    /// The customer's own data.
    #[serde(rename = "external_contact")]
    pub profile: Profile,
    /// What the member has noted about them.
    #[serde(rename = "follow_info")]
    pub follower: Follower,
}

/// A page of leavers' customers who are unassigned.
#[derive(Debug, Clone)]
pub struct UnassignedPage {
    /// The leavers' customers.
    pub customers: Vec<Unassigned>,
    /// The rows that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Whether it is the last page.
    pub is_last: bool,
    /// Where the next page begins; empty at the end.
    pub next_cursor: String,
}

/// A leaver's customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unassigned {
    /// The leaver.
    pub handover_userid: UserId,
    /// The customer.
    pub external_userid: ExternalUserId,
    /// When the leaver left.
    pub left_at: DateTime<Utc>,
}

/// `externalcontact/get`.
#[derive(Debug, Deserialize)]
pub(super) struct CustomerAnswer {
    external_contact: Profile,
    follow_user: List<Follower>,
    next_cursor: Cursor,
}

/// `externalcontact/batch/get_by_user`.
#[derive(Debug, Deserialize)]
pub(super) struct ContactsAnswer {
    pub(super) external_contact_list: List<Contact>,
    next_cursor: Cursor,
}

/// `externalcontact/get_follow_user_list`.
#[derive(Debug, Deserialize)]
pub(super) struct FollowUsersAnswer {
    follow_user: List<UserId>,
}

/// `externalcontact/get_unassigned_list`.
#[derive(Debug, Deserialize)]
pub(super) struct UnassignedAnswer {
    info: List<UnassignedRow>,
    is_last: bool,
    next_cursor: Cursor,
}

/// A leaver's customer in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct UnassignedRow {
    handover_userid: UserId,
    external_userid: ExternalUserId,
    dimission_time: i64,
}

impl Row for Follower {
    fn lacks(&self) -> Option<&'static str> {
        self.user.lacks()
    }
}

impl Row for Contact {
    fn lacks(&self) -> Option<&'static str> {
        let customer = (!is_id(self.profile.external_userid.as_str())).then_some("external_userid");
        customer.or_else(|| self.follower.user.lacks())
    }

    fn about(&self) -> (Option<&UserId>, Option<&ExternalUserId>) {
        (Some(&self.follower.user), Some(&self.profile.external_userid))
    }
}

impl Row for UnassignedRow {
    fn lacks(&self) -> Option<&'static str> {
        if !is_id(self.handover_userid.as_str()) {
            return Some("handover_userid");
        }
        if !is_id(self.external_userid.as_str()) {
            return Some("external_userid");
        }
        lenient::time(self.dimission_time).is_none().then_some("dimission_time")
    }

    fn about(&self) -> (Option<&UserId>, Option<&ExternalUserId>) {
        (Some(&self.handover_userid), Some(&self.external_userid))
    }
}

/// A member's notes about a customer, to be written; `None` leaves a field as it is.
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
    /// The phone numbers, which replace the present ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark_mobiles: Option<Vec<String>>,
}

impl Api {
    /// A customer with every member visible to this app.
    ///
    /// 84061 means that nobody visible knows them any more. Safe to repeat.
    pub async fn customer(&self, customer: &ExternalUserId) -> Result<Customer, ApiError> {
        const PATH: &str = "externalcontact/get";
        let mut pages = Pages::new(PATH, FOLLOWER_PAGES_MAX);
        let answer: CustomerAnswer = self.get(PATH, &[("external_userid", customer.as_str())]).await?;
        // The customer is the requested one, whatever id the answer has.
        let profile = match is_id(answer.external_contact.external_userid.as_str()) {
            true => answer.external_contact,
            false => Profile { external_userid: customer.clone(), ..answer.external_contact },
        };
        let Rows { rows: followers, unreadable } = answer.follow_user.rows("follow_user");
        let mut whole = Customer { profile, followers, unreadable, cut: None };
        let mut asked = String::new();
        let mut next = answer.next_cursor.told(&mut whole.unreadable);
        loop {
            let cursor = match pages.follow(&asked, next) {
                Ok(Some(cursor)) => cursor,
                Ok(None) => return Ok(whole),
                Err(error) => {
                    whole.cut = Some(error.message);
                    return Ok(whole);
                }
            };
            let query = [("external_userid", customer.as_str()), ("cursor", &cursor)];
            let page: CustomerAnswer = self.get(PATH, &query).await?;
            let Rows { rows, unreadable } = page.follow_user.rows("follow_user");
            whole.followers.extend(rows);
            whole.unreadable.extend(unreadable);
            next = page.next_cursor.told(&mut whole.unreadable);
            asked = cursor;
        }
    }

    /// A page of the customers of up to [`BATCH_MAX`] members; an empty `cursor` begins. Safe to repeat.
    pub async fn customers_of(&self, users: &[UserId], cursor: &str) -> Result<Page, ApiError> {
        let body = json!({ "userid_list": users, "cursor": cursor, "limit": BATCH_MAX });
        let answer: ContactsAnswer = self.post(CUSTOMERS, &body).await?;
        let Rows { rows: contacts, mut unreadable } = answer.external_contact_list.rows("external_contact_list");
        let next_cursor = answer.next_cursor.told(&mut unreadable);
        Ok(Page { contacts, unreadable, next_cursor })
    }

    /// The members who may have customers. Safe to repeat.
    pub async fn follow_users(&self) -> Result<Rows<UserId>, ApiError> {
        let answer: FollowUsersAnswer = self.get("externalcontact/get_follow_user_list", &[]).await?;
        Ok(answer.follow_user.rows("follow_user"))
    }

    /// A page of unassigned customers of leavers; an empty `cursor` begins. Safe to repeat.
    pub async fn unassigned(&self, cursor: &str) -> Result<UnassignedPage, ApiError> {
        let body = json!({ "cursor": cursor, "page_size": 1_000 });
        let answer: UnassignedAnswer = self.post(UNASSIGNED, &body).await?;
        let listed = answer.info.rows("info").map(|it| {
            // Rows without a time are left out before, so the default is never used.
            let left_at = lenient::time(it.dimission_time).unwrap_or_default();
            Unassigned { handover_userid: it.handover_userid, external_userid: it.external_userid, left_at }
        });
        let Rows { rows: customers, mut unreadable } = listed;
        let next_cursor = answer.next_cursor.told(&mut unreadable);
        Ok(UnassignedPage { customers, unreadable, is_last: answer.is_last, next_cursor })
    }

    /// Writes a member's notes about a customer. Safe to repeat; causes no callback.
    pub async fn remark(&self, remark: &Remark) -> Result<(), ApiError> {
        self.post::<serde::de::IgnoredAny>("externalcontact/remark", remark).await.map(drop)
    }
}
