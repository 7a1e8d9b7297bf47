//! One realistic working day of a repair company.
//!
//! Input is a company, a seed, a date and a number of callbacks; the same input gives the same day. Members are
//! created in the morning, customers come, write, leave and come back, one member is renamed at noon, and one leaves
//! in the late afternoon. The day is in order and free of repeats; `mischief` adds disorder.

pub(super) mod cast;

mod clock;

mod scene;

mod story;

mod customers;

mod messages;

mod company;

mod routine;

pub(super) mod wire;

pub use cast::{Customer, Staff};

use chrono::NaiveDate;

use super::corp::Corp;
use super::push::Push;
use crate::ids::{ExternalUserId, UserId};

/// A day with fewer callbacks has no room for its story.
pub const CALLBACKS_MIN: usize = 60;

/// One day's callbacks, and who appears in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The callbacks in the order in which things happened; no two say the same.
    pub pushes: Vec<Push>,
    /// Everybody who worked that day, under the id of the morning.
    pub staff: Vec<Staff>,
    /// Every customer who appeared.
    pub customers: Vec<Customer>,
    /// Who met whom, and how that stood in the evening.
    pub contacts: Vec<Contact>,
    /// The member who left near the end of the day.
    pub leaver: UserId,
    /// The member who was renamed: the id before and after.
    pub renamed: (UserId, UserId),
}

/// A member and a customer who met that day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The member, under the id of the morning.
    pub userid: UserId,
    /// The customer.
    pub external_userid: ExternalUserId,
    /// When they met last, in seconds since 1970.
    pub since: i64,
    /// Who had deleted whom by the evening, if one had.
    pub ended: Option<Ended>,
}

/// Who ended a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The member deleted the customer.
    ByMember,
    /// The customer deleted the member.
    ByCustomer,
}

/// Makes up the working day of `date`, 08:30 to 18:30 in Shanghai, with `callbacks` callbacks but at least
/// [`CALLBACKS_MIN`].
pub fn work_day(corp: &Corp, seed: u64, date: NaiveDate, callbacks: usize) -> Day {
    story::tell(corp, seed, date, callbacks.max(CALLBACKS_MIN))
}

#[cfg(test)]
mod tests;
