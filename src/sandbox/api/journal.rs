//! What was asked, in order, so that a test or a person can see it. No token and no secret is kept.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::ids::CorpId;

/// As many calls are kept; then the oldest go.
const CALLS_MAX: usize = 50_000;

/// One call of the API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// When, by the world's clock.
    pub at: DateTime<Utc>,
    /// Behind `/cgi-bin/`, such as `externalcontact/get`.
    pub path: String,
    /// Of which company.
    pub corpid: CorpId,
    /// What was answered, or would have been: 0 means that the call took effect.
    pub errcode: i64,
    /// The connection broke instead of an answer.
    pub dropped: bool,
    /// The JSON body; of a call without one the query, without token, secret and login code. Of a very long one null.
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
