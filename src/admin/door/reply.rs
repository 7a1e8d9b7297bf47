//! Replies: a status, headers, and JSON, a problem or a file.

use bytes::Bytes;
use serde_json::Value;

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
    /// An answer; null for none.
    Json(Value),
    /// Why there is none, as RFC 9457 says it.
    Problem {
        /// In English.
        said: Value,
        /// What else a caller is told who would rather read Chinese.
        chinese: InChinese,
    },
    /// A picture, a sound, a film.
    File {
        /// Its media type.
        content_type: String,
        /// The bytes, or the requested part.
        bytes: Bytes,
    },
}

/// A problem's words in Chinese.
#[derive(Debug)]
pub struct InChinese {
    /// Its kind.
    pub title: &'static str,
    /// What to do about it.
    pub detail: String,
}

impl Body {
    /// The body's media type.
    pub fn content_type(&self) -> &str {
        match self {
            Self::Json(_) => "application/json",
            Self::Problem { .. } => PROBLEM_JSON,
            Self::File { content_type, .. } => content_type,
        }
    }

    /// The body as it goes out.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Json(Value::Null) => Bytes::new(),
            Self::Json(value) | Self::Problem { said: value, .. } => format!("{value}\n").into(),
            Self::File { bytes, .. } => bytes,
        }
    }
}

impl Reply {
    /// Replaces a problem's `title` and `detail` by those in the caller's preferred language.
    pub fn in_language(mut self, accept_language: Option<&str>) -> Self {
        if let Body::Problem { said, chinese } = &mut self.body
            && accept_language.is_some_and(prefers_chinese)
        {
            said["title"] = chinese.title.into();
            said["detail"] = std::mem::take(&mut chinese.detail).into();
        }
        self
    }
}
