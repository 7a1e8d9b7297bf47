//! Networks beyond the company: up- and downstream companies, and a school's directory.
//!
//! Input is the plaintext's document. The school's reference misspells `department`; both spellings are read as one.

use super::Event;
use super::fields::{filled, siblings, wrapped};
use crate::document::Element;
use crate::ids::CorpId;

/// An up- or downstream network of companies changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Which network.
    pub id: Option<String>,
    /// `create_chain`, `update_group`, `corp_join`…, as WeCom writes it.
    pub change: String,
    /// Which groups in it.
    pub group_ids: Vec<String>,
    /// Which companies in it.
    pub corpids: Vec<CorpId>,
}

/// A school's directory changed; a notice can tell a thousand changes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct School {
    /// What changed, in order.
    pub entries: Vec<SchoolEntry>,
}

/// One change of a school's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchoolEntry {
    /// `create_student`, `subscribe`…, as WeCom writes it.
    pub change: String,
    /// The student, parent or department.
    pub id: Option<String>,
    /// The new id, if the id changed.
    pub new_id: Option<String>,
}

pub(super) fn read_chain(change: &str, doc: &Element) -> Option<Event> {
    const CHANGES: [&str; 9] = [
        "create_chain",
        "update_chain",
        "delete_chain",
        "create_group",
        "update_group",
        "delete_group",
        "corp_join",
        "update_corp",
        "remove_corp",
    ];
    CHANGES.contains(&change).then(|| {
        Event::Chain(Chain {
            id: filled(doc, "ChainId"),
            change: change.to_owned(),
            group_ids: wrapped(doc, "GroupIds", "GroupId"),
            corpids: wrapped(doc, "CorpIds", "CorpId").into_iter().map(CorpId).collect(),
        })
    })
}

pub(super) fn read_school(name: &str, change: &str, doc: &Element) -> Option<Event> {
    if name == "change_school_contact_batch" {
        let entry = |item: &Element| entry(filled(item, "ChangeType").unwrap_or_default(), item);
        return Some(Event::School(School { entries: doc.all("ChangeList").map(entry).collect() }));
    }
    const CHANGES: [&str; 11] = [
        "create_student",
        "update_student",
        "delete_student",
        "create_parent",
        "update_parent",
        "delete_parent",
        "subscribe",
        "unsubscribe",
        "create_department",
        "update_department",
        "delete_department",
    ];
    CHANGES.contains(&change).then(|| Event::School(School { entries: vec![entry(change.to_owned(), doc)] }))
}

fn entry(change: String, doc: &Element) -> SchoolEntry {
    SchoolEntry { change, id: siblings(doc, "Id").into_iter().next(), new_id: filled(doc, "NewId") }
}
