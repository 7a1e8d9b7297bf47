//! Codes that work once and for a short while: for welcoming a new customer, and for logging in.

use std::collections::HashMap;

use crate::ids::{ExternalUserId, UserId};

/// A welcome code is good for this long, in seconds.
pub(in crate::sandbox) const WELCOME_LIFE_S: i64 = 20;

/// A login code is good for this long, in seconds.
pub(in crate::sandbox) const LOGIN_LIFE_S: i64 = 300;

/// As many codes are remembered; then those of yesterday are forgotten.
const REMEMBERED_MAX: usize = 100_000;

/// Yesterday, in seconds.
const REMEMBERED_S: i64 = 24 * 3600;

/// What a welcome code may be used for.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Welcome {
    pub(in crate::sandbox) userid: UserId,
    pub(in crate::sandbox) external_userid: ExternalUserId,
}

/// Who logged in.
#[derive(Debug, Clone)]
pub(in crate::sandbox) enum Visitor {
    Member(UserId),
    /// Somebody from outside, known as a customer or not.
    Stranger(Option<ExternalUserId>),
}

/// A code as it stands.
#[derive(Debug)]
pub(in crate::sandbox) struct Code<T> {
    pub(in crate::sandbox) meaning: T,
    pub(in crate::sandbox) issued_at: i64,
    pub(in crate::sandbox) used: bool,
}

/// Codes of one kind.
#[derive(Debug)]
pub(in crate::sandbox) struct Codes<T>(HashMap<String, Code<T>>);

impl<T> Default for Codes<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Codes<T> {
    pub(in crate::sandbox) fn issue(&mut self, code: String, meaning: T, now: i64) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, code| code.issued_at + REMEMBERED_S > now);
        }
        self.0.insert(code, Code { meaning, issued_at: now, used: false });
    }

    pub(in crate::sandbox) fn get_mut(&mut self, code: &str) -> Option<&mut Code<T>> {
        self.0.get_mut(code)
    }
}
