//! The caller, and the reach of their role. How a token is looked up is not known here.

use crate::admin::spec::problem::{Code, Problem};

pub use crate::{states::Role, tables::access::own::Own};

/// How a route treats scoped callers, who see only their own data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scoped {
    /// It is limited to their own data.
    Own,
    /// It is only about the caller.
    Caller,
    /// It lists what is nobody's own; of several corps, only the caller's is listed.
    Corp,
    /// It is closed to them.
    Closed,
}

/// The hash of a caller's credential.
#[derive(Debug, Clone, Copy)]
pub enum Shows {
    /// A token.
    Token([u8; 32]),
    /// The cookie of a session.
    Session([u8; 32]),
}

/// An authenticated caller.
#[derive(Debug)]
pub struct Caller {
    /// The token's number, if they use one or logged in with one.
    pub token_id: Option<i32>,
    /// The session's number, if they are logged in.
    pub session_id: Option<i64>,
    /// The token's name, or the userid of the member who logged in.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// The staff member whose data alone they see; none if they see all.
    pub own: Option<Own>,
}

impl Shows {
    /// Its hash.
    pub fn hash(&self) -> &[u8; 32] {
        match self {
            Self::Token(hash) | Self::Session(hash) => hash,
        }
    }
}

impl Caller {
    /// A key that separates callers' `Idempotency-Key`s.
    pub fn key(&self) -> String {
        match (self.session_id, self.token_id) {
            (Some(id), _) => format!("session {id}"),
            (None, id) => format!("token {}", id.unwrap_or_default()),
        }
    }

    /// Whether the caller's role is at least `needed`.
    pub fn may(&self, needed: Role) -> Result<(), Problem> {
        if self.role >= needed {
            return Ok(());
        }
        let detail = (
            format!("this needs the role {needed}, and you have the role {}", self.role),
            format!("该操作需要角色 {needed}，您的角色为 {}", self.role),
        );
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// Whether a route is open to the caller, considering their scope.
    pub fn reaches(&self, scoped: Scoped) -> Result<(), Problem> {
        match (&self.own, scoped) {
            (Some(_), Scoped::Closed) => {
                Err(not_own(("this shows or changes more than what is your own", "该操作超出本人数据范围")))
            }
            (Some(_), Scoped::Own | Scoped::Caller | Scoped::Corp) | (None, _) => Ok(()),
        }
    }
}

/// The refusal of a scoped caller.
pub fn not_own(why: (&str, &str)) -> Problem {
    let (en, zh) = why;
    let detail = (
        format!("{en}: use a token that is not limited to a staff member's own"),
        format!("{zh}，请使用不限于本人数据的令牌"),
    );
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
