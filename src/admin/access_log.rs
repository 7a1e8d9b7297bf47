//! `access-log`: who did what to which subject, as pages and as CSV. Asking for it is itself in it.

use chrono::SecondsFormat;
use sqlx::PgConnection;

use super::{
    call::{Answer, Call},
    contact_records::take_time,
    page::Paging,
    params::Params,
    problem::Problem,
};
use crate::tables::access_log::{self, Filter, Listed};

/// How many lines a CSV has at most: an answer is put together in memory. The next begins at its `x-next-cursor`.
const CSV_ROWS_MAX: usize = 10_000;

/// What every route begins with; a filter may leave it out.
const BASE: &str = "/api/enterprise-wechat/";

/// The CSV's first line.
const COLUMNS: &str = "id,at,token_id,who,role,method,route,subject,customer,status,times,request_id,address\r\n";

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let mut params = call.params()?;
    let csv = match params.take("format").as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Problem::parameter("format", "must be json or csv")),
    };
    let filter = filter(&mut params)?;
    let paging = match csv {
        true => Paging::take_up_to(&mut params, CSV_ROWS_MAX)?,
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
    let text: String = std::iter::once(COLUMNS.to_owned()).chain(page.items.iter().map(line)).collect();
    let mut answer = Answer::file(200, "text/csv; charset=utf-8".to_owned(), text.into());
    answer.headers.push(("content-disposition", "attachment; filename=\"access-log.csv\"".to_owned()));
    answer.headers.extend(page.next_cursor.map(|it| ("x-next-cursor", it)));
    Ok(answer)
}

fn filter(params: &mut Params) -> Result<Filter, Problem> {
    let status = params.take("status").map(|text| text.parse()).transpose();
    let status = status.map_err(|_| Problem::parameter("status", "must be an HTTP status, such as 403"))?;
    let route = params.take("route").map(|it| if it.starts_with('/') { it } else { format!("{BASE}{it}") });
    let (since, until) = (take_time(params, "since")?, take_time(params, "until")?);
    let (who, subject, customer) = (params.take("who"), params.take("subject"), params.take("customer"));
    Ok(Filter { who, route, subject, customer, status, since, until, before: None })
}

fn line(row: &Listed) -> String {
    let cells = [
        row.id.to_string(),
        row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        row.token_id.map(|it| it.to_string()).unwrap_or_default(),
        cell(&row.who),
        cell(&row.role),
        cell(&row.method),
        cell(&row.route),
        cell(&row.subject),
        cell(&row.customer),
        row.status.to_string(),
        row.times.to_string(),
        row.request_id.to_string(),
        cell(&row.address),
    ];
    cells.join(",") + "\r\n"
}

/// A cell, quoted if it must be. What a spreadsheet would take for a formula is marked as text: callers choose
/// subjects, and an administrator opens the file.
fn cell(text: &str) -> String {
    let formula = text.len() > 1 && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        assert_eq!(cell("C-1001"), "C-1001");
        assert_eq!(cell("-"), "-");
        assert_eq!(cell("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
        assert_eq!(cell("=HYPERLINK(\"x\",1)"), "\"'=HYPERLINK(\"\"x\"\",1)\"");
        assert_eq!(cell("+8613800000000"), "'+8613800000000");
    }

    #[test]
    fn a_route_may_be_given_without_what_they_all_begin_with() {
        let route = |query: &str| filter(&mut Params::parse(query).expect("good")).expect("a filter").route;
        assert_eq!(route("route=config").as_deref(), Some("/api/enterprise-wechat/config"));
        assert_eq!(route("route=/api/enterprise-wechat/config").as_deref(), Some("/api/enterprise-wechat/config"));
    }
}
