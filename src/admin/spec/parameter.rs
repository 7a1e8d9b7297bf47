//! Path and query parameters: one table for the API's description and for the code that reads the values.

use std::ops::RangeInclusive;

use serde_json::{Value as Json, json};

use super::language::Text;

/// A parameter of a path or a query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub value: Allowed,
    /// Its effect.
    pub about: Text,
    /// Whether it is required.
    pub required: bool,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Allowed {
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

/// How many rows a page has by default.
pub const LIMIT_DEFAULT: usize = 50;

/// How many rows a page has at most.
pub const LIMIT_MAX: usize = 200;

/// The range of HTTP statuses.
pub const STATUSES: RangeInclusive<i16> = 100..=599;

/// Where the next page of a list begins.
pub const CURSOR: Parameter = Parameter {
    name: "cursor",
    value: Allowed::Text(""),
    about: Text {
        en: "Where the page begins: `next_cursor` of the page before. Leave it out to begin.",
        zh: "分页起点：上一页返回的 `next_cursor`；首页不填。",
    },
    required: false,
};

/// How long a page is.
pub const LIMIT: Parameter = limit(LIMIT_DEFAULT, LIMIT_MAX);

/// The corp, for a list or where there are several.
pub const CORPID: Parameter = query("corpid", Allowed::Text("ww5f0e1d2c3b4a5968"), "The corp.", "企业 corpid。");

/// yes or no.
pub const FLAG: Allowed = Allowed::OneOf(|| vec!["true", "false"]);

/// As JSON, or as a table for spreadsheets.
pub const FORMAT: Parameter = query(
    "format",
    Allowed::OneOf(|| vec!["json", "csv"]),
    "As JSON in pages, or as one table for spreadsheets.",
    "返回 JSON 分页，或供电子表格使用的 CSV。",
);

impl Parameter {
    /// The names that it may be one of; none if it is free.
    pub fn names(&self) -> Vec<&'static str> {
        match self.value {
            Allowed::OneOf(names) => names(),
            _ => Vec::new(),
        }
    }

    /// Its type as a JSON Schema.
    pub fn schema(&self) -> Json {
        match self.value {
            Allowed::Text(_) => json!({ "type": "string" }),
            Allowed::Number => json!({ "type": "integer", "format": "int64", "minimum": 1 }),
            Allowed::Status => json!({ "type": "integer", "minimum": STATUSES.start(), "maximum": STATUSES.end() }),
            Allowed::Limit(default, max) => {
                json!({ "type": "integer", "minimum": 1, "maximum": max, "default": default })
            }
            Allowed::Day => json!({ "type": "string", "format": "date" }),
            Allowed::Time => json!({ "type": "string", "format": "date-time" }),
            Allowed::OneOf(names) => json!({ "type": "string", "enum": names() }),
        }
    }

    /// A value that it may have; none where only an answer tells one.
    pub fn example(&self) -> Option<Json> {
        match self.value {
            Allowed::Text("") => None,
            Allowed::Text(text) => Some(json!(text)),
            Allowed::Number => Some(json!(1)),
            Allowed::Status => Some(json!(403)),
            Allowed::Limit(default, _) => Some(json!(default)),
            Allowed::Day => Some(json!("2026-01-31")),
            Allowed::Time => Some(json!("2026-01-31T08:00:00+08:00")),
            Allowed::OneOf(names) => names().first().map(|it| json!(it)),
        }
    }
}

/// A parameter behind the `?` that may be left out.
pub const fn query(name: &'static str, value: Allowed, en: &'static str, zh: &'static str) -> Parameter {
    Parameter { name, value, about: Text { en, zh }, required: false }
}

/// The parameter of a path.
pub const fn path(name: &'static str, value: Allowed, en: &'static str, zh: &'static str) -> Parameter {
    Parameter { name, value, about: Text { en, zh }, required: true }
}

/// `limit`, for a list with limits of its own.
pub const fn limit(default: usize, max: usize) -> Parameter {
    query("limit", Allowed::Limit(default, max), "How many rows a page has at most.", "每页最多返回多少行。")
}
