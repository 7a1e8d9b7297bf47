//! AES-256-CBC under an EncodingAESKey.
//!
//! Ciphertext comes from a callback whose signature has already matched; `frame` interprets the decrypted bytes. Two
//! quirks of base64 are handled here: the key's 43 characters carry two spare bits, which WeCom does not clear, while
//! ciphertext is always canonical.

use aes::Aes256;
use aes::cipher::array::Array;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use zeroize::Zeroizing;

use super::error::{KeyError, OpenError};
use super::frame::PADDING_BLOCK;

/// An EncodingAESKey is 32 bytes in base64 without the final `=`.
const KEY_CHARS: usize = 43;

/// AES-256's key length.
const KEY_BYTES: usize = 32;

/// The initialisation vector is the key's beginning.
const IV_BYTES: usize = 16;

/// Base64 as WeCom writes its keys: unpadded, the last character's two spare bits at random.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A decoded EncodingAESKey, wiped when dropped.
#[derive(Clone)]
pub(super) struct AesKey(Zeroizing<[u8; KEY_BYTES]>);

impl AesKey {
    /// Decodes the 43 characters that WeCom's console shows.
    pub(super) fn parse(text: &str) -> Result<Self, KeyError> {
        let chars = text.chars().count();
        if chars != KEY_CHARS {
            return Err(KeyError::AesKeyLength(chars));
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match KEY_BASE64.decode_slice(text, key.as_mut_slice()) {
            Ok(KEY_BYTES) => Ok(Self(key)),
            _ => Err(KeyError::AesKeyCharacter),
        }
    }

    /// Decodes and decrypts in one buffer; the result still has the frame's padding.
    pub(super) fn decrypt(&self, encrypt: &str) -> Result<Vec<u8>, OpenError> {
        let mut frame = STANDARD.decode(encrypt).map_err(|_| OpenError::Base64)?;
        if frame.is_empty() || !frame.len().is_multiple_of(PADDING_BLOCK) {
            return Err(OpenError::Cipher);
        }
        // A multiple of 32 leaves no tail behind the cipher's 16-byte blocks.
        let (blocks, _) = Array::slice_as_chunks_mut(&mut frame);
        let (key, iv) = self.key_and_iv();
        cbc::Decryptor::<Aes256>::new(key.into(), iv.into()).decrypt_blocks(blocks);
        Ok(frame)
    }

    /// Encrypts a padded frame in place and writes it as base64.
    pub(super) fn encrypt(&self, mut frame: Vec<u8>) -> String {
        let (blocks, _) = Array::slice_as_chunks_mut(&mut frame);
        let (key, iv) = self.key_and_iv();
        cbc::Encryptor::<Aes256>::new(key.into(), iv.into()).encrypt_blocks(blocks);
        STANDARD.encode(frame)
    }

    fn key_and_iv(&self) -> (&[u8; KEY_BYTES], &[u8; IV_BYTES]) {
        let (iv, _) = self.0.split_first_chunk().unwrap_or((&[0; IV_BYTES], &[]));
        (&self.0, iv)
    }
}
