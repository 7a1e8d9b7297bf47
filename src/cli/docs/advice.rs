//! The remedy for each kind of problem, in English and Chinese. A test finds a kind without one.

use crate::app::api::Code;

/// The remedy, in English and Chinese.
pub(super) fn advice(code: Code) -> Option<(&'static str, &'static str)> {
    ADVICE.iter().find(|(known, ..)| *known == code).map(|(_, english, chinese)| (*english, *chinese))
}

/// The remedies, in the order of the problems' statuses.
const ADVICE: &[(Code, &str, &str)] = &[
    (Code::InvalidJson, "Send a JSON object as the body.", "请求体须为 JSON 对象。"),
    (
        Code::InvalidField,
        "Correct the field that `field` names; `detail` says what it must be.",
        "按 `detail` 修改 `field` 所指的字段。",
    ),
    (
        Code::InvalidParameter,
        "Correct the part of the path or query that `field` names. Unknown parameters are refused.",
        "修改 `field` 所指的路径或查询参数;不接受未知参数。",
    ),
    (
        Code::BodyBroken,
        "Send the request again; the connection ended before the body did.",
        "连接在请求体结束前中断,请重发。",
    ),
    (
        Code::Unauthenticated,
        "Send `Authorization: Bearer` with a token that is valid, or log in.",
        "带上有效令牌的 `Authorization: Bearer`,或登录。",
    ),
    (Code::Forbidden, "Use a token with the role that the route needs.", "使用具有所需角色的令牌。"),
    (
        Code::Csrf,
        "Send the `X-CSRF-Token` of the session, from the console's own page.",
        "由控制台页面发出,并带上会话的 `X-CSRF-Token`。",
    ),
    (Code::SessionUnknown, "List the sessions; it may have ended.", "列出登录会话;它可能已经结束。"),
    (
        Code::ConsoleUserUnknown,
        "List who may log in, and check userid and corpid.",
        "列出可登录的成员,核对账号和企业ID。",
    ),
    (
        Code::OwnOnly,
        "Ask for what belongs to the caller's own customers and orders, or use a token without this limit.",
        "只请求本人的客户与工单,或使用没有此限制的令牌。",
    ),
    (
        Code::NotFound,
        "Check the path; an id in it must not be empty or hold a slash.",
        "核对路径;其中的编号不能为空,也不能含斜杠。",
    ),
    (
        Code::GroupChatUnknown,
        "List the groups with `GET group-chats`, and check the id.",
        "用 `GET group-chats` 列出客户群,核对 ID。",
    ),
    (
        Code::ConfigUnknown,
        "List the apps with `GET config`, and check the name.",
        "用 `GET config` 列出应用,核对名称。",
    ),
    (
        Code::CustomerUnknown,
        "Check the id. No contact and no record names this customer.",
        "核对编号;没有联系人或记录涉及该客户。",
    ),
    (
        Code::DeliveryUnknown,
        "Check the id; retention may have dropped that day.",
        "核对编号;所属日期可能已按保留期限删除。",
    ),
    (Code::MediaWaiting, "Ask again a little later; the download is a task.", "稍后再取,下载是一个任务。"),
    (Code::MediaGone, "Nothing can bring it back: WeCom keeps files for three days.", "无法恢复:企业微信只保存三天。"),
    (Code::MediaUnknown, "Check the id; no message names this file.", "核对编号;没有消息涉及该文件。"),
    (Code::NotBound, "Bind the staff member first, with `POST staff-bind`.", "先用 `POST staff-bind` 绑定该员工。"),
    (Code::TaskUnknown, "List the tasks; it may be done already.", "列出任务;它可能已经完成。"),
    (Code::WorkOrderUnknown, "Check the number of the work order.", "核对工单号。"),
    (
        Code::ContactWayUnknown,
        "Check the state; the code may not be made yet, or be deleted.",
        "核对 state;二维码可能尚未创建或已删除。",
    ),
    (
        Code::CustomerMatchUnknown,
        "List the open questions; somebody may have decided it.",
        "列出待确认的匹配;可能已有人确认。",
    ),
    (
        Code::SyncUnknown,
        "List the runs of reconciling; reports are not kept for ever.",
        "列出对账记录;报告不会永久保存。",
    ),
    (Code::TokenUnknown, "List the tokens; it may have been revoked or have ended.", "列出令牌;它可能已撤销或过期。"),
    (Code::HandoverUnknown, "Check the number of the handover.", "核对交接编号。"),
    (Code::ResignationUnknown, "Check the number of the resignation.", "核对离职申请编号。"),
    (
        Code::SuccessorUnknown,
        "Check the staff id; the handover's plan gives that staff member nothing.",
        "核对员工编号;交接计划没有分给该员工任何内容。",
    ),
    (Code::ReportUnknown, "Use the name of a view of the schema `reporting`.", "使用 `reporting` 模式中的视图名称。"),
    (Code::ErasureUnknown, "Check the number of the erasure.", "核对删除记录的编号。"),
    (Code::MethodNotAllowed, "Use a method that `Allow` names.", "使用 `Allow` 列出的方法。"),
    (
        Code::BodyTimeout,
        "Send the body faster, or raise `http.body_timeout_ms`.",
        "加快发送,或调大 `http.body_timeout_ms`。",
    ),
    (
        Code::AlreadyBound,
        "Unbind first; `field` names the side that has a binding.",
        "先解绑;`field` 指出哪一方已有绑定。",
    ),
    (
        Code::MoveNotAllowed,
        "Read the work order, and choose a state that may follow its present one.",
        "读取工单,选择当前状态允许的下一状态。",
    ),
    (Code::HandoverState, "Read the handover; its state does not allow this step.", "读取交接;当前状态不允许这一步。"),
    (
        Code::HandoverItemsOpen,
        "Plan a successor for every item, or submit with `\"partly\": true`.",
        "为每一项安排接替员工,或以 `\"partly\": true` 提交。",
    ),
    (
        Code::AcceptanceMissing,
        "Wait until every successor has agreed, or plan others.",
        "等每位接替员工同意,或改派他人。",
    ),
    (Code::AlreadyOpen, "Finish or cancel the one that is open.", "先完成或取消进行中的那一个。"),
    (
        Code::ResignationState,
        "Read the resignation; its state does not allow this step.",
        "读取离职申请;当前状态不允许这一步。",
    ),
    (
        Code::VersionConflict,
        "Read it again, and repeat the change with the new `version`.",
        "重新读取,用新的 `version` 再次修改。",
    ),
    (
        Code::IdempotencyKeyReused,
        "Use a new `Idempotency-Key` for a new request.",
        "新请求使用新的 `Idempotency-Key`。",
    ),
    (
        Code::PreconditionFailed,
        "Read it again, and send the new `etag` in `If-Match`.",
        "重新读取,在 `If-Match` 中带上新的 `etag`。",
    ),
    (
        Code::BodyTooLarge,
        "Send a shorter body, or raise `http.body_bytes_max`.",
        "缩短请求体,或调大 `http.body_bytes_max`。",
    ),
    (
        Code::RangeNotSatisfiable,
        "Ask for bytes that the file has; `Content-Range` names its length.",
        "请求文件范围内的字节;`Content-Range` 给出长度。",
    ),
    (
        Code::PlanBroken,
        "Change the plan; `errors` lists each rule that it breaks.",
        "修改计划;`errors` 列出违反的每条规则。",
    ),
    (
        Code::NothingToTransfer,
        "Choose other customers; `errors` says why none of these can be transferred.",
        "换其他客户;`errors` 说明为何都不能转接。",
    ),
    (
        Code::WecomRefused,
        "`detail` holds WeCom's code in words and where to mend it in WeCom's console.",
        "`detail` 用文字说明企业微信的错误码,以及在管理后台的哪里处理。",
    ),
    (
        Code::MemberUnknown,
        "Check the userid, and that the member is in the app's visible scope.",
        "核对成员账号,并确认其在应用可见范围内。",
    ),
    (Code::MemberInactive, "The member must activate WeCom, or be enabled, first.", "该成员须先激活或被启用。"),
    (
        Code::SettingMissing,
        "`detail` names the setting or the secret that is missing.",
        "`detail` 指出缺少哪项设置或 Secret。",
    ),
    (Code::TooManyRequests, "Wait for the seconds that `Retry-After` names.", "等待 `Retry-After` 所示的秒数。"),
    (
        Code::SecretUnreadable,
        "Give the program the master key with which the secret was encrypted: `wecomd key status`.",
        "提供加密该密钥所用的主密钥:`wecomd key status`。",
    ),
    (
        Code::Internal,
        "Look into the program's log under the `request_id`, and report it.",
        "按 `request_id` 查看程序日志,并反馈。",
    ),
    (Code::DatabaseUnavailable, "Try again; look at `/readyz` if it lasts.", "稍后重试;持续出现时查看 `/readyz`。"),
    (
        Code::WecomUnavailable,
        "Try again later; WeCom does not answer, or limits our calls.",
        "稍后重试;企业微信没有答复或限制了调用。",
    ),
    (
        Code::MediaUnavailable,
        "Look at the media store: `media.location`, its disk, or its bucket.",
        "检查媒体存储:`media.location`、磁盘或存储桶。",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_advice_in_both_languages() {
        assert_eq!(ADVICE.len(), Code::ALL.len(), "one row for each kind");
        for code in Code::ALL {
            let (english, chinese) = advice(*code).unwrap_or_else(|| panic!("{code:?} has no advice"));
            assert!(english.is_ascii() && english.ends_with('.'), "{code:?}");
            assert!(!chinese.is_ascii() && chinese.ends_with('。'), "{code:?}");
        }
    }
}
