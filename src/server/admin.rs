//! The inner door: the admin API and the probes, on a listener of their own.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RANGE},
};
use uuid::Uuid;

use super::{Door, Health, Limits, Served, body};
use crate::admin::{self, Admin, Reply};

/// The header in which a request id comes and goes.
const REQUEST_ID: &str = "x-request-id";

/// The header by which a repeated request is known.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The door that administrators and other systems use.
pub struct AdminDoor {
    admin: Arc<Admin>,
    health: Health,
    limits: Limits,
}

impl AdminDoor {
    /// A door to this administration.
    pub fn new(admin: Arc<Admin>, health: Health, limits: Limits) -> Self {
        Self { admin, health, limits }
    }

    async fn api(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let header = |name| request.headers().get(name).and_then(|it: &HeaderValue| it.to_str().ok());
        let request_id = header(REQUEST_ID).and_then(|it| it.parse().ok()).unwrap_or_else(Uuid::now_v7);
        let bearer = header(AUTHORIZATION.as_str()).and_then(|it| it.strip_prefix("Bearer ")).map(str::to_owned);
        let mut wanted = admin::Request {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            bearer,
            body: Bytes::new(),
            accept: header(ACCEPT.as_str()).map(str::to_owned),
            range: header(RANGE.as_str()).map(str::to_owned),
            idempotency_key: header(IDEMPOTENCY_KEY).map(str::to_owned),
            address: peer.ip().to_string(),
            request_id,
        };
        match body::read(request.into_body(), &self.limits).await {
            Ok(body) => {
                wanted.body = body;
                reply(admin::handle(&self.admin, wanted).await, request_id)
            }
            Err(error) => reply(admin::unread(error.status(), request_id), request_id),
        }
    }
}

impl Door for AdminDoor {
    async fn serve(&self, request: Request<Incoming>, peer: SocketAddr) -> Served {
        Ok(match request.uri().path() {
            "/livez" => plain(200, "text/plain; charset=utf-8", "ok\n".to_owned()),
            "/readyz" => {
                let (status, found) = self.health.ready().await;
                plain(status, "application/json", format!("{found}\n"))
            }
            "/metrics" => plain(200, "text/plain; version=0.0.4; charset=utf-8", self.health.metrics().await),
            _ => self.api(request, peer).await,
        })
    }
}

fn reply(reply: Reply, request_id: Uuid) -> Response<Full<Bytes>> {
    let content_type = HeaderValue::from_str(reply.body.content_type());
    let mut response = plain(reply.status, "application/octet-stream", reply.body.into_bytes());
    let headers = response.headers_mut();
    if let Ok(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn plain(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
