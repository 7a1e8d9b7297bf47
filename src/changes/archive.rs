//! What the message archive adds to contacts and records: consents, and the files that its messages name.

use sha2::{Digest, Sha256};

use crate::ids::{CorpId, ExternalUserId, UserId};

/// `(corp, customer, member, group)`: one row of `archive_consent`. Without a member or a group, that part is empty.
pub type ConsentKey = (CorpId, ExternalUserId, UserId, String);

/// WeCom's word for a person who agreed.
pub const AGREE: &str = "Agree";

/// WeCom's word for a person who did not agree, or took it back.
pub const DISAGREE: &str = "Disagree";

/// A row of `archive_media`, but for its key: what the library needs to fetch a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchiveFile {
    /// WeCom's id of it, of any length.
    pub sdkfileid: String,
    /// The MD5 of its bytes, in hexadecimal.
    pub md5: Option<String>,
    /// Its type.
    pub content_type: String,
    /// Its name.
    pub filename: Option<String>,
}

impl ArchiveFile {
    /// The media id of a file with this `sdkfileid`, which may be too long for an index itself.
    pub fn media_id(sdkfileid: &str) -> String {
        format!("{PREFIX}{}", hex::encode(Sha256::digest(sdkfileid)))
    }

    /// Whether a media id is a file of the archive.
    pub fn is_one(media_id: &str) -> bool {
        media_id.strip_prefix(PREFIX).is_some_and(|it| it.len() == 64 && it.bytes().all(|it| it.is_ascii_hexdigit()))
    }
}

/// What a media id of the archive begins with.
const PREFIX: &str = "ar_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_id_of_the_archive_is_told_from_wecom_s() {
        let media_id = ArchiveFile::media_id(&"S".repeat(2_000));
        assert_eq!(media_id.len(), 67);
        assert!(ArchiveFile::is_one(&media_id));
        assert!(!ArchiveFile::is_one("ar_1") && !ArchiveFile::is_one("1G6nrLmr5EC3MMb"));
    }
}
