//! Accepts connections within limits, cuts slow ones, and answers the requests in hand before it stops.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_io_timeout::TimeoutStream;

use super::body::BodyRoom;
use crate::inbox::NotStored;

/// How long a stopping listener waits for the requests in hand. Storing has its own, shorter limit.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait after `accept` failed (too many open files) before trying again.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How long a caller may leave an answer unread. No other limit runs during that time.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How many bytes of head a connection may buffer. WeCom's heads have one or two thousand; ten thousand connections
/// may buffer this much each.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The response to a request; `Err` closes the connection without an answer.
pub type Served = Result<Response<Full<Bytes>>, NotStored>;

/// Limits on a connection's cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many connections may be open at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a request's head may take, which is also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How large a request's body may be.
    pub body_bytes_max: usize,
    /// The memory for unfinished bodies; all listeners of a program share it.
    pub body_room: BodyRoom,
}

/// Something that answers requests.
pub trait Door: Send + Sync + 'static {
    /// Answers one request from `peer`.
    fn serve(&self, request: Request<Incoming>, peer: SocketAddr) -> impl Future<Output = Served> + Send;
}

/// Binds an address; an error names the option that changes it.
pub async fn bind(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is in use by another program; choose another address with {option}")
        }
        _ => anyhow::anyhow!("cannot listen on {address}: {error}; choose another address with {option}"),
    })
}

/// Serves until told to stop, then finishes the requests in hand.
pub(crate) async fn serve<D: Door>(
    listener: TcpListener,
    door: Arc<D>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(HEAD_BYTES_MAX);
    // A caller may close its sending half once the request is sent; a request that is cut off is dropped.
    http.half_close(true);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    while !*stop.borrow() {
        let accepted = async {
            let permit = room.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            _ = stop.changed() => continue,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let (connection, watcher) = (Connection { stream, peer, door: door.clone() }, graceful.watcher());
        let http = http.clone();
        connections.spawn(async move {
            connection.serve(&http, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were cut off by the stop");
    }
    // Remaining idle connections are closed: they would keep the program and the inbox open.
    connections.shutdown().await;
}

/// One connection and the listener that accepted it.
struct Connection<D> {
    stream: TcpStream,
    peer: SocketAddr,
    door: Arc<D>,
}

impl<D: Door> Connection<D> {
    async fn serve(self, http: &http1::Builder, watcher: Watcher) {
        // An answer is one small write: without this the kernel may delay it until the peer acknowledges.
        let _ = self.stream.set_nodelay(true);
        let (peer, door) = (self.peer, self.door);
        let service = service_fn(move |request| {
            let door = door.clone();
            async move { door.serve(request, peer).await }
        });
        let mut stream = TimeoutStream::new(self.stream);
        stream.set_write_timeout(Some(WRITE_LIMIT));
        if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service)).await {
            tracing::debug!(error = %error, peer = %peer, "a connection ended early");
        }
    }
}
