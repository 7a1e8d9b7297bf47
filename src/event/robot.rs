//! An intelligent robot's messages and events (aibot).
//!
//! Input is the plaintext's document, which is JSON in this family. Links to pictures and files are valid for 5
//! minutes and their bytes are encrypted with the callback's key: nothing here fetches or decrypts them.

use super::Event;
use super::app::Selection;
use super::fields::{Hidden, filled, hidden, number, siblings, user, wrapped};
use crate::document::Element;
use crate::ids::{CorpId, UserId};

/// A message or event of an intelligent robot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Robot {
    /// The robot's id.
    pub aibotid: Option<String>,
    /// The message's id; repeats happen.
    pub msgid: Option<String>,
    /// The group; none in a single chat.
    pub chatid: Option<String>,
    /// The person who wrote or acted.
    pub user: Option<UserId>,
    /// That person's corp; a company's own robot is not told it.
    pub corpid: Option<CorpId>,
    /// Takes one active answer within an hour.
    pub response_url: Option<Hidden>,
    /// The message or action.
    pub body: RobotBody,
}

/// A message to a robot, or an action with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RobotBody {
    /// A message.
    Said {
        /// Its parts in order; all but mixed messages have one.
        items: Vec<RobotItem>,
        /// The quoted message's parts.
        quoted: Vec<RobotItem>,
    },
    /// WeCom asks for the next part of a streamed answer.
    StreamAsked {
        /// The answer's id.
        id: Option<String>,
    },
    /// Someone opened the chat for the first time that day.
    Entered,
    /// Someone used a card. WeCom sends this once and never repeats it.
    UsedCard {
        /// The button.
        key: Option<String>,
        /// The card's id.
        task_id: Option<String>,
        /// `button_interaction` or another.
        card_type: Option<String>,
        /// The selected options.
        selected: Vec<Selection>,
    },
    /// Someone rated an answer.
    Feedback {
        /// The answer's id.
        id: Option<String>,
        /// 1 good, 2 bad, 3 withdrawn.
        verdict: Option<i32>,
        /// Their words.
        content: Option<String>,
        /// Why it was bad: 1 off-topic, 2 incomplete, 3 wrong, 4 analysis error.
        reasons: Vec<String>,
    },
}

/// One part of a message to a robot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RobotItem {
    /// Text; in groups it includes the robot's name.
    Text(String),
    /// The text of a voice message.
    Voice(String),
    /// A picture's URL.
    Image(String),
    /// A file's URL.
    File(String),
    /// A video's URL.
    Video(String),
}

pub(super) fn read(msg_type: &str, event: &str, doc: &Element) -> Option<Event> {
    let body = match (msg_type, event) {
        ("text" | "mixed" | "image" | "voice" | "file" | "video", _) => {
            RobotBody::Said { items: items(doc), quoted: doc.child("quote").map(items).unwrap_or_default() }
        }
        ("stream", _) => RobotBody::StreamAsked { id: doc.child("stream").and_then(|stream| filled(stream, "id")) },
        ("event", "enter_chat") => RobotBody::Entered,
        ("event", "template_card_event") => used_card(payload(event, doc)?),
        ("event", "feedback_event") => feedback(payload(event, doc)?),
        _ => return None,
    };
    let from = doc.child("from");
    Some(Event::Robot(Robot {
        aibotid: filled(doc, "aibotid"),
        msgid: filled(doc, "msgid"),
        chatid: filled(doc, "chatid"),
        user: from.and_then(|from| user(from, "userid")),
        corpid: from.and_then(|from| filled(from, "corpid")).map(CorpId),
        response_url: hidden(doc, "response_url"),
        body,
    }))
}

/// An event's fields lie in an object that has the event's name.
fn payload<'a>(event: &str, doc: &'a Element) -> Option<&'a Element> {
    doc.child("event")?.child(event)
}

/// The parts of a message, a quoted message, or one part of a mixed message: all three look the same.
fn items(said: &Element) -> Vec<RobotItem> {
    let msg_type = said.text_of("msgtype").unwrap_or_default();
    let Some(inside) = said.child(msg_type) else { return Vec::new() };
    let words = || inside.raw_text_of("content").unwrap_or_default().to_owned();
    let url = || filled(inside, "url").unwrap_or_default();
    match msg_type {
        "text" => vec![RobotItem::Text(words())],
        "voice" => vec![RobotItem::Voice(words())],
        "image" => vec![RobotItem::Image(url())],
        "file" => vec![RobotItem::File(url())],
        "video" => vec![RobotItem::Video(url())],
        // A document's depth is limited, which also limits how deep mixed parts can nest.
        "mixed" => inside.all("msg_item").flat_map(items).collect(),
        _ => Vec::new(),
    }
}

/// The reference writes these names both with underscores and without.
fn used_card(card: &Element) -> RobotBody {
    let either = |doc: &Element, a, b| filled(doc, a).or_else(|| filled(doc, b));
    let selected = card.child("selected_items").into_iter().flat_map(|list| list.all("selected_item"));
    let selection = |item: &Element| {
        let options = ["option_ids", "optionids"].iter().find_map(|name| item.child(name).map(|_| *name));
        let option = |list| [wrapped(item, list, "option_id"), wrapped(item, list, "optionid")].concat();
        Selection {
            question: either(item, "question_key", "questionkey"),
            options: options.map(option).unwrap_or_default(),
        }
    };
    RobotBody::UsedCard {
        key: either(card, "event_key", "eventkey"),
        task_id: either(card, "task_id", "taskid"),
        card_type: either(card, "card_type", "cardtype"),
        selected: selected.map(selection).collect(),
    }
}

fn feedback(feedback: &Element) -> RobotBody {
    RobotBody::Feedback {
        id: filled(feedback, "id"),
        verdict: number(feedback, "type"),
        content: filled(feedback, "content"),
        reasons: siblings(feedback, "inaccurate_reason_list"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_callback as parse;

    fn body(json: &str) -> RobotBody {
        match parse(json.as_bytes()).expect("a callback").event {
            Event::Robot(robot) => robot.body,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mixed_message_and_its_quote_keep_the_order_of_their_parts() {
        let said = body(
            r#"{"aibotid":"b","msgtype":"mixed","mixed":{"msg_item":[
                {"msgtype":"text","text":{"content":"@Robot look "}},
                {"msgtype":"image","image":{"url":"https://example.com/1"}}]},
                "quote":{"msgtype":"voice","voice":{"content":"hm"}}}"#,
        );
        let text = RobotItem::Text("@Robot look ".to_owned());
        let items = vec![text, RobotItem::Image("https://example.com/1".to_owned())];
        assert_eq!(said, RobotBody::Said { items, quoted: vec![RobotItem::Voice("hm".to_owned())] });
    }

    #[test]
    fn a_card_is_read_in_both_spellings() {
        let expected = RobotBody::UsedCard {
            key: Some("k".to_owned()),
            task_id: Some("t".to_owned()),
            card_type: Some("vote_interaction".to_owned()),
            selected: vec![Selection { question: Some("q".to_owned()), options: vec!["1".to_owned(), "2".to_owned()] }],
        };
        let with_underscores = r#""card_type":"vote_interaction","event_key":"k","task_id":"t",
            "selected_items":{"selected_item":[{"question_key":"q","option_ids":{"option_id":["1","2"]}}]}"#;
        let without = r#""cardtype":"vote_interaction","eventkey":"k","taskid":"t",
            "selected_items":{"selected_item":[{"questionkey":"q","optionids":{"optionid":["1","2"]}}]}"#;
        for card in [with_underscores, without] {
            let event = format!(r#"{{"eventtype":"template_card_event","template_card_event":{{{card}}}}}"#);
            assert_eq!(body(&format!(r#"{{"aibotid":"b","msgtype":"event","event":{event}}}"#)), expected);
        }
    }
}
