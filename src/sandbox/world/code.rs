//! One-time codes with a short validity: welcome codes and login codes.

use std::collections::HashMap;

use crate::ids::{ExternalUserId, UserId};

/// A welcome code is good for this long, in seconds.
pub(in crate::sandbox) const WELCOME_LIFE_S: i64 = 20;

/// A login code is good for this long, in seconds.
pub(in crate::sandbox) const LOGIN_LIFE_S: i64 = 300;

/// How long a used or expired code has another errcode than an unknown one, in seconds.
const REMEMBERED_S: i64 = 3600;

/// Beyond this many codes the old ones are forgotten.
const FORGET_AT: usize = 10_000;

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
pub(in crate::sandbox) struct Codes<T> {
    codes: HashMap<String, Code<T>>,
    forget_at: usize,
}

impl<T> Default for Codes<T> {
    fn default() -> Self {
        Self { codes: HashMap::new(), forget_at: FORGET_AT }
    }
}

impl<T> Codes<T> {
    pub(in crate::sandbox) fn issue(&mut self, code: String, meaning: T, now: i64) {
        if self.codes.len() >= self.forget_at {
            self.codes.retain(|_, code| code.issued_at + REMEMBERED_S > now);
            // The codes are not searched again until there are twice as many.
            self.forget_at = FORGET_AT.max(self.codes.len() * 2);
        }
        self.codes.insert(code, Code { meaning, issued_at: now, used: false });
    }

    pub(in crate::sandbox) fn get_mut(&mut self, code: &str) -> Option<&mut Code<T>> {
        self.codes.get_mut(code)
    }
}
