//! One part of a `multipart/form-data` body, found by its name.
//!
//! Enough of RFC 7578 for a file that a client uploads: parts are not nested and their bytes are not encoded.

use bytes::Bytes;

/// The type of a part without one.
const UNTYPED: &str = "application/octet-stream";

/// A file in a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bytes: Bytes,
    pub(super) content_type: String,
    pub(super) filename: String,
}

/// The part with this name.
pub(super) fn part(content_type: &str, body: &Bytes, name: &str) -> Option<Part> {
    let boundary = content_type.split(';').find_map(|it| it.trim().strip_prefix("boundary="))?.trim_matches('"');
    let opening = format!("--{boundary}\r\n");
    let closing = format!("\r\n--{boundary}");
    let mut at = find(body, 0, opening.as_bytes())? + opening.len();
    loop {
        let head_end = find(body, at, b"\r\n\r\n")?;
        let head = std::str::from_utf8(body.get(at..head_end)?).ok()?;
        let begin = head_end + 4;
        let end = find(body, begin, closing.as_bytes())?;
        let disposition = header(head, "content-disposition").unwrap_or_default();
        if parameter(disposition, "name") == Some(name) {
            return Some(Part {
                bytes: body.slice(begin..end),
                content_type: header(head, "content-type").unwrap_or(UNTYPED).to_owned(),
                filename: parameter(disposition, "filename").unwrap_or_default().to_owned(),
            });
        }
        // Two more bytes for the line's end; the last part is followed by two hyphens and no further head.
        at = end + closing.len() + 2;
    }
}

fn find(body: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    body.get(from..)?.windows(wanted.len()).position(|it| it == wanted).map(|at| from + at)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(it, _)| it.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let pairs = value.split(';').filter_map(|it| it.trim().split_once('='));
    pairs.filter(|(it, _)| it.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"')).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_part_comes_out_byte_for_byte() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--B\r\nContent-Disposition: \
                    form-data; name=\"media\"; filename=\"合同.txt\"; filelength=9\r\nContent-Type: \
                    text/plain\r\n\r\none\r\n\r\ntwo\r\n--B--\r\n";
        let found = part("multipart/form-data; boundary=\"B\"", &Bytes::from(body), "media");
        let expected =
            Part { bytes: "one\r\n\r\ntwo".into(), content_type: "text/plain".into(), filename: "合同.txt".into() };
        assert_eq!(found, Some(expected));
        assert_eq!(part("multipart/form-data; boundary=B", &Bytes::from(body), "other"), None);
        for cut in 0..body.len() {
            // Whatever is missing, nothing is read beyond the end.
            let _ = part("multipart/form-data; boundary=B", &Bytes::copy_from_slice(&body.as_bytes()[..cut]), "media");
        }
        assert_eq!(part("text/plain", &Bytes::from(body), "media"), None);
    }
}
