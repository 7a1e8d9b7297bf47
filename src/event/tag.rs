//! Tags: directory tags for members, and the company's tags for customers.
//!
//! Input is the plaintext's document. Tagging a customer is not reported here but as an edited customer.

use super::Event;
use super::fields::{commas, filled};
use crate::document::Element;

/// A directory tag was given or removed; WeCom does not report creating or renaming one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The tag's id.
    pub id: Option<String>,
    /// Members who carry it now.
    pub users_added: Vec<String>,
    /// Members who no longer do.
    pub users_removed: Vec<String>,
    /// Departments that carry it now.
    pub departments_added: Vec<String>,
    /// Departments that no longer do.
    pub departments_removed: Vec<String>,
}

/// A tag for customers, or a group of such tags, changed. Removing a group removes its tags without further events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorpTag {
    /// The tag's or group's id; for `shuffle` the group whose tags were reordered, none if the groups themselves
    /// were.
    pub id: Option<String>,
    /// `tag` or `tag_group`; `shuffle` has none.
    pub tag_type: Option<String>,
    /// `create`, `update`, `delete` or `shuffle`.
    pub change: String,
    /// The rule group it belongs to.
    pub strategy_id: Option<String>,
}

pub(super) fn read(change: &str, doc: &Element) -> Option<Event> {
    let items = |name| commas(doc, name).unwrap_or_default();
    (change == "update_tag").then(|| {
        Event::Tag(Tag {
            id: filled(doc, "TagId"),
            users_added: items("AddUserItems"),
            users_removed: items("DelUserItems"),
            departments_added: items("AddPartyItems"),
            departments_removed: items("DelPartyItems"),
        })
    })
}

pub(super) fn read_corp(change: &str, doc: &Element) -> Option<Event> {
    ["create", "update", "delete", "shuffle"].contains(&change).then(|| {
        Event::CorpTag(CorpTag {
            id: filled(doc, "Id"),
            tag_type: filled(doc, "TagType"),
            change: change.to_owned(),
            strategy_id: filled(doc, "StrategyId"),
        })
    })
}
