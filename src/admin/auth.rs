//! Who is calling, and how far their role reaches. It refuses to know how a token is looked up.

use super::{
    problem::{Code, Problem},
    route::Scoped,
};
pub use crate::states::Role;
pub(super) use crate::tables::access::own::Own;

/// A caller whose token, or session, counts.
#[derive(Debug)]
pub(super) struct Caller {
    /// The token's number, if they came with one or logged in with one.
    pub(super) token_id: Option<i32>,
    /// The session's number, if they are logged in.
    pub(super) session_id: Option<i64>,
    /// Who the token was made for, or the member who logged in.
    pub(super) name: String,
    /// How far it reaches.
    pub(super) role: Role,
    /// Whose customers and orders alone they see; none if they see all.
    pub(super) own: Option<Own>,
}

impl Caller {
    /// What tells callers apart whose requests may have the same `Idempotency-Key`.
    pub(super) fn key(&self) -> String {
        match (self.session_id, self.token_id) {
            (Some(id), _) => format!("session {id}"),
            (None, id) => format!("token {}", id.unwrap_or_default()),
        }
    }

    /// Whether the caller's role reaches as far as `needed`.
    pub(super) fn may(&self, needed: Role) -> Result<(), Problem> {
        if self.role >= needed {
            return Ok(());
        }
        let detail = format!("this needs the role {needed}, and you have the role {}", self.role);
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// Whether a route is open to the caller, if they see their own alone.
    pub(super) fn reaches(&self, scoped: Scoped) -> Result<(), Problem> {
        match (&self.own, scoped) {
            (Some(_), Scoped::Closed) => Err(not_own("this shows or changes more than what is your own")),
            (Some(_), Scoped::Own | Scoped::Caller) | (None, _) => Ok(()),
        }
    }
}

/// Refuses what nobody sees who sees their own alone.
pub(super) fn not_own(why: &str) -> Problem {
    let detail =
        format!("{why}: use a token that is not limited to a staff member's own. 该令牌仅限本人的客户与工单。");
    Problem::new(Code::OwnOnly, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_do_what_lower_roles_may_and_no_more() {
        let operator =
            Caller { token_id: Some(1), session_id: None, name: "crm".to_owned(), role: Role::Operator, own: None };
        assert!(operator.may(Role::Viewer).is_ok());
        assert!(operator.may(Role::Operator).is_ok());
        let refused = operator.may(Role::Admin).expect_err("an operator is no admin");
        assert_eq!(refused.code(), Code::Forbidden);
        assert_eq!(refused.to_string(), "this needs the role admin, and you have the role operator");
    }
}
