//! The body of the answer: an encrypted passive reply, the literal `success` that notices need, or nothing. It
//! depends on a few fields of the plaintext only, so a repeat gets the same answer as the first.

use bytes::Bytes;
use chrono::Utc;
use rand::RngExt;

use super::callback::Received;
use crate::{
    apps::{App, ReplyOn},
    crypto::{self, Opened, Sealed},
    document::{self, Element},
};

/// The answer that a provider's instruction URL must give; app URLs give an empty one.
const NOTICE_ANSWER: &[u8] = b"success";

/// A field that only notices have.
const NOTICE_FIELD: &str = "InfoType";

/// The fields that decide the reply.
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
    // Most apps have no auto-reply: searching for one word then saves parsing the document.
    if app.auto_reply.is_empty()
        && !opened.plaintext.windows(NOTICE_FIELD.len()).any(|it| it == NOTICE_FIELD.as_bytes())
    {
        return Bytes::new();
    }
    let fields = Fields::read(&opened.plaintext);
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
    fn read(plaintext: &[u8]) -> Self {
        // An unreadable document gets no reply; recording will report what is wrong with it.
        let Ok(document::Reading { root, doubtful, .. }) = document::read(plaintext) else { return Self::default() };
        let at = |name: &str| root.children.iter().position(|it| it.name.eq_ignore_ascii_case(name));
        // A document has both only if a person typed one of them, and typed text comes after WeCom's own field.
        let notice = at(NOTICE_FIELD).is_some_and(|it| at("MsgType").is_none_or(|other| it < other));
        if doubtful {
            return Self { notice, ..Self::default() };
        }
        let word = |name| Element::text_of(&root, name).unwrap_or_default().to_owned();
        Self {
            to: word("ToUserName"),
            from: word("FromUserName"),
            msg_type: word("MsgType"),
            event: word("Event"),
            content: root.raw_text_of("Content").unwrap_or_default().to_owned(),
            notice,
        }
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
    fn a_cdata_end_in_a_reply_does_not_close_its_section() {
        let text = format!("<xml><Content>{}</Content></xml>", cdata("a]]>b<c"));
        assert_eq!(Fields::read(text.as_bytes()).content, "a]]>b<c");
    }

    #[test]
    fn typed_text_forges_no_notice_and_no_sender() {
        for typed in [
            "a]]></Content><InfoType>suite_ticket</InfoType><Content><![CDATA[b",
            "a]]></Content><FromUserName>boss</FromUserName><Content><![CDATA[b",
        ] {
            let text = format!(
                "<xml><FromUserName>ann</FromUserName><MsgType>text</MsgType><Content><![CDATA[{typed}]]></Content></xml>"
            );
            let fields = Fields::read(text.as_bytes());
            assert_eq!((fields.notice, fields.from.as_str(), fields.content.as_str()), (false, "ann", typed));
        }
        assert!(Fields::read(b"<xml><SuiteId>s</SuiteId><InfoType>x</InfoType><A>\xff</A></xml>").notice);
    }
}
