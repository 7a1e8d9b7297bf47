//! Handovers (工作交接): a leaver's customers, orders and groups reach their successors, or there is a reason why not.
//!
//! What each state means and what may follow stands in `item` and `state`, what WeCom's codes mean in `code`, all of it
//! pure. What WeCom does not decide in time is overdue: asked about once a day, until it does, or a person does.
//!
//! `transition` is the only way to another state. `drive` does the next thing that is due for one handover; a task of
//! that kind and number runs it, so nobody else drives the same handover meanwhile. It may be killed anywhere: a call is
//! committed before it is made, and one whose answer nobody saw is asked about before anything is sent again.

pub mod acts;

mod code;

mod drive;

pub mod item;

pub mod note;

pub mod plan;

pub mod planning;

mod poll;

pub mod resigning;

mod schedule;

pub mod state;

mod submit;

pub mod successors;

pub mod transferring;

pub mod transition;

use std::time::Duration;

pub use drive::{Driver, Next, Trouble};
pub use schedule::OVERDUE_AFTER;

/// What the operator decided about handovers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When WeCom is first asked for results after something was submitted; later ones after twice the time each.
    pub poll_first: Duration,
    /// The longest time between two questions.
    pub poll_max: Duration,
    /// How long nobody asks what became of a call: it may still be under way. Longer than a call's own limit.
    pub outcome_after: Duration,
}
