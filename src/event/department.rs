//! Departments of the directory: `create_party`, `update_party`, `delete_party`.
//!
//! Input is the plaintext's document. An update has only the changed fields, and never `order`.

use super::Event;
use super::fields::{filled, given, number};
use crate::document::Element;

/// A department that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    /// Its id.
    pub id: Option<String>,
    /// What happened to it.
    pub change: DepartmentChange,
    /// Its name, if said.
    pub name: Option<String>,
    /// The department above it, if said.
    pub parent_id: Option<String>,
    /// Its sort order among its siblings, if said.
    pub order: Option<i64>,
}

/// What happened to a department.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepartmentChange {
    /// It was created.
    Created,
    /// Its name or its parent changed.
    Updated,
    /// It was removed.
    Deleted,
}

pub(super) fn read(change: &str, doc: &Element) -> Option<Event> {
    let change = match change {
        "create_party" => DepartmentChange::Created,
        "update_party" => DepartmentChange::Updated,
        "delete_party" => DepartmentChange::Deleted,
        _ => return None,
    };
    Some(Event::Department(Department {
        id: filled(doc, "Id"),
        change,
        name: given(doc, "Name"),
        parent_id: filled(doc, "ParentId"),
        order: number(doc, "Order"),
    }))
}
