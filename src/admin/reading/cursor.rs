//! Pages of a list. A cursor names the last row shown, so every page costs the same and new rows shift nothing. To
//! callers it is opaque; only the resource that wrote it can read it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use crate::admin::spec::{
    parameter::{LIMIT_DEFAULT, LIMIT_MAX},
    params::Params,
    problem::Problem,
};

/// The requested page.
#[derive(Debug)]
pub struct Paging {
    limit: usize,
    after: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to ask for next; null on the last page.
    pub next_cursor: Option<String>,
}

impl Paging {
    /// Takes `limit` and `cursor` out of a query.
    pub fn take(params: &mut Params) -> Result<Self, Problem> {
        Self::take_up_to(params, LIMIT_DEFAULT, LIMIT_MAX)
    }

    /// The same, for a list with other limits.
    pub fn take_up_to(params: &mut Params, default: usize, max: usize) -> Result<Self, Problem> {
        let after = match params.take("cursor") {
            Some(cursor) => Some(open(&cursor).ok_or_else(not_ours)?),
            None => None,
        };
        Ok(Self { limit: take_limit(params, default, max)?, after })
    }

    /// The key of the last row shown, as the resource parses it.
    pub fn after<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        self.after.as_deref().map(|key| read(key).ok_or_else(not_ours)).transpose()
    }

    /// How many rows a page has at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many rows to fetch: one more than are shown, to learn whether there is a next page.
    pub fn fetch(&self) -> i64 {
        fetch(self.limit)
    }

    /// Makes a page of the fetched rows; `key` gives a row's key for the next cursor.
    pub fn page<T>(&self, mut rows: Vec<T>, key: impl FnOnce(&T) -> String) -> Page<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| more);
        Page { next_cursor: last.map(|row| seal(&key(row))), items: rows }
    }
}

/// Takes `limit`.
fn take_limit(params: &mut Params, default: usize, max: usize) -> Result<usize, Problem> {
    let Some(text) = params.take("limit") else { return Ok(default) };
    let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| {
        Problem::parameter("limit", (format!("must be a number from 1 to {max}"), format!("须为 1 至 {max} 的数字")))
    })
}

/// One more than `limit`, as SQL takes it.
pub fn fetch(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// A cursor that holds this key.
pub fn seal(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn open(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

fn not_ours() -> Problem {
    Problem::parameter(
        "cursor",
        (
            "is not one that this list gave out: use `next_cursor`, or leave it out to begin",
            "不是本列表返回的游标：请使用 `next_cursor`，首页不填",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(query: &str) -> Result<Paging, Problem> {
        Paging::take(&mut Params::parse(query)?)
    }

    fn page(rows: &[u32], query: &str) -> (Vec<u32>, Option<String>) {
        let paging = paging(query).expect("a good query");
        let after = paging.after(|key| key.parse().ok()).expect("a good cursor").unwrap_or(0);
        let limit = usize::try_from(paging.fetch()).expect("small");
        let fetched = rows.iter().copied().filter(|row| *row > after).take(limit).collect();
        let page = paging.page(fetched, u32::to_string);
        (page.items, page.next_cursor)
    }

    #[test]
    fn following_the_cursors_meets_every_row_once() {
        let rows: Vec<u32> = (1..=7).collect();
        let (mut met, mut query) = (Vec::new(), "limit=3".to_owned());
        loop {
            let (items, next) = page(&rows, &query);
            assert!(!items.is_empty() && items.len() <= 3);
            met.extend(items);
            let Some(next) = next else { break };
            query = format!("limit=3&cursor={next}");
        }
        assert_eq!(met, rows);
    }

    #[test]
    fn a_list_that_fits_exactly_has_no_next_page() {
        assert_eq!(page(&[1, 2, 3], "limit=3"), (vec![1, 2, 3], None));
        assert_eq!(page(&[], ""), (vec![], None));
    }

    #[test]
    fn a_limit_outside_its_range_is_refused_by_name() {
        for limit in ["0", "201", "-1", "ten"] {
            assert_eq!(paging(&format!("limit={limit}")).expect_err(limit).named(), Some("limit"));
        }
        assert_eq!(paging("limit=200").expect("in range").fetch(), 201);
    }

    #[test]
    fn a_cursor_that_is_not_ours_is_refused_by_name() {
        assert_eq!(paging("cursor=%21").expect_err("no base64").named(), Some("cursor"));
        let foreign = paging("cursor=eA").expect("base64");
        assert_eq!(foreign.after(|key| key.parse::<u32>().ok()).expect_err("x is no number").named(), Some("cursor"));
    }
}
