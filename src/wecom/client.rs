//! One API call: finds the app, gets its access_token, sends the request, and parses the answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{
    Client, Method, Proxy, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE, DATE, HeaderMap},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use sqlx::PgPool;

use super::{
    budget::{Budget, CallPermit, Limits},
    error::{ApiError, Class},
    lenient::{Answer, Errcode},
    token::{Token, Tokens},
    unreached,
};
use crate::{
    ids::CorpId,
    states::AppStatus,
    tables::apps::enterprise_wechat_config::{self, Row, sealed_at},
    vault::Vault,
};

/// WeCom's number of the message archive, which counts as an app. Its secret serves the archive alone.
pub(super) const ARCHIVE_AGENTID: &str = "2000004";

/// How long connecting to WeCom may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// The largest JSON answer that is read: a thousand customers need a tenth of it.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The largest file that is read at once: WeCom may send the whole file instead of the requested part, and allows up
/// to 20 MB.
const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;

/// The supported proxy schemes. For any other the library would silently connect without a proxy.
const PROXY_SCHEMES: &[&str] = &["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The connection to WeCom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The URL before `/cgi-bin/`: `https://qyapi.weixin.qq.com`, or a stand-in's.
    pub base_url: String,
    /// A proxy such as `http://user:password@proxy:3128`; none for a direct connection.
    pub proxy: Option<SecretString>,
    /// How long a call may take in all, without the wait for its permit.
    pub timeout: Duration,
    /// A corp's rate limits.
    pub budget: Limits,
}

/// Why the client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is invalid.
    #[error("wecom.base_url is not a URL such as https://qyapi.weixin.qq.com")]
    BaseUrl,
    /// The proxy is invalid.
    #[error("wecom.proxy is not a URL such as http://proxy:3128")]
    Proxy,
    /// The TLS library failed.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// The client for WeCom, for every corp. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Wecom(Arc<Inner>);

struct Inner {
    http: Client,
    base_url: Url,
    /// Whether calls go through a proxy.
    proxied: bool,
    pool: PgPool,
    vault: Arc<Vault>,
    tokens: Tokens,
    budget: Budget,
    /// How far WeCom's clock was ahead of ours when it last answered, and when that was.
    ahead: Mutex<Option<(TimeDelta, Instant)>>,
}

/// The calling app and its secret.
pub(super) struct Credentials {
    /// The corp.
    pub(super) corpid: CorpId,
    /// WeCom's number of the app; 0 if it has none.
    pub(super) agentid: i64,
    /// `enterprise_wechat_config.id`.
    pub(super) app_id: i32,
    /// The app's secret.
    pub(super) secret: SecretString,
}

/// WeCom's endpoints, called as one app. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    wecom: Wecom,
    credentials: Arc<Credentials>,
}

/// A file, or a part of one, with its headers.
pub(super) struct FileAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

impl Wecom {
    /// Sets up the client; makes no call yet.
    pub fn new(settings: &Settings, pool: PgPool, vault: Arc<Vault>) -> Result<Self, SetupError> {
        // Fails only if the same provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut base_url: Url = settings.base_url.parse().map_err(|_| SetupError::BaseUrl)?;
        if !matches!(base_url.scheme(), "http" | "https") || base_url.host_str().is_none() {
            return Err(SetupError::BaseUrl);
        }
        if !base_url.path().ends_with('/') {
            let path = format!("{}/", base_url.path());
            base_url.set_path(&path);
        }
        let mut http = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("wecomd/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &settings.proxy {
            http = http.proxy(through(proxy)?);
        }
        let http = http.build().map_err(|error| SetupError::Client(error.to_string()))?;
        let (tokens, proxied) = (Tokens::new(&pool), settings.proxy.is_some());
        let budget = Budget::new(settings.budget);
        Ok(Self(Arc::new(Inner { http, base_url, proxied, pool, vault, tokens, budget, ahead: Mutex::default() })))
    }

    /// The endpoints as this app; as another app of its corp if it has no secret (as the directory sync app may), or one
    /// that serves the message archive alone.
    pub async fn app(&self, app_id: i32) -> Result<Api, ApiError> {
        let rows = self.rows().await?;
        let own = rows.iter().find(|it| it.id == app_id);
        let with_secret = own.filter(|it| it.secret.is_some() && it.agentid != ARCHIVE_AGENTID);
        let corp = own.map(|it| it.corpid.clone());
        match (with_secret, corp) {
            (Some(row), _) => self.api(row),
            (None, Some(corp)) => self.api(callable(&rows, &corp)?),
            (None, None) => Err(not_ours(format!("there is no app {app_id}"))),
        }
    }

    /// The endpoints as the corp's first app that has a secret and a number.
    pub async fn corp(&self, corpid: &CorpId) -> Result<Api, ApiError> {
        let rows = self.rows().await?;
        self.api(callable(&rows, corpid)?)
    }

    /// The same; none if no enabled app of the corp has a secret yet.
    pub async fn corp_if_able(&self, corpid: &CorpId) -> Result<Option<Api>, ApiError> {
        let rows = self.rows().await?;
        callable(&rows, corpid).ok().map(|row| self.api(row)).transpose()
    }

    /// The endpoints as the corp's enabled app with this number; none if there is none that has a secret.
    pub(super) async fn app_with_agentid(&self, corpid: &CorpId, agentid: &str) -> Result<Option<Api>, ApiError> {
        let rows = self.rows().await?;
        let able = |row: &&Row| row.corpid == *corpid && row.agentid == agentid && row.status == AppStatus::Enabled;
        rows.iter().filter(able).find(|it| it.secret.is_some()).map(|row| self.api(row)).transpose()
    }

    /// How far WeCom's clock is ahead of ours, to the second, by an answer received after `since`; none without one.
    pub fn clock_ahead(&self, since: Instant) -> Option<TimeDelta> {
        let ahead = *self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.filter(|(_, at)| *at >= since).map(|(ahead, _)| ahead)
    }

    async fn rows(&self) -> Result<Vec<Row>, ApiError> {
        let read = async {
            let mut conn = self.0.pool.acquire().await?;
            enterprise_wechat_config::all(&mut conn).await
        };
        read.await.map_err(|error| {
            ApiError::unanswered(CONFIG, Class::Transient, format!("the app's configuration cannot be read: {error}"))
        })
    }

    fn api(&self, row: &Row) -> Result<Api, ApiError> {
        let sealed = row.secret.as_deref().ok_or_else(|| no_secret(&row.corpid))?;
        let secret = self.0.vault.open(&sealed_at(&row.name, "secret"), sealed);
        let secret = secret.map_err(|error| not_ours(format!("the secret of app {:?}: {error}", row.name)))?;
        let credentials = Credentials {
            corpid: row.corpid.clone(),
            agentid: row.agentid.parse().unwrap_or_default(),
            app_id: row.id,
            secret,
        };
        Ok(Api { wecom: self.clone(), credentials: Arc::new(credentials) })
    }
}

/// The path in errors that are our own configuration's fault.
const CONFIG: &str = "enterprise_wechat_config";

fn callable<'a>(rows: &'a [Row], corpid: &CorpId) -> Result<&'a Row, ApiError> {
    let enabled = |row: &&Row| row.corpid == *corpid && row.status == AppStatus::Enabled;
    let able = |row: &&Row| enabled(row) && row.secret.is_some() && row.agentid != ARCHIVE_AGENTID;
    let first = rows.iter().filter(able).min_by_key(|row| (row.agentid.is_empty(), row.id));
    first.ok_or_else(|| no_secret(corpid))
}

fn no_secret(corpid: &CorpId) -> ApiError {
    not_ours(format!("no enabled app of corp {corpid} has a secret: save one with `POST config`"))
}

fn not_ours(message: String) -> ApiError {
    ApiError::unanswered(CONFIG, Class::Refused, message)
}

impl Api {
    /// The calling corp.
    pub fn corpid(&self) -> &CorpId {
        &self.credentials.corpid
    }

    /// The calling app's number; 0 if it has none.
    pub fn agentid(&self) -> i64 {
        self.credentials.agentid
    }

    /// The calling app: `enterprise_wechat_config.id`.
    pub fn app_id(&self) -> i32 {
        self.credentials.app_id
    }

    /// Calls an endpoint that takes its arguments from the query.
    pub(super) async fn get<A: DeserializeOwned>(
        &self,
        path: &'static str,
        query: &[(&str, &str)],
    ) -> Result<A, ApiError> {
        self.call(path, |http, url| http.request(Method::GET, url).query(query)).await
    }

    /// Calls an endpoint that takes JSON.
    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        path: &'static str,
        body: &impl Serialize,
    ) -> Result<A, ApiError> {
        self.call(path, |http, url| http.request(Method::POST, url).json(body)).await
    }

    /// The same; returns the answer as it came, once its errcode is 0. The call counts for the budget of `budget`.
    pub(super) async fn post_for_bytes(
        &self,
        path: &'static str,
        budget: &'static str,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, ApiError> {
        self.with_token(budget, |token| {
            let http = self.url(path).map(|url| self.wecom.0.http.post(url).query(&[token.parameter()]).json(body));
            async move {
                let answer = whole(path, self.answer(path, http?).await?, ANSWER_BYTES_MAX).await?;
                understood::<IgnoredAny>(path, &answer)?;
                Ok(answer)
            }
        })
        .await
    }

    async fn call<A: DeserializeOwned>(
        &self,
        path: &'static str,
        request: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> Result<A, ApiError> {
        self.with_token(path, |token| {
            let request = self.url(path).map(|url| request(&self.wecom.0.http, url).query(&[token.parameter()]));
            async move { self.ask(path, request?).await }
        })
        .await
    }

    /// Calls an endpoint whose answer may be a file, or JSON about an error.
    pub(super) async fn file(
        &self,
        path: &'static str,
        request: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<FileAnswer, ApiError> {
        self.with_token(path, |token| {
            let http = self.url(path).map(|url| self.wecom.0.http.request(Method::GET, url));
            let request = http.map(|http| request(http.query(&[token.parameter()])));
            async move {
                let response = self.answer(path, request?).await?;
                let (status, headers) = (response.status(), response.headers().clone());
                let bytes = whole(path, response, FILE_BYTES_MAX).await?;
                if is_file(status, &headers, &bytes) {
                    return Ok(FileAnswer { status, headers, bytes: bytes.into() });
                }
                understood::<IgnoredAny>(path, &bytes)?;
                Err(ApiError::unanswered(path, Class::Unknown, "neither a file nor an error came back"))
            }
        })
        .await
    }

    /// Makes a call with the current token, and once more with a new one if that is rejected.
    async fn with_token<A, F: Future<Output = Result<A, ApiError>>>(
        &self,
        path: &'static str,
        call: impl Fn(&Token) -> F,
    ) -> Result<A, ApiError> {
        let tokens = self.tokens();
        let token = tokens.current(self).await?;
        let permit = self.call_permit(path).await?;
        let outcome = permit.ended(call(&token).await);
        if !outcome.as_ref().is_err_and(|error| error.class == Class::Token) {
            return outcome;
        }
        tokens.rejected(self, &token).await;
        let token = tokens.current(self).await?;
        let permit = self.call_permit(path).await?;
        let outcome = permit.ended(call(&token).await);
        if outcome.as_ref().is_err_and(|error| error.class == Class::Token) {
            self.wecom.0.budget.mistrust(self.corpid(), path);
        }
        outcome
    }

    /// Waits until this path's rate limit allows a call.
    async fn call_permit(&self, path: &'static str) -> Result<CallPermit, ApiError> {
        self.wecom.0.budget.acquire(self.corpid(), path).await
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.wecom.0.tokens
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.wecom.0.pool
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.wecom.0.vault
    }

    /// Calls the one endpoint that needs no token: `gettoken`.
    pub(super) async fn get_bare<A: DeserializeOwned>(
        &self,
        path: &'static str,
        query: &[(&str, &str)],
    ) -> Result<A, ApiError> {
        let request = self.wecom.0.http.request(Method::GET, self.url(path)?).query(query);
        let permit = self.call_permit(path).await?;
        permit.ended(self.ask(path, request).await)
    }

    /// Sends a request for JSON. Only WeCom's own answers tell WeCom's clock; a proxy's answer carries the proxy's.
    async fn ask<A: DeserializeOwned>(&self, path: &'static str, request: RequestBuilder) -> Result<A, ApiError> {
        let response = self.answer(path, request).await?;
        let date = response.headers().get(DATE).and_then(|it| DateTime::parse_from_rfc2822(it.to_str().ok()?).ok());
        let ahead = date.map(|theirs| (theirs.with_timezone(&Utc) - Utc::now(), Instant::now()));
        let outcome = understand(path, response).await;
        if ahead.is_some() && outcome.as_ref().map_or_else(|error| error.errcode.is_some(), |_| true) {
            *self.wecom.0.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
        }
        outcome
    }

    async fn answer(&self, path: &'static str, request: RequestBuilder) -> Result<Response, ApiError> {
        let response = request.send().await.map_err(|error| unreached::broken(path, error, self.wecom.0.proxied))?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(unreached::status(path, status)),
        }
    }

    fn url(&self, path: &'static str) -> Result<Url, ApiError> {
        let joined = self.wecom.0.base_url.join(&format!("cgi-bin/{path}"));
        joined.map_err(|error| ApiError::unanswered(path, Class::Refused, error.to_string()))
    }
}

/// Reads a JSON answer.
async fn understand<A: DeserializeOwned>(path: &'static str, response: Response) -> Result<A, ApiError> {
    understood(path, &whole(path, response, ANSWER_BYTES_MAX).await?)
}

fn understood<A: DeserializeOwned>(path: &'static str, body: &[u8]) -> Result<A, ApiError> {
    let wrong = |error: &dyn std::fmt::Display| unreached::unreadable(path, body, error);
    let answer = Answer::parse(body).map_err(|error| wrong(&error))?;
    let errmsg = answer.errmsg();
    match answer.errcode() {
        Errcode::Is(0) => {}
        Errcode::Is(errcode) => return Err(ApiError::answered(path, errcode, &errmsg)),
        // The answer has the expected fields, so a missing errcode counts as 0.
        Errcode::Absent if answer.has_some_of::<A>() => {}
        Errcode::Absent | Errcode::Odd => return Err(wrong(&"it holds no errcode")),
    }
    if errmsg.contains("wrong json format") {
        tracing::error!(path, errmsg, "WeCom may have read only a part of the request");
    }
    answer.read().map_err(|error| wrong(&error))
}

/// An answer's whole body, up to `bytes_max`.
async fn whole(path: &'static str, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreached::broken(path, error, false))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(ApiError::unanswered(path, Class::Refused, "the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Whether an answer is a file. A file may itself be JSON, so the headers decide if they say anything; without them
/// an answer is not a file if it is empty, JSON with an errcode, or a proxy's HTML page.
fn is_file(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> bool {
    if headers.contains_key(CONTENT_DISPOSITION) || status == StatusCode::PARTIAL_CONTENT {
        return true;
    }
    let kind = headers.get(CONTENT_TYPE).map(|it| it.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    let has_errcode = || Answer::parse(bytes).is_ok_and(|it| it.errcode() != Errcode::Absent);
    !bytes.is_empty() && !kind.starts_with(b"text/html") && !has_errcode()
}

fn through(proxy: &SecretString) -> Result<Proxy, SetupError> {
    let proxy = proxy.expose_secret();
    // A proxy without a scheme uses HTTP.
    let (scheme, _) = proxy.split_once("://").unwrap_or(("http", proxy));
    if !PROXY_SCHEMES.contains(&scheme) {
        return Err(SetupError::Proxy);
    }
    Proxy::all(proxy).map_err(|_| SetupError::Proxy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_distinguished_from_an_error_and_from_a_proxy_page() {
        let answer = |status: u16, headers: &[(&'static str, &'static str)], body: &[u8]| {
            let headers = headers.iter().map(|(name, value)| {
                let value = reqwest::header::HeaderValue::from_static(value);
                (reqwest::header::HeaderName::from_static(name), value)
            });
            is_file(StatusCode::from_u16(status).expect("a status"), &headers.collect(), body)
        };
        let error = br#"{"errcode":40007,"errmsg":"invalid media_id"}"#;
        let named = ("content-disposition", "attachment; filename=\"a.json\"");
        assert!(answer(200, &[named], error), "a file may be JSON");
        assert!(answer(206, &[], error), "part of a file, too");
        assert!(answer(200, &[("content-type", "image/jpeg")], b"\xff\xd8"));
        assert!(answer(200, &[], b"{\"a\":1}"));
        assert!(!answer(200, &[("content-type", "text/plain")], error));
        assert!(!answer(200, &[("content-type", "Text/HTML; charset=utf-8")], b"<html>"));
        assert!(!answer(200, &[], b""));
    }
}
