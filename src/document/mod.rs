//! Reads a callback's document, XML or JSON, as names and texts.
//!
//! Input is text from the network: the outer envelope before anything is verified, and the plaintext inside it. Both
//! formats read alike: a JSON object's keys are elements, an array is repeated siblings. Nothing here knows what a
//! callback means, expands an entity that a document defines, or puts a document's content into an error. Of two
//! elements with one name the first counts, in both formats.
//!
//! [`Element::parse`] and [`scan`] are strict. [`read`] is for plaintexts: WeCom inserts what people type without
//! escaping it, so it also reads malformed documents, as long as only one reading is possible.

mod xml;

mod json;

mod tree;

mod recover;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::mem;
use std::ops::ControlFlow;
use std::str::FromStr;

pub use recover::{Reading, read};

/// Elements inside elements; the deepest shape the platform documents has 7 levels.
pub const DEPTH_MAX: usize = 32;

/// Elements in one document; the longest lists the platform documents have 1,000 entries of a few fields.
pub const ELEMENTS_MAX: usize = 20_000;

/// Bytes of one document. The listeners limit bodies far below this; it bounds all other callers.
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
    /// Neither XML nor JSON, or broken; the message says where, never what was there.
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
        tree::build(text, false).map(|tree| tree.root)
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
/// Texts are trimmed and borrow from `text` where nothing had to be resolved. Fields with elements inside them are
/// skipped. When `visit` breaks, the rest of the document is not read, not even to check whether it is well formed.
pub fn scan<'a>(
    text: &'a str,
    mut visit: impl FnMut(&str, Cow<'a, str>) -> ControlFlow<()>,
) -> Result<(), DocumentError> {
    let (mut name, mut value) = (String::new(), Cow::Borrowed(""));
    let (mut depth, mut has_children) = (0_usize, false);
    walk(text, |step| {
        match step {
            Step::Open(opened, _) => {
                depth += 1;
                has_children = depth > FIELD_DEPTH;
                if depth == FIELD_DEPTH {
                    name.clear();
                    name.push_str(opened);
                    value = Cow::Borrowed("");
                }
            }
            // Blanks before a CDATA section are dropped, so that a pretty-printed field is still borrowed.
            Step::Text(piece) | Step::Section(piece) if depth == FIELD_DEPTH && value.is_empty() => {
                if !piece.trim_ascii().is_empty() {
                    value = piece;
                }
            }
            Step::Text(piece) | Step::Section(piece) if depth == FIELD_DEPTH => value.to_mut().push_str(&piece),
            Step::Text(_) | Step::Section(_) | Step::Aside => {}
            Step::Close(_) => {
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

/// An event of a document's walk, already checked against the limits and free of NUL. For XML, the numbers are where
/// an element's content begins and ends.
enum Step<'a, 'n> {
    Open(&'n str, usize),
    Text(Cow<'a, str>),
    /// A CDATA section.
    Section(Cow<'a, str>),
    Close(usize),
    /// A comment, an instruction or an attribute, none of which WeCom writes.
    Aside,
}

fn walk<'a>(text: &'a str, visit: impl FnMut(Step<'a, '_>) -> ControlFlow<()>) -> Result<(), DocumentError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(DocumentError::TooLarge);
    }
    let text = bare(text);
    match text.bytes().next() {
        None => Err(DocumentError::Empty),
        Some(b'<') => xml::walk(text, visit),
        Some(b'{') => json::walk(text, visit),
        Some(_) => Err(DocumentError::Malformed("it begins with neither '<' nor '{'".to_owned())),
    }
}

/// A document without its byte order mark and surrounding blanks.
fn bare(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii()
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
