//! Reading a request's body, in bounds.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Limits;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It took longer than allowed: 408.
    Slow,
    /// It is larger than allowed: 413.
    TooLarge,
    /// The connection broke or the framing is wrong: 400.
    Broken,
}

impl BodyError {
    /// The status that says so.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Slow => 408,
            Self::TooLarge => 413,
            Self::Broken => 400,
        }
    }

    /// A stable word for a counter.
    pub(super) fn step(self) -> &'static str {
        match self {
            Self::Slow => "body_slow",
            Self::TooLarge => "body_too_large",
            Self::Broken => "body_broken",
        }
    }
}

/// The whole body, or why not.
pub(super) async fn read(body: Incoming, limits: &Limits) -> Result<Bytes, BodyError> {
    match timeout(limits.body_timeout, Limited::new(body, limits.body_bytes_max).collect()).await {
        Err(_) => Err(BodyError::Slow),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::Broken),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}
