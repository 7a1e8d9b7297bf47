//! The kinds of problems: each with its status, its name for programs, and its title for people. One table says it all.

use super::language::Language;

/// What is said of a kind.
struct Facts {
    status: u16,
    name: &'static str,
    title_en: &'static str,
    title_zh: &'static str,
}

/// Declares the kinds: `Variant = status "name", "title in English", "title in Chinese";`.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $name:literal, $en:literal, $zh:literal;)+) => {
        /// What went wrong, by kind. Once published, a kind keeps its name and status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            fn facts(self) -> Facts {
                match self {
                    $(Self::$variant => Facts { status: $status, name: $name, title_en: $en, title_zh: $zh },)+
                }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    InvalidJson = 400 "invalid_json", "The body is not JSON", "请求体不是有效的 JSON";
    /// A field of the body is missing, unknown or wrong.
    InvalidField = 400 "invalid_field", "A field is not valid", "字段无效";
    /// A part of the path or query is unknown or wrong.
    InvalidParameter = 400 "invalid_parameter", "A parameter is not valid", "参数无效";
    /// The connection ended before the body did.
    BodyBroken = 400 "body_broken", "The body did not arrive whole", "请求体不完整";
    /// No token, or one that does not count.
    Unauthenticated = 401 "unauthenticated", "Who is calling?", "未通过身份验证";
    /// The token's role does not reach so far.
    Forbidden = 403 "forbidden", "The token's role does not allow this", "权限不足";
    /// A session's request does not show that our own page sent it.
    Csrf = 403 "csrf", "Not sent by our own page", "请求不是由本控制台页面发出";
    /// There is no such session, or it has ended.
    SessionUnknown = 404 "session_unknown", "There is no such session", "未找到该登录会话";
    /// Nobody of that userid may log in.
    ConsoleUserUnknown = 404 "console_user_unknown", "They may not log in anyway", "该成员没有登录权限";
    /// The token sees a staff member's own alone, and this is more.
    OwnOnly = 403 "own_only", "The token sees a staff member's own alone", "仅限本人的客户与工单";
    /// There is no such path.
    NotFound = 404 "not_found", "There is no such path", "路径不存在";
    /// There is no such customer group.
    GroupChatUnknown = 404 "group_chat_unknown", "There is no such customer group", "客户群不存在";
    /// There is no such app.
    ConfigUnknown = 404 "config_unknown", "There is no app of this name", "应用配置不存在";
    /// No contact of such a customer.
    CustomerUnknown = 404 "customer_unknown", "The customer is not known", "未找到该客户";
    /// There is no such delivery.
    DeliveryUnknown = 404 "delivery_unknown", "There is no such delivery", "未找到该回调";
    /// The media is still to be fetched.
    MediaWaiting = 404 "media_waiting", "The media is still on its way", "媒体文件尚在下载";
    /// There are no bytes of the media, and there will be none.
    MediaGone = 404 "media_gone", "The media is gone", "媒体文件已不可得";
    /// No message named this media.
    MediaUnknown = 404 "media_unknown", "The media is not known", "未找到该媒体文件";
    /// Nobody of that staff id is bound.
    NotBound = 404 "not_bound", "The staff member is not bound", "该员工未绑定";
    /// There is no such task.
    TaskUnknown = 404 "task_unknown", "There is no such task", "未找到该任务";
    /// There is no such work order.
    WorkOrderUnknown = 404 "work_order_unknown", "There is no such work order", "未找到该工单";
    /// There is no such contact way, or it is not made yet.
    ContactWayUnknown = 404 "contact_way_unknown", "There is no such contact way", "未找到该联系方式";
    /// Nobody has to decide about such a person.
    CustomerMatchUnknown = 404 "customer_match_unknown", "There is nothing to decide", "未找到待确认的客户匹配";
    /// There is no such run of reconciling.
    SyncUnknown = 404 "sync_unknown", "There is no such run", "未找到该对账任务";
    /// There is no such token, or it has ended.
    TokenUnknown = 404 "token_unknown", "There is no such token", "未找到该令牌";
    /// There is no such handover.
    HandoverUnknown = 404 "handover_unknown", "There is no such handover", "未找到该交接";
    /// There is no such resignation.
    ResignationUnknown = 404 "resignation_unknown", "There is no such resignation", "未找到该离职申请";
    /// The handover's plan gives that staff member nothing.
    SuccessorUnknown = 404 "successor_unknown", "Not a successor in this handover", "该员工不是本次交接的接替员工";
    /// There is no such report.
    ReportUnknown = 404 "report_unknown", "There is no such report", "未找到该报表";
    /// There is no such erasure.
    ErasureUnknown = 404 "erasure_unknown", "There is no such erasure", "未找到该删除记录";
    /// The path exists, but not for this method.
    MethodNotAllowed = 405 "method_not_allowed", "The path has no such method", "不支持该请求方法";
    /// The body took too long.
    BodyTimeout = 408 "body_timeout", "The body took too long", "接收请求体超时";
    /// The staff member or the user is bound already.
    AlreadyBound = 409 "already_bound", "Bound already", "已存在绑定关系";
    /// A work order's state does not allow it.
    MoveNotAllowed = 409 "move_not_allowed", "The work order cannot become that", "工单状态不允许该变更";
    /// How far the handover is does not allow it.
    HandoverState = 409 "handover_state", "How far the handover is forbids it", "交接状态不允许该操作";
    /// Nobody has been chosen for some items.
    HandoverItemsOpen = 409 "handover_items_open", "Nobody was chosen for some items", "仍有未分配的交接项";
    /// A successor has not agreed.
    AcceptanceMissing = 409 "acceptance_missing", "A successor has not agreed", "接替员工尚未确认接收";
    /// Another handover of that member, or a resignation, is open.
    AlreadyOpen = 409 "already_open", "There is an open one already", "已有进行中的记录";
    /// How far the resignation is does not allow it.
    ResignationState = 409 "resignation_state", "How far the resignation is forbids it", "离职申请状态不允许该操作";
    /// Somebody else changed it first.
    VersionConflict = 409 "version_conflict", "Somebody else changed it first", "数据已被他人修改";
    /// The idempotency key belongs to another request.
    IdempotencyKeyReused = 409 "idempotency_key_reused", "The key belongs to another request", "幂等键已用于其他请求";
    /// It was changed since it was read.
    PreconditionFailed = 412 "precondition_failed", "It was changed since", "数据已变更，请重新读取";
    /// The body is too long.
    BodyTooLarge = 413 "body_too_large", "The body is too long", "请求体过大";
    /// The file has no such bytes.
    RangeNotSatisfiable = 416 "range_not_satisfiable", "The file has no such bytes", "请求的字节范围无效";
    /// Something stands against the successors.
    PlanBroken = 422 "plan_broken", "The plan breaks rules", "交接计划不符合规则";
    /// None of the customers can be transferred.
    NothingToTransfer = 422 "nothing_to_transfer", "None of the customers can be transferred", "没有可转接的客户";
    /// WeCom was asked and said no.
    WecomRefused = 422 "wecom_refused", "WeCom said no", "企业微信拒绝了请求";
    /// WeCom knows no such member, or does not show them to the app.
    MemberUnknown = 422 "member_unknown", "No such member, or out of the app's sight", "没有该成员或不在可见范围内";
    /// The member does not use WeCom at present.
    MemberInactive = 422 "member_inactive", "The member does not use WeCom at present", "该成员未在用";
    /// A setting is missing that this needs.
    SettingMissing = 422 "setting_missing", "A setting is missing", "缺少配置项";
    /// Too much is asked at once.
    TooManyRequests = 429 "too_many_requests", "Too many requests", "请求过于频繁";
    /// A stored secret does not open.
    SecretUnreadable = 500 "secret_unreadable", "A stored secret does not open", "已存密钥无法解密";
    /// Our own fault.
    Internal = 500 "internal", "Something went wrong on our side", "服务器内部错误";
    /// The database does not answer.
    DatabaseUnavailable = 503 "database_unavailable", "The database does not answer", "数据库暂不可用";
    /// WeCom does not answer, or limits us.
    WecomUnavailable = 503 "wecom_unavailable", "WeCom does not answer", "企业微信暂不可用";
    /// The media store does not work.
    MediaUnavailable = 503 "media_unavailable", "The media store does not work", "媒体存储暂不可用";
}

impl Code {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.facts().status
    }

    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// The title in that language.
    pub fn title(self, language: Language) -> &'static str {
        match language {
            Language::English => self.facts().title_en,
            Language::Chinese => self.facts().title_zh,
        }
    }
}
