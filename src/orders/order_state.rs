//! The states of a work order, and which may follow which. Pure.

pub use crate::states::OrderState;

use OrderState::{Assigned, Cancelled, Confirmed, Contacted, Done, New, Quoted};

/// Which states may follow each. Steps may be left out on the way forward, because not every job is quoted for; a
/// quotation may be taken back. `assigned` comes from putting somebody in charge, never from naming the state.
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
    /// The states that may follow.
    pub fn next(self) -> &'static [Self] {
        MOVES.iter().find(|(from, _)| *from == self).map_or(&[], |(_, next)| next)
    }

    /// Whether `other` may follow.
    pub fn may_become(self, other: Self) -> bool {
        self.next().contains(&other)
    }

    /// Whether nothing follows any more.
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
