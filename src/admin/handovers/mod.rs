//! Handovers: from a resignation to the last item that a successor has.

mod handover;

mod planning;

mod acts;

mod resignations;

mod transfer;

mod successors;

use crate::admin::spec::route::Route;

/// Every route of this slice.
pub(super) const ROUTES: &[&Route] = &[
    &handover::LIST,
    &handover::SHOW,
    &handover::ITEMS,
    &handover::ITEMS_CSV,
    &handover::LOG,
    &planning::PLAN,
    &acts::NOTIFY,
    &acts::ACCEPT,
    &acts::SUBMIT,
    &acts::CANCEL,
    &acts::POLL,
    &acts::CLOSE,
    &resignations::LIST,
    &resignations::ADD,
    &resignations::SHOW,
    &resignations::APPROVE,
    &resignations::REFUSE,
    &resignations::CANCEL,
    &transfer::TRANSFER,
    &transfer::HISTORY,
];

/// Example bodies and answers of an invented company, by route id and then `request` or status.
pub(super) const EXAMPLES: &str = include_str!("examples.json");
