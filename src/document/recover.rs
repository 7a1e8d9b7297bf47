//! Reads a malformed plaintext, as long as only one reading is possible.
//!
//! The strict reading comes first, and counts unless it fails or is doubtful (`tree.rs` says when). Then:
//!
//! - bytes that are not UTF-8 become U+FFFD, and an `&` that begins no reference is itself;
//! - JSON is repaired as `crate::repair` says;
//! - XML is *cut* into fields one after the other, as WeCom writes them: `<Name>`, a section or plain text, `</Name>`.
//!   A field whose value WeCom makes ends at the next `</Name>`, because no such value has a `<` in it. In a message in
//!   which people fill one field (a text's `Content`), that field ends at the last `</Name>` of the document, because
//!   nothing that was typed comes after it. Any other field must have the one `</Name>` of the document.
//!
//! So each field ends where WeCom ended it, whatever people typed: nobody can forge a field. A document that fits
//! none of these rules is not read.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;

use super::tree::{self, SECTION_CLOSE, SECTION_OPEN, Tree};
use super::{DocumentError, Element, TEXT_BYTES_MAX, bare, without_nul};
use crate::repair;

/// How many fields are cut out of one document; the platform's largest flat one has about thirty. Each may require a
/// search of the whole document.
const FIELDS_MAX: usize = 100;

/// The longest reference: `&#x10FFFF;`.
const REFERENCE_BYTES_MAX: usize = 10;

/// Fields whose values WeCom makes: ids, times, numbers, keywords.
const MADE: [&str; 33] = [
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "ChangeType",
    "AgentID",
    "MsgId",
    "SuiteId",
    "InfoType",
    "TimeStamp",
    "AuthCorpId",
    "UserID",
    "NewUserID",
    "ExternalUserID",
    "WelcomeCode",
    "Source",
    "FailReason",
    "MediaId",
    "ThumbMediaId",
    "Format",
    "Location_X",
    "Location_Y",
    "Scale",
    "AppType",
    "Department",
    "MainDepartment",
    "IsLeaderInDept",
    "DirectLeader",
    "Gender",
    "Status",
    "Mobile",
    "OpenUserID",
];

/// The one field that people fill, by message type.
const TYPED_ALONE: [(&str, &str); 3] = [("text", "Content"), ("location", "Label"), ("voice", "Recognition")];

/// The document of a plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The root element.
    pub root: Element,
    /// Whether it was malformed or misleading and had to be repaired.
    pub repaired: bool,
    /// Whether a person may have typed some of its elements without a way to tell which.
    pub doubtful: bool,
}

/// Reads a plaintext.
pub fn read(plaintext: &[u8]) -> Result<Reading, DocumentError> {
    let text = String::from_utf8_lossy(plaintext);
    let lossy = matches!(text, Cow::Owned(_));
    let strict = tree::build(&text, true);
    let recovered = match &strict {
        Ok(tree) if !tree.doubtful => None,
        Err(DocumentError::Empty) => None,
        _ if text.len() > TEXT_BYTES_MAX => None,
        Err(DocumentError::Malformed(_)) if bare(&text).starts_with('{') => {
            tree::build(&repair::json(&text), true).ok().map(|it| it.root)
        }
        Err(DocumentError::Malformed(_)) => with_bare_ampersands(&text).or_else(|| cut(&text)),
        // Other errors (too deep, a document type) may also come from typed text.
        _ => cut(&text),
    };
    if let Some(root) = recovered {
        return Ok(Reading { root, repaired: true, doubtful: false });
    }
    let Tree { root, repaired, doubtful } = strict?;
    Ok(Reading { root, repaired: repaired || lossy, doubtful })
}

/// Escapes each `&` that begins no reference, and parses the result; `None` if something else is wrong.
fn with_bare_ampersands(text: &str) -> Option<Element> {
    let mut escaped = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<']) {
        let (before, from) = rest.split_at(at);
        escaped.push_str(before);
        let taken = if from.starts_with(SECTION_OPEN) { from.find(SECTION_CLOSE)? + SECTION_CLOSE.len() } else { 1 };
        let bare = from.starts_with('&') && reference(from).is_none();
        escaped.push_str(if bare { "&amp;" } else { from.get(..taken)? });
        rest = from.get(taken..)?;
    }
    escaped.push_str(rest);
    let tree = tree::build(&escaped, true).ok()?;
    // An element whose text was taken whole was not entirely outside of sections; `cut` handles it instead.
    (!tree.doubtful && !tree.repaired).then_some(tree.root)
}

/// Cuts the document's fields out one after the other; `None` unless each can end in only one place.
fn cut(text: &str) -> Option<Element> {
    let text = bare(text);
    let text = match text.strip_prefix("<?xml") {
        Some(declared) => declared.split_once("?>")?.1.trim_ascii_start(),
        None => text,
    };
    let (name, inside) = opening_tag(text)?;
    let fields = inside.strip_suffix(&format!("</{name}>"))?;
    let mut root = tree::named(name);
    let mut rest = fields.trim_ascii_start();
    // After the field that people fill, only fields that WeCom makes follow.
    let mut typed = false;
    while !rest.is_empty() {
        if root.children.len() >= FIELDS_MAX {
            return None;
        }
        let (name, after) = opening_tag(rest)?;
        let close = format!("</{name}>");
        let made = MADE.iter().any(|it| it.eq_ignore_ascii_case(name));
        let end = if made {
            after.find(&close)?
        } else if typed {
            return None;
        } else if is_typed_alone(&root, name) {
            typed = true;
            after.rfind(&close)?
        } else if fields.matches(&close).nth(1).is_none() {
            after.find(&close)?
        } else {
            return None;
        };
        let (value, after) = after.split_at_checked(end)?;
        let text = field_text(value)?;
        if made && text.contains('<') {
            return None;
        }
        root.children.push(Element { text, ..tree::named(name) });
        rest = after.strip_prefix(close.as_str())?.trim_ascii_start();
    }
    (!tree::repeats(&root)).then_some(root)
}

/// Whether the message read so far is of a type in which people fill this field and no other.
fn is_typed_alone(message: &Element, field: &str) -> bool {
    let msg_type = message.text_of("MsgType").unwrap_or_default();
    TYPED_ALONE.contains(&(msg_type, field))
}

/// The name in an opening tag without attributes, and what follows the tag.
fn opening_tag(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, after))
}

/// A field's text: one section, or plain text without elements in it.
fn field_text(value: &str) -> Option<String> {
    if let Some(text) = tree::section(value) {
        return Some(text);
    }
    if value.contains('<') {
        return None;
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let (meant, taken) = reference(from).unwrap_or_else(|| ("&".to_owned(), 1));
        text.push_str(&meant);
        rest = from.get(taken..)?;
    }
    text.push_str(rest);
    Some(without_nul(text.into()).into_owned())
}

/// Resolves the reference at the beginning of a text, and returns its length; `None` if there is none.
fn reference(text: &str) -> Option<(String, usize)> {
    let end = text.bytes().take(REFERENCE_BYTES_MAX).position(|it| it == b';')?;
    let name = text.get(1..end)?;
    let meant = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            let found = char::from_u32(code.ok()?).filter(|it| *it != '\0');
            found.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
        }
        None => resolve_predefined_entity(name)?.to_owned(),
    };
    Some((meant, end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A text message as WeCom writes it: the typed text is in its section unescaped.
    fn text_message(typed: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[ann]]></FromUserName>\
             <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[{typed}]]></Content><MsgId>7</MsgId><AgentID>1</AgentID></xml>"
        )
    }

    fn fields(root: &Element) -> Vec<(&str, &str)> {
        root.children.iter().map(|it| (it.name.as_str(), it.text.as_str())).collect()
    }

    fn read_text(typed: &str) -> Reading {
        let reading = read(text_message(typed).as_bytes()).expect("a document");
        let expected = [
            ("ToUserName", "ww1"),
            ("FromUserName", "ann"),
            ("CreateTime", "1700000000"),
            ("MsgType", "text"),
            ("Content", typed),
            ("MsgId", "7"),
            ("AgentID", "1"),
        ];
        assert_eq!(fields(&reading.root), expected, "{typed}");
        assert!(!reading.doubtful);
        reading
    }

    #[test]
    fn any_typed_text_is_read_completely_and_forges_no_field() {
        for plain in ["", " a & b <c> &amp; ", "a]]", "</MsgId>", "]", "<!-- a -->", "<MsgId>8</MsgId>"] {
            assert!(!read_text(plain).repaired, "{plain}");
        }
        read_text("<![CDATA[");
        let deep = format!("]]></Content>{}<Content><![CDATA[", "<x>".repeat(50));
        let odd = [
            "a]]>b",
            "]]>",
            "<![CDATA[a]]>",
            "a]]><![CDATA[b",
            "a]]> <b> <![CDATA[",
            "a]]><b></b><![CDATA[c",
            "a]]></Content>",
            "a]]></Content></xml>",
            "]]></Content><FromUserName><![CDATA[boss]]></FromUserName>",
            "]]></Content><FromUserName><![CDATA[boss]]></FromUserName><Content><![CDATA[",
            "]]></Content><NewUserID>boss</NewUserID><Content><![CDATA[x",
            "]]></Content><InfoType>change_auth</InfoType><Content><![CDATA[x",
            "]]></Content><content><![CDATA[x]]></content><Content><![CDATA[y",
            "]]></Content><Content><![CDATA[",
            "]]></Content><!-- x --><Content><![CDATA[",
            "]]></Content><?x?><Content><![CDATA[",
            "]]></Content><!DOCTYPE x><Content><![CDATA[",
            "]]></Content><X a=\"",
            "]]></Content><X><Content><![CDATA[a]]></Content></X><Content><![CDATA[",
            "]]></Content></xml><xml><Content><![CDATA[",
            "]]><Content><![CDATA[x]]></Content><![CDATA[",
            deep.as_str(),
        ];
        for typed in odd {
            assert!(read_text(typed).repaired, "{typed}");
        }
    }

    #[test]
    fn an_escaped_cdata_end_is_decoded_and_does_not_count_as_a_repair() {
        let reading = read(text_message("a]]]]><![CDATA[>b").as_bytes()).expect("a document");
        assert_eq!((reading.root.text_of("Content"), reading.repaired), (Some("a]]>b"), false));
    }

    #[test]
    fn a_broken_byte_is_replaced_and_a_bare_ampersand_is_kept() {
        let mut broken = text_message("a?b").into_bytes();
        let at = broken.iter().position(|it| *it == b'?').expect("it is there");
        broken[at] = 0xe4;
        let reading = read(&broken).expect("a document");
        assert_eq!((reading.root.text_of("Content"), reading.repaired), (Some("a\u{fffd}b"), true));

        let text = "<xml><Url>http://a?b=1&c=2&amp;d&#x41;&nbsp;&;&#0;</Url><L><I>1&2</I><I>3</I></L></xml>";
        let reading = read(text.as_bytes()).expect("a document");
        assert_eq!(reading.root.text_of("Url"), Some("http://a?b=1&c=2&dA&nbsp;&;\u{fffd}"));
        assert_eq!(reading.root.child("L").and_then(|it| it.text_of("I")), Some("1&2"));
        assert!(reading.repaired);
    }

    #[test]
    fn an_ambiguous_document_is_refused_or_marked_doubtful() {
        let link = |title: &str, description: &str| {
            format!(
                "<xml><FromUserName>ann</FromUserName><MsgType>link</MsgType><Title><![CDATA[{title}]]></Title>\
                 <Description><![CDATA[{description}]]></Description><Url><![CDATA[u]]></Url></xml>"
            )
        };
        let good = read(link("a]]>b", "c<Title>d").as_bytes()).expect("a document");
        assert_eq!((good.root.text_of("Title"), good.repaired), (Some("a]]>b"), true));
        let pairs = [
            ("a]]></Title><X><Title><![CDATA[", "]]></Description></X><Url>forged</Url><Description><![CDATA[d"),
            ("a]]></Title><!--", "--><Url>forged</Url><Description><![CDATA[d"),
            ("a]]></Title><X a=\"", "\"/><Url>forged</Url><Description><![CDATA[d"),
            ("a", "b]]></Title><Url>forged</Url><Description><![CDATA[d"),
            ("a", "b]]></Description><Url>forged</Url><Description><![CDATA[d"),
            ("a]]></Title><ExtAttr><Item><Name>x", "</Name></Item></ExtAttr><Description><![CDATA[d"),
        ];
        for (title, description) in pairs {
            let reading = read(link(title, description).as_bytes());
            assert!(reading.is_err() || reading.is_ok_and(|it| it.doubtful), "{title} {description}");
        }
    }

    #[test]
    fn repeated_list_elements_are_not_marked_doubtful() {
        for text in [
            "<xml><Event>e</Event><FileId>a</FileId><FileId>b</FileId><Count>2</Count></xml>",
            "<xml><Name>n</Name><ExtAttr><Item><Name>a</Name></Item><Item><Name>b</Name></Item></ExtAttr></xml>",
            r#"{"a":1,"b":2,"a":3}"#,
        ] {
            let reading = read(text.as_bytes()).expect("a document");
            assert!(!reading.doubtful && !reading.repaired, "{text}");
        }
    }

    #[test]
    fn json_with_raw_control_characters_is_read() {
        let reading = read(b"{\"text\":{\"content\":\"a\nb\x1b[0m\0c \\ud83d d\"}}").expect("a document");
        let said = reading.root.child("text").and_then(|it| it.raw_text_of("content"));
        assert_eq!((said, reading.repaired), (Some("a\nb\u{1b}[0mc \u{fffd} d"), true));
    }

    proptest! {
        #[test]
        fn text_typed_by_a_user_never_changes_another_field(
            typed in r#"(<|>|a|&|]]>|]]|<!\[CDATA\[|</?(Content|content|FromUserName|xml|X|MsgId)>|<!--|-->|"|X a="| )*"#
        ) {
            let reading = read(text_message(&typed).as_bytes()).expect("a document");
            prop_assert!(!reading.doubtful);
            let meant = typed.replace("]]]]><![CDATA[>", "]]>");
            let found = fields(&reading.root);
            prop_assert_eq!(found.get(4).copied(), Some(("Content", meant.as_str())));
            prop_assert_eq!(found.len(), 7);
            prop_assert_eq!(reading.root.text_of("FromUserName"), Some("ann"));
            prop_assert_eq!(reading.root.text_of("MsgId"), Some("7"));
        }
    }
}
