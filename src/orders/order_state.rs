//! The states of a work order, and which may follow which. Pure.

use std::str::FromStr;

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderState {
    /// Nobody is in charge.
    New,
    /// Somebody is, and has not reached the customer yet.
    Assigned,
    /// The customer is in contact.
    Contacted,
    /// The customer knows what it costs.
    Quoted,
    /// The customer agreed.
    Confirmed,
    /// The work is done.
    Done,
    /// It will not be done.
    Cancelled,
}

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
    /// Every state, in the order of a job.
    pub const ALL: [Self; 7] = [New, Assigned, Contacted, Quoted, Confirmed, Done, Cancelled];

    /// Its name in `work_order.state`.
    pub fn as_str(self) -> &'static str {
        match self {
            New => "new",
            Assigned => "assigned",
            Contacted => "contacted",
            Quoted => "quoted",
            Confirmed => "confirmed",
            Done => "done",
            Cancelled => "cancelled",
        }
    }

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

/// The text names no state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be new, assigned, contacted, quoted, confirmed, done or cancelled")]
pub struct NotAState;

impl FromStr for OrderState {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or(NotAState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_states_is_a_move_or_none() {
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
    fn every_state_reads_back_and_reaches_an_end() {
        for state in OrderState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert!(state.is_final() || state.may_become(Cancelled));
        }
        assert_eq!("lost".parse::<OrderState>(), Err(NotAState));
    }
}
