//! `access-log`: who did what to which subject, as pages and as CSV. Asking for it is itself in it.

use std::ops::RangeInclusive;

use chrono::SecondsFormat;
use sqlx::PgConnection;

use super::{
    call::{Answer, Call},
    contact_records::take_time,
    page::Paging,
    params::Params,
    problem::Problem,
    sheet::Sheet,
};
use crate::tables::access::access_log::{self, AccessLogRow, Filter};

/// How many lines a CSV has at most: an answer is put together in memory. The next begins at its `x-next-cursor`.
pub(super) const CSV_ROWS_MAX: usize = 10_000;

/// What is an HTTP status.
pub(super) const STATUSES: RangeInclusive<i16> = 100..=599;

/// What every route begins with; a filter may leave it out.
const BASE: &str = "/api/enterprise-wechat/";

/// The CSV's first line.
const COLUMNS: [&str; 13] = [
    "id",
    "at",
    "token_id",
    "who",
    "role",
    "method",
    "route",
    "subject",
    "customer",
    "status",
    "times",
    "request_id",
    "address",
];

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let csv = params.take("format").as_deref() == Some("csv");
    let filter = filter(&mut params)?;
    let paging = match csv {
        true => Paging::take_up_to(&mut params, CSV_ROWS_MAX, CSV_ROWS_MAX)?,
        false => Paging::take(&mut params)?,
    };
    params.finish()?;
    // Who asks about somebody is part of what is known about them.
    let about = filter.subject.as_ref().or(filter.customer.as_ref()).or(filter.who.as_ref());
    call.subject = about.cloned().unwrap_or_default();
    call.customer = filter.customer.clone().unwrap_or_default();

    let filter = Filter { before: paging.after(|key| key.parse().ok())?, ..filter };
    let page = paging.page(access_log::list(conn, &filter, paging.fetch()).await?, |row| row.id.to_string());
    if !csv {
        return Answer::ok(page);
    }
    let mut sheet = Sheet::new(&COLUMNS)?;
    for row in &page.items {
        sheet.row(cells(row))?;
    }
    sheet.answer("access-log", page.next_cursor)
}

fn filter(params: &mut Params) -> Result<Filter, Problem> {
    let status = params.take("status").map(|text| {
        let status = text.parse().ok().filter(|status| STATUSES.contains(status));
        status.ok_or_else(|| Problem::parameter("status", "must be an HTTP status, such as 403"))
    });
    let status = status.transpose()?;
    let route = params.take("route").map(|it| if it.starts_with('/') { it } else { format!("{BASE}{it}") });
    let (since, until) = (take_time(params, "since")?, take_time(params, "until")?);
    let (who, subject, customer) = (params.take("who"), params.take("subject"), params.take("customer"));
    Ok(Filter { who, route, subject, customer, status, since, until, before: None })
}

fn cells(row: &AccessLogRow) -> [String; 13] {
    [
        row.id.to_string(),
        row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        row.token_id.map(|it| it.to_string()).unwrap_or_default(),
        row.who.clone(),
        row.role.clone(),
        row.method.clone(),
        row.route.clone(),
        row.subject.clone(),
        row.customer.clone(),
        row.status.to_string(),
        row.times.to_string(),
        row.request_id.to_string(),
        row.address.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_may_be_given_without_what_they_all_begin_with() {
        let route = |query: &str| filter(&mut Params::parse(query).expect("good")).expect("a filter").route;
        assert_eq!(route("route=config").as_deref(), Some("/api/enterprise-wechat/config"));
        assert_eq!(route("route=/api/enterprise-wechat/config").as_deref(), Some("/api/enterprise-wechat/config"));
    }
}
