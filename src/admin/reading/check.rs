//! Checks of single values that several resources take. Each refuses with the field's name and says what it must be.

use crate::admin::spec::problem::Problem;

/// How long an id may be. WeCom's are at most 64 bytes; the business's are held to the same.
pub const ID_BYTES_MAX: usize = 64;

/// An id: something printed, without blanks around it.
pub fn id(field: &str, value: &str) -> Result<(), Problem> {
    let printed = !value.chars().any(char::is_control) && value.trim() == value;
    if value.is_empty() || value.len() > ID_BYTES_MAX || !printed {
        let detail = format!("must have 1 to {ID_BYTES_MAX} bytes, with no control characters and no blanks around it");
        return Err(Problem::field(field, detail));
    }
    Ok(())
}

/// A text for people, which may have several lines.
pub fn prose(field: &str, value: &str, bytes_max: usize) -> Result<(), Problem> {
    if value.is_empty() || value.len() > bytes_max {
        let bytes = value.len();
        return Err(Problem::field(field, format!("must have 1 to {bytes_max} bytes, and has {bytes}")));
    }
    if value.chars().any(|it| it.is_control() && !matches!(it, '\n' | '\r' | '\t')) {
        return Err(Problem::field(field, "must not hold control characters"));
    }
    Ok(())
}

/// Visible ASCII characters only, which excludes a blank or line break copied along.
pub fn visible(field: &str, value: &str, chars_max: usize) -> Result<(), Problem> {
    if value.len() > chars_max || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = format!("must have at most {chars_max} visible ASCII characters: look for a blank copied with it");
        return Err(Problem::field(field, detail));
    }
    Ok(())
}
