//! `access-log`: who did what to which subject, as pages and as CSV. Reading it is logged in it as well.

use chrono::SecondsFormat;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{
            cursor::{Page, Paging},
            sheet::Sheet,
            time::take_time,
        },
        spec::{
            language::say,
            operation::{Content, Operation, Response, TABLE_GOES_ON, Tag, schema_of},
            parameter::{Allowed, CURSOR, FORMAT, LIMIT_DEFAULT, STATUSES, limit, query},
            params::Params,
            problem::Problem,
            route::{ADMIN, Route, now},
        },
    },
    tables::access::access_log::{self, AccessLogRow, Filter},
};

/// How many lines a CSV has at most, because the answer is built in memory. The next part begins at its
/// `x-next-cursor`.
pub(super) const CSV_ROWS_MAX: usize = 10_000;

/// The range of HTTP statuses.
/// The beginning of every route's path; a filter may leave it out.
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

pub(super) const LIST: Route = Route {
    id: "accessLogList",
    method: "GET",
    path: "/api/enterprise-wechat/access-log",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(list),
    operation: Operation {
        about: say(
            "Latest first. Every request is in it, this one included; strangers by their number and minute.",
            "按时间倒序。每个请求（包括本次查询）都有记录；未通过验证的请求按分钟汇总。",
        ),
        query: &[
            query("who", Allowed::Text("crm"), "Only by whom this token was made for.", "令牌名称。"),
            query("route", Allowed::Text("work-orders"), "Only on this route, by its pattern.", "路由。"),
            query("subject", Allowed::Text("E-001"), "Only about this subject.", "对象。"),
            query("customer", Allowed::Text("C-9001"), "Only about this customer.", "客户。"),
            query("status", Allowed::Status, "Only those answered so.", "响应状态码。"),
            query("since", Allowed::Time, "From then on.", "起始时间（含）。"),
            query("until", Allowed::Time, "Before then.", "截止时间（不含）。"),
            FORMAT,
            limit(LIMIT_DEFAULT, CSV_ROWS_MAX),
            CURSOR,
        ],
        answers: &[Response::new(200, "Lines.", "日志。", Content::JsonOrTable(schema_of::<Page<AccessLogRow>>))
            .with(TABLE_GOES_ON)],
        ..Operation::new(Tag::Access, "List who did what", "查询访问日志")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    let mut params = call.params()?;
    let csv = params.take("format").as_deref() == Some("csv");
    let filter = filter(&mut params)?;
    let paging = match csv {
        true => Paging::take_up_to(&mut params, CSV_ROWS_MAX, CSV_ROWS_MAX)?,
        false => Paging::take(&mut params)?,
    };
    params.finish()?;
    // Reading the lines about a customer is itself about that customer.
    let about = filter.subject.as_ref().or(filter.customer.as_ref()).or(filter.who.as_ref());
    let about =
        About::thing(about.cloned().unwrap_or_default()).of_customer(filter.customer.clone().unwrap_or_default());
    let answer = async {
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
    };
    about.answers(answer.await)
}

fn filter(params: &mut Params) -> Result<Filter, Problem> {
    let status = params.take("status").map(|text| {
        let status = text.parse().ok().filter(|status| STATUSES.contains(status));
        status.ok_or_else(|| {
            Problem::parameter("status", ("must be an HTTP status, such as 403", "须为 HTTP 状态码，如 403"))
        })
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
    fn the_route_filter_works_with_and_without_the_common_prefix() {
        let route = |query: &str| filter(&mut Params::parse(query).expect("good")).expect("a filter").route;
        assert_eq!(route("route=config").as_deref(), Some("/api/enterprise-wechat/config"));
        assert_eq!(route("route=/api/enterprise-wechat/config").as_deref(), Some("/api/enterprise-wechat/config"));
    }
}
