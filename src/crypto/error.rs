//! Errors of a callback or of its keys.
//!
//! An [`OpenError`] is for our counters and logs; the caller of the public listener only ever learns "no". A
//! [`KeyError`] is for the administrator who typed the keys, so it says in words what to fix. Neither holds a secret.

/// Why a callback was not opened, named by the step that refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// `msg_signature`, `timestamp` or `nonce` is missing, empty or too long.
    #[error("the query lacks msg_signature, timestamp or nonce, or one of them is too long")]
    Query,
    /// The body is no XML or JSON document with a non-empty `Encrypt`.
    #[error("the body has no Encrypt")]
    Envelope,
    /// No key set produces the given signature.
    #[error("the signature matches no configured Token")]
    Signature,
    /// The signed text is not base64.
    #[error("the ciphertext is not base64")]
    Base64,
    /// The ciphertext is empty or not a multiple of 32 bytes, which WeCom's always is.
    #[error("the ciphertext is not a positive multiple of 32 bytes")]
    Cipher,
    /// The decrypted padding is wrong: almost always a wrong EncodingAESKey beside a right Token.
    #[error("the padding is wrong; does the EncodingAESKey belong to this Token?")]
    Padding,
    /// The decrypted frame's length field does not match its length.
    #[error("the frame's length field is wrong; does the EncodingAESKey belong to this Token?")]
    Frame,
    /// The message is authentic but meant for somebody else.
    #[error("the receiveid is not one that this app expects")]
    ReceiveId,
}

impl OpenError {
    /// A stable label for a counter.
    pub fn step(&self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Envelope => "envelope",
            Self::Signature => "signature",
            Self::Base64 => "base64",
            Self::Cipher => "cipher",
            Self::Padding => "padding",
            Self::Frame => "frame",
            Self::ReceiveId => "receiveid",
        }
    }
}

/// What to fix in a Token or EncodingAESKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The Token is empty.
    #[error("the Token is empty: copy it from the app's 接收消息 page")]
    TokenEmpty,
    /// The Token is longer than WeCom allows.
    #[error("the Token has {0} characters, but WeCom's has at most 32: copy it again")]
    TokenLength(usize),
    /// The Token has a character that WeCom does not allow.
    #[error("the Token holds something other than ASCII letters and digits: look for a blank or quote copied with it")]
    TokenCharacter,
    /// The EncodingAESKey has not 43 characters.
    #[error("the EncodingAESKey has {0} characters instead of 43: copy all of it, without a final '='")]
    AesKeyLength(usize),
    /// The EncodingAESKey has a character outside `A-Z a-z 0-9 + /`.
    #[error("the EncodingAESKey holds something other than A-Z, a-z, 0-9, '+' and '/': copy it again")]
    AesKeyCharacter,
}
