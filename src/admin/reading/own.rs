//! The staff members that a scoped caller sees.

use crate::{
    admin::{
        door::call::Call,
        spec::problem::{Code, Problem},
    },
    ids::{CorpId, StaffId},
};

/// Whether the caller sees this staff member; one they do not see counts as not bound.
pub fn sees(call: &Call<'_>, corpid: &CorpId, staff: &StaffId) -> Result<(), Problem> {
    match call.own() {
        Some(own) if !own.has(corpid, Some(staff)) => Err(not_bound()),
        _ => Ok(()),
    }
}

/// The refusal for a staff id that is not bound, as far as the caller sees.
pub fn not_bound() -> Problem {
    Problem::new(Code::NotBound, ("bind the staff member first", "请先绑定该员工")).at("staff_id")
}
