//! A request: its query, its body, and its origin.
//!
//! Fields are read by their documented type. A wrong type is refused, or skipped with a warning if the world
//! tolerates it. What a field is for is not known here.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::refusal::{BAD_PARAMETER, Refusal};

/// Secret parameters, which are kept out of the journal.
const SECRET_PARAMETERS: [&str; 3] = ["access_token", "corpsecret", "code"];

/// The longest body that the journal keeps.
const JOURNAL_BYTES_MAX: usize = 64 * 1024;

/// The text that a value of a wrong type adds to `errmsg`.
pub(super) const WRONG_TYPE: &str = "Warning: wrong json format. ";

/// One request.
#[derive(Debug)]
pub(super) struct Ask {
    /// Behind `/cgi-bin/`.
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    /// The JSON body; null if there is none.
    pub(super) body: Value,
    /// The body is no JSON object.
    pub(super) malformed: bool,
    /// The body as it came.
    pub(super) bytes: Bytes,
    pub(super) content_type: String,
    pub(super) range: Option<String>,
    pub(super) from: IpAddr,
    /// The URL of the pretend WeCom.
    pub(super) base_url: Arc<str>,
    /// Whether a wrong type was met, if the world tolerates wrong types.
    pub(super) tolerant: Cell<bool>,
    pub(super) met_wrong_type: Cell<bool>,
}

impl Ask {
    /// A query parameter that is not empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The journal's copy: the JSON body, or else the query without secrets.
    pub(super) fn for_journal(&self) -> Value {
        if self.bytes.len() > JOURNAL_BYTES_MAX && !self.body.is_null() {
            return Value::Null;
        }
        if !self.body.is_null() {
            return self.body.clone();
        }
        let parameters = self.query.iter().filter(|(name, _)| !SECRET_PARAMETERS.contains(&name.as_str()));
        parameters.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }

    /// The whole body as fields.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields { ask: self, value: &self.body }
    }
}

/// A JSON object's fields, by type.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    ask: &'a Ask,
    value: &'a Value,
}

impl<'a> Fields<'a> {
    /// A text, if there is one; an empty one counts as none.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        Ok(self.read(name, Value::as_str)?.filter(|text| !text.is_empty()))
    }

    /// A text that may also be empty.
    pub(super) fn text_or_empty(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        self.read(name, Value::as_str)
    }

    /// A required text; without it the call is refused with `errcode`.
    pub(super) fn required(&self, name: &str, errcode: i64) -> Result<&'a str, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::of(errcode))
    }

    /// A text of at most `chars_max` characters.
    pub(super) fn short(&self, name: &str, chars_max: usize) -> Result<Option<&'a str>, Refusal> {
        let text = self.text_or_empty(name)?;
        match text {
            Some(text) if text.chars().count() > chars_max => {
                Err(Refusal::because(BAD_PARAMETER, format_args!("{name} is longer than {chars_max} characters")))
            }
            text => Ok(text),
        }
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.read(name, Value::as_i64)
    }

    /// A boolean.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.read(name, Value::as_bool)
    }

    /// A boolean written as 1 or 0.
    pub(super) fn switch(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.number(name)?.unwrap_or_default() == 1)
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>, Refusal> {
        self.list(name, Value::as_str)
    }

    /// A list of numbers.
    pub(super) fn numbers(&self, name: &str) -> Result<Option<Vec<u32>>, Refusal> {
        self.list(name, |item| item.as_u64().and_then(|number| u32::try_from(number).ok()))
    }

    /// A list of anything.
    pub(super) fn items(&self, name: &str) -> Result<Option<Vec<&'a Value>>, Refusal> {
        self.list(name, Some)
    }

    /// The fields of an object in it.
    pub(super) fn object(&self, name: &str) -> Result<Option<Fields<'a>>, Refusal> {
        let value = self.read(name, |value| value.is_object().then_some(value))?;
        Ok(value.map(|value| Fields { ask: self.ask, value }))
    }

    /// The same for one of a list's items.
    pub(super) fn of(&self, value: &'a Value) -> Fields<'a> {
        Fields { ask: self.ask, value }
    }

    /// The object itself.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    fn list<T>(&self, name: &str, as_type: impl Fn(&'a Value) -> Option<T>) -> Result<Option<Vec<T>>, Refusal> {
        self.read(name, |value| value.as_array()?.iter().map(&as_type).collect())
    }

    fn read<T>(&self, name: &str, as_type: impl FnOnce(&'a Value) -> Option<T>) -> Result<Option<T>, Refusal> {
        let Some(value) = self.value.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        match as_type(value) {
            Some(read) => Ok(Some(read)),
            None if self.ask.tolerant.get() => {
                self.ask.met_wrong_type.set(true);
                Ok(None)
            }
            None => Err(Refusal::because(BAD_PARAMETER, format_args!("{name}. {WRONG_TYPE}"))),
        }
    }
}
