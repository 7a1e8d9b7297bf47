//! The inbox: deliveries are stored here before they are answered, and wait here until they are recorded. While the
//! database is away, the spool keeps them, and they are stored here when it is back.
//!
//! The accepting half puts plaintexts in ([`Inbox::accept`]); the recording half claims them and settles, postpones
//! or parks them. Neither half knows the other, and nothing here knows what a delivery means.

mod accept;

mod connection;

mod mode;

mod spool_status;

mod drainer;

mod deposit;

mod committer;

mod commit_status;

mod event_time;

mod claim;

mod ignored;

mod list;

mod stretch;

mod erase;

mod trouble;

mod recording;

pub mod wake;

pub use accept::try_storing;
pub use claim::{
    Claimed, DEPTH_MAX, Ticket, claim, claim_again, database_standing, depth, ignore, overdue_s, park, postpone,
    replay, split,
};
pub use commit_status::{CommitStatus, Failure};
pub use committer::{Inbox, NotStored, Spooling};
pub use deposit::{Deposit, deposit};
pub use erase::{Looked, count_strays, drop_strays, empty, forget_ignored, mentions, note_dropped, unqueue, unsettled};
pub use event_time::event_time;
pub use ignored::{ignored_names, replay_ignored};
pub use list::{
    DeliveryRow, DeliveryView, Filter, count, count_stored, latest_of, list, received_at, recorded_plaintexts, show,
};
pub use recording::Recording;
pub use spool_status::SpoolStatus;
pub use trouble::{is_crossing, is_refusal, is_too_slow};
pub use wake::Wake;
