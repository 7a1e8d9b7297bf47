//! The API's description: an OpenAPI 3.1 document and a page for people, both made from the table of routes and the types
//! of what goes in and out.
//!
//! It holds no data of anybody, so it is handed out without a token. It refuses to know how a route does what it does.

mod schema;

mod document;

mod markup;

mod page;

mod serve;

pub use document::document;
pub use serve::{PATHS, serve};

pub use super::language::Language;
