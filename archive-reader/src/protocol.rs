//! The requests and answers between wecomd and this process, as JSON. wecomd's half stands in its `archive::protocol`.
//!
//! Each request is one frame, and wecomd waits for the answer before it sends the next. An answer is one JSON frame;
//! after `pull` and `media` a frame of bytes follows, which is empty if the call failed.

use serde::{Deserialize, Serialize};

/// The library's code for an answer that is too large. We use it for pages that fit no frame as well.
pub(crate) const TOO_LARGE: i32 = 301_058;

/// What wecomd asks.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Loads the library and initialises it. It comes first and once.
    Open {
        /// The library's path.
        lib: String,
        /// The corp.
        corpid: String,
        /// The archive's secret.
        secret: String,
        /// `http://host:port` or `socks5://host:port`, or nothing.
        proxy: String,
        /// `user:password` for the proxy, or nothing.
        passwd: String,
    },
    /// Reads the messages that follow `seq`.
    Pull {
        /// The largest number that is already known.
        seq: u64,
        /// How many messages at most.
        limit: u32,
        /// How long the library may wait for WeCom, in seconds.
        timeout_s: i32,
    },
    /// Decrypts messages.
    Decrypt {
        /// The messages.
        items: Vec<Item>,
    },
    /// Reads the next piece of a file.
    Media {
        /// Where the piece begins, as the piece before it said; empty for the first.
        index: String,
        /// The file's `sdkfileid`.
        file: String,
        /// How long the library may wait for WeCom, in seconds.
        timeout_s: i32,
    },
}

/// A message to decrypt.
#[derive(Deserialize)]
pub(crate) struct Item {
    /// Its short key, already decrypted.
    pub(crate) key: String,
    /// Its `encrypt_chat_msg`.
    pub(crate) msg: String,
}

/// What is answered.
#[derive(Serialize)]
pub(crate) struct Answer {
    /// The library's return code, 0 if all is well.
    pub(crate) code: i32,
    /// How much memory this process has in use, in bytes; 0 if unknown.
    pub(crate) rss: u64,
    /// Why the library cannot be used, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// To `decrypt`: an outcome for each message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<Opened>,
    /// To `media`: where the next piece begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<String>,
    /// To `media`: whether this piece is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finish: Option<bool>,
}

/// A message's outcome.
#[derive(Serialize)]
pub(crate) struct Opened {
    /// The library's return code.
    pub(crate) code: i32,
    /// The message, empty if it did not open.
    pub(crate) text: String,
}
