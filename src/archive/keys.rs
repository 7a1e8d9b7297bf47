//! The RSA keys of the archive: WeCom seals each message's short key with the public key that stands in its console.
//!
//! Keys come from the command line and from the table, where they are sealed. All of them are kept, because a message
//! opens only with the key that was current when it was written. That a key fits a message is proved by the library
//! alone: with a wrong one, RSA decryption succeeds, too, and gives random bytes.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::{
    PrivateKey,
    pkcs1::DecodeRsaPrivateKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::ids::CorpId;

/// The size of a new key: the only one that WeCom's console takes.
const BITS: usize = 2_048;

/// The longest short key. WeCom's have some tens of characters.
const SHORT_KEY_BYTES_MAX: usize = 256;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no private key that we can read.
    #[error(
        "this is no RSA private key in PEM: it begins with BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY, and is not encrypted"
    )]
    NotAKey,
    /// The key has another size than WeCom takes.
    #[error("the key has {0} bits, and WeCom takes 2048")]
    Size(usize),
    /// The system gave no randomness, or the key could not be written as text.
    #[error("no key could be made: {0}")]
    Made(String),
}

/// A private key. Its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Key {
    private: PrivateKey,
    public_pem: String,
    public_hash: [u8; 32],
}

/// The private keys of a corp, with the versions that WeCom gave them, as far as these are known.
#[derive(Debug, Clone, Default)]
pub struct Keyring(pub Vec<(Option<i32>, Key)>);

impl Key {
    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        let made = PrivateKey::new(&mut rand::rng(), BITS).map_err(|error| KeyError::Made(error.to_string()))?;
        Self::of(made)
    }

    /// Reads a key in PEM, PKCS #8 or PKCS #1.
    pub fn parse(pem: &SecretString) -> Result<Self, KeyError> {
        let pem = pem.expose_secret().trim();
        let private = PrivateKey::from_pkcs8_pem(pem).or_else(|_| PrivateKey::from_pkcs1_pem(pem).map_err(|_| ()));
        Self::of(private.map_err(|()| KeyError::NotAKey)?)
    }

    fn of(private: PrivateKey) -> Result<Self, KeyError> {
        let public = private.to_public_key();
        let der = public.to_public_key_der().map_err(|error| KeyError::Made(error.to_string()))?;
        let pem = public.to_public_key_pem(LineEnding::LF).map_err(|error| KeyError::Made(error.to_string()))?;
        Ok(Self { private, public_pem: pem, public_hash: Sha256::digest(der.as_bytes()).into() })
    }

    /// Refuses a key that WeCom's console would not take.
    pub fn check_size(&self) -> Result<(), KeyError> {
        let bits = self.bits();
        if bits == BITS { Ok(()) } else { Err(KeyError::Size(bits)) }
    }

    /// Its size in bits.
    pub fn bits(&self) -> usize {
        use rsa::traits::PublicKeyParts;
        self.private.size() * 8
    }

    /// The private key in PEM.
    pub fn private_pem(&self) -> Result<SecretString, KeyError> {
        let pem = self.private.to_pkcs8_pem(LineEnding::LF).map_err(|error| KeyError::Made(error.to_string()))?;
        Ok(pem.as_str().into())
    }

    /// The public key in PEM, for WeCom's console.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The SHA-256 of the public key, by which a key is known.
    pub fn public_hash(&self) -> &[u8; 32] {
        &self.public_hash
    }

    /// Decrypts a message's short key. None if what comes out can be none; what else comes out is only a guess.
    pub fn short_key(&self, random_key: &str) -> Option<String> {
        let sealed = STANDARD.decode(random_key.trim()).ok()?;
        let plain = Zeroizing::new(self.private.pkcs1v15_decrypt(&sealed).ok()?);
        let fits = !plain.is_empty() && plain.len() <= SHORT_KEY_BYTES_MAX && plain.iter().all(u8::is_ascii_graphic);
        fits.then(|| String::from_utf8_lossy(&plain).into_owned())
    }
}

impl Keyring {
    /// The key of this version.
    pub(super) fn of_version(&self, version: i32) -> Option<&Key> {
        self.0.iter().find(|(it, _)| *it == Some(version)).map(|(_, key)| key)
    }

    /// The keys that were not seen in use yet.
    pub(super) fn unused(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(|(version, _)| version.is_none()).map(|(_, key)| key)
    }

    /// Gives a version to a key.
    pub fn assign(&mut self, public_hash: &[u8; 32], version: i32) {
        for (known, key) in &mut self.0 {
            if key.public_hash == *public_hash {
                *known = Some(version);
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", hex::encode(self.public_hash))
    }
}

/// The context that a private key is sealed for, so that it opens nowhere else.
pub fn sealed_at(corpid: &CorpId, public_hash: &[u8]) -> String {
    format!("archive_key/{corpid}/{}/private_key", hex::encode(public_hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: &Key, short: &[u8]) -> String {
        STANDARD.encode(key.private.to_public_key().pkcs1v15_encrypt(short).expect("sealed"))
    }

    #[test]
    fn a_short_key_opens_with_its_key_and_is_a_guess_with_another() {
        let (key, other) = (Key::generate().expect("a key"), Key::generate().expect("a key"));
        let sealed = seal(&key, b"k3y-0123456789abcdef");
        assert_eq!(key.short_key(&sealed).as_deref(), Some("k3y-0123456789abcdef"));
        assert_ne!(other.short_key(&sealed).as_deref(), Some("k3y-0123456789abcdef"));
        for bad in
            [seal(&key, b"two words"), seal(&key, "密钥".as_bytes()), seal(&key, b""), "!".to_owned(), String::new()]
        {
            assert!(key.short_key(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_read_as_it_was_written_in_both_forms() {
        use rsa::pkcs1::EncodeRsaPrivateKey;
        let key = Key::generate().expect("a key");
        key.check_size().expect("2048 bits");
        let again = Key::parse(&key.private_pem().expect("text")).expect("PKCS #8");
        assert_eq!((again.public_hash(), again.public_pem()), (key.public_hash(), key.public_pem()));
        let old = key.private.to_pkcs1_pem(LineEnding::LF).expect("text");
        assert!(old.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
        assert_eq!(
            Key::parse(&format!("\n{}\n", old.as_str()).into()).expect("PKCS #1").public_hash(),
            key.public_hash()
        );
        assert!(key.public_pem().starts_with("-----BEGIN PUBLIC KEY-----"));
    }

    #[test]
    fn what_is_no_key_or_a_small_one_is_refused_without_quoting_it() {
        let error = Key::parse(&"-----BEGIN PRIVATE KEY-----\ns3cret\n".into()).expect_err("no key").to_string();
        assert!(error.starts_with("this is no RSA private key") && !error.contains("s3cret"), "{error}");
        let small = Key::of(PrivateKey::new(&mut rand::rng(), 1_024).expect("a key")).expect("a key");
        assert_eq!(
            small.check_size().expect_err("too small").to_string(),
            "the key has 1024 bits, and WeCom takes 2048"
        );
        assert_eq!(format!("{small:?}"), format!("Key({})", hex::encode(small.public_hash())));
    }
}
