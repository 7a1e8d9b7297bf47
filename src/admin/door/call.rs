//! What every handler gets, and what it gives back: an answer, and for the access log what the answer is about.
//!
//! A handler cannot answer without an [`About`], so no line in the access log lacks the customer whose data was read.

use std::pin::Pin;

use bytes::Bytes;
use serde::Serialize;
use sqlx::PgConnection;

use super::{
    auth::{Caller, Own},
    browser::{self, Cookie},
    reply::Body,
    request::Request,
    state::Admin,
};
use crate::admin::spec::{parameter::Parameter, params::Params, problem::Problem};

/// What a handler promises.
pub type Promise<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// An answer or a refusal, each with what it is about.
pub type Outcome = Result<(Answer, About), Refused>;

/// What is left to do after WeCom or the media store was asked.
pub type Work =
    Box<dyn for<'c> FnOnce(&'c Call<'c>, &'c mut PgConnection) -> Promise<'c, Result<Answer, Problem>> + Send>;

/// A request that may be carried out.
pub struct Call<'a> {
    /// What the admin half works with.
    pub admin: &'a Admin,
    /// The request.
    pub request: &'a Request,
    /// What the route takes behind the `?`.
    pub query: &'static [Parameter],
    /// Who calls; nobody on a route that needs no token.
    pub caller: Option<&'a Caller>,
    /// What the path's parameter stands for; empty if it has none.
    pub id: &'a str,
}

/// What goes back once everything is committed.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Headers beside the usual ones, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Whether the apps changed, so that this process has to read them again.
    pub apps_changed: bool,
}

/// Whom or what a request is about, for its line in the access log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// What the caller named, or what was found; empty if nothing was.
    pub subject: String,
    /// The customer whose data it is; empty if it is about no single one.
    pub customer: String,
}

/// Why a request is not done.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub problem: Problem,
    /// What it was about; none where that is what the path names.
    pub about: Option<About>,
}

/// What a route that asks WeCom or the media store first knows then.
pub enum Asked {
    /// The rest is done in the transaction that the line in the access log is in.
    Then {
        /// What it is about.
        about: About,
        /// The rest.
        work: Work,
    },
    /// Nothing is left to do.
    Done {
        /// What it is about.
        about: About,
        /// The answer.
        answer: Answer,
    },
}

impl Call<'_> {
    /// The value of the session's cookie, if there is one.
    pub fn session_cookie(&self) -> Option<&str> {
        self.request.browser.cookie(Cookie::Session, self.secure())
    }

    /// Whether cookies are for TLS alone.
    pub fn secure(&self) -> bool {
        browser::secure(&self.admin.settings.public_url)
    }

    /// Who asks, by the name of their token, or by their userid.
    pub fn who(&self) -> &str {
        self.caller.map_or("-", |it| &it.name)
    }

    /// Whose customers and orders alone the caller sees; none if they see all.
    pub fn own(&self) -> Option<&Own> {
        self.caller.and_then(|it| it.own.as_ref())
    }

    /// About what the path names, which is no customer.
    pub fn about_path(&self) -> About {
        About::thing(self.id)
    }

    /// The query's parameters.
    pub fn params(&self) -> Result<Params, Problem> {
        Params::described(&self.request.query, self.query)
    }

    /// Refuses a query where none is taken.
    pub fn no_params(&self) -> Result<(), Problem> {
        self.params()?.finish()
    }
}

impl Answer {
    /// An answer with that status and body, whose fields keep their order.
    pub fn new(status: u16, body: impl Serialize) -> Result<Self, Problem> {
        Ok(Self::json(status, serde_json::to_string(&body).map_err(Problem::internal)?))
    }

    /// An answer with that status, and a body that is JSON already.
    pub fn json(status: u16, body: String) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new(), apps_changed: false }
    }

    /// 200, with that body.
    pub fn ok(body: impl Serialize) -> Result<Self, Problem> {
        Self::new(200, body)
    }

    /// A file, or the part of it that was asked for.
    pub fn file(status: u16, content_type: String, bytes: Bytes) -> Self {
        Self { status, body: Body::File { content_type, bytes }, headers: Vec::new(), apps_changed: false }
    }
}

impl About {
    /// About nothing that has a name.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// About this, which is no customer.
    pub fn thing(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), customer: String::new() }
    }

    /// About this customer.
    pub fn customer(customer: impl Into<String>) -> Self {
        let customer = customer.into();
        Self { subject: customer.clone(), customer }
    }

    /// The same, where the data is this customer's.
    #[must_use]
    pub fn of_customer(self, customer: impl Into<String>) -> Self {
        Self { customer: customer.into(), ..self }
    }

    /// The outcome that is about this.
    pub fn answers(self, answer: Result<Answer, Problem>) -> Outcome {
        match answer {
            Ok(answer) => Ok((answer, self)),
            Err(problem) => Err(self.refused(problem)),
        }
    }

    /// A refusal that is about this.
    pub fn refused(self, problem: Problem) -> Refused {
        Refused { problem, about: Some(self) }
    }

    /// What is left to do with what was found out, about this.
    pub fn then<T: Send + 'static>(
        self,
        found: Result<T, Problem>,
        work: impl for<'c> FnOnce(T, &'c Call<'c>, &'c mut PgConnection) -> Promise<'c, Result<Answer, Problem>>
        + Send
        + 'static,
    ) -> Result<Asked, Refused> {
        match found {
            Ok(found) => Ok(Asked::Then { about: self, work: Box::new(move |call, conn| work(found, call, conn)) }),
            Err(problem) => Err(self.refused(problem)),
        }
    }
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { problem: error.into(), about: None }
    }
}
