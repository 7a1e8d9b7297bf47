//! The message archive (会话内容存档) over HTTP: who has a seat, and who agreed. The messages themselves come by WeCom's
//! library.
//!
//! <https://developer.work.weixin.qq.com/document/path/91614>, `…/91782`.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::{
    Api, ApiError, Rows, Wecom,
    client::ARCHIVE_AGENTID,
    lenient::{List, Number},
    rows::{Row, is_id},
};
use crate::ids::{CorpId, ExternalUserId, UserId};

/// How many pairs one call may ask about.
pub const PAIRS_MAX: usize = 100;

/// The archive of a corp: who pulls it.
#[derive(Debug, Clone)]
pub struct ArchiveSecret {
    /// `enterprise_wechat_config.id`.
    pub app_id: i32,
    /// The archive's secret.
    pub secret: SecretString,
}

/// Whether somebody agreed that a talk is archived.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Agreed {
    /// The member, in a talk between two people.
    #[serde(rename = "userid", default)]
    pub user: Option<String>,
    /// The customer. The name is misspelt on the wire.
    #[serde(rename = "exteranalopenid", default)]
    pub customer: Option<String>,
    /// `Agree`, `Disagree`, or another word.
    #[serde(rename = "agree_status", default)]
    pub status: Option<String>,
    #[serde(rename = "status_change_time", default)]
    changed_s: Number,
}

/// `msgaudit/get_permit_user_list`.
#[derive(Debug, Deserialize)]
pub(super) struct SeatsAnswer {
    ids: List<String>,
}

/// `msgaudit/check_single_agree` and `msgaudit/check_room_agree`.
#[derive(Debug, Deserialize)]
pub(super) struct AgreedAnswer {
    agreeinfo: List<Agreed>,
}

impl Agreed {
    /// When it became so.
    pub fn changed_at(&self) -> Option<DateTime<Utc>> {
        self.changed_s.0.filter(|it| *it > 0).and_then(|it| DateTime::from_timestamp(it, 0))
    }
}

impl Row for Agreed {
    fn lacks(&self) -> Option<&'static str> {
        if !self.customer.as_deref().is_some_and(is_id) {
            return Some("exteranalopenid");
        }
        self.status.as_deref().is_none_or(str::is_empty).then_some("agree_status")
    }
}

impl Wecom {
    /// The endpoints as the corp's archive; none if it has no enabled app with the archive's number and a secret.
    pub async fn archive(&self, corpid: &CorpId) -> Result<Option<Api>, ApiError> {
        self.app_with_agentid(corpid, ARCHIVE_AGENTID).await
    }

    /// The secret of the corp's archive, for WeCom's library; none as above.
    pub async fn archive_secret(&self, corpid: &CorpId) -> Result<Option<ArchiveSecret>, ApiError> {
        let api = self.archive(corpid).await?;
        Ok(api.map(|it| ArchiveSecret { app_id: it.app_id(), secret: it.credentials().secret.clone() }))
    }
}

impl Api {
    /// The members with a seat of an edition: 1 office, 2 service, 3 enterprise. Safe to repeat.
    pub async fn archive_seats(&self, edition: u8) -> Result<Vec<String>, ApiError> {
        let answer: SeatsAnswer = self.post("msgaudit/get_permit_user_list", &json!({ "type": edition })).await?;
        Ok(answer.ids.0.unwrap_or_default().into_iter().filter(|it| is_id(it)).collect())
    }

    /// Who of at most [`PAIRS_MAX`] pairs agreed. Safe to repeat.
    pub async fn archive_agreed(&self, pairs: &[(UserId, ExternalUserId)]) -> Result<Rows<Agreed>, ApiError> {
        let info: Vec<_> =
            pairs.iter().map(|(user, customer)| json!({ "userid": user, "exteranalopenid": customer })).collect();
        let answer: AgreedAnswer = self.post("msgaudit/check_single_agree", &json!({ "info": info })).await?;
        Ok(answer.agreeinfo.rows("agreeinfo"))
    }

    /// Which customers in a group agreed. Safe to repeat.
    pub async fn archive_room_agreed(&self, room: &str) -> Result<Rows<Agreed>, ApiError> {
        let answer: AgreedAnswer = self.post("msgaudit/check_room_agree", &json!({ "roomid": room })).await?;
        Ok(answer.agreeinfo.rows("agreeinfo"))
    }
}
