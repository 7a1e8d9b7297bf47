//! A text for people in English and in Chinese. The code that makes one gives both; the output decides which is used.

use std::{borrow::Cow, fmt};

/// A text in English and in Chinese. Displays in English, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bilingual {
    /// In English.
    pub en: Cow<'static, str>,
    /// In Simplified Chinese.
    pub zh: Cow<'static, str>,
}

impl<E: Into<Cow<'static, str>>, Z: Into<Cow<'static, str>>> From<(E, Z)> for Bilingual {
    fn from((en, zh): (E, Z)) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }
}

impl fmt::Display for Bilingual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}
