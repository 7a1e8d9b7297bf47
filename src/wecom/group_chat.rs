//! Customer groups (客户群): who owns them, who is in them, and transferring them to another member.
//!
//! According to WeCom's documents a group is transferred at once: [`Api::group`] tells the current owner.
//!
//! <https://developer.work.weixin.qq.com/document/path/92120>, `…/92122`, `…/92127`, `…/95703`.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{
    Api, ApiError, Rows, Unreadable,
    lenient::{self, Cursor, List, Number},
    paths::{GROUPS_IN_SERVICE, GROUPS_RESIGNED},
    rows::{Row, is_id},
    transfer::TransferFlow,
};
use crate::ids::UserId;

/// How many groups one call transfers.
pub const GROUPS_MAX: usize = 100;

/// How many owners one list may name.
pub const OWNERS_MAX: usize = 100;

/// How many groups one page of a list has.
const PAGE: usize = 1_000;

/// The endpoint that lists a member's groups.
pub const LIST: &str = "externalcontact/groupchat/list";

/// The group was dissolved.
pub const DISSOLVED: i64 = 49008;

/// There is no such group, it is no customer group, or its owner is out of the app's sight.
pub const NO_GROUP_IN_SIGHT: &[i64] = &[40050, 60011, 86003, 90501, 90509];

/// The errcode for a group on the list of failures without a code: -1 is the platform's unspecific error.
const UNSAID: i64 = -1;

/// A page of a member's groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPage {
    /// The groups.
    pub groups: Vec<GroupRow>,
    /// The rows that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Where the next page begins; empty at the end.
    pub next_cursor: String,
}

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupRow {
    /// Its id.
    pub chat_id: String,
    /// 0 normal, 1 its owner has left, 2 somebody else is taking it over, 3 somebody else has.
    #[serde(default)]
    pub status: i64,
}

/// A group's details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub chat_id: String,
    /// Its name; empty if it has none.
    pub name: String,
    /// Its owner; none if that could not be read.
    pub owner: Option<UserId>,
    /// When it was made.
    pub made_at: Option<DateTime<Utc>>,
    /// Its notice; empty if it has none.
    pub notice: String,
    /// Its administrators.
    pub admins: Vec<UserId>,
    /// The members and customers in it.
    pub people: Vec<GroupMember>,
    /// The rows of people or administrators that could not be read: if there are any, a missing person proves nothing.
    pub unreadable: Vec<Unreadable>,
    /// The version of its list of people; empty if that could not be read.
    pub member_version: String,
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupMember {
    /// A member's userid, or a customer's external_userid.
    #[serde(rename = "userid")]
    pub person: String,
    /// 1 a member, 2 a customer.
    #[serde(rename = "type", default)]
    pub kind: Number,
    /// A customer's id across the company's WeChat apps, also of somebody who is nobody's contact.
    #[serde(default)]
    pub unionid: Option<String>,
    /// When they joined, in unix seconds.
    #[serde(default)]
    join_time: i64,
    /// How: 1 invited, 2 by a link, 3 by the group's code.
    #[serde(default)]
    pub join_scene: Number,
    /// The `state` of the way by which they joined.
    #[serde(default)]
    pub state: Option<String>,
    /// Who invited them, if that was a member.
    #[serde(default)]
    invitor: Invitor,
    /// Their name in this group.
    #[serde(default)]
    pub group_nickname: String,
    /// Their own name.
    #[serde(default)]
    pub name: String,
}

/// A member who is named in an object of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Invitor {
    userid: Option<UserId>,
}

/// An administrator of a group in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct AdminRow {
    userid: UserId,
}

impl GroupMember {
    /// When they joined; none if it was not said.
    pub fn joined_at(&self) -> Option<DateTime<Utc>> {
        lenient::time(self.join_time)
    }

    /// The member who invited them.
    pub fn invitor(&self) -> Option<&UserId> {
        self.invitor.userid.as_ref().filter(|it| is_id(it.as_str()))
    }
}

/// A group that was not transferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFailed {
    /// Its id.
    pub chat_id: String,
    /// The reason; [`super::Meaning::of`] has the words.
    pub errcode: i64,
}

/// `externalcontact/groupchat/list`.
#[derive(Debug, Deserialize)]
pub(super) struct GroupsAnswer {
    group_chat_list: List<GroupRow>,
    next_cursor: Cursor,
}

/// `externalcontact/groupchat/get`.
#[derive(Debug, Deserialize)]
pub(super) struct GroupAnswer {
    group_chat: GroupShown,
}

/// A group in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct GroupShown {
    name: String,
    owner: Option<UserId>,
    create_time: i64,
    notice: String,
    member_list: List<GroupMember>,
    admin_list: List<AdminRow>,
    member_version: String,
}

/// `externalcontact/groupchat/transfer` and its sister.
#[derive(Debug, Deserialize)]
pub(super) struct GroupsTransferredAnswer {
    failed_chat_list: List<GroupFailedRow>,
}

/// A failed group in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct GroupFailedRow {
    chat_id: String,
    errcode: Number,
}

impl Row for GroupRow {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(&self.chat_id)).then_some("chat_id")
    }
}

impl Row for GroupMember {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(&self.person)).then_some("userid")
    }
}

impl Row for AdminRow {
    fn lacks(&self) -> Option<&'static str> {
        self.userid.lacks()
    }
}

impl Row for GroupFailedRow {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(&self.chat_id)).then_some("chat_id")
    }
}

impl Api {
    /// A page of the groups that a member owns, active or not; an empty `cursor` begins. Safe to repeat.
    pub async fn groups_of(&self, owner: &UserId, cursor: &str) -> Result<GroupPage, ApiError> {
        self.groups_of_all(std::slice::from_ref(owner), cursor).await
    }

    /// The same for up to [`OWNERS_MAX`] members.
    pub async fn groups_of_all(&self, owners: &[UserId], cursor: &str) -> Result<GroupPage, ApiError> {
        let body = json!({
            "status_filter": 0, "owner_filter": { "userid_list": owners }, "cursor": cursor, "limit": PAGE,
        });
        let answer: GroupsAnswer = self.post(LIST, &body).await?;
        let Rows { rows: groups, mut unreadable } = answer.group_chat_list.rows("group_chat_list");
        let next_cursor = answer.next_cursor.told(&mut unreadable);
        Ok(GroupPage { groups, unreadable, next_cursor })
    }

    /// A group's details. Safe to repeat.
    pub async fn group(&self, chat_id: &str) -> Result<Group, ApiError> {
        let body = json!({ "chat_id": chat_id, "need_name": 1 });
        let GroupAnswer { group_chat: it } = self.post("externalcontact/groupchat/get", &body).await?;
        let owner = it.owner.filter(|it| is_id(it.as_str()));
        let Rows { rows: people, mut unreadable } = it.member_list.rows("member_list");
        let admins = it.admin_list.rows("admin_list");
        unreadable.extend(admins.unreadable);
        Ok(Group {
            chat_id: chat_id.to_owned(),
            name: it.name,
            owner,
            made_at: lenient::time(it.create_time),
            notice: it.notice,
            admins: admins.rows.into_iter().map(|it| it.userid).collect(),
            people,
            unreadable,
            member_version: it.member_version,
        })
    }

    /// Transfers up to [`GROUPS_MAX`] groups to a member; returns those that failed. All others were transferred,
    /// unless a failed one cannot be read: then the result is unknown.
    ///
    /// Safe to repeat: a group that was transferred before answers 90504, 90507 or 90508. After
    /// [`super::Class::Unknown`] [`Api::group`] tells which were transferred, which saves the repetition.
    pub async fn transfer_groups(
        &self,
        flow: TransferFlow,
        chat_ids: &[String],
        new_owner: &UserId,
    ) -> Result<Rows<GroupFailed>, ApiError> {
        let path = match flow {
            TransferFlow::InService => GROUPS_IN_SERVICE,
            TransferFlow::Resigned => GROUPS_RESIGNED,
        };
        let body = json!({ "chat_id_list": chat_ids, "new_owner": new_owner });
        let answer: GroupsTransferredAnswer = self.post(path, &body).await?;
        let failed = answer.failed_chat_list.rows("failed_chat_list");
        Ok(failed.map(|it| GroupFailed { chat_id: it.chat_id, errcode: it.errcode.0.unwrap_or(UNSAID) }))
    }
}
