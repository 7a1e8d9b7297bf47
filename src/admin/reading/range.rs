//! `Range`: the requested part of a file. Pure; follows RFC 9110 §14 for one range.

use std::ops::Range;

/// The meaning of a request's `Range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByteRange {
    /// Everything: there is no range, or one that need not be understood.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Nothing,
}

/// Parses a `Range` for a file of that length.
///
/// Several ranges at once, other units and what cannot be read are answered with everything, as the standard allows.
pub fn wanted(range: Option<&str>, length: u64) -> ByteRange {
    let Some((first, last)) = range.and_then(bounds) else { return ByteRange::Whole };
    match (first, last) {
        (Some(first), Some(last)) if last < first => ByteRange::Whole,
        (Some(first), _) if first >= length => ByteRange::Nothing,
        (Some(first), last) => {
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            ByteRange::Part(first..end)
        }
        (None, Some(0)) => ByteRange::Nothing,
        (None, Some(_)) if length == 0 => ByteRange::Nothing,
        (None, Some(suffix)) => ByteRange::Part(length.saturating_sub(suffix)..length),
        (None, None) => ByteRange::Whole,
    }
}

/// The numbers around the hyphen.
fn bounds(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = range.split_once('=')?;
    let (first, last) = set.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|it| it.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    unit.trim().eq_ignore_ascii_case("bytes").then_some((number(first)?, number(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_answered_with_its_bytes() {
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=7-", 7..10),
            ("bytes=7-99", 7..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("Bytes = 0 - 3", 0..4),
            ("bytes=0-99999999999999999999999", 0..10),
        ] {
            assert_eq!(wanted(Some(range), 10), ByteRange::Part(expected), "{range}");
        }
    }

    #[test]
    fn a_range_beyond_the_end_selects_nothing() {
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(wanted(Some(range), 10), ByteRange::Nothing, "{range}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), ByteRange::Nothing);
        assert_eq!(wanted(Some("bytes=-1"), 0), ByteRange::Nothing);
    }

    #[test]
    fn an_unsupported_range_selects_the_whole_file() {
        for range in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes=+1-2"]
        {
            assert_eq!(wanted(Some(range), 10), ByteRange::Whole, "{range}");
        }
        assert_eq!(wanted(None, 10), ByteRange::Whole);
    }
}
