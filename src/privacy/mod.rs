//! What is not to be kept: people who asked to be erased, and what is older than it needs to be.
//!
//! Erasing begins with a request to the admin API: `customer` clears the tables, `erasure` does the rest, step by step.
//! `retention` drops what is old, by kind. It refuses to know why somebody is erased, and what the rows mean.

mod customer;

mod erasure;

mod retention;

mod subject;

mod work;

pub use customer::{Asker, Erased, erase};
pub use erasure::{Eraser, Step};
pub use retention::{Age, Outcome, Retention, RetentionError, Settings};
pub use subject::DataSubject;
pub use work::work;
