//! The API's description: an OpenAPI 3.1 document and a page for people, both made from the table of routes and the
//! types of bodies and answers.
//!
//! It holds nobody's data, so it needs no token. How a route does its work is not known here.

mod schema;

mod document;

mod markup;

mod page;

mod serve;

pub use document::document;
pub use serve::{PATHS, serve};

pub use super::language::Language;
