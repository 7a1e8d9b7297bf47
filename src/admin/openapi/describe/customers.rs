//! `customer-contact`, `contact-records`, `customer-matches` and `media`.

use crate::{
    admin::{
        contact_records, customer_contact, customer_matches,
        openapi::{
            operation::{Answer, Body, Content, Header, Operation, Tag, say},
            parameter::{CURSOR, FLAG, LIMIT, Parameter, Value, path, query},
        },
        page::Page,
        problem::Code,
    },
    states::ContactType,
    tables::{customers::customer_match, records::wechat_contact_record},
};

const CUSTOMER: Parameter = path(
    "customerId",
    Value::Text("C-9001"),
    "The business's id of a matched customer, or WeCom's external_userid.",
    "已匹配客户的业务编号，或企业微信的 external_userid。",
);

pub(super) const SHOW: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Show who knows a customer", "查询客户的联系情况"),
    about: say(
        "Contacts, work orders, codes, and people who may be this customer; at most 200 of each.",
        "返回联系人、工单、联系二维码以及待确认的匹配，各最多 200 条。",
    ),
    path: Some(CUSTOMER),
    answers: &[Answer::json::<customer_contact::Contacts>(200, "What is known.", "已知信息。")],
    codes: &[Code::CustomerUnknown],
    ..Operation::NEW
};

pub(super) const MAKE: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Give out the code that brings a customer to a staff member", "生成客户联系二维码"),
    about: say(
        "Asked again for the same purpose, it gives out the same code while that can be used.",
        "同一用途重复请求时，在有效期内返回同一个二维码。",
    ),
    body: Some(Body::of::<customer_contact::Wanted>()),
    answers: &[Answer::json::<customer_contact::Made>(200, "The code.", "二维码。")],
    codes: &[Code::CustomerUnknown, Code::NotBound, Code::WorkOrderUnknown, Code::ContactWayUnknown],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const PICTURE: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Show such a code as a picture", "以图片返回二维码"),
    about: say(
        "WeCom is asked for the code where it did not say the picture's address when it made it.",
        "企业微信创建时未返回图片地址的，会再次向企业微信查询。",
    ),
    path: Some(path("state", Value::Text("way_8QFqFbGzR0mYV1xN3pTt2w"), "The code's state.", "二维码的 state。")),
    answers: &[Answer::new(200, "A code that leads to WeCom's.", "二维码图片。", Content::Png)],
    codes: &[Code::ContactWayUnknown],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const RECORDS: Operation = Operation {
    tag: Tag::Customers,
    summary: say("List what passed between a customer and us", "列出联系记录"),
    about: say("Latest first.", "按时间倒序。"),
    path: Some(CUSTOMER),
    query: &[
        query("type", Value::OneOf(|| ContactType::WORDS.to_vec()), "Only of this type.", "记录类型。"),
        query("from", Value::Time, "From then on.", "起始时间（含）。"),
        query("to", Value::Time, "Before then.", "截止时间（不含）。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<contact_records::Listed>>(200, "A page of records.", "一页记录。")],
    ..Operation::NEW
};

pub(super) const ADD_RECORD: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Add a record by hand", "手工补录联系记录"),
    body: Some(Body::of::<contact_records::Wanted>()),
    answers: &[Answer::json::<wechat_contact_record::RecordView>(201, "The record.", "新增的记录。")],
    codes: &[Code::CustomerUnknown, Code::NotBound],
    ..Operation::NEW
};

pub(super) const MATCHES: Operation = Operation {
    tag: Tag::Customers,
    summary: say("List people who may be one of several customers", "列出待确认的客户匹配"),
    query: &[
        query("decided", FLAG, "Those that were decided, instead of those that were not.", "true 返回已确认的。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<customer_match::MatchRow>>(200, "A page of them.", "一页匹配。")],
    ..Operation::NEW
};

pub(super) const DECIDE: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Decide which customer a person is", "确认客户匹配"),
    path: Some(path("id", Value::Number, "The match's number.", "匹配编号。")),
    body: Some(Body::of::<customer_matches::Decision>()),
    answers: &[Answer::json::<customer_match::MatchRow>(200, "It as decided.", "已确认。")],
    codes: &[Code::CustomerMatchUnknown],
    ..Operation::NEW
};

pub(super) const MEDIA: Operation = Operation {
    tag: Tag::Customers,
    summary: say("Hand out a message's picture, sound, film or file", "获取消息中的图片、语音、视频或文件"),
    about: say(
        "What a browser merely shows keeps its type; all else is a download without one.",
        "浏览器可安全显示的类型保留其类型，其余作为附件下载。",
    ),
    path: Some(path(
        "id",
        Value::Text("1G6nrLmr5EC3MMb_-zK1dDdzmd0p7cNliYu9V5w7o8K0"),
        "WeCom's media id.",
        "媒体 ID。",
    )),
    headers: &[Header::Range],
    answers: &[
        Answer::new(200, "The whole of it.", "完整内容。", Content::Media).with(FILE),
        Answer::new(206, "The part that was asked for.", "请求的部分内容。", Content::Media).with(PART),
    ],
    codes: &[
        Code::MediaWaiting,
        Code::MediaGone,
        Code::MediaUnknown,
        Code::RangeNotSatisfiable,
        Code::MediaUnavailable,
    ],
    ..Operation::NEW
};

const DISPOSITION: (&str, crate::admin::openapi::Text) =
    ("content-disposition", say("Whether to show it, and under which name to save it.", "展示方式与文件名。"));

const TAG: (&str, crate::admin::openapi::Text) = ("etag", say("The SHA-256 of the whole.", "完整内容的 SHA-256。"));

const FILE: &[(&str, crate::admin::openapi::Text)] = &[DISPOSITION, TAG];

const PART: &[(&str, crate::admin::openapi::Text)] =
    &[DISPOSITION, TAG, ("content-range", say("Which bytes of how many.", "字节范围。"))];
