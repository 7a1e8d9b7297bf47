//! Messages of the archive as WeCom gives them to the library: sealed with a company's public key.

use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::{PublicKey, pkcs8::DecodePublicKey};
use serde_json::{Value, json};

use super::library::seal;

/// The public key that stands in WeCom's console.
#[derive(Debug, Clone)]
pub struct ArchiveSeal(PublicKey);

/// A message cannot be sealed with this key.
#[derive(Debug, thiserror::Error)]
#[error("a message of the archive cannot be sealed: {0}")]
pub struct SealError(String);

impl ArchiveSeal {
    /// Reads the key, in PEM.
    pub fn new(public_pem: &str) -> Result<Self, SealError> {
        PublicKey::from_public_key_pem(public_pem).map(Self).map_err(|error| SealError(error.to_string()))
    }

    /// A message's short key, sealed with RSA, in base64.
    pub fn short(&self, short: &str) -> Result<String, SealError> {
        let sealed = self.0.pkcs1v15_encrypt(short.as_bytes()).map_err(|error| SealError(error.to_string()))?;
        Ok(STANDARD.encode(sealed))
    }

    /// The entry of `chatdata` for a message with this number, under the version that WeCom gave the key: JSON in one line.
    pub fn entry(&self, seq: u64, msgid: &str, version: i32, text: &str) -> Result<String, SealError> {
        let short = format!("short-key-of-{seq}-abcdefghijklmnop");
        let entry = json!({
            "seq": seq, "msgid": msgid, "publickey_ver": version,
            "encrypt_random_key": self.short(&short)?, "encrypt_chat_msg": seal(&short, text.as_bytes()),
        });
        Ok(entry.to_string())
    }
}

/// What somebody sent to somebody: a message in the clear. `inside` is the object that is named for the type; `room` is
/// empty between two people.
pub fn message(msgid: &str, from: &str, to: &[&str], room: &str, at_ms: i64, msgtype: &str, inside: Value) -> Value {
    let mut it = json!({
        "msgid": msgid, "action": "send", "from": from, "tolist": to, "roomid": room, "msgtime": at_ms, "msgtype": msgtype,
    });
    it[msgtype] = inside;
    it
}
