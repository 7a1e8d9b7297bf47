//! The API's description: an OpenAPI 3.1 document and a page for people, both made from the table of routes, the
//! endpoints' descriptions and the types of what goes in and out.
//!
//! It holds no data of anybody, so it is handed out without a token. It refuses to know how an endpoint does what it
//! does; but what may stand in an endpoint's query is read here, by the endpoint itself.

mod parameter;

mod operation;

mod describe;

mod schema;

mod document;

mod markup;

mod page;

mod serve;

pub use document::document;
pub use parameter::Parameter;
pub use serve::{PATHS, serve};

use super::route::Endpoint;

/// What is said in both languages.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin) struct Text {
    en: &'static str,
    zh: &'static str,
}

/// The language of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Text {
    fn said(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

impl Language {
    /// Its tag, as `Accept-Language` and HTML write it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// What an endpoint takes behind the `?`.
pub(super) fn parameters(endpoint: Endpoint) -> &'static [Parameter] {
    describe::describe(endpoint).query
}
