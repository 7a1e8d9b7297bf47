//! One realistic working day of a repair company.
//!
//! Input is a company, a seed, a date and a number of callbacks; the same input gives the same day. Members are
//! created in the morning, customers come, write, leave and come back, one member is renamed at noon, and one leaves
//! in the late afternoon. The day is in order and free of repeats: disorder is `mischief`'s business.

mod cast;

mod clock;

mod story;

mod customers;

mod messages;

mod company;

mod routine;

mod wire;

pub use cast::{Customer, Staff};

use chrono::NaiveDate;

use super::corp::Corp;
use super::push::Push;
use crate::ids::UserId;

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
    /// The member who left near the end of the day.
    pub leaver: UserId,
    /// The member who was renamed: the id before and after.
    pub renamed: (UserId, UserId),
}

/// Makes up the working day of `date`, 08:30 to 18:30 in Shanghai, with `callbacks` callbacks but at least
/// [`CALLBACKS_MIN`].
pub fn work_day(corp: &Corp, seed: u64, date: NaiveDate, callbacks: usize) -> Day {
    story::tell(corp, seed, date, callbacks.max(CALLBACKS_MIN))
}

#[cfg(test)]
mod tests;
