//! Login: turns WeCom's one-time code into a userid.
//!
//! <https://developer.work.weixin.qq.com/document/path/91023>.

use serde::Deserialize;

use super::{Api, ApiError, rows::is_id};
use crate::ids::{ExternalUserId, UserId};

/// The person who logged in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Visitor {
    /// A member of the corp.
    #[serde(rename = "userid", default)]
    pub user: Option<UserId>,
    /// A customer of a visible member.
    #[serde(rename = "external_userid", default)]
    pub customer: Option<ExternalUserId>,
}

/// The login page for a browser: a QR code to scan, or one click where WeCom runs.
const SCAN: &str = "https://login.work.weixin.qq.com/wwlogin/sso/login";

/// The login page inside WeCom's own client.
const IN_CLIENT: &str = "https://open.weixin.qq.com/connect/oauth2/authorize";

impl Api {
    /// The login URL for a browser; after the login WeCom redirects to `redirect` with a code and the `state`.
    pub fn scan_url(&self, redirect: &str, state: &str) -> String {
        let (corpid, agentid, redirect) = (self.corpid(), self.agentid(), encoded(redirect));
        format!(
            "{SCAN}?login_type=CorpApp&appid={corpid}&agentid={agentid}&redirect_uri={redirect}&state={state}&lang=zh"
        )
    }

    /// The login URL for WeCom's own client. The platform requires this order of parameters.
    pub fn in_client_url(&self, redirect: &str, state: &str) -> String {
        let (corpid, agentid, redirect) = (self.corpid(), self.agentid(), encoded(redirect));
        format!(
            "{IN_CLIENT}?appid={corpid}&redirect_uri={redirect}&response_type=code&scope=snsapi_base&state={state}\
             &agentid={agentid}#wechat_redirect"
        )
    }

    /// Exchanges a login's code. **Not safe to repeat**: the code works once, for five minutes.
    pub async fn visitor(&self, code: &str) -> Result<Visitor, ApiError> {
        let visitor: Visitor = self.get("auth/getuserinfo", &[("code", code)]).await?;
        Ok(Visitor { user: visitor.user.filter(|it| is_id(it.as_str())), ..visitor })
    }
}

fn encoded(url: &str) -> String {
    form_urlencoded::byte_serialize(url.as_bytes()).collect()
}
