//! Pictures, sounds and films, which WeCom keeps for three days.
//!
//! <https://developer.work.weixin.qq.com/document/path/90254>.

use bytes::Bytes;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, RANGE},
};

use super::{Api, ApiError, Class};

/// How many bytes are asked for at once: WeCom allows 20 MB, and a multiple of 16.
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
    /// The media type that WeCom names.
    pub content_type: String,
    /// The file's name, if WeCom says it.
    pub filename: Option<String>,
}

impl Api {
    /// The bytes of a file from `offset` on, a part at a time. Safe to repeat.
    pub async fn media(&self, media_id: &str, offset: u64) -> Result<Part, ApiError> {
        const PATH: &str = "media/get";
        let range = format!("bytes={offset}-{}", offset.saturating_add(PART_BYTES - 1));
        let response =
            self.file(PATH, |http| http.query(&[("media_id", media_id)]).header(RANGE, range.as_str())).await?;
        let odd = |what: &str| ApiError::unanswered(PATH, Class::Unknown, what);
        let (content_type, filename) = (header(&response, CONTENT_TYPE), header(&response, CONTENT_DISPOSITION));
        let filename = filename.and_then(|it| Some(it.split_once("filename=\"")?.1.split('"').next()?.to_owned()));
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        let total = header(&response, CONTENT_RANGE).and_then(|it| it.rsplit_once('/')?.1.parse().ok());
        let bytes = limited(response, PATH).await?;
        let total = match (partial, total) {
            (true, Some(total)) => total,
            (true, None) => return Err(odd("a part came without saying how long the whole is")),
            // Whoever ignores the range sends the whole.
            (false, _) if offset == 0 => bytes.len() as u64,
            (false, _) => return Err(odd("the whole came instead of a part")),
        };
        Ok(Part { bytes, total, content_type: content_type.unwrap_or_else(|| OCTETS.to_owned()), filename })
    }
}

/// What a file is that does not say what it is.
const OCTETS: &str = "application/octet-stream";

fn header(response: &Response, name: reqwest::header::HeaderName) -> Option<String> {
    // A file's name is plain UTF-8 there, which `to_str` would refuse.
    Some(String::from_utf8_lossy(response.headers().get(name)?.as_bytes()).into_owned())
}

/// The whole body, unless it is longer than what was asked for.
async fn limited(mut response: Response, path: &'static str) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk =
            chunk.map_err(|error| ApiError::unanswered(path, Class::Unknown, error.without_url().to_string()))?;
        let Some(chunk) = chunk else { return Ok(bytes.into()) };
        // A whole file may come where a part was asked for: WeCom gives out up to 20 MB at once.
        if bytes.len() + chunk.len() > 20 * 1024 * 1024 {
            return Err(ApiError::unanswered(path, Class::Refused, "more than 20 MB came at once"));
        }
        bytes.extend_from_slice(&chunk);
    }
}
