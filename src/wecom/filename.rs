//! Reads a file's name from `Content-Disposition`, as servers write it: quoted, bare, or encoded (RFC 6266, RFC
//! 8187). Pure.

use super::lenient::cleaned;

/// The longest name that is kept, in characters: file systems take 255 bytes.
const CHARS_MAX: usize = 255;

/// The file's name; the encoded one is preferred, since it can hold every character.
pub(super) fn filename(disposition: &str) -> Option<String> {
    let parameters = parameters(disposition);
    let of = |name: &str| parameters.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let name = of("filename*").and_then(|it| decoded(it)).or_else(|| of("filename").cloned())?;
    let name: String = cleaned(&name).trim().chars().filter(|it| !it.is_control()).take(CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

/// The parameters behind the first `;`, unquoted.
fn parameters(disposition: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = disposition;
    // The text before the first `;` is the type.
    while let Some((_, after)) = rest.split_once(';') {
        let Some((name, value)) = after.split_once('=').filter(|(name, _)| !name.contains(';')) else {
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let (value, next) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.find(';').unwrap_or(value.len());
                let (bare, next) = value.split_at(end);
                (bare.trim().to_owned(), next)
            }
        };
        found.push((name.trim().to_owned(), value));
        rest = next;
    }
    found
}

/// A quoted text up to its closing quotation mark, and what comes after it.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => text.extend(characters.next().map(|(_, it)| it)),
            it => text.push(it),
        }
    }
    (text, "")
}

/// Decodes `UTF-8'zh'%E5%B0%8F.jpg`; none for other charsets and invalid values.
fn decoded(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.trim().eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| byte == b'%');
        let escaped = digits.and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_is_found_in_every_form_of_the_header() {
        for (disposition, name) in [
            (r#"attachment; filename="小雨 的照片.jpg""#, Some("小雨 的照片.jpg")),
            (r#"attachment; filename="a;b\"c.jpg"; size=7"#, Some("a;b\"c.jpg")),
            ("attachment; filename=a.jpg", Some("a.jpg")),
            ("attachment;FileName = a.jpg ; x=y", Some("a.jpg")),
            ("attachment; filename*=UTF-8''%E5%B0%8F%E9%9B%A8.jpg", Some("小雨.jpg")),
            ("attachment; filename=\"_.jpg\"; filename*=utf-8'zh'%e5%b0%8f.jpg", Some("小.jpg")),
            ("attachment; filename*=GBK''%D0%A1.jpg; filename=x.jpg", Some("x.jpg")),
            ("attachment; filename*=UTF-8''100%.jpg", Some("100%.jpg")),
            ("attachment; filename*=UTF-8''a%00%1b.jpg", Some("a.jpg")),
            ("attachment; filename=\"never closed.jpg", Some("never closed.jpg")),
            ("attachment; inline; filename=a.jpg", Some("a.jpg")),
            ("attachment; filename=\"\"", None),
            ("attachment", None),
            ("filename=a.jpg", None),
            ("", None),
        ] {
            assert_eq!(filename(disposition).as_deref(), name, "{disposition}");
        }
        assert_eq!(
            filename(&format!("a; filename={}", "字".repeat(900))).map(|it| it.chars().count()),
            Some(CHARS_MAX)
        );
    }
}
