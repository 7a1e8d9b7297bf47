//! A login's state: the text that is sent with a redirect to WeCom and comes back with WeCom's code.
//!
//! It is authenticated, so that nobody can make one up: WeCom, whose calls are limited, and the database are asked
//! only for logins that began here a few minutes ago. It is `key id u32 | time i64 | app i32 | nonce 16 | tag 16` in
//! hexadecimal, which has only characters that WeCom accepts and fewer than its 128. The tag is HMAC-SHA-256,
//! truncated to half, under a key that is derived from the master key for this purpose. Who logs in is not known
//! here.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    admin::spec::problem::Problem,
    vault::{Vault, VaultError},
};

/// How long a login may take, in seconds: as long as WeCom's code is valid, and no shorter than a link's row.
pub const LIFE_S: u32 = 300;

/// How far the clock of the process that made a state may be ahead of ours, in seconds.
const AHEAD_MAX_S: i64 = 60;

/// The purpose in the key derivation.
const CONTEXT: &str = "wecomd login state 1";

/// The length of the nonce, which makes each state unique.
const NONCE_BYTES: usize = 16;

/// Half a SHA-256, as strong as a key of 128 bits.
const TAG_BYTES: usize = 16;

/// The length of the tag's input, besides the purpose.
const HEAD_BYTES: usize = 4 + 8 + 4 + NONCE_BYTES;

/// The purpose of a login. A state of one kind is invalid for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Logging in to the console.
    Console,
    /// Binding by a link.
    Link,
}

/// A state that was made here and is not too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The app through which the login goes: `enterprise_wechat_config.id`.
    pub app_id: i32,
    /// The nonce, which identifies it.
    pub nonce: [u8; NONCE_BYTES],
}

/// A new state.
pub fn make(vault: &Vault, login: Login, app_id: i32) -> Result<String, Problem> {
    Ok(made_at(vault, login, app_id, Utc::now())?)
}

/// Parses a state; none if it was not made here, for this kind of login, in the last minutes.
pub fn read(vault: &Vault, login: Login, text: &str) -> Option<State> {
    read_at(vault, login, text, Utc::now())
}

fn made_at(vault: &Vault, login: Login, app_id: i32, now: DateTime<Utc>) -> Result<String, VaultError> {
    let key_id = vault.current();
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let head = [&key_id.to_be_bytes()[..], &now.timestamp().to_be_bytes(), &app_id.to_be_bytes(), &nonce].concat();
    let tag = mac(vault, login, key_id, &head)?.finalize().into_bytes();
    let tag = tag.iter().copied().take(TAG_BYTES);
    Ok(hex::encode(head.iter().copied().chain(tag).collect::<Vec<u8>>()))
}

fn read_at(vault: &Vault, login: Login, text: &str, now: DateTime<Utc>) -> Option<State> {
    let bytes: [u8; HEAD_BYTES + TAG_BYTES] = hex::decode(text).ok()?.try_into().ok()?;
    let (head, tag) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let (key_id, rest) = head.split_first_chunk()?;
    let (time, rest) = rest.split_first_chunk()?;
    let (app_id, nonce) = rest.split_first_chunk()?;
    let key_id = u32::from_be_bytes(*key_id);
    mac(vault, login, key_id, head).ok()?.verify_truncated_left(tag).ok()?;
    let age_s = now.timestamp().checked_sub(i64::from_be_bytes(*time))?;
    let fresh = (-AHEAD_MAX_S..i64::from(LIFE_S)).contains(&age_s);
    fresh.then_some(State { app_id: i32::from_be_bytes(*app_id), nonce: nonce.try_into().ok()? })
}

fn mac(vault: &Vault, login: Login, key_id: u32, head: &[u8]) -> Result<Hmac<Sha256>, VaultError> {
    let key = vault.derived(key_id, CONTEXT, &[])?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&*key).map_err(|_| VaultError::Refused { key: key_id })?;
    mac.update(match login {
        Login::Console => b"console",
        Login::Link => b"link",
    });
    mac.update(head);
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_login_state_is_valid_only_for_its_login_and_lifetime() {
        let (vault, now) = (Vault::random(), Utc::now());
        let text = made_at(&vault, Login::Console, 7, now).expect("made");
        assert!(text.len() < 128 && text.bytes().all(|it| it.is_ascii_alphanumeric()), "{text}");
        let read =
            |vault: &Vault, login: Login, after_s: i64| read_at(vault, login, &text, now + TimeDelta::seconds(after_s));
        assert_eq!(read(&vault, Login::Console, 0).map(|it| it.app_id), Some(7));
        assert_eq!(read(&vault, Login::Console, i64::from(LIFE_S) - 1), read(&vault, Login::Console, 0));
        assert_eq!(read(&vault, Login::Console, i64::from(LIFE_S)), None, "its time is over");
        assert_eq!(read(&vault, Login::Console, -AHEAD_MAX_S - 1), None, "nobody's clock is so far ahead");
        assert_eq!(read(&vault, Login::Link, 0), None, "it is for another login");
        assert_eq!(read(&Vault::random(), Login::Console, 0), None, "another program made it");
        let again = made_at(&vault, Login::Console, 7, now).expect("made");
        assert_ne!(read_at(&vault, Login::Console, &again, now), read(&vault, Login::Console, 0));
    }

    #[test]
    fn an_invented_or_altered_login_state_is_refused() {
        let (vault, now) = (Vault::random(), Utc::now());
        let text = made_at(&vault, Login::Console, 7, now).expect("made");
        let bytes = hex::decode(&text).expect("hexadecimal");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(read_at(&vault, Login::Console, &hex::encode(changed), now), None, "byte {at}");
        }
        for other in ["", "x", &"0".repeat(96), &text[2..], &format!("{text}00"), "登录"] {
            assert_eq!(read_at(&vault, Login::Console, other, now), None, "{other}");
        }
    }
}
