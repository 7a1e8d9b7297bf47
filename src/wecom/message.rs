//! Messages from the app to members.
//!
//! <https://developer.work.weixin.qq.com/document/path/90236>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, ApiError, lenient::Names};
use crate::ids::UserId;

/// How long WeCom drops an identical message, in seconds: its maximum.
const DUPLICATE_CHECK_S: u32 = 14_400;

/// A card that opens a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The title; 26 characters are shown.
    pub title: String,
    /// The description below the title.
    pub desc: String,
    /// The lines, names and values; at most six.
    pub lines: Vec<(String, String)>,
    /// The URL of the page.
    pub url: String,
}

/// WeCom's answer to an accepted message. None of its fields is a reason to send again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sent {
    /// Its id.
    #[serde(default)]
    pub msgid: String,
    /// Members who were not reached, in lower case: unknown, not visible, or gone.
    #[serde(default)]
    pub invaliduser: Names,
    /// Departments that were not reached.
    #[serde(default)]
    pub invalidparty: Names,
    /// Tags that were not reached.
    #[serde(default)]
    pub invalidtag: Names,
    /// Members who were not reached because they have no valid licence (基础接口许可).
    #[serde(default)]
    pub unlicenseduser: Names,
}

/// The result of a message for one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// WeCom delivers it.
    Sent,
    /// The member is unknown or not visible.
    OutOfSight,
    /// The member has no licence.
    Unlicensed,
}

impl Sent {
    /// The result for this member. Departments and tags are ignored: messages go to members only.
    pub fn to(&self, user: &UserId) -> Delivery {
        let names = |it: &Names| it.0.iter().any(|it| it.eq_ignore_ascii_case(user.as_str()));
        if names(&self.unlicenseduser) {
            return Delivery::Unlicensed;
        }
        if names(&self.invaliduser) { Delivery::OutOfSight } else { Delivery::Sent }
    }
}

impl Api {
    /// Sends a member a card.
    ///
    /// WeCom delivers an identical card once within four hours, so repeating a call with an unknown result is safe as
    /// long as the card is the same to the byte.
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

    /// Sends a member a text of at most 2,048 bytes; repeating is safe as for a card.
    pub async fn send_text(&self, to: &UserId, text: &str) -> Result<Sent, ApiError> {
        self.send_message(to, "text", json!({ "content": text })).await
    }

    async fn send_message(&self, to: &UserId, msgtype: &str, content: Value) -> Result<Sent, ApiError> {
        let body = json!({
            "touser": to, "msgtype": msgtype, "agentid": self.agentid(), msgtype: content,
            "enable_duplicate_check": 1, "duplicate_check_interval": DUPLICATE_CHECK_S,
        });
        let sent: Sent = self.post("message/send", &body).await?;
        let Sent { msgid, invalidparty, invalidtag, .. } = &sent;
        tracing::debug!(msgid, "WeCom took a message on");
        if !invalidparty.0.is_empty() || !invalidtag.0.is_empty() {
            let names: Vec<_> = invalidparty.0.iter().chain(&invalidtag.0).map(String::as_str).collect();
            tracing::warn!(msgid, names = names.join("|"), "WeCom names departments or tags that no message went to");
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::lenient::Answer;

    #[test]
    fn each_part_of_a_send_answer_is_read_in_every_form() {
        let to = |fields: &str| {
            let answer = Answer::parse(format!("{{\"errcode\":0,{fields}\"msgid\":7}}").as_bytes()).expect("JSON");
            answer.read::<Sent>().expect("read").to(&UserId::from("Dee"))
        };
        use Delivery::{OutOfSight, Sent as Went, Unlicensed};
        for (fields, delivery) in [
            ("", Went),
            (r#""invaliduser":"","unlicenseduser":"","#, Went),
            (r#""invaliduser":null,"unlicenseduser":null,"#, Went),
            (r#""invaliduser":"amy|bo","#, Went),
            (r#""invaliduser":{"dee":1},"unlicenseduser":7,"#, Went),
            (r#""invalidparty":"dee","invalidtag":["dee"],"#, Went),
            (r#""invaliduser":"amy|dee","#, OutOfSight),
            (r#""invaliduser":["amy","dee"],"#, OutOfSight),
            (r#""unlicenseduser":"dee","#, Unlicensed),
            (r#""unlicenseduser":["dee"],"invaliduser":"dee","#, Unlicensed),
        ] {
            assert_eq!(to(fields), delivery, "{fields}");
        }
    }
}
