//! A browser's evidence: its session cookies, and the origin of the request.
//!
//! A browser sends a session's cookie with every request here, even for a foreign page. So every change must also
//! carry the session's CSRF token, which only our own pages can read. The database is not known here.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    admin::spec::problem::{Code, Problem},
    vault,
};

/// The random bytes of a session, and of a login's state. In hexadecimal they have only characters that WeCom
/// accepts, and fewer than its 128.
const RANDOM_BYTES: usize = 32;

/// The header that carries the session's CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// How many characters of a `User-Agent` are stored.
const USER_AGENT_CHARS_MAX: usize = 200;

/// A browser's headers.
#[derive(Debug, Default)]
pub struct Browser {
    /// `Cookie`.
    pub cookies: Option<SecretString>,
    /// `X-CSRF-Token`.
    pub csrf: Option<SecretString>,
    /// `Origin`: the site of the page that sent the request.
    pub origin: Option<String>,
    /// `Referer`: that page's URL, if the browser sends no `Origin`.
    pub referer: Option<String>,
    /// `Sec-Fetch-Site`: how that page relates to this site.
    pub fetch_site: Option<String>,
    /// `Host`: the host that was requested.
    pub host: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
}

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// Of a session.
    Session,
    /// Of a login in progress: it ties WeCom's redirect to the browser that began the login.
    Login,
}

impl Cookie {
    /// Its name. The prefix prevents other sites under our domain, and connections without TLS, from setting it.
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-wecomd_session",
            (Self::Session, false) => "wecomd_session",
            (Self::Login, true) => "__Host-wecomd_login",
            (Self::Login, false) => "wecomd_login",
        }
    }

    /// The header that sets it for this many seconds. Scripts cannot read it, and browsers do not send it with
    /// foreign pages' requests, except when a link is followed.
    pub fn set(self, secure: bool, value: &str, life_s: u32) -> (&'static str, String) {
        let (name, tls) = (self.name(secure), if secure { "; Secure" } else { "" });
        ("set-cookie", format!("{name}={value}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Lax{tls}"))
    }

    /// The header that deletes it.
    pub fn clear(self, secure: bool) -> (&'static str, String) {
        self.set(secure, "", 0)
    }
}

impl Browser {
    /// The value of a cookie; none if it occurs twice, since one of them is not ours.
    pub fn cookie(&self, cookie: Cookie, secure: bool) -> Option<&str> {
        let all = self.cookies.as_ref()?.expose_secret();
        let mut found = all
            .split(';')
            .filter_map(|it| it.trim().split_once('='))
            .filter(|(name, value)| *name == cookie.name(secure) && !value.is_empty())
            .map(|(_, value)| value);
        let value = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// Refuses a request that a foreign page may have sent, or that lacks the session's CSRF token.
    pub fn check_own(&self, session: &str, public_url: &str) -> Result<(), Problem> {
        let refused = |en, zh| Err(Problem::new(Code::Csrf, (en, zh)));
        if self.fetch_site.as_deref().is_some_and(|it| !["same-origin", "none"].contains(&it)) {
            return refused(
                "another site's page sent this request: open the console itself",
                "请求来自其他网站，已拒绝，请直接打开控制台",
            );
        }
        if let Some(page) = self.origin.as_deref().or(self.referer.as_deref())
            && !self.is_ours(page, public_url)
        {
            return refused(
                "the page that sent this is not ours: open the console under wecom.public_url, \
                 which names scheme, host and port",
                "请求不是由本控制台页面发出，请通过 wecom.public_url（含协议、主机与端口）打开控制台",
            );
        }
        // Hashes are compared, so the time of the comparison reveals nothing about the token.
        let shown = self.csrf.as_ref().map(|it| vault::token_hash(it.expose_secret()));
        if shown != Some(vault::token_hash(csrf_token(session).expose_secret())) {
            return refused(
                "send X-CSRF-Token, as `GET session` tells it",
                "缺少或错误的 X-CSRF-Token，请从 `GET session` 获取",
            );
        }
        Ok(())
    }

    /// Whether a page is the console's: its scheme, host and port are those of `public_url`. Without `public_url` the
    /// page must come from the requested host, over TLS or on this machine, because no other page gets a cookie.
    fn is_ours(&self, page: &str, public_url: &str) -> bool {
        let Some(theirs) = Origin::of(page) else { return false };
        if !public_url.is_empty() {
            return Origin::of(public_url) == Some(theirs);
        }
        let host = self.host.as_deref().and_then(|host| host_and_port(host, theirs.port_of_scheme()));
        host.is_some_and(|(host, port)| host == theirs.host && port == theirs.port)
            && (theirs.is_https || is_this_machine(&theirs.host))
    }

    /// The browser's name, cut short.
    pub fn name(&self) -> String {
        let name = self.user_agent.as_deref().unwrap_or_default();
        name.chars().filter(|it| !it.is_control()).take(USER_AGENT_CHARS_MAX).collect()
    }

    /// Whether it is the browser in WeCom's own client.
    pub fn is_wecom(&self) -> bool {
        self.user_agent.as_deref().is_some_and(|it| it.contains("wxwork"))
    }
}

/// The CSRF token of a session, derived one-way from the cookie, which no page can read.
pub fn csrf_token(session: &str) -> SecretString {
    hex::encode(Sha256::digest(format!("csrf {session}"))).into()
}

/// A random value that cannot be guessed.
pub fn random() -> SecretString {
    hex::encode(rand::random::<[u8; RANDOM_BYTES]>()).into()
}

/// Whether a value has the form of one of ours.
pub fn is_random(value: &str) -> bool {
    value.len() == 2 * RANDOM_BYTES && value.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether cookies require TLS: always, unless `public_url` says that the console is reached without it.
pub fn secure(public_url: &str) -> bool {
    !public_url.starts_with("http://")
}

/// A page's origin (RFC 6454).
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an `http` or `https` URL; none of anything else, such as `null`.
    fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let authority = rest.split(['/', '?', '#']).next()?;
        let (host, port) = host_and_port(authority, if is_https { 443 } else { 80 })?;
        Some(Self { is_https, host, port })
    }

    fn port_of_scheme(&self) -> u16 {
        if self.is_https { 443 } else { 80 }
    }
}

/// The host, in lower case, and the port of `host:port`.
fn host_and_port(text: &str, usual_port: u16) -> Option<(String, u16)> {
    let end = match text.find(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(end)?;
    let port = match rest.strip_prefix(':') {
        Some("") => usual_port,
        Some(digits) => digits.parse().ok()?,
        None if rest.is_empty() => usual_port,
        None => return None,
    };
    let good = !host.is_empty() && host.bytes().all(|it| it.is_ascii_graphic() && !b"@/\\".contains(&it));
    good.then(|| (host.to_ascii_lowercase(), port))
}

/// Whether a browser that names this host runs on this machine.
fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse().is_ok_and(|it: IpAddr| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(cookies: &str) -> Browser {
        Browser { cookies: Some(cookies.into()), ..Browser::default() }
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name_and_refused_if_sent_twice() {
        let found = |cookies: &str, secure| browser(cookies).cookie(Cookie::Session, secure).map(str::to_owned);
        assert_eq!(found("a=b; __Host-wecomd_session=1f; c=d", true).as_deref(), Some("1f"));
        assert_eq!(found("wecomd_session=1f", true), None, "it was set without TLS");
        assert_eq!(found("wecomd_session=1f", false).as_deref(), Some("1f"));
        assert_eq!(found("__Host-wecomd_session=1f;__Host-wecomd_session=2f", true), None);
        assert_eq!(found("x__Host-wecomd_session=1f; __Host-wecomd_session=", true), None);
        assert_eq!(found("", true), None);
    }

    #[test]
    fn a_change_needs_our_own_origin_and_the_csrf_token() {
        let session = random();
        let session = session.expose_secret();
        let good = || Browser { csrf: Some(csrf_token(session)), ..Browser::default() };
        let ours = "https://wecom.example.com/console";
        assert!(good().check_own(session, ours).is_ok());
        let same = |origin: &str, host: &str| Browser {
            origin: Some(origin.to_owned()),
            host: Some(host.to_owned()),
            fetch_site: Some("same-origin".to_owned()),
            ..good()
        };
        assert!(same("https://wecom.example.com", "10.0.0.7:8081").check_own(session, ours).is_ok(), "behind a proxy");
        assert!(same("http://localhost:8081", "localhost:8081").check_own(session, "").is_ok());
        assert!(same("https://WECOM.example.com:443", "10.0.0.7:8081").check_own(session, ours).is_ok());
        let referring = |page: &str| Browser { referer: Some(page.to_owned()), ..good() };
        assert!(referring("https://wecom.example.com/console/orders?x=1").check_own(session, ours).is_ok());
        for (origin, host) in [("http://wecom.example.com", "wecom.example.com"), ("https://[::1]:1", "[::1]:2")] {
            let refused = same(origin, host).check_own(session, "").expect_err("without TLS, or another port");
            assert_eq!(refused.code(), Code::Csrf, "{origin}");
        }
        assert!(same("https://wecom.example.com", "wecom.example.com:443").check_own(session, "").is_ok());
        assert!(same("http://[::1]:8081", "[::1]:8081").check_own(session, "").is_ok());
        for foreign in [
            same("http://wecom.example.com", "wecom.example.com"),
            same("https://wecom.example.com:8443", "wecom.example.com:8443"),
            same("https://console.example.com", "console.example.com"),
            same("https://wecom.example.com@evil.example", "wecom.example.com"),
            same("", "wecom.example.com"),
            referring("http://wecom.example.com/console"),
            referring("https://evil.example.com/https://wecom.example.com/"),
            referring("about:blank"),
            Browser::default(),
            Browser { csrf: Some(csrf_token("another session")), ..Browser::default() },
            Browser { fetch_site: Some("cross-site".to_owned()), ..good() },
            Browser { fetch_site: Some("same-site".to_owned()), ..good() },
            same("https://evil.example.com", "wecom.example.com"),
            same("https://wecom.example.com.evil.example", "wecom.example.com"),
            same("null", "wecom.example.com"),
        ] {
            assert_eq!(foreign.check_own(session, ours).expect_err("refused").code(), Code::Csrf, "{foreign:?}");
        }
        assert_ne!(csrf_token(session).expose_secret(), session);
    }

    #[test]
    fn random_values_and_origins_are_recognised_and_cookies_are_secure_by_default() {
        assert!(is_random(random().expose_secret()));
        for other in ["", "1f", &"g".repeat(64), &"F".repeat(64)] {
            assert!(!is_random(other), "{other}");
        }
        assert!(secure("") && secure("https://x") && !secure("http://localhost:8081"));
        let same = |one, other| Origin::of(one).expect(one) == Origin::of(other).expect(other);
        assert!(same("https://a.example/b/c", "HTTPS://A.example:443?x"));
        assert!(same("http://[::1]:80", "http://[::1]:/"));
        assert!(
            !same("https://a.example", "http://a.example:443") && !same("http://a.example", "http://a.example.:80")
        );
        for none in ["null", "", "https://", "ftp://a.example", "https://a.example:x", "https://a b", "https://[::1]x"]
        {
            assert_eq!(Origin::of(none), None, "{none}");
        }
    }
}
