//! Reads a source as text: its code without comments and literals, and the paths in it.
//!
//! It knows no types and expands no macro.

/// Every path into this crate, with its line: `crate::…`, and `super::…` that climbs to the root. `depth` says how
/// deep the source's own module lies.
pub(crate) fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(code, "crate") {
        follow(code, at + "crate".len(), at, "", &mut found);
    }
    for at in words(code, "super").filter(|at| !code[..*at].ends_with("super::")) {
        let climb = code[at..].split("::").take_while(|it| *it == "super").count();
        if climb == depth + modules_around(code, at) {
            follow(code, at + "super::".len() * climb - "::".len(), at, "", &mut found);
        }
    }
    found.sort();
    found.into_iter().map(|(at, path)| (line_of(code, at), path)).collect()
}

/// Every path into this crate that a module's source names, from the crate's root: by `crate::…`, by `super::…`, and in
/// a `use` of one of its own children. What `pub use` only passes on is left out.
pub(crate) fn paths(code: &str, module: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for at in words(code, "crate").filter(|at| !code[..*at].ends_with("pub(in ")) {
        follow(code, at + "crate".len(), at, "", &mut found);
    }
    for at in words(code, "super").filter(|at| !code[..*at].ends_with("super::") && !code[..*at].ends_with('(')) {
        let climb = code[at..].split("::").take_while(|it| *it == "super").count();
        let Some(up) = climb.checked_sub(modules_around(code, at)) else { continue };
        if up > 0 && up <= module.len() {
            let parent = module[..module.len() - up].join("::");
            follow(code, at + "super::".len() * climb - "::".len(), at, &parent, &mut found);
        }
    }
    for at in words(code, "use").filter(|at| !code[..*at].trim_end().ends_with(['b', ')'])) {
        let at = skip_blanks(code, at + "use".len());
        segment(code, at, &module.join("::"), &mut found);
    }
    found.into_iter().map(|(_, path)| path).collect()
}

/// What a source passes on by `pub use` of its own children: the name, and the path that it stands for.
pub(crate) fn passed_on(code: &str, module: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for at in words(code, "use").filter(|at| code[..*at].trim_end().ends_with(['b', ')'])) {
        let at = skip_blanks(code, at + "use".len());
        segment(code, at, &module.join("::"), &mut found);
    }
    let named = found.into_iter().map(|(_, path)| (path.rsplit("::").next().unwrap_or_default().to_owned(), path));
    named.collect()
}

/// Where `word` begins in `code`, alone or as the beginning of a longer name.
pub(crate) fn places_of<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let begins = |at: &usize| !code[..*at].chars().next_back().is_some_and(is_name);
    code.match_indices(word).map(|(at, _)| at).filter(begins)
}

/// The line of a place in `code`, from 1.
pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// A source with its comments and literals blanked, line for line.
pub(crate) fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let within_name = code.chars().next_back().is_some_and(is_name);
        let blanked = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => 1 + text_end(&rest[1..]),
            'r' if !within_name => raw_text(rest),
            '\'' => letter(rest),
            _ => 0,
        };
        if blanked == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (blank, after) = rest.split_at(blanked);
        code.extend(blank.chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
        rest = after;
    }
    code
}

/// Follows what comes after a path's segment: `::name`, `::{a, b::c}`, or its end, noted as standing at `start`.
fn follow(code: &str, at: usize, start: usize, path: &str, found: &mut Vec<(usize, String)>) -> usize {
    let after = skip_blanks(code, at);
    if !code[after..].starts_with("::") {
        if !path.is_empty() {
            found.push((start, path.to_owned()));
        }
        return at;
    }
    let mut at = skip_blanks(code, after + "::".len());
    if !code[at..].starts_with('{') {
        return segment(code, at, path, found);
    }
    loop {
        // Over the bracket or comma.
        at = skip_blanks(code, at + 1);
        if code[at..].starts_with('}') {
            return at + 1;
        }
        at = segment(code, at, path, found);
        // Over an `as name`.
        at += code[at..].find([',', '}', ';']).unwrap_or(code.len() - at);
        if !code[at..].starts_with(',') {
            return (at + 1).min(code.len());
        }
    }
}

/// Reads one segment and what follows it.
fn segment(code: &str, at: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    let name: String = code[at..].chars().take_while(|it| is_name(*it) || *it == '*').collect();
    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}::{name}") };
    follow(code, at + name.len(), at, &path, found)
}

/// How many modules with a body of their own (`mod tests { … }`) are open at a place.
fn modules_around(code: &str, at: usize) -> usize {
    let mut open = Vec::new();
    let mut begun = 0;
    for (place, letter) in code[..at].char_indices() {
        match letter {
            '{' => open.push(words(&code[begun..place], "mod").next().is_some()),
            '}' => drop(open.pop()),
            ';' => {}
            _ => continue,
        }
        begun = place + 1;
    }
    open.into_iter().filter(|is_module| *is_module).count()
}

/// Where `word` stands in `code` as a whole word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    places_of(code, word).filter(|at| !code[at + word.len()..].chars().next().is_some_and(is_name))
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn skip_blanks(code: &str, at: usize) -> usize {
    code.len() - code[at..].trim_start().len()
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Behind a text's closing quote, escapes skipped.
fn text_end(text: &str) -> usize {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw text that begins here; 0 if none does.
fn raw_text(rest: &str) -> usize {
    let marks = rest[1..].chars().take_while(|it| *it == '#').count();
    let open = 1 + marks;
    if !rest[open..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(marks));
    rest[open + 1..].find(&close).map_or(rest.len(), |at| open + 1 + at + close.len())
}

/// The length of a character literal that begins here; 0 if it is a lifetime.
fn letter(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some(_)) => letters.find(|(_, it)| *it == '\'').map_or(0, |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn imports_are_found_in_every_form_and_not_in_comments_or_texts() {
    let source = r##"
        //! crate::comment and `use crate::{comment}`.
        use crate::{
            inbox::{self, Wake as Doorbell},
            tables::{apply, wechat_contact_record::KnownMonths}, event::*,
        };
        use super::super::worker::Step;
        /* crate::comment /* crate::nested */ crate::comment */
        fn it<'a>(quote: char) -> &'a str {
            crate::handlers::record(); pub(crate) let _ = '"'; crate :: spaced();
            not_crate::foreign(); super::sibling(); let _ = r#"crate::text "crate::text"#; let _ = "\"crate::text";
            <crate::ids::UserId>::from(quote)
        }
        mod tests {
            use super::super::super::vault;
            use super::super::{not, the, root};
        }
    "##;
    let seen: Vec<_> = imports(&code_of(source), 2).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    let expected = [
        "4 inbox::self",
        "4 inbox::Wake",
        "5 tables::apply",
        "5 tables::wechat_contact_record::KnownMonths",
        "5 event::*",
        "7 worker::Step",
        "10 handlers::record",
        "10 spaced",
        "12 ids::UserId",
        "15 vault",
    ];
    assert_eq!(seen, expected);
}
