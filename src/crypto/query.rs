//! The query of a callback request: signature, timestamp, nonce, and at verification the echo.
//!
//! Input is the raw query of the request line. It is percent-decoded exactly once. Some proxies encode a query that
//! is encoded already; such a query can be read with two decodings. Whether the signature is right is not decided
//! here.

use std::borrow::Cow;

use super::error::OpenError;

/// The longest query we decode; WeCom's stay below 400 bytes.
const QUERY_BYTES_MAX: usize = 8 * 1024;

/// The longest signature, timestamp or nonce; WeCom's longest is the signature with 40 bytes.
const PARAMETER_BYTES_MAX: usize = 128;

/// The longest echo; WeCom's are 88 bytes.
const ECHOSTR_BYTES_MAX: usize = 4 * 1024;

/// An encoded percent sign: no value of WeCom's contains one.
const ENCODED_PERCENT: &str = "%25";

/// Base64 comes in groups of this many characters.
const BASE64_GROUP: usize = 4;

/// A callback's query, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The signature, as hexadecimal digits.
    pub msg_signature: String,
    /// Seconds since 1970; signed as text, so it stays text.
    pub timestamp: String,
    /// Digits or letters that WeCom drew at random.
    pub nonce: String,
    /// The ciphertext of a URL verification (GET); absent in a push (POST).
    pub echostr: Option<String>,
}

impl Query {
    /// Reads a request's query. Unknown parameters are skipped; of a repeated one the first counts.
    pub fn parse(query: &str) -> Result<Self, OpenError> {
        Self::parse_with(query, |value| value)
    }

    /// Reads a query whose values were percent-encoded once too often; `None` if they were not.
    pub fn parse_encoded_twice(query: &str) -> Option<Self> {
        let again = query.contains(ENCODED_PERCENT);
        again.then(|| Self::parse_with(query, |value| decoded(&value).into()).ok())?
    }

    fn parse_with<'a>(query: &'a str, value_of: impl Fn(Cow<'a, str>) -> Cow<'a, str>) -> Result<Self, OpenError> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(OpenError::Query);
        }
        let (mut msg_signature, mut timestamp, mut nonce, mut echostr) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let found = match name.as_ref() {
                "msg_signature" => &mut msg_signature,
                "timestamp" => &mut timestamp,
                "nonce" => &mut nonce,
                "echostr" => &mut echostr,
                _ => continue,
            };
            found.get_or_insert_with(|| value_of(value).into_owned());
        }
        Ok(Self {
            msg_signature: bounded(msg_signature)?,
            timestamp: bounded(timestamp)?,
            nonce: bounded(nonce)?,
            echostr: echostr.filter(|text| !text.is_empty()).map(repaired).transpose()?,
        })
    }
}

/// Decodes a value a second time. This time a `+` stays a `+`.
fn decoded(value: &str) -> String {
    let escaped = value.replace('+', "%2B").replace('&', "%26");
    form_urlencoded::parse(format!("value={escaped}").as_bytes()).map(|(_, it)| it.into_owned()).collect()
}

fn bounded(parameter: Option<String>) -> Result<String, OpenError> {
    parameter.filter(|text| (1..=PARAMETER_BYTES_MAX).contains(&text.len())).ok_or(OpenError::Query)
}

/// Undoes what gateways do to base64 in a query: one that decodes first makes each `+` a blank in our decoding, and
/// some strip the final `=`. Base64 has no blanks, so nothing is lost, and WeCom signed the repaired form.
fn repaired(echostr: String) -> Result<String, OpenError> {
    if echostr.len() > ECHOSTR_BYTES_MAX {
        return Err(OpenError::Query);
    }
    let mut echostr = echostr.replace(' ', "+");
    while !echostr.len().is_multiple_of(BASE64_GROUP) {
        echostr.push('=');
    }
    Ok(echostr)
}
