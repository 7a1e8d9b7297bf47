//! Turns texts into HTML: no text can become markup except `code`, **bold** and lists.

/// The text as it is.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A line with `code` and **bold**.
pub(super) fn inline(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            html.push_str(&format!("<code>{}</code>", escaped(part)));
            continue;
        }
        for (index, part) in part.split("**").enumerate() {
            let part = escaped(part);
            html.push_str(&if index % 2 == 1 { format!("<strong>{part}</strong>") } else { part });
        }
    }
    html
}

/// Paragraphs and lists.
pub(super) fn blocks(text: &str) -> String {
    let mut html = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|it| !it.is_empty()) {
        match block.strip_prefix("- ") {
            Some(list) => {
                let items: String = list.split("\n- ").map(|it| format!("<li>{}</li>\n", inline(it))).collect();
                html.push_str(&format!("<ul>\n{items}</ul>\n"));
            }
            None => html.push_str(&format!("<p>{}</p>\n", inline(block))),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_descriptions_is_escaped_as_text() {
        assert_eq!(inline("a `<b>` **c** & d"), "a <code>&lt;b&gt;</code> <strong>c</strong> &amp; d");
        assert_eq!(
            blocks("one\n\n- two\n- <three>"),
            "<p>one</p>\n<ul>\n<li>two</li>\n<li>&lt;three&gt;</li>\n</ul>\n"
        );
    }
}
