//! What commands print: at a terminal, nothing that came from outside may steer it.
//!
//! Names, reasons and messages are other people's words. A terminal obeys control characters (it can be made to move,
//! to overwrite, to set its title), so there they are shown as `\u{1b}`. Into a pipe or a file they go as they are, and
//! so does what is meant for programs (`--json`).

use std::{
    borrow::Cow,
    io::{IsTerminal, Write},
};

/// Prints a line, or several, for people; a pipe that was closed early is not our failure.
pub(super) fn say(line: &str) {
    let mut out = std::io::stdout();
    let line = if out.is_terminal() { escaped(line, &['\n', '\t']) } else { line.into() };
    let _ = writeln!(out, "{line}");
}

/// Prints a line for programs, as it is.
pub(super) fn say_as_it_is(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints why the program fails, on stderr.
pub(super) fn complain(words: &str) {
    let mut err = std::io::stderr();
    let words = if err.is_terminal() { escaped(words, &['\n', '\t']) } else { words.into() };
    let _ = writeln!(err, "wecomd: {words}");
}

/// A word from outside as one field of a line: it cannot begin a line of its own, wherever it is printed.
pub(super) fn field(text: &str) -> Cow<'_, str> {
    escaped(text, &[])
}

/// Control characters as `\u{…}`, but for the allowed ones; and those that turn the direction of writing, by which a
/// text can look like another.
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

/// Unicode's bidirectional controls, and its two separators of lines.
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
