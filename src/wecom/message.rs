//! Messages of the app to members.
//!
//! <https://developer.work.weixin.qq.com/document/path/90236>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, ApiError};
use crate::ids::UserId;

/// How long WeCom suppresses the same message, in seconds: its maximum.
const DUPLICATE_CHECK_S: u32 = 14_400;

/// A card with a page behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// At most 26 characters are shown.
    pub title: String,
    /// A line below the title.
    pub desc: String,
    /// Names and values, at most six.
    pub lines: Vec<(String, String)>,
    /// The page that it opens.
    pub url: String,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sent {
    /// Its id.
    #[serde(default)]
    pub msgid: String,
    /// Whom it did not reach: lower-cased, joined by `|`.
    #[serde(default)]
    pub invaliduser: String,
}

impl Sent {
    /// Whether it did not reach this member.
    pub fn missed(&self, user: &UserId) -> bool {
        self.invaliduser.split('|').any(|it| it.eq_ignore_ascii_case(user.as_str()))
    }
}

impl Api {
    /// Sends a member a card.
    ///
    /// The same card within four hours is sent once, so repeating a call whose outcome is unknown is safe as long as
    /// the card is the same to the byte.
    pub async fn send_card(&self, to: &UserId, card: &Card) -> Result<Sent, ApiError> {
        let lines: Vec<_> =
            card.lines.iter().map(|(name, value)| json!({ "type": 0, "keyname": name, "value": value })).collect();
        let body = json!({
            "card_type": "text_notice",
            "main_title": { "title": card.title, "desc": card.desc },
            "horizontal_content_list": lines,
            "card_action": { "type": 1, "url": card.url },
        });
        self.send_message(to, "template_card", body).await
    }

    /// Sends a member a text of at most 2,048 bytes; repeating it is safe as for a card.
    pub async fn send_text(&self, to: &UserId, text: &str) -> Result<Sent, ApiError> {
        self.send_message(to, "text", json!({ "content": text })).await
    }

    async fn send_message(&self, to: &UserId, msgtype: &str, content: Value) -> Result<Sent, ApiError> {
        let body = json!({
            "touser": to, "msgtype": msgtype, "agentid": self.agentid(), msgtype: content,
            "enable_duplicate_check": 1, "duplicate_check_interval": DUPLICATE_CHECK_S,
        });
        self.post("message/send", &body).await
    }
}
