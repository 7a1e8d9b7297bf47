//! `reports/{name}`: the rows of a view of schema `reporting` for some days, as JSON in pages or as a table for
//! spreadsheets.
//!
//! The name of a report selects one of the known views; it never becomes part of a statement.

use chrono::{Days, NaiveDate};
use sqlx::PgConnection;
use tokio::sync::Semaphore;

use crate::{
    admin::{
        door::{
            auth::{Scoped, not_own},
            call::{Answer, Call},
        },
        reading::{
            cursor::{Page, Paging},
            sheet::{self, CSV},
        },
        spec::{
            language::say,
            operation::{Content, Operation, Response, TABLE_GOES_ON, Tag, schema_of},
            parameter::{Allowed, CURSOR, FORMAT, LIMIT_DEFAULT, limit, path, query},
            params::Params,
            problem::{Code, Problem},
            route::{Route, VIEWER, by_path},
        },
    },
    tables::{
        company::department,
        reports::report::{
            self, AdditionsAndLosses, ContactsByStaffDay, ContactsByTag, Filter, FirstResponseTime, GroupActivity,
            HandoverOutcomes, MessageVolumes, Row, RowPosition, UnmatchedCustomers, WorkOrderFunnel,
        },
    },
};

/// How many days a report covers by default: today and the six before.
const DAYS_DEFAULT: u64 = 6;

/// How many days a report covers at most.
const DAYS_MAX: i64 = 366;

/// How many rows a table for spreadsheets has at most, and by default. They are held in memory.
pub(super) const TABLE_ROWS_MAX: usize = 50_000;

/// How many reports a process makes at once. Each may take a minute and holds a connection that others need.
static TURNS: Semaphore = Semaphore::const_new(2);

/// The `Retry-After` of a refused report, in seconds.
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
    ContactsByTag,
    GroupActivity,
}

pub(super) const REPORTS: [(&str, Report); 9] = [
    ("contacts_by_staff_day", Report::ContactsByStaffDay),
    ("first_response_time", Report::FirstResponseTime),
    ("additions_and_losses", Report::AdditionsAndLosses),
    ("work_order_funnel", Report::WorkOrderFunnel),
    ("handover_outcomes", Report::HandoverOutcomes),
    ("message_volumes", Report::MessageVolumes),
    ("unmatched_customers", Report::UnmatchedCustomers),
    ("contacts_by_tag", Report::ContactsByTag),
    ("group_activity", Report::GroupActivity),
];

/// What is asked of a report.
struct ReportQuery {
    /// The report's name, for a file.
    name: String,
    filter: Filter,
    /// The department, before those below it are looked up.
    department: Option<i64>,
    paging: Paging,
    table: bool,
}

/// A page of one report or another: the name says which.
#[derive(schemars::JsonSchema)]
#[schemars(untagged, rename = "AnyReport")]
#[expect(dead_code, reason = "only its shape is used, by the API's description")]
enum AnyReport {
    ContactsByStaffDay(Page<ContactsByStaffDay>),
    FirstResponseTime(Page<FirstResponseTime>),
    AdditionsAndLosses(Page<AdditionsAndLosses>),
    WorkOrderFunnel(Page<WorkOrderFunnel>),
    HandoverOutcomes(Page<HandoverOutcomes>),
    MessageVolumes(Page<MessageVolumes>),
    UnmatchedCustomers(Page<UnmatchedCustomers>),
    ContactsByTag(Page<ContactsByTag>),
    GroupActivity(Page<GroupActivity>),
}

pub(super) const SHOW: Route = Route {
    id: "reportShow",
    method: "GET",
    path: "/api/enterprise-wechat/reports/{name}",
    access: VIEWER,
    scoped: Scoped::Own,
    secret_answer: false,
    run: by_path!(show),
    operation: Operation {
        about: say(
            "The last seven days unless others are asked for, at most 366. Two reports at once are made in each process; \
             whoever asks for a third is told to come back.",
            "默认最近七天，最多 366 天。每个进程同时生成两份报表，超出时请稍后再试。",
        ),
        path: Some(path(
            "name",
            Allowed::OneOf(|| REPORTS.iter().map(|(name, _)| *name).collect()),
            "The view in schema `reporting`.",
            "`reporting` 模式中的视图名。",
        )),
        query: &[
            query("since", Allowed::Day, "The first day, in Asia/Shanghai.", "首日（北京时间）。"),
            query("until", Allowed::Day, "The last day, in Asia/Shanghai.", "末日（北京时间）。"),
            query(
                "staff_id",
                Allowed::Text("E-001"),
                "Only of this staff member; not with message_volumes, which are nobody's own.",
                "员工编号；message_volumes 不支持。",
            ),
            query(
                "department",
                Allowed::Number,
                "Only of members of this department, or of one below it; not with message_volumes.",
                "部门编号，包含下级部门；message_volumes 不支持。",
            ),
            query(
                "tag",
                Allowed::Text("etEXAMPLEtag0001"),
                "Only of contacts that carry this tag; with unmatched_customers and contacts_by_tag.",
                "企业标签 ID；仅 unmatched_customers 和 contacts_by_tag 支持。",
            ),
            FORMAT,
            limit(LIMIT_DEFAULT, TABLE_ROWS_MAX),
            CURSOR,
        ],
        answers: &[Response::new(200, "The report.", "报表。", Content::JsonOrTable(schema_of::<AnyReport>))
            .with(TABLE_GOES_ON)],
        codes: &[Code::ReportUnknown],
        ..Operation::new(Tag::Reports, "Show what a reporting view says of some days", "查询报表")
    },
};

pub(super) async fn show(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let report = REPORTS.iter().find(|(name, _)| *name == call.id).map(|(_, report)| *report).ok_or_else(|| {
        let names = REPORTS.map(|(name, _)| name).join(", ");
        Problem::new(Code::ReportUnknown, (format!("the reports are {names}"), format!("现有报表：{names}")))
    })?;
    if call.own().is_some() && report == Report::MessageVolumes {
        return Err(not_own(("this counts everybody's messages", "该报表统计所有人的消息")));
    }
    let mut wanted = ReportQuery::read(call, report, report::today(conn).await?)?;
    if let Some(department) = wanted.department {
        let corp = call.own().map(|it| it.corpid.as_str());
        wanted.filter.departments = Some(department::below(conn, corp, department).await?);
    }
    let Ok(_turn) = TURNS.try_acquire() else {
        let detail = ("two reports are being made already: ask again in a moment", "正在生成其他报表，请稍后再试");
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
        Report::ContactsByTag => wanted.answer(report::contacts_by_tag(conn, filter, fetch).await),
        Report::GroupActivity => wanted.answer(report::group_activity(conn, filter, fetch).await),
    }
}

impl ReportQuery {
    fn read(call: &Call<'_>, report: Report, today: NaiveDate) -> Result<Self, Problem> {
        let mut params = call.params()?;
        let until = take_day(&mut params, "until")?;
        let since = take_day(&mut params, "since")?;
        let until = until.unwrap_or(today);
        let since = since.unwrap_or_else(|| until.checked_sub_days(Days::new(DAYS_DEFAULT)).unwrap_or(until));
        if !(0..DAYS_MAX).contains(&until.signed_duration_since(since).num_days()) {
            return Err(Problem::parameter(
                "since",
                (
                    format!("must lie before `until`, by less than {DAYS_MAX} days"),
                    format!("须早于 `until`，且相差不到 {DAYS_MAX} 天"),
                ),
            ));
        }
        let table = match params.take("format").as_deref() {
            None => call.request.accept.as_deref().is_some_and(prefers_csv),
            Some(format) => format == "csv",
        };
        let (staff_id, department, tag) = (params.take("staff_id"), params.take("department"), params.take("tag"));
        for (name, given) in [("staff_id", &staff_id), ("department", &department)] {
            if report == Report::MessageVolumes && given.is_some() {
                let why = (
                    "is not a parameter here: messages by type are nobody's own",
                    "此处不支持该参数：按类型统计的消息不区分员工",
                );
                return Err(Problem::parameter(name, why));
            }
        }
        if !matches!(report, Report::UnmatchedCustomers | Report::ContactsByTag) && tag.is_some() {
            let why =
                ("is not a parameter here: its rows are about no contact", "此处不支持该参数：报表的行不是联系人");
            return Err(Problem::parameter("tag", why));
        }
        let number = |text: String| text.parse().ok().filter(|number| *number > 0).ok_or_else(not_a_department);
        let department = department.map(number).transpose()?;
        let paging = match table {
            true => Paging::take_up_to(&mut params, TABLE_ROWS_MAX, TABLE_ROWS_MAX)?,
            false => Paging::take(&mut params)?,
        };
        params.finish()?;
        let after = paging.after(read_place)?;
        let filter = Filter { since, until, staff_id, departments: None, tag, own: call.own().cloned(), after };
        Ok(Self { name: call.id.to_owned(), filter, department, paging, table })
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

/// Takes a day of the reports' calendar, `2026-01-31`.
fn take_day(params: &mut Params, name: &str) -> Result<Option<NaiveDate>, Problem> {
    let Some(text) = params.take(name) else { return Ok(None) };
    let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().filter(|_| text.len() == "2026-01-31".len());
    day.map(Some).ok_or_else(|| {
        Problem::parameter(
            name,
            ("must be a day of Asia/Shanghai, such as 2026-01-31", "须为日期（Asia/Shanghai），如 2026-01-31"),
        )
    })
}

/// Whether a caller's `Accept` names a table before any other form.
fn prefers_csv(accept: &str) -> bool {
    let mut forms = accept.split(',').filter_map(|it| it.split(';').next()).map(str::trim);
    let known = ["*/*", "application/*", "application/json", CSV];
    let wanted = forms.find_map(|form| known.iter().find(|it| it.eq_ignore_ascii_case(form)));
    wanted == Some(&CSV)
}

fn not_a_department() -> Problem {
    let why = ("must be a department's number, as `GET departments` lists them", "须为部门编号，见 `GET departments`");
    Problem::parameter("department", why)
}

fn too_long(error: sqlx::Error) -> Problem {
    let canceled = error.as_database_error().is_some_and(|it| it.code().as_deref() == Some(QUERY_CANCELED));
    if canceled {
        Problem::parameter(
            "since",
            (
                "asks for more than can be counted in a minute: ask for fewer days",
                "统计范围过大，一分钟内无法完成，请减少天数",
            ),
        )
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
    fn csv_is_sent_if_the_accept_header_names_it_first() {
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
    fn the_report_cursor_reads_back_and_a_foreign_cursor_is_refused() {
        let place = (NaiveDate::from_ymd_opt(2026, 1, 31).expect("a day"), "ww1".to_owned(), "wm 1".to_owned());
        assert_eq!(read_place(&write_place(&place)), Some(place));
        for foreign in ["", "2026-01-31", "2026-01-31\nww1", "31.1.\na\nb", "2026-01-31\na\nb\0"] {
            assert_eq!(read_place(foreign), None, "{foreign}");
        }
    }
}
