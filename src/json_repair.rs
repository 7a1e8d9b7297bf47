//! JSON that is almost JSON: raw control characters inside strings, lone surrogates, cut UTF-8, backslashes that escape
//! nothing.
//!
//! Input is bytes from WeCom that a parser has refused. What comes out has the same structure; only characters inside
//! strings change, so nothing is guessed. It refuses to know what any of it means, and does not mend structure: a
//! missing bracket stays missing.

/// Stands for a character that was lost.
const LOST: &str = "\\ufffd";

/// The text with what can be mended inside strings mended: broken UTF-8 and lone surrogates become U+FFFD, raw control
/// characters are escaped, and so are backslashes that escape nothing. A byte order mark at the beginning is left out.
pub fn repaired(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut inside = false;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        rest = match character {
            '"' => {
                inside = !inside;
                out.push('"');
                after
            }
            '\\' if inside => escape(after, &mut out),
            // Between strings they are blanks at most, which the parser decides.
            it if inside && u32::from(it) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(it)));
                after
            }
            it => {
                out.push(it);
                after
            }
        };
    }
    out
}

/// Copies what follows a backslash, and returns what comes after it.
fn escape<'a>(after: &'a str, out: &mut String) -> &'a str {
    let Some(kind) = after.chars().next() else {
        out.push_str("\\\\");
        return after;
    };
    let beyond = after.get(kind.len_utf8()..).unwrap_or_default();
    match kind {
        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {
            out.push('\\');
            out.push(kind);
            beyond
        }
        'u' => match unit(beyond) {
            Some((high @ 0xd800..=0xdbff, next)) => match next.strip_prefix("\\u").and_then(unit) {
                Some((low @ 0xdc00..=0xdfff, next)) => {
                    out.push_str(&format!("\\u{high:04x}\\u{low:04x}"));
                    next
                }
                _ => {
                    out.push_str(LOST);
                    next
                }
            },
            Some((0xdc00..=0xdfff, next)) => {
                out.push_str(LOST);
                next
            }
            Some((unit, next)) => {
                out.push_str(&format!("\\u{unit:04x}"));
                next
            }
            None => {
                out.push_str(LOST);
                beyond
            }
        },
        // It escapes nothing: the backslash was meant.
        _ => {
            out.push_str("\\\\");
            after
        }
    }
}

/// Four hexadecimal digits as a UTF-16 unit, and what comes after them.
fn unit(text: &str) -> Option<(u16, &str)> {
    let digits = text.get(..4).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((u16::from_str_radix(digits, 16).ok()?, text.get(4..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_str(&repaired(bytes)).unwrap_or_else(|error| panic!("{error}: {}", repaired(bytes)))
    }

    #[test]
    fn what_is_broken_inside_a_string_costs_a_character() {
        assert_eq!(read(b"{\"name\":\"a\x14b\x1b\nc\"}"), json!({ "name": "a\u{14}b\u{1b}\nc" }));
        assert_eq!(read(br#"{"name":"a\ud83d","next":1}"#), json!({ "name": "a\u{fffd}", "next": 1 }));
        assert_eq!(read(br#"["\ude00b","\ud83d\u0041","\ud83d\ude00"]"#), json!(["\u{fffd}b", "\u{fffd}A", "😀"]));
        assert_eq!(read(b"{\"name\":\"\xe5\xb0\",\"n\":2}"), json!({ "name": "\u{fffd}", "n": 2 }));
        assert_eq!(read(br#"["C:\dir","\u12","\\\"","\'"]"#), json!(["C:\\dir", "\u{fffd}12", "\\\"", "\\'"]));
        assert_eq!(read(b"\xef\xbb\xbf{\"a\":1}"), json!({ "a": 1 }));
    }

    #[test]
    fn structure_is_not_guessed() {
        for broken in [&b"{\"a\":1"[..], b"<html>", b"{\"a\":\"b", b"[1,]", b""] {
            assert!(serde_json::from_str::<Value>(&repaired(broken)).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn json_that_is_none_too_broken_stays_what_it_is(text in "\\PC{0,20}", number: i64) {
            let value = json!({ "text": text, "list": [number, null, "\u{0}\n"] });
            prop_assert_eq!(read(value.to_string().as_bytes()), value);
        }

        #[test]
        fn no_bytes_make_it_fail(bytes: Vec<u8>) {
            let _ = repaired(&bytes);
        }
    }
}
