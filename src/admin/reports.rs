//! `reports/{name}`: what the views of schema `reporting` show of some days, as JSON in pages or as a table for
//! spreadsheets.
//!
//! The name of a report chooses among the views that are known here; it never comes into a statement.

use chrono::{Days, NaiveDate};
use sqlx::PgConnection;
use tokio::sync::Semaphore;

use super::{
    auth::not_own,
    call::{Answer, Call},
    page::Paging,
    params::Params,
    problem::{Code, Problem},
    sheet::{self, CSV},
};
use crate::tables::reports::report::{self, Filter, Row, RowPosition};

/// How many days a report covers unless the caller says otherwise: today and the six before.
const DAYS_DEFAULT: u64 = 6;

/// How many days a report covers at most.
const DAYS_MAX: i64 = 366;

/// How many rows a table for spreadsheets has at most, and unless the caller says otherwise. They are held in memory.
pub(super) const TABLE_ROWS_MAX: usize = 50_000;

/// How many reports a process makes at once. Each may take a minute, and holds a connection that others wait for.
static TURNS: Semaphore = Semaphore::const_new(2);

/// When it is worth asking again, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// PostgreSQL's name for a statement that took too long.
const QUERY_CANCELED: &str = "57014";

/// Every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    ContactsByStaffDay,
    FirstResponseTime,
    AdditionsAndLosses,
    WorkOrderFunnel,
    HandoverOutcomes,
    MessageVolumes,
    UnmatchedCustomers,
}

pub(super) const REPORTS: [(&str, Report); 7] = [
    ("contacts_by_staff_day", Report::ContactsByStaffDay),
    ("first_response_time", Report::FirstResponseTime),
    ("additions_and_losses", Report::AdditionsAndLosses),
    ("work_order_funnel", Report::WorkOrderFunnel),
    ("handover_outcomes", Report::HandoverOutcomes),
    ("message_volumes", Report::MessageVolumes),
    ("unmatched_customers", Report::UnmatchedCustomers),
];

/// What is asked of a report.
struct Wanted {
    /// The report's name, for a file.
    name: String,
    filter: Filter,
    paging: Paging,
    table: bool,
}

pub(super) async fn show(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let report = REPORTS.iter().find(|(name, _)| *name == call.id).map(|(_, report)| *report).ok_or_else(|| {
        let names = REPORTS.map(|(name, _)| name).join(", ");
        Problem::new(Code::ReportUnknown, format!("the reports are {names}"))
    })?;
    if call.own().is_some() && report == Report::MessageVolumes {
        return Err(not_own("this counts everybody's messages"));
    }
    let wanted = Wanted::read(call, report, report::today(conn).await?)?;
    let Ok(_turn) = TURNS.try_acquire() else {
        let detail = "two reports are being made already: ask again in a moment. 正在生成其他报表,请稍后再试。";
        return Err(Problem::new(Code::TooManyRequests, detail).with_header("retry-after", RETRY_AFTER_S.to_string()));
    };
    report::prepare(conn).await?;
    let (filter, fetch) = (&wanted.filter, wanted.paging.fetch());
    match report {
        Report::ContactsByStaffDay => wanted.answer(report::contacts_by_staff_day(conn, filter, fetch).await),
        Report::FirstResponseTime => wanted.answer(report::first_response_time(conn, filter, fetch).await),
        Report::AdditionsAndLosses => wanted.answer(report::additions_and_losses(conn, filter, fetch).await),
        Report::WorkOrderFunnel => wanted.answer(report::work_order_funnel(conn, filter, fetch).await),
        Report::HandoverOutcomes => wanted.answer(report::handover_outcomes(conn, filter, fetch).await),
        Report::MessageVolumes => wanted.answer(report::message_volumes(conn, filter, fetch).await),
        Report::UnmatchedCustomers => wanted.answer(report::unmatched_customers(conn, filter, fetch).await),
    }
}

impl Wanted {
    fn read(call: &Call<'_>, report: Report, today: NaiveDate) -> Result<Self, Problem> {
        let mut params = call.params()?;
        let until = take_day(&mut params, "until")?;
        let since = take_day(&mut params, "since")?;
        let until = until.unwrap_or(today);
        let since = since.unwrap_or_else(|| until.checked_sub_days(Days::new(DAYS_DEFAULT)).unwrap_or(until));
        if !(0..DAYS_MAX).contains(&until.signed_duration_since(since).num_days()) {
            return Err(Problem::parameter("since", format!("must lie before `until`, by less than {DAYS_MAX} days")));
        }
        let table = match params.take("format").as_deref() {
            None => call.request.accept.as_deref().is_some_and(prefers_csv),
            Some(format) => format == "csv",
        };
        let staff_id = params.take("staff_id");
        if report == Report::MessageVolumes && staff_id.is_some() {
            return Err(Problem::parameter("staff_id", "is not a parameter here: messages by type are nobody's own"));
        }
        let paging = match table {
            true => Paging::take_up_to(&mut params, TABLE_ROWS_MAX, TABLE_ROWS_MAX)?,
            false => Paging::take(&mut params)?,
        };
        params.finish()?;
        let after = paging.after(read_place)?;
        let filter = Filter { since, until, staff_id, own: call.own().cloned(), after };
        Ok(Self { name: call.id.to_owned(), filter, paging, table })
    }

    /// What was found, as a page or as a table.
    fn answer<R: Row>(&self, rows: sqlx::Result<Vec<R>>) -> Result<Answer, Problem> {
        let page = self.paging.page(rows.map_err(too_long)?, |row| write_place(&row.place()));
        match self.table {
            true => sheet::of_rows(&page.items)?.answer(&self.name, page.next_cursor),
            false => Answer::ok(page),
        }
    }
}

/// Takes a day as a report counts them, `2026-01-31`.
fn take_day(params: &mut Params, name: &str) -> Result<Option<NaiveDate>, Problem> {
    let Some(text) = params.take(name) else { return Ok(None) };
    let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().filter(|_| text.len() == "2026-01-31".len());
    day.map(Some).ok_or_else(|| Problem::parameter(name, "must be a day of Asia/Shanghai, such as 2026-01-31"))
}

/// Whether a caller's `Accept` names a table, and no other form before it.
fn prefers_csv(accept: &str) -> bool {
    let mut forms = accept.split(',').filter_map(|it| it.split(';').next()).map(str::trim);
    let known = ["*/*", "application/*", "application/json", CSV];
    let wanted = forms.find_map(|form| known.iter().find(|it| it.eq_ignore_ascii_case(form)));
    wanted == Some(&CSV)
}

fn too_long(error: sqlx::Error) -> Problem {
    let canceled = error.as_database_error().is_some_and(|it| it.code().as_deref() == Some(QUERY_CANCELED));
    if canceled {
        Problem::parameter("since", "asks for more than can be counted in a minute: ask for fewer days")
    } else {
        error.into()
    }
}

fn write_place((day, first, second): &RowPosition) -> String {
    format!("{day}\n{first}\n{second}")
}

fn read_place(key: &str) -> Option<RowPosition> {
    let mut parts = key.splitn(3, '\n');
    let day = parts.next()?.parse().ok()?;
    Some((day, parts.next()?.to_owned(), parts.next().filter(|it| !it.contains('\0'))?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_a_table_first_gets_one() {
        for (accept, expected) in [
            ("text/csv", true),
            ("text/csv;q=0.9, */*", true),
            ("text/html, text/csv", true),
            ("application/json, text/csv", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(prefers_csv(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_place_in_a_report_reads_back_and_a_foreign_one_does_not() {
        let place = (NaiveDate::from_ymd_opt(2026, 1, 31).expect("a day"), "ww1".to_owned(), "wm 1".to_owned());
        assert_eq!(read_place(&write_place(&place)), Some(place));
        for foreign in ["", "2026-01-31", "2026-01-31\nww1", "31.1.\na\nb", "2026-01-31\na\nb\0"] {
            assert_eq!(read_place(foreign), None, "{foreign}");
        }
    }
}
