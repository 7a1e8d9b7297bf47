//! The message archive (会话内容存档): the reader that calls WeCom's closed library, the keys, and the pages.
//!
//! The library runs in a child process, `wecomd-archive`: it may crash, hang or leak, and then the child is replaced.
//! A message's short key is decrypted here, so a private key never enters the child. What comes out is bytes; what
//! they say, where they are stored and when to ask again is not known here, and neither is the database.

mod protocol;

mod reader;

mod readers;

mod trouble;

mod keys;

mod page;

mod meaning;

mod opening;

pub use keys::{Key, KeyError, Keyring, sealed_at};
pub use meaning::{Meaning, meaning};
pub use opening::{Opening, Outcome, open};
pub use page::{Envelope, Page, Sealed};
pub use readers::{Archive, Corp, Piece, Settings};
pub use trouble::Trouble;

/// How many messages a page has at most.
pub const PAGE_MAX: u32 = 1_000;

/// The page was too large: ask for fewer messages.
pub const TOO_LARGE: i32 = 301_058;

/// The messages after this number are older than WeCom keeps them.
pub const TOO_OLD: i32 = 10_010;
