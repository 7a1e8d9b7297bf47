//! `/openapi.json` and `/docs`: what is handed out without a token. Each form is made once, when it is first asked for.

use std::sync::LazyLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{document, page};
use crate::admin::{
    door::reply::{Body, Reply},
    spec::{
        language::{Language, prefers_chinese},
        problem::{Code, Problem},
    },
};

/// The page's content security policy: it may only be displayed, with its own style.
const PAGE_RULES: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// Caches must revalidate an answer before every use.
const CACHE: &str = "no-cache";

/// Where the description is handed out.
pub const PATHS: [&str; 2] = ["/openapi.json", "/docs"];

/// A form, and the tag that changes with it.
struct Form {
    content_type: &'static str,
    bytes: Bytes,
    etag: String,
}

static ENGLISH: LazyLock<[Form; 2]> = LazyLock::new(|| forms(Language::English));

static CHINESE: LazyLock<[Form; 2]> = LazyLock::new(|| forms(Language::Chinese));

/// The description, if the path asks for it: `/openapi.json`, in English unless `lang` or `Accept-Language` asks for
/// Chinese; `/docs`, in Chinese unless they ask for English.
pub fn serve(
    method: &str,
    path: &str,
    query: &str,
    accept_language: Option<&str>,
    if_none_match: Option<&str>,
) -> Option<Reply> {
    let (index, usual) = match path {
        "/openapi.json" => (0, Language::English),
        "/docs" => (1, Language::Chinese),
        _ => return None,
    };
    if !["GET", "HEAD"].contains(&method) {
        let problem = Problem::new(Code::MethodNotAllowed, ("this path takes GET", "该路径仅支持 GET"))
            .with_header("allow", "GET, HEAD");
        return Some(problem.reply(Uuid::now_v7()));
    }
    let [english, chinese] = [&*ENGLISH, &*CHINESE].map(|forms| forms.get(index));
    let form = match wanted(query, accept_language).unwrap_or(usual) {
        Language::English => english?,
        Language::Chinese => chinese?,
    };
    let same = if_none_match.is_some_and(|tags| tags.split(',').any(|it| names(it.trim(), &form.etag)));
    let bytes = if same || method == "HEAD" { Bytes::new() } else { form.bytes.clone() };
    let headers = vec![
        ("etag", form.etag.clone()),
        ("cache-control", CACHE.to_owned()),
        ("vary", "accept-language".to_owned()),
        ("content-security-policy", PAGE_RULES.to_owned()),
    ];
    let status = if same { 304 } else { 200 };
    Some(Reply { status, body: Body::File { content_type: form.content_type.to_owned(), bytes }, headers })
}

/// Whether an `If-None-Match` holds this tag. A proxy that compresses makes the tag weak, which does not matter here.
fn names(tag: &str, etag: &str) -> bool {
    tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
}

/// The language that is asked for: by `lang`, else by the browser.
fn wanted(query: &str, accept_language: Option<&str>) -> Option<Language> {
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "lang");
    match named.as_ref().map(|(_, value)| value.as_ref()) {
        Some("en") => Some(Language::English),
        Some("zh" | "zh-CN") => Some(Language::Chinese),
        _ => accept_language.map(|it| if prefers_chinese(it) { Language::Chinese } else { Language::English }),
    }
}

fn forms(language: Language) -> [Form; 2] {
    let document = document(language);
    let form = |content_type, text: String| {
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(text.as_bytes())[..16]));
        Form { content_type, bytes: text.into(), etag }
    };
    [
        form("application/json", format!("{document}\n")),
        form("text/html; charset=utf-8", page::page(&document, language)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_accepts_strong_and_weak_etags() {
        assert!(names("\"1f\"", "\"1f\"") && names("W/\"1f\"", "\"1f\"") && names("*", "\"1f\""));
        assert!(!names("\"2f\"", "\"1f\"") && !names("1f", "\"1f\"") && !names("", "\"1f\""));
    }

    #[test]
    fn a_language_in_the_query_overrides_the_accept_language_header() {
        assert_eq!(wanted("lang=en", Some("zh-CN")), Some(Language::English));
        assert_eq!(wanted("lang=zh", Some("en")), Some(Language::Chinese));
        assert_eq!(wanted("lang=fr", Some("zh-CN,en;q=0.5")), Some(Language::Chinese));
        assert_eq!(wanted("", Some("en-GB")), Some(Language::English));
        assert_eq!(wanted("", None), None);
    }
}
