//! What a route is: plain data, so that adding one is filling in a form. A route without a description, a role or a
//! decision about callers who see their own alone does not compile.

use std::fmt;

use sqlx::PgConnection;

use super::operation::Operation;
use crate::admin::door::{
    auth::{Role, Scoped},
    call::{Asked, Call, Outcome, Promise, Refused},
    login_state::Login,
};

/// Who may: viewers and above.
pub const VIEWER: Access = Access::Role(Role::Viewer);

/// Who may: operators and above.
pub const OPERATOR: Access = Access::Role(Role::Operator);

/// Who may: admins.
pub const ADMIN: Access = Access::Role(Role::Admin);

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without a token.
    Public(Entry),
    /// Whoever's token has at least this role.
    Role(Role),
}

/// Why a request needs no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Somebody sets out to log in.
    SetsOut,
    /// Somebody comes back from a login of this kind: the state that WeCom carried is the proof.
    ComesBack(Login),
}

/// One route.
pub struct Route {
    /// The operation's name in the API's description, unique.
    pub id: &'static str,
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, with at most one `{parameter}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What a caller may take of it who sees their own alone.
    pub scoped: Scoped,
    /// Whether the answer is a secret that is not kept, so that no `Idempotency-Key` is taken.
    pub secret_answer: bool,
    /// What it does, takes and answers.
    pub operation: Operation,
    /// What is done.
    pub run: Run,
}

/// How a route is carried out.
#[derive(Clone, Copy)]
pub enum Run {
    /// In one transaction with its line in the access log.
    Now(for<'c> fn(&'c Call<'c>, &'c mut PgConnection) -> Promise<'c, Outcome>),
    /// WeCom or the media store is asked first, while no connection is held.
    AskFirst(for<'c> fn(&'c Call<'c>) -> Promise<'c, Result<Asked, Refused>>),
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A handler that says what its answer is about.
macro_rules! now {
    ($handler:path) => {
        $crate::admin::spec::route::Run::Now(|call, conn| Box::pin($handler(call, conn)))
    };
}

/// A handler whose answer is about what the path names, which is no customer, or about nothing in particular.
macro_rules! by_path {
    ($handler:path) => {
        $crate::admin::spec::route::Run::Now(|call, conn| {
            Box::pin(async move { call.about_path().answers($handler(call, conn).await) })
        })
    };
}

/// A handler that asks WeCom or the media store first.
macro_rules! ask_first {
    ($handler:path) => {
        $crate::admin::spec::route::Run::AskFirst(|call| Box::pin($handler(call)))
    };
}

pub(in crate::admin) use {ask_first, by_path, now};
