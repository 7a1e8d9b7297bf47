//! Walks a JSON object as if it were the XML document of the same names and texts.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{DocumentError, Step, check_limits, without_nul};

/// Walks a JSON object until `visit` breaks, as if it were the XML document of the same names and texts.
pub(super) fn walk<'a>(text: &'a str, visit: impl FnMut(Step<'a, '_>) -> ControlFlow<()>) -> Result<(), DocumentError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut walk = JsonWalk { visit, elements: 0, stopped: None };
    let read = Values { name: "", depth: 1, walk: &mut walk }.deserialize(&mut json).and_then(|()| json.end());
    match (walk.stopped, read) {
        (Some(stopped), _) => stopped,
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => {
            let (line, column) = (error.line(), error.column());
            Err(DocumentError::Malformed(format!("JSON, near line {line} column {column}")))
        }
    }
}

/// A walk in progress, and why it stopped: a limit, or `Ok` because the visitor broke off.
struct JsonWalk<F> {
    visit: F,
    elements: usize,
    stopped: Option<Result<(), DocumentError>>,
}

impl<F> JsonWalk<F> {
    fn step<'a, E: serde::de::Error>(&mut self, step: Step<'a, '_>) -> Result<(), E>
    where
        F: FnMut(Step<'a, '_>) -> ControlFlow<()>,
    {
        if (self.visit)(step).is_break() { Err(self.stop(Ok(()))) } else { Ok(()) }
    }

    /// serde can only be left by an error; the actual reason is kept beside it.
    fn stop<E: serde::de::Error>(&mut self, reason: Result<(), DocumentError>) -> E {
        self.stopped = Some(reason);
        E::custom("stopped")
    }
}

/// Reads one JSON value as elements of one name: none for null, one for each item of an array.
struct Values<'w, F> {
    name: &'w str,
    depth: usize,
    walk: &'w mut JsonWalk<F>,
}

impl<'de, F: FnMut(Step<'de, '_>) -> ControlFlow<()>> Values<'_, F> {
    fn open<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.walk.elements += 1;
        check_limits(self.depth, self.walk.elements).map_err(|limit| self.walk.stop(Err(limit)))?;
        self.walk.step(Step::Open(self.name, 0))
    }

    fn scalar<E: serde::de::Error>(mut self, text: Cow<'de, str>) -> Result<(), E> {
        self.open()?;
        self.walk.step(Step::Text(without_nul(text)))?;
        self.walk.step(Step::Close(0))
    }
}

impl<'de, F: FnMut(Step<'de, '_>) -> ControlFlow<()>> DeserializeSeed<'de> for Values<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Step<'de, '_>) -> ControlFlow<()>> Visitor<'de> for Values<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_string()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Cow::Owned(value.to_owned()))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'de str) -> Result<(), E> {
        self.scalar(Cow::Borrowed(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        // An array is not an element itself, but its nesting counts, so that reading it stays bounded.
        let depth = self.depth + 1;
        check_limits(depth, self.walk.elements).map_err(|limit| self.walk.stop(Err(limit)))?;
        while items.next_element_seed(Values { name: self.name, depth, walk: &mut *self.walk })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.open()?;
        while let Some(name) = fields.next_key::<Cow<'_, str>>()?.map(without_nul) {
            fields.next_value_seed(Values { name: &name, depth: self.depth + 1, walk: &mut *self.walk })?;
        }
        self.walk.step(Step::Close(0))
    }
}
