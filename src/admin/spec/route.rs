//! Routes as plain data, so that adding one is filling in a form. A route without a description, a role or a decision
//! about scoped callers does not compile.

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
    /// Callers whose role is at least this one.
    Role(Role),
}

/// Why a request needs no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A login begins.
    SetsOut,
    /// A login of this kind returns: the state that WeCom carried is the proof.
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
    /// How it treats scoped callers.
    pub scoped: Scoped,
    /// Whether the answer is a secret that is not stored, so that no `Idempotency-Key` is taken.
    pub secret_answer: bool,
    /// What it does, takes and answers.
    pub operation: Operation,
    /// Its handler.
    pub run: Run,
}

/// How a route runs.
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

/// A handler that returns its subject.
macro_rules! now {
    ($handler:path) => {
        $crate::admin::spec::route::Run::Now(|call, conn| Box::pin($handler(call, conn)))
    };
}

/// A handler whose subject is what the path names, which is not a customer, or nothing in particular.
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
