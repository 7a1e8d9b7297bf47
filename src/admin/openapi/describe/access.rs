//! `api-tokens` and `access-log`.

use super::reports::NEXT;
use crate::{
    admin::{
        access_log::CSV_ROWS_MAX,
        api_tokens,
        openapi::{
            operation::{Answer, Body, Content, Operation, Tag, say, schema_of},
            parameter::{CURSOR, FORMAT, LIMIT, Value, limit, path, query},
        },
        page::{LIMIT_DEFAULT, Page},
        problem::Code,
    },
    tables::access::access_log::AccessLogRow,
};

pub(super) const LOG: Operation = Operation {
    tag: Tag::Access,
    summary: say("List who did what", "查询访问日志"),
    about: say(
        "Latest first. Every request is in it, this one included; strangers by their number and minute.",
        "按时间倒序。每个请求（包括本次查询）都有记录；未通过验证的请求按分钟汇总。",
    ),
    query: &[
        query("who", Value::Text("crm"), "Only by whom this token was made for.", "令牌名称。"),
        query("route", Value::Text("work-orders"), "Only on this route, by its pattern.", "路由。"),
        query("subject", Value::Text("E-001"), "Only about this subject.", "对象。"),
        query("customer", Value::Text("C-9001"), "Only about this customer.", "客户。"),
        query("status", Value::Status, "Only those answered so.", "响应状态码。"),
        query("since", Value::Time, "From then on.", "起始时间（含）。"),
        query("until", Value::Time, "Before then.", "截止时间（不含）。"),
        FORMAT,
        limit(LIMIT_DEFAULT, CSV_ROWS_MAX),
        CURSOR,
    ],
    answers: &[Answer::new(200, "Lines.", "日志。", Content::JsonOrTable(schema_of::<Page<AccessLogRow>>)).with(NEXT)],
    ..Operation::NEW
};

pub(super) const TOKENS: Operation = Operation {
    tag: Tag::Access,
    summary: say("List tokens", "列出令牌"),
    about: say("What they begin with, never the whole.", "仅显示令牌开头，不显示完整令牌。"),
    query: &[LIMIT, CURSOR],
    answers: &[Answer::json::<Page<api_tokens::Shown>>(200, "A page of tokens.", "一页令牌。")],
    ..Operation::NEW
};

pub(super) const ADD_TOKEN: Operation = Operation {
    tag: Tag::Access,
    summary: say("Make a token", "创建令牌"),
    about: say(
        "It is shown this once. An `Idempotency-Key` is refused: to repeat the answer, the token would have to be kept.",
        "令牌只在此时显示一次。不支持 `Idempotency-Key`，因为令牌本身不会保存。",
    ),
    body: Some(Body::of::<api_tokens::Wanted>()),
    answers: &[Answer::json::<api_tokens::Made>(201, "The token.", "新令牌。")],
    ..Operation::NEW
};

pub(super) const REVOKE_TOKEN: Operation = Operation {
    tag: Tag::Access,
    summary: say("End a token", "吊销令牌"),
    about: say("It ends in every process at once.", "在所有进程中立即失效。"),
    path: Some(path("id", Value::Number, "The token's number.", "令牌编号。")),
    answers: &[Answer::json::<api_tokens::Shown>(200, "The token that ended.", "已吊销的令牌。")],
    codes: &[Code::TokenUnknown],
    ..Operation::NEW
};
