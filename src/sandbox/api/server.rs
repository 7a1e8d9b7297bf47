//! The HTTP server: limited connections, and answers that faults may suppress.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::{self, Wire};
use super::ask::Ask;
use super::control;
use super::shared::Shared;
use super::spoil::spoil;

/// How many connections are open at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;

/// How long a request's head may take, which is also how long an idle connection is kept.
const HEAD_LIMIT: Duration = Duration::from_secs(60);

/// How long a request's body may take.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// The largest body: a file of 20 MiB and the form around it.
const BODY_BYTES_MAX: usize = 21 * 1024 * 1024;

/// How long to wait after `accept` failed (too many open files) before trying again.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How long a stop waits for the requests in hand.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The API's path.
const API: &str = "/cgi-bin/";

/// Closes the connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("the connection breaks on purpose")]
struct Broken;

/// Serves until told to stop.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            sleep(ACCEPT_RETRY).await;
            continue;
        };
        // Without this the kernel may delay a small answer.
        let _ = stream.set_nodelay(true);
        let (http, watcher, shared) = (http.clone(), graceful.watcher(), Arc::clone(&shared));
        connections.spawn(async move {
            let service = service_fn(move |request| serve_one(Arc::clone(&shared), request, peer));
            // A broken connection is the caller's problem, and often intended by a fault.
            let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = timeout(STOP_LIMIT, graceful.shutdown()).await;
    connections.shutdown().await;
}

async fn serve_one(shared: Arc<Shared>, request: Request<Incoming>, peer: SocketAddr) -> Result<Wire, Broken> {
    let Some(path) = request.uri().path().strip_prefix(API).map(str::to_owned) else {
        return Ok(control::serve(&shared, request).await);
    };
    let query = request.uri().query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (content_type, range) = (text(header::CONTENT_TYPE).unwrap_or_default(), text(header::RANGE));
    let Some(bytes) = read(request).await else { return Ok(answer::bare(StatusCode::PAYLOAD_TOO_LARGE)) };
    let body = if content_type.starts_with("multipart/") || bytes.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_slice::<Value>(&bytes)
    };
    let ask = Ask {
        path,
        query,
        malformed: body.as_ref().map_or(true, |body| !body.is_null() && !body.is_object()),
        body: body.unwrap_or_default(),
        bytes,
        content_type,
        range,
        from: peer.ip(),
        base_url: Arc::clone(&shared.base_url),
        tolerant: Cell::new(false),
        met_wrong_type: Cell::new(false),
    };
    let fault = shared.faults.draw(&ask.path);
    let wire = spoil(shared.answer(&ask, &fault), &fault).await;
    drop(ask);
    if !fault.latency.is_zero() {
        sleep(fault.latency).await;
    }
    if fault.drop.is_some() { Err(Broken) } else { Ok(wire) }
}

/// A request's whole body; none if it is too long, too slow or broken.
pub(super) async fn read(request: Request<Incoming>) -> Option<Bytes> {
    let body = timeout(BODY_LIMIT, Limited::new(request.into_body(), BODY_BYTES_MAX).collect());
    Some(body.await.ok()?.ok()?.to_bytes())
}
