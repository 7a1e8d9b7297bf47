//! The description as one page for people, made from the document. It loads and runs nothing, so it can be read
//! offline, stored and printed.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::markup::{blocks, escaped, inline};
use crate::admin::spec::language::Language;

/// The common beginning of all routes; examples use `$api` for it.
const BASE: &str = "/api/enterprise-wechat";

/// How many levels of nested fields tables show.
const DEPTH_MAX: usize = 4;

/// The words around what the document says.
struct Words {
    language: Language,
    other: &'static str,
    contents: &'static str,
    parameters: &'static str,
    body: &'static str,
    optional: &'static str,
    required: &'static str,
    answers: &'static str,
    example: &'static str,
    request: &'static str,
    schemas: &'static str,
    columns: [&'static str; 3],
}

const ENGLISH: Words = Words {
    language: Language::English,
    other: "<a href=\"/docs?lang=zh\" hreflang=\"zh-CN\">中文</a>",
    contents: "Contents",
    parameters: "Parameters",
    body: "Body",
    optional: "may be left out",
    required: "required",
    answers: "Answers",
    example: "Example of an answer",
    request: "Example of a request",
    schemas: "What answers are made of",
    columns: ["Name", "Type", "Meaning"],
};

const CHINESE: Words = Words {
    language: Language::Chinese,
    other: "<a href=\"/docs?lang=en\" hreflang=\"en\">English</a>",
    contents: "目录",
    parameters: "参数",
    body: "请求体",
    optional: "可省略",
    required: "必填",
    answers: "响应",
    example: "响应示例",
    request: "请求示例",
    schemas: "响应的数据结构",
    columns: ["名称", "类型", "说明"],
};

/// An operation with where it stands.
struct PlacedOperation<'a> {
    method: String,
    path: &'a str,
    it: &'a Value,
}

/// The page.
pub(super) fn page(document: &Value, language: Language) -> String {
    let words = match language {
        Language::English => ENGLISH,
        Language::Chinese => CHINESE,
    };
    let places = places(document);
    let (mut contents, mut body) = (String::new(), String::new());
    for tag in items(&document["tags"]) {
        let (name, about) = (text(&tag["name"]), escaped(text(&tag["description"])));
        contents.push_str(&format!("<h2>{about}</h2>\n<ul>\n"));
        body.push_str(&format!("<h2 id=\"{name}\">{about}</h2>\n"));
        for place in places.iter().filter(|place| place.it["tags"][0] == tag["name"]) {
            let (id, summary) = (text(&place.it["operationId"]), escaped(text(&place.it["summary"])));
            let method = &place.method;
            let line = format!("<li><a href=\"#{id}\"><span class=\"m {method}\">{method}</span>{summary}</a></li>\n");
            contents.push_str(&line);
            body.push_str(&operation(document, place, &words));
        }
        contents.push_str("</ul>\n");
    }
    let (title, tag) = (escaped(text(&document["info"]["title"])), words.language.tag());
    let version = escaped(text(&document["info"]["version"]));
    let about = blocks(text(&document["info"]["description"]));
    let Words { other, contents: heading, schemas: below, .. } = words;
    let schemas = schemas(document, &words);
    let css = include_str!("page.css");
    format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} API</title>\n\
         <style>\n{css}</style>\n</head>\n<body>\n<nav aria-label=\"{heading}\">\n\
         <p><strong>{title} {version}</strong> · {other} · <a href=\"/openapi.json?lang={tag}\">openapi.json</a></p>\n\
         {contents}<ul><li><a href=\"#schemas\">{below}</a></li></ul>\n</nav>\n<main>\n<h1>{title} API</h1>\n{about}\
         {body}<h2 id=\"schemas\">{below}</h2>\n{schemas}</main>\n</body>\n</html>\n"
    )
}

fn places(document: &Value) -> Vec<PlacedOperation<'_>> {
    let methods = |(path, methods)| {
        let methods: &Map<String, Value> = members(methods);
        methods.iter().map(move |(method, it)| PlacedOperation { method: method.to_ascii_uppercase(), path, it })
    };
    members(&document["paths"]).iter().map(|(path, it)| (path.as_str(), it)).flat_map(methods).collect()
}

fn operation(document: &Value, place: &PlacedOperation<'_>, words: &Words) -> String {
    let PlacedOperation { method, path, it } = place;
    let (id, role) = (text(&it["operationId"]), text(&it["x-role"]));
    let mut html = format!(
        "<section>\n<h3 id=\"{id}\"><span class=\"role\">{role}</span>{}</h3>\n\
         <p><span class=\"m {method}\">{method}</span> <code>{}</code></p>\n{}",
        escaped(text(&it["summary"])),
        escaped(path),
        blocks(text(&it["description"])),
    );
    let parameters: String = items(&it["parameters"]).map(|it| parameter(it, words)).collect();
    if !parameters.is_empty() {
        html.push_str(&format!("<h4>{}</h4>\n{}", words.parameters, table(&parameters, words)));
    }
    if let Some(body) = it.get("requestBody") {
        let manner = if body["required"] == true { "" } else { words.optional };
        html.push_str(&format!("<h4>{} <span class=\"dim\">{manner}</span></h4>\n", words.body));
        html.push_str(&properties(&body["content"]["application/json"]["schema"], words, 0));
    }
    html.push_str(&format!("<h4>{}</h4>\n<table>\n", words.answers));
    for (status, answer) in members(&it["responses"]) {
        let answer = resolved(document, answer);
        let forms = members(&answer["content"]).iter().map(|(form, it)| format!("{form} {}", kind(&it["schema"])));
        let forms: Vec<_> = forms.collect();
        let about = inline(text(&answer["description"]));
        html.push_str(&format!(
            "<tr><td>{status}</td><td>{about}<br><span class=\"dim\">{}</span></td></tr>\n",
            forms.join("<br>")
        ));
    }
    html.push_str(&format!("</table>\n<h4>{}</h4>\n<pre>{}</pre>\n", words.request, escaped(&curl(place))));
    if let Some(example) = items_of(&it["responses"]).find_map(|it| it["content"]["application/json"].get("example")) {
        html.push_str(&format!("<h4>{}</h4>\n<pre>{}</pre>\n", words.example, escaped(&pretty(example))));
    }
    html.push_str("</section>\n");
    html
}

fn parameter(it: &Value, words: &Words) -> String {
    let needed = if it["required"] == true { words.required } else { "" };
    let (name, place) = (escaped(text(&it["name"])), text(&it["in"]));
    let about = inline(text(&it["description"]));
    let kind = kind(&it["schema"]);
    format!(
        "<tr><td><code>{name}</code> <span class=\"dim\">{place} {needed}</span></td><td>{kind}</td><td>{about}</td></tr>\n"
    )
}

/// The fields of an object, or of a list's objects; other values need no table.
fn properties(schema: &Value, words: &Words, depth: usize) -> String {
    if depth >= DEPTH_MAX {
        return String::new();
    }
    let several: String =
        ["oneOf", "anyOf"].iter().flat_map(|it| items(&schema[*it])).map(|it| properties(it, words, depth)).collect();
    let required: Vec<_> = items(&schema["required"]).filter_map(Value::as_str).collect();
    let mut rows = String::new();
    for (name, it) in members(&schema["properties"]) {
        let needed = if required.contains(&name.as_str()) { words.required } else { "" };
        let about = inline(text(&it["description"]));
        let inner = properties(it, words, depth + 1) + &properties(&it["items"], words, depth + 1);
        let (name, kind) = (escaped(name), kind(it));
        rows.push_str(&format!(
            "<tr><td><code>{name}</code> <span class=\"dim\">{needed}</span></td><td>{kind}</td><td>{about}{inner}</td></tr>\n"
        ));
    }
    if rows.is_empty() { several } else { table(&rows, words) + &several }
}

fn schemas(document: &Value, words: &Words) -> String {
    let section = |(name, it): (&String, &Value)| {
        let (about, fields) = (blocks(text(&it["description"])), properties(it, words, 0));
        format!("<h3 id=\"schema-{name}\">{name}</h3>\n{about}{fields}")
    };
    members(&document["components"]["schemas"]).iter().map(section).collect()
}

/// What a reference within the document leads to.
fn resolved<'a>(document: &'a Value, it: &'a Value) -> &'a Value {
    let place = it["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(it)
}

/// What a value may be, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(first) = items(&schema["allOf"]).next() {
        return kind(first);
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escaped(&value.to_string()));
    }
    let names: Vec<_> = items(&schema["enum"]).map(|it| format!("<code>{}</code>", escaped(&bare(it)))).collect();
    if !names.is_empty() {
        return names.join(" ");
    }
    let several: Vec<_> = ["oneOf", "anyOf"].iter().flat_map(|it| items(&schema[*it])).map(kind).collect();
    if !several.is_empty() {
        return several.join(" | ");
    }
    let mut kinds: Vec<_> = items(&schema["type"]).chain(Some(&schema["type"])).filter_map(Value::as_str).collect();
    kinds.dedup();
    let mut said = kinds.join(" | ");
    if kinds.contains(&"array") && schema.get("items").is_some() {
        said.push_str(&format!(" [{}]", kind(&schema["items"])));
    }
    let bounds = ["format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern"];
    for name in bounds {
        if let Some(value) = schema.get(name) {
            said.push_str(&format!(" <span class=\"dim\">{name} {}</span>", escaped(&bare(value))));
        }
    }
    said
}

/// The request on a command line.
fn curl(place: &PlacedOperation<'_>) -> String {
    let PlacedOperation { method, path, it } = place;
    let mut path = path.replacen(BASE, "", 1);
    let mut query = Vec::new();
    for parameter in items(&it["parameters"]) {
        let (name, value) = (text(&parameter["name"]), bare(&parameter["example"]));
        match (text(&parameter["in"]), parameter["required"] == true) {
            ("path", _) => path = path.replace(&format!("{{{name}}}"), &value),
            ("query", true) => query.push(format!("{name}={value}")),
            _ => {}
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut line = "curl".to_owned();
    if *method != "GET" {
        line.push_str(&format!(" -X {method}"));
    }
    if it["x-role"] != "public" {
        line.push_str(" -H \"Authorization: Bearer $token\"");
    }
    line.push_str(&format!(" \"$api{path}{query}\""));
    if let Some(example) = it["requestBody"]["content"]["application/json"].get("example") {
        line.push_str(&format!(" \\\n  -d '{}'", pretty(example)));
    }
    line
}

fn table(rows: &str, words: &Words) -> String {
    let [name, kind, meaning] = words.columns;
    format!("<table>\n<tr><th>{name}</th><th>{kind}</th><th>{meaning}</th></tr>\n{rows}</table>\n")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A text as it is, anything else as JSON.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn items_of(value: &Value) -> impl Iterator<Item = &Value> {
    members(value).values()
}

fn members(value: &Value) -> &Map<String, Value> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}
