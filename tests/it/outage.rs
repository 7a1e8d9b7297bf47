//! When the database or the caller is in trouble: no false answer, no unbounded wait, and no restart afterwards. There is
//! no spool here; `spool` tests what that changes.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wecomd::{
    config::Config,
    sandbox::{AppKind, Push},
};

use crate::support::{TestApp, TestDb, http::request, link::Link, plaintext::contact, wait::until};

/// WeCom gives up after this long; the connection must be closed before that.
const WECOM_WAITS: Duration = Duration::from_secs(5);

/// A caller that is still connected after this long was not cut off.
const CUT_OFF_BY: Duration = Duration::from_secs(20);

/// A moment in the past.
const AT: i64 = 1_700_000_000;

const STORED: &str = "select count(*) from inbox";
const RECORDED: &str = "select count(*) from customer_wechat_contact";

fn met(customer: &str) -> Push {
    Push::genuine(AppKind::App, contact(AT, "add_external_contact", "zhangsan", customer, &[]))
}

/// Whether it was answered 200; anything that was answered otherwise fails the test.
async fn answered(app: &TestApp, push: &Push) -> bool {
    let answer = app.post(push).await;
    assert!(answer.as_ref().is_none_or(|it| it.status == 200), "{answer:?}");
    answer.is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_spool_callbacks_are_unanswered_during_an_outage_and_stored_after_it() {
    let db = TestDb::new().await;
    let link = Link::to(&db).await;
    let app = TestApp::start_at(db, &link.url, |it| it.worker.enabled = true).await;
    assert!(answered(&app, &met("wmBefore")).await);

    link.cut();
    for _ in 0..3 {
        assert!(!answered(&app, &met("wmDuring")).await, "it is not stored, so it is not answered");
    }
    assert_eq!(app.db.count(STORED).await, 1);
    let ready = request(app.app.admin, "GET", "/readyz", &[], b"").await.expect("an answer");
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("not ready")));
    let alive = request(app.app.admin, "GET", "/livez", &[], b"").await.expect("an answer");
    assert_eq!(alive.status, 200, "a restart would not bring the database back");

    link.mend();
    assert!(answered(&app, &met("wmDuring")).await, "WeCom's repeat finds the database again");
    assert_eq!(app.db.count(STORED).await, 2);
    until("the worker finds it again, too", async || app.db.count(RECORDED).await == 2).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_spool_a_silent_database_leaves_a_callback_unanswered_in_time() {
    let db = TestDb::new().await;
    let link = Link::to(&db).await;
    let app = TestApp::start_at(db, &link.url, |it| it.worker.enabled = true).await;
    assert!(answered(&app, &met("wmBefore")).await);

    link.silence();
    let began = Instant::now();
    assert!(!answered(&app, &met("wmDuring")).await);
    assert!(began.elapsed() < WECOM_WAITS, "it took {:?}", began.elapsed());

    link.mend();
    assert!(answered(&app, &met("wmDuring")).await);
    until("both are recorded", async || app.db.count(RECORDED).await == 2).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_hangs_is_given_up_here_and_in_the_database() {
    let app = TestApp::start().await;
    let mut lock = app.db.pool.begin().await.expect("begins");
    sqlx::query("lock table inbox in share mode").execute(&mut *lock).await.expect("locks");

    let began = Instant::now();
    assert!(!answered(&app, &met("wmAlice")).await);
    assert!(began.elapsed() < WECOM_WAITS, "it took {:?}", began.elapsed());
    // Otherwise abandoned statements would pile up in the database, one connection for each try.
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'wecomd' and wait_event_type = 'Lock'";
    until("no statement waits any longer", async || app.db.count(waiting).await == 0).await;

    lock.rollback().await.expect("released");
    assert!(answered(&app, &met("wmAlice")).await, "the repeat is stored");
    assert_eq!(app.db.count(STORED).await, 1, "once");
    app.finish().await;
}

#[tokio::test]
async fn a_request_that_is_not_a_callback_gets_a_status_without_a_body() {
    let app = TestApp::start_with(|it| it.http.body_bytes_max = 2_048).await;
    let public = app.app.public.expect("a public door");
    let query = "msg_signature=00&timestamp=1700000000&nonce=1";
    let callback = format!("/callback/service?{query}");
    let large = vec![b'x'; 4_096];
    for (method, target, body, status) in [
        ("GET", "/", &b""[..], 404),
        ("GET", "/livez", b"", 404),
        ("GET", "/metrics", b"", 404),
        ("POST", "/api/enterprise-wechat/config", b"{}", 404),
        ("POST", "/callback/nobody", b"", 404),
        ("PUT", &callback, b"", 405),
        ("DELETE", "/callback/service", b"", 405),
        ("GET", "/callback/service", b"", 400),
        ("POST", "/callback/service", b"<xml/>", 400),
        ("POST", &callback, b"no envelope", 400),
        ("POST", &callback, b"<xml><Encrypt><![CDATA[AAAA]]></Encrypt></xml>", 403),
        ("POST", &callback, &large, 413),
    ] {
        let answer = request(public, method, target, &[], body).await.expect("an answer");
        assert_eq!((answer.status, answer.text()), (status, String::new()), "{method} {target}");
    }
    assert_eq!(app.db.count(STORED).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn slow_callers_are_cut_off() {
    let quick = |it: &mut Config| (it.http.header_timeout_ms, it.http.body_timeout_ms) = (150, 150);
    let app = TestApp::start_with(quick).await;
    let public = app.app.public.expect("a public door");
    let query = "msg_signature=00&timestamp=1700000000&nonce=1";
    let part_of_a_body =
        format!("POST /callback/service?{query} HTTP/1.1\r\nhost: wecomd\r\ncontent-length: 100\r\n\r\n<xml>");
    assert_eq!(said(public, "").await, "", "a silent caller gets no answer");
    assert_eq!(said(public, "POST /callback/service HTTP/1.1\r\nhost: ").await, "", "nor does half a head");
    let answer = said(public, &part_of_a_body).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    app.finish().await;
}

/// What comes back until the connection closes, when this is all that is sent.
async fn said(address: std::net::SocketAddr, part: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(part.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    let heard = tokio::time::timeout(CUT_OFF_BY, stream.read_to_string(&mut answer)).await;
    assert!(heard.is_ok(), "the connection was left open");
    answer
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_a_free_place() {
    let app = TestApp::start_with(|it| it.http.connections_max = 2).await;
    let public = app.app.public.expect("a public door");
    let mut first = Caller::connect(public).await;
    let mut second = Caller::connect(public).await;
    first.asks_and_hears().await;
    second.asks_and_hears().await;

    let mut third = Caller::connect(public).await;
    third.asks().await;
    for _ in 0..20 {
        first.asks_and_hears().await;
        assert!(!third.has_heard(), "there is room for two");
    }
    drop(second);
    third.hears().await;
    app.finish().await;
}

/// A connection that is kept open.
struct Caller(TcpStream);

impl Caller {
    async fn connect(address: std::net::SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("connects"))
    }

    async fn asks(&mut self) {
        self.0.write_all(b"GET /elsewhere HTTP/1.1\r\nhost: wecomd\r\n\r\n").await.expect("sends");
    }

    async fn hears(&mut self) {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(self.0.read_u8().await.expect("an answer"));
        }
        assert!(answer.starts_with(b"HTTP/1.1 404 "), "{}", String::from_utf8_lossy(&answer));
    }

    async fn asks_and_hears(&mut self) {
        self.asks().await;
        self.hears().await;
    }

    fn has_heard(&self) -> bool {
        self.0.try_read(&mut [0; 1]).is_ok()
    }
}
