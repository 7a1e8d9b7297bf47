//! `media`: the bytes of the pictures, voice messages, videos and files in messages.
//!
//! Files from outsiders are shown in a colleague's browser, so only types that a browser merely displays keep their
//! type; all others are downloads without one. The bytes are read before the request's transaction, since the store
//! may be slow.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{Answer, Asked, Call, Refused},
        },
        reading::range::{ByteRange, wanted},
        spec::{
            language::{Text, say},
            operation::{Content, Header, Operation, Response, Tag},
            parameter::{Allowed, path},
            problem::{Code, Problem},
            route::{Route, VIEWER, ask_first},
        },
    },
    media::StoreError,
    states::MediaProgress,
    tables::records::media::{self, Fetched, MediaStatus},
};

/// A file, or the requested part of it.
pub(super) struct Found {
    file: Fetched,
    part: Option<String>,
    bytes: Bytes,
}

const TAG: (&str, Text) = ("etag", say("The SHA-256 of the whole.", "完整内容的 SHA-256。"));

const DISPOSITION: (&str, Text) =
    ("content-disposition", say("Whether to show it, and under which name to save it.", "展示方式与文件名。"));

const PART: &[(&str, Text)] = &[DISPOSITION, TAG, ("content-range", say("Which bytes of how many.", "字节范围。"))];

const FILE: &[(&str, Text)] = &[DISPOSITION, TAG];

pub(super) const SHOW: Route = Route {
    id: "mediaShow",
    method: "GET",
    path: "/api/enterprise-wechat/media/{id}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: ask_first!(hand_out),
    operation: Operation {
        about: say(
            "What a browser merely shows keeps its type; all else is a download without one.",
            "浏览器可安全显示的类型保留其类型，其余作为附件下载。",
        ),
        path: Some(path(
            "id",
            Allowed::Text("1G6nrLmr5EC3MMb_-zK1dDdzmd0p7cNliYu9V5w7o8K0"),
            "WeCom's media id.",
            "媒体 ID。",
        )),
        headers: &[Header::Range],
        answers: &[
            Response::new(200, "The whole of it.", "完整内容。", Content::File(content_types)).with(FILE),
            Response::new(206, "The part that was asked for.", "请求的部分内容。", Content::File(content_types))
                .with(PART),
        ],
        codes: &[
            Code::MediaWaiting,
            Code::MediaGone,
            Code::MediaUnknown,
            Code::RangeNotSatisfiable,
            Code::MediaUnavailable,
        ],
        ..Operation::new(
            Tag::Customers,
            "Hand out a message's picture, sound, film or file",
            "获取消息中的图片、语音、视频或文件",
        )
    },
};

async fn hand_out(call: &Call<'_>) -> Result<Asked, Refused> {
    call.about_path().then(find(call).await, |found, _, _| Box::pin(async { show(found) }))
}

/// Looks up a media id's status, and reads the requested bytes.
async fn find(call: &Call<'_>) -> Result<Found, Problem> {
    call.no_params()?;
    let standing = {
        let mut conn = call.admin.pool.acquire().await?;
        match call.own() {
            Some(own) if !own.has_media(&mut conn, call.id).await? => None,
            _ => media::standing(&mut conn, call.id).await?,
        }
    };
    let file = match standing {
        Some(MediaStatus::Fetched(file)) => file,
        Some(MediaStatus::Waiting) => {
            return Err(Problem::new(
                Code::MediaWaiting,
                ("it is still to be fetched from WeCom; ask again in a moment", "尚未从企业微信下载完成，请稍后重试"),
            ));
        }
        Some(MediaStatus::Ended { reason }) => {
            return Err(Problem::new(Code::MediaGone, (reason.clone(), format!("媒体文件已不可得：{reason}"))));
        }
        None => {
            return Err(Problem::new(
                Code::MediaUnknown,
                (
                    "no message with this media id is recorded, or its download was cancelled",
                    "没有记录含该媒体 ID 的消息，或其下载已取消",
                ),
            ));
        }
    };
    let length = u64::try_from(file.bytes).map_err(Problem::internal)?;
    let (part, range) = match wanted(call.request.range.as_deref(), length) {
        ByteRange::Whole => (None, 0..length),
        ByteRange::Part(range) => {
            (Some(format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1))), range)
        }
        ByteRange::Nothing => {
            let problem = Problem::new(
                Code::RangeNotSatisfiable,
                (format!("the file has {length} bytes"), format!("该文件共 {length} 字节")),
            );
            return Err(problem.with_header("content-range", format!("bytes */{length}")));
        }
    };
    let bytes = call.admin.media.read(&file.location, range).await?;
    Ok(Found { file, part, bytes })
}

/// Answers with the file. Bytes are handed out only with their line in the access log, so this is the route's second
/// half.
fn show(found: Found) -> Result<Answer, Problem> {
    let Found { file, part, bytes } = found;
    let (content_type, manner) = match shown_as(&file.content_type) {
        Some(content_type) => (content_type, "inline"),
        None => (UNSHOWN, "attachment"),
    };
    let filename = file.filename.unwrap_or_else(|| "media".to_owned());
    let status = if part.is_some() { 206 } else { 200 };
    let mut answer = Answer::file(status, content_type.to_owned(), bytes);
    answer.headers.extend([
        ("content-disposition", disposition(manner, &filename)),
        ("x-content-type-options", "nosniff".to_owned()),
        ("content-security-policy", "default-src 'none'; sandbox".to_owned()),
        ("accept-ranges", "bytes".to_owned()),
        ("etag", format!("\"{}\"", hex::encode(&file.sha256))),
    ]);
    answer.headers.extend(part.map(|it| ("content-range", it)));
    Ok(answer)
}

/// A record's picture, sound, film or file.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "MediaLink")]
pub(super) struct Link {
    /// `fetched`, `waiting`, `gone`, `too_large` or `failed`; `unknown` if it was never to be fetched.
    state: MediaProgress,
    /// Where it is handed out.
    url: String,
}

/// The URL of a file.
pub(super) fn url(media_id: &str) -> String {
    format!("/api/enterprise-wechat/media/{}", encoded(media_id))
}

/// The media status of a list's records, by corp and media id.
pub(super) struct Links(BTreeMap<(String, String), MediaProgress>);

impl Links {
    /// Looks up each of these.
    pub(super) async fn of(conn: &mut PgConnection, named: Vec<(String, String)>) -> Result<Self, Problem> {
        let (corps, media_ids): (Vec<_>, Vec<_>) = named.into_iter().unzip();
        Ok(Self(media::states(conn, &corps, &media_ids).await?))
    }

    /// The link for one of them.
    pub(super) fn link(&self, corpid: &str, media_id: &str) -> Link {
        let state = self.0.get(&(corpid.to_owned(), media_id.to_owned()));
        Link { state: state.copied().unwrap_or(MediaProgress::Unknown), url: url(media_id) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing => {
                Problem::new(Code::MediaGone, ("its bytes are no longer in the media store", "媒体存储中已无该文件"))
            }
            StoreError::Broken(cause) => Problem::new(
                Code::MediaUnavailable,
                ("try again in a moment; the log says more", "请稍后重试，详情见日志"),
            )
            .because(cause),
        }
    }
}

/// Every Content-Type that is used.
pub(super) fn content_types() -> BTreeSet<&'static str> {
    SHOWN.iter().map(|(_, known)| *known).chain([UNSHOWN]).collect()
}

/// The Content-Type of files that a browser must not display.
const UNSHOWN: &str = "application/octet-stream";

/// Types that a browser displays and never runs, with the Content-Type used for each.
const SHOWN: &[(&str, &str)] = &[
    ("image/jpeg", "image/jpeg"),
    ("image/jpg", "image/jpeg"),
    ("image/png", "image/png"),
    ("image/gif", "image/gif"),
    ("image/webp", "image/webp"),
    ("image/bmp", "image/bmp"),
    ("audio/amr", "audio/amr"),
    ("voice/amr", "audio/amr"),
    ("audio/speex", "audio/speex"),
    ("voice/speex", "audio/speex"),
    ("audio/mpeg", "audio/mpeg"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/mp4", "audio/mp4"),
    ("audio/ogg", "audio/ogg"),
    ("audio/wav", "audio/wav"),
    ("video/mp4", "video/mp4"),
    ("video/mpeg4", "video/mp4"),
    ("video/webm", "video/webm"),
    ("video/quicktime", "video/quicktime"),
];

/// The Content-Type with which a browser may display it, if it may.
fn shown_as(content_type: &str) -> Option<&'static str> {
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    SHOWN.iter().find(|(named, _)| named.eq_ignore_ascii_case(bare)).map(|(_, known)| *known)
}

/// `Content-Disposition` with a name that is safe in a header and on a disk: RFC 6266, in both of its forms.
fn disposition(manner: &str, filename: &str) -> String {
    let last = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe: String = last.chars().filter(|it| !it.is_control()).take(FILENAME_CHARS_MAX).collect();
    let safe = Some(safe.trim_matches(['.', ' '])).filter(|it| !it.is_empty()).unwrap_or("media");
    let ascii: String = safe.chars().map(|it| if is_plain(it) { it } else { '_' }).collect();
    format!("{manner}; filename=\"{ascii}\"; filename*=UTF-8''{}", encoded(safe))
}

/// Percent-encodes all but the plainest characters: safe in a path's segment and in a header's parameter.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match char::from(byte) {
            it if is_plain(it) => encoded.push(it),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn is_plain(it: char) -> bool {
    it.is_ascii_alphanumeric() || "-._".contains(it)
}

/// How long a file's name may be.
const FILENAME_CHARS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passive_content_types_are_served_as_they_are() {
        assert_eq!(shown_as("image/jpeg"), Some("image/jpeg"));
        assert_eq!(shown_as("Voice/AMR; rate=8000"), Some("audio/amr"));
        let run =
            ["text/html", "image/svg+xml", "text/xml", "application/xhtml+xml", "application/pdf", "text/plain", ""];
        for content_type in run {
            assert_eq!(shown_as(content_type), None, "{content_type}");
        }
    }

    #[test]
    fn a_filename_is_one_name_and_one_header() {
        let name = |filename| disposition("inline", filename);
        assert_eq!(name("a b.png"), "inline; filename=\"a_b.png\"; filename*=UTF-8''a%20b.png");
        assert_eq!(name("图.png"), "inline; filename=\"_.png\"; filename*=UTF-8''%E5%9B%BE.png");
        assert_eq!(name("../../etc/passwd"), "inline; filename=\"passwd\"; filename*=UTF-8''passwd");
        assert_eq!(name("C:\\x\\y.doc"), "inline; filename=\"y.doc\"; filename*=UTF-8''y.doc");
        assert_eq!(
            name("a\"\r\nSet-Cookie: b"),
            "inline; filename=\"a_Set-Cookie__b\"; filename*=UTF-8''a%22Set-Cookie%3A%20b"
        );
        for nameless in ["", "..", "/", " . "] {
            assert_eq!(name(nameless), "inline; filename=\"media\"; filename*=UTF-8''media", "{nameless:?}");
        }
        assert!(name(&"x".repeat(1_000)).len() < 300);
    }
}
