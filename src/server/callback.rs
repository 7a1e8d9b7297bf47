//! The public door: `GET|POST /callback/{app}`, and nothing else.
//!
//! A callback is opened, stored, and only then answered. What is not ours gets a 4xx without a word; what could not
//! be stored gets no answer at all, since only then does WeCom surely repeat it.

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
const PREFIX: &str = "/callback/";

/// How long an echo may be; WeCom's have 19 to 23 digits.
const ECHO_DIGITS_MAX: usize = 64;

/// The door that WeCom knocks at.
pub struct CallbackDoor {
    apps: Apps,
    inbox: Inbox,
    limits: Limits,
    proxies: Proxies,
}

/// Why a request is not answered with what it wants: the step that failed, and the status that is all it learns.
struct Refused {
    step: &'static str,
    /// None closes the connection without an answer: what may be WeCom's was not read whole, and is to be repeated.
    status: Option<u16>,
}

/// A callback that is WeCom's.
pub(super) struct Received {
    /// What it said.
    pub(super) opened: crypto::Opened,
    /// Whether it came in a JSON envelope, so that a reply goes back in one.
    pub(super) json: bool,
}

impl CallbackDoor {
    /// A door to this inbox.
    pub fn new(apps: Apps, inbox: Inbox, limits: Limits, proxies: Proxies) -> Self {
        Self { apps, inbox, limits, proxies }
    }

    /// WeCom asks whether the URL is ours: the echo goes back as it was decrypted, byte for byte.
    fn verify(&self, app: &App, query: &str) -> Result<Vec<u8>, Refused> {
        let query = Query::parse(query).map_err(refused)?;
        let echo = query.echostr.as_deref().ok_or(Refused { step: "query", status: Some(400) })?;
        let opened = crypto::open(&app.keys, &app.receivers, &query, echo).map_err(refused)?;
        // A push's ciphertext is signed over the same four strings as an echo: whoever has seen one must not be able
        // to have it decrypted here. WeCom's echoes are numbers, and its messages are not.
        let number = !opened.plaintext.is_empty() && opened.plaintext.iter().all(u8::is_ascii_digit);
        if !number || opened.plaintext.len() > ECHO_DIGITS_MAX {
            return Err(Refused { step: "echo", status: Some(403) });
        }
        Ok(opened.plaintext)
    }

    async fn receive(&self, app: &App, request: Request<Incoming>) -> Result<Received, Refused> {
        let query = Query::parse(request.uri().query().unwrap_or_default()).map_err(refused)?;
        let body = body::read(request.into_body(), &self.limits)
            .await
            .map_err(|error| Refused { step: error.step(), status: error.callback_status() })?;
        let encrypt = crypto::envelope(&body).map_err(refused)?;
        let opened = crypto::open(&app.keys, &app.receivers, &query, &encrypt).map_err(refused)?;
        Ok(Received { opened, json: body.trim_ascii_start().starts_with(b"{") })
    }

    fn app(&self, path: &str) -> Result<Arc<App>, Refused> {
        let name = path.strip_prefix(PREFIX).ok_or(Refused { step: "app", status: Some(404) })?;
        self.apps.get(name).ok_or(Refused { step: "app", status: Some(404) })
    }
}

impl Door for CallbackDoor {
    async fn serve(&self, request: Request<Incoming>, peer: SocketAddr) -> Served {
        let began = Instant::now();
        let caller = self.proxies.caller(peer, request.headers());
        let app = match self.app(request.uri().path()) {
            Ok(app) => app,
            Err(refused) => return self.refuse("", refused, caller),
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
        self.inbox.accept(app.id, received.opened.plaintext).await?;
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
        refused.status.map(|status| answer(status, Bytes::new())).ok_or(NotStored::Unread)
    }
}

/// The outsider learns that the request is malformed or not allowed, not which check failed.
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
