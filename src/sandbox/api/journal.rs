//! Records API calls in order, for tests and people. Tokens and secrets are left out.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::ids::CorpId;

/// How many calls are kept; then the oldest are dropped.
const CALLS_MAX: usize = 50_000;

/// One call of the API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// When, by the world's clock.
    pub at: DateTime<Utc>,
    /// The path after `/cgi-bin/`, such as `externalcontact/get`.
    pub path: String,
    /// The company.
    pub corpid: CorpId,
    /// The answer's errcode, sent or not: 0 means that the call took effect.
    pub errcode: i64,
    /// Whether the connection was broken instead of answering.
    pub dropped: bool,
    /// The JSON body; without one the query, without token, secret and login code. Null if it is very long.
    pub body: Value,
}

/// The latest calls, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal(VecDeque<Call>);

impl Journal {
    pub(super) fn add(&mut self, call: Call) {
        if self.0.len() >= CALLS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(call);
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.0.iter()
    }
}
