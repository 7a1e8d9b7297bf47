//! The public listener: `GET|POST /callback/{app}` and nothing else. Trailing or doubled slashes and a proxy's path
//! prefix change nothing.
//!
//! A callback is opened, stored (in the database or, while that is away, in the spool), and only then answered. A request that is not WeCom's gets a bare 4xx. A callback
//! that could not be stored gets no answer, because only then does WeCom repeat it for certain.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
};

use super::{Door, Limits, Proxies, Served, body, refusal, reply};
use crate::{
    apps::{App, Apps},
    crypto::{self, Query},
    inbox::{Inbox, NotStored},
};

/// Where callbacks go: `/callback/{app}`.
const PLACE: &str = "callback";

/// How long an echo may be; WeCom's echoes have 19 to 23 digits.
const ECHO_DIGITS_MAX: usize = 64;

/// The listener that WeCom calls.
pub struct CallbackDoor {
    apps: Apps,
    inbox: Inbox,
    limits: Limits,
    proxies: Proxies,
}

/// Why a request is refused: the step that failed, and the status that is all the caller learns.
struct Refused {
    step: &'static str,
    /// None closes the connection without an answer: the request may be WeCom's but was not read whole, so WeCom
    /// should repeat it.
    status: Option<u16>,
}

impl Refused {
    /// Answers with the bare status, or closes the connection.
    fn closed_or_answered(&self) -> Served {
        self.status.map(|status| answer(status, Bytes::new())).ok_or(NotStored::Unread)
    }
}

/// An authentic callback.
pub(super) struct Received {
    /// Its decrypted content.
    pub(super) opened: crypto::Opened,
    /// Whether it came in a JSON envelope, so that a reply goes back in one.
    pub(super) json: bool,
}

impl CallbackDoor {
    /// Serves callbacks of these apps into this inbox.
    pub fn new(apps: Apps, inbox: Inbox, limits: Limits, proxies: Proxies) -> Self {
        Self { apps, inbox, limits, proxies }
    }

    /// WeCom verifies the URL: the echo is returned as it was decrypted, byte for byte.
    fn verify(&self, app: &App, query: &str) -> Result<Vec<u8>, Refused> {
        let opened = open(app, query, None)?;
        // A push's ciphertext is signed over the same four strings as an echo, so a captured push could be sent here
        // to have it decrypted. WeCom's echoes are numbers and its messages are not, so only numbers are returned.
        let number = !opened.plaintext.is_empty() && opened.plaintext.iter().all(u8::is_ascii_digit);
        if !number || opened.plaintext.len() > ECHO_DIGITS_MAX {
            return Err(Refused { step: "echo", status: Some(403) });
        }
        Ok(opened.plaintext)
    }

    async fn receive(&self, app: &App, request: Request<Incoming>) -> Result<Received, Refused> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        // A request without signature parameters is refused before its body is read.
        Query::parse(&query).map_err(refused)?;
        let body = body::read(request.into_body(), &self.limits)
            .await
            .map_err(|error| Refused { step: error.step(), status: error.callback_status() })?;
        let encrypt = crypto::envelope(&body).map_err(refused)?;
        let opened = open(app, &query, Some(&encrypt))?;
        Ok(Received { opened, json: body.trim_ascii_start().starts_with(b"{") })
    }

    fn app(&self, path: &str) -> Result<Arc<App>, Refused> {
        let mut parts = path.rsplit('/').filter(|it| !it.is_empty());
        let name = match (parts.next(), parts.next()) {
            (Some(name), Some(PLACE)) => name,
            _ => return Err(Refused { step: "path", status: Some(404) }),
        };
        self.apps.get(name).ok_or(Refused { step: "app", status: Some(404) })
    }
}

impl Door for CallbackDoor {
    async fn serve(&self, request: Request<Incoming>, peer: SocketAddr) -> Served {
        let began = Instant::now();
        let caller = self.proxies.caller(peer, request.headers());
        let app = match self.app(request.uri().path()) {
            Ok(app) => app,
            Err(refused) => {
                refusal::note_path(refused.step, caller, request.uri().path());
                return refused.closed_or_answered();
            }
        };
        let received = match *request.method() {
            Method::GET => {
                return match self.verify(&app, request.uri().query().unwrap_or_default()) {
                    Ok(echo) => {
                        tracing::info!(app = app.name, "WeCom verified the callback URL");
                        Ok(answer(200, echo.into()))
                    }
                    Err(refused) => self.refuse(&app.name, refused, caller),
                };
            }
            Method::POST => self.receive(&app, request).await,
            _ => Err(Refused { step: "method", status: Some(405) }),
        };
        let received = match received {
            Ok(received) => received,
            Err(refused) => return self.refuse(&app.name, refused, caller),
        };
        let reply = reply::to(&app, &received);
        self.inbox.accept(app.id, &app.name, received.opened.plaintext).await?;
        if received.opened.key_set > 0 {
            self.apps.note_previous(&app);
        }
        metrics::histogram!("wecomd_callback_seconds").record(began.elapsed());
        Ok(answer(200, reply))
    }
}

impl CallbackDoor {
    fn refuse(&self, app: &str, refused: Refused, caller: IpAddr) -> Served {
        refusal::note(app, refused.step, caller);
        refused.closed_or_answered()
    }
}

/// Opens a body's ciphertext, or the query's echo if there is no body.
///
/// If the signature does not match, a proxy may have percent-encoded the signature or the echo a second time, so the
/// query is tried once more, decoded twice. The signature decides both times, so nothing else gets in.
fn open(app: &App, query: &str, encrypt: Option<&str>) -> Result<crypto::Opened, Refused> {
    let attempt = |query: &Query| {
        let encrypt = encrypt.or(query.echostr.as_deref()).ok_or(crypto::OpenError::Query)?;
        crypto::open(&app.keys, &app.receivers, query, encrypt)
    };
    let outcome = attempt(&Query::parse(query).map_err(refused)?);
    if !matches!(outcome, Err(crypto::OpenError::Signature)) {
        return outcome.map_err(refused);
    }
    let Some(again) = Query::parse_encoded_twice(query) else { return outcome.map_err(refused) };
    match attempt(&again) {
        Ok(opened) => {
            tracing::warn!(app = app.name, "a proxy percent-encodes the query a second time; it was decoded twice");
            Ok(opened)
        }
        Err(crypto::OpenError::Signature) => Err(Refused { step: "encoded_twice", status: Some(403) }),
        Err(error) => Err(refused(error)),
    }
}

/// The caller learns that the request is malformed or not allowed, not which check failed.
fn refused(error: crypto::OpenError) -> Refused {
    let step = error.step();
    Refused { step, status: Some(if matches!(step, "query" | "envelope") { 400 } else { 403 }) }
}

fn answer(status: u16, body: Bytes) -> Response<Full<Bytes>> {
    let content_type = match body.first() {
        Some(b'<') => "application/xml; charset=utf-8",
        Some(b'{') => "application/json; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
