//! Checks of single values given by people and programs: ids, prose, visible text. Each refusal has the field's name
//! and says what the value must be.

use std::{error::Error, fmt};

use crate::bilingual::Bilingual;

/// How long an id may be. WeCom's have at most 64 bytes; the business's have the same limit.
pub const ID_BYTES_MAX: usize = 64;

/// An invalid value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field's path; empty for the whole input.
    pub field: String,
    /// What the value must be.
    pub why: Bilingual,
}

impl Invalid {
    /// An invalid value of this field.
    pub fn new(field: impl Into<String>, why: impl Into<Bilingual>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return write!(f, "{}", self.why);
        }
        write!(f, "{}: {}", self.field, self.why)
    }
}

impl Error for Invalid {}

/// Checks an id: printable, without surrounding blanks.
pub fn id(field: &str, value: &str) -> Result<(), Invalid> {
    let printed = !value.chars().any(char::is_control) && value.trim() == value;
    if value.is_empty() || value.len() > ID_BYTES_MAX || !printed {
        let en = format!("must have 1 to {ID_BYTES_MAX} bytes, with no control characters and no blanks around it");
        let zh = format!("长度须为 1 至 {ID_BYTES_MAX} 字节，不得含控制字符，首尾不得有空白");
        return Err(Invalid::new(field, (en, zh)));
    }
    Ok(())
}

/// Checks a text for people, which may have several lines.
pub fn prose(field: &str, value: &str, bytes_max: usize) -> Result<(), Invalid> {
    if value.is_empty() || value.len() > bytes_max {
        let bytes = value.len();
        let en = format!("must have 1 to {bytes_max} bytes, and has {bytes}");
        return Err(Invalid::new(field, (en, format!("长度须为 1 至 {bytes_max} 字节，当前为 {bytes} 字节"))));
    }
    if value.chars().any(|it| it.is_control() && !matches!(it, '\n' | '\r' | '\t')) {
        return Err(Invalid::new(field, ("must not hold control characters", "不得含控制字符")));
    }
    Ok(())
}

/// Checks for visible ASCII characters only, which excludes a blank or line break copied along.
pub fn visible(field: &str, value: &str, chars_max: usize) -> Result<(), Invalid> {
    if value.len() > chars_max || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        let en = format!("must have at most {chars_max} visible ASCII characters: look for a blank copied with it");
        let zh = format!("最多 {chars_max} 个可见 ASCII 字符，请检查是否误带了空格或换行");
        return Err(Invalid::new(field, (en, zh)));
    }
    Ok(())
}

/// Parses JSON as the admin API does, for tests.
#[cfg(test)]
pub(crate) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Invalid> {
    let json = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let words = error.inner().to_string();
        let words = words.split(" at line ").next().unwrap_or_default().to_owned();
        Invalid::new(if path == "." { String::new() } else { path }, (words.clone(), words))
    })
}
