//! Deliveries, tasks, and reconciling with WeCom.

mod delivery;

mod tasks;

mod sync;

mod archive;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[
    &delivery::LIST,
    &delivery::SHOW,
    &delivery::REPLAY,
    &tasks::LIST,
    &tasks::REPLAY,
    &tasks::CANCEL,
    &sync::LIST,
    &sync::START,
    &sync::SHOW,
    &sync::CANCEL,
    &archive::SHOW,
];

/// Made-up examples of bodies and answers, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
