//! Work orders.

pub(super) mod work_orders;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[&work_orders::LIST, &work_orders::ADD, &work_orders::SHOW, &work_orders::CHANGE];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
