//! English and Chinese: texts in both, and a caller's preferred language.

/// A text in both languages.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
}

/// The language of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Text {
    /// In that language.
    pub fn said(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

impl Language {
    /// Its tag, as `Accept-Language` and HTML write it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// The same in both languages.
pub const fn say(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// Whether an `Accept-Language` prefers Chinese to English; without weights the first one wins.
pub fn prefers_chinese(accepted: &str) -> bool {
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
    fn accept_language_chooses_chinese_if_it_ranks_first() {
        for chinese in ["zh", "zh-CN", "zh-CN,zh;q=0.9,en;q=0.8", "fr, zh-Hans;q=0.5", "en;Q=0.4, ZH;Q=0.5"] {
            assert!(prefers_chinese(chinese), "{chinese}");
        }
        for other in ["", "en", "en-GB,zh;q=0.9", "*", "fr", "zh;q=0", "zh;q=x", ";;,", "zhuang"] {
            assert!(!prefers_chinese(other), "{other}");
        }
    }
}
