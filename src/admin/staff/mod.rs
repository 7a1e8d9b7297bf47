//! Staff members: which WeCom user each is, who takes new orders, and the departments.

mod binding;

mod login_link;

mod duty;

mod departments;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[
    &binding::LIST,
    &binding::BIND,
    &binding::REMOVE,
    &login_link::LINK,
    &login_link::VISIT,
    &duty::LIST,
    &duty::SET,
    &departments::LIST,
];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
