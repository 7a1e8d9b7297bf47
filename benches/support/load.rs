//! A load generator that costs little: one thread, raw keep-alive HTTP, requests built beforehand.
//!
//! It shares the machine with what it measures, so every cycle it saves is one less that it takes away.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::callback::Callback;

/// An answer's head and body are shorter than this.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// By how much requests that are alike differ in length, at most and on average.
const SPARE_BYTES: usize = 32;

/// Requests as they go over the wire, each to be sent once.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Puts callbacks into HTTP.
    pub(crate) fn of(callbacks: &[Callback]) -> Arc<Self> {
        let mut requests = Self::default();
        for callback in callbacks {
            requests.push(callback);
        }
        Arc::new(requests)
    }

    /// Adds one more.
    pub(crate) fn push(&mut self, Callback { app, query, body }: &Callback) {
        let head = format!(
            "POST /callback/{app}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(body.as_bytes());
        self.ends.push(self.bytes.len());
    }

    /// Makes room for so many requests that are about as long as those that are there.
    pub(crate) fn reserve_alike(&mut self, requests: usize) {
        let each = self.bytes.len() / self.ends.len().max(1);
        self.bytes.reserve(requests * (each + SPARE_BYTES));
        self.ends.reserve(requests);
    }

    fn get(&self, at: usize) -> Option<&[u8]> {
        let begin = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        self.bytes.get(begin..*self.ends.get(at)?)
    }
}

/// How to send.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Connections, each with one request under way at most.
    pub(crate) connections: usize,
    /// No request begins later than this.
    pub(crate) window: Duration,
    /// Requests per second, evenly spaced; without it each connection sends as soon as it was answered.
    pub(crate) pace: Option<f64>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many requests were answered with 200. Anything else ends the benchmark.
    pub(crate) acks: usize,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    latencies_us: Vec<u32>,
}

impl Outcome {
    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        self.acks as f64 / self.took.as_secs_f64()
    }

    /// The latency in ms that this share of the requests did not exceed. With a pace it counts from when a request
    /// was due, so that a server which stalls is charged for everybody who would have come meanwhile.
    pub(crate) fn latency_ms(&self, share: f64) -> f64 {
        let at = (self.latencies_us.len() as f64 * share) as usize;
        self.latencies_us
            .get(at.min(self.latencies_us.len().saturating_sub(1)))
            .map_or(f64::NAN, |us| f64::from(*us) / 1e3)
    }
}

/// Sends until the window ends or nothing is left to send, and waits for the last answer.
pub(crate) async fn run(address: SocketAddr, requests: Arc<Requests>, load: Load) -> anyhow::Result<Outcome> {
    let send = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send(address, requests, load))
    };
    tokio::task::spawn_blocking(send).await?
}

async fn send(address: SocketAddr, requests: Arc<Requests>, load: Load) -> anyhow::Result<Outcome> {
    let mut streams = Vec::new();
    for _ in 0..load.connections {
        let stream = TcpStream::connect(address).await.context("the server does not listen")?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let shared = Arc::new(Shared { requests, next: AtomicUsize::new(0), began: Instant::now(), load });
    let mut connections = JoinSet::new();
    for stream in streams {
        connections.spawn(converse(stream, shared.clone()));
    }
    let mut latencies_us = Vec::new();
    while let Some(done) = connections.join_next().await {
        latencies_us.append(&mut done??);
    }
    let took = shared.began.elapsed();
    latencies_us.sort_unstable();
    Ok(Outcome { acks: latencies_us.len(), took, latencies_us })
}

struct Shared {
    requests: Arc<Requests>,
    next: AtomicUsize,
    began: Instant,
    load: Load,
}

/// One connection: a request, its answer, the next.
async fn converse(mut stream: TcpStream, shared: Arc<Shared>) -> anyhow::Result<Vec<u32>> {
    let (mut latencies_us, mut buffer) = (Vec::new(), vec![0; ANSWER_BYTES_MAX]);
    let end = shared.began + shared.load.window;
    while Instant::now() < end {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = shared.requests.get(number) else { break };
        let sent = match shared.load.pace {
            None => Instant::now(),
            Some(pace) => {
                let due = shared.began + Duration::from_secs_f64(number as f64 / pace);
                if due >= end {
                    break;
                }
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        stream.write_all(request).await?;
        read_ack(&mut stream, &mut buffer).await?;
        latencies_us.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(latencies_us)
}

/// Reads one answer to its end; it must be a 200.
async fn read_ack(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        ensure!(read > 0, "the server closed a connection, or answered at too great length");
        filled += read;
        let answer = buffer.get(..filled).unwrap_or_default();
        let Some(head) = answer.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let (head, body) = answer.split_at(head + 4);
        ensure!(head.starts_with(b"HTTP/1.1 200"), "the server answered {}", String::from_utf8_lossy(head));
        if body.len() >= content_length(head)? {
            return Ok(());
        }
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"content-length: ";
    let line = head
        .split(|it| *it == b'\n')
        .find(|line| line.get(..NAME.len()).is_some_and(|it| it.eq_ignore_ascii_case(NAME)));
    let value = line.and_then(|line| line.get(NAME.len()..)).context("an answer without a length")?;
    Ok(std::str::from_utf8(value)?.trim().parse()?)
}
