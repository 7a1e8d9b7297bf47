//! One keep-alive connection to the service.
//!
//! It carries one request at a time and is opened on demand. After anything but a complete answer it is closed, as
//! WeCom does; the next request opens another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The longest answer that is read; a passive reply is a few kilobytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// WeCom's requests were seen with this name.
const USER_AGENT: &str = "Mozilla/4.0";

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there was no complete answer. WeCom treats all of these alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The host or port cannot be used in a request.
    #[error("the service's address cannot be used in a request")]
    Address,
    /// No connection could be made.
    #[error("no connection to the service: {0}")]
    NotConnected(io::ErrorKind),
    /// The connection ended before a whole answer came.
    #[error("the service closed the connection without a whole answer")]
    Closed,
    /// The answer is too long, or broke off.
    #[error("the service's answer broke off, or is longer than {ANSWER_BYTES_MAX} bytes")]
    NotRead,
    /// The time limit has passed.
    #[error("the service did not answer in time")]
    Late,
}

/// A connection, or the intention to open one.
pub(super) struct Line {
    address: Arc<str>,
    live: Option<Live>,
}

struct Live {
    requests: SendRequest<Full<Bytes>>,
    /// Drives the connection; dropping it closes the socket.
    _driver: JoinSet<()>,
}

impl Line {
    /// A line to `host:port`, not yet opened.
    pub(super) fn new(address: Arc<str>) -> Self {
        Self { address, live: None }
    }

    /// Sends a request and reads the whole answer within `limit`, connecting included.
    pub(super) async fn ask(
        &mut self,
        mut request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Answer, Unanswered> {
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.address.parse().map_err(|_| Unanswered::Address)?);
        headers.insert(header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT));
        // Taken out while in use, so that no failure leaves a half-used connection behind.
        let live = self.live.take();
        let (answer, live) = timeout(limit, self.exchange(live, request)).await.map_err(|_| Unanswered::Late)??;
        self.live = Some(live);
        Ok(answer)
    }

    async fn exchange(
        &self,
        live: Option<Live>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Answer, Live), Unanswered> {
        if let Some(mut live) = live
            && live.requests.ready().await.is_ok()
        {
            match live.requests.try_send_request(request).await {
                Ok(response) => return Ok((read(response).await?, live)),
                // The request is returned if the service closed an idle connection before any of it was sent. That
                // does not count as a failed attempt.
                Err(mut error) => request = error.take_message().ok_or(Unanswered::Closed)?,
            }
        }
        let mut live = connect(&self.address).await?;
        let response = live.requests.send_request(request).await.map_err(|_| Unanswered::Closed)?;
        Ok((read(response).await?, live))
    }
}

async fn connect(address: &str) -> Result<Live, Unanswered> {
    let failed = |error: io::Error| Unanswered::NotConnected(error.kind());
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Unanswered::Closed)?;
    let mut driver = JoinSet::new();
    driver.spawn(async {
        // A broken connection shows as a failed request, so its error is not needed here as well.
        let _ = connection.await;
    });
    Ok(Live { requests, _driver: driver })
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Result<Answer, Unanswered> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|_| Unanswered::NotRead)?;
    Ok(Answer { status, body: body.to_bytes().to_vec() })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_closed_idle_connection_does_not_count_as_an_attempt() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut server = JoinSet::new();
        server.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                // The request has no body and fits into one packet; the answer does not announce the end.
                let _ = stream.read(&mut [0; 1024]).await.expect("a request");
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("written");
            }
        });
        let mut line = Line::new(address.into());
        for _ in 0..3 {
            let request = Request::new(Full::new(Bytes::new()));
            let answer = line.ask(request, Duration::from_secs(5)).await.expect("answered");
            assert_eq!(answer.status, 200);
            while !line.live.as_ref().expect("kept").requests.is_closed() {
                tokio::task::yield_now().await;
            }
        }
    }
}
