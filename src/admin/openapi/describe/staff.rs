//! `staff-bind` and `staff-duty`.

use crate::{
    admin::{
        openapi::{
            operation::{Answer, Body, Content, Operation, Tag, say},
            parameter::{CURSOR, LIMIT, Parameter, Value, query},
        },
        page::Page,
        problem::Code,
        staff_bind, staff_duty, staff_login,
    },
    states::BindingStatus,
    tables::staff::staff_wechat_bind::{Binding, Duty},
};

/// The corp, for a list or where there are several.
pub(super) const CORPID: Parameter = query("corpid", Value::Text("ww5f0e1d2c3b4a5968"), "The corp.", "企业 corpid。");

pub(super) const LIST: Operation = Operation {
    tag: Tag::Staff,
    summary: say("List bindings", "列出员工绑定"),
    about: say("Which staff member of the business is which WeCom user.", "业务员工与企业微信成员的对应关系。"),
    query: &[
        CORPID,
        query("status", Value::OneOf(|| BindingStatus::WORDS.to_vec()), "Only those that stand so.", "绑定状态。"),
        LIMIT,
        CURSOR,
    ],
    answers: &[Answer::json::<Page<Binding>>(200, "A page of bindings.", "一页绑定。")],
    ..Operation::NEW
};

pub(super) const BIND: Operation = Operation {
    tag: Tag::Staff,
    summary: say("Bind a staff member to a WeCom user", "绑定员工与企业微信成员"),
    about: say(
        "WeCom is asked whether the member exists, is in sight and active. Without an app's secret it cannot be: then \
         `verified` is false.",
        "向企业微信核实成员存在、可见且在用；没有可用密钥时无法核实，`verified` 为 false。",
    ),
    body: Some(Body::of::<staff_bind::Wanted>()),
    answers: &[Answer::json::<staff_bind::Bound>(201, "They are bound.", "已绑定。")],
    codes: &[Code::AlreadyBound, Code::MemberUnknown, Code::MemberInactive],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const UNBIND: Operation = Operation {
    tag: Tag::Staff,
    summary: say("Unbind a staff member", "解除绑定"),
    query: &[
        Parameter {
            required: true, ..query("staff_id", Value::Text("E-001"), "The staff member.", "业务员工编号。")
        },
        CORPID,
    ],
    answers: &[Answer::json::<Binding>(200, "The binding that ended.", "已解除的绑定。")],
    codes: &[Code::NotBound],
    ..Operation::NEW
};

pub(super) const LINK: Operation = Operation {
    tag: Tag::Staff,
    summary: say("Make a link by which a staff member binds themselves", "生成员工自助绑定链接"),
    about: say(
        "Whoever logs in to WeCom with it is bound to that staff id. It works once, for five minutes.",
        "员工通过该链接登录企业微信后即与该员工编号绑定。链接五分钟内有效，仅可使用一次。",
    ),
    body: Some(Body::of::<staff_login::Wanted>()),
    answers: &[Answer::json::<staff_login::Link>(201, "The link.", "链接。")],
    codes: &[Code::SettingMissing],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const VISIT: Operation = Operation {
    tag: Tag::Staff,
    summary: say("Where that link's login leads back to", "登录回跳地址"),
    about: say(
        "A staff member's browser comes here from WeCom. The link's one-time state is the proof, so it needs no token. \
         Each answer is a page for that person.",
        "员工浏览器由企业微信跳转至此，凭链接中的一次性 state，无需令牌。返回给员工看的页面。",
    ),
    query: &[
        query("code", Value::Text(""), "WeCom's code of the login.", "企业微信返回的 code。"),
        query("state", Value::Text(""), "The link's one-time state.", "链接中的一次性 state。"),
    ],
    answers: &[
        Answer::new(200, "They are bound now, or were before.", "已绑定。", Content::Page),
        Answer::new(400, "The address is not whole.", "链接不完整。", Content::Page),
        Answer::new(403, "They may not be bound.", "不可绑定。", Content::Page),
        Answer::new(409, "They, or the staff id, are bound to somebody else.", "已绑定到其他账号。", Content::Page),
        Answer::new(410, "The link was used, or is too old.", "链接已使用或已过期。", Content::Page),
        Answer::new(502, "WeCom did not confirm the login.", "企业微信未确认登录。", Content::Page),
    ],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const DUTIES: Operation = Operation {
    tag: Tag::Staff,
    summary: say("List who takes new orders", "列出值班情况"),
    query: &[LIMIT, CURSOR],
    answers: &[Answer::json::<Page<Duty>>(200, "A page of bound staff members.", "一页已绑定的员工。")],
    ..Operation::NEW
};

pub(super) const SET_DUTY: Operation = Operation {
    tag: Tag::Staff,
    summary: say("Say whether a staff member takes new orders", "设置是否接单"),
    body: Some(Body::of::<staff_duty::Duty>()),
    answers: &[Answer::json::<staff_duty::Set>(200, "How it is now.", "当前状态。")],
    codes: &[Code::NotBound],
    ..Operation::NEW
};
