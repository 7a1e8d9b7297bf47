//! Connections whose caller closes its half after the request: the answer is still read there.

use secrecy::ExposeSecret;
use wecomd::sandbox::{AppKind, Push};

use crate::support::{TestApp, http::half_closed, plaintext::event};

const STORED: &str = "select count(*) from inbox";

/// A request without `connection: close`, so that nothing but the closed half ends the connection.
fn whole(method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {target} HTTP/1.1\r\nhost: wecomd\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

fn push() -> Push {
    Push::genuine(AppKind::App, event(1_700_000_000, "subscribe", &[]))
}

/// wecomd that keeps idle connections for longer than a test waits.
async fn patient_app() -> TestApp {
    TestApp::start_with(|it| (it.http.header_timeout_ms, it.http.body_timeout_ms) = (60_000, 60_000)).await
}

#[tokio::test]
async fn a_caller_who_half_closes_after_the_request_still_gets_the_answer() {
    let app = patient_app().await;
    let (target, body) = app.sealed(&push());
    let answer = half_closed(app.app.public.expect("a public door"), &whole("POST", &target, "", &body)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    assert_eq!(app.db.count(STORED).await, 1);

    let bearer = format!("authorization: Bearer {}\r\n", app.token.expose_secret());
    let order = r#"{"customer_id": "C-1", "description": "漏水"}"#;
    let asked = whole("POST", "/api/enterprise-wechat/work-orders", &bearer, order);
    let answer = half_closed(app.app.admin, &asked).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer:?}");
    for probe in ["/readyz", "/metrics", "/docs"] {
        let answer = half_closed(app.app.admin, &whole("GET", probe, "", "")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{probe}: {answer:.200}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_request_truncated_by_a_half_close_is_not_processed() {
    let app = patient_app().await;
    let (target, body) = app.sealed(&push());
    let asked = whole("POST", &target, "", &body);
    let public = app.app.public.expect("a public door");
    let head = asked.windows(4).position(|it| it == b"\r\n\r\n").expect("a head") + 4;
    for cut in [0, 10, head, asked.len() - 1] {
        let answer = half_closed(public, &asked[..cut]).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "cut at {cut}: {answer}");
    }
    assert_eq!(app.db.count(STORED).await, 0);
    app.finish().await;
}
