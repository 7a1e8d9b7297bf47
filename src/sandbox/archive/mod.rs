//! The message archive (会话内容存档) of the pretend WeCom: a stand-in for WeCom's closed library, and the messages that it
//! gives away.
//!
//! The library is C, is built where it is needed, and knows what lies in its folder. Whoever reads the archive meets it as
//! they would meet WeCom's.

mod entry;

pub mod library;

pub use entry::{ArchiveSeal, SealError, message};
pub use library::{BuildError, Library};
