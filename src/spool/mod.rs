//! The spool: callbacks on local disk while PostgreSQL is away. Encrypted segment files, each synced before a callback
//! in it is answered, read once, and deleted when all of it is in the inbox.
//!
//! A process writes into a folder of its own, `<location>/<number>/`, which it holds by a file lock, and reads folders
//! whose process is gone. Input is [`Record`]s; where they go, what they mean and when PostgreSQL is back is not known
//! here.

mod segment;

mod folder;

mod survey;

mod reader;

mod state;

mod writer;

mod handle;

#[cfg(test)]
mod tests;

pub use handle::{Settings, Spool};
pub use reader::{Found, ReadError, Reader};
pub use segment::Record;
pub use survey::{FolderView, Holding, SegmentView, folder_views, left_waiting};
pub use writer::SpoolError;
