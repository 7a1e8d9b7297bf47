//! What people write about a handover, and what customers are told of it. Each is checked once, where it is made. Pure.

use crate::{
    check::{self, Invalid},
    wecom::transfer::MESSAGE_CHARS_MAX,
};

/// How long a note or reason may be.
pub const NOTE_BYTES_MAX: usize = 2_048;

/// A note or reason for colleagues: one to 2,048 bytes, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(String);

/// What a customer is told once a transfer is done: one to 200 characters, because WeCom takes no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerMessage(String);

impl Note {
    /// This text, given as that field.
    pub fn new(field: &str, text: String) -> Result<Self, Invalid> {
        check::prose(field, &text, NOTE_BYTES_MAX)?;
        Ok(Self(text))
    }

    /// The same, where the field may be left out.
    pub fn optional(field: &str, text: Option<String>) -> Result<Option<Self>, Invalid> {
        text.map(|it| Self::new(field, it)).transpose()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CustomerMessage {
    /// This text, given as the field `message`.
    pub fn new(text: String) -> Result<Self, Invalid> {
        check::prose("message", &text, MESSAGE_CHARS_MAX * 4)?;
        if text.chars().count() > MESSAGE_CHARS_MAX {
            let en = format!("must have at most {MESSAGE_CHARS_MAX} characters");
            return Err(Invalid::new("message", (en, format!("最多 {MESSAGE_CHARS_MAX} 个字符"))));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_counted_in_bytes_and_a_message_in_characters() {
        let note = |text: String| Note::new("note", text);
        assert!(note("a".repeat(NOTE_BYTES_MAX)).is_ok() && note("a".repeat(NOTE_BYTES_MAX + 1)).is_err());
        assert!(note(String::new()).is_err() && note("a\0b".to_owned()).is_err());
        assert_eq!(Note::optional("note", None), Ok(None));
        let message = |text: String| CustomerMessage::new(text);
        assert!(message("交".repeat(MESSAGE_CHARS_MAX)).is_ok());
        let refused = message("a".repeat(MESSAGE_CHARS_MAX + 1)).expect_err("too long");
        assert_eq!(refused.to_string(), format!("message: must have at most {MESSAGE_CHARS_MAX} characters"));
    }
}
