//! What every endpoint gets, and what it gives back.

use bytes::Bytes;
use serde::Serialize;

use super::{
    Admin, Body, Request,
    auth::{Caller, Own},
    browser::{self, Cookie},
    line::About,
    openapi,
    params::Params,
    problem::Problem,
    route::Endpoint,
};

/// A request that may be carried out.
pub(super) struct Call<'a> {
    /// What the admin half works with.
    pub(super) admin: &'a Admin,
    /// The request.
    pub(super) request: &'a Request,
    /// What is wanted.
    pub(super) endpoint: Endpoint,
    /// Who calls.
    pub(super) caller: Option<&'a Caller>,
    /// What the path's parameter stands for; empty if it has none.
    pub(super) id: &'a str,
    /// Whom or what it is about, for the access log. An endpoint that reads it from the body says so here.
    pub(super) subject: String,
    /// The customer whose data it is about, likewise; empty if it is about no single one.
    pub(super) customer: String,
}

/// What goes back once everything is committed.
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: Body,
    /// Headers beside the usual ones, names in lower case.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Whether the apps changed, so that this process has to read them again.
    pub(super) apps_changed: bool,
}

impl Call<'_> {
    /// The value of the session's cookie, if there is one.
    pub(super) fn session_cookie(&self) -> Option<&str> {
        self.request.browser.cookie(Cookie::Session, self.secure())
    }

    /// Whether cookies are for TLS alone.
    pub(super) fn secure(&self) -> bool {
        browser::secure(&self.admin.settings.public_url)
    }

    /// Who asks, by the name of their token, or by their userid.
    pub(super) fn who(&self) -> &str {
        self.caller.map_or("-", |it| &it.name)
    }

    /// Whose customers and orders alone the caller sees; none if they see all.
    pub(super) fn own(&self) -> Option<&Own> {
        self.caller.and_then(|it| it.own.as_ref())
    }

    /// What the access log says it is about.
    pub(super) fn about(&self) -> About<'_> {
        About { subject: &self.subject, customer: &self.customer }
    }

    /// The query's parameters.
    pub(super) fn params(&self) -> Result<Params, Problem> {
        Params::described(&self.request.query, openapi::parameters(self.endpoint))
    }

    /// Refuses a query where none is taken.
    pub(super) fn no_params(&self) -> Result<(), Problem> {
        self.params()?.finish()
    }
}

impl Answer {
    /// An answer with that status and body.
    pub(super) fn new(status: u16, body: impl Serialize) -> Result<Self, Problem> {
        let body = Body::Json(serde_json::to_value(body).map_err(Problem::internal)?);
        Ok(Self { status, body, headers: Vec::new(), apps_changed: false })
    }

    /// 200, with that body.
    pub(super) fn ok(body: impl Serialize) -> Result<Self, Problem> {
        Self::new(200, body)
    }

    /// A file, or the part of it that was asked for.
    pub(super) fn file(status: u16, content_type: String, bytes: Bytes) -> Self {
        Self { status, body: Body::File { content_type, bytes }, headers: Vec::new(), apps_changed: false }
    }
}
