//! The apps that callbacks come from: their settings, and whether they work.

mod config;

mod test_connection;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[&config::LIST, &config::POST, &test_connection::TEST];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
