//! The requests to the reader and its answers, as JSON: our half. The reader's stands in `archive-reader/src/protocol.rs`.
//!
//! A frame is `u32 LE length of the payload | u8 kind | payload`; the kind is 1 for JSON and 2 for bytes.

use serde::{Deserialize, Serialize};

/// The kind of a payload that is JSON.
pub(super) const JSON: u8 = 1;

/// The kind of a payload that is bytes.
pub(super) const BYTES: u8 = 2;

/// The longest payload, in bytes.
pub(super) const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// What we ask.
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Request<'a> {
    /// Loads the library and initialises it.
    Open { lib: &'a str, corpid: &'a str, secret: &'a str, proxy: &'a str, passwd: &'a str },
    /// Reads the messages that follow `seq`.
    Pull { seq: u64, limit: u32, timeout_s: i32 },
    /// Decrypts messages.
    Decrypt { items: &'a [Item] },
    /// Reads a piece of a file.
    Media { index: &'a str, file: &'a str, timeout_s: i32 },
}

impl Request<'_> {
    /// Whether bytes follow the answer.
    pub(super) fn has_bytes(&self) -> bool {
        matches!(self, Self::Pull { .. } | Self::Media { .. })
    }
}

/// A message to decrypt, with its short key.
#[derive(Serialize)]
pub struct Item {
    /// The short key.
    pub(super) key: String,
    /// The sealed message.
    pub(super) msg: String,
}

/// What is answered.
#[derive(Deserialize)]
pub(super) struct Said {
    /// The library's code, 0 if all is well.
    pub(super) code: i32,
    /// How much memory the reader has in use, in bytes.
    #[serde(default)]
    pub(super) rss: u64,
    /// Why the library cannot be used.
    #[serde(default)]
    pub(super) trouble: Option<String>,
    /// To `decrypt`: an outcome for each message.
    #[serde(default)]
    pub(super) items: Vec<Decrypted>,
    /// To `media`: where the next piece begins.
    #[serde(default)]
    pub(super) index: Option<String>,
    /// To `media`: whether this piece is the last.
    #[serde(default)]
    pub(super) finish: Option<bool>,
}

/// A message's outcome.
#[derive(Deserialize)]
pub(super) struct Decrypted {
    /// The library's code.
    pub(super) code: i32,
    /// The message.
    pub(super) text: String,
}
