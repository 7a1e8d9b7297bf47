//! The states of a work order and their transitions. Pure.

pub use crate::states::OrderState;

use OrderState::{Assigned, Cancelled, Confirmed, Contacted, Done, New, Quoted};

/// The possible next states of each state. Steps may be skipped on the way forward, because not every job is quoted
/// for; a quotation may be taken back. `assigned` is set by putting somebody in charge, never by naming the state.
const MOVES: &[(OrderState, &[OrderState])] = &[
    (New, &[Contacted, Cancelled]),
    (Assigned, &[Contacted, Quoted, Confirmed, Done, Cancelled]),
    (Contacted, &[Quoted, Confirmed, Done, Cancelled]),
    (Quoted, &[Contacted, Confirmed, Done, Cancelled]),
    (Confirmed, &[Quoted, Done, Cancelled]),
    (Done, &[]),
    (Cancelled, &[]),
];

impl OrderState {
    /// The possible next states.
    pub fn next(self) -> &'static [Self] {
        MOVES.iter().find(|(from, _)| *from == self).map_or(&[], |(_, next)| next)
    }

    /// Whether the transition to `other` is allowed.
    pub fn may_become(self, other: Self) -> bool {
        self.next().contains(&other)
    }

    /// Whether it has no next state.
    pub fn is_final(self) -> bool {
        self.next().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_order_states_is_a_transition_or_refused() {
        let table: Vec<String> = OrderState::ALL
            .iter()
            .map(|from| {
                let row: String =
                    OrderState::ALL.iter().map(|to| if from.may_become(*to) { 'x' } else { '.' }).collect();
                format!("{row} {}", from.as_str())
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        ..x...x new
        ..xxxxx assigned
        ...xxxx contacted
        ..x.xxx quoted
        ...x.xx confirmed
        ....... done
        ....... cancelled
        ");
    }

    #[test]
    fn every_state_reaches_an_end() {
        for state in OrderState::ALL {
            assert!(state.is_final() || state.may_become(Cancelled));
        }
    }
}
