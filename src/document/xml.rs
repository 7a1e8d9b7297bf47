//! Walks an XML document: elements that open and close, and the texts between.
//!
//! Input is text from the network. Entities that a document defines are never expanded, a document type is refused,
//! and no error contains the document's content.

use std::borrow::Cow;
use std::ops::ControlFlow;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::{DocumentError, Step, check_limits, without_nul};

/// Walks the one root element of an XML document until `visit` breaks.
pub(super) fn walk<'a>(
    text: &'a str,
    mut visit: impl FnMut(Step<'a, '_>) -> ControlFlow<()>,
) -> Result<(), DocumentError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut depth, mut elements) = (0_usize, 0_usize);
    loop {
        let before = offset(&reader);
        let event = reader.read_event().map_err(|_| malformed_near(reader.error_position()))?;
        let flow = match event {
            Event::Start(_) if depth == 0 && elements > 0 => return Err(malformed_near(reader.buffer_position())),
            Event::Start(tag) => {
                depth += 1;
                elements += 1;
                check_limits(depth, elements)?;
                let written = tag.name();
                let name = without_nul(Cow::Borrowed(written.as_ref()));
                let opened = visit(Step::Open(&name, offset(&reader)));
                match tag.attributes_raw().trim_ascii().is_empty() {
                    true => opened,
                    false if opened.is_break() => opened,
                    false => visit(Step::Aside),
                }
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                visit(Step::Close(before))
            }
            Event::Decl(_) => ControlFlow::Continue(()),
            Event::Comment(_) | Event::PI(_) => visit(Step::Aside),
            Event::DocType(_) => return Err(DocumentError::Doctype),
            Event::Eof if depth == 0 && elements > 0 => return Ok(()),
            Event::Eof => return Err(DocumentError::Malformed("it ends before its root element does".to_owned())),
            Event::CData(text) if depth > 0 => visit(Step::Section(without_nul(text.xml10_content()))),
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

/// The text of an event; `None` for an entity that XML does not define itself.
fn piece_of(event: Event<'_>) -> Option<Cow<'_, str>> {
    match event {
        Event::Text(text) => Some(text.xml10_content()),
        Event::CData(text) => Some(text.xml10_content()),
        Event::GeneralRef(name) if name.starts_with('#') => {
            // A reference to an invalid character becomes U+FFFD, to show that something was lost.
            let found = name.resolve_char_ref().ok().flatten().filter(|&found| found != '\0');
            Some(Cow::Owned(found.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()))
        }
        Event::GeneralRef(name) => resolve_predefined_entity(&name).map(Cow::Borrowed),
        _ => None,
    }
}

/// The reader's position. Documents are far smaller than any address.
fn offset(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn malformed_near(position: u64) -> DocumentError {
    DocumentError::Malformed(format!("XML, near byte {position}"))
}
