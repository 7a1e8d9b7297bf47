//! The signature over Token, timestamp, nonce and ciphertext.
//!
//! SHA-1 over the four strings, sorted by their bytes and joined. Because they are sorted, exchanging timestamp and
//! nonce changes nothing. The input is what the query and the envelope carried; this file neither decodes it nor
//! judges how old it is.

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// A SHA-1 digest's length.
const SIGNATURE_BYTES: usize = 20;

/// A signature as bytes.
pub(super) type Signature = [u8; SIGNATURE_BYTES];

/// Reads 40 hexadecimal digits of either case; anything else is no signature.
pub(super) fn parse(text: &str) -> Option<Signature> {
    let mut signature = Signature::default();
    hex::decode_to_slice(text, &mut signature).ok()?;
    Some(signature)
}

/// Signs Token, timestamp, nonce and ciphertext, in any order.
pub(super) fn sign(mut parts: [&str; 4]) -> Signature {
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Whether `given` is the signature of `parts`, in a time that does not depend on how far they agree.
pub(super) fn matches(given: &Signature, parts: [&str; 4]) -> bool {
    sign(parts).ct_eq(given).into()
}
