//! Parses a body as JSON; an error names line and column, or the field's path.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::admin::spec::problem::{Code, Problem};

/// How much of the parser's message goes into an answer: it may repeat a value of any length.
const DETAIL_CHARS_MAX: usize = 200;

/// How deep lists and objects may nest.
const DEPTH_MAX: usize = 32;

/// Parses a body as one JSON object.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde would take an array for a struct, field by field in our order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|first| *first != b'{') {
        return Err(Problem::new(
            Code::InvalidJson,
            ("the body must be a JSON object, `{…}`", "请求体须为 JSON 对象 `{…}`"),
        ));
    }
    if is_deep(body) {
        let detail = (
            format!("lists and objects must not lie deeper than {DEPTH_MAX} in each other"),
            format!("列表与对象的嵌套不得超过 {DEPTH_MAX} 层"),
        );
        return Err(Problem::new(Code::InvalidJson, detail));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        explain(error.inner(), &path)
    })?;
    json.end().map_err(|error| explain(&error, "."))?;
    Ok(value)
}

/// Whether brackets outside of texts nest too deep. The parser's own limit cannot be set.
fn is_deep(body: &[u8]) -> bool {
    let (mut depth, mut text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'{' | b'[' if !text => depth = depth.saturating_add(1),
            b'}' | b']' if !text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

fn explain(error: &serde_json::Error, path: &str) -> Problem {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = error.to_string();
    let words: String = words.strip_suffix(&place).unwrap_or(&words).chars().take(DETAIL_CHARS_MAX).collect();
    match error.classify() {
        Category::Data if path != "." => Problem::field(path, (words.clone(), format!("无效：{words}"))),
        Category::Data => Problem::new(Code::InvalidField, (words.clone(), format!("请求体无效：{words}"))),
        _ => {
            let words = format!("{words}{place}");
            Problem::new(Code::InvalidJson, (words.clone(), format!("请求体不是有效的 JSON：{words}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only its parsing matters")]
        lines: Vec<u8>,
    }

    fn refused(body: &str) -> String {
        let problem = parse::<Order>(body.as_bytes()).expect_err("not an order");
        format!("{} {:?} {problem}", problem.code().as_str(), problem.named())
    }

    #[test]
    fn broken_json_is_reported_with_line_and_column() {
        insta::assert_snapshot!(refused("{\n \"lines\": [1,]}"), @"invalid_json None trailing comma at line 2 column 14");
        insta::assert_snapshot!(refused(""), @"invalid_json None EOF while parsing a value at line 1 column 0");
        insta::assert_snapshot!(refused("{\"lines\": []} x"), @"invalid_json None trailing characters at line 1 column 15");
    }

    #[test]
    fn a_wrong_or_unknown_field_is_reported_with_its_path() {
        insta::assert_snapshot!(refused("{\"lines\": [1, 256]}"), @r#"invalid_field Some("lines[1]") lines[1]: invalid value: integer `256`, expected u8"#);
        insta::assert_snapshot!(refused("{\"lines\": [], \"price\": 1}"), @r#"invalid_field Some("price") price: unknown field `price`, expected `lines`"#);
        insta::assert_snapshot!(refused("{}"), @"invalid_field None missing field `lines`");
    }

    #[test]
    fn json_nested_too_deeply_is_refused_before_parsing() {
        let nested = |depth: usize| format!("{{\"lines\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        insta::assert_snapshot!(refused(&nested(32)), @"invalid_json None lists and objects must not lie deeper than 32 in each other");
        assert!(refused(&nested(31)).starts_with("invalid_field"));
        assert!(
            !is_deep(format!("{{\"lines\": \"\\\"{}\"}}", "[".repeat(99)).as_bytes()),
            "nesting inside a string does not count"
        );
    }

    #[test]
    fn an_array_is_not_taken_for_an_object() {
        insta::assert_snapshot!(refused("[[1]]"), @"invalid_json None the body must be a JSON object, `{…}`");
    }
}
