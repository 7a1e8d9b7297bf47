//! Welcome messages to new customers, sent within 20 s.
//!
//! <https://developer.work.weixin.qq.com/document/path/92137>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Api, ApiError, paths::SEND_WELCOME};

/// Another app has greeted this customer, or the chat has begun: counts as done.
pub const GREETED_ALREADY: i64 = 41051;

/// The code is wrong or older than 20 s.
pub const TOO_LATE: i64 = 41050;

/// What may be attached to a welcome message, at most nine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "msgtype", rename_all = "snake_case", deny_unknown_fields)]
pub enum Attachment {
    /// A picture by its permanent URL (`uploadimg`).
    Image {
        /// The URL.
        pic_url: String,
    },
    /// A page.
    Link {
        /// At most 128 bytes.
        title: String,
        /// The page.
        url: String,
        /// A picture's URL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        picurl: Option<String>,
        /// At most 512 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        desc: Option<String>,
    },
    /// A mini-program's page.
    Miniprogram {
        /// At most 64 bytes.
        title: String,
        /// A picture's media id.
        pic_media_id: String,
        /// The mini-program, linked to the corp.
        appid: String,
        /// Its page.
        page: String,
    },
    /// A film by its media id.
    Video {
        /// The media id.
        media_id: String,
    },
    /// A file by its media id.
    File {
        /// The media id.
        media_id: String,
    },
}

impl Attachment {
    /// The wire format: the fields below the kind's name.
    fn on_the_wire(&self) -> Value {
        let mut fields = json!(self);
        let kind = fields.get("msgtype").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("msgtype");
        }
        json!({ "msgtype": kind, kind: fields })
    }
}

impl Api {
    /// Greets the customer of this code; a text of at most 4,000 bytes. Safe to repeat while the code is valid.
    pub async fn send_welcome(&self, code: &str, text: &str, attachments: &[Attachment]) -> Result<(), ApiError> {
        let mut body = json!({ "welcome_code": code });
        if let Some(fields) = body.as_object_mut() {
            if !text.is_empty() {
                fields.insert("text".to_owned(), json!({ "content": text }));
            }
            if !attachments.is_empty() {
                let attachments: Vec<_> = attachments.iter().map(Attachment::on_the_wire).collect();
                fields.insert("attachments".to_owned(), attachments.into());
            }
        }
        self.post::<serde::de::IgnoredAny>(SEND_WELCOME, &body).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_serialised_under_the_name_of_its_type() {
        let link = Attachment::Link {
            title: "服务说明".into(),
            url: "https://example.com/s".into(),
            picurl: None,
            desc: None,
        };
        insta::assert_snapshot!(
            link.on_the_wire(),
            @r#"{"link":{"title":"服务说明","url":"https://example.com/s"},"msgtype":"link"}"#
        );
    }
}
