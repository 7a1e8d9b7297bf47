//! `handovers`, `transfer` and `transfer-history`, as far as they are looked at or begun.

use crate::{
    admin::{
        handovers,
        openapi::{
            operation::{Answer, Body, Content, Operation, Tag, say},
            parameter::{CURSOR, LIMIT, Parameter, Value, path, query},
        },
        page::Page,
        problem::Code,
        transfer,
    },
    states::{HandoverState, ItemKind, ItemState},
    tables::handover::{HandoverRow, Item, Transfer, Turned},
};

pub(super) const ID: Parameter = path("id", Value::Number, "The handover's number.", "交接编号。");

const ITEM_STATE: Parameter =
    query("state", Value::OneOf(|| ItemState::WORDS.to_vec()), "Only those in this state.", "交接项状态。");

pub(super) const LIST: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("List handovers", "列出交接"),
    about: say("Latest first.", "按时间倒序。"),
    query: &[
        query("state", Value::OneOf(|| HandoverState::WORDS.to_vec()), "Only those in this state.", "交接状态。"),
        query("staff_id", Value::Text("E-001"), "Only of this staff member.", "原员工编号。"),
        query("wechat_userid", Value::Text("zhangsan"), "Only of this member.", "原成员 userid。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<HandoverRow>>(200, "A page of handovers.", "一页交接。")],
    ..Operation::NEW
};

pub(super) const SHOW: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Show a handover and what is left behind", "查看交接与待交接清单"),
    about: say("The first of everything; the lists have the rest.", "各类仅返回前若干条，其余请查询相应列表。"),
    path: Some(ID),
    answers: &[Answer::json::<handovers::Shown>(200, "The handover.", "交接详情。")],
    codes: &[Code::HandoverUnknown],
    ..Operation::NEW
};

pub(super) const ITEMS: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("List a handover's items", "列出交接项"),
    path: Some(ID),
    query: &[
        query("kind", Value::OneOf(|| ItemKind::WORDS.to_vec()), "Only customers, orders or groups.", "交接项类型。"),
        ITEM_STATE,
        query("successor", Value::Text("E-002"), "Only those that this staff member shall have.", "接替员工编号。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<Item>>(200, "A page of items.", "一页交接项。")],
    codes: &[Code::HandoverUnknown],
    ..Operation::NEW
};

pub(super) const ITEMS_CSV: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("A handover's items as a table", "导出交接项"),
    path: Some(ID),
    answers: &[Answer::new(200, "All items.", "全部交接项。", Content::Table)],
    codes: &[Code::HandoverUnknown, Code::HandoverState],
    ..Operation::NEW
};

pub(super) const LOG: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("List the turns that a handover took", "列出交接经过"),
    about: say("Each with who caused it, and why.", "每一步都记录操作者与原因。"),
    path: Some(ID),
    query: &[LIMIT, CURSOR],
    answers: &[Answer::json::<Page<Turned>>(200, "A page of turns.", "一页经过。")],
    codes: &[Code::HandoverUnknown],
    ..Operation::NEW
};

pub(super) const TRANSFER: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Hand customers from one staff member to another", "在职转接客户"),
    body: Some(Body::of::<transfer::Wish>()),
    answers: &[Answer::json::<transfer::Begun>(202, "It has begun.", "已开始转接。")],
    codes: &[Code::NotBound, Code::PlanBroken, Code::NothingToTransfer],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const HISTORY: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("List which customers went from whom to whom", "列出转接历史"),
    about: say("Latest first.", "按时间倒序。"),
    query: &[
        query("from", Value::Text("E-001"), "Only from this staff member.", "原员工编号。"),
        query("to", Value::Text("E-002"), "Only to this staff member.", "接替员工编号。"),
        query("customer", Value::Text("wmEXAMPLE"), "Only this external_userid.", "客户 external_userid。"),
        ITEM_STATE,
        query("since", Value::Time, "From then on.", "起始时间（含）。"),
        query("until", Value::Time, "Before then.", "截止时间（不含）。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<Transfer>>(200, "A page of transfers.", "一页转接记录。")],
    ..Operation::NEW
};
