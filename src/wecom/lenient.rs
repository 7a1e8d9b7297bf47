//! Reads all of WeCom's answers leniently: an odd value is lost itself, never the answer around it.
//!
//! Each field takes what it can from the value: a number from quoted digits, a text without control characters,
//! nothing from null or another type. So deserializing never fails; [`super::rows`] checks afterwards for required
//! fields. An optional value is always a text, and an empty text is none.
//!
//! It knows no particular answer: types declare their fields with serde as usual, and use the four types below where
//! it matters whether a value could be read.
//! matters whether something could be read.

use std::{borrow::Cow, cell::Cell, marker::PhantomData};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, IntoDeserializer, Visitor,
        value::{Error, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};

use crate::repair;

/// Seconds reach this number in the year 5138: a larger number is milliseconds.
const SECONDS_MAX: i64 = 10_i64.pow(11);

/// Up to here, floating-point numbers represent every whole number exactly.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A number, if there is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Number(pub Option<i64>);

/// A list; none if the value is something else. Null and a missing list are empty lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Option<Vec<T>>);

/// The cursor of the next page: empty at the end, none if the value is not a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Option<String>);

/// Names as a list, or as one text separated by `|`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

/// The names by which [`Reader`] recognises these types.
const NUMBER: &str = "wecom::Number";
const LIST: &str = "wecom::List";
const CURSOR: &str = "wecom::Cursor";
const NAMES: &str = "wecom::Names";

/// A JSON answer before it is read as a type.
pub(super) struct Answer(Map<String, Value>);

/// An answer's errcode.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Errcode {
    /// The code.
    Is(i64),
    /// There is none.
    Absent,
    /// The value is not a number.
    Odd,
}

impl Answer {
    /// Parses a body, repairing it if it is not quite JSON.
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let read = serde_json::from_slice(body).or_else(|_| serde_json::from_str(&repair::json_bytes(body)));
        read.map(Self)
    }

    /// The answer's errcode.
    pub(super) fn errcode(&self) -> Errcode {
        match self.0.get("errcode") {
            None | Some(Value::Null) => Errcode::Absent,
            Some(value) => number(value).map_or(Errcode::Odd, Errcode::Is),
        }
    }

    /// The answer's errmsg.
    pub(super) fn errmsg(&self) -> String {
        self.0.get("errmsg").map(|it| text(it).into_owned()).unwrap_or_default()
    }

    /// Whether it has at least one of the fields of this type.
    pub(super) fn has_some_of<A: DeserializeOwned>(&self) -> bool {
        let fields = Cell::new(&[][..]);
        let _ = A::deserialize(FieldsOf(&fields));
        fields.get().iter().any(|field| self.0.get(*field).is_some_and(|it| !it.is_null()))
    }

    /// Reads it as this type.
    pub(super) fn read<A: DeserializeOwned>(self) -> Result<A, Error> {
        A::deserialize(Reader(&Value::Object(self.0)))
    }
}

/// A time from unix seconds, or from milliseconds if the number is that large; none for anything else.
pub fn time(number: i64) -> Option<DateTime<Utc>> {
    match number {
        ..=0 => None,
        1..SECONDS_MAX => DateTime::from_timestamp(number, 0),
        _ => DateTime::from_timestamp(number / 1_000, 0).filter(|it| it.timestamp() < SECONDS_MAX),
    }
}

/// A text without control characters, which PostgreSQL refuses (NUL) and terminals obey; line breaks and tabs stay.
pub(super) fn cleaned(text: &str) -> Cow<'_, str> {
    let unwanted = |it: char| it.is_control() && !matches!(it, '\n' | '\r' | '\t');
    match text.contains(unwanted) {
        true => Cow::Owned(text.replace(unwanted, "")),
        false => Cow::Borrowed(text),
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => cleaned(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(""),
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        // The bounds make the conversion exact.
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is within bounds")]
        Value::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < WHOLE_MAX)?;
            Some(number as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::String(text) => text.trim().eq_ignore_ascii_case("true") || number(value).is_some_and(|it| it != 0),
        _ => number(value).is_some_and(|it| it != 0),
    }
}

/// Reads a value as the requested type.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Value);

/// A method that reads a number within the type's bounds, and 0 from anything else.
macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(number(self.0).and_then(|it| <$type>::try_from(it).ok()).unwrap_or_default())
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(truth(self.0))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(&text(self.0))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(text(self.0).into_owned())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if text(self.0).trim().is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let items = self.0.as_array().map(Vec::as_slice).unwrap_or_default();
        visitor.visit_seq(SeqDeserializer::new(items.iter().map(Reader)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let of = |field: &&'static str| (*field, Reader(self.0.get(*field).unwrap_or(&Value::Null)));
        visitor.visit_map(MapDeserializer::new(fields.iter().map(of)))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match (name, self.0) {
            (NUMBER, value) if number(value).is_none() => visitor.visit_unit(),
            (LIST, Value::Array(_) | Value::Null) => visitor.visit_newtype_struct(self),
            (LIST, _) => visitor.visit_unit(),
            (CURSOR, Value::Bool(_) | Value::Array(_) | Value::Object(_)) => visitor.visit_unit(),
            (NAMES, Value::String(names)) => {
                let names = cleaned(names);
                visitor.visit_newtype_struct(SeqDeserializer::<_, Error>::new(names.split('|')))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    // No answer type of ours uses this.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Learns which fields a type has, without reading a value.
struct FieldsOf<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for FieldsOf<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.set(fields);
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Reads what can be read, and none otherwise.
struct Readable<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Readable<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        T::deserialize(source).map(Some)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_newtype_struct(NUMBER, Readable(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_newtype_struct(LIST, Readable(PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_newtype_struct(CURSOR, Readable(PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let names = source.deserialize_newtype_struct(NAMES, Readable::<Vec<String>>(PhantomData))?;
        let names = names.unwrap_or_default().into_iter().map(|it| it.trim().to_owned());
        Ok(Self(names.filter(|it| !it.is_empty()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_seconds_or_recognised_as_milliseconds() {
        let at = |number| time(number).map(|it| it.timestamp());
        assert_eq!(at(1_760_000_000), Some(1_760_000_000));
        assert_eq!(at(1_760_000_000_123), Some(1_760_000_000));
        for none in [0, -5, i64::MIN, i64::MAX] {
            assert_eq!(at(none), None, "{none}");
        }
    }

    #[test]
    fn an_empty_answer_does_not_count_as_success() {
        #[derive(Debug, Deserialize)]
        struct Addresses {
            ip_list: Vec<String>,
        }
        let parse = |body: &str| Answer::parse(body.as_bytes()).expect("an object");
        for (body, errcode) in [
            (r#"{"errcode":"40001"}"#, Errcode::Is(40001)),
            (r#"{"errcode":0.0}"#, Errcode::Is(0)),
            (r#"{"errcode":null}"#, Errcode::Absent),
            (r#"{"errcode":[0]}"#, Errcode::Odd),
            (r#"{"errcode":""}"#, Errcode::Odd),
        ] {
            assert_eq!(parse(body).errcode(), errcode, "{body}");
        }
        assert!(!parse(r#"{"message":"bad gateway"}"#).has_some_of::<Addresses>());
        assert!(!parse(r#"{"ip_list":null}"#).has_some_of::<Addresses>());
        assert!(!parse(r#"{"ip_list":[]}"#).has_some_of::<serde::de::IgnoredAny>());
        let answer = parse(r#"{"ip_list":["10.0.0.1",7]}"#);
        assert!(answer.has_some_of::<Addresses>());
        assert_eq!(answer.read::<Addresses>().expect("read").ip_list, ["10.0.0.1", "7"]);
        assert!(Answer::parse(b"<html>").is_err() && Answer::parse(b"[]").is_err());
    }
}
