//! Customer groups (客户群): their owners, and transferring them to another member.
//!
//! According to WeCom's documents a group is transferred at once: [`Api::group`] tells the current owner.
//!
//! <https://developer.work.weixin.qq.com/document/path/92120>, `…/92122`, `…/92127`, `…/95703`.

use serde::Deserialize;
use serde_json::json;

use super::{
    Api, ApiError, Rows, Unreadable,
    lenient::{Cursor, List, Number},
    paths::{GROUPS_IN_SERVICE, GROUPS_RESIGNED},
    rows::{Row, is_id},
    transfer::TransferFlow,
};
use crate::ids::UserId;

/// How many groups one call transfers.
pub const GROUPS_MAX: usize = 100;

/// How many groups one page of a list has.
const PAGE: usize = 1_000;

/// The endpoint that lists a member's groups.
pub const LIST: &str = "externalcontact/groupchat/list";

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
    /// How many members and customers are in it.
    pub member_count: usize,
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
    member_list: Vec<serde::de::IgnoredAny>,
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

impl Row for GroupFailedRow {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(&self.chat_id)).then_some("chat_id")
    }
}

impl Api {
    /// A page of the groups that a member owns, active or not; an empty `cursor` begins. Safe to repeat.
    pub async fn groups_of(&self, owner: &UserId, cursor: &str) -> Result<GroupPage, ApiError> {
        let body = json!({
            "status_filter": 0, "owner_filter": { "userid_list": [owner] }, "cursor": cursor, "limit": PAGE,
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
        Ok(Group { chat_id: chat_id.to_owned(), name: it.name, owner, member_count: it.member_list.len() })
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
