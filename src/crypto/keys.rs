//! One Token with its EncodingAESKey, and the receivers that an app accepts.
//!
//! Both come from an app's configuration, typed in by an administrator; the checks say in words what to fix. Nothing
//! here knows where they are stored. Secrets are wiped when they are dropped, and printing a key set shows none.

use std::fmt;

use zeroize::Zeroizing;

use super::cipher::AesKey;
use super::error::KeyError;

/// WeCom's console accepts a Token of at most this many characters.
const TOKEN_CHARS_MAX: usize = 32;

/// One Token and EncodingAESKey. `Debug` prints no secret.
#[derive(Clone)]
pub struct CallbackKeys {
    token: Zeroizing<String>,
    aes: AesKey,
}

impl CallbackKeys {
    /// Checks both values as WeCom's console shows them.
    pub fn new(token: &str, encoding_aes_key: &str) -> Result<Self, KeyError> {
        let token_chars = token.chars().count();
        if token_chars == 0 {
            return Err(KeyError::TokenEmpty);
        }
        if token_chars > TOKEN_CHARS_MAX {
            return Err(KeyError::TokenLength(token_chars));
        }
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(KeyError::TokenCharacter);
        }
        Ok(Self { token: Zeroizing::new(token.to_owned()), aes: AesKey::parse(encoding_aes_key)? })
    }

    /// The signature's secret.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The cipher's key.
    pub(super) fn aes(&self) -> &AesKey {
        &self.aes
    }
}

impl fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackKeys").finish_non_exhaustive()
    }
}

/// Which receive id an app expects at the end of each decrypted frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receivers {
    /// One of these: the corp id for an app of a company, suite or provider ids for a third-party one.
    Exactly(Vec<String>),
    /// None at all, as an intelligent robot's frame has it.
    Empty,
}

impl Receivers {
    /// Whether a frame for `receive_id` is meant for this app.
    pub(super) fn expect(&self, receive_id: &str) -> bool {
        match self {
            Self::Exactly(ids) => ids.iter().any(|id| id == receive_id),
            Self::Empty => receive_id.is_empty(),
        }
    }
}
