//! The problems of requests, as RFC 9457 defines them: `application/problem+json`.
//!
//! A [`Code`] is stable, for programs; its titles are for people, in English and Chinese; the detail says what to do.
//! The cause, which may reveal internals, is only logged. No single resource is known here.

use std::{error::Error, fmt, time::Duration};

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use super::code::Code;
use super::language::Language;
use crate::{
    admin::door::reply::{Body, ProblemBody, Reply},
    bilingual::Bilingual,
};

/// Why a request is not done.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Box<Bilingual>,
    field: Option<String>,
    header: Option<Box<(&'static str, String)>>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    errors: Option<Box<Value>>,
}

impl Problem {
    /// A problem, with a detail that says what to do about it.
    pub fn new(code: Code, detail: impl Into<Bilingual>) -> Self {
        Self { code, detail: Box::new(detail.into()), field: None, header: None, cause: None, errors: None }
    }

    /// A field of the body is wrong; the detail says what it must be.
    pub fn field(field: impl Into<String>, detail: impl Into<Bilingual>) -> Self {
        Self::new(Code::InvalidField, detail).at(field)
    }

    /// A part of the path or query is wrong, likewise.
    pub fn parameter(name: impl Into<String>, detail: impl Into<Bilingual>) -> Self {
        Self::new(Code::InvalidParameter, detail).at(name)
    }

    /// A part of the path or query is none of the names that it may be.
    pub fn one_of(name: impl Into<String>, names: &[&str]) -> Self {
        let names = names.join(", ");
        Self::parameter(name, (format!("must be one of {names}"), format!("须为以下之一：{names}")))
    }

    /// Too much is asked: why, and how long to wait.
    pub fn too_many(wait: Duration, why: impl Into<Bilingual>) -> Self {
        let seconds = wait.as_secs().saturating_add(1);
        let why = why.into();
        let detail = (format!("{}: wait {seconds} s", why.en), format!("{}，请等待 {seconds} 秒", why.zh));
        let problem = Self::new(Code::TooManyRequests, detail);
        problem.with_header("retry-after", seconds.to_string())
    }

    /// Our own fault: the caller learns nothing but that, the log learns the cause.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail =
            ("the cause is in the program's log, under this request's id", "原因见程序日志，按本请求的编号查找");
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal, detail) }
    }

    /// Names the field or parameter it is about.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, of another kind: for a resource that knows more than what WeCom's class says.
    pub fn coded(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Which kind of problem it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The field or parameter it is about.
    pub fn named(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Keeps what went wrong for the log.
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Lists what is wrong, where it is several things.
    pub fn listing(mut self, errors: &impl Serialize) -> Self {
        self.errors = serde_json::to_value(errors).ok().map(Box::new);
        self
    }

    /// Adds a header that HTTP asks for beside the status.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some(Box::new((name, value.into())));
        self
    }

    /// Writes the cause to the log if it is our own; a caller's mistake is only theirs to read.
    pub fn log(&self, request_id: Uuid) {
        if self.code.status() >= 500 {
            let cause = self.cause.as_deref().map(chain).unwrap_or_default();
            tracing::error!(request.id = %request_id, code = self.code.as_str(), error = cause, "an admin request failed");
        }
    }

    /// The problem as it goes out.
    pub fn reply(self, request_id: Uuid) -> Reply {
        let Bilingual { en, zh } = *self.detail;
        let body = ProblemBody {
            kind: "about:blank",
            title: self.code.title(Language::English),
            title_zh: self.code.title(Language::Chinese),
            status: self.code.status(),
            code: self.code.as_str(),
            detail: en.into_owned(),
            detail_zh: zh.into_owned(),
            request_id,
            field: self.field,
            errors: self.errors.map(|it| *it),
        };
        Reply {
            status: body.status,
            body: Body::Problem(Box::new(body)),
            headers: self.header.map(|it| *it).into_iter().collect(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => write!(f, "{}", self.detail),
        }
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause: &(dyn Error + 'static) = self.cause.as_deref()?;
        Some(cause)
    }
}

/// An error and what it came from, in one line.
fn chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn text(reply: Reply) -> String {
        String::from_utf8(reply.body.into_bytes().to_vec()).expect("JSON").trim_end().to_owned()
    }

    #[test]
    fn every_code_has_a_name_of_its_own_and_titles_in_both_languages() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()));
            let (en, zh) = (code.title(Language::English), code.title(Language::Chinese));
            assert!(en.is_ascii() && !zh.is_ascii(), "{code:?}");
        }
    }

    #[test]
    fn a_problem_names_its_field_and_the_request() {
        let reply = Problem::field("corpid", ("is required", "为必填项")).reply(Uuid::nil());
        assert_eq!((reply.status, reply.body.content_type()), (400, "application/problem+json"));
        insta::assert_snapshot!(text(reply), @r#"{"type":"about:blank","title":"A field is not valid","title_zh":"字段无效","status":400,"code":"invalid_field","detail":"is required","request_id":"00000000-0000-0000-0000-000000000000","field":"corpid"}"#);
    }

    #[test]
    fn a_database_error_is_logged_and_not_sent_to_the_client() {
        let problem = Problem::from(sqlx::Error::Decode("secret_table.secret_column".into()));
        assert_eq!(problem.code(), Code::Internal);
        assert!(problem.source().expect("a cause").to_string().contains("secret_column"));
        assert!(!text(problem.reply(Uuid::nil())).contains("secret_column"));
    }

    #[test]
    fn a_database_that_cannot_be_reached_is_a_503() {
        assert_eq!(Problem::from(sqlx::Error::PoolTimedOut).code().status(), 503);
    }
}
