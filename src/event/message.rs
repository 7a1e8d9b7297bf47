//! Messages that somebody sent to an app.
//!
//! Input is the plaintext's document. Customers never write here: their messages come through 微信客服 or the session
//! archive. Nothing here fetches media.

use super::fields::{filled, needed, number, real};
use super::{Event, ParseError};
use crate::document::Element;

/// A message to the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The sender: a member's id, of this company or of one that the app is shared with.
    pub from: String,
    /// The message's id; voice messages were seen to repeat it.
    pub msg_id: Option<u64>,
    /// The app it was written to.
    pub agentid: Option<String>,
    /// What was written.
    pub body: MessageBody,
}

/// What a message holds.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageBody {
    /// Text, including the blanks that were typed.
    Text {
        /// The text.
        content: String,
    },
    /// A picture, to be fetched within 3 days.
    Image {
        /// Its id.
        media_id: Option<String>,
        /// The picture's URL.
        pic_url: Option<String>,
    },
    /// A voice message, to be fetched within 3 days.
    Voice {
        /// Its id.
        media_id: Option<String>,
        /// `amr`, `speex`.
        format: Option<String>,
        /// The recognised text, if WeCom sends it.
        recognition: Option<String>,
    },
    /// A video, to be fetched within 3 days.
    Video {
        /// Its id.
        media_id: Option<String>,
        /// Its preview's id.
        thumb_media_id: Option<String>,
    },
    /// A location.
    Location {
        /// Degrees north.
        latitude: Option<f64>,
        /// Degrees east.
        longitude: Option<f64>,
        /// The map's zoom.
        scale: Option<i32>,
        /// The address in words.
        label: Option<String>,
        /// `wxwork`, or absent from the WeChat plugin.
        app_type: Option<String>,
    },
    /// A link.
    Link {
        /// Its title.
        title: Option<String>,
        /// The description below the title.
        description: Option<String>,
        /// The URL.
        url: Option<String>,
        /// Its picture's URL.
        pic_url: Option<String>,
    },
    /// A file, which the reference does not promise to apps.
    File {
        /// Its id.
        media_id: Option<String>,
        /// Its name.
        name: Option<String>,
    },
}

pub(super) fn read(msg_type: &str, doc: &Element) -> Result<Option<Event>, ParseError> {
    let Some(body) = body(msg_type, doc) else { return Ok(None) };
    let from = needed(doc, "FromUserName")?;
    let (msg_id, agentid) = (number(doc, "MsgId"), filled(doc, "AgentID"));
    Ok(Some(Event::Message(Message { from, msg_id, agentid, body })))
}

fn body(msg_type: &str, doc: &Element) -> Option<MessageBody> {
    let media_id = filled(doc, "MediaId");
    Some(match msg_type {
        "text" => MessageBody::Text { content: doc.raw_text_of("Content").unwrap_or_default().to_owned() },
        "image" => MessageBody::Image { media_id, pic_url: filled(doc, "PicUrl") },
        "voice" => {
            MessageBody::Voice { media_id, format: filled(doc, "Format"), recognition: filled(doc, "Recognition") }
        }
        "video" => MessageBody::Video { media_id, thumb_media_id: filled(doc, "ThumbMediaId") },
        "location" => MessageBody::Location {
            latitude: real(doc, "Location_X"),
            longitude: real(doc, "Location_Y"),
            scale: number(doc, "Scale"),
            label: filled(doc, "Label"),
            app_type: filled(doc, "AppType"),
        },
        "link" => MessageBody::Link {
            title: filled(doc, "Title"),
            description: filled(doc, "Description"),
            url: filled(doc, "Url"),
            pic_url: filled(doc, "PicUrl"),
        },
        "file" => MessageBody::File { media_id, name: filled(doc, "FileName").or_else(|| filled(doc, "Title")) },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_callback as parse;

    fn message(msg_type: &str, fields: &str) -> Message {
        let head = format!("<FromUserName> u-0007 </FromUserName><MsgType><![CDATA[{msg_type}]]></MsgType>");
        let text = format!("<xml>{head}<MsgId>18446744073709551615</MsgId><AgentID></AgentID>{fields}</xml>");
        match parse(text.as_bytes()).expect("a callback").event {
            Event::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_was_typed_keeps_its_blanks() {
        let message = message("text", "<Content><![CDATA[ 好的 😀\n]]></Content>");
        assert_eq!(message.body, MessageBody::Text { content: " 好的 😀\n".to_owned() });
        assert_eq!((message.from.as_str(), message.msg_id, message.agentid), ("u-0007", Some(u64::MAX), None));
    }

    #[test]
    fn impossible_coordinates_are_read_as_none() {
        let body = message("location", "<Location_X>NaN</Location_X><Location_Y>inf</Location_Y><Scale>x</Scale>").body;
        let nowhere =
            MessageBody::Location { latitude: None, longitude: None, scale: None, label: None, app_type: None };
        assert_eq!(body, nowhere);
    }

    #[test]
    fn a_message_without_a_sender_is_refused() {
        let refused = parse(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>");
        assert_eq!(refused, Err(ParseError::Missing("FromUserName")));
    }
}
