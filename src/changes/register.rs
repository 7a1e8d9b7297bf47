//! A last-writer-wins register: a value with the time of the event that set it, so that the order of events does not
//! matter.

use chrono::{DateTime, Utc};

/// A value and when it was set. The greater `(at, value)` wins; equal ones are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<T> {
    /// The value.
    pub value: T,
    /// The event's own time.
    pub at: DateTime<Utc>,
}

impl<T: Ord> Register<T> {
    /// Sets `slot` if this is greater than what it holds.
    pub fn set(slot: &mut Option<Self>, value: T, at: DateTime<Utc>) {
        Self::absorb(slot, Some(Self { value, at }));
    }

    /// Keeps the greater of the two.
    pub fn absorb(slot: &mut Option<Self>, other: Option<Self>) {
        let Some(other) = other else { return };
        if slot.as_ref().is_none_or(|own| (own.at, &own.value) < (other.at, &other.value)) {
            *slot = Some(other);
        }
    }
}

/// Keeps the earlier of two times.
pub(crate) fn earliest(slot: &mut Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) {
    *slot = slot.iter().copied().chain(other).min();
}

/// Keeps the later of two times.
pub(crate) fn latest(slot: &mut Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) {
    *slot = slot.iter().copied().chain(other).max();
}
