//! What goes back in the answer itself: an encrypted passive reply, the literal `success` that notices want, or
//! nothing. Decided from a few fields of the plaintext, so that a repeat gets the same answer as the first.

use std::ops::ControlFlow;

use bytes::Bytes;
use chrono::Utc;
use rand::RngExt;

use super::callback::Received;
use crate::{
    apps::{App, ReplyOn},
    crypto::{self, Opened, Sealed},
    document,
};

/// What a provider's instruction URL must answer; app URLs answer with nothing.
const NOTICE_ANSWER: &[u8] = b"success";

/// The fields that decide.
#[derive(Default)]
struct Fields {
    to: String,
    from: String,
    msg_type: String,
    event: String,
    content: String,
    notice: bool,
}

/// The body of the answer to an opened callback.
pub(super) fn to(app: &App, received: &Received) -> Bytes {
    let opened = &received.opened;
    let Ok(text) = std::str::from_utf8(&opened.plaintext) else { return Bytes::new() };
    // Most apps answer nothing: a search for one word then saves the reading.
    if app.auto_reply.is_empty() && !text.contains("InfoType") {
        return Bytes::new();
    }
    let fields = Fields::read(text);
    if fields.notice {
        return Bytes::from_static(NOTICE_ANSWER);
    }
    match fields.fitting(app) {
        Some(reply) => {
            let sealed = sealed(app, opened, &fields, reply);
            sealed.map(|it| if received.json { it.reply_json() } else { it.reply_xml() }).unwrap_or_default().into()
        }
        None => Bytes::new(),
    }
}

impl Fields {
    fn read(text: &str) -> Self {
        let mut fields = Self::default();
        // A document that breaks off has no reply; recording will say what is wrong with it.
        let _ = document::scan(text, |name, value| {
            match name {
                "ToUserName" => fields.to = value.trim().to_owned(),
                "FromUserName" => fields.from = value.trim().to_owned(),
                "MsgType" => fields.msg_type = value.trim().to_owned(),
                "Event" => fields.event = value.trim().to_owned(),
                "Content" => fields.content = value.into_owned(),
                "InfoType" => fields.notice = true,
                _ => {}
            }
            ControlFlow::Continue(())
        });
        fields
    }

    fn fitting<'a>(&self, app: &'a App) -> Option<&'a str> {
        let kind = match (self.msg_type.as_str(), self.event.as_str()) {
            ("text", _) => ReplyOn::Text,
            ("event", "enter_agent") => ReplyOn::EnterAgent,
            _ => return None,
        };
        let fits = |contains: &Option<String>| contains.as_ref().is_none_or(|it| self.content.contains(it.as_str()));
        app.auto_reply.iter().find(|rule| rule.on == kind && fits(&rule.contains)).map(|rule| rule.reply.as_str())
    }
}

/// A text reply, sealed with the key set that opened the callback.
/// Shape: <https://developer.work.weixin.qq.com/document/path/90241>.
fn sealed(app: &App, opened: &Opened, fields: &Fields, reply: &str) -> Option<Sealed> {
    let keys = app.keys.get(opened.key_set)?;
    let now = Utc::now().timestamp();
    let message = format!(
        "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName><CreateTime>{now}</CreateTime>\
         <MsgType>text</MsgType><Content>{}</Content></xml>",
        cdata(&fields.from),
        cdata(&fields.to),
        cdata(reply),
    );
    let nonce = rand::rng().random_range(1_000_000_000_u64..10_000_000_000).to_string();
    Some(crypto::seal_random(keys, &opened.receive_id, &now.to_string(), &nonce, message.as_bytes()))
}

/// A CDATA section; an end mark inside the text is split over two sections.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_mark_cannot_close_the_section() {
        let text = format!("<xml><Content>{}</Content></xml>", cdata("a]]>b<c"));
        assert_eq!(Fields::read(&text).content, "a]]>b<c");
    }
}
