//! Finds records by what they say, latest first, among all conversations.
//!
//! Rare words are found at once. Of a word that many records hold, only the latest are looked at: month by month, within
//! a crowded month day by day, and within a crowded day hour by hour. Each step reads little, and a page ends after
//! [`EXAMINED_MAX`] candidates: the caller gets where to go on, also if the page is not full.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    conversation::{self, Filter, is_group},
    record_search::columns,
    search_terms,
    wechat_contact_record::{RecordPosition, RecordView},
};
use crate::tables::upkeep::partitions;

/// How many candidates of a span are sorted at once. If there are more, the span is divided.
const AT_ONCE: i64 = 1_000;

/// How many records are read at once to see whether they are wanted.
const READ_AT_ONCE: usize = 100;

/// How many candidates are examined for one page.
const EXAMINED_MAX: usize = 5_000;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The records, latest first.
    pub records: Vec<RecordView>,
    /// Where to go on; none if there is nothing more.
    pub next: Option<RecordPosition>,
}

/// From when on, and before when. None is without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

/// Whether the search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// There may be more.
    Further,
    /// The page is full, or took enough.
    Enough,
}

struct Search<'a> {
    conn: &'a mut PgConnection,
    text: &'a str,
    terms: Vec<String>,
    filter: &'a Filter,
    limit: usize,
    examined: usize,
    found: Found,
}

/// Up to `limit` records whose content contains `text` and which the filter lets through, latest first by
/// `contact_time`; records without a time come last. `text` has a pair of characters, see [`search_terms::pairs`].
pub async fn find(conn: &mut PgConnection, text: &str, filter: &Filter, limit: usize) -> sqlx::Result<Found> {
    let mut transaction = conn.begin().await?;
    // The index is always right here, whatever the planner knows of a new partition.
    sqlx::query!(
        r#"
        select set_config(name, 'off', true)
        from unnest(array['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) setting (name)
        "#
    )
    .fetch_all(&mut *transaction)
    .await?;
    let terms = search_terms::pairs(text).into_iter().collect();
    let found = Found::default();
    let mut search = Search { conn: &mut transaction, text, terms, filter, limit, examined: 0, found };
    let went = search.everywhere().await?;
    let mut found = search.found;
    if went == Next::Further {
        found.next = None;
    }
    // Nothing was written; the settings end with it.
    transaction.rollback().await?;
    Ok(found)
}

impl Span {
    fn of_day(day: NaiveDate, days: u64) -> Self {
        Self { from: Some(midnight(day)), until: Some(midnight(day + Days::new(days))) }
    }

    /// What it has in common with another one; none if that is nothing.
    fn within(self, other: Self) -> Option<Self> {
        let from = self.from.max(other.from);
        let until = match (self.until, other.until) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        let is_empty = from.zip(until).is_some_and(|(from, until)| from >= until);
        (!is_empty).then_some(Self { from, until })
    }
}

impl Search<'_> {
    async fn everywhere(&mut self) -> sqlx::Result<Next> {
        let whole = Span { from: self.filter.from, until: self.filter.to };
        if let Some(all) = self.few(whole, None).await? {
            return self.examine(all).await;
        }
        for (span, is_month) in self.months().await? {
            let Some(span) = span.within(whole) else { continue };
            let went = if is_month { self.month(span).await? } else { self.in_order(span, None).await? };
            if went == Next::Enough {
                return Ok(went);
            }
        }
        Ok(Next::Further)
    }

    /// The months with a partition and the spans between them, latest first.
    async fn months(&mut self) -> sqlx::Result<Vec<(Span, bool)>> {
        let mut spans = Vec::new();
        let mut until = None;
        let mut months = partitions::periods(self.conn, "record_search").await?;
        months.sort_unstable();
        for first in months.into_iter().rev() {
            let end = midnight(first + Months::new(1));
            if until != Some(end) {
                spans.push((Span { from: Some(end), until }, false));
            }
            spans.push((Span { from: Some(midnight(first)), until: Some(end) }, true));
            until = Some(midnight(first));
        }
        spans.push((Span { from: None, until }, false));
        Ok(spans)
    }

    async fn month(&mut self, month: Span) -> sqlx::Result<Next> {
        if let Some(few) = self.few(month, None).await? {
            return self.examine(few).await;
        }
        let (Some(from), Some(until)) = (month.from, month.until) else { return Ok(Next::Further) };
        let mut day = (until - TimeDelta::microseconds(1)).date_naive();
        while day >= from.date_naive() {
            if let Some(span) = Span::of_day(day, 1).within(month)
                && self.day(span, day).await? == Next::Enough
            {
                return Ok(Next::Enough);
            }
            day = day - Days::new(1);
        }
        Ok(Next::Further)
    }

    async fn day(&mut self, span: Span, day: NaiveDate) -> sqlx::Result<Next> {
        let begin = midnight(day);
        if let Some(few) = self.few(span, Some(search_terms::day(begin))).await? {
            return self.examine(few).await;
        }
        for hour in (0..24).rev() {
            let from = begin + TimeDelta::hours(hour);
            let hour = Span { from: Some(from), until: Some(from + TimeDelta::hours(1)) };
            if let Some(hour) = hour.within(span)
                && self.in_order(hour, Some(search_terms::hour(from))).await? == Next::Enough
            {
                return Ok(Next::Enough);
            }
        }
        Ok(Next::Further)
    }

    /// All candidates of a span, latest first, if there are few. `term` is one that all records of the span have.
    async fn few(&mut self, span: Span, term: Option<String>) -> sqlx::Result<Option<Vec<RecordPosition>>> {
        if self.is_past(span) {
            return Ok(Some(Vec::new()));
        }
        let mut query = self.candidates(span, term);
        query.push(" limit ").push_bind(AT_ONCE + 1);
        let mut keys: Vec<RecordPosition> = query.build_query_as().fetch_all(&mut *self.conn).await?;
        let is_few = i64::try_from(keys.len()).is_ok_and(|count| count <= AT_ONCE);
        keys.sort_unstable_by(|one, two| two.cmp(one));
        Ok(is_few.then_some(keys))
    }

    /// Examines the candidates of a span, however many they are.
    async fn in_order(&mut self, span: Span, term: Option<String>) -> sqlx::Result<Next> {
        let mut before = None;
        loop {
            if self.is_past(span) {
                return Ok(Next::Further);
            }
            let mut query = self.candidates(span, term.clone());
            if let Some(key) = before.take() {
                push_before(&mut query, key);
            }
            query.push(" order by contact_time desc, id desc, corpid desc limit ").push_bind(AT_ONCE);
            let keys: Vec<RecordPosition> = query.build_query_as().fetch_all(&mut *self.conn).await?;
            let is_last = i64::try_from(keys.len()).is_ok_and(|count| count < AT_ONCE);
            before = keys.last().cloned();
            if self.examine(keys).await? == Next::Enough {
                return Ok(Next::Enough);
            }
            if is_last {
                return Ok(Next::Further);
            }
        }
    }

    /// Whether the pages before this one went through the whole span.
    fn is_past(&self, span: Span) -> bool {
        matches!((span.from, &self.filter.after), (Some(from), Some((at, ..))) if *at < from)
    }

    fn candidates(&self, span: Span, term: Option<String>) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new("select contact_time, id, corpid from record_search where terms @> ");
        query.push_bind(self.terms.iter().cloned().chain(term).collect::<Vec<_>>());
        if let Some(from) = span.from {
            query.push(" and contact_time >= ").push_bind(from);
        }
        if let Some(until) = span.until {
            query.push(" and contact_time < ").push_bind(until);
        }
        if let Some(after) = &self.filter.after {
            push_before(&mut query, after.clone());
        }
        query
    }

    /// Reads candidates and keeps those that are wanted, until the page is full.
    async fn examine(&mut self, keys: Vec<RecordPosition>) -> sqlx::Result<Next> {
        for keys in keys.chunks(READ_AT_ONCE) {
            let mut records = self.read(keys).await?;
            for key in keys {
                if self.found.records.len() == self.limit || self.examined == EXAMINED_MAX {
                    return Ok(Next::Enough);
                }
                self.examined += 1;
                self.found.next = Some(key.clone());
                self.found.records.extend(records.remove(&(key.1, key.2.clone())));
            }
        }
        Ok(Next::Further)
    }

    /// Those of these records that are wanted.
    async fn read(&mut self, keys: &[RecordPosition]) -> sqlx::Result<BTreeMap<(Uuid, String), RecordView>> {
        let (times, ids, corps) = columns(keys.iter());
        let mut query = QueryBuilder::new(conversation::COLUMNS);
        query.push("select said.* from unnest(").push_bind(times).push("::timestamptz[], ").push_bind(ids);
        query.push("::uuid[], ").push_bind(corps);
        query.push(
            "::text[]) key (contact_time, id, corpid) join wechat_contact_record said \
             on said.contact_time = key.contact_time and said.id = key.id and said.corpid = key.corpid) record where true",
        );
        conversation::narrow(&mut query, self.filter);
        let records: Vec<RecordView> = query.build_query_as().fetch_all(&mut *self.conn).await?;
        let mut wanted: Vec<_> =
            records.into_iter().filter(|record| search_terms::contains(&record.content, self.text)).collect();
        self.keep_own(&mut wanted).await?;
        Ok(wanted.into_iter().map(|record| ((record.id, record.corpid.clone()), record)).collect())
    }

    /// Keeps what the caller may read, if they see their own alone.
    async fn keep_own(&mut self, records: &mut Vec<RecordView>) -> sqlx::Result<()> {
        let Some(own) = &self.filter.own else { return Ok(()) };
        let customers: BTreeSet<_> = records.iter().filter_map(customer).map(str::to_owned).collect();
        let followed = own.followed_among(self.conn, &customers.into_iter().collect::<Vec<_>>()).await?;
        let user = own.wechat_userid(self.conn).await?;
        records.retain(|record| match customer(record) {
            // Groups that they are not in were left out before.
            _ if record.chat_id.as_deref().is_some_and(is_group) => true,
            Some(customer) => followed.contains(customer),
            None => user.is_some() && record.wechat_userid == user,
        });
        Ok(())
    }
}

/// The customer of a record, as WeCom or the business names them.
fn customer(record: &RecordView) -> Option<&str> {
    record.external_userid.as_deref().or(record.customer_id.as_deref())
}

fn push_before(query: &mut QueryBuilder<Postgres>, (at, id, corpid): RecordPosition) {
    // The first condition matches the partitions.
    query.push(" and contact_time <= ").push_bind(at);
    query.push(" and (contact_time, id, corpid) < (").push_bind(at).push(", ").push_bind(id);
    query.push(", ").push_bind(corpid).push(")");
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
