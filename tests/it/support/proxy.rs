//! A forward proxy, as companies have one on the way out, which remembers what went through it.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use hyper::{Method, Request, Response, Uri, body::Incoming, client, header::HOST, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// What it was asked to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) method: Method,
    /// As it stood in the request's first line, without the query: that holds tokens.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
}

/// The proxy. It opens tunnels for nobody.
pub(crate) struct Proxy {
    /// Such as `127.0.0.1:3128`.
    pub(crate) address: String,
    carried: Arc<Mutex<Vec<Carried>>>,
    listener: AbortHandle,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let carried = Arc::new(Mutex::new(Vec::new()));
        let listener = tokio::spawn(listen(listener, carried.clone())).abort_handle();
        Self { address, carried, listener }
    }

    pub(crate) fn carried(&self) -> Vec<Carried> {
        self.carried.lock().expect("nobody panicked").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(listener: TcpListener, carried: Arc<Mutex<Vec<Carried>>>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let carried = carried.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let authorization = request.headers().get("proxy-authorization");
            let authorization = authorization.map(|it| it.to_str().expect("text").to_owned());
            let target = request.uri().to_string().split('?').next().unwrap_or_default().to_owned();
            let method = request.method().clone();
            carried.lock().expect("nobody panicked").push(Carried { method, target, authorization });
            carry(request)
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Asks whom the request names, and hands back what they say. An error closes the connection without an answer.
async fn carry(mut request: Request<Incoming>) -> std::io::Result<Response<Incoming>> {
    let authority = request.uri().authority().filter(|_| request.method() != Method::CONNECT);
    let authority = authority.ok_or_else(|| std::io::Error::other("no tunnels"))?.to_string();
    let stream = TcpStream::connect(&authority).await?;
    let (mut ask, connection) =
        client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    let origin = request.uri().path_and_query().expect("a target").as_str();
    *request.uri_mut() = origin.parse::<Uri>().expect("a target");
    request.headers_mut().insert(HOST, authority.parse().expect("a host"));
    ask.send_request(request).await.map_err(std::io::Error::other)
}
