//! Reports from the reporting views.

mod report;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[&report::SHOW];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
