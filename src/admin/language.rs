//! `Accept-Language`: whether a problem's title is read in Chinese or in English. Both are always there, as `title` and
//! `title_zh`; details that WeCom's errcodes explain come in both.

use super::{Body, Reply};

impl Reply {
    /// The same, with a problem's `title` in the language that the caller would rather read.
    pub fn in_language(mut self, accept_language: Option<&str>) -> Self {
        if let Body::Problem(value) = &mut self.body
            && accept_language.is_some_and(prefers_chinese)
            && let Some(title) = value.get("title_zh").cloned()
            && let Some(object) = value.as_object_mut()
        {
            object.insert("title".to_owned(), title);
        }
        self
    }
}

/// Whether Chinese weighs more than English in an `Accept-Language`; without any weights, what comes first.
pub(super) fn prefers_chinese(accepted: &str) -> bool {
    let mut best = (0.0, false);
    for range in accepted.split(',') {
        let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
        let weight = weight.trim().split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("q"));
        let weight: f32 = weight.and_then(|(_, it)| it.parse().ok()).unwrap_or(0.0);
        let language = tag.trim().split('-').next().unwrap_or_default();
        let chinese = language.eq_ignore_ascii_case("zh");
        if weight > best.0 && (chinese || language == "*" || language.eq_ignore_ascii_case("en")) {
            best = (weight, chinese);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_is_spoken_to_those_who_would_rather_read_it() {
        for chinese in ["zh", "zh-CN", "zh-CN,zh;q=0.9,en;q=0.8", "fr, zh-Hans;q=0.5", "en;Q=0.4, ZH;Q=0.5"] {
            assert!(prefers_chinese(chinese), "{chinese}");
        }
        for other in ["", "en", "en-GB,zh;q=0.9", "*", "fr", "zh;q=0", "zh;q=x", ";;,", "zhuang"] {
            assert!(!prefers_chinese(other), "{other}");
        }
    }
}
