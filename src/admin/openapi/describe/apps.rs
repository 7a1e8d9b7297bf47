//! `config` and `test-connection`.

use crate::admin::{
    config::{NewConfig, Shown},
    openapi::operation::{Answer, Body, Header, Operation, Tag, say},
    page::Page,
    problem::Code,
    test_connection,
};

pub(super) const LIST: Operation = Operation {
    tag: Tag::Apps,
    summary: say("List the apps", "列出应用"),
    about: say(
        "Without their secrets: of each only whether it is set, and when it last was.",
        "不返回任何密钥，仅显示是否已设置及最近设置时间。",
    ),
    answers: &[Answer::json::<Page<Shown>>(200, "All apps; they are one page.", "全部应用（只有一页）。")],
    ..Operation::NEW
};

pub(super) const SAVE: Operation = Operation {
    tag: Tag::Apps,
    summary: say("Add or change an app", "新增或修改应用"),
    about: say(
        "A field that is not given stays as it is. A new app needs name, corpid, agentid, secret, token and \
         encoding_aes_key. Replaced callback keys stay valid for a while, because WeCom switches over at a moment that \
         nobody knows.",
        "未给出的字段保持不变。新增应用须给出 name、corpid、agentid、secret、token 与 encoding_aes_key。\
         更换回调密钥后，旧密钥在一段时间内仍然有效。",
    ),
    headers: &[Header::IfMatch],
    body: Some(Body::of::<NewConfig>()),
    answers: &[
        Answer::json::<Shown>(200, "It was changed.", "已修改。").with(&[ETAG]),
        Answer::json::<Shown>(201, "It was added.", "已新增。").with(&[ETAG]),
    ],
    codes: &[Code::PreconditionFailed, Code::SecretUnreadable],
    ..Operation::NEW
};

pub(super) const TEST: Operation = Operation {
    tag: Tag::Apps,
    summary: say("Find out what works between an app and WeCom", "检测应用与企业微信的连接"),
    about: say(
        "Asks WeCom small questions, all of them safe to repeat, and says what to do about what does not work. It \
         changes nothing.",
        "逐项检测并说明如何修复，可重复执行，不改变任何数据。",
    ),
    body: Some(Body::perhaps::<test_connection::Wanted>()),
    answers: &[Answer::json::<test_connection::Shown>(200, "What works, and what does not.", "检测结果。")],
    codes: &[Code::ConfigUnknown],
    asks_wecom: true,
    ..Operation::NEW
};

const ETAG: (&str, crate::admin::openapi::Text) =
    ("etag", say("What to send as `If-Match` with the next change.", "下次修改时作为 `If-Match` 发送。"));
