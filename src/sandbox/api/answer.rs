//! The answers of the pretend WeCom: JSON with errcode and errmsg, or a file's bytes.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::refusal::{NO_SUCH_PATH, OK, Refusal};
use crate::sandbox::world::World;

/// An answer as it goes over the wire.
pub(super) type Wire = Response<Full<Bytes>>;

/// What a JSON answer is said to be.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

/// The result of a call that was not refused.
#[derive(Debug)]
pub(super) enum Answer {
    /// Fields besides errcode and errmsg.
    Fields(Map<String, Value>),
    /// A file, or a part of one.
    File(File),
}

/// Bytes with their headers.
#[derive(Debug)]
pub(super) struct File {
    pub(super) bytes: Bytes,
    pub(super) content_type: String,
    pub(super) filename: String,
    /// The first byte, the last and the size, if a part was asked for.
    pub(super) part: Option<(usize, usize, usize)>,
}

impl Answer {
    /// An object's fields; anything else is an answer without fields.
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self::Fields(fields),
            _ => Self::Fields(Map::new()),
        }
    }

    /// An answer without further fields.
    pub(super) fn done() -> Self {
        Self::Fields(Map::new())
    }
}

/// Adds undocumented fields, if the world simulates a later version.
pub(super) fn tomorrow(world: &World, fields: &mut Map<String, Value>) {
    if world.speaks_of_tomorrow {
        fields.insert("hologram".to_owned(), json!({ "level": 7, "parts": [null, true, "x"] }));
    }
}

/// Any JSON.
pub(super) fn json(value: &Value) -> Wire {
    let mut wire = Response::new(Full::new(Bytes::from(value.to_string())));
    wire.headers_mut().insert(header::CONTENT_TYPE, JSON);
    wire
}

/// A page for people.
pub(super) fn html(page: String) -> Wire {
    let mut wire = Response::new(Full::new(Bytes::from(page)));
    wire.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    wire
}

/// The response for an answer; `warning` is appended to `ok`.
pub(super) fn wire(answer: Answer, warning: &str) -> Wire {
    match answer {
        Answer::Fields(fields) => {
            let mut whole = Map::new();
            whole.insert("errcode".to_owned(), OK.into());
            let errmsg = if warning.is_empty() { "ok".to_owned() } else { format!("ok. {warning}") };
            whole.insert("errmsg".to_owned(), errmsg.into());
            // An endpoint that has an errmsg of its own keeps it.
            whole.extend(fields);
            json(&Value::Object(whole))
        }
        Answer::File(file) => self::file(file),
    }
}

/// The response for a refusal. `trace` is the hint and the caller's address.
pub(super) fn refused(refusal: &Refusal, trace: &str, fields: Map<String, Value>) -> Wire {
    let errcode = refusal.errcode;
    let help = format!("more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}");
    let mut whole = Map::new();
    whole.insert("errcode".to_owned(), errcode.into());
    whole.insert("errmsg".to_owned(), format!("{}, {trace}, {help}", refusal.text).into());
    whole.extend(fields);
    let mut wire = json(&Value::Object(whole));
    if errcode == NO_SUCH_PATH {
        *wire.status_mut() = StatusCode::NOT_FOUND;
    }
    wire
}

/// A bare status, for requests that are not API calls.
pub(super) fn bare(status: StatusCode) -> Wire {
    let mut wire = json(&json!({ "error": status.canonical_reason() }));
    *wire.status_mut() = status;
    wire
}

fn file(file: File) -> Wire {
    let mut wire = Response::new(Full::new(file.bytes));
    let headers = wire.headers_mut();
    let plain = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&file.content_type).unwrap_or(plain));
    // Names are plain UTF-8; characters that would end the quotation or the header are left out.
    let name: String = file.filename.chars().filter(|it| !it.is_control() && !matches!(it, '"' | '\\')).collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(disposition) = HeaderValue::from_bytes(disposition.as_bytes()) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some((first, last, size)) = file.part {
        if let Ok(range) = HeaderValue::from_str(&format!("bytes {first}-{last}/{size}")) {
            headers.insert(header::CONTENT_RANGE, range);
        }
        *wire.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    wire
}
