//! The states of one customer, order or group in a handover, and which fact leads from which to which. Pure.

use crate::states::ItemState;

use ItemState::{Calling, Cancelled, Done, Failed, Full, Gone, Open, Overdue, Planned, Refused, Waiting};

/// What becomes known of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// A person chose a successor.
    Chosen,
    /// The successor is out of the plan again.
    Dropped,
    /// WeCom is about to be asked. This is committed before the call.
    Called,
    /// WeCom certainly did not do it: it said so, or its results do not name it.
    NotDone,
    /// WeCom accepted it, or announced anew when it will transfer it.
    Accepted,
    /// WeCom should have decided it long ago.
    Unanswered,
    /// The successor has it.
    HandedOver,
    /// The customer refused.
    CustomerRefused,
    /// The successor's customers are too many.
    SuccessorFull,
    /// The leaver and the customer are no longer contacts, or the order is over or belongs to somebody else.
    NoLongerTheirs,
    /// WeCom will not do it, or a person gave it up; the item's reason says why.
    GivenUp,
    /// The handover was called off.
    CalledOff,
    /// The customer was erased. WeCom may go on with what it has in hand; nobody asks about it any more.
    CustomerErased,
}

use Fact::{
    Accepted, Called, CalledOff, Chosen, CustomerErased, CustomerRefused, Dropped, GivenUp, HandedOver, NoLongerTheirs,
    NotDone, SuccessorFull, Unanswered,
};

impl ItemState {
    /// Whether the state is an end.
    pub fn is_final(self) -> bool {
        matches!(self, Done | Refused | Full | Gone | Failed | Cancelled)
    }

    /// The state after a fact; `None` if the fact changes nothing.
    pub fn after(self, fact: Fact) -> Option<Self> {
        (fact.from().contains(&self) && fact.to() != self).then(|| fact.to())
    }
}

impl Fact {
    /// Every fact.
    pub const ALL: [Self; 13] = [
        Chosen,
        Dropped,
        Called,
        NotDone,
        Accepted,
        Unanswered,
        HandedOver,
        CustomerRefused,
        SuccessorFull,
        NoLongerTheirs,
        GivenUp,
        CalledOff,
        CustomerErased,
    ];

    /// From which states it leads where. In any other state it changes nothing, so an end never changes.
    fn transition(self) -> (&'static [ItemState], ItemState) {
        match self {
            Chosen => (&[Open, Planned], Planned),
            Dropped => (&[Planned], Open),
            Called => (&[Planned], Calling),
            NotDone => (&[Calling, Waiting, Overdue], Planned),
            Accepted => (&[Calling, Overdue], Waiting),
            Unanswered => (&[Waiting], Overdue),
            HandedOver => (&[Planned, Calling, Waiting, Overdue], Done),
            CustomerRefused => (&[Calling, Waiting, Overdue], Refused),
            SuccessorFull => (&[Calling, Waiting, Overdue], Full),
            NoLongerTheirs => (&[Open, Planned, Calling, Waiting, Overdue], Gone),
            GivenUp => (&[Open, Planned, Calling, Waiting, Overdue], Failed),
            CalledOff => (&[Open, Planned], Cancelled),
            CustomerErased => (&[Open, Planned, Calling, Waiting, Overdue], Cancelled),
        }
    }

    /// The states that it changes.
    pub fn from(self) -> &'static [ItemState] {
        self.transition().0
    }

    /// Where it leads.
    pub fn to(self) -> ItemState {
        self.transition().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_a_state_and_a_fact_is_a_transition_or_changes_nothing() {
        let rows = Fact::ALL.map(|fact| {
            let row: String =
                ItemState::ALL.iter().map(|state| if state.after(fact).is_some() { 'x' } else { '.' }).collect();
            format!("{row} {fact:?} → {}", fact.to().as_str())
        });
        insta::assert_snapshot!(rows.join("\n"), @r"
        x.......... Chosen → planned
        .x......... Dropped → open
        .x......... Called → calling
        ..xxx...... NotDone → planned
        ..x.x...... Accepted → waiting
        ...x....... Unanswered → overdue
        .xxxx...... HandedOver → done
        ..xxx...... CustomerRefused → refused
        ..xxx...... SuccessorFull → full
        xxxxx...... NoLongerTheirs → gone
        xxxxx...... GivenUp → failed
        xx......... CalledOff → cancelled
        xxxxx...... CustomerErased → cancelled
        ");
    }

    #[test]
    fn an_end_stays_whatever_is_heard() {
        for state in ItemState::ALL.into_iter().filter(|it| it.is_final()) {
            assert!(Fact::ALL.into_iter().all(|fact| state.after(fact).is_none()), "{state:?}");
        }
    }

    #[test]
    fn every_state_reads_back_and_every_other_reaches_an_end() {
        for state in ItemState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert!(
                state.is_final() || Fact::ALL.iter().any(|fact| state.after(*fact).is_some_and(ItemState::is_final))
            );
        }
    }
}
