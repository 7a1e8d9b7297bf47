//! Bodies that do not come whole: what they may hold together, and that nobody else waits for them.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use wecomd::sandbox::{AppKind, Push};

use crate::support::{TestApp, plaintext::contact};

/// How many bytes a half body has, of how many that it announces.
const HALF: usize = 1_000_000;
const ANNOUNCED: usize = 1 << 20;

/// What half bodies may hold together.
const ROOM: usize = 64 << 20;

/// How many half bodies are sent: a third more than there is room for.
const HALVES: usize = ROOM / HALF * 4 / 3;

/// A test that waits longer than this waits in vain.
const LIMIT: Duration = Duration::from_secs(60);

/// A connection on which half a body was sent.
async fn half_body(address: SocketAddr, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let head = format!("POST {target} HTTP/1.1\r\nhost: wecomd\r\ncontent-length: {ANNOUNCED}\r\n\r\n");
    let half = vec![b'x'; HALF];
    // Whoever is given up meanwhile cannot be written to any more.
    let _ = stream.write_all(&[head.as_bytes(), &half].concat()).await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_bodies_stay_within_their_limit_and_the_oldest_are_dropped_unanswered() {
    // Nobody is given up for being slow here.
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
    // Those for which there is no room end; the others stay, since nobody says that they are too slow.
    for _ in 0..HALVES - ROOM / HALF {
        let answer = timeout(LIMIT, ends.join_next()).await.expect("the oldest end").expect("one more").expect("read");
        assert_eq!(String::from_utf8_lossy(&answer), "", "closed without an answer, so that WeCom repeats it");
    }
    let added = contact(1_700_000_000, "add_external_contact", "zhangsan", "wmAlice", &[]);
    let whole = app.post(&Push::genuine(AppKind::App, added)).await.expect("an answer");
    assert_eq!(whole.status, 200, "who sends a whole body waits for none of them");
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
