//! Customer groups (客户群): whose they are, and giving them to another member.
//!
//! A group is given away at once, as far as WeCom's documents go: [`Api::group`] tells who owns it now.
//!
//! <https://developer.work.weixin.qq.com/document/path/92120>, `…/92122`, `…/92127`, `…/95703`.

use serde::Deserialize;
use serde_json::json;

use super::{Api, ApiError, transfer::Flow};
use crate::ids::UserId;

/// How many groups one call gives away.
pub const GROUPS_MAX: usize = 100;

/// How many groups one page of a list has.
const PAGE: usize = 1_000;

/// The endpoints that give groups away.
pub(super) const IN_SERVICE: &str = "externalcontact/groupchat/onjob_transfer";
pub(super) const RESIGNED: &str = "externalcontact/groupchat/transfer";

/// A page of a member's groups.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupPage {
    /// The groups.
    #[serde(rename = "group_chat_list", default)]
    pub groups: Vec<GroupRow>,
    /// Where the next page begins; empty at the end.
    #[serde(default)]
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

/// A group as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub chat_id: String,
    /// What it is called; empty if nobody named it.
    pub name: String,
    /// Whose it is.
    pub owner: UserId,
    /// How many members and customers are in it.
    pub member_count: usize,
}

/// A group that was not given away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupFailed {
    /// Its id.
    pub chat_id: String,
    /// Why not; [`super::Meaning::of`] has the words.
    #[serde(default = "unsaid")]
    pub errcode: i64,
}

impl Api {
    /// A page of the groups that a member owns, whether still here or not; an empty `cursor` begins. Safe to repeat.
    pub async fn groups_of(&self, owner: &UserId, cursor: &str) -> Result<GroupPage, ApiError> {
        let body = json!({
            "status_filter": 0, "owner_filter": { "userid_list": [owner] }, "cursor": cursor, "limit": PAGE,
        });
        self.post("externalcontact/groupchat/list", &body).await
    }

    /// A group as it stands. Safe to repeat.
    pub async fn group(&self, chat_id: &str) -> Result<Group, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            group_chat: Shown,
        }
        #[derive(Deserialize)]
        struct Shown {
            chat_id: String,
            #[serde(default)]
            name: String,
            owner: UserId,
            #[serde(default)]
            member_list: Vec<serde::de::IgnoredAny>,
        }
        let body = json!({ "chat_id": chat_id, "need_name": 1 });
        let Answer { group_chat: it } = self.post("externalcontact/groupchat/get", &body).await?;
        Ok(Group { chat_id: it.chat_id, name: it.name, owner: it.owner, member_count: it.member_list.len() })
    }

    /// Gives up to [`GROUPS_MAX`] groups to a member; what is returned was not given, the others were.
    ///
    /// Safe to repeat: a group that was given before answers 90504, 90507 or 90508. After [`super::Class::Unknown`]
    /// [`Api::group`] tells which were, and saves the repetition.
    pub async fn transfer_groups(
        &self,
        flow: Flow,
        chat_ids: &[String],
        new_owner: &UserId,
    ) -> Result<Vec<GroupFailed>, ApiError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            failed_chat_list: Vec<GroupFailed>,
        }
        let path = match flow {
            Flow::InService => IN_SERVICE,
            Flow::Resigned => RESIGNED,
        };
        let body = json!({ "chat_id_list": chat_ids, "new_owner": new_owner });
        let answer: Answer = self.post(path, &body).await?;
        Ok(answer.failed_chat_list)
    }
}

/// Who is on the list of failures has failed, with or without a code: -1 is the platform's for anything.
fn unsaid() -> i64 {
    -1
}
