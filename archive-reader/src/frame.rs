//! Frames on a stream: `u32 LE length of the payload | u8 kind | payload`. Streams come from the caller; what a payload
//! means is not known here.

use std::io::{self, ErrorKind, Read, Write};

/// The longest payload, in bytes.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// The kind of a payload that is a JSON document.
pub(crate) const JSON: u8 = 1;

/// The kind of a payload that is bytes: a page of messages, or a piece of a file.
pub(crate) const BYTES: u8 = 2;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// [`JSON`] or [`BYTES`].
    pub(crate) kind: u8,
    /// The payload.
    pub(crate) payload: Vec<u8>,
}

/// Reads a frame. None if the stream ended before one began.
pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 5];
    let mut filled = 0;
    while let Some(rest) = head.get_mut(filled..).filter(|it| !it.is_empty()) {
        match from.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [length @ .., kind] = head;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > PAYLOAD_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {length} bytes is too long")));
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok(Some(Frame { kind, payload }))
}

/// Writes a frame and flushes the stream.
pub(crate) fn write(to: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let too_long = || io::Error::new(ErrorKind::InvalidInput, format!("{} bytes are too long", payload.len()));
    let length = u32::try_from(payload.len()).map_err(|_| too_long())?;
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(too_long());
    }
    let [a, b, c, d] = length.to_le_bytes();
    to.write_all(&[a, b, c, d, kind])?;
    to.write_all(payload)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut stream = Vec::new();
        write(&mut stream, JSON, b"{}").expect("written");
        write(&mut stream, BYTES, b"").expect("written");
        assert_eq!(&stream[..7], [2, 0, 0, 0, 1, b'{', b'}']);
        let mut stream = &stream[..];
        assert_eq!(read(&mut stream).expect("read"), Some(Frame { kind: JSON, payload: b"{}".to_vec() }));
        assert_eq!(read(&mut stream).expect("read"), Some(Frame { kind: BYTES, payload: Vec::new() }));
        assert_eq!(read(&mut stream).expect("ended"), None);
    }

    #[test]
    fn a_cut_frame_and_one_that_is_too_long_are_errors() {
        for cut in [&[2, 0, 0][..], &[2, 0, 0, 0, 1, b'{']] {
            let error = read(&mut &cut[..]).expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
        let error = read(&mut &[0xff, 0xff, 0xff, 0xff, 1][..]).expect_err("too long");
        assert_eq!(error.to_string(), "a frame of 4294967295 bytes is too long");
        let error = write(&mut Vec::new(), BYTES, &vec![0; PAYLOAD_BYTES_MAX + 1]).expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
