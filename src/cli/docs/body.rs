//! Turns a JSON Schema into rows of a table: each field's path and type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Sources, markdown::code, routes::resolved};

/// How many levels of nested fields are shown.
const DEPTH_MAX: usize = 5;

/// A field of a body.
pub(super) struct Field {
    /// Its path: `rules[].staff_ids`.
    pub(super) path: String,
    /// Its types; several if alternatives differ.
    pub(super) kinds: Vec<String>,
    /// Whether it is required in every alternative.
    pub(super) required: bool,
    /// Its meaning.
    pub(super) about: String,
}

/// Every field of an object, including those of its objects and lists.
pub(super) fn fields(sources: &Sources, document: &Value, schema: &Value) -> Vec<Field> {
    below(sources, document, schema, "", DEPTH_MAX)
}

fn below(sources: &Sources, document: &Value, schema: &Value, before: &str, depth: usize) -> Vec<Field> {
    let mut found = Vec::new();
    if depth == 0 {
        return found;
    }
    let schema = resolved(document, schema);
    let parts = alternatives(schema).map(|it| below(sources, document, it, before, depth - 1));
    let parts: Vec<_> = parts.filter(|it| !it.is_empty()).collect();
    for field in joined(parts) {
        add(&mut found, field);
    }
    if let Some(items) = schema.get("items") {
        found.extend(below(sources, document, items, &format!("{before}[]"), depth - 1));
    }
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, own) in schema["properties"].as_object().into_iter().flat_map(Map::iter) {
        let path = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        let about = own["description"].as_str().or(resolved(document, own)["description"].as_str());
        let field = Field {
            path: path.clone(),
            kinds: vec![kind(sources, document, own)],
            required: required.contains(&name.as_str()),
            about: about.unwrap_or_default().to_owned(),
        };
        add(&mut found, field);
        for field in below(sources, document, own, &path, depth - 1) {
            add(&mut found, field);
        }
    }
    found
}

/// Joins the fields of alternatives: a field is required if every alternative requires it.
fn joined(parts: Vec<Vec<Field>>) -> Vec<Field> {
    let count = parts.len();
    let mut needed: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for field in parts.into_iter().flatten() {
        *needed.entry(field.path.clone()).or_default() += usize::from(field.required);
        add(&mut found, field);
    }
    for field in &mut found {
        field.required = needed.get(&field.path) == Some(&count);
    }
    found
}

/// Adds a field; an existing one gets the additional types.
fn add(found: &mut Vec<Field>, field: Field) {
    match found.iter_mut().find(|it| it.path == field.path) {
        Some(known) => {
            for kind in field.kinds {
                if !known.kinds.contains(&kind) {
                    known.kinds.push(kind);
                }
            }
        }
        None => found.push(field),
    }
}

/// The alternatives of a schema; none if it has only one form.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"].into_iter().flat_map(|it| schema[it].as_array().into_iter().flatten())
}

/// A value's type in a few words.
pub(super) fn kind(sources: &Sources, document: &Value, schema: &Value) -> String {
    kind_within(sources, document, schema, DEPTH_MAX)
}

fn kind_within(sources: &Sources, document: &Value, schema: &Value, depth: usize) -> String {
    let schema = resolved(document, schema);
    if depth == 0 {
        return String::new();
    }
    if let Some(one) = schema.get("const") {
        return literal(one);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return allowed.iter().filter(|it| !it.is_null()).map(literal).collect::<Vec<_>>().join(", ");
    }
    let mut kinds: Vec<_> = alternatives(schema)
        .map(|it| kind_within(sources, document, it, depth - 1))
        .filter(|it| !it.is_empty())
        .collect();
    kinds.dedup();
    if !kinds.is_empty() {
        return kinds.join(", ");
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|it| *it != "null").collect(),
        one => one.as_str().into_iter().filter(|it| *it != "null").collect(),
    };
    let said = types.iter().map(|it| match *it {
        "string" => with_limits(sources.say("text", "文本"), text_limits(sources, schema)),
        "integer" | "number" => {
            with_limits(sources.say("number", "数字"), range(&schema["minimum"], &schema["maximum"]))
        }
        "boolean" => sources.say("`true` or `false`", "`true` 或 `false`").to_owned(),
        "array" => {
            let items = kind_within(sources, document, &schema["items"], depth - 1);
            let list = format!("{} {items}", sources.say("list of", "列表:"));
            with_limits(list.trim_end(), range(&schema["minItems"], &schema["maxItems"]))
        }
        "object" => sources.say("object", "对象").to_owned(),
        other => other.to_owned(),
    });
    said.collect::<Vec<_>>().join(", ").trim().to_owned()
}

fn literal(value: &Value) -> String {
    code(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// A text's format and length.
fn text_limits(sources: &Sources, schema: &Value) -> String {
    let format = schema["format"].as_str().unwrap_or_default();
    let length = range(&schema["minLength"], &schema["maxLength"]);
    let length =
        if length.is_empty() { length } else { format!("{length} {}", sources.say("characters", "个字符")) };
    [format, &length].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ")
}

fn with_limits(kind: &str, limits: String) -> String {
    if limits.is_empty() { kind.to_owned() } else { format!("{kind} ({limits})") }
}

/// A range with an upper bound; one without is not worth showing.
fn range(least: &Value, greatest: &Value) -> String {
    match (least.as_i64(), greatest.as_i64()) {
        // The bounds of machine integers are not shown.
        (_, None | Some(2_147_483_647..)) => String::new(),
        (None, Some(greatest)) => format!("≤ {greatest}"),
        (Some(least), Some(greatest)) if least == greatest => greatest.to_string(),
        (Some(least), Some(greatest)) => format!("{least}–{greatest}"),
    }
}
