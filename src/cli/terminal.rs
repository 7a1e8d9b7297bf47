//! Prints the output of commands; text from outside cannot control the terminal.
//!
//! Names, reasons and messages come from other people. A terminal obeys control characters (they can move the cursor,
//! overwrite text, set the title), so they are printed as `\u{1b}` there. Pipes and files get them unchanged, and so
//! does output for programs (`--json`).

use std::{
    borrow::Cow,
    io::{IsTerminal, Write},
};

/// Prints one or more lines for people; a pipe that is closed early is not an error.
pub(super) fn say(line: &str) {
    let mut out = std::io::stdout();
    let line = if out.is_terminal() { escaped(line, &['\n', '\t']) } else { line.into() };
    let _ = writeln!(out, "{line}");
}

/// Prints a line for programs, unchanged.
pub(super) fn say_as_it_is(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints the program's error on stderr.
pub(super) fn complain(words: &str) {
    let mut err = std::io::stderr();
    let words = if err.is_terminal() { escaped(words, &['\n', '\t']) } else { words.into() };
    let _ = writeln!(err, "wecomd: {words}");
}

/// Escapes a text from outside for use as one field of a line: it cannot start a new line.
pub(super) fn field(text: &str) -> Cow<'_, str> {
    escaped(text, &[])
}

/// Escapes control characters as `\u{…}`, except the allowed ones; and characters that change the writing direction,
/// by which a text can look like another.
fn escaped<'a>(text: &'a str, allowed: &[char]) -> Cow<'a, str> {
    let steers = |it: char| !allowed.contains(&it) && (it.is_control() || turns_direction(it));
    if !text.chars().any(steers) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for it in text.chars() {
        if steers(it) { shown.extend(it.escape_unicode()) } else { shown.push(it) }
    }
    shown.into()
}

/// Whether it is one of Unicode's bidirectional controls, or one of its line separators.
fn turns_direction(it: char) -> bool {
    matches!(it, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_control_characters_are_escaped_and_other_text_is_kept() {
        let bell_and_title = "a\u{1b}]0;b\u{7}c\u{9b}2J\r\u{7f}";
        let shown = escaped(bell_and_title, &['\n', '\t']);
        assert_eq!(shown, r"a\u{1b}]0;b\u{7}c\u{9b}2J\u{d}\u{7f}");
        assert_eq!(escaped("漏水 ✓ 👩\u{200d}🔧\n\t<b>", &['\n', '\t']), "漏水 ✓ 👩\u{200d}🔧\n\t<b>");
        assert_eq!(escaped("exe\u{202e}gpj", &['\n']), r"exe\u{202e}gpj");
        assert_eq!(field("one\ntwo"), r"one\u{a}two");
    }
}
