//! Handles departments of the directory: made, changed, removed.

use crate::{
    changes::{Changes, Register, Source},
    event::{Department, DepartmentChange},
};

/// A department changed. An update names only what is different, and its parent may be one that nobody named yet. An
/// event without the department's number is kept and counted only.
pub fn changed(source: &Source, name: &str, it: &Department, changes: &mut Changes) {
    let number = |text: &Option<String>| text.as_deref().and_then(|it| it.parse::<i64>().ok());
    let Some(id) = number(&it.id) else { return changes.ignore(source, name) };
    let at = source.at();
    let department = changes.department(&source.corpid, id);
    if it.change == DepartmentChange::Deleted {
        return department.removed(at);
    }
    department.exists(at);
    if let Some(name) = it.name.as_ref().filter(|it| !it.is_empty()) {
        Register::set(&mut department.name, name.clone(), at);
    }
    if let Some(parent) = number(&it.parent_id) {
        Register::set(&mut department.parent, parent, at);
    }
}
