//! The company's customer tags (企业标签).
//!
//! <https://developer.work.weixin.qq.com/document/path/92117>.

use serde::Deserialize;
use serde_json::json;

use super::{Api, ApiError};

/// A tag of the company.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tag {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// `externalcontact/get_corp_tag_list`.
#[derive(Debug, Deserialize)]
pub(super) struct TagsAnswer {
    tag_group: Vec<TagGroup>,
}

/// A group of tags.
#[derive(Debug, Deserialize)]
pub(super) struct TagGroup {
    tag: Vec<Tag>,
}

impl Api {
    /// Every tag of the company. Safe to repeat.
    pub async fn corp_tags(&self) -> Result<Vec<Tag>, ApiError> {
        let answer: TagsAnswer = self.post("externalcontact/get_corp_tag_list", &json!({})).await?;
        let tags = answer.tag_group.into_iter().flat_map(|group| group.tag);
        Ok(tags.filter(|tag| !tag.id.is_empty()).collect())
    }
}
