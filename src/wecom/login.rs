//! Who has logged in: WeCom's one-time code becomes a userid.
//!
//! <https://developer.work.weixin.qq.com/document/path/91023>.

use serde::Deserialize;

use super::{Api, ApiError};
use crate::ids::{ExternalUserId, UserId};

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Visitor {
    /// A member of the corp.
    #[serde(rename = "userid", default)]
    pub user: Option<UserId>,
    /// A customer of somebody in sight.
    #[serde(rename = "external_userid", default)]
    pub customer: Option<ExternalUserId>,
}

impl Api {
    /// Redeems a login's code. **Not safe to repeat**: the code works once, for five minutes.
    pub async fn visitor(&self, code: &str) -> Result<Visitor, ApiError> {
        self.get("auth/getuserinfo", &[("code", code)]).await
    }
}
