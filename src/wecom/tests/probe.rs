//! Learns from a type which fields it reads, and makes an answer that holds them all.

use std::{cell::RefCell, collections::BTreeSet};

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{Error, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Value, json};

use super::odd::Odd;

/// The placeholder for an odd value.
pub(super) const MARK: &str = "\"put it here\"";

/// The kind of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    OptionalText,
    /// A number between these bounds.
    Number(i64, i64),
    NumberIfAny,
    Truth,
    Cursor,
    Names,
    /// A list that reports whether it could be read.
    List,
    /// Any other list.
    PlainList,
}

/// A field.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    path: Vec<String>,
    pub(super) kind: Kind,
    /// A text that occurs only here in the printed value.
    token: String,
    /// How many lists enclose it.
    lists: usize,
}

/// An answer with all fields of a type.
#[derive(Debug, Default)]
pub(super) struct Sample {
    value: Value,
    pub(super) leaves: Vec<Leaf>,
    pub(super) structs: BTreeSet<String>,
}

impl Sample {
    pub(super) fn of<T: DeserializeOwned>() -> Self {
        let sample = RefCell::new(Self { value: json!({}), ..Self::default() });
        let probe = Probe { sample: &sample, path: Vec::new(), kind: None };
        if let Err(error) = T::deserialize(probe) {
            panic!("{error}: {sample:?}");
        }
        sample.into_inner()
    }

    pub(super) fn json(&self) -> String {
        self.value.to_string()
    }

    /// The answer without this field.
    pub(super) fn without(&self, leaf: &Leaf) -> String {
        let mut value = self.value.clone();
        let (last, parents) = leaf.path.split_last().expect("a field has a name");
        match at(&mut value, parents) {
            Value::Object(fields) => drop(fields.remove(last)),
            Value::Array(items) => items.clear(),
            other => panic!("{other} has no {last}"),
        }
        value.to_string()
    }

    /// The answer with the placeholder in this field.
    pub(super) fn with_mark_at(&self, leaf: &Leaf) -> String {
        let mut value = self.value.clone();
        *at(&mut value, &leaf.path) = Value::String(MARK.trim_matches('"').to_owned());
        value.to_string()
    }

    fn add(&mut self, path: &[String], kind: Kind, value: Value, token: String) {
        *at(&mut self.value, path) = value;
        self.leaves.push(Leaf { path: path.to_vec(), kind, token, lists: lists(path) });
    }
}

/// The value at the end of a path, created if missing.
fn at<'a>(mut value: &'a mut Value, path: &[String]) -> &'a mut Value {
    for step in path {
        value = match step.parse::<usize>() {
            Ok(0) => {
                if !value.is_array() {
                    *value = json!([null]);
                }
                value.get_mut(0).expect("it has one element")
            }
            _ => {
                if !value.is_object() {
                    *value = json!({});
                }
                let fields = value.as_object_mut().expect("an object");
                fields.entry(step.clone()).or_insert(Value::Null)
            }
        };
    }
    value
}

impl Leaf {
    /// Its path without row numbers.
    pub(super) fn name(&self) -> String {
        self.path.join("/")
    }

    /// The printed answer if this field has an odd value, and all else is unchanged.
    pub(super) fn expected(&self, base: &str, odd: &Odd) -> String {
        let token = self.token.as_str();
        if self.path.last().is_some_and(|it| it == "0") && odd.raw.is_none() {
            // A missing element makes the list empty.
            return base.replacen(&enclosing(base, token, 1), "[]", 1);
        }
        let (found, instead) = match self.kind {
            Kind::Text => (token.to_owned(), format!("{:?}", odd.text)),
            Kind::OptionalText => {
                let wrapped = ["Some(UserId(", "Some(ExternalUserId(", "Some("];
                let start = wrapped.iter().find(|it| base.contains(&format!("{it}{token}"))).expect("an optional text");
                let end = ")".repeat(start.matches('(').count());
                let read = format!("{start}{:?}{end}", odd.text);
                let instead = if odd.text.trim().is_empty() { "None".to_owned() } else { read };
                (format!("{start}{token}{end}"), instead)
            }
            Kind::Number(min, max) => {
                let read = odd.number.filter(|it| (min..=max).contains(it)).unwrap_or_default();
                (token.to_owned(), read.to_string())
            }
            Kind::NumberIfAny => (format!("Number(Some({token}))"), format!("Number({:?})", odd.number)),
            Kind::Truth => (token.to_owned(), odd.truth.to_string()),
            Kind::Cursor => (format!("Cursor(Some({token}))"), format!("Cursor({:?})", odd.scalar.then_some(odd.text))),
            Kind::Names => {
                let in_list = (odd.raw == Some(b"[1]")).then_some("1");
                let is_text = odd.raw.is_some_and(|it| it.starts_with(b"\""));
                let in_text = is_text.then_some(odd.text.trim()).filter(|it| !it.is_empty());
                let names: Vec<_> = in_list.or(in_text).into_iter().collect();
                (format!("Names([{token}])"), format!("Names({names:?})"))
            }
            Kind::List => {
                let list = enclosing(base, token, self.lists - lists(&self.path));
                let instead = if odd.empty { "List(Some([]))" } else { "List(None)" };
                (format!("List(Some({list}))"), instead.to_owned())
            }
            Kind::PlainList => (enclosing(base, token, self.lists - lists(&self.path)), "[]".to_owned()),
        };
        assert_eq!(base.matches(&found).count(), 1, "{found} in {base}");
        base.replacen(&found, &instead, 1)
    }
}

/// How many lists a path goes through.
fn lists(path: &[String]) -> usize {
    path.iter().filter(|it| *it == "0").count()
}

/// The list that encloses a token: the nearest (1) or one further out.
fn enclosing(text: &str, token: &str, nth: usize) -> String {
    let starts = text.match_indices('[').map(|(at, _)| text.get(at..).expect("a boundary"));
    let parts = starts.filter_map(|rest| {
        let mut depth = 0_i32;
        let end = rest.char_indices().find(|(_, it)| {
            depth += i32::from(*it == '[') - i32::from(*it == ']');
            depth == 0
        });
        rest.get(..=end?.0)
    });
    let mut holding: Vec<_> = parts.filter(|it| it.contains(token)).collect();
    holding.sort_by_key(|it| it.len());
    holding.get(nth - 1).unwrap_or_else(|| panic!("{token} is in fewer than {nth} lists: {text}")).to_string()
}

/// Deserializes a type, and records which fields it asks for.
struct Probe<'a> {
    sample: &'a RefCell<Sample>,
    path: Vec<String>,
    /// The next value's kind, if its type has announced it.
    kind: Option<Kind>,
}

impl Probe<'_> {
    fn below(&self, step: &str) -> Self {
        let path = self.path.iter().cloned().chain([step.to_owned()]).collect();
        Self { sample: self.sample, path, kind: None }
    }

    fn read_as(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    fn text(&self) -> String {
        let text = format!("t{}t", self.sample.borrow().leaves.len());
        let kind = self.kind.unwrap_or(Kind::Text);
        self.sample.borrow_mut().add(&self.path, kind, text.clone().into(), format!("{text:?}"));
        text
    }

    fn number(&self, min: i64, max: i64) -> i32 {
        let number = 71_000 + i32::try_from(self.sample.borrow().leaves.len()).expect("few");
        let kind = self.kind.unwrap_or(Kind::Number(min, max));
        self.sample.borrow_mut().add(&self.path, kind, number.into(), number.to_string());
        number
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.sample.borrow_mut().add(&self.path, Kind::Truth, true.into(), "true".to_owned());
        visitor.visit_bool(true)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(self.number(i32::MIN.into(), i32::MAX.into()))
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.number(i64::MIN, i64::MAX).into())
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(self.number(0, u32::MAX.into()).unsigned_abs())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    /// An optional value is a text: for any other type it would be unclear that nothing can be read.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self.read_as(Kind::OptionalText))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let kind = self.kind.unwrap_or(Kind::PlainList);
        let place = self.sample.borrow().leaves.len();
        let read = visitor.visit_seq(OneElement(Some(self.below("0"))))?;
        let mut sample = self.sample.borrow_mut();
        // A token in this list, and in no list inside it, identifies it.
        let inside = sample.leaves.get(place..).unwrap_or_default().iter().min_by_key(|it| it.path.len());
        let (token, lists) = match inside {
            Some(it) => (it.token.clone(), it.lists),
            None => ("IgnoredAny".to_owned(), lists(&self.path) + 1),
        };
        sample.leaves.push(Leaf { path: self.path.clone(), kind, token, lists });
        Ok(read)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match name {
            "wecom::Number" => visitor.visit_newtype_struct(self.read_as(Kind::NumberIfAny)),
            "wecom::List" => visitor.visit_newtype_struct(self.read_as(Kind::List)),
            "wecom::Cursor" => visitor.visit_newtype_struct(self.read_as(Kind::Cursor)),
            "wecom::Names" => {
                let name = self.read_as(Kind::Names).text();
                visitor.visit_newtype_struct(SeqDeserializer::<_, Error>::new([name].into_iter()))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        assert!(self.kind.is_none(), "{name} is optional, but only texts may be");
        self.sample.borrow_mut().structs.insert(name.to_owned());
        visitor.visit_map(AllFields { probe: self, fields, next: None })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *at(&mut self.sample.borrow_mut().value, &self.path) = json!(0);
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        panic!("{:?} is read as something that no other field is", self.path)
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct tuple tuple_struct map enum identifier
    }
}

/// A list of one.
struct OneElement<'a>(Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for OneElement<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|probe| seed.deserialize(probe)).transpose()
    }
}

/// Every field of a struct.
struct AllFields<'a> {
    probe: Probe<'a>,
    fields: &'static [&'static str],
    next: Option<&'static str>,
}

impl<'de> MapAccess<'de> for AllFields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((first, rest)) = self.fields.split_first() else { return Ok(None) };
        (self.fields, self.next) = (rest, Some(*first));
        let name: serde::de::value::StrDeserializer<'_, Error> = (*first).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.probe.below(self.next.expect("a key came first")))
    }
}
