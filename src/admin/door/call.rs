//! The input and the result of every handler: the result is an answer, and what the answer is about, for the access
//! log.
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

/// The future of a handler.
pub type Promise<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// An answer or a refusal, each with what it is about.
pub type Outcome = Result<(Answer, About), Refused>;

/// The rest of a route after WeCom or the media store was asked.
pub type Work =
    Box<dyn for<'c> FnOnce(&'c Call<'c>, &'c mut PgConnection) -> Promise<'c, Result<Answer, Problem>> + Send>;

/// A request to carry out.
pub struct Call<'a> {
    /// The administration's dependencies.
    pub admin: &'a Admin,
    /// The request.
    pub request: &'a Request,
    /// The query parameters that the route takes.
    pub query: &'static [Parameter],
    /// The caller; none on a route that needs no token.
    pub caller: Option<&'a Caller>,
    /// The value of the path parameter; empty if there is none.
    pub id: &'a str,
}

/// The reply, sent once everything is committed.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Additional headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Whether the apps changed, so that this process must read them again.
    pub apps_changed: bool,
}

/// The subject of a request, for its line in the access log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The named or found subject; empty if there is none.
    pub subject: String,
    /// The customer whose data it is; empty if it is about no single one.
    pub customer: String,
}

/// Why a request is refused.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub problem: Problem,
    /// Its subject; none if that is what the path names.
    pub about: Option<About>,
}

/// The result of a route's first part, which asks WeCom or the media store.
pub enum Asked {
    /// The rest runs in the transaction of the access log's line.
    Then {
        /// The subject.
        about: About,
        /// The rest.
        work: Work,
    },
    /// Nothing is left to do.
    Done {
        /// The subject.
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

    /// Whether cookies require TLS.
    pub fn secure(&self) -> bool {
        browser::secure(&self.admin.settings.public_url)
    }

    /// The caller's token name or userid.
    pub fn who(&self) -> &str {
        self.caller.map_or("-", |it| &it.name)
    }

    /// The staff member whose data alone the caller sees; none if they see all.
    pub fn own(&self) -> Option<&Own> {
        self.caller.and_then(|it| it.own.as_ref())
    }

    /// The subject that the path names, which is not a customer.
    pub fn about_path(&self) -> About {
        About::thing(self.id)
    }

    /// The query's parameters.
    pub fn params(&self) -> Result<Params, Problem> {
        Params::described(&self.request.query, self.query)
    }

    /// Refuses a query on a route that takes none.
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
    /// No particular subject.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// This subject, which is not a customer.
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
