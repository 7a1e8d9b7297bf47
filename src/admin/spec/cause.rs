//! Turns internal errors into the problems that callers see.

use super::problem::{Code, Problem};
use crate::{
    bilingual::Bilingual,
    check::Invalid,
    vault::VaultError,
    wecom::{ApiError, Class},
};

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let state = error.as_database_error().and_then(|it| it.code()).unwrap_or_default().into_owned();
        // A value that no column can hold (class 22: a year that PostgreSQL does not have) came from the caller.
        if state.starts_with("22") {
            return Self::new(
                Code::InvalidParameter,
                ("a given value is not one that the database can hold", "数据库无法存储所给的值"),
            );
        }
        // Connection trouble, a server that is shutting down or full, or two conflicting transactions.
        let passing = ["08", "40", "53", "57"].iter().any(|class| state.starts_with(class));
        let unreachable = matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        );
        if !passing && !unreachable {
            return Self::internal(error);
        }
        let detail = ("try again in a moment; /readyz says when it is back", "请稍后重试；/readyz 会显示何时恢复");
        Self::new(Code::DatabaseUnavailable, detail).because(error)
    }
}

impl From<Invalid> for Problem {
    fn from(Invalid { field, why }: Invalid) -> Self {
        Self::field(field, why)
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let detail = (
            "give this process the master keys that it was sealed with; the log says which",
            "请为本进程配置加密时所用的主密钥，日志中有其编号",
        );
        Self::new(Code::SecretUnreadable, detail).because(error)
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let code = match error.class {
            Class::Transient | Class::Unknown => Code::WecomUnavailable,
            Class::Token | Class::Refused => Code::WecomRefused,
        };
        let detail = explained(&error);
        Self::new(code, detail).because(error)
    }
}

/// WeCom's refusal in words: its meaning and remedy if known, then the errcode, the errmsg, the hint, and the address
/// from which WeCom received the call.
fn explained(error: &ApiError) -> Bilingual {
    let (mut en, mut zh) = (error.to_string(), error.to_string());
    if let Some(address) = &error.from_ip {
        en.push_str(&format!(" (WeCom saw us come from {address})"));
        zh.push_str(&format!("（企业微信看到的来源 IP：{address}）"));
    }
    match error.meaning() {
        Some(it) => {
            (format!("{}: {}. [{en}]", it.en, it.remedy_en), format!("{}：{}。[{zh}]", it.zh, it.remedy_zh)).into()
        }
        None => (en, zh).into(),
    }
}
