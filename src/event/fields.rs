//! Readers for an event's fields: present, non-empty, lists, times.
//!
//! Input is one element of a plaintext's document. Nothing here knows which event it reads.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::ParseError;
use crate::document::Element;
use crate::ids::{ExternalUserId, UserId};

/// A secret value (a ticket, a code) that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub(super) fn of(text: String) -> Self {
        Self(text)
    }

    /// The value itself, for the call that presents it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// The year 2200: later values are not times.
const SECONDS_END: i64 = 7_258_118_400;

/// Numbers from here on are milliseconds: read as seconds this one would be the year 5138, read as milliseconds it is
/// March 1973, long before WeCom.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Seconds or milliseconds since the epoch as a time, to the second; `None` if it is no number or no plausible time.
pub(super) fn believable(text: &str) -> Option<DateTime<Utc>> {
    let number = text.trim_ascii().parse::<i64>().ok()?;
    let seconds = if number >= MILLISECONDS_FROM { number / 1_000 } else { number };
    if (1..SECONDS_END).contains(&seconds) { DateTime::from_timestamp(seconds, 0) } else { None }
}

pub(super) fn time(doc: &Element, name: &str) -> Option<DateTime<Utc>> {
    believable(doc.text_of(name)?)
}

/// The field's text if it is there and not empty.
pub(super) fn filled(doc: &Element, name: &str) -> Option<String> {
    doc.text_of(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The field's text if it is there, empty or not.
pub(super) fn given(doc: &Element, name: &str) -> Option<String> {
    doc.text_of(name).map(str::to_owned)
}

pub(super) fn needed(doc: &Element, name: &'static str) -> Result<String, ParseError> {
    filled(doc, name).ok_or(ParseError::Missing(name))
}

pub(super) fn hidden(doc: &Element, name: &str) -> Option<Hidden> {
    filled(doc, name).map(Hidden)
}

/// A finite number: XML's texts can also say `NaN` and `inf`, which no coordinate has.
pub(super) fn real(doc: &Element, name: &str) -> Option<f64> {
    doc.number_of::<f64>(name).filter(|number| number.is_finite())
}

pub(super) fn number<T: FromStr>(doc: &Element, name: &str) -> Option<T> {
    doc.number_of(name)
}

pub(super) fn user(doc: &Element, name: &str) -> Option<UserId> {
    filled(doc, name).map(UserId)
}

pub(super) fn needed_user(doc: &Element) -> Result<UserId, ParseError> {
    needed(doc, "UserID").map(UserId)
}

pub(super) fn needed_sender(doc: &Element) -> Result<UserId, ParseError> {
    needed(doc, "FromUserName").map(UserId)
}

pub(super) fn customer(doc: &Element) -> Option<ExternalUserId> {
    filled(doc, "ExternalUserID").map(ExternalUserId)
}

pub(super) fn needed_customer(doc: &Element) -> Result<ExternalUserId, ParseError> {
    needed(doc, "ExternalUserID").map(ExternalUserId)
}

/// Repeated siblings of one name, as the platform writes most lists; empty ones are left out.
pub(super) fn siblings(doc: &Element, name: &str) -> Vec<String> {
    doc.all(name).map(|it| it.text.trim_ascii()).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Items inside a wrapping element, as the platform writes the other lists.
pub(super) fn wrapped(doc: &Element, wrapper: &str, item: &str) -> Vec<String> {
    doc.child(wrapper).map(|list| siblings(list, item)).unwrap_or_default()
}

/// A comma list if the field is there. Items are kept in place, as some lists align with others.
pub(super) fn commas(doc: &Element, name: &str) -> Option<Vec<String>> {
    let text = doc.text_of(name)?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    Some(text.split(',').map(|item| item.trim_ascii().to_owned()).collect())
}
