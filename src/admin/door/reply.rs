//! Replies: a status, headers, and JSON, a problem or a file.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::admin::spec::language::prefers_chinese;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What goes back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Headers that this status requires, names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// What a reply holds.
#[derive(Debug)]
pub enum Body {
    /// An answer as JSON; `null` for none.
    Json(String),
    /// Why there is none, as RFC 9457 says it.
    Problem(Box<ProblemBody>),
    /// A picture, a sound, a film.
    File {
        /// Its media type.
        content_type: String,
        /// The bytes, or the requested part.
        bytes: Bytes,
    },
}

/// A problem as it goes out.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody {
    /// Always `about:blank`: `code` says which kind it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The kind in words, in the language that `Accept-Language` asks for; English if it asks for none.
    pub title: &'static str,
    /// The kind in Chinese words.
    pub title_zh: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The kind, for programs: it does not change.
    pub code: &'static str,
    /// What to do about it, in the language of `title`.
    pub detail: String,
    /// The same in Chinese.
    #[serde(skip)]
    pub detail_zh: String,
    /// The id that our log knows the request by.
    pub request_id: Uuid,
    /// The field or parameter that it is about, by its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, where it is several things.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<serde_json::Map<String, Value>>>")]
    pub errors: Option<Value>,
}

impl Body {
    /// The body's media type.
    pub fn content_type(&self) -> &str {
        match self {
            Self::Json(_) => "application/json",
            Self::Problem(_) => PROBLEM_JSON,
            Self::File { content_type, .. } => content_type,
        }
    }

    /// The body as it goes out.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Json(text) if text == "null" => Bytes::new(),
            Self::Json(text) => (text + "\n").into(),
            Self::Problem(problem) => (serde_json::to_string(&problem).unwrap_or_default() + "\n").into(),
            Self::File { bytes, .. } => bytes,
        }
    }
}

impl Reply {
    /// Replaces a problem's `title` and `detail` by those in the caller's preferred language.
    pub fn in_language(mut self, accept_language: Option<&str>) -> Self {
        if let Body::Problem(problem) = &mut self.body
            && accept_language.is_some_and(prefers_chinese)
        {
            problem.title = problem.title_zh;
            problem.detail = std::mem::take(&mut problem.detail_zh);
        }
        self
    }
}
