//! `reports/{name}`.

use crate::{
    admin::{
        openapi::{
            Text,
            operation::{Answer, Content, Operation, Tag, say, schema_of},
            parameter::{CURSOR, FORMAT, Value, limit, path, query},
        },
        page::{LIMIT_DEFAULT, Page},
        problem::Code,
        reports::{REPORTS, TABLE_ROWS_MAX},
    },
    tables::reports::report::{
        AdditionsAndLosses, ContactsByStaffDay, FirstResponseTime, HandoverOutcomes, MessageVolumes,
        UnmatchedCustomers, WorkOrderFunnel,
    },
};

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
}

pub(super) const SHOW: Operation = Operation {
    tag: Tag::Reports,
    summary: say("Show what a reporting view says of some days", "查询报表"),
    about: say(
        "The last seven days unless others are asked for, at most 366. Two reports at once are made in each process; \
         whoever asks for a third is told to come back.",
        "默认最近七天，最多 366 天。每个进程同时生成两份报表，超出时请稍后再试。",
    ),
    path: Some(path(
        "name",
        Value::OneOf(|| REPORTS.iter().map(|(name, _)| *name).collect()),
        "The view in schema `reporting`.",
        "`reporting` 模式中的视图名。",
    )),
    query: &[
        query("since", Value::Day, "The first day, in Asia/Shanghai.", "首日（北京时间）。"),
        query("until", Value::Day, "The last day, in Asia/Shanghai.", "末日（北京时间）。"),
        query(
            "staff_id",
            Value::Text("E-001"),
            "Only of this staff member; not with message_volumes, which are nobody's own.",
            "员工编号；message_volumes 不支持。",
        ),
        FORMAT,
        limit(LIMIT_DEFAULT, TABLE_ROWS_MAX),
        CURSOR,
    ],
    answers: &[Answer::new(200, "The report.", "报表。", Content::JsonOrTable(schema_of::<AnyReport>)).with(NEXT)],
    codes: &[Code::ReportUnknown],
    ..Operation::NEW
};

/// Where a table goes on.
pub(super) const NEXT: &[(&str, Text)] = &[(
    "x-next-cursor",
    say("Of a table: where it goes on; not there on the last.", "CSV 的下一页起点；最后一页没有。"),
)];
