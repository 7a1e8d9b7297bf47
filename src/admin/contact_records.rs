//! `contact-records`: what passed between a customer and us, latest first, by type and time.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    call::{Answer, Call},
    media::{Link, Links},
    page::{Page, Paging},
    params::Params,
    problem::Problem,
};
use crate::tables::wechat_contact_record::{self, Filter, Place, Shown};

/// The types a record can have.
const TYPES: [&str; 8] = ["text", "image", "voice", "video", "location", "link", "file", "event"];

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let contact_type = params.take("type");
    let (from, to) = (take_time(&mut params, "from")?, take_time(&mut params, "to")?);
    let paging = Paging::take(&mut params)?;
    params.finish()?;
    if contact_type.as_deref().is_some_and(|it| !TYPES.contains(&it)) {
        return Err(Problem::parameter("type", format!("must be one of {}", TYPES.join(", "))));
    }
    let filter = Filter { customer: call.id.to_owned(), contact_type, from, to, after: paging.after(read_key)? };
    let rows = wechat_contact_record::of_customer(conn, &filter, paging.fetch()).await?;
    let page = paging.page(rows, |row| write_key(row.contact_time, row.id, &row.corpid));
    let named = page.items.iter().filter_map(|row| Some((row.corpid.clone(), row.media_id.clone()?)));
    let links = Links::of(conn, named.collect()).await?;
    let with_link = |record: Shown| {
        let media = record.media_id.as_deref().map(|media_id| links.link(&record.corpid, media_id));
        Listed { record, media }
    };
    Answer::ok(Page { items: page.items.into_iter().map(with_link).collect(), next_cursor: page.next_cursor })
}

/// A record, and where its picture, sound, film or file is handed out.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    record: Shown,
    media: Option<Link>,
}

/// Takes a time with its offset. A `+` that was not encoded has become a blank on the way, and is taken for one.
fn take_time(params: &mut Params, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = params.take(name) else { return Ok(None) };
    match DateTime::parse_from_rfc3339(&text.replace(' ', "+")) {
        Ok(time) => Ok(Some(time.to_utc())),
        Err(_) => Err(Problem::parameter(name, "must be a time with its offset, such as 2026-01-31T08:00:00+08:00")),
    }
}

fn write_key(at: DateTime<Utc>, id: Uuid, corpid: &str) -> String {
    format!("{},{id},{corpid}", at.timestamp_micros())
}

fn read_key(key: &str) -> Option<Place> {
    let mut parts = key.splitn(3, ',');
    let at = DateTime::from_timestamp_micros(parts.next()?.parse().ok()?)?;
    Some((at, parts.next()?.parse().ok()?, parts.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_reads_back_to_the_microsecond() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("in range");
        assert_eq!(read_key(&write_key(at, Uuid::max(), "ww1")), Some((at, Uuid::max(), "ww1".to_owned())));
        for foreign in ["", "1", "1,2", ",", "9223372036854775807,00000000-0000-0000-0000-000000000000,ww1"] {
            assert_eq!(read_key(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_time_needs_an_offset_and_survives_a_plus_that_was_not_encoded() {
        let time = |query: &str| take_time(&mut Params::parse(query).expect("good"), "from");
        let at = time("from=2026-01-31T08:00:00+08:00").expect("a time").expect("given");
        assert_eq!(at.to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(time("from=2026-01-31T00:00:00Z").expect("a time"), Some(at));
        assert_eq!(time("from=2026-01-31").expect_err("no offset").named(), Some("from"));
        assert_eq!(time("").expect("not given"), None);
    }
}
