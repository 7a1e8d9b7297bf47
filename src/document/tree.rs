//! Builds the tree of a document, and checks whether an XML document looks as WeCom writes it.
//!
//! WeCom writes an element as elements, as plain text, or as one CDATA section, and puts what people type into the
//! section unescaped. So a typed `]]>` ends a section early. Two signs reveal that, and both are checked here:
//!
//! - *Inside an element*: it begins with a section and ends with `]]>`, but is not one section. Then everything in
//!   between is its text. (A `]]>` that was escaped by splitting the section in its middle is resolved.)
//! - *Among elements*: a person who types `]]></Content>` followed by elements must open `Content` again, because the
//!   true end of the typed text closes it. So a name below the root occurs twice, with others between or one inside
//!   another. Such a document is *doubtful*. WeCom repeats a name only in lists, whose items follow each other.
//!
//! A document that is not doubtful has no element that a person typed, except further items of a list that people may
//! fill.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::{DocumentError, Element, Step, bare, walk, without_nul};

/// How a CDATA section begins.
pub(super) const SECTION_OPEN: &str = "<![CDATA[";

/// How a CDATA section ends.
pub(super) const SECTION_CLOSE: &str = "]]>";

/// How `]]>` is escaped inside a section: the section is split in its middle.
const SPLIT: &str = "]]]]><![CDATA[>";

/// Fields that hold typed text. None is a list, so an apparent second one was typed into the first.
const TYPED: [&str; 5] = ["Content", "Label", "Recognition", "Title", "Description"];

/// Names that WeCom writes both below the root and inside a list: the list's element, and the name.
const ALSO_INSIDE: [(&str, &str); 2] = [("ExtAttr", "Name"), ("ChangeList", "TimeStamp")];

/// A document as a tree.
pub(super) struct Tree {
    pub(super) root: Element,
    /// Whether an element's text was taken whole although it is not one section.
    pub(super) repaired: bool,
    /// Whether it may hold elements that a person typed.
    pub(super) doubtful: bool,
}

/// An element that is still open.
struct Open {
    element: Element,
    begins: usize,
    /// Its first content, blanks aside.
    began: Option<Began>,
    /// Whether something followed its first section that does not continue it.
    broken: bool,
}

#[derive(PartialEq)]
enum Began {
    Section,
    Otherwise,
}

/// Builds the tree; `as_meant` takes a text whole that looks as if an end mark had been typed into it.
pub(super) fn build(text: &str, as_meant: bool) -> Result<Tree, DocumentError> {
    let text = bare(text);
    let mut open: Vec<Open> = Vec::new();
    let mut tree = Tree { root: Element::default(), repaired: false, doubtful: false };
    let mut root = None;
    walk(text, |step| {
        match step {
            Step::Open(name, begins) => {
                if let Some(parent) = open.last_mut() {
                    parent.continues(false);
                }
                open.push(Open { element: named(name), begins, began: None, broken: false });
            }
            Step::Text(piece) => {
                if let Some(it) = open.last_mut() {
                    if !piece.trim_ascii().is_empty() {
                        it.continues(false);
                    }
                    it.element.text.push_str(&piece);
                }
            }
            Step::Section(piece) => {
                if let Some(it) = open.last_mut() {
                    it.section(&piece);
                }
            }
            Step::Aside => tree.doubtful = true,
            Step::Close(ends) => {
                if let Some(mut closed) = open.pop() {
                    tree.repaired |= as_meant && closed.taken_whole(text, ends);
                    match open.last_mut() {
                        Some(parent) => parent.element.children.push(closed.element),
                        None => root = Some(closed.element),
                    }
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    tree.root = root.ok_or(DocumentError::Empty)?;
    tree.doubtful |= text.starts_with('<') && repeats(&tree.root);
    Ok(tree)
}

impl Open {
    /// Notes the kind of the next content: a section that continues the text so far, or anything else.
    fn continues(&mut self, section: bool) {
        match &self.began {
            None => self.began = Some(if section { Began::Section } else { Began::Otherwise }),
            Some(Began::Section) => self.broken |= !section,
            Some(Began::Otherwise) => {}
        }
    }

    fn section(&mut self, piece: &str) {
        let first = self.began.is_none();
        let continues = self.element.text.ends_with("]]") && piece.starts_with('>');
        self.continues(first || continues);
        self.element.text.push_str(piece);
    }

    /// Takes everything from the first section's beginning to the last one's end as the text, if it was meant so.
    fn taken_whole(&mut self, document: &str, ends: usize) -> bool {
        if self.began != Some(Began::Section) || !self.broken {
            return false;
        }
        let Some(text) = document.get(self.begins..ends).and_then(section) else { return false };
        self.element.text = text;
        self.element.children.clear();
        true
    }
}

/// The text of an element that is written as one section, whatever it contains; `None` otherwise.
pub(super) fn section(content: &str) -> Option<String> {
    let inside = content.trim_ascii().strip_prefix(SECTION_OPEN)?.strip_suffix(SECTION_CLOSE)?;
    let text = inside.replace(SPLIT, SECTION_CLOSE).replace("\r\n", "\n").replace('\r', "\n");
    Some(without_nul(text.into()).into_owned())
}

/// Whether names are repeated that WeCom does not repeat.
pub(super) fn repeats(root: &Element) -> bool {
    let mut names = HashSet::new();
    let mut last = None::<&str>;
    for child in &root.children {
        if last.is_some_and(|it| it.eq_ignore_ascii_case(&child.name)) {
            if is_typed(&child.name) {
                return true;
            }
            continue;
        }
        if !names.insert(child.name.to_ascii_lowercase()) {
            return true;
        }
        last = Some(&child.name);
    }
    root.children.iter().any(|child| repeated_inside(&child.name, &child.children, &names))
}

fn repeated_inside(list: &str, inside: &[Element], names: &HashSet<String>) -> bool {
    inside.iter().any(|it| {
        let allowed = ALSO_INSIDE.iter().any(|(outer, name)| *outer == list && *name == it.name);
        (!allowed && names.contains(&it.name.to_ascii_lowercase())) || repeated_inside(list, &it.children, names)
    })
}

fn is_typed(name: &str) -> bool {
    TYPED.iter().any(|it| it.eq_ignore_ascii_case(name))
}

pub(super) fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}
