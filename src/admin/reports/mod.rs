//! What the reporting views say.

mod report;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[&report::SHOW];

/// Bodies and answers of a company that was made up, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
