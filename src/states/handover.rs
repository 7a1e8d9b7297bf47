//! Handovers: the whole, its items, and the calls to WeCom. The laws stand in `crate::handover`.

words! {
    /// How far a handover is.
    HandoverState in ["handover.state"] => {
        /// There is something that nobody has been chosen for.
        Detected = "detected",
        /// Everything has a successor.
        Planned = "planned",
        /// The successors know.
        Notified = "notified",
        /// WeCom is being asked.
        Submitted = "submitted",
        /// WeCom has taken everything on and waits for the customers.
        Waiting = "waiting",
        /// Everything has an owner, or a reason why not.
        Done = "done",
        /// It was called off, or the leaver is back.
        Cancelled = "cancelled",
    }

    /// Why somebody hands over.
    HandoverCause in ["handover.cause"] => {
        /// They left the corp.
        Left = "left",
        /// They are going to leave.
        Resignation = "resignation",
        /// Customers move between members who stay.
        Transfer = "transfer",
    }

    /// How far an item is. The last six are ends: nothing follows but another round. What is overdue has not ended: WeCom
    /// may still decide it, and a person may give it another round or give it up.
    ItemState in ["handover_item.state"] => {
        /// Nobody has decided who shall have it.
        Open = "open",
        /// Somebody has; WeCom has not been asked, or is known not to have done it.
        Planned = "planned",
        /// WeCom is being asked, or was and nobody saw the answer.
        Calling = "calling",
        /// WeCom took it on, and hands it over after a day if the customer does not object.
        Waiting = "waiting",
        /// WeCom took it on, and has not said in time what became of it.
        Overdue = "overdue",
        /// The successor has it.
        Done = "done",
        /// The customer does not want to.
        Refused = "refused",
        /// The successor may have no more customers.
        Full = "full",
        /// It is no longer the leaver's to hand over.
        Gone = "gone",
        /// It cannot be done; the reason says why.
        Failed = "failed",
        /// The handover was called off before WeCom was asked.
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

    /// What a call to WeCom is to move. Orders are ours alone.
    CallKind in ["handover_call.kind"] => {
        /// Customers.
        Customer = "customer",
        /// Groups.
        Group = "group",
    }

    /// Whether the member who hands over is still here.
    TransferFlow in ["handover_call.flow"] => {
        /// They are: 在职继承.
        InService = "in_service",
        /// They have left, at most a year ago: 离职继承.
        Resigned = "resigned",
    }

    /// What became of a call.
    CallOutcome in ["handover_call.outcome"] => {
        /// WeCom answered it.
        Answered = "answered",
        /// It surely never reached WeCom.
        NotSent = "not_sent",
        /// WeCom refused it as a whole.
        Refused = "refused",
        /// Nobody saw the answer, and the results told later.
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
