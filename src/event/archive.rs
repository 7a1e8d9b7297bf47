//! Messages of the message archive (会话内容存档): what somebody said, recalled or agreed to.
//!
//! Input is one message as the library decrypted it. A type that we do not know is [`Said`] like the others, under its
//! own name: nobody should have to wait for a new version to see that something was said. Whose message it is, and what
//! is done about a file, is not decided here.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Event, ID_BYTES_MAX, ParseError};
use crate::states::ContactType;

/// A message of the archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Archived {
    /// Who sent it: a member's userid, an external userid, or a robot's id (`wb…`).
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// The group; none between two people.
    pub room: Option<String>,
    /// What it is.
    pub body: ArchivedBody,
}

/// What a message of the archive is.
#[derive(Debug, Clone, PartialEq)]
pub enum ArchivedBody {
    /// Something was said.
    Said(Said),
    /// An earlier message was recalled.
    Recalled {
        /// Its msgid.
        msgid: String,
    },
    /// Somebody agreed that a talk is archived, or took that back.
    Consent {
        /// Whether they agreed.
        agreed: bool,
        /// Who, if the message says so.
        person: Option<String>,
        /// When, if it says so.
        at: Option<DateTime<Utc>>,
    },
    /// A member changed to another company in the app. No talk.
    Switched,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its type.
    pub contact_type: ContactType,
    /// WeCom's own name of a type that we do not know.
    pub unknown: Option<String>,
    /// The text, or a summary in words.
    pub content: String,
    /// What the summary leaves out, as WeCom sent it.
    pub detail: Option<Value>,
    /// Its file.
    pub file: Option<ArchivedFile>,
}

/// A file of the archive, which the library fetches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedFile {
    /// WeCom's id of it, of any length.
    pub sdkfileid: String,
    /// The MD5 of its bytes, in hexadecimal.
    pub md5: Option<String>,
    /// Its type, as far as the message tells it.
    pub content_type: &'static str,
    /// Its name.
    pub filename: Option<String>,
}

/// The longest summary in characters, but for texts: what was forwarded may be a book.
const SUMMARY_CHARS_MAX: usize = 2_000;

/// The field of a file's id. It opens the file, so it is not shown among the details.
const FILE_ID: &str = "sdkfileid";

/// Reads a message.
pub(super) fn read(message: &Map<String, Value>) -> Result<Event, ParseError> {
    let it = Fields(message);
    let (msgtype, action) = (it.text("msgtype").unwrap_or_default(), it.text("action").unwrap_or_default());
    let to = message.get("tolist").and_then(Value::as_array).into_iter().flatten();
    let body = match (msgtype.as_str(), action.as_str()) {
        ("", "switch") => ArchivedBody::Switched,
        ("revoke", _) => ArchivedBody::Recalled { msgid: it.inside("revoke").text("pre_msgid").unwrap_or_default() },
        ("agree" | "disagree", _) => {
            let inside = it.inside(&msgtype);
            ArchivedBody::Consent {
                agreed: msgtype == "agree",
                person: inside.text("userid"),
                at: inside.millis("agree_time").or_else(|| inside.millis("disagree_time")),
            }
        }
        _ => ArchivedBody::Said(said(&msgtype, &it)),
    };
    let read = Archived {
        from: it.text("from").unwrap_or_default(),
        to: to.filter_map(|it| it.as_str().map(str::to_owned)).filter(|it| !it.is_empty()).collect(),
        room: it.text("roomid"),
        body,
    };
    ids_fit(&read)?;
    Ok(Event::Archived(read))
}

/// No id is too long for an index: the database would refuse the message at each attempt.
fn ids_fit(it: &Archived) -> Result<(), ParseError> {
    let ids = it.to.iter().map(|id| ("tolist", id)).chain([("from", &it.from)]);
    let mut ids = ids.chain(it.room.iter().map(|id| ("roomid", id)));
    match ids.find(|(_, id)| id.len() > ID_BYTES_MAX) {
        Some((name, id)) => Err(ParseError::TooLong { name, bytes: id.len() }),
        None => Ok(()),
    }
}

/// What was said, by its type. The object's name is not always the type's.
fn said(msgtype: &str, message: &Fields<'_>) -> Said {
    let inside = object_of(msgtype, message);
    let words = |label: &str, names: &[&str]| {
        let parts: Vec<_> = names.iter().filter_map(|it| inside.text(it)).collect();
        short(&format!("[{label}] {}", parts.join(" ")))
    };
    let (contact_type, content) = match msgtype {
        "text" | "markdown" => (ContactType::Text, inside.raw("content").unwrap_or_default()),
        "image" => (ContactType::Image, words("图片", &[])),
        "voice" => (ContactType::Voice, words("语音", &[])),
        "video" => (ContactType::Video, words("视频", &[])),
        "file" => (ContactType::File, words("文件", &["filename"])),
        "emotion" => (ContactType::Emotion, words("表情", &[])),
        "card" => (ContactType::Card, words("名片", &["corpname", "userid"])),
        "location" => (ContactType::Location, place(&inside)),
        "link" => (ContactType::Link, words("链接", &["title", "link_url"])),
        "news" => (ContactType::Link, short(&format!("[图文] {}", inside.titles("item")))),
        "weapp" => (ContactType::Miniprogram, words("小程序", &["displayname", "title"])),
        "chatrecord" => (ContactType::Forward, forwarded("聊天记录", &inside, "item")),
        "note" => (ContactType::Forward, forwarded("笔记", &inside, "items")),
        "mixed" => (ContactType::Mixed, forwarded("图文混排", &inside, "item")),
        "voiptext" => (ContactType::Call, call(&inside)),
        "meeting_voice_call" => (ContactType::Call, words("语音通话", &[])),
        "docmsg" => (ContactType::Document, words("文档", &["title", "link_url"])),
        "voip_doc_share" => (ContactType::Document, words("共享文档", &["filename"])),
        "qydiskfile" => (ContactType::Document, words("微盘文件", &["filename"])),
        "meeting" => (ContactType::Meeting, words("会议", &["topic", "address"])),
        "meeting_notification" => (ContactType::Meeting, words("会议通知", &["content"])),
        "calendar" => (ContactType::Meeting, words("日程", &["title", "place"])),
        "todo" => (ContactType::Form, words("待办", &["title", "content"])),
        "vote" => (ContactType::Form, words("投票", &["votetitle"])),
        "collect" => (ContactType::Form, words("填表", &["title"])),
        "solitaire" => (ContactType::Form, words("接龙", &["solitaire_content"])),
        "redpacket" | "external_redpacket" => (ContactType::RedPacket, words("红包", &["wish"])),
        "sphfeed" => (ContactType::Channels, words("视频号", &["sph_name", "feed_desc"])),
        other => (ContactType::Other, short(&format!("[{other}]"))),
    };
    let unknown = (contact_type == ContactType::Other).then(|| msgtype.to_owned());
    let file = file(msgtype, &inside);
    let detail = if contact_type == ContactType::Text { None } else { detail(inside.0) };
    Said { contact_type, unknown, content, detail, file }
}

/// The object that holds what was said: named for the type, or in another way; the message itself if there is none.
fn object_of<'a>(msgtype: &str, message: &Fields<'a>) -> Fields<'a> {
    let usual = match msgtype {
        "docmsg" => "doc",
        "external_redpacket" => "redpacket",
        _ => msgtype,
    };
    let found = [usual, "info", msgtype].into_iter().map(|name| message.inside(name)).find(|it| !it.0.is_empty());
    found.unwrap_or(Fields(message.0))
}

/// The details, without what opens a file.
fn detail(inside: &Map<String, Value>) -> Option<Value> {
    let mut detail = inside.clone();
    detail.remove(FILE_ID);
    (!detail.is_empty()).then_some(Value::Object(detail))
}

fn file(msgtype: &str, inside: &Fields<'_>) -> Option<ArchivedFile> {
    let filename = inside.text("filename");
    let content_type = match (msgtype, inside.number("type")) {
        ("image", _) => "image/jpeg",
        ("voice", _) => "audio/amr",
        ("video", _) => "video/mp4",
        ("emotion", Some(1)) => "image/gif",
        ("emotion", _) => "image/png",
        ("mixed", _) => return first_file(inside),
        _ => "application/octet-stream",
    };
    Some(ArchivedFile { sdkfileid: inside.text(FILE_ID)?, md5: inside.text("md5sum"), content_type, filename })
}

/// The first file of a message that holds several kinds.
fn first_file(inside: &Fields<'_>) -> Option<ArchivedFile> {
    inside.items("item").find_map(|(kind, content)| file(&kind, &Fields(content.as_object()?)))
}

/// What was forwarded: its title, and its texts line by line.
fn forwarded(label: &str, inside: &Fields<'_>, items: &str) -> String {
    let title = inside.text("title").unwrap_or_default();
    let mut lines = vec![format!("[{label}] {title}").trim_end().to_owned()];
    for (kind, content) in inside.items(items) {
        let text = |name: &str| content.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        let words = ["content", "title", "filename"].into_iter().find_map(text);
        lines.push(words.map_or_else(|| format!("[{kind}]"), str::to_owned));
    }
    short(&lines.join("\n"))
}

fn place(inside: &Fields<'_>) -> String {
    let real = |name: &str| inside.0.get(name).and_then(Value::as_f64);
    let label: Vec<_> = ["title", "address"].iter().filter_map(|it| inside.text(it)).collect();
    let label = label.join(" ");
    short(&match (real("latitude"), real("longitude")) {
        (Some(latitude), Some(longitude)) => format!("[位置] {label} ({latitude}, {longitude})"),
        _ => format!("[位置] {label}"),
    })
}

fn call(inside: &Fields<'_>) -> String {
    match inside.number("callduration") {
        Some(seconds) => format!("[通话] {seconds} 秒"),
        None => "[通话]".to_owned(),
    }
}

fn short(text: &str) -> String {
    text.trim_end().chars().take(SUMMARY_CHARS_MAX).collect()
}

/// An object's fields.
struct Fields<'a>(&'a Map<String, Value>);

/// An object without fields.
static NOTHING: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

impl<'a> Fields<'a> {
    /// A text that is there and not empty; a number counts as its digits.
    fn text(&self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// A text with the blanks that were typed.
    fn raw(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    fn millis(&self, name: &str) -> Option<DateTime<Utc>> {
        self.number(name).filter(|it| *it > 0).and_then(DateTime::from_timestamp_millis)
    }

    fn inside(&self, name: &str) -> Fields<'a> {
        Fields(self.0.get(name).and_then(Value::as_object).unwrap_or_else(|| &NOTHING))
    }

    fn titles(&self, name: &str) -> String {
        let items = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        let titles: Vec<_> = items.filter_map(|it| it.get("title")?.as_str()).collect();
        titles.join(" ")
    }

    /// The items of a message within a message: the type, and the content, which is JSON in a string.
    fn items(&self, name: &str) -> impl Iterator<Item = (String, Value)> {
        let items = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| {
            let kind = item.get("type").or_else(|| item.get("msg_type"))?.as_str()?;
            let content = match item.get("content")? {
                Value::String(text) => {
                    serde_json::from_str(text).unwrap_or_else(|_| serde_json::json!({ "content": text }))
                }
                other => other.clone(),
            };
            Some((kind.to_owned(), content))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Archived {
        let value: Value = serde_json::from_str(text).expect("JSON");
        match read(value.as_object().expect("an object")).expect("it fits") {
            Event::Archived(it) => it,
            other => panic!("{other:?}"),
        }
    }

    fn said(text: &str) -> Said {
        match message(text).body {
            ArchivedBody::Said(said) => said,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_keeps_its_blanks_and_has_no_details() {
        let it =
            message(r#"{"from":"ann","tolist":["wmX",""],"roomid":"","msgtype":"text","text":{"content":" hi\n"}}"#);
        assert_eq!((it.from.as_str(), it.to.as_slice(), it.room), ("ann", &["wmX".to_owned()][..], None));
        let ArchivedBody::Said(said) = it.body else { panic!("said") };
        assert_eq!((said.contact_type, said.content.as_str(), said.detail), (ContactType::Text, " hi\n", None));
    }

    #[test]
    fn a_file_is_named_by_its_id_which_the_details_leave_out() {
        let it = said(r#"{"msgtype":"file","file":{"sdkfileid":"S1","md5sum":"aa","filename":"a.pdf","filesize":7}}"#);
        assert_eq!(it.content, "[文件] a.pdf");
        assert_eq!(it.detail, Some(serde_json::json!({ "md5sum": "aa", "filename": "a.pdf", "filesize": 7 })));
        let file = it.file.expect("a file");
        assert_eq!(
            (file.sdkfileid.as_str(), file.md5.as_deref(), file.filename.as_deref()),
            ("S1", Some("aa"), Some("a.pdf"))
        );
        let sticker = said(r#"{"msgtype":"emotion","emotion":{"type":1,"sdkfileid":"S2"}}"#);
        assert_eq!(sticker.file.map(|it| it.content_type), Some("image/gif"));
    }

    #[test]
    fn what_is_forwarded_or_mixed_is_summed_up_line_by_line() {
        let forward = r#"{"msgtype":"chatrecord","chatrecord":{"title":"群聊","item":[
            {"type":"ChatRecordText","content":"{\"content\":\"漏水了\"}"},
            {"type":"ChatRecordImage","content":"{\"md5sum\":\"a\"}"},{"type":"ChatRecordFile","content":"{\"filename\":\"a.pdf\"}"}]}}"#;
        assert_eq!(said(forward).content, "[聊天记录] 群聊\n漏水了\n[ChatRecordImage]\na.pdf");
        let mixed = r#"{"msgtype":"mixed","mixed":{"item":[{"type":"text","content":"{\"content\":\"看\"}"},
            {"type":"image","content":"{\"sdkfileid\":\"S1\",\"md5sum\":\"aa\"}"}]}}"#;
        let mixed = said(mixed);
        assert_eq!((mixed.contact_type, mixed.content.as_str()), (ContactType::Mixed, "[图文混排]\n看\n[image]"));
        assert_eq!(mixed.file.map(|it| (it.sdkfileid, it.content_type)), Some(("S1".to_owned(), "image/jpeg")));
    }

    #[test]
    fn an_object_with_another_name_than_its_type_is_found() {
        for (text, content) in [
            (r#"{"msgtype":"markdown","info":{"content":"**a**"}}"#, "**a**"),
            (r#"{"msgtype":"news","info":{"item":[{"title":"a"},{"title":"b"}]}}"#, "[图文] a b"),
            (r#"{"msgtype":"docmsg","doc":{"title":"t","link_url":"u"}}"#, "[文档] t u"),
            (r#"{"msgtype":"external_redpacket","redpacket":{"wish":"恭喜"}}"#, "[红包] 恭喜"),
            (r#"{"msgtype":"vote","votetitle":"去哪"}"#, "[投票] 去哪"),
            (r#"{"msgtype":"voiptext","info":{"callduration":12}}"#, "[通话] 12 秒"),
            (r#"{"msgtype":"meeting","info":{"topic":"周会"}}"#, "[会议] 周会"),
        ] {
            assert_eq!(said(text).content, content, "{text}");
        }
    }

    #[test]
    fn a_type_of_tomorrow_is_kept_under_its_own_name() {
        let it = said(r#"{"msgtype":"hologram","hologram":{"level":7}}"#);
        assert_eq!(
            (it.contact_type, it.unknown.as_deref(), it.content.as_str()),
            (ContactType::Other, Some("hologram"), "[hologram]")
        );
        assert_eq!(it.detail, Some(serde_json::json!({ "level": 7 })));
    }

    #[test]
    fn an_id_that_no_index_holds_is_refused() {
        let message = serde_json::json!({ "msgtype": "text", "from": "a".repeat(801), "text": { "content": "hi" } });
        let refused = read(message.as_object().expect("an object"));
        assert_eq!(refused, Err(ParseError::TooLong { name: "from", bytes: 801 }));
    }

    #[test]
    fn recalls_consents_and_switches_are_no_messages() {
        let recall = message(r#"{"action":"recall","msgtype":"revoke","revoke":{"pre_msgid":"m1"}}"#);
        assert_eq!(recall.body, ArchivedBody::Recalled { msgid: "m1".to_owned() });
        let agree = message(r#"{"msgtype":"disagree","disagree":{"userid":"wmX","disagree_time":1760000000123}}"#);
        let at = DateTime::from_timestamp_millis(1_760_000_000_123);
        assert_eq!(agree.body, ArchivedBody::Consent { agreed: false, person: Some("wmX".to_owned()), at });
        assert_eq!(message(r#"{"action":"switch","time":1,"user":"ann"}"#).body, ArchivedBody::Switched);
    }
}
