//! The problems of requests, as RFC 9457 defines them: `application/problem+json`.
//!
//! A [`Code`] is stable, for programs; its titles are for people, in English and Chinese; the detail says what to do.
//! The cause, which may reveal internals, is only logged. No single resource is known here.

use std::{error::Error, fmt, time::Duration};

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::language::Language;
use crate::{
    admin::door::reply::{Body, InChinese, Reply},
    bilingual::Bilingual,
};

/// What went wrong, by kind. Once published, a kind keeps its name and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The body is not JSON.
    InvalidJson,
    /// A field of the body is missing, unknown or wrong.
    InvalidField,
    /// A part of the path or query is unknown or wrong.
    InvalidParameter,
    /// The connection ended before the body did.
    BodyBroken,
    /// No token, or one that does not count.
    Unauthenticated,
    /// The token's role does not reach so far.
    Forbidden,
    /// A session's request does not show that our own page sent it.
    Csrf,
    /// There is no such session, or it has ended.
    SessionUnknown,
    /// Nobody of that userid may log in.
    ConsoleUserUnknown,
    /// The token sees a staff member's own alone, and this is more.
    OwnOnly,
    /// There is no such path.
    NotFound,
    /// There is no such app.
    ConfigUnknown,
    /// No contact of such a customer.
    CustomerUnknown,
    /// There is no such delivery.
    DeliveryUnknown,
    /// Nobody of that staff id is bound.
    NotBound,
    /// There is no such task.
    TaskUnknown,
    /// There is no such work order.
    WorkOrderUnknown,
    /// There is no such contact way, or it is not made yet.
    ContactWayUnknown,
    /// Nobody has to decide about such a person.
    CustomerMatchUnknown,
    /// There is no such run of reconciling.
    SyncUnknown,
    /// There is no such token, or it has ended.
    TokenUnknown,
    /// There is no such handover.
    HandoverUnknown,
    /// There is no such resignation.
    ResignationUnknown,
    /// The handover's plan gives that staff member nothing.
    SuccessorUnknown,
    /// There is no such report.
    ReportUnknown,
    /// There is no such erasure.
    ErasureUnknown,
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// The body took too long.
    BodyTimeout,
    /// The staff member or the user is bound already.
    AlreadyBound,
    /// A work order's state does not allow it.
    MoveNotAllowed,
    /// How far the handover is does not allow it.
    HandoverState,
    /// Nobody has been chosen for some items.
    HandoverItemsOpen,
    /// A successor has not agreed.
    AcceptanceMissing,
    /// Another handover of that member, or a resignation, is open.
    AlreadyOpen,
    /// How far the resignation is does not allow it.
    ResignationState,
    /// Somebody else changed it first.
    VersionConflict,
    /// The idempotency key belongs to another request.
    IdempotencyKeyReused,
    /// It was changed since it was read.
    PreconditionFailed,
    /// The body is too long.
    BodyTooLarge,
    /// Something stands against the successors.
    PlanBroken,
    /// None of the customers can be transferred.
    NothingToTransfer,
    /// WeCom was asked and said no.
    WecomRefused,
    /// WeCom knows no such member, or does not show them to the app.
    MemberUnknown,
    /// The member does not use WeCom at present.
    MemberInactive,
    /// Too much is asked at once.
    TooManyRequests,
    /// A setting is missing that this needs.
    SettingMissing,
    /// A stored secret does not open.
    SecretUnreadable,
    /// Our own fault.
    Internal,
    /// The database does not answer.
    DatabaseUnavailable,
    /// WeCom does not answer, or limits us.
    WecomUnavailable,
    /// The media is still to be fetched.
    MediaWaiting,
    /// There are no bytes of the media, and there will be none.
    MediaGone,
    /// No message named this media.
    MediaUnknown,
    /// The file has no such bytes.
    RangeNotSatisfiable,
    /// The media store does not work.
    MediaUnavailable,
}

/// Why a request is not done.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Bilingual,
    field: Option<String>,
    header: Option<(&'static str, String)>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    errors: Option<Box<Value>>,
}

/// A problem as it goes out.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Said {
    /// Always `about:blank`: `code` says which kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in words, in the language that `Accept-Language` asks for; English if it asks for none.
    title: &'static str,
    /// The kind in Chinese words.
    title_zh: &'static str,
    /// The HTTP status.
    status: u16,
    /// The kind, for programs: it does not change.
    code: &'static str,
    /// What to do about it, in the language of `title`.
    detail: String,
    /// The id that our log knows the request by.
    request_id: Uuid,
    /// The field or parameter that it is about, by its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What is wrong, where it is several things.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<serde_json::Map<String, Value>>>")]
    errors: Option<Value>,
}

impl Code {
    /// Every kind, in the order of their statuses.
    pub const ALL: &[Self] = &[
        Self::InvalidJson,
        Self::InvalidField,
        Self::InvalidParameter,
        Self::BodyBroken,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Csrf,
        Self::SessionUnknown,
        Self::ConsoleUserUnknown,
        Self::OwnOnly,
        Self::NotFound,
        Self::ConfigUnknown,
        Self::CustomerUnknown,
        Self::DeliveryUnknown,
        Self::MediaWaiting,
        Self::MediaGone,
        Self::MediaUnknown,
        Self::NotBound,
        Self::TaskUnknown,
        Self::WorkOrderUnknown,
        Self::ContactWayUnknown,
        Self::CustomerMatchUnknown,
        Self::SyncUnknown,
        Self::TokenUnknown,
        Self::HandoverUnknown,
        Self::ResignationUnknown,
        Self::SuccessorUnknown,
        Self::ReportUnknown,
        Self::ErasureUnknown,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::AlreadyBound,
        Self::MoveNotAllowed,
        Self::HandoverState,
        Self::HandoverItemsOpen,
        Self::AcceptanceMissing,
        Self::AlreadyOpen,
        Self::ResignationState,
        Self::VersionConflict,
        Self::IdempotencyKeyReused,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::RangeNotSatisfiable,
        Self::PlanBroken,
        Self::NothingToTransfer,
        Self::WecomRefused,
        Self::MemberUnknown,
        Self::MemberInactive,
        Self::SettingMissing,
        Self::TooManyRequests,
        Self::SecretUnreadable,
        Self::Internal,
        Self::DatabaseUnavailable,
        Self::WecomUnavailable,
        Self::MediaUnavailable,
    ];

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.facts().0
    }

    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        self.facts().1
    }

    /// The title in that language.
    pub fn title(self, language: Language) -> &'static str {
        let (_, _, en, zh) = self.facts();
        match language {
            Language::English => en,
            Language::Chinese => zh,
        }
    }

    /// Status, name, and the titles in English and Chinese.
    #[expect(clippy::too_many_lines, reason = "one line for each problem")]
    fn facts(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::InvalidJson => (400, "invalid_json", "The body is not JSON", "请求体不是有效的 JSON"),
            Self::InvalidField => (400, "invalid_field", "A field is not valid", "字段无效"),
            Self::InvalidParameter => (400, "invalid_parameter", "A parameter is not valid", "参数无效"),
            Self::BodyBroken => (400, "body_broken", "The body did not arrive whole", "请求体不完整"),
            Self::Unauthenticated => (401, "unauthenticated", "Who is calling?", "未通过身份验证"),
            Self::Forbidden => (403, "forbidden", "The token's role does not allow this", "权限不足"),
            Self::Csrf => (403, "csrf", "Not sent by our own page", "请求不是由本控制台页面发出"),
            Self::SessionUnknown => (404, "session_unknown", "There is no such session", "未找到该登录会话"),
            Self::ConsoleUserUnknown => {
                (404, "console_user_unknown", "They may not log in anyway", "该成员没有登录权限")
            }
            Self::OwnOnly => (403, "own_only", "The token sees a staff member's own alone", "仅限本人的客户与工单"),
            Self::NotFound => (404, "not_found", "There is no such path", "路径不存在"),
            Self::ConfigUnknown => (404, "config_unknown", "There is no app of this name", "应用配置不存在"),
            Self::CustomerUnknown => (404, "customer_unknown", "The customer is not known", "未找到该客户"),
            Self::DeliveryUnknown => (404, "delivery_unknown", "There is no such delivery", "未找到该回调"),
            Self::NotBound => (404, "not_bound", "The staff member is not bound", "该员工未绑定"),
            Self::TaskUnknown => (404, "task_unknown", "There is no such task", "未找到该任务"),
            Self::WorkOrderUnknown => (404, "work_order_unknown", "There is no such work order", "未找到该工单"),
            Self::ContactWayUnknown => (404, "contact_way_unknown", "There is no such contact way", "未找到该联系方式"),
            Self::CustomerMatchUnknown => {
                (404, "customer_match_unknown", "There is nothing to decide", "未找到待确认的客户匹配")
            }
            Self::SyncUnknown => (404, "sync_unknown", "There is no such run", "未找到该对账任务"),
            Self::TokenUnknown => (404, "token_unknown", "There is no such token", "未找到该令牌"),
            Self::HandoverUnknown => (404, "handover_unknown", "There is no such handover", "未找到该交接"),
            Self::ResignationUnknown => {
                (404, "resignation_unknown", "There is no such resignation", "未找到该离职申请")
            }
            Self::SuccessorUnknown => {
                (404, "successor_unknown", "Not a successor in this handover", "该员工不是本次交接的接替员工")
            }
            Self::HandoverState => {
                (409, "handover_state", "How far the handover is forbids it", "交接状态不允许该操作")
            }
            Self::HandoverItemsOpen => {
                (409, "handover_items_open", "Nobody was chosen for some items", "仍有未分配的交接项")
            }
            Self::AcceptanceMissing => {
                (409, "acceptance_missing", "A successor has not agreed", "接替员工尚未确认接收")
            }
            Self::AlreadyOpen => (409, "already_open", "There is an open one already", "已有进行中的记录"),
            Self::ResignationState => {
                (409, "resignation_state", "How far the resignation is forbids it", "离职申请状态不允许该操作")
            }
            Self::PlanBroken => (422, "plan_broken", "The plan breaks rules", "交接计划不符合规则"),
            Self::NothingToTransfer => {
                (422, "nothing_to_transfer", "None of the customers can be transferred", "没有可转接的客户")
            }
            Self::ReportUnknown => (404, "report_unknown", "There is no such report", "未找到该报表"),
            Self::ErasureUnknown => (404, "erasure_unknown", "There is no such erasure", "未找到该删除记录"),
            Self::MethodNotAllowed => (405, "method_not_allowed", "The path has no such method", "不支持该请求方法"),
            Self::BodyTimeout => (408, "body_timeout", "The body took too long", "接收请求体超时"),
            Self::AlreadyBound => (409, "already_bound", "Bound already", "已存在绑定关系"),
            Self::MoveNotAllowed => {
                (409, "move_not_allowed", "The work order cannot become that", "工单状态不允许该变更")
            }
            Self::VersionConflict => (409, "version_conflict", "Somebody else changed it first", "数据已被他人修改"),
            Self::IdempotencyKeyReused => {
                (409, "idempotency_key_reused", "The key belongs to another request", "幂等键已用于其他请求")
            }
            Self::PreconditionFailed => (412, "precondition_failed", "It was changed since", "数据已变更，请重新读取"),
            Self::BodyTooLarge => (413, "body_too_large", "The body is too long", "请求体过大"),
            Self::WecomRefused => (422, "wecom_refused", "WeCom said no", "企业微信拒绝了请求"),
            Self::MemberUnknown => {
                (422, "member_unknown", "No such member, or out of the app's sight", "没有该成员或不在可见范围内")
            }
            Self::MemberInactive => {
                (422, "member_inactive", "The member does not use WeCom at present", "该成员未在用")
            }
            Self::SettingMissing => (422, "setting_missing", "A setting is missing", "缺少配置项"),
            Self::TooManyRequests => (429, "too_many_requests", "Too many requests", "请求过于频繁"),
            Self::SecretUnreadable => (500, "secret_unreadable", "A stored secret does not open", "已存密钥无法解密"),
            Self::Internal => (500, "internal", "Something went wrong on our side", "服务器内部错误"),
            Self::DatabaseUnavailable => {
                (503, "database_unavailable", "The database does not answer", "数据库暂不可用")
            }
            Self::WecomUnavailable => (503, "wecom_unavailable", "WeCom does not answer", "企业微信暂不可用"),
            Self::MediaWaiting => (404, "media_waiting", "The media is still on its way", "媒体文件尚在下载"),
            Self::MediaGone => (404, "media_gone", "The media is gone", "媒体文件已不可得"),
            Self::MediaUnknown => (404, "media_unknown", "The media is not known", "未找到该媒体文件"),
            Self::RangeNotSatisfiable => {
                (416, "range_not_satisfiable", "The file has no such bytes", "请求的字节范围无效")
            }
            Self::MediaUnavailable => (503, "media_unavailable", "The media store does not work", "媒体存储暂不可用"),
        }
    }
}

impl Problem {
    /// A problem, with a detail that says what to do about it.
    pub fn new(code: Code, detail: impl Into<Bilingual>) -> Self {
        Self { code, detail: detail.into(), field: None, header: None, cause: None, errors: None }
    }

    /// A field of the body is wrong; the detail says what it must be.
    pub fn field(field: impl Into<String>, detail: impl Into<Bilingual>) -> Self {
        Self::new(Code::InvalidField, detail).at(field)
    }

    /// A part of the path or query is wrong, likewise.
    pub fn parameter(name: impl Into<String>, detail: impl Into<Bilingual>) -> Self {
        Self::new(Code::InvalidParameter, detail).at(name)
    }

    /// A part of the path or query is none of the names that it may be.
    pub fn one_of(name: impl Into<String>, names: &[&str]) -> Self {
        let names = names.join(", ");
        Self::parameter(name, (format!("must be one of {names}"), format!("须为以下之一：{names}")))
    }

    /// Too much is asked: why, and how long to wait.
    pub fn too_many(wait: Duration, why: impl Into<Bilingual>) -> Self {
        let seconds = wait.as_secs().saturating_add(1);
        let why = why.into();
        let detail = (format!("{}: wait {seconds} s", why.en), format!("{}，请等待 {seconds} 秒", why.zh));
        let problem = Self::new(Code::TooManyRequests, detail);
        problem.with_header("retry-after", seconds.to_string())
    }

    /// Our own fault: the caller learns nothing but that, the log learns the cause.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let detail =
            ("the cause is in the program's log, under this request's id", "原因见程序日志，按本请求的编号查找");
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal, detail) }
    }

    /// Names the field or parameter it is about.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, of another kind: for a resource that knows more than what WeCom's class says.
    pub fn coded(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Which kind of problem it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The field or parameter it is about.
    pub fn named(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Keeps what went wrong for the log.
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Lists what is wrong, where it is several things.
    pub fn listing(mut self, errors: &impl Serialize) -> Self {
        self.errors = serde_json::to_value(errors).ok().map(Box::new);
        self
    }

    /// Adds a header that HTTP asks for beside the status.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    /// Writes the cause to the log if it is our own; a caller's mistake is only theirs to read.
    pub fn log(&self, request_id: Uuid) {
        if self.code.status() >= 500 {
            let cause = self.cause.as_deref().map(chain).unwrap_or_default();
            tracing::error!(request.id = %request_id, code = self.code.as_str(), error = cause, "an admin request failed");
        }
    }

    /// The problem as it goes out.
    pub fn reply(self, request_id: Uuid) -> Reply {
        let (status, code, title, title_zh) = self.code.facts();
        let said = Said {
            kind: "about:blank",
            title,
            title_zh,
            status,
            code,
            detail: self.detail.en.clone().into_owned(),
            request_id,
            field: self.field,
            errors: self.errors.map(|it| *it),
        };
        let said = serde_json::to_value(said).unwrap_or_default();
        let chinese = InChinese { title: title_zh, detail: self.detail.zh.into_owned() };
        Reply { status, body: Body::Problem { said, chinese }, headers: Vec::from_iter(self.header) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => write!(f, "{}", self.detail),
        }
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause: &(dyn Error + 'static) = self.cause.as_deref()?;
        Some(cause)
    }
}

/// An error and what it came from, in one line.
fn chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn text(reply: Reply) -> String {
        String::from_utf8(reply.body.into_bytes().to_vec()).expect("JSON").trim_end().to_owned()
    }

    #[test]
    fn every_code_has_a_name_of_its_own_and_titles_in_both_languages() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let (status, _, title, title_zh) = code.facts();
            assert!((400..600).contains(&status));
            assert!(title.is_ascii() && !title_zh.is_ascii(), "{code:?}");
        }
    }

    #[test]
    fn a_problem_names_its_field_and_the_request() {
        let reply = Problem::field("corpid", ("is required", "为必填项")).reply(Uuid::nil());
        assert_eq!((reply.status, reply.body.content_type()), (400, "application/problem+json"));
        insta::assert_snapshot!(text(reply), @r#"{"code":"invalid_field","detail":"is required","field":"corpid","request_id":"00000000-0000-0000-0000-000000000000","status":400,"title":"A field is not valid","title_zh":"字段无效","type":"about:blank"}"#);
    }

    #[test]
    fn what_the_database_said_is_logged_but_not_answered() {
        let problem = Problem::from(sqlx::Error::Decode("secret_table.secret_column".into()));
        assert_eq!(problem.code(), Code::Internal);
        assert!(problem.source().expect("a cause").to_string().contains("secret_column"));
        assert!(!text(problem.reply(Uuid::nil())).contains("secret_column"));
    }

    #[test]
    fn a_database_that_cannot_be_reached_is_a_503() {
        assert_eq!(Problem::from(sqlx::Error::PoolTimedOut).code().status(), 503);
    }
}
