//! `customers/{id}` and `erasures`.

use super::staff::CORPID;
use crate::{
    admin::{
        customers::{self, RECORDS_MAX},
        openapi::{
            Text,
            operation::{Answer, Content, Operation, Tag, say, schema_of},
            parameter::{CURSOR, LIMIT, Parameter, Value, limit, path, query},
        },
        page::Page,
        problem::Code,
    },
    tables::privacy::erasure,
};

/// Where an archive goes on.
const NEXT: &[(&str, Text)] =
    &[("x-next-cursor", say("Where an archive goes on, if it does.", "归档的下一页起点（如有）。"))];

const WHOM: Parameter = path(
    "id",
    Value::Text("C-9001"),
    "The business's id of a customer, or WeCom's external_userid of somebody.",
    "业务客户编号，或企业微信的 external_userid。",
);

pub(super) const EXPORT: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Export everything that is held about somebody", "导出某人的全部信息"),
    about: say(
        "PIPL, article 45. Rows of every table first, then records, then what WeCom sent, page by page: a page may be empty \
         and go on all the same. As an archive, files of records are in it, up to 64 MiB a page; others are links.",
        "个人信息保护法第四十五条。依次为各表数据、联系记录、企业微信推送的原文，分页返回，某页可能为空但仍有下一页。\
         归档格式每页最多包含 64 MiB 的文件，其余为链接。",
    ),
    path: Some(WHOM),
    query: &[
        query(
            "format",
            Value::OneOf(|| vec!["json", "tar"]),
            "As JSON, or as an archive with the files.",
            "JSON，或包含文件的 tar 归档。",
        ),
        limit(RECORDS_MAX, RECORDS_MAX),
        CURSOR,
        CORPID,
    ],
    answers: &[Answer::new(200, "A page.", "一页。", Content::JsonOrArchive(schema_of::<customers::Page>)).with(NEXT)],
    codes: &[Code::CustomerUnknown, Code::MediaUnavailable],
    ..Operation::NEW
};

pub(super) const ERASE: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Erase somebody", "删除某人的信息"),
    about: say(
        "PIPL, article 47. All tables at once; deliveries and files within moments. It cannot be undone.",
        "个人信息保护法第四十七条。各表立即删除，推送原文和文件随后清除。不可撤销。",
    ),
    path: Some(WHOM),
    query: &[CORPID],
    answers: &[
        Answer::json::<customers::Erased>(200, "Nothing is left to do.", "已全部完成。"),
        Answer::json::<customers::Erased>(202, "The rest follows.", "其余部分随后完成。"),
    ],
    codes: &[Code::CustomerUnknown],
    ..Operation::NEW
};

pub(super) const ERASURES: Operation = Operation {
    tag: Tag::Customers,
    summary: say("List erasures", "列出删除记录"),
    about: say(
        "Who asked for them and how far they are, not who was erased.",
        "谁要求的、进行到哪里，不含被删除的人。",
    ),
    query: &[LIMIT, CURSOR],
    answers: &[Answer::json::<Page<erasure::ErasureView>>(200, "A page of erasures.", "一页删除记录。")],
    ..Operation::NEW
};

pub(super) const SHOW_ERASURE: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Show an erasure", "查看删除记录"),
    path: Some(path("id", Value::Number, "The erasure's number.", "编号。")),
    answers: &[Answer::json::<erasure::ErasureView>(200, "How far it is.", "进度。")],
    codes: &[Code::ErasureUnknown],
    ..Operation::NEW
};
