//! `deliveries`, `tasks` and `sync`: what WeCom sent, what must still be done with it, and whether both sides agree.

use super::staff::CORPID;
use crate::{
    admin::{
        deliveries,
        openapi::{
            operation::{Answer, Body, Operation, Tag, say},
            parameter::{CURSOR, LIMIT, Parameter, Value, path, query},
        },
        page::Page,
        problem::Code,
        sync, tasks,
    },
    inbox,
    states::{DeliveryState, DriftKind, TaskKind, TaskState},
    tables::{sync::sync_run, task},
};

const DELIVERY: Parameter = path(
    "id",
    Value::Text("1-1700000000-8f55d7db0f1f7b8a0f6f7d3a2b1c4e5f60718293a4b5c6d7e8f9011223344556"),
    "The delivery: `app-seconds-hash`, as the list shows it.",
    "回调编号，即列表中的 `app-seconds-hash`。",
);

const TASK: Parameter = path("id", Value::Number, "The task's number.", "任务编号。");

const RUN: Parameter = path("id", Value::Number, "The run's number.", "对账编号。");

pub(super) const LIST: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("List deliveries", "列出回调"),
    about: say("What WeCom sent, latest event first.", "企业微信推送的回调，按事件时间倒序。"),
    query: &[
        query("state", Value::OneOf(|| DeliveryState::WORDS.to_vec()), "Only those that stand so.", "处理状态。"),
        query("app", Value::Text("app"), "Only those of the app with this name.", "应用名称。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<inbox::Listed>>(200, "A page of deliveries.", "一页回调。")],
    ..Operation::NEW
};

pub(super) const SHOW: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("Show a delivery with its plaintext", "查看回调及其明文"),
    path: Some(DELIVERY),
    answers: &[Answer::json::<inbox::Shown>(200, "The delivery.", "回调。")],
    codes: &[Code::DeliveryUnknown],
    ..Operation::NEW
};

pub(super) const REPLAY: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("Queue a delivery again", "重新处理回调"),
    about: say("Recording it again changes nothing that is right.", "重复处理不会影响已正确的数据。"),
    path: Some(DELIVERY),
    answers: &[Answer::json::<deliveries::DeliveryQueued>(202, "It is queued.", "已排队。")],
    codes: &[Code::DeliveryUnknown],
    ..Operation::NEW
};

pub(super) const TASKS: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("List tasks", "列出任务"),
    about: say("What must still be done with WeCom, latest first.", "尚待与企业微信交互的任务，按时间倒序。"),
    query: &[
        query("kind", Value::OneOf(|| TaskKind::WORDS.to_vec()), "Only of this kind.", "任务类型。"),
        query("state", Value::OneOf(|| TaskState::WORDS.to_vec()), "Only those that stand so.", "任务状态。"),
        query("subject", Value::Text("wmEXAMPLE"), "Only about this.", "任务对象。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<task::TaskRow>>(200, "A page of tasks.", "一页任务。")],
    ..Operation::NEW
};

pub(super) const REPLAY_TASK: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("Make a task due now", "立即执行任务"),
    path: Some(TASK),
    answers: &[Answer::json::<tasks::TaskTurned>(202, "It is due.", "已到期待执行。")],
    codes: &[Code::TaskUnknown],
    ..Operation::NEW
};

pub(super) const CANCEL_TASK: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("Take a task away", "取消任务"),
    path: Some(TASK),
    answers: &[Answer::json::<tasks::TaskTurned>(200, "It is gone.", "已取消。")],
    codes: &[Code::TaskUnknown],
    ..Operation::NEW
};

pub(super) const RUNS: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("List runs of reconciling", "列出对账"),
    about: say("Latest first.", "按时间倒序。"),
    query: &[CORPID, LIMIT, CURSOR],
    answers: &[Answer::json::<Page<sync_run::RunView>>(200, "A page of runs.", "一页对账。")],
    ..Operation::NEW
};

pub(super) const SHOW_RUN: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("Show a run and what it found", "查看对账结果"),
    path: Some(RUN),
    query: &[
        query("kind", Value::OneOf(|| DriftKind::WORDS.to_vec()), "Only of this kind.", "差异类型。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<sync::Report>(200, "The run, and a page of what it found.", "对账及一页差异。")],
    codes: &[Code::SyncUnknown],
    ..Operation::NEW
};

pub(super) const START_RUN: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("Begin a run of reconciling", "发起对账"),
    about: say("It is worked at in the background.", "对账在后台进行。"),
    body: Some(Body::perhaps::<sync::Wanted>()),
    answers: &[Answer::json::<sync::Asked>(202, "It has begun, or was under way.", "已开始或正在进行。")],
    ..Operation::NEW
};

pub(super) const CANCEL_RUN: Operation = Operation {
    tag: Tag::Deliveries,
    summary: say("End a run before its end", "取消对账"),
    path: Some(RUN),
    answers: &[Answer::json::<sync_run::RunView>(200, "The run as it stands now.", "对账的当前状态。")],
    codes: &[Code::SyncUnknown],
    ..Operation::NEW
};
