//! `handovers/{id}/…`: what people do with a handover, from its plan to its end.

use super::handovers::ID;
use crate::admin::{
    handover_acts, handover_plan, handovers,
    openapi::{
        operation::{Answer, Body, Operation, Tag, say},
        parameter::{FLAG, query},
    },
    problem::Code,
};

/// What several of them answer.
const STANDS: Answer = Answer::json::<handovers::Standing>(200, "The handover as it stands now.", "交接的当前状态。");

pub(super) const PLAN: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Plan a handover, or show what a plan would be", "制定或预览交接计划"),
    about: say(
        "Shows the load that results and every rule that stands against it. What is only looked at leaves nothing \
         behind. To save, give the `version` that you saw.",
        "返回接替后的负载以及所有不符合的规则。预览不留下任何数据；保存时须给出您所见的 `version`。",
    ),
    path: Some(ID),
    query: &[query("preview", FLAG, "Only look at it.", "仅预览。")],
    body: Some(Body::of::<handover_plan::Wish>()),
    answers: &[Answer::json::<handover_plan::Report>(200, "The plan.", "交接计划。")],
    codes: &[Code::HandoverUnknown, Code::HandoverState, Code::VersionConflict, Code::AlreadyOpen, Code::PlanBroken],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const NOTIFY: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Tell the successors", "通知接替员工"),
    about: say("Each hears once of the same plan.", "同一计划每人只通知一次。"),
    path: Some(ID),
    answers: &[STANDS],
    codes: &[Code::HandoverUnknown, Code::HandoverState, Code::SettingMissing],
    ..Operation::NEW
};

pub(super) const ACCEPT: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Write down what a successor answered", "记录接替员工的答复"),
    about: say("What they do not agree to has no successor again.", "不同意时，其名下的交接项恢复为未分配。"),
    path: Some(ID),
    body: Some(Body::of::<handover_acts::Acceptance>()),
    answers: &[STANDS],
    codes: &[Code::HandoverUnknown, Code::HandoverState, Code::SuccessorUnknown],
    ..Operation::NEW
};

pub(super) const SUBMIT: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Let a handover go", "提交交接"),
    about: say("From now on WeCom is asked for it.", "提交后开始向企业微信发起分配。"),
    path: Some(ID),
    body: Some(Body::perhaps::<handover_acts::Submission>()),
    answers: &[STANDS],
    codes: &[Code::HandoverUnknown, Code::HandoverState, Code::HandoverItemsOpen, Code::AcceptanceMissing],
    ..Operation::NEW
};

pub(super) const CANCEL: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Call a handover off", "取消交接"),
    about: say("What WeCom has in hand comes to its end.", "企业微信已受理的部分会继续完成。"),
    path: Some(ID),
    body: Some(Body::perhaps::<handover_acts::Cancellation>()),
    answers: &[STANDS],
    codes: &[Code::HandoverUnknown, Code::HandoverState],
    ..Operation::NEW
};

pub(super) const POLL: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Have WeCom asked for results now", "立即查询结果"),
    path: Some(ID),
    answers: &[Answer::json::<handovers::Standing>(202, "The handover as it stands now.", "交接的当前状态。")],
    codes: &[Code::HandoverUnknown],
    ..Operation::NEW
};

pub(super) const CLOSE: Operation = Operation {
    tag: Tag::Handovers,
    summary: say("Give items up", "放弃交接项"),
    about: say(
        "Give `subjects`, `items` or both; together at most 1,000.",
        "给出 `subjects` 或 `items`，合计最多 1,000 项。",
    ),
    path: Some(ID),
    body: Some(Body::of::<handover_acts::Closing>()),
    answers: &[Answer::json::<handover_acts::Closed>(200, "What became of it.", "处理结果。")],
    codes: &[Code::HandoverUnknown],
    ..Operation::NEW
};
