//! The internal listener: the admin API and the probes.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST,
        HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, ORIGIN, RANGE, REFERER, REFERRER_POLICY, SET_COOKIE,
        USER_AGENT, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use secrecy::SecretString;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Door, Health, Limits, Proxies, Served, body};
use crate::admin::{
    self, Admin, Reply,
    door::browser::{Browser, CSRF_HEADER},
    spec::openapi,
};

/// The header that carries a request's id, in requests and in answers.
const REQUEST_ID: &str = "x-request-id";

/// The header that identifies a repeated request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header in which a browser states how the requesting page relates to this site.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The `Authorization` scheme of our tokens; its case does not matter (RFC 9110 §11.1).
const BEARER: &str = "bearer";

/// Security headers that every answer carries.
const BROWSER_RULES: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The listener that administrators and other systems use.
pub struct AdminDoor {
    admin: Arc<Admin>,
    health: Health,
    limits: Limits,
    proxies: Proxies,
    prepared: watch::Receiver<bool>,
}

impl AdminDoor {
    /// Serves this administration. While `prepared` is false, the database has not answered since the start: probes are
    /// answered, and everything else is told to come back.
    pub fn new(
        admin: Arc<Admin>,
        health: Health,
        limits: Limits,
        proxies: Proxies,
        prepared: watch::Receiver<bool>,
    ) -> Self {
        Self { admin, health, limits, proxies, prepared }
    }

    async fn api(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let language = request.headers().get(ACCEPT_LANGUAGE).cloned();
        let language = language.as_ref().and_then(|it| it.to_str().ok());
        let wanted = self.head(&request, peer);
        let request_id = wanted.request_id;
        if !*self.prepared.borrow() {
            return reply(admin::not_started(request_id).in_language(language), request_id);
        }
        // The body is read only after the caller is admitted.
        let admitted = match admin::admit(&self.admin, wanted).await {
            Ok(admitted) => admitted,
            Err(refused) => return reply(refused.in_language(language), request_id),
        };
        let answer = match body::read(request.into_body(), &self.limits).await {
            Ok(body) => admin::handle(&self.admin, admitted.with_body(body)).await,
            Err(error) => admin::unread(error.status(), request_id),
        };
        reply(answer.in_language(language), request_id)
    }

    /// Takes what the admin API needs from a request's head.
    fn head(&self, request: &Request<Incoming>, peer: SocketAddr) -> admin::Request {
        let header = |name| request.headers().get(name).and_then(|it: &HeaderValue| it.to_str().ok());
        // These headers decide whether a request is carried out, so a value that is not ASCII or comes twice must not
        // be ignored.
        let whole = |name, between| whole(request.headers(), name, between);
        admin::Request {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            bearer: whole(AUTHORIZATION, ", ").as_deref().and_then(bearer).map(SecretString::from),
            browser: Browser {
                cookies: whole(COOKIE, "; ").map(SecretString::from),
                csrf: header(CSRF_HEADER).map(SecretString::from),
                origin: whole(ORIGIN, ", "),
                referer: whole(REFERER, ", "),
                fetch_site: whole(SEC_FETCH_SITE, ", "),
                host: whole(HOST, ", "),
                user_agent: header(USER_AGENT.as_str()).map(str::to_owned),
            },
            body: Bytes::new(),
            accept: header(ACCEPT.as_str()).map(str::to_owned),
            range: header(RANGE.as_str()).map(str::to_owned),
            if_match: whole(IF_MATCH, ", "),
            idempotency_key: whole(IDEMPOTENCY_KEY, ", "),
            address: self.proxies.caller(peer, request.headers()).to_string(),
            request_id: header(REQUEST_ID).and_then(|it| it.parse().ok()).unwrap_or_else(Uuid::now_v7),
        }
    }

    /// The API's description, for programs and for people; none if the path is another one.
    fn description(&self, request: &Request<Incoming>, peer: SocketAddr) -> Option<Response<Full<Bytes>>> {
        let route = openapi::PATHS.into_iter().find(|it| *it == request.uri().path())?;
        let header = |name| request.headers().get(name).and_then(|it: &HeaderValue| it.to_str().ok());
        let (head, language) = (self.head(request, peer), header(ACCEPT_LANGUAGE));
        if let Err(refused) = admin::admit_reader(&self.admin, &head.address, route, head.request_id) {
            return Some(reply(refused.in_language(language), head.request_id));
        }
        let described = openapi::serve(&head.method, route, &head.query, language, header(IF_NONE_MATCH))?;
        Some(reply(described, head.request_id))
    }
}

impl Door for AdminDoor {
    async fn serve(&self, request: Request<Incoming>, peer: SocketAddr) -> Served {
        Ok(guarded(match request.uri().path() {
            "/livez" => plain(200, "text/plain; charset=utf-8", "ok\n".to_owned()),
            "/readyz" => {
                let (status, found) = self.health.ready().await;
                plain(status, "application/json", format!("{found}\n"))
            }
            "/metrics" => plain(200, "text/plain; version=0.0.4; charset=utf-8", self.health.metrics().await),
            _ => match self.description(&request, peer) {
                Some(response) => response,
                None => self.api(request, peer).await,
            },
        }))
    }
}

/// All lines of a header joined into one, as RFC 9110 §5.3 joins them. A value that is not text becomes one that
/// matches nothing.
fn whole(headers: &HeaderMap, name: HeaderName, between: &str) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(between))
}

/// The token in an `Authorization` header with the bearer scheme.
fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(BEARER).then_some(token.trim_start())
}

fn reply(reply: Reply, request_id: Uuid) -> Response<Full<Bytes>> {
    let content_type = HeaderValue::from_str(reply.body.content_type());
    let body = reply.body.into_bytes();
    let empty = body.is_empty();
    let mut response = plain(reply.status, "application/octet-stream", body);
    let headers = response.headers_mut();
    match content_type {
        _ if empty => _ = headers.remove(CONTENT_TYPE),
        Ok(content_type) => _ = headers.insert(CONTENT_TYPE, content_type),
        Err(_) => {}
    }
    for (name, value) in reply.headers {
        let Ok(value) = HeaderValue::from_str(&value) else { continue };
        if name == SET_COOKIE.as_str() {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Adds the security headers, unless the answer sets them itself. No answer ever lets another site's pages read it
/// (CORS).
fn guarded(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    for (name, value) in BROWSER_RULES {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn plain(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_in_any_case_of_scheme_and_with_any_blanks() {
        for good in ["Bearer wcd_x", "bearer wcd_x", "BEARER wcd_x", "bEaReR   wcd_x", " Bearer wcd_x "] {
            assert_eq!(bearer(good), Some("wcd_x"), "{good}");
        }
        for other in ["", "Bearer", "Bearerwcd_x", "Basic wcd_x", "wcd_x", "Token wcd_x"] {
            assert_eq!(bearer(other), None, "{other}");
        }
        assert_eq!(
            bearer("Bearer wcd_x, Bearer wcd_y"),
            Some("wcd_x, Bearer wcd_y"),
            "two joined tokens are no valid token"
        );
    }

    #[test]
    fn a_repeated_or_non_text_header_is_refused_rather_than_ignored() {
        let mut headers = HeaderMap::new();
        assert_eq!(whole(&headers, IF_MATCH, ", "), None);
        headers.append(IF_MATCH, HeaderValue::from_static("\"a\""));
        headers.append(IF_MATCH, HeaderValue::from_bytes(b"\xff").expect("a value"));
        assert_eq!(whole(&headers, IF_MATCH, ", ").as_deref(), Some("\"a\", \u{fffd}"));
    }
}
