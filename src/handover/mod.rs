//! Handovers (工作交接): a leaver's customers, orders and groups reach their successors, or there is a reason why not.
//!
//! `item` and `state` say what each state means and which may follow; `code` says what WeCom's codes mean. All three are
//! pure. `transition` is the only way to another state.
//!
//! People decide: `planning`, `transferring`, `resigning` and `acts` are what they ask for. Each is a part of its caller's
//! transaction, has an error of its own, and knows nothing of HTTP. Where WeCom must be asked first, it is asked while no
//! transaction is open.
//!
//! `drive` carries a handover out. A task for this handover runs it, so only one executor drives it at a time. It may be
//! killed anywhere: a call is committed before it is made, and a call whose answer is unknown is asked about before
//! anything is sent again. What WeCom does not decide in time is overdue. WeCom is asked about that once a day, until
//! WeCom or a person decides.

pub mod acts;

pub mod by_approval;

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

mod sessions;

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
    /// How long a call without a known answer is left alone, because it may still be under way. Longer than a call's own
    /// limit.
    pub outcome_after: Duration,
    /// The templates of the 审批 app whose approved forms are resignations.
    pub resignation_templates: Vec<by_approval::ResignationTemplate>,
}
