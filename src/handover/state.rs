//! How far a whole handover is: it follows from its items, and from whether it was announced and submitted. Pure.

use crate::states::{HandoverState, ItemState};

use HandoverState::{Cancelled, Detected, Done, Notified, Planned, Submitted, Waiting};

/// What a handover's state follows from. Of each item, only the last round counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandoverProgress {
    /// How many items nobody has been chosen for.
    pub open: i64,
    /// How many have a successor.
    pub planned: i64,
    /// How many WeCom is being asked about.
    pub calling: i64,
    /// How many WeCom has accepted, those that are overdue included.
    pub waiting: i64,
    /// How many are at an end.
    pub ended: i64,
    /// The successors were told of the plan.
    pub notified: bool,
    /// Somebody submitted it.
    pub submitted: bool,
    /// Somebody called it off, or the leaver is back.
    pub cancelled: bool,
}

impl HandoverProgress {
    /// Counts an item.
    pub fn count(&mut self, state: ItemState, items: i64) {
        match state {
            ItemState::Open => self.open += items,
            ItemState::Planned => self.planned += items,
            ItemState::Calling => self.calling += items,
            ItemState::Waiting | ItemState::Overdue => self.waiting += items,
            _ => self.ended += items,
        }
    }

    /// The state that follows.
    ///
    /// What WeCom has in hand comes first: a handover that is called off still waits for that. One without any item is
    /// done once somebody submits it. Until then a customer may still come to light.
    pub fn state(&self) -> HandoverState {
        if self.calling > 0 || self.planned > 0 && self.submitted && !self.cancelled {
            Submitted
        } else if self.waiting > 0 {
            Waiting
        } else if self.cancelled {
            Cancelled
        } else if self.open > 0 {
            Detected
        } else if self.planned > 0 {
            if self.notified { Notified } else { Planned }
        } else if self.submitted || self.ended > 0 {
            Done
        } else {
            Detected
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handover_goes_its_way_step_by_step() {
        let mut now = HandoverProgress::default();
        assert_eq!(now.state(), Detected);
        now.count(ItemState::Open, 2);
        assert_eq!(now.state(), Detected);
        (now.open, now.planned) = (0, 2);
        assert_eq!(now.state(), Planned);
        now.notified = true;
        assert_eq!(now.state(), Notified);
        now.submitted = true;
        assert_eq!(now.state(), Submitted);
        (now.planned, now.calling) = (0, 2);
        assert_eq!(now.state(), Submitted);
        (now.calling, now.waiting) = (0, 2);
        assert_eq!(now.state(), Waiting);
        (now.waiting, now.ended) = (0, 2);
        assert_eq!(now.state(), Done);
    }

    #[test]
    fn what_wecom_has_in_hand_is_waited_for_even_if_the_rest_is_called_off() {
        let now =
            HandoverProgress { waiting: 1, ended: 3, submitted: true, cancelled: true, ..HandoverProgress::default() };
        assert_eq!(now.state(), Waiting);
        assert_eq!(HandoverProgress { waiting: 0, ..now }.state(), Cancelled);
    }

    #[test]
    fn what_is_overdue_keeps_a_handover_from_being_done() {
        let mut now = HandoverProgress { ended: 3, submitted: true, ..HandoverProgress::default() };
        now.count(ItemState::Overdue, 1);
        assert_eq!(now.state(), Waiting);
        assert_eq!(HandoverProgress { cancelled: true, ..now }.state(), Waiting, "a person may still give it up");
    }

    #[test]
    fn somebody_without_customers_is_done_once_that_is_said() {
        assert_eq!(HandoverProgress { submitted: true, ..HandoverProgress::default() }.state(), Done);
    }

    #[test]
    fn what_nobody_was_chosen_for_keeps_it_from_being_done() {
        let now = HandoverProgress { open: 1, ended: 9, submitted: true, ..HandoverProgress::default() };
        assert_eq!(now.state(), Detected);
    }
}
