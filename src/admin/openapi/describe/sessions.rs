//! `session`, `sessions` and `console-users`.

use super::staff::CORPID;
use crate::{
    admin::{
        console_users,
        openapi::{
            Text,
            operation::{Answer, Body, Content, Operation, Tag, say},
            parameter::{CURSOR, LIMIT, Parameter, Value, path, query},
        },
        page::Page,
        problem::Code,
        session,
    },
    tables::access::{console_session, console_user},
};

/// What sets or takes away a cookie.
const COOKIE: &[(&str, Text)] = &[("set-cookie", say("The session's cookie.", "会话 Cookie。"))];

/// Where a browser goes on, and with which cookies.
const ONWARD: &[(&str, Text)] = &[
    ("location", say("Where the browser goes on.", "浏览器跳转地址。")),
    ("set-cookie", say("A cookie.", "Cookie。")),
];

const USERID: Parameter = path("userid", Value::Text("zhangsan"), "The member's userid.", "企业微信 userid。");

pub(super) const SHOW: Operation = Operation {
    tag: Tag::Access,
    summary: say("Show who is calling", "查看当前身份"),
    about: say(
        "A page learns here what to send as `X-CSRF-Token`. A token needs none.",
        "页面由此取得需随改动请求发送的 `X-CSRF-Token`；使用令牌时不需要。",
    ),
    answers: &[Answer::json::<session::Shown>(200, "Who it is.", "当前身份。")],
    ..Operation::NEW
};

pub(super) const MAKE: Operation = Operation {
    tag: Tag::Access,
    summary: say("Log a browser in with a token", "用令牌登录"),
    about: say(
        "The token is shown as `Authorization`; the session ends with it. A token begins at most 20 a minute and has 50 \
         open ones: with another the oldest ends. An `Idempotency-Key` is refused.",
        "令牌通过 `Authorization` 提供，令牌失效会话即失效。每个令牌每分钟最多建立 20 个会话，同时最多 50 个，再多则最早的失效。\
         不支持 `Idempotency-Key`。",
    ),
    answers: &[Answer::json::<session::Shown>(201, "The session.", "新会话。").with(COOKIE)],
    codes: &[Code::Forbidden],
    ..Operation::NEW
};

pub(super) const END: Operation = Operation {
    tag: Tag::Access,
    summary: say("Log out", "退出登录"),
    answers: &[Answer::new(204, "The session has ended.", "会话已结束。", Content::Nothing).with(COOKIE)],
    codes: &[Code::SessionUnknown],
    ..Operation::NEW
};

pub(super) const LOGIN: Operation = Operation {
    tag: Tag::Access,
    summary: say("Send a browser to WeCom to log in", "跳转到企业微信登录"),
    about: say("For browsers.", "供浏览器访问。"),
    query: &[CORPID],
    answers: &[Answer::new(303, "To WeCom.", "跳转到企业微信。", Content::Nothing).with(ONWARD)],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const CALLBACK: Operation = Operation {
    tag: Tag::Access,
    summary: say("Where that login leads back to", "登录回跳地址"),
    about: say(
        "A browser comes here from WeCom. The state must be the one that it set out with.",
        "浏览器由企业微信跳转至此，state 必须与出发时一致。",
    ),
    query: &[
        query("code", Value::Text(""), "WeCom's code of the login.", "企业微信返回的 code。"),
        query("state", Value::Text(""), "The state that it set out with.", "出发时的 state。"),
    ],
    answers: &[
        Answer::new(303, "Logged in, on to the console.", "已登录，跳转到控制台。", Content::Nothing).with(ONWARD),
        Answer::new(400, "The login is too old, or began elsewhere.", "登录已过期或不在此浏览器发起。", Content::Page),
        Answer::new(403, "They may not log in.", "没有登录权限。", Content::Page),
        Answer::new(502, "WeCom did not confirm the login.", "企业微信未确认登录。", Content::Page),
    ],
    asks_wecom: true,
    ..Operation::NEW
};

pub(super) const LIST: Operation = Operation {
    tag: Tag::Access,
    summary: say("List who is logged in", "列出登录会话"),
    query: &[LIMIT, CURSOR],
    answers: &[Answer::json::<Page<console_session::SessionRow>>(200, "A page of sessions.", "一页会话。")],
    ..Operation::NEW
};

pub(super) const END_OTHER: Operation = Operation {
    tag: Tag::Access,
    summary: say("Log somebody out", "结束会话"),
    path: Some(path("id", Value::Number, "The session's number.", "会话编号。")),
    answers: &[Answer::json::<console_session::SessionRow>(200, "The session that ended.", "已结束的会话。")],
    codes: &[Code::SessionUnknown],
    ..Operation::NEW
};

pub(super) const USERS: Operation = Operation {
    tag: Tag::Access,
    summary: say("List who may log in", "列出可登录的成员"),
    query: &[LIMIT, CURSOR],
    answers: &[Answer::json::<Page<console_user::ConsoleUserRow>>(200, "A page of members.", "一页成员。")],
    ..Operation::NEW
};

pub(super) const PUT_USER: Operation = Operation {
    tag: Tag::Access,
    summary: say("Let a member log in, or change as what", "允许成员登录或更改角色"),
    about: say("Sessions that there are take the new role at once.", "已有会话立即采用新角色。"),
    path: Some(USERID),
    query: &[CORPID],
    body: Some(Body::of::<console_users::Wanted>()),
    answers: &[Answer::json::<console_user::ConsoleUserRow>(200, "How it is now.", "当前设置。")],
    ..Operation::NEW
};

pub(super) const REMOVE_USER: Operation = Operation {
    tag: Tag::Access,
    summary: say("Let a member log in no longer", "取消成员的登录权限"),
    about: say("Their sessions end at once.", "其会话立即结束。"),
    path: Some(USERID),
    query: &[CORPID],
    answers: &[Answer::json::<console_user::ConsoleUserRow>(200, "Who may log in no longer.", "已取消的成员。")],
    codes: &[Code::ConsoleUserUnknown],
    ..Operation::NEW
};
