//! A request of the admin API, as `server` hands it over: read, and bounded.

use bytes::Bytes;
use secrecy::SecretString;
use uuid::Uuid;

use super::browser::Browser;

/// A request, read and bounded.
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path as it stands in the URL.
    pub path: String,
    /// The query as it stands in the URL; empty if there is none.
    pub query: String,
    /// The token, if one was given.
    pub bearer: Option<SecretString>,
    /// What else a browser shows.
    pub browser: Browser,
    /// The body; empty if there is none.
    pub body: Bytes,
    /// `Accept`, if the caller says which form they want.
    pub accept: Option<String>,
    /// `Range`, if only a part is wanted.
    pub range: Option<String>,
    /// `Idempotency-Key`, if a repetition shall not do it twice.
    pub idempotency_key: Option<String>,
    /// `If-Match`, if it shall be carried out only while something is as the caller read it.
    pub if_match: Option<String>,
    /// Where it came from.
    pub address: String,
    /// The id that the caller, the access log and our own log know it by.
    pub request_id: Uuid,
}
