//! A callback's document, XML or JSON, as names and text.
//!
//! Input is text from the network: the outer envelope before anything is proven, and the plaintext inside it.
//! Both families of document read alike: a JSON object's keys are elements, an array is repeated siblings.
//! This file does not know what any name means, never expands an entity that a document defines, and never
//! puts a document's content into an error. Of two elements with one name the first counts, in both families.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::ops::ControlFlow;
use std::str::FromStr;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Elements inside elements; the deepest shape the platform documents has 7 levels.
pub const DEPTH_MAX: usize = 32;

/// Elements in one document; the longest lists the platform documents have 1,000 entries of a few fields.
pub const ELEMENTS_MAX: usize = 20_000;

/// Bytes of one document. The doors limit bodies far below this; it bounds whoever calls without a door.
pub const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Why a text is not a document we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Nothing but blanks.
    #[error("the document is empty")]
    Empty,
    /// More than [`TEXT_BYTES_MAX`] bytes or [`ELEMENTS_MAX`] elements.
    #[error("the document is too large")]
    TooLarge,
    /// More than [`DEPTH_MAX`] levels.
    #[error("the document is nested too deeply")]
    TooDeep,
    /// A document type declaration, which no callback has and attacks begin with.
    #[error("the document declares a document type")]
    Doctype,
    /// Neither XML nor JSON, or broken; says where, never what was there.
    #[error("the document is malformed: {0}")]
    Malformed(String),
}

/// One element: its name, its own text, its children in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// The name as written.
    pub name: String,
    /// All text and CDATA pieces of this element, concatenated, entities resolved, NUL characters left out.
    pub text: String,
    /// The elements inside this one.
    pub children: Vec<Element>,
}

impl Element {
    /// Parses XML or JSON, told apart by the first character that is not blank; a byte order mark is ignored.
    ///
    /// A JSON `null` is left out, as if its key were not there. The root of a JSON document has no name.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let mut open: Vec<Element> = Vec::new();
        let mut root = None;
        walk(text, |step| {
            match step {
                Step::Open(name) => open.push(named(name)),
                Step::Text(piece) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&piece);
                    }
                }
                Step::Close => {
                    let closed = open.pop();
                    match open.last_mut() {
                        Some(parent) => parent.children.extend(closed),
                        None => root = closed,
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        root.ok_or(DocumentError::Empty)
    }

    /// The first child of this name. Case of ASCII letters does not matter: `AgentID`, `AgentId` and `agentid` are one.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name.eq_ignore_ascii_case(name))
    }

    /// Every child of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name.eq_ignore_ascii_case(name))
    }

    /// The text of the child of this name without the blanks around it; `Some("")` if present and empty.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.raw_text_of(name).map(str::trim_ascii)
    }

    /// The text of the child of this name as a number; `None` if absent, empty or not a number.
    pub fn number_of<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text_of(name)?.parse().ok()
    }

    /// The text of the child of this name with its blanks, for what people typed.
    pub fn raw_text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

/// Visits the fields directly under the root that hold only text, in document order, without building a tree.
///
/// Texts come without the blanks around them and borrow from `text` where nothing had to be resolved. Fields
/// with elements inside them are passed over. When `visit` breaks, the rest of the document is not looked at,
/// not even to see whether it is well formed.
pub fn scan<'a>(
    text: &'a str,
    mut visit: impl FnMut(&str, Cow<'a, str>) -> ControlFlow<()>,
) -> Result<(), DocumentError> {
    let (mut name, mut value) = (String::new(), Cow::Borrowed(""));
    let (mut depth, mut has_children) = (0_usize, false);
    walk(text, |step| {
        match step {
            Step::Open(opened) => {
                depth += 1;
                has_children = depth > FIELD_DEPTH;
                if depth == FIELD_DEPTH {
                    name.clear();
                    name.push_str(opened);
                    value = Cow::Borrowed("");
                }
            }
            // Blanks before a CDATA section are dropped, so that a pretty-printed field is still borrowed.
            Step::Text(piece) if depth == FIELD_DEPTH && value.is_empty() => {
                if !piece.trim_ascii().is_empty() {
                    value = piece;
                }
            }
            Step::Text(piece) if depth == FIELD_DEPTH => value.to_mut().push_str(&piece),
            Step::Text(_) => {}
            Step::Close => {
                depth -= 1;
                if depth + 1 == FIELD_DEPTH && !has_children {
                    return visit(&name, trimmed(mem::take(&mut value)));
                }
            }
        }
        ControlFlow::Continue(())
    })
}

/// The root is at depth 1, its fields are at depth 2.
const FIELD_DEPTH: usize = 2;

/// What walking a document meets, already checked against the limits and free of NUL.
enum Step<'a, 'n> {
    Open(&'n str),
    Text(Cow<'a, str>),
    Close,
}

fn walk<'a>(text: &'a str, visit: impl FnMut(Step<'a, '_>) -> ControlFlow<()>) -> Result<(), DocumentError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(DocumentError::TooLarge);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
    match text.bytes().next() {
        None => Err(DocumentError::Empty),
        Some(b'<') => walk_xml(text, visit),
        Some(b'{') => walk_json(text, visit),
        Some(_) => Err(DocumentError::Malformed("it begins with neither '<' nor '{'".to_owned())),
    }
}

/// Walks the one root element of an XML document until `visit` breaks.
fn walk_xml<'a>(text: &'a str, mut visit: impl FnMut(Step<'a, '_>) -> ControlFlow<()>) -> Result<(), DocumentError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut depth, mut elements) = (0_usize, 0_usize);
    loop {
        let event = reader.read_event().map_err(|_| malformed_near(reader.error_position()))?;
        let flow = match event {
            Event::Start(_) if depth == 0 && elements > 0 => return Err(malformed_near(reader.buffer_position())),
            Event::Start(tag) => {
                depth += 1;
                elements += 1;
                check_limits(depth, elements)?;
                visit(Step::Open(&without_nul(Cow::Borrowed(tag.name().as_ref()))))
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                visit(Step::Close)
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => ControlFlow::Continue(()),
            Event::DocType(_) => return Err(DocumentError::Doctype),
            Event::Eof if depth == 0 && elements > 0 => return Ok(()),
            Event::Eof => return Err(DocumentError::Malformed("it ends before its root element does".to_owned())),
            text => match piece_of(text) {
                Some(piece) if depth > 0 => visit(Step::Text(without_nul(piece))),
                Some(piece) if piece.trim_ascii().is_empty() => ControlFlow::Continue(()),
                _ => return Err(malformed_near(reader.buffer_position())),
            },
        };
        if flow.is_break() {
            return Ok(());
        }
    }
}

/// The text an event stands for; `None` for an entity that XML does not define itself.
fn piece_of(event: Event<'_>) -> Option<Cow<'_, str>> {
    match event {
        Event::Text(text) => Some(text.xml10_content()),
        Event::CData(text) => Some(text.xml10_content()),
        Event::GeneralRef(name) if name.starts_with('#') => {
            // A reference to what is no character stands for something lost, and is shown as that.
            let found = name.resolve_char_ref().ok().flatten().filter(|&found| found != '\0');
            Some(Cow::Owned(found.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()))
        }
        Event::GeneralRef(name) => resolve_predefined_entity(&name).map(Cow::Borrowed),
        _ => None,
    }
}

/// Walks a JSON object until `visit` breaks, as if it were the XML document of the same names and texts.
fn walk_json<'a>(text: &'a str, visit: impl FnMut(Step<'a, '_>) -> ControlFlow<()>) -> Result<(), DocumentError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut walk = JsonWalk { visit, elements: 0, stopped: None };
    let read = Values { name: "", depth: 1, walk: &mut walk }.deserialize(&mut json).and_then(|()| json.end());
    match (walk.stopped, read) {
        (Some(stopped), _) => stopped,
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => {
            let (line, column) = (error.line(), error.column());
            Err(DocumentError::Malformed(format!("JSON, near line {line} column {column}")))
        }
    }
}

/// A walk under way, and why it stopped if it did: a limit, or `Ok` because the visitor had enough.
struct JsonWalk<F> {
    visit: F,
    elements: usize,
    stopped: Option<Result<(), DocumentError>>,
}

impl<F> JsonWalk<F> {
    fn step<'a, E: serde::de::Error>(&mut self, step: Step<'a, '_>) -> Result<(), E>
    where
        F: FnMut(Step<'a, '_>) -> ControlFlow<()>,
    {
        if (self.visit)(step).is_break() { Err(self.stop(Ok(()))) } else { Ok(()) }
    }

    /// serde knows only errors as a way out; the reason is kept beside it.
    fn stop<E: serde::de::Error>(&mut self, reason: Result<(), DocumentError>) -> E {
        self.stopped = Some(reason);
        E::custom("stopped")
    }
}

/// Reads one JSON value as elements of one name: none for null, one for each item of an array.
struct Values<'w, F> {
    name: &'w str,
    depth: usize,
    walk: &'w mut JsonWalk<F>,
}

impl<'de, F: FnMut(Step<'de, '_>) -> ControlFlow<()>> Values<'_, F> {
    fn open<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.walk.elements += 1;
        check_limits(self.depth, self.walk.elements).map_err(|limit| self.walk.stop(Err(limit)))?;
        self.walk.step(Step::Open(self.name))
    }

    fn scalar<E: serde::de::Error>(mut self, text: Cow<'de, str>) -> Result<(), E> {
        self.open()?;
        self.walk.step(Step::Text(without_nul(text)))?;
        self.walk.step(Step::Close)
    }
}

impl<'de, F: FnMut(Step<'de, '_>) -> ControlFlow<()>> DeserializeSeed<'de> for Values<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Step<'de, '_>) -> ControlFlow<()>> Visitor<'de> for Values<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_string()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_owned()))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'de str) -> Result<(), E> {
        self.scalar(Cow::Borrowed(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        // An array is no element itself, but its nesting counts, so that reading it stays bounded.
        let depth = self.depth + 1;
        check_limits(depth, self.walk.elements).map_err(|limit| self.walk.stop(Err(limit)))?;
        while items.next_element_seed(Values { name: self.name, depth, walk: &mut *self.walk })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.open()?;
        while let Some(name) = fields.next_key::<Cow<'_, str>>()?.map(without_nul) {
            fields.next_value_seed(Values { name: &name, depth: self.depth + 1, walk: &mut *self.walk })?;
        }
        self.walk.step(Step::Close)
    }
}

fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}

fn check_limits(depth: usize, elements: usize) -> Result<(), DocumentError> {
    if depth > DEPTH_MAX {
        return Err(DocumentError::TooDeep);
    }
    if elements > ELEMENTS_MAX {
        return Err(DocumentError::TooLarge);
    }
    Ok(())
}

fn malformed_near(position: u64) -> DocumentError {
    DocumentError::Malformed(format!("XML, near byte {position}"))
}

/// PostgreSQL refuses NUL characters in text, and no field needs one.
fn without_nul(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { text }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
        Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Element {
        Element::parse(text).expect("a document")
    }

    /// Every field that a scan visits, in brackets if its text had to be copied.
    fn scanned(text: &str) -> Result<Vec<String>, DocumentError> {
        let mut fields = Vec::new();
        scan(text, |name, value| {
            fields.push(match value {
                Cow::Borrowed(value) => format!("{name}={value}"),
                Cow::Owned(value) => format!("({name}={value})"),
            });
            ControlFlow::Continue(())
        })?;
        Ok(fields)
    }

    #[test]
    fn xml_and_json_of_the_same_names_read_alike() {
        let xml =
            "\u{feff}<?xml version=\"1.0\"?><xml><AgentID>7</AgentID><To><Id>a</Id></To><Tag>x</Tag><Tag>y</Tag></xml>";
        let json = r#"{"agentid": 7, "to": {"id": "a"}, "tag": ["x", "y"], "none": null, "empty": []}"#;
        for text in [xml, json] {
            let root = parsed(text);
            assert_eq!(root.number_of("AgentId"), Some(7));
            assert_eq!(root.child("TO").and_then(|to| to.text_of("ID")), Some("a"));
            assert_eq!(root.all("tag").map(|tag| tag.text.as_str()).collect::<Vec<_>>(), ["x", "y"]);
            assert_eq!(root.text_of("none"), None);
            assert_eq!(root.text_of("empty"), None);
        }
    }

    #[test]
    fn text_is_joined_from_its_pieces_and_keeps_its_blanks_only_if_asked() {
        let root = parsed("<x><A> a<![CDATA[<b>\0]]>&amp;&#x4e2d;&#0;&#xD800; </A><B/><C>twelve</C></x>");
        assert_eq!(root.raw_text_of("A"), Some(" a<b>&中\u{fffd}\u{fffd} "));
        assert_eq!(root.text_of("A"), Some("a<b>&中\u{fffd}\u{fffd}"));
        assert_eq!(root.text_of("B"), Some(""));
        assert_eq!(root.number_of::<u32>("B"), None);
        assert_eq!(root.number_of::<u32>("C"), None);
    }

    #[test]
    fn the_first_of_two_fields_with_one_name_counts() {
        assert_eq!(parsed("<x><A>1</A><A>2</A></x>").text_of("A"), Some("1"));
        assert_eq!(parsed(r#"{"A":1,"a":2}"#).text_of("A"), Some("1"));
    }

    #[test]
    fn a_scan_borrows_fields_and_passes_over_what_has_elements_inside() {
        let xml = "<xml>\n<A>\n<![CDATA[one]]></A><L><Item>2</Item></L><B>&lt; 3</B><C/></xml>";
        let json = r#"{"A":" one ","L":{"Item":2},"B":"\u003c 3","C":""}"#;
        for text in [xml, json] {
            assert_eq!(scanned(text).expect("a document"), ["A=one", "(B=< 3)", "C="]);
        }
    }

    #[test]
    fn a_scan_that_is_stopped_does_not_look_at_the_rest() {
        for text in ["<x><A>1</A><B>2</B><broken", r#"{"A":1,"B":2,broken"#] {
            let mut seen = Vec::new();
            let result = scan(text, |name, _| {
                seen.push(name.to_owned());
                if name == "B" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!((result, seen), (Ok(()), vec!["A".to_owned(), "B".to_owned()]));
            assert!(scanned(text).is_err());
        }
    }

    #[test]
    fn hostile_and_broken_documents_are_refused() {
        let nested = |open: &str, close: &str, levels| open.repeat(levels) + &close.repeat(levels);
        let laughs = r#"<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>"#;
        assert_eq!(Element::parse(laughs), Err(DocumentError::Doctype));
        assert_eq!(Element::parse("<x><!DOCTYPE y></x>"), Err(DocumentError::Doctype));
        assert_eq!(Element::parse(" \n"), Err(DocumentError::Empty));
        assert_eq!(Element::parse(&"<".repeat(TEXT_BYTES_MAX + 1)), Err(DocumentError::TooLarge));
        assert_eq!(Element::parse(&format!("<x>{}</x>", "<i/>".repeat(ELEMENTS_MAX))), Err(DocumentError::TooLarge));
        assert_eq!(
            Element::parse(&format!("{{\"a\":[{}0]}}", "0,".repeat(ELEMENTS_MAX))),
            Err(DocumentError::TooLarge)
        );
        assert!(Element::parse(&nested("<x>", "</x>", DEPTH_MAX)).is_ok());
        assert_eq!(Element::parse(&nested("<x>", "</x>", DEPTH_MAX + 1)), Err(DocumentError::TooDeep));
        assert_eq!(Element::parse(&nested("<x>", "</x>", 100_000)), Err(DocumentError::TooDeep));
        for opened in [r#"{"a":"#, "[", r#"[{"a":"#] {
            assert_eq!(Element::parse(&format!("{{\"a\":{}", opened.repeat(100_000))), Err(DocumentError::TooDeep));
        }
        let xml =
            "<x>|<x><a></x>|<x/><y/>|<x/>junk|<x/><![CDATA[junk]]>|<x></x></x>|<x>&no;</x>|<x>a & b</x>|<x|<!---->";
        let json = r#"text|[1]|{|{"a":1}{}|{"a":tru}|{"a" 1}"#;
        for broken in xml.split('|').chain(json.split('|')) {
            assert!(matches!(Element::parse(broken), Err(DocumentError::Malformed(_))), "{broken}");
            assert!(matches!(scanned(broken), Err(DocumentError::Malformed(_))), "{broken}");
        }
    }

    #[test]
    fn an_error_never_repeats_what_the_document_says() {
        for secret in ["<x><a>s3cret</b></x>", r#"{"a":"s3cret""#, "<x>&s3cret;</x>", "<x><s3cret></x>"] {
            let error = Element::parse(secret).expect_err("a broken document");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in r#"([<>/&;!\[\]{}":,\x00 a-cé]|<a>|</a>|<!\[CDATA\[|\]\]>|&#|"a":)*"#) {
            for text in [text.clone(), format!("<{text}"), format!("{{{text}"), format!("<x>{text}</x>")] {
                let fields = scanned(&text);
                if let Ok(root) = Element::parse(&text) {
                    let leaves = root.children.iter().filter(|child| child.children.is_empty()).count();
                    prop_assert_eq!(fields.map(|fields| fields.len()), Ok(leaves));
                }
            }
        }
    }
}
