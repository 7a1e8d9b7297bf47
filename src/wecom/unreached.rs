//! Why no valid answer came from WeCom, classified by the remedy.
//!
//! The HTTP library reports a chain of causes. Causes with a type of their own (TLS, system errors) are recognised by
//! type, others by the library's messages; tests over real sockets check those messages.

use std::{error::Error, io};

use super::{ApiError, Class, Meaning};

/// How many characters of an answer that is not JSON are quoted.
const SHOWN_CHARS_MAX: usize = 60;

/// The kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// The host name cannot be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// It took too long.
    Timeout,
    /// The proxy cannot be reached or refuses.
    Proxy,
    /// The connection ended before the answer did.
    Broken,
    /// The answer's HTTP status is not a success.
    Status,
    /// The answer is not JSON.
    NotJson,
}

impl Unreached {
    /// Its name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Proxy => "proxy",
            Self::Broken => "broken",
            Self::Status => "status",
            Self::NotJson => "not_json",
        }
    }

    /// Its meaning and remedy.
    pub(super) fn meaning(self) -> &'static Meaning {
        match self {
            Self::Dns => &DNS,
            Self::Connect => &CONNECT,
            Self::Tls => &TLS,
            Self::Timeout => &TIMEOUT,
            Self::Proxy => &PROXY,
            Self::Broken => &BROKEN,
            Self::Status => &STATUS,
            Self::NotJson => &NOT_JSON,
        }
    }

    /// Classifies the library's error; `proxied` if a proxy is used.
    fn of(error: &reqwest::Error, proxied: bool) -> Self {
        let says = |words: &str| chain(error).any(|it| it.to_string().contains(words));
        if chain(error).any(is_tls) {
            return Self::Tls;
        }
        // With a proxy, only the proxy's name is resolved and only the proxy is connected to.
        if says("tunnel error") || says("socks") || (proxied && error.is_connect()) {
            return Self::Proxy;
        }
        if error.is_timeout() {
            return Self::Timeout;
        }
        match error.is_connect() {
            true if says("dns error") => Self::Dns,
            true if says("tcp connect error") => Self::Connect,
            // The connection was made, and the other side ended it during the TLS handshake.
            true => Self::Tls,
            false => Self::Broken,
        }
    }
}

/// A call that failed on the way. The library's message holds the URL, and the URL holds the token, so it is dropped.
pub(super) fn broken(path: &'static str, error: reqwest::Error, proxied: bool) -> ApiError {
    // Without a connection, WeCom cannot have received the request.
    let class = if error.is_connect() { Class::Transient } else { Class::Unknown };
    let unreached = Unreached::of(&error, proxied);
    let error = error.without_url();
    let words = chain(&error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
    ApiError { unreached: Some(unreached), ..ApiError::unanswered(path, class, words) }
}

/// An answer with an HTTP status other than success.
pub(super) fn status(path: &'static str, status: reqwest::StatusCode) -> ApiError {
    let unreached = match status {
        reqwest::StatusCode::PROXY_AUTHENTICATION_REQUIRED => Unreached::Proxy,
        _ => Unreached::Status,
    };
    let message = format!("the answer's status is {}", status.as_u16());
    ApiError { unreached: Some(unreached), ..ApiError::unanswered(path, Class::Unknown, message) }
}

/// An answer whose body could not be parsed; if it is not JSON, its beginning is quoted.
pub(super) fn unreadable(path: &'static str, body: &[u8], error: &dyn std::fmt::Display) -> ApiError {
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        return ApiError::unanswered(path, Class::Unknown, format!("the answer cannot be read: {error}"));
    }
    let text = String::from_utf8_lossy(body);
    let begins: String = text.trim_start().chars().take(SHOWN_CHARS_MAX).collect();
    let message = format!("the answer is not JSON; it begins with {begins:?}");
    ApiError { unreached: Some(Unreached::NotJson), ..ApiError::unanswered(path, Class::Unknown, message) }
}

/// An error and its causes, including the one inside an [`io::Error`], which its `source` would skip.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |it| {
        let it: &'a (dyn Error + 'static) = *it;
        let wrapped = it.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|it| it as &(dyn Error + 'static)).or_else(|| it.source())
    })
}

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    // A handshake that the other side ended has no error type of its own.
    error.is::<rustls::Error>() || error.to_string().contains("tls handshake")
}

const DNS: Meaning = Meaning {
    zh: "域名解析失败（DNS）",
    en: "the host's name cannot be resolved (DNS)",
    remedy_zh: "请检查本机的 DNS 设置与 wecom.base_url 的域名",
    remedy_en: "check this machine's DNS, and the host in wecom.base_url",
};

const CONNECT: Meaning = Meaning {
    zh: "无法建立连接",
    en: "no connection could be made",
    remedy_zh: "请检查防火墙是否放行出站 443 端口，以及 wecom.base_url 的地址与端口",
    remedy_en: "see whether the firewall lets connections to port 443 out, and check host and port in wecom.base_url",
};

const TLS: Meaning = Meaning {
    zh: "TLS 握手失败",
    en: "TLS could not be agreed on",
    remedy_zh: "请检查 wecom.base_url 的端口是否为 HTTPS、本机时间与根证书是否正确，以及是否有设备拦截 HTTPS",
    remedy_en: "see whether the port in wecom.base_url speaks HTTPS, whether this machine's time and root certificates are right, and whether something intercepts HTTPS",
};

const TIMEOUT: Meaning = Meaning {
    zh: "在限定时间内没有应答",
    en: "no answer came in time",
    remedy_zh: "请检查网络是否通畅；如网络较慢，可调大 wecom.timeout_ms",
    remedy_en: "check the network; if it is just slow, raise wecom.timeout_ms",
};

const PROXY: Meaning = Meaning {
    zh: "代理不可用或拒绝转发",
    en: "the proxy cannot be reached, or does not let us through",
    remedy_zh: "请检查 wecom.proxy 的地址、账号与放行规则",
    remedy_en: "check the address and the account in wecom.proxy, and what the proxy lets through",
};

const BROKEN: Meaning = Meaning {
    zh: "连接中途断开",
    en: "the connection broke off",
    remedy_zh: "稍后会自动重试；如经常出现，请检查网络与中间设备",
    remedy_en: "it is tried again by itself; if it happens often, check the network and what stands in between",
};

const STATUS: Meaning = Meaning {
    zh: "应答的 HTTP 状态码表示失败",
    en: "the answer's HTTP status says that it failed",
    remedy_zh: "应答的可能不是企业微信：请检查 wecom.base_url，以及中间的网关或代理",
    remedy_en: "it may not be WeCom that answers: check wecom.base_url, and the gateway or proxy in between",
};

const NOT_JSON: Meaning = Meaning {
    zh: "应答不是 JSON",
    en: "the answer is not JSON",
    remedy_zh: "应答的不是企业微信，可能是登录页或拦截页：请检查 wecom.base_url，以及中间的网关或代理",
    remedy_en: "it is not WeCom that answers, but perhaps a login page: check wecom.base_url, and the gateway or proxy in between",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_json_is_reported_by_its_first_sixty_characters() {
        let page = format!("\n<html>\u{1b}[31m{}", "错".repeat(100));
        let error = unreadable("gettoken", page.as_bytes(), &"expected value");
        assert_eq!(error.unreached, Some(Unreached::NotJson));
        let begins = format!("\"<html>\\u{{1b}}[31m{}\"", "错".repeat(60 - 11));
        assert_eq!(&*error.message, format!("the answer is not JSON; it begins with {begins}"));
        assert_eq!(unreadable("gettoken", b"", &"EOF").unreached, Some(Unreached::NotJson));
        let odd = unreadable("gettoken", br#"{"errcode":{}}"#, &"a map");
        assert_eq!((odd.unreached, &*odd.message), (None, "the answer cannot be read: a map"));
    }
}
