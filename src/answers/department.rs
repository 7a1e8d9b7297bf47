//! Departments, from the list without names and from single readings with a name.

use chrono::{DateTime, Utc};

use crate::{
    changes::{Changes, Register},
    ids::CorpId,
    wecom::member::{Department, DepartmentDetail},
};

/// Applies the departments that a list named at `at`. Nothing follows from a department that it does not name: the app may
/// not see it any more.
pub fn listed(changes: &mut Changes, corpid: &CorpId, departments: &[Department], at: DateTime<Utc>) {
    for it in departments {
        let department = changes.department(corpid, it.id);
        department.exists(at);
        if it.parentid > 0 {
            Register::set(&mut department.parent, it.parentid, at);
        }
    }
}

/// Applies a department that was read at `at`. An app that may not read names gets an empty one, which says nothing.
pub fn named(changes: &mut Changes, corpid: &CorpId, id: i64, it: &DepartmentDetail, at: DateTime<Utc>) {
    let department = changes.department(corpid, id);
    department.exists(at);
    if !it.name.is_empty() {
        Register::set(&mut department.name, it.name.clone(), at);
    }
}
