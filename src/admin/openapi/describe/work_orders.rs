//! `work-orders`.

use crate::{
    admin::{
        openapi::{
            operation::{Answer, Body, Operation, Tag, say},
            parameter::{CURSOR, LIMIT, Parameter, Value, path, query},
        },
        page::Page,
        problem::Code,
        work_orders,
    },
    states::OrderState,
    tables::orders::work_order::Order,
};

const ID: Parameter = path("id", Value::Number, "The order's number.", "工单编号。");

pub(super) const LIST: Operation = Operation {
    tag: Tag::WorkOrders,
    summary: say("List work orders", "列出工单"),
    about: say("Latest first.", "按时间倒序。"),
    query: &[
        query("state", Value::OneOf(|| OrderState::WORDS.to_vec()), "Only those in this state.", "工单状态。"),
        query("staff_id", Value::Text("E-001"), "Only those that this staff member is in charge of.", "负责员工。"),
        query("customer_id", Value::Text("C-9001"), "Only those of this customer.", "客户编号。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<Order>>(200, "A page of orders.", "一页工单。")],
    ..Operation::NEW
};

pub(super) const ADD: Operation = Operation {
    tag: Tag::WorkOrders,
    summary: say("Add a work order", "新建工单"),
    body: Some(Body::of::<work_orders::Wanted>()),
    answers: &[Answer::json::<work_orders::Story>(201, "The order.", "新建的工单。")],
    ..Operation::NEW
};

pub(super) const SHOW: Operation = Operation {
    tag: Tag::WorkOrders,
    summary: say("Show a work order and what became of it", "查看工单及其经过"),
    path: Some(ID),
    answers: &[Answer::json::<work_orders::Story>(200, "The order.", "工单。")],
    codes: &[Code::WorkOrderUnknown],
    ..Operation::NEW
};

pub(super) const CHANGE: Operation = Operation {
    tag: Tag::WorkOrders,
    summary: say("Change who is in charge of a work order, or how far it is", "改派工单或变更状态"),
    about: say(
        "`version` is the one that you saw: if somebody else changed the order since, nothing happens.",
        "`version` 为您所见的版本；若他人已修改，则不执行。",
    ),
    path: Some(ID),
    body: Some(Body::of::<work_orders::Edit>()),
    answers: &[Answer::json::<work_orders::Story>(200, "The order as it is now.", "变更后的工单。")],
    codes: &[Code::WorkOrderUnknown, Code::NotBound, Code::MoveNotAllowed, Code::VersionConflict],
    ..Operation::NEW
};
