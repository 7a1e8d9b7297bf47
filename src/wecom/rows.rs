//! The rows of an answer: the valid ones, and what is known of the others.
//!
//! A row without its ids is left out; the page goes on. Code that concludes something from a missing row must check
//! whether rows were left out.

use std::ops::Deref;

use super::lenient::{Cursor, List};
use crate::ids::{ExternalUserId, UserId};

/// The longest accepted id, in bytes: WeCom's have 64 at most, and an index entry has a maximum size.
const ID_BYTES_MAX: usize = 256;

/// A row that was left out. It repeats nothing of the row except ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The member it is about, if that can be read.
    pub user: Option<UserId>,
    /// The customer it is about, if that can be read.
    pub customer: Option<ExternalUserId>,
    /// The reason: WeCom's name of the missing or odd field.
    pub why: String,
}

/// The valid rows, and those that were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The rows that were left out. If there are any, a missing row proves nothing.
    pub unreadable: Vec<Unreadable>,
}

/// A row of a list.
pub(super) trait Row {
    /// WeCom's name of the first required field that is missing or odd.
    fn lacks(&self) -> Option<&'static str>;

    /// The member and the customer that it names, if it does.
    fn about(&self) -> (Option<&UserId>, Option<&ExternalUserId>) {
        (None, None)
    }
}

impl<T> List<T> {
    /// Separates the valid rows; `name` is WeCom's name of the list.
    pub(super) fn rows(self, name: &'static str) -> Rows<T>
    where
        T: Row,
    {
        let Some(all) = self.0 else {
            let why = format!("`{name}` is no list");
            let unreadable = vec![Unreadable { user: None, customer: None, why }];
            count(name, &unreadable);
            return Rows { rows: Vec::new(), unreadable };
        };
        let (mut rows, mut unreadable) = (Vec::with_capacity(all.len()), Vec::new());
        for (number, row) in (1..).zip(all) {
            let Some(field) = row.lacks() else {
                rows.push(row);
                continue;
            };
            let (user, customer) = row.about();
            unreadable.push(Unreadable {
                user: user.filter(|it| is_id(it.as_str())).cloned(),
                customer: customer.filter(|it| is_id(it.as_str())).cloned(),
                why: format!("`{field}` of row {number} of `{name}` is missing or odd"),
            });
        }
        count(name, &unreadable);
        Rows { rows, unreadable }
    }
}

/// Counts the rows left out of a list. The caller reports them to people, once for all pages.
fn count(list: &'static str, unreadable: &[Unreadable]) {
    let Some(first) = unreadable.first() else { return };
    metrics::counter!("wecomd_wecom_unreadable_total", "list" => list).increment(unreadable.len() as u64);
    tracing::debug!(list, rows = unreadable.len(), first = first.why, "rows of WeCom's answer cannot be used");
}

impl<T> Rows<T> {
    /// Maps the rows.
    pub(super) fn map<U>(self, f: impl FnMut(T) -> U) -> Rows<U> {
        Rows { rows: self.rows.into_iter().map(f).collect(), unreadable: self.unreadable }
    }

    /// Whether nothing was left out.
    pub fn is_complete(&self) -> bool {
        self.unreadable.is_empty()
    }
}

impl<T> Deref for Rows<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<T> IntoIterator for Rows<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl Cursor {
    /// The cursor of the next page, empty at the end. An odd cursor ends the list and counts as a row that was left
    /// out.
    pub(super) fn told(self, unreadable: &mut Vec<Unreadable>) -> String {
        self.0.unwrap_or_else(|| {
            let why = "`next_cursor` is no text, so the list was not read to its end".to_owned();
            unreadable.push(Unreadable { user: None, customer: None, why });
            String::new()
        })
    }
}

/// Whether a text can be an id.
pub(super) fn is_id(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= ID_BYTES_MAX
}

impl Row for UserId {
    fn lacks(&self) -> Option<&'static str> {
        (!is_id(self.as_str())).then_some("userid")
    }
}
