//! `resignations`.

use crate::{
    admin::{
        openapi::{
            operation::{Answer, Body, Operation, Tag, say},
            parameter::{CURSOR, LIMIT, Parameter, Value, path, query},
        },
        page::Page,
        problem::Code,
        resignations,
    },
    states::ResignationState,
    tables::staff::resignation::Resignation,
};

const ID: Parameter = path("id", Value::Number, "The resignation's number.", "离职申请编号。");

const STANDS: Answer = Answer::json::<Resignation>(200, "The resignation as it stands now.", "离职申请的当前状态。");

/// What deciding has in common.
const DECISION: Operation = Operation {
    tag: Tag::Resignations,
    path: Some(ID),
    body: Some(Body::perhaps::<resignations::Decision>()),
    answers: &[STANDS],
    codes: &[Code::ResignationUnknown, Code::ResignationState],
    ..Operation::NEW
};

pub(super) const LIST: Operation = Operation {
    tag: Tag::Resignations,
    summary: say("List resignations", "列出离职申请"),
    about: say("Latest first.", "按时间倒序。"),
    query: &[
        query("state", Value::OneOf(|| ResignationState::WORDS.to_vec()), "Only those in this state.", "申请状态。"),
        query("staff_id", Value::Text("E-001"), "Only of this staff member.", "员工编号。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<Resignation>>(200, "A page of resignations.", "一页离职申请。")],
    ..Operation::NEW
};

pub(super) const ADD: Operation = Operation {
    tag: Tag::Resignations,
    summary: say("Enter a resignation", "登记离职申请"),
    body: Some(Body::of::<resignations::Wanted>()),
    answers: &[Answer::json::<Resignation>(201, "The resignation.", "新登记的离职申请。")],
    codes: &[Code::NotBound, Code::AlreadyOpen],
    ..Operation::NEW
};

pub(super) const SHOW: Operation = Operation {
    tag: Tag::Resignations,
    summary: say("Show a resignation", "查看离职申请"),
    path: Some(ID),
    answers: &[STANDS],
    codes: &[Code::ResignationUnknown],
    ..Operation::NEW
};

pub(super) const APPROVE: Operation = Operation {
    summary: say("Approve a resignation", "批准离职申请"),
    about: say("A handover begins before the last day.", "批准后，在离职日之前即开始交接。"),
    ..DECISION
};

pub(super) const REFUSE: Operation =
    Operation { summary: say("Refuse a resignation", "驳回离职申请"), ..DECISION };

pub(super) const CANCEL: Operation = Operation {
    summary: say("Withdraw a resignation", "撤回离职申请"),
    about: say("The handover that it led to is called off.", "由其发起的交接一并取消。"),
    ..DECISION
};
