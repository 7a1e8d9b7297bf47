//! Repairs JSON text that WeCom's gateways break, before it is parsed.
//!
//! Some gateways put unescaped control characters into strings, cut a surrogate pair in half, or put a backslash
//! before a character that needs none. Each has only one possible meaning. Nothing else is changed: a text with other
//! errors stays broken, and a valid one is returned as it is.

use std::borrow::Cow;
use std::str::Chars;

/// The replacement for half a surrogate pair.
const LOST: &str = "\\ufffd";

/// The same for bytes that may not be UTF-8: invalid ones become U+FFFD, and a byte order mark is left out.
pub fn json_bytes(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    json(text.strip_prefix('\u{feff}').unwrap_or(&text)).into_owned()
}

/// Escapes characters that strings must not contain, and replaces halves of surrogate pairs by U+FFFD.
pub fn json(text: &str) -> Cow<'_, str> {
    let mut repaired = String::with_capacity(text.len() + 64);
    let mut in_string = false;
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '"' => {
                in_string = !in_string;
                repaired.push(letter);
            }
            '\\' if in_string => escape(&mut rest, &mut repaired),
            control if in_string && control < ' ' => {
                repaired.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            _ => repaired.push(letter),
        }
    }
    if repaired == text { Cow::Borrowed(text) } else { Cow::Owned(repaired) }
}

/// Copies the text after a backslash, if it is an escape.
fn escape(rest: &mut Chars<'_>, repaired: &mut String) {
    let after = rest.as_str();
    match after.chars().next() {
        Some('u') => match code_unit(after) {
            Some(high @ 0xd800..=0xdbff) => {
                let low = after.get(5..).and_then(|it| code_unit(it.strip_prefix('\\')?));
                match low {
                    Some(low @ 0xdc00..=0xdfff) => {
                        repaired.push_str(&format!("\\u{high:04x}\\u{low:04x}"));
                        skip(rest, 11);
                    }
                    _ => {
                        repaired.push_str(LOST);
                        skip(rest, 5);
                    }
                }
            }
            Some(0xdc00..=0xdfff) => {
                repaired.push_str(LOST);
                skip(rest, 5);
            }
            Some(unit) => {
                repaired.push_str(&format!("\\u{unit:04x}"));
                skip(rest, 5);
            }
            None => repaired.push_str("\\\\"),
        },
        Some(known @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
            repaired.push('\\');
            repaired.push(known);
            skip(rest, 1);
        }
        // A backslash that escapes nothing is doubled; a control character after it is escaped separately.
        Some(_) => repaired.push_str("\\\\"),
        None => repaired.push('\\'),
    }
}

/// The code unit in `u` and four hexadecimal digits.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    digits.bytes().all(|it| it.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

fn skip(rest: &mut Chars<'_>, count: usize) {
    for _ in 0..count {
        rest.next();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn control_characters_and_lone_surrogates_become_escapes() {
        for (broken, meant) in [
            ("{\"a\": \"x\ny\x1b\0\"}", "x\ny\u{1b}\0"),
            (r#"{"a": "x\ud83dy\udc00\ud83d"}"#, "x\u{fffd}y\u{fffd}\u{fffd}"),
            (r#"{"a": "\ud83d\ude00 \uD83D\uDE00"}"#, "😀 😀"),
            (r#"{"a": "\d \u12 \\ \" C:\x"}"#, "\\d \\u12 \\ \" C:\\x"),
            ("{\"a\": \"\\\n\"}", "\\\n"),
        ] {
            let value: Value = serde_json::from_str(&json(broken)).expect(broken);
            assert_eq!(value["a"], meant, "{broken}");
        }
        assert!(matches!(json("{\n\t\"a\": \"\\n\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_broken_byte_is_replaced_and_broken_structure_is_not_guessed() {
        let read = |bytes: &[u8]| serde_json::from_str::<Value>(&json_bytes(bytes));
        let cut = read(b"{\"name\":\"\xe5\xb0\",\"n\":2}").expect("JSON");
        assert_eq!(cut, serde_json::json!({ "name": "\u{fffd}", "n": 2 }));
        assert_eq!(read(b"\xef\xbb\xbf{\"a\":1}").expect("JSON"), serde_json::json!({ "a": 1 }));
        for broken in [&b"{\"a\":1"[..], b"<html>", b"{\"a\":\"b", b"[1,]", b""] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn repairing_arbitrary_bytes_never_panics(bytes: Vec<u8>) {
            let _ = json_bytes(&bytes);
        }

        #[test]
        fn valid_json_keeps_its_meaning(text in any::<String>(), number in any::<i64>()) {
            let value = serde_json::json!({ "a": [text.clone(), number, Value::Null], "b": { "c": text } });
            let again: Value = serde_json::from_str(&json(&value.to_string())).expect("JSON");
            prop_assert_eq!(again, value);
        }

        #[test]
        fn a_json_string_of_any_other_characters_can_be_read(text in r#"[^"\\]*"#) {
            let again: Value = serde_json::from_str(&json(&format!("\"{text}\""))).expect("JSON");
            prop_assert_eq!(again, Value::from(text));
        }
    }
}
