//! The plaintext documents, as WeCom spells them.
//!
//! Values come from this folder, or from callers of the pretend API: a text that would end a CDATA section is split
//! over two sections.

use std::fmt::Display;
use std::fmt::Write;

use crate::ids::{CorpId, ExternalUserId, UserId};

/// The sender of events that no single member caused.
pub(in crate::sandbox) const SYSTEM: &str = "sys";

/// What ends a CDATA section, and how it is written as a part of one.
const CDATA_END: &str = "]]>";
const CDATA_END_DIVIDED: &str = "]]]]><![CDATA[>";

/// An XML document or element under construction.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Xml {
    inner: String,
    separator: &'static str,
}

impl Xml {
    /// An element's content on one line.
    pub(in crate::sandbox) fn new() -> Self {
        Self::default()
    }

    /// Content with line breaks between its elements, as some of WeCom's senders write.
    pub(in crate::sandbox) fn on_lines() -> Self {
        Self { inner: String::new(), separator: "\n" }
    }

    /// Adds `<name><![CDATA[value]]></name>`.
    pub(in crate::sandbox) fn cdata(self, name: &str, value: impl Display) -> Self {
        let value = value.to_string().replace(CDATA_END, CDATA_END_DIVIDED);
        self.add(format_args!("<{name}><![CDATA[{value}]]></{name}>"))
    }

    /// Adds `<name>value</name>`; the value needs no escaping.
    pub(in crate::sandbox) fn plain(self, name: &str, value: impl Display) -> Self {
        self.add(format_args!("<{name}>{value}</{name}>"))
    }

    /// Adds an element with elements in it.
    pub(in crate::sandbox) fn nested(self, name: &str, content: Self) -> Self {
        self.add(format_args!("<{name}>{}</{name}>", content.inner))
    }

    /// Adds `<name><![CDATA[value]]></name>` if there is a value.
    pub(in crate::sandbox) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.cdata(name, value),
            None => self,
        }
    }

    /// The whole document.
    pub(in crate::sandbox) fn document(self) -> String {
        format!("<xml>{}{}</xml>", self.inner, self.separator)
    }

    fn add(mut self, element: std::fmt::Arguments<'_>) -> Self {
        if !self.inner.is_empty() {
            self.inner.push_str(self.separator);
        }
        // Writing to a String cannot fail.
        let _ = self.inner.write_fmt(element);
        self
    }
}

/// The beginning of every message and event.
pub(in crate::sandbox) fn head(xml: Xml, corpid: &CorpId, from: &str, at: i64, kind: &str) -> Xml {
    xml.cdata("ToUserName", corpid).cdata("FromUserName", from).plain("CreateTime", at).cdata("MsgType", kind)
}

/// The beginning of an event that no single member caused.
pub(in crate::sandbox) fn event(corpid: &CorpId, at: i64, name: &str) -> Xml {
    head(Xml::new(), corpid, SYSTEM, at, "event").cdata("Event", name)
}

/// A `change_external_contact` event without what its kind adds.
pub(in crate::sandbox) fn contact_event(
    corpid: &CorpId,
    at: i64,
    change: &str,
    user: &UserId,
    customer: &ExternalUserId,
) -> Xml {
    event(corpid, at, "change_external_contact")
        .cdata("ChangeType", change)
        .cdata("UserID", user)
        .cdata("ExternalUserID", customer)
}
