//! What `kf/sync_msg` returns of 微信客服: messages of customers and servicers, and events.
//!
//! Input is one item of a page. Of an event the ids stand inside `event`. A message of a type that is new from WeCom is
//! still a message; an event that is new is none of these.

use serde_json::Value;

use super::{ParseError, fields::Hidden, pulled::Object};
use crate::{
    ids::{ExternalUserId, UserId},
    states::RevokedBy,
};

/// The origin of a customer's message.
const BY_CUSTOMER: i64 = 3;

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct KfMessage {
    /// The account.
    pub open_kfid: String,
    /// The customer.
    pub customer: ExternalUserId,
    /// Who wrote.
    pub sender: KfSender,
    /// What was written.
    pub body: KfBody,
    /// The content as WeCom sent it, where the body leaves something out.
    pub detail: Option<Value>,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KfSender {
    /// The customer.
    Customer,
    /// A servicer, in WeCom itself.
    Servicer(UserId),
    /// WeCom.
    System,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KfMedia {
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// Any file.
    File,
}

/// What a message holds.
#[derive(Debug, Clone, PartialEq)]
pub enum KfBody {
    /// A text, or a menu in words.
    Text(String),
    /// A file, to be fetched within three days.
    Media(KfMedia, Option<String>),
    /// A place: its name, its address, degrees north and east.
    Location {
        /// Its name.
        name: Option<String>,
        /// Its address.
        address: Option<String>,
        /// Degrees north and east.
        at: Option<(f64, f64)>,
    },
    /// A page: title and URL.
    Link(Vec<String>),
    /// A member's card: the userid.
    Card(Option<String>),
    /// A mini-program's page: its title.
    Miniprogram(Option<String>),
    /// Something of 视频号: the words in it.
    Channels(Vec<String>),
    /// Forwarded messages: the title and a line for each.
    Forward(Vec<String>),
    /// A meeting or a calendar entry.
    Meeting,
    /// A type of tomorrow, by WeCom's name.
    Other(String),
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KfEvent {
    /// The account.
    pub open_kfid: String,
    /// What happened.
    pub change: KfChange,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KfChange {
    /// A customer opened the conversation through a link.
    Entered {
        /// The customer.
        customer: ExternalUserId,
        /// The link's scene.
        scene: Option<String>,
        /// The link's parameter.
        scene_param: Option<String>,
        /// Good for one greeting within 20 seconds.
        welcome_code: Option<Hidden>,
    },
    /// A message that an app sent did not reach the customer.
    SendFailed {
        /// The customer.
        customer: ExternalUserId,
        /// Why, as WeCom numbers it.
        fail_type: Option<i64>,
    },
    /// A servicer began or stopped receiving customers.
    ServicerStatus {
        /// The servicer.
        servicer: UserId,
    },
    /// A servicer changed a session in WeCom itself.
    SessionChanged {
        /// The customer.
        customer: ExternalUserId,
        /// How.
        change: SessionChange,
        /// Who has it now.
        servicer: Option<UserId>,
        /// Who had it before.
        former: Option<UserId>,
    },
    /// A message was recalled.
    Recalled {
        /// WeCom's id of the message.
        msgid: String,
        /// By whom.
        by_whom: RevokedBy,
    },
    /// A servicer refuses a customer's messages, or takes them again.
    Rejecting {
        /// The customer.
        customer: ExternalUserId,
        /// The servicer.
        servicer: Option<UserId>,
        /// Whether they are refused from now on.
        rejects: bool,
    },
}

/// How a session changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionChange {
    /// Somebody took it out of the pool.
    Taken,
    /// Somebody gave it to a colleague.
    Transferred,
    /// Somebody ended it.
    Ended,
    /// Somebody began it again.
    Reopened,
}

pub(super) fn read_message(item: &Object, msgtype: &str) -> Result<KfMessage, ParseError> {
    let servicer = item.optional_id("servicer_userid")?.map(UserId);
    let sender = match (item.number("origin"), servicer) {
        (Some(BY_CUSTOMER), _) => KfSender::Customer,
        (_, Some(servicer)) => KfSender::Servicer(servicer),
        _ => KfSender::System,
    };
    let content = item.object(msgtype);
    let body = body(&content, msgtype)?;
    // Of these nothing is left out.
    let whole = matches!(body, KfBody::Text(_) if msgtype == "text") || matches!(body, KfBody::Media(..));
    Ok(KfMessage {
        open_kfid: item.id("open_kfid")?,
        customer: item.id("external_userid").map(ExternalUserId)?,
        sender,
        body,
        detail: if whole { None } else { content.value() },
    })
}

fn body(content: &Object, msgtype: &str) -> Result<KfBody, ParseError> {
    let texts = |names: &[&str]| names.iter().filter_map(|name| content.text(name)).collect::<Vec<_>>();
    let media = |kind| Ok(KfBody::Media(kind, content.optional_id("media_id")?));
    Ok(match msgtype {
        "text" => KfBody::Text(content.text("content").unwrap_or_default()),
        "image" => return media(KfMedia::Image),
        "voice" => return media(KfMedia::Voice),
        "video" => return media(KfMedia::Video),
        "file" => return media(KfMedia::File),
        "location" => KfBody::Location {
            name: content.text("name"),
            address: content.text("address"),
            at: content.real("latitude").zip(content.real("longitude")),
        },
        "link" => KfBody::Link(texts(&["title", "url"])),
        "business_card" => KfBody::Card(content.text("userid")),
        "miniprogram" => KfBody::Miniprogram(content.text("title")),
        "msgmenu" => KfBody::Text(menu(content).join("\n")),
        "channels" => KfBody::Channels(texts(&["nickname", "title"])),
        "channels_shop_product" => KfBody::Channels(texts(&["shop_nickname", "title"])),
        "channels_shop_order" => KfBody::Channels(texts(&["shop_nickname", "product_titles", "order_id"])),
        "merged_msg" => KfBody::Forward(forwarded(content)),
        "note" => KfBody::Forward(texts(&["title"])),
        "meeting" | "calendar" => KfBody::Meeting,
        other => KfBody::Other(other.to_owned()),
    })
}

/// A menu's lines: what is above, each entry, what is below.
fn menu(content: &Object) -> Vec<String> {
    let entry = |it: &Object| {
        let kind = it.text("type")?;
        it.object(&kind).text("content")
    };
    let entries = content.items("list");
    let entries = entries.iter().filter_map(entry).map(|it| format!("· {it}"));
    content.text("head_content").into_iter().chain(entries).chain(content.text("tail_content")).collect()
}

/// The title of forwarded messages, and a line for each. The content of an item is JSON in a text.
fn forwarded(content: &Object) -> Vec<String> {
    let line = |it: &Object| {
        let said = it.text("msg_content").unwrap_or_default();
        let inner: Option<Value> = serde_json::from_str(&said).ok();
        let words = inner.as_ref().and_then(|it| it.pointer("/text/content")).and_then(Value::as_str);
        let words = words.map_or_else(|| format!("[{}]", it.text("msgtype").unwrap_or_default()), str::to_owned);
        format!("{}: {}", it.text("sender_name").unwrap_or_default(), words.replace('\0', ""))
    };
    let items = content.items("item");
    content.text("title").into_iter().chain(items.iter().map(line)).collect()
}

/// A parameter of a link without its percent-encoding: WeCom returns it as it stands in the link.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|it| std::str::from_utf8(it).ok());
        match code.and_then(|it| u8::from_str_radix(it, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).replace('\0', "")
}

/// None for an event that is new from WeCom.
pub(super) fn read_event(event: &Object, kind: &str) -> Result<Option<KfEvent>, ParseError> {
    let customer = || event.id("external_userid").map(ExternalUserId);
    let member = |name| Ok::<_, ParseError>(event.optional_id(name)?.map(UserId));
    let change = match kind {
        "enter_session" => KfChange::Entered {
            customer: customer()?,
            scene: event.text("scene"),
            scene_param: event.text("scene_param").map(|it| decoded(&it)),
            welcome_code: event.optional_id("welcome_code")?.map(Hidden::of),
        },
        "msg_send_fail" => KfChange::SendFailed { customer: customer()?, fail_type: event.number("fail_type") },
        "servicer_status_change" => KfChange::ServicerStatus { servicer: event.id("servicer_userid").map(UserId)? },
        "session_status_change" => {
            let change = match event.number("change_type") {
                Some(1) => SessionChange::Taken,
                Some(2) => SessionChange::Transferred,
                Some(3) => SessionChange::Ended,
                Some(4) => SessionChange::Reopened,
                _ => return Ok(None),
            };
            let (former, servicer) = (member("old_servicer_userid")?, member("new_servicer_userid")?);
            KfChange::SessionChanged { customer: customer()?, change, servicer, former }
        }
        "user_recall_msg" => KfChange::Recalled { msgid: event.id("recall_msgid")?, by_whom: RevokedBy::Customer },
        "servicer_recall_msg" => KfChange::Recalled { msgid: event.id("recall_msgid")?, by_whom: RevokedBy::Member },
        "reject_customer_msg_switch_change" => KfChange::Rejecting {
            customer: customer()?,
            servicer: member("servicer_userid")?,
            rejects: event.number("reject_switch") == Some(1),
        },
        _ => return Ok(None),
    };
    Ok(Some(KfEvent { open_kfid: event.id("open_kfid")?, change }))
}

#[cfg(test)]
mod tests {
    use super::super::{Event, ParseError, parse};
    use super::*;
    use crate::states::Origin;

    fn message(msgtype: &str, content: &str) -> KfMessage {
        let text = format!(
            r#"{{"msgid":"m","open_kfid":"wk1","external_userid":"wmX","send_time":1760000000,"origin":3,
                "msgtype":"{msgtype}","{msgtype}":{content}}}"#
        );
        match parse(text.as_bytes(), Origin::Kf).expect("a message").event {
            Event::KfMessage(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn event(fields: &str) -> Result<Event, ParseError> {
        let text = format!(r#"{{"msgid":"m","send_time":1760000000,"origin":4,"msgtype":"event","event":{fields}}}"#);
        parse(text.as_bytes(), Origin::Kf).map(|it| it.event)
    }

    #[test]
    fn every_type_of_message_is_read_and_tomorrows_is_one_too() {
        let body = |msgtype: &str, content: &str| message(msgtype, content).body;
        assert_eq!(body("text", r#"{"content":" 在吗 ","menu_id":"101"}"#), KfBody::Text(" 在吗 ".into()));
        assert_eq!(body("image", r#"{"media_id":"M1"}"#), KfBody::Media(KfMedia::Image, Some("M1".into())));
        assert_eq!(
            body("location", r#"{"latitude":"23.1","longitude":113.2,"name":"店","address":"路"}"#),
            KfBody::Location { name: Some("店".into()), address: Some("路".into()), at: Some((23.1, 113.2)) }
        );
        let menu = r#"{"head_content":"请选","list":[{"type":"click","click":{"id":"1","content":"报修"}}],"tail_content":"完"}"#;
        assert_eq!(body("msgmenu", menu), KfBody::Text("请选\n· 报修\n完".into()));
        let merged = r#"{"title":"聊天记录","item":[{"msgtype":"text","sender_name":"甲","msg_content":"{\"text\":{\"content\":\"好\"}}"},
            {"msgtype":"image","sender_name":"乙","msg_content":"no json"}]}"#;
        assert_eq!(
            body("merged_msg", merged),
            KfBody::Forward(vec!["聊天记录".into(), "甲: 好".into(), "乙: [image]".into()])
        );
        let product = message("channels_shop_product", r#"{"title":"阀门","shop_nickname":"店","sales_price":"100"}"#);
        assert_eq!(product.body, KfBody::Channels(vec!["店".into(), "阀门".into()]));
        assert_eq!(product.detail.expect("kept")["sales_price"], "100");
        assert_eq!(body("business_card", r#"{"userid":"ann"}"#), KfBody::Card(Some("ann".into())));
        assert_eq!(body("meeting", "{}"), KfBody::Meeting);
        assert_eq!(body("hologram", r#"{"level":7}"#), KfBody::Other("hologram".into()));
        assert_eq!(message("text", r#"{"content":"a"}"#).detail, None);
    }

    #[test]
    fn a_message_names_its_sender_and_needs_its_conversation() {
        let text =
            |more: &str| format!(r#"{{"msgid":"m","send_time":1,"msgtype":"text","text":{{"content":"a"}}{more}}}"#);
        let read = |more: &str| parse(text(more).as_bytes(), Origin::Kf).map(|it| it.event);
        let Ok(Event::KfMessage(it)) =
            read(r#","open_kfid":"wk1","external_userid":"wmX","origin":5,"servicer_userid":"ann""#)
        else {
            panic!("a message")
        };
        assert_eq!(it.sender, KfSender::Servicer("ann".into()));
        assert_eq!(read(r#","open_kfid":"wk1","origin":3"#), Err(ParseError::Missing("external_userid")));
        let long = format!(r#","open_kfid":"wk1","external_userid":"{}""#, "w".repeat(900));
        assert_eq!(read(&long), Err(ParseError::TooLong { name: "external_userid", bytes: 900 }));
    }

    #[test]
    fn an_event_has_its_ids_inside_and_never_shows_its_code() {
        let entered = event(
            r#"{"event_type":"enter_session","open_kfid":"wk1","external_userid":"wmX","scene":"home",
                "scene_param":"a%3D1","welcome_code":"SECRET"}"#,
        )
        .expect("an event");
        assert!(!format!("{entered:?}").contains("SECRET"));
        let Event::KfEvent(KfEvent { change: KfChange::Entered { scene_param, welcome_code, .. }, .. }) = entered
        else {
            panic!("{entered:?}")
        };
        assert_eq!((scene_param.as_deref(), welcome_code.expect("a code").expose()), (Some("a=1"), "SECRET"));
        assert_eq!(decoded("cust%3AC-7%20%E4%BD%A0%00%zz%"), "cust:C-7 你%zz%");
        let recall = event(r#"{"event_type":"user_recall_msg","open_kfid":"wk1","recall_msgid":"m0"}"#);
        let expected = KfChange::Recalled { msgid: "m0".into(), by_whom: RevokedBy::Customer };
        assert_eq!(recall, Ok(Event::KfEvent(KfEvent { open_kfid: "wk1".into(), change: expected })));
        assert_eq!(event(r#"{"event_type":"wave","open_kfid":"wk1"}"#), Ok(Event::Unknown));
        let unknown =
            r#"{"event_type":"session_status_change","open_kfid":"wk1","external_userid":"wmX","change_type":9}"#;
        assert_eq!(event(unknown), Ok(Event::Unknown));
    }
}
