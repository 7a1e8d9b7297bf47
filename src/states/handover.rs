//! Handovers: the whole, its items, and the calls to WeCom. The transitions are in `crate::handover`.

words! {
    /// The state of a handover.
    HandoverState in ["handover.state"] => {
        /// Some items have no successor yet.
        Detected = "detected",
        /// Every item has a successor.
        Planned = "planned",
        /// The successors were notified.
        Notified = "notified",
        /// Items are being submitted to WeCom.
        Submitted = "submitted",
        /// WeCom has accepted everything and waits for the customers.
        Waiting = "waiting",
        /// Every item has a new owner, or a reason why not.
        Done = "done",
        /// It was cancelled, or the leaver is back.
        Cancelled = "cancelled",
    }

    /// Why somebody hands over.
    HandoverCause in ["handover.cause"] => {
        /// They left the corp.
        Left = "left",
        /// They are going to leave.
        Resignation = "resignation",
        /// Customers move between active members.
        Transfer = "transfer",
    }

    /// The state of an item. The last six are final: only another round can follow. `Overdue` is not final: WeCom may
    /// still decide it, and a person may give it another round or give it up.
    ItemState in ["handover_item.state"] => {
        /// It has no successor.
        Open = "open",
        /// It has a successor; WeCom was not asked, or is known not to have moved it.
        Planned = "planned",
        /// WeCom is being asked, or was asked and the answer is unknown.
        Calling = "calling",
        /// WeCom accepted it, and hands it over after a day unless the customer refuses.
        Waiting = "waiting",
        /// WeCom accepted it, and has not reported the result in time.
        Overdue = "overdue",
        /// The successor has it.
        Done = "done",
        /// The customer refused.
        Refused = "refused",
        /// The successor cannot have more customers.
        Full = "full",
        /// It no longer belongs to the leaver.
        Gone = "gone",
        /// It cannot be handed over; the reason says why.
        Failed = "failed",
        /// The handover was cancelled before WeCom was asked.
        Cancelled = "cancelled",
    }

    /// What an item is.
    described ItemKind in ["handover_item.kind", "handover_log.kind"] => {
        /// A customer; the subject is the external userid.
        Customer = "customer",
        /// A work order; the subject is its number.
        Order = "order",
        /// A group; the subject is its chat_id.
        Group = "group",
        /// An open session of 微信客服; the subject is open_kfid/external_userid.
        Session = "session",
    }

    /// A state in the log: a handover's own, or an item's.
    LoggedState in ["handover_log.from_state", "handover_log.to_state"] => {
        /// Of a handover.
        Detected = "detected",
        /// Of an item.
        Open = "open",
        /// Of either.
        Planned = "planned",
        /// Of a handover.
        Notified = "notified",
        /// Of a handover.
        Submitted = "submitted",
        /// Of an item.
        Calling = "calling",
        /// Of either.
        Waiting = "waiting",
        /// Of an item.
        Overdue = "overdue",
        /// Of either.
        Done = "done",
        /// Of an item.
        Refused = "refused",
        /// Of an item.
        Full = "full",
        /// Of an item.
        Gone = "gone",
        /// Of an item.
        Failed = "failed",
        /// Of either.
        Cancelled = "cancelled",
    }

    /// What a call to WeCom moves. Orders are not known to WeCom.
    CallKind in ["handover_call.kind"] => {
        /// Customers.
        Customer = "customer",
        /// Groups.
        Group = "group",
    }

    /// Whether the former member is still active.
    TransferFlow in ["handover_call.flow"] => {
        /// Active: 在职继承.
        InService = "in_service",
        /// Left, at most a year ago: 离职继承.
        Resigned = "resigned",
    }

    /// The outcome of a call.
    CallOutcome in ["handover_call.outcome"] => {
        /// WeCom answered it.
        Answered = "answered",
        /// It certainly never reached WeCom.
        NotSent = "not_sent",
        /// WeCom refused it as a whole.
        Refused = "refused",
        /// The answer was lost, and the results told the outcome later.
        Found = "found",
    }
}

impl From<CallKind> for ItemKind {
    fn from(kind: CallKind) -> Self {
        match kind {
            CallKind::Customer => Self::Customer,
            CallKind::Group => Self::Group,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handover_log_accepts_exactly_the_states_of_handovers_and_items() {
        let mut words = [HandoverState::WORDS.as_slice(), ItemState::WORDS.as_slice()].concat();
        let mut logged = LoggedState::WORDS.to_vec();
        words.sort_unstable();
        words.dedup();
        logged.sort_unstable();
        assert_eq!(logged, words);
    }
}
