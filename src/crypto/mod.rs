//! Verifies that a callback comes from WeCom, and decrypts it.
//!
//! A callback arrives as a query and a body; [`open`] turns them into the plaintext, and [`seal`] does the reverse
//! for replies. Signature first, then base64, AES, padding, frame and receiver: what fails stops there, and nothing
//! unverified is ever returned. This folder is pure: it knows no clock, socket or database, and it does not read the
//! plaintext. The scheme is WeCom's 加解密方案说明: <https://developer.work.weixin.qq.com/document/path/90968>.

mod query;

mod envelope;

mod keys;

mod signature;

mod cipher;

mod frame;

mod error;

#[cfg(test)]
mod tests;

pub use envelope::{Sealed, envelope};
pub use error::{KeyError, OpenError};
pub use keys::{CallbackKeys, Receivers};
pub use query::Query;

use std::fmt;

/// The content of a callback that passed every check.
pub struct Opened {
    /// The message, exactly as WeCom wrote it.
    pub plaintext: Vec<u8>,
    /// Whom it was meant for: a corp id, a suite id, or nothing for a robot.
    pub receive_id: String,
    /// Which of the given key sets opened it, so that an old one can be retired once it falls silent.
    pub key_set: usize,
}

impl fmt::Debug for Opened {
    /// Prints how much was opened, never the plaintext: plaintexts do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("plaintext_bytes", &self.plaintext.len())
            .field("receive_id", &self.receive_id)
            .field("key_set", &self.key_set)
            .finish()
    }
}

/// Verifies, decrypts and checks one ciphertext: a body's `Encrypt`, or a query's `echostr`.
///
/// Every key set is tried and the signature decides. Nothing is decoded before it matches, in constant time.
pub fn open(keys: &[CallbackKeys], receivers: &Receivers, query: &Query, encrypt: &str) -> Result<Opened, OpenError> {
    let given = signature::parse(&query.msg_signature).ok_or(OpenError::Signature)?;
    let mut outcome = Err(OpenError::Signature);
    for (key_set, keys) in keys.iter().enumerate() {
        if !signature::matches(&given, [keys.token(), &query.timestamp, &query.nonce, encrypt]) {
            continue;
        }
        // While only the AES key is rotated, both key sets share a Token, so a matching signature does not prove that
        // the key is right. The next set is then tried.
        outcome = reveal(keys, receivers, key_set, encrypt);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Seals a message with a given random prefix, which makes the result reproducible. A passive reply uses the receive
/// id that its callback carried.
pub fn seal(
    keys: &CallbackKeys,
    receive_id: &str,
    timestamp: &str,
    nonce: &str,
    message: &[u8],
    random: [u8; 16],
) -> Sealed {
    let encrypt = keys.aes().encrypt(frame::wrap(&random, message, receive_id));
    let msg_signature = hex::encode(signature::sign([keys.token(), timestamp, nonce, &encrypt]));
    Sealed { encrypt, msg_signature, timestamp: timestamp.to_owned(), nonce: nonce.to_owned() }
}

/// Seals a message with a fresh random prefix.
pub fn seal_random(keys: &CallbackKeys, receive_id: &str, timestamp: &str, nonce: &str, message: &[u8]) -> Sealed {
    seal(keys, receive_id, timestamp, nonce, message, rand::random())
}

/// Decrypts a ciphertext whose signature matched, and checks whom it is meant for.
fn reveal(keys: &CallbackKeys, receivers: &Receivers, key_set: usize, encrypt: &str) -> Result<Opened, OpenError> {
    let (plaintext, receive_id) = frame::unwrap(keys.aes().decrypt(encrypt)?)?;
    if !receivers.expect(&receive_id) {
        return Err(OpenError::ReceiveId);
    }
    Ok(Opened { plaintext, receive_id, key_set })
}
