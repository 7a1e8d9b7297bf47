//! Unfinished request bodies: the memory that they may use together, and that they do not delay other requests.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use wecomd::sandbox::{AppKind, Push};

use crate::support::{TestApp, plaintext::contact};

/// How many bytes of an unfinished body are sent, and how many it announces.
const HALF: usize = 1_000_000;
const ANNOUNCED: usize = 1 << 20;

/// The memory that all unfinished bodies may use together.
const ROOM: usize = 64 << 20;

/// How many unfinished bodies are sent: a third more than there is room for.
const HALVES: usize = ROOM / HALF * 4 / 3;

/// How long a test waits before it fails.
const LIMIT: Duration = Duration::from_secs(60);

/// A connection on which an unfinished body was sent.
async fn half_body(address: SocketAddr, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let head = format!("POST {target} HTTP/1.1\r\nhost: wecomd\r\ncontent-length: {ANNOUNCED}\r\n\r\n");
    let half = vec![b'x'; HALF];
    // Writing fails on a connection that the server has dropped meanwhile.
    let _ = stream.write_all(&[head.as_bytes(), &half].concat()).await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_bodies_stay_within_their_limit_and_the_oldest_are_dropped_unanswered() {
    // In this test no connection is dropped for being slow.
    let app = TestApp::start_with(|it| it.http.body_timeout_ms = 60_000).await;
    let public = app.app.public.expect("a public listener");
    let target = format!("/callback/{}?msg_signature=a&timestamp=1&nonce=b", app.corp.apps[0].name);
    let mut ends = JoinSet::new();
    for _ in 0..HALVES {
        let mut stream = half_body(public, &target).await;
        ends.spawn(async move {
            let mut answer = Vec::new();
            // A reset is an end without an answer, too.
            let _ = stream.read_to_end(&mut answer).await;
            answer
        });
    }
    // The connections for which there is no room are closed; the others stay open, since the time limit is long.
    for _ in 0..HALVES - ROOM / HALF {
        let answer = timeout(LIMIT, ends.join_next()).await.expect("the oldest end").expect("one more").expect("read");
        assert_eq!(String::from_utf8_lossy(&answer), "", "closed without an answer, so that WeCom repeats it");
    }
    let added = contact(1_700_000_000, "add_external_contact", "zhangsan", "wmAlice", &[]);
    let whole = app.post(&Push::genuine(AppKind::App, added)).await.expect("an answer");
    assert_eq!(whole.status, 200, "a complete request does not wait for the unfinished ones");
    let refused = app.ask("GET", "/metrics", None).await.text();
    assert!(refused.contains("step=\"body_crowded\""), "it is counted");
    ends.abort_all();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_announced_as_too_large_is_refused_before_a_byte_of_it_comes() {
    let app = TestApp::start_with(|it| it.http.body_timeout_ms = 60_000).await;
    let too_large = ANNOUNCED + 1;
    let query = "msg_signature=a&timestamp=1&nonce=b";
    let callback = format!("POST /callback/{}?{query} HTTP/1.1\r\nhost: wecomd", app.corp.apps[0].name);
    let bearer = secrecy::ExposeSecret::expose_secret(&app.token);
    let admin =
        format!("POST /api/enterprise-wechat/config HTTP/1.1\r\nhost: wecomd\r\nauthorization: Bearer {bearer}");
    for (address, head) in [(app.app.public.expect("a public listener"), callback), (app.app.admin, admin)] {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let head = format!("{head}\r\ncontent-length: {too_large}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sends");
        let mut status = [0; 12];
        timeout(LIMIT, stream.read_exact(&mut status)).await.expect("at once").expect("an answer");
        assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 413");
    }
    app.finish().await;
}
