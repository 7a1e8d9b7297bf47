//! Cursors of lists: opaque to the caller, tied to the request, and limited in time.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::refusal::{BAD_CURSOR, Refusal};

/// How long a cursor is valid, in seconds.
const LIFE_S: i64 = 4 * 3600;

/// The position where a list continues.
pub(super) type PagePosition = (u32, u32);

/// The position to begin at: the front without a cursor, otherwise the cursor's. `asked` are the parameters that must
/// not change.
pub(super) fn begin(cursor: Option<&str>, asked: impl Hash, now: i64) -> Result<PagePosition, Refusal> {
    let Some(cursor) = cursor else { return Ok((0, 0)) };
    let bad = || Refusal::of(BAD_CURSOR);
    let mut bytes = [0; 24];
    hex::decode_to_slice(cursor, &mut bytes).map_err(|_| bad())?;
    let (head, place) = bytes.split_last_chunk::<8>().ok_or_else(bad)?;
    let (issued, asked_then) = head.split_last_chunk::<8>().ok_or_else(bad)?;
    let issued = issued.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)).ok_or_else(bad)?;
    let expired = !(issued..issued.saturating_add(LIFE_S)).contains(&now);
    if expired || u64::from_be_bytes(*asked_then) != fingerprint(asked) {
        return Err(bad());
    }
    let place = u64::from_be_bytes(*place);
    Ok(((place >> 32) as u32, place as u32))
}

/// A cursor for the position `place`.
pub(super) fn at(place: PagePosition, asked: impl Hash, now: i64) -> String {
    let place = u64::from(place.0) << 32 | u64::from(place.1);
    let mut bytes = Vec::with_capacity(24);
    bytes.extend(now.to_be_bytes());
    bytes.extend(fingerprint(asked).to_be_bytes());
    bytes.extend(place.to_be_bytes());
    hex::encode(bytes)
}

fn fingerprint(asked: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    asked.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_valid_for_the_same_query_and_a_limited_time() {
        let cursor = at((7, u32::MAX), "asked", 1000);
        assert_eq!(begin(Some(&cursor), "asked", 1000), Ok((7, u32::MAX)));
        assert_eq!(begin(None, "asked", 1000), Ok((0, 0)));
        let bad = Err(Refusal::of(BAD_CURSOR));
        assert_eq!(begin(Some(&cursor), "other", 1000), bad);
        assert_eq!(begin(Some(&cursor), "asked", 1000 + LIFE_S), bad);
        assert_eq!(begin(Some("C2"), "asked", 1000), bad);
        assert_eq!(begin(Some(&cursor[2..]), "asked", 1000), bad);
    }
}
