//! Odd answers on demand: another body, other bytes in it, other headers.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};

use super::answer::Wire;
use super::fault::Fault;

/// Applies a fault to an answer.
pub(super) async fn spoil(wire: Wire, fault: &Fault) -> Wire {
    let (mut head, body) = wire.into_parts();
    // The body is in memory, so collecting it cannot fail.
    let mut bytes = body.collect().await.map(|it| it.to_bytes().to_vec()).unwrap_or_default();
    if let Some(body) = fault.bodies.first() {
        bytes.clone_from(body);
    }
    for (text, instead) in &fault.garble {
        bytes = replaced(&bytes, text.as_bytes(), instead);
    }
    for (name, value) in &fault.headers {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        match value.as_ref().map(|it| HeaderValue::from_bytes(it.as_bytes())) {
            Some(Ok(value)) => drop(head.headers.insert(name, value)),
            _ => drop(head.headers.remove(name)),
        }
    }
    head.headers.remove(CONTENT_LENGTH);
    Wire::from_parts(head, Full::new(Bytes::from(bytes)))
}

/// Every occurrence replaced, from the left.
fn replaced(bytes: &[u8], text: &[u8], instead: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(text).filter(|_| !text.is_empty()) {
            Some(beyond) => {
                out.extend(instead);
                rest = beyond;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_is_replaced_and_the_rest_stays() {
        assert_eq!(replaced(b"a,b,,c", b",", b"\xff;"), b"a\xff;b\xff;\xff;c");
        assert_eq!(replaced(b"abc", b"", b"x"), b"abc");
        assert_eq!(replaced(b"", b"a", b"x"), b"");
    }
}
