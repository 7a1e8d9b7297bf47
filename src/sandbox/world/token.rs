//! Access tokens: issued, expired, revoked; and bans for guessing secrets.

use std::collections::HashMap;
use std::net::IpAddr;

use super::window::Window;
use crate::sandbox::chance::{ALPHANUMERIC, Chance};

/// How long a token is valid, in seconds; also the value of `expires_in`.
pub(in crate::sandbox) const LIFE_S: i64 = 7200;

/// How long an expired token has another errcode than an unknown one, in seconds.
const REMEMBERED_S: i64 = 24 * 3600;

/// How many tokens are remembered before long expired ones are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// The characters of a token.
const TOKEN_CHARS: usize = 214;

/// For how long wrong secrets are counted, and their sender banned.
pub(in crate::sandbox) const PENALTY_S: i64 = 3600;

/// The result of requesting a token while another is valid. The platform's documents have changed about this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenMode {
    /// The same token is returned.
    #[default]
    Same,
    /// A new one is issued, and the old one stays valid.
    Another,
    /// A new one is issued, and the old one is revoked.
    Replacing,
}

/// Why a token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum TokenError {
    Unknown,
    Expired,
}

#[derive(Debug, Clone, Copy)]
struct Token {
    credential: usize,
    expires_at: i64,
}

/// Every issued token that is not revoked.
#[derive(Default)]
pub(in crate::sandbox) struct Tokens {
    given: HashMap<String, Token>,
    newest: HashMap<usize, String>,
    wrong_secrets: HashMap<IpAddr, Window>,
    banned_until: HashMap<IpAddr, i64>,
}

impl Tokens {
    /// A token for a credential.
    pub(in crate::sandbox) fn give(
        &mut self,
        credential: usize,
        mode: TokenMode,
        now: i64,
        chance: &mut Chance,
    ) -> String {
        let valid = self.newest.get(&credential).filter(|token| self.check(token, now).is_ok()).cloned();
        match (mode, valid) {
            (TokenMode::Same, Some(token)) => return token,
            (TokenMode::Replacing, Some(token)) => self.revoke(&token),
            _ => {}
        }
        if self.given.len() >= REMEMBERED_MAX {
            self.given.retain(|_, token| token.expires_at + REMEMBERED_S > now);
        }
        let token = chance.text(ALPHANUMERIC, TOKEN_CHARS);
        self.given.insert(token.clone(), Token { credential, expires_at: now + LIFE_S });
        self.newest.insert(credential, token.clone());
        token
    }

    /// The credential of a token.
    pub(in crate::sandbox) fn check(&self, token: &str, now: i64) -> Result<usize, TokenError> {
        match self.given.get(token) {
            Some(given) if given.expires_at > now => Ok(given.credential),
            Some(_) => Err(TokenError::Expired),
            None => Err(TokenError::Unknown),
        }
    }

    pub(in crate::sandbox) fn revoke(&mut self, token: &str) {
        self.given.remove(token);
    }

    pub(in crate::sandbox) fn revoke_all(&mut self) {
        self.given.clear();
    }

    /// Whether an address may not request tokens now.
    pub(in crate::sandbox) fn is_banned(&self, ip: IpAddr, now: i64) -> bool {
        self.banned_until.get(&ip).is_some_and(|&until| until > now)
    }

    /// Counts a wrong secret; more than `max` within the hour ban the address.
    pub(in crate::sandbox) fn punish(&mut self, ip: IpAddr, now: i64, max: u32) {
        let window = self.wrong_secrets.entry(ip).or_default();
        if !window.admits(now, PENALTY_S, max.saturating_sub(1)) {
            self.banned_until.insert(ip, now + PENALTY_S);
            *window = Window::default();
        }
    }
}
