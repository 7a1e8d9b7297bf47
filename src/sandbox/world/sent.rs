//! Received messages and welcomes.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::window::Window;
use crate::ids::{ExternalUserId, UserId};

/// How many messages and welcomes are kept; then the oldest are dropped.
const KEPT_MAX: usize = 100_000;

/// A minute and an hour, for counting a member's messages.
const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;

/// A message that a member received.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who received it.
    pub to: UserId,
    /// Which app sent it.
    pub agentid: i64,
    /// What kind it is: `text`, `textcard`, `template_card`…
    pub msgtype: String,
    /// The content under that name.
    pub content: Value,
    /// The number that the sender was told.
    pub msgid: String,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// A welcome that a customer received.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcomed {
    /// The member who greeted.
    pub userid: UserId,
    /// Who received it.
    pub external_userid: ExternalUserId,
    /// The request's text and attachments.
    pub message: Value,
    /// How long after the code was issued, in seconds.
    pub after_s: i64,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// The counters that decide whether a message is delivered.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Post {
    /// By app and member: this minute's and this hour's messages.
    received: HashMap<(i64, u32), (Window, Window)>,
    /// Until when an identical message is dropped, by the request's hash.
    repeats: HashMap<[u8; 32], i64>,
}

impl Post {
    /// Whether one more message to a member is delivered.
    pub(in crate::sandbox) fn admits(
        &mut self,
        agentid: i64,
        member: u32,
        now: i64,
        (minute, hour): (u32, u32),
    ) -> bool {
        let (this_minute, this_hour) = self.received.entry((agentid, member)).or_default();
        // Both are counted, whichever refuses.
        let (minute, hour) = (this_minute.admits(now, MINUTE_S, minute), this_hour.admits(now, HOUR_S, hour));
        minute && hour
    }

    /// Whether the same request was sent recently; if not, repeats are dropped for `interval` seconds.
    pub(in crate::sandbox) fn is_repeat(&mut self, hash: [u8; 32], now: i64, interval: i64) -> bool {
        if self.repeats.get(&hash).is_some_and(|&until| until > now) {
            return true;
        }
        if self.repeats.len() >= KEPT_MAX {
            self.repeats.retain(|_, until| *until > now);
        }
        self.repeats.insert(hash, now + interval);
        false
    }
}

/// Appends an item, and drops the oldest if there are too many.
pub(in crate::sandbox) fn keep<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() >= KEPT_MAX {
        list.pop_front();
    }
    list.push_back(item);
}
