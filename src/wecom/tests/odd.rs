//! The odd values, and how each kind of field reads them.

/// A value that WeCom was not expected to send.
pub(super) struct Odd {
    /// The value in the body; none if the field is missing.
    pub(super) raw: Option<&'static [u8]>,
    /// Read as a text.
    pub(super) text: &'static str,
    /// Read as a number.
    pub(super) number: Option<i64>,
    /// Read as a boolean.
    pub(super) truth: bool,
    /// Whether a cursor can be read from it.
    pub(super) scalar: bool,
    /// Whether a list reads it as empty, like null; otherwise it is odd there, too.
    pub(super) empty: bool,
}

impl Odd {
    pub(super) fn name(&self) -> String {
        self.raw.map_or_else(|| "nothing".to_owned(), |raw| String::from_utf8_lossy(raw).into_owned())
    }
}

const fn text(raw: &'static [u8], text: &'static str) -> Odd {
    Odd { raw: Some(raw), text, number: None, truth: false, scalar: true, empty: false }
}

const fn number(raw: &'static [u8], text: &'static str, number: Option<i64>) -> Odd {
    Odd { raw: Some(raw), text, number, truth: matches!(number, Some(it) if it != 0), scalar: true, empty: false }
}

const fn nothing(raw: Option<&'static [u8]>) -> Odd {
    Odd { raw, text: "", number: None, truth: false, scalar: true, empty: true }
}

const fn wrong(raw: &'static [u8]) -> Odd {
    Odd { raw: Some(raw), text: "", number: None, truth: false, scalar: false, empty: false }
}

pub(super) const ODD: &[Odd] = &[
    nothing(None),
    nothing(Some(b"null")),
    wrong(br#"{"x":1}"#),
    wrong(b"[1]"),
    wrong(b"false"),
    Odd { truth: true, ..wrong(b"true") },
    text(br#""""#, ""),
    text(br#""  ""#, "  "),
    text(br#""word""#, "word"),
    text(br#""a\u0000b""#, "ab"),
    text(br#""\u0000""#, ""),
    text(br#""a\u001b\u0085b""#, "ab"),
    text(b"\"a\x14b\"", "ab"),
    text(b"\"a\nb\"", "a\nb"),
    text(b"\"a\xe5\xb0\"", "a\u{fffd}"),
    text(br#""a\ud83d""#, "a\u{fffd}"),
    text(br#""\ude00b""#, "\u{fffd}b"),
    number(br#""1""#, "1", Some(1)),
    number(br#"" 1760000000 ""#, " 1760000000 ", Some(1_760_000_000)),
    number(b"7", "7", Some(7)),
    number(b"0", "0", Some(0)),
    number(b"-1", "-1", Some(-1)),
    number(b"7.0", "7.0", Some(7)),
    number(b"1.5", "1.5", None),
    number(b"1760000000123", "1760000000123", Some(1_760_000_000_123)),
    number(b"9223372036854775807", "9223372036854775807", Some(i64::MAX)),
    number(b"1e300", "1e+300", None),
];
