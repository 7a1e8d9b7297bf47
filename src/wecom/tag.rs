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

impl Api {
    /// Every tag of the company. Safe to repeat.
    pub async fn corp_tags(&self) -> Result<Vec<Tag>, ApiError> {
        #[derive(Deserialize)]
        struct Group {
            #[serde(default)]
            tag: Vec<Tag>,
        }
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            tag_group: Vec<Group>,
        }
        let answer: Answer = self.post("externalcontact/get_corp_tag_list", &json!({})).await?;
        Ok(answer.tag_group.into_iter().flat_map(|group| group.tag).collect())
    }
}
