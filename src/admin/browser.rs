//! What a browser shows beside its request: the cookies that log it in, and where the request comes from.
//!
//! A session's cookie goes along with whatever a browser sends here, also for a foreign page. So whatever changes
//! something must show the session's CSRF token, too, which only our own pages can read. It refuses to know the database.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::problem::{Code, Problem};
use crate::vault;

/// The randomness of a session, and of a login's state. In hexadecimal it has only characters that WeCom takes, and
/// fewer than its 128.
const RANDOM_BYTES: usize = 32;

/// The header in which a page shows the session's CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// How much of a browser's name is kept.
const USER_AGENT_CHARS_MAX: usize = 200;

/// What a browser shows.
#[derive(Debug, Default)]
pub struct Browser {
    /// `Cookie`.
    pub cookies: Option<SecretString>,
    /// `X-CSRF-Token`.
    pub csrf: Option<SecretString>,
    /// `Origin`: whose page sent the request, if that was a page.
    pub origin: Option<String>,
    /// `Sec-Fetch-Site`: how that page is related to us.
    pub fetch_site: Option<String>,
    /// `Host`: whom the request was meant for.
    pub host: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
}

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Of a session.
    Session,
    /// Of a login under way: it ties the way back from WeCom to the browser that set out.
    Login,
}

impl Cookie {
    /// Its name. With the prefix no other site under our domain, and nobody without TLS, can set it.
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-wecomd_session",
            (Self::Session, false) => "wecomd_session",
            (Self::Login, true) => "__Host-wecomd_login",
            (Self::Login, false) => "wecomd_login",
        }
    }

    /// The header that sets it for so many seconds. No page's script can read it, and foreign pages' requests come
    /// without it, but for a link that is followed.
    pub(super) fn set(self, secure: bool, value: &str, life_s: u32) -> (&'static str, String) {
        let (name, tls) = (self.name(secure), if secure { "; Secure" } else { "" });
        ("set-cookie", format!("{name}={value}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Lax{tls}"))
    }

    /// The header that takes it away.
    pub(super) fn clear(self, secure: bool) -> (&'static str, String) {
        self.set(secure, "", 0)
    }
}

impl Browser {
    /// The value of a cookie; none if it is there twice, since one of them is not ours.
    pub(super) fn cookie(&self, cookie: Cookie, secure: bool) -> Option<&str> {
        let all = self.cookies.as_ref()?.expose_secret();
        let mut found = all
            .split(';')
            .filter_map(|it| it.trim().split_once('='))
            .filter(|(name, value)| *name == cookie.name(secure) && !value.is_empty())
            .map(|(_, value)| value);
        let value = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// Refuses a request that a foreign page may have sent, and one that does not show the session's CSRF token.
    pub(super) fn check_own(&self, session: &str, public_url: &str) -> Result<(), Problem> {
        let refused = |detail: &str| Err(Problem::new(Code::Csrf, detail));
        if self.fetch_site.as_deref().is_some_and(|it| !["same-origin", "none"].contains(&it)) {
            return refused(
                "another site's page sent this request: open the console itself. 请求来自其他网站,已拒绝。",
            );
        }
        if let Some(origin) = &self.origin {
            let here = self.host.as_deref().is_some_and(|host| authority(origin) == Some(host));
            if !here && (public_url.is_empty() || origin != origin_of(public_url)) {
                return refused("the page that sent this is not ours: set wecom.public_url to the console's address.");
            }
        }
        // Hashes are compared, so how long it takes tells about hashes only.
        let shown = self.csrf.as_ref().map(|it| vault::token_hash(it.expose_secret()));
        if shown != Some(vault::token_hash(csrf_token(session).expose_secret())) {
            return refused("send X-CSRF-Token, as `GET session` tells it. 缺少或错误的 X-CSRF-Token。");
        }
        Ok(())
    }

    /// The browser's name, cut short.
    pub(super) fn name(&self) -> String {
        let name = self.user_agent.as_deref().unwrap_or_default();
        name.chars().filter(|it| !it.is_control()).take(USER_AGENT_CHARS_MAX).collect()
    }

    /// Whether it is the one within WeCom's own client.
    pub(super) fn is_wecom(&self) -> bool {
        self.user_agent.as_deref().is_some_and(|it| it.contains("wxwork"))
    }
}

/// The CSRF token of a session. It follows from the cookie, which no page can read, and tells nothing about it.
pub(super) fn csrf_token(session: &str) -> SecretString {
    hex::encode(Sha256::digest(format!("csrf {session}"))).into()
}

/// A value that nobody can guess.
pub(super) fn random() -> SecretString {
    hex::encode(rand::random::<[u8; RANDOM_BYTES]>()).into()
}

/// Whether a value may be one of ours.
pub(super) fn is_random(value: &str) -> bool {
    value.len() == 2 * RANDOM_BYTES && value.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether cookies are for TLS alone: always, unless the operator says that the console is reached without it.
pub(super) fn secure(public_url: &str) -> bool {
    !public_url.starts_with("http://")
}

fn authority(url: &str) -> Option<&str> {
    url.split_once("://").map(|(_, rest)| rest)
}

fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |it| it + 3);
    url.get(start..).and_then(|rest| rest.find('/')).and_then(|end| url.get(..start + end)).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(cookies: &str) -> Browser {
        Browser { cookies: Some(cookies.into()), ..Browser::default() }
    }

    #[test]
    fn a_cookie_is_found_by_its_name_alone_and_not_if_somebody_planted_another() {
        let found = |cookies: &str, secure| browser(cookies).cookie(Cookie::Session, secure).map(str::to_owned);
        assert_eq!(found("a=b; __Host-wecomd_session=1f; c=d", true).as_deref(), Some("1f"));
        assert_eq!(found("wecomd_session=1f", true), None, "it was set without TLS");
        assert_eq!(found("wecomd_session=1f", false).as_deref(), Some("1f"));
        assert_eq!(found("__Host-wecomd_session=1f;__Host-wecomd_session=2f", true), None);
        assert_eq!(found("x__Host-wecomd_session=1f; __Host-wecomd_session=", true), None);
        assert_eq!(found("", true), None);
    }

    #[test]
    fn only_our_own_page_that_knows_the_token_changes_anything() {
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
        for foreign in [
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
    fn a_random_value_is_known_by_its_form_and_cookies_want_tls_unless_told_otherwise() {
        assert!(is_random(random().expose_secret()));
        for other in ["", "1f", &"g".repeat(64), &"F".repeat(64)] {
            assert!(!is_random(other), "{other}");
        }
        assert!(secure("") && secure("https://x") && !secure("http://localhost:8081"));
        assert_eq!(origin_of("https://a.example/b/c"), "https://a.example");
        assert_eq!(origin_of("https://a.example"), "https://a.example");
    }
}
