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
    /// The browser's headers.
    pub browser: Browser,
    /// The body; empty if there is none.
    pub body: Bytes,
    /// `Accept`, if given.
    pub accept: Option<String>,
    /// `Range`, if only a part is requested.
    pub range: Option<String>,
    /// `Idempotency-Key`, if given.
    pub idempotency_key: Option<String>,
    /// `If-Match`, if the request must only run on an unchanged object.
    pub if_match: Option<String>,
    /// The client's address.
    pub address: String,
    /// The request's id, as the caller, the access log and our own log know it.
    pub request_id: Uuid,
}
