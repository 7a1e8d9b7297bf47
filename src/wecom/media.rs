//! Pictures, voice messages, videos and files, which WeCom keeps for three days.
//!
//! <https://developer.work.weixin.qq.com/document/path/90254>.

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, RANGE},
};

use super::{Api, ApiError, Class, client::FileAnswer, filename::filename, lenient::cleaned};

/// How many bytes one request asks for: WeCom allows at most 20 MB, and requires a multiple of 16.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;

/// The media id is unknown, or older than three days.
pub const GONE: i64 = 40007;

/// A part of a file.
#[derive(Debug, Clone)]
pub struct Part {
    /// The bytes, at most [`PART_BYTES`].
    pub bytes: Bytes,
    /// The whole file's length.
    pub total: u64,
    /// The Content-Type that WeCom sends.
    pub content_type: String,
    /// The file's name, if WeCom sends one.
    pub filename: Option<String>,
}

impl Api {
    /// The next part of a file from `offset` on. Safe to repeat.
    pub async fn media(&self, media_id: &str, offset: u64) -> Result<Part, ApiError> {
        const PATH: &str = "media/get";
        let range = format!("bytes={offset}-{}", offset.saturating_add(PART_BYTES - 1));
        let answer =
            self.file(PATH, |http| http.query(&[("media_id", media_id)]).header(RANGE, range.as_str())).await?;
        let FileAnswer { status, headers, bytes } = answer;
        let odd = |what: &str| ApiError::unanswered(PATH, Class::Unknown, what);
        let content_type = header(&headers, CONTENT_TYPE).filter(|it| !it.is_empty());
        let filename = header(&headers, CONTENT_DISPOSITION).and_then(|it| filename(&it));
        let partial = status == StatusCode::PARTIAL_CONTENT;
        let total = header(&headers, CONTENT_RANGE).and_then(|it| it.rsplit_once('/')?.1.trim().parse().ok());
        let length = bytes.len() as u64;
        let total = match (partial, total) {
            (true, Some(total)) => total,
            // Fewer bytes than requested are the rest.
            (true, None) if length < PART_BYTES => offset.saturating_add(length),
            (true, None) => return Err(odd("a part came without saying how long the whole is")),
            // A server that ignores the range sends the whole file.
            (false, _) if offset == 0 => length,
            (false, _) => return Err(odd("the whole came instead of a part")),
        };
        Ok(Part { bytes, total, content_type: content_type.unwrap_or_else(|| OCTETS.to_owned()), filename })
    }
}

/// The Content-Type of a file without one.
const OCTETS: &str = "application/octet-stream";

fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    // The header's file name is plain UTF-8, which `to_str` would refuse.
    Some(cleaned(&String::from_utf8_lossy(headers.get(name)?.as_bytes())).into_owned())
}
