//! Staff members: which WeCom user each is, and who takes new orders.

mod binding;

mod login_link;

mod duty;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] =
    &[&binding::LIST, &binding::BIND, &binding::REMOVE, &login_link::LINK, &login_link::VISIT, &duty::LIST, &duty::SET];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
