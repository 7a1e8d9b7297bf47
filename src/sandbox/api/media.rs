//! Files (临时素材): fetched whole or in parts, and stored for three days.

use serde_json::json;

use super::answer::{Answer, File};
use super::ask::Ask;
use super::multipart;
use super::refusal::{
    BAD_MEDIA_ID, BAD_MEDIA_TYPE, BAD_PARAMETER, BAD_RANGE, EMPTY_FILE, FILE_TOO_LARGE, NO_MEDIA_ID, RANGE_NEEDED,
    Refusal,
};
use crate::sandbox::world::{Credential, World};

/// The most bytes of one answer.
const PART_BYTES_MAX: usize = 20 * 1024 * 1024;

/// The length of a part must be a multiple of this, because files are stored encrypted; only the last part is exempt.
const PART_UNIT: usize = 16;

/// An uploaded file must have more bytes than this.
const FILE_BYTES_MIN: usize = 5;

/// The largest file of each type.
const TYPES: [(&str, usize); 4] =
    [("image", 10 * 1024 * 1024), ("voice", 2 * 1024 * 1024), ("video", 10 * 1024 * 1024), ("file", 20 * 1024 * 1024)];

pub(super) fn get(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let media_id = ask.parameter("media_id").ok_or_else(|| Refusal::of(NO_MEDIA_ID))?;
    let medium = world.media.get(media_id, world.now()).ok_or_else(|| Refusal::of(BAD_MEDIA_ID))?;
    let size = medium.bytes.len();
    let part = ask.range.as_deref().map(|range| part(range, size)).transpose()?;
    let bytes = match part {
        Some((first, last, _)) => medium.bytes.slice(first..=last),
        None if size > PART_BYTES_MAX => return Err(Refusal::of(RANGE_NEEDED)),
        None => medium.bytes.clone(),
    };
    let (content_type, filename) = (medium.content_type.clone(), medium.filename.clone());
    Ok(Answer::File(File { bytes, content_type, filename, part }))
}

pub(super) fn upload(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let kind = ask.parameter("type").unwrap_or_default();
    let (_, bytes_max) = TYPES.iter().find(|(known, _)| *known == kind).ok_or_else(|| Refusal::of(BAD_MEDIA_TYPE))?;
    let part = multipart::part(&ask.content_type, &ask.bytes, "media")
        .ok_or_else(|| Refusal::because(BAD_PARAMETER, "no multipart body with a part named media"))?;
    if part.bytes.len() <= FILE_BYTES_MIN {
        return Err(Refusal::of(EMPTY_FILE));
    }
    if part.bytes.len() > *bytes_max {
        return Err(Refusal::of(FILE_TOO_LARGE));
    }
    let media_id = world.add_media(part.bytes, &part.content_type, &part.filename);
    // The number in quotes and the empty errmsg are the platform's.
    Ok(Answer::of(json!({
        "errmsg": "",
        "type": kind,
        "media_id": media_id,
        "created_at": world.now().to_string(),
    })))
}

/// The first byte, the last, and the size.
fn part(range: &str, size: usize) -> Result<(usize, usize, usize), Refusal> {
    let bad = || Refusal::of(BAD_RANGE);
    let (first, last) = range.strip_prefix("bytes=").and_then(|it| it.split_once('-')).ok_or_else(bad)?;
    let first: usize = first.trim().parse().map_err(|_| bad())?;
    let end = size.checked_sub(1).ok_or_else(bad)?;
    let last = match last.trim() {
        "" => end,
        last => last.parse::<usize>().map_err(|_| bad())?.min(end),
    };
    let length = last.checked_sub(first).ok_or_else(bad)? + 1;
    if length > PART_BYTES_MAX {
        return Err(Refusal::of(RANGE_NEEDED));
    }
    if !length.is_multiple_of(PART_UNIT) && last != end {
        return Err(bad());
    }
    Ok((first, last, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_multiple_of_sixteen_or_the_last() {
        let bad = Err(Refusal::of(BAD_RANGE));
        assert_eq!(part("bytes=0-15", 100), Ok((0, 15, 100)));
        assert_eq!(part("bytes=96-99", 100), Ok((96, 99, 100)));
        assert_eq!(part("bytes=96-", 100), Ok((96, 99, 100)));
        assert_eq!(part("bytes=96-500", 100), Ok((96, 99, 100)));
        for range in ["bytes=0-14", "bytes=100-", "bytes=9-8", "bytes=-5", "bytes=a-b", "items=0-15", ""] {
            assert_eq!(part(range, 100), bad, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), bad);
        assert_eq!(part("bytes=0-", PART_BYTES_MAX + 1), Err(Refusal::of(RANGE_NEEDED)));
    }
}
