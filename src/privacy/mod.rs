//! Deletes data: of people who asked to be erased, and data past its retention period.
//!
//! Erasing begins with a request to the admin API: `customer` clears the tables, `erasure` does the rest step by
//! step. `retention` deletes old data by kind. Why somebody is erased and what the rows mean is not known here.

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
