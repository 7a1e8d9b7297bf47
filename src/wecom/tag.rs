//! The company's customer tags (企业标签), and giving them to a contact.
//!
//! <https://developer.work.weixin.qq.com/document/path/92117>, `…/92118`.

use serde::Deserialize;
use serde_json::json;

use super::{
    Api, ApiError, Rows, Unreadable,
    lenient::List,
    rows::{Row, is_id},
};
use crate::ids::{ExternalUserId, UserId};

/// The company's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// The groups, each with its tags.
    pub groups: Vec<TagGroup>,
    /// The rows that could not be read: if there are any, a missing tag proves nothing.
    pub unreadable: Vec<Unreadable>,
}

/// A group of tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagGroup {
    /// Its id; empty if it has none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its sort order; greater ones come first.
    pub order: i64,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// A tag of the company.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tag {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its sort order within its group; greater ones come first.
    #[serde(default)]
    pub order: i64,
}

/// `externalcontact/get_corp_tag_list`.
#[derive(Debug, Deserialize)]
pub(super) struct TagsAnswer {
    tag_group: List<TagGroupRow>,
}

/// A group of tags in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct TagGroupRow {
    group_id: String,
    group_name: String,
    order: i64,
    tag: List<Tag>,
}

impl Row for Tag {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(&self.id)).then_some("id")
    }
}

impl Row for TagGroupRow {
    // A group without an id still has tags with ids.
    fn lacks(&self) -> Option<&'static str> {
        None
    }
}

impl Api {
    /// Every tag of the company, by group. Safe to repeat.
    pub async fn corp_tags(&self) -> Result<Tags, ApiError> {
        let answer: TagsAnswer = self.post("externalcontact/get_corp_tag_list", &json!({})).await?;
        let Rows { rows, mut unreadable } = answer.tag_group.rows("tag_group");
        let mut groups = Vec::with_capacity(rows.len());
        for row in rows {
            let tags = row.tag.rows("tag");
            unreadable.extend(tags.unreadable);
            let id = if is_id(&row.group_id) { row.group_id } else { String::new() };
            groups.push(TagGroup { id, name: row.group_name, order: row.order, tags: tags.rows });
        }
        Ok(Tags { groups, unreadable })
    }

    /// Gives a member's contact these tags of the company, and takes those away. Safe to repeat: a tag that is there, or
    /// is gone, stays so.
    pub async fn mark_tags(
        &self,
        user: &UserId,
        customer: &ExternalUserId,
        add: &[String],
        remove: &[String],
    ) -> Result<(), ApiError> {
        let body = json!({
            "userid": user, "external_userid": customer, "add_tag": add, "remove_tag": remove,
        });
        self.post::<serde::de::IgnoredAny>("externalcontact/mark_tag", &body).await.map(drop)
    }
}
