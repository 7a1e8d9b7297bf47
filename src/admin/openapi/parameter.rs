//! What stands in a path or behind its `?`: one table for the API's description and for those who read the values.

use serde_json::{Value as Json, json};

use super::Text;
use crate::admin::{
    access_log::STATUSES,
    page::{LIMIT_DEFAULT, LIMIT_MAX},
};

/// A parameter of a path or a query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub(super) value: Value,
    /// What it does.
    pub(super) about: Text,
    /// Whether nothing can be done without it.
    pub(super) required: bool,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// Any text; this one is an example.
    Text(&'static str),
    /// A row's number.
    Number,
    /// An HTTP status.
    Status,
    /// How many rows, up to the second; the first unless one is given.
    Limit(usize, usize),
    /// A day, `2026-01-31`.
    Day,
    /// A time with its offset.
    Time,
    /// One of these names.
    OneOf(fn() -> Vec<&'static str>),
}

/// Where the next page of a list begins.
pub(super) const CURSOR: Parameter = Parameter {
    name: "cursor",
    value: Value::Text(""),
    about: Text {
        en: "Where the page begins: `next_cursor` of the page before. Leave it out to begin.",
        zh: "分页起点：上一页返回的 `next_cursor`；首页不填。",
    },
    required: false,
};

/// How long a page is.
pub(super) const LIMIT: Parameter = limit(LIMIT_DEFAULT, LIMIT_MAX);

/// yes or no.
pub(super) const FLAG: Value = Value::OneOf(|| vec!["true", "false"]);

/// As JSON, or as a table for spreadsheets.
pub(super) const FORMAT: Parameter = query(
    "format",
    Value::OneOf(|| vec!["json", "csv"]),
    "As JSON in pages, or as one table for spreadsheets.",
    "返回 JSON 分页，或供电子表格使用的 CSV。",
);

impl Parameter {
    /// The names that it may be one of; none if it is free.
    pub(in crate::admin) fn names(&self) -> Vec<&'static str> {
        match self.value {
            Value::OneOf(names) => names(),
            _ => Vec::new(),
        }
    }

    /// What it may be, as a JSON Schema.
    pub(super) fn schema(&self) -> Json {
        match self.value {
            Value::Text(_) => json!({ "type": "string" }),
            Value::Number => json!({ "type": "integer", "format": "int64", "minimum": 1 }),
            Value::Status => json!({ "type": "integer", "minimum": STATUSES.start(), "maximum": STATUSES.end() }),
            Value::Limit(default, max) => {
                json!({ "type": "integer", "minimum": 1, "maximum": max, "default": default })
            }
            Value::Day => json!({ "type": "string", "format": "date" }),
            Value::Time => json!({ "type": "string", "format": "date-time" }),
            Value::OneOf(names) => json!({ "type": "string", "enum": names() }),
        }
    }

    /// A value that it may have; none where only an answer tells one.
    pub(super) fn example(&self) -> Option<Json> {
        match self.value {
            Value::Text("") => None,
            Value::Text(text) => Some(json!(text)),
            Value::Number => Some(json!(1)),
            Value::Status => Some(json!(403)),
            Value::Limit(default, _) => Some(json!(default)),
            Value::Day => Some(json!("2026-01-31")),
            Value::Time => Some(json!("2026-01-31T08:00:00+08:00")),
            Value::OneOf(names) => names().first().map(|it| json!(it)),
        }
    }
}

/// A parameter behind the `?` that may be left out.
pub(super) const fn query(name: &'static str, value: Value, en: &'static str, zh: &'static str) -> Parameter {
    Parameter { name, value, about: Text { en, zh }, required: false }
}

/// The parameter of a path.
pub(super) const fn path(name: &'static str, value: Value, en: &'static str, zh: &'static str) -> Parameter {
    Parameter { name, value, about: Text { en, zh }, required: true }
}

/// `limit`, for a list with limits of its own.
pub(super) const fn limit(default: usize, max: usize) -> Parameter {
    query("limit", Value::Limit(default, max), "How many rows a page has at most.", "每页最多返回多少行。")
}
