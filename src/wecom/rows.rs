//! The rows of an answer: those that can be used, and what is known of the others.
//!
//! A row that lacks what says whom it is about costs itself; the page goes on. Whoever concludes something from a row
//! that is missing must ask whether there were such.

use std::ops::Deref;

use super::lenient::{Cursor, List};
use crate::ids::{ExternalUserId, UserId};

/// The longest id that is taken for one, in bytes: WeCom's have 64 at most, and an index holds no text of any length.
const ID_BYTES_MAX: usize = 256;

/// A row that cannot be used. It repeats nothing of what stands in it but ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The member it is about, if that can be read.
    pub user: Option<UserId>,
    /// The customer it is about, if that can be read.
    pub customer: Option<ExternalUserId>,
    /// Why it cannot be used: WeCom's name of what is missing or odd.
    pub why: String,
}

/// Rows that can be used, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// What could not be used. If it is not empty, a row that is missing says nothing.
    pub unreadable: Vec<Unreadable>,
}

/// A row of a list.
pub(super) trait Row {
    /// WeCom's name of the first thing that it cannot do without and that is not there, or is odd.
    fn lacks(&self) -> Option<&'static str>;

    /// The member and the customer that it is about, as far as it says so.
    fn about(&self) -> (Option<&UserId>, Option<&ExternalUserId>) {
        (None, None)
    }
}

impl<T> List<T> {
    /// The rows that can be used; `name` is WeCom's name of the list.
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

/// Counts what was left out of a list. Whoever asked for it says so to people, once for all pages.
fn count(list: &'static str, unreadable: &[Unreadable]) {
    let Some(first) = unreadable.first() else { return };
    metrics::counter!("wecomd_wecom_unreadable_total", "list" => list).increment(unreadable.len() as u64);
    tracing::debug!(list, rows = unreadable.len(), first = first.why, "rows of WeCom's answer cannot be used");
}

impl<T> Rows<T> {
    /// The same rows as something else.
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
    /// Where the next page begins, empty at the end. What is odd ends the list, and is counted with what was left out.
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
