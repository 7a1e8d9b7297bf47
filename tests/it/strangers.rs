//! Unauthenticated callers take nothing from callers with a valid token or session, however often they ask; and the
//! address by which they are counted.

use std::net::{Ipv4Addr, SocketAddr};

use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use wecomd::{
    admin::{
        door::{
            auth::Role,
            guard::{GUESSES_PER_ADDRESS, Share},
        },
        note_refused,
    },
    tables::access::api_token,
    vault::ApiToken,
};

use crate::support::{
    TestApp,
    http::{Answer, request, request_from},
    wait::until,
};

const BASE: &str = "/api/enterprise-wechat";

/// Where a link's login leads back to: what `deploy/nginx.conf` lets through from everywhere.
const VISIT: &str = "/api/enterprise-wechat/staff-bind/login/callback?code=x&state=y";

/// Where a browser sets out to log in.
const LOGIN: &str = "/api/enterprise-wechat/session/login";

/// A route that asks for a token.
const CONFIG: &str = "/api/enterprise-wechat/config";

/// Connections that strangers use at once.
const CONNECTIONS: usize = 8;

/// How often they visit: more than they may.
const VISITS: usize = 12_400;

/// An invented token, as a header.
fn guess() -> String {
    format!("Bearer {}", ApiToken::new().secret.expose_secret())
}

/// A token that was just made and never used, as a header.
async fn unused(app: &TestApp) -> String {
    let token = ApiToken::new();
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let role = Role::Viewer;
    api_token::create(&mut conn, "unused", role, &token.hash, &token.prefix).await.expect("a token");
    format!("Bearer {}", token.secret.expose_secret())
}

/// Asks for a target so many times over one connection, as fast as it goes; returns the statuses.
async fn knock(address: SocketAddr, target: &str, times: usize) -> Vec<u16> {
    let (mut reader, mut writer) = TcpStream::connect(address).await.expect("connects").into_split();
    let one = format!("GET {target} HTTP/1.1\r\nhost: wecomd\r\n\r\n");
    let last = format!("GET {target} HTTP/1.1\r\nhost: wecomd\r\nconnection: close\r\n\r\n");
    let asked = one.repeat(times - 1) + &last;
    let (sent, answered) = tokio::join!(writer.write_all(asked.as_bytes()), async {
        let mut answers = String::new();
        reader.read_to_string(&mut answers).await.map(|_| answers)
    });
    sent.expect("sent");
    let answers = answered.expect("answered");
    let heads = answers.split("HTTP/1.1 ").skip(1);
    heads.map(|it| it[..3].parse().expect("a status")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_login_callback_requests_do_not_block_valid_tokens() {
    let app = TestApp::start().await;
    let mut knocking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        knocking.spawn(knock(app.app.admin, VISIT, VISITS / CONNECTIONS));
    }
    let statuses = knocking.join_all().await.concat();
    let times = |status| statuses.iter().filter(|it| **it == status).count();
    let served = Share::Failures.per_address() as usize;
    assert_eq!((times(410), times(429)), (served, VISITS - served));

    assert_eq!(app.ask("GET", CONFIG, None).await.status, 200);
    assert_eq!(app.ask_as(&unused(&app).await, "GET", CONFIG, None).await.status, 200);
    let made = app.ask("POST", &format!("{BASE}/session"), None).await;
    assert_eq!(made.status, 201, "{}", made.text());
    note_refused(&app.app.admin_half).await;
    assert_eq!(app.db.count("select count(*) from access_log where who = '-'").await, 2, "a line for each status");
    app.finish().await;
}

#[tokio::test]
async fn each_limit_used_up_by_strangers_leaves_other_limits_and_callers_unaffected() {
    let app = TestApp::start().await;
    let (guard, home) = (&app.app.admin_half.guard, Ipv4Addr::LOCALHOST.to_string());
    let ways = [
        (Share::Failures, CONFIG, 401),
        (Share::Failures, VISIT, 410),
        (Share::Logins, LOGIN, 422),
        (Share::Documents, "/openapi.json", 200),
        (Share::Documents, "/docs", 200),
    ];
    let ask = async |target: &str| request(app.app.admin, "GET", target, &[], b"").await.expect("an answer");
    for (share, target, status) in ways {
        assert_eq!(ask(target).await.status, status, "{share:?} {target}");
    }
    for share in Share::ALL {
        while guard.admit(share, &home, std::time::Instant::now()).is_ok() {}
        for (of, target, _) in ways.into_iter().filter(|it| it.0 == share) {
            let refused = ask(target).await;
            assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("too_many_requests")), "{of:?}");
            assert!(refused.head.contains("retry-after: "), "{}", refused.head);
        }
    }
    for probe in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(ask(probe).await.status, 200, "{probe} must not be affected: orchestrators restart by it");
    }
    assert_eq!(app.ask("GET", CONFIG, None).await.status, 200);
    assert_eq!(app.ask_as(&unused(&app).await, "GET", CONFIG, None).await.status, 200);
    assert_eq!(app.ask("GET", &format!("{BASE}/work-orders/999"), None).await.status, 404, "a caller's own failures");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_tokens_and_sessions_work_while_somebody_guesses() {
    let app = TestApp::start().await;
    let mut statuses = Vec::new();
    for attempt in 0..65 {
        let mut guessing = JoinSet::new();
        for _ in 0..4 {
            let (admin, bearer) = (app.app.admin, guess());
            guessing.spawn(async move {
                let answer = request(admin, "GET", CONFIG, &[("authorization", &bearer)], b"").await;
                answer.expect("an answer").status
            });
        }
        let token = unused(&app).await;
        assert_eq!(app.ask_as(&token, "GET", CONFIG, None).await.status, 200, "try {attempt}");
        // The limit on sessions is not tested here.
        app.db.execute("delete from console_session").await;
        let made = app.ask("POST", &format!("{BASE}/session"), None).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let cookie = made.head.lines().find_map(|it| it.strip_prefix("set-cookie: ")).expect("a cookie");
        let cookie = cookie.split(';').next().expect("a value");
        let fresh = request(app.app.admin, "GET", &format!("{BASE}/session"), &[("cookie", cookie)], b"").await;
        assert_eq!(fresh.expect("an answer").status, 200, "try {attempt}");
        statuses.extend(guessing.join_all().await);
    }
    assert!(statuses.iter().all(|it| [401, 429].contains(it)), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|it| **it == 401).count(), GUESSES_PER_ADDRESS);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_token_guesses_use_one_database_connection() {
    let app = TestApp::start().await;
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let mut lock = app.db.pool.begin().await.expect("begins");
    sqlx::query("lock table api_token in access exclusive mode").execute(&mut *lock).await.expect("locks");
    let mut guessing = JoinSet::new();
    for _ in 0..100 {
        let (admin, bearer) = (app.app.admin, guess());
        guessing.spawn(async move {
            let answer = request(admin, "GET", CONFIG, &[("authorization", &bearer)], b"").await;
            answer.expect("an answer").status
        });
    }
    until("a guess is looked up", async || app.db.count(waiting).await > 0).await;
    for _ in 0..50 {
        // Answered from memory, after those who came before.
        let answer = request(app.app.admin, "GET", CONFIG, &[], b"").await.expect("an answer");
        assert_eq!(answer.status, 401);
        assert_eq!(app.db.count(waiting).await, 1);
    }
    lock.rollback().await.expect("lets go");
    let statuses = guessing.join_all().await;
    assert_eq!(statuses.iter().filter(|it| **it == 401).count(), GUESSES_PER_ADDRESS);
    assert_eq!(statuses.iter().filter(|it| **it == 429).count(), 100 - GUESSES_PER_ADDRESS);
    app.finish().await;
}

/// Asks through a proxy at `proxy` that says for whom.
async fn through(app: &TestApp, proxy: Ipv4Addr, forwarded: &str, bearer: &str) -> Answer {
    let headers = [("authorization", bearer), ("x-forwarded-for", forwarded)];
    request_from(proxy, app.app.admin, "GET", CONFIG, &headers, b"").await.expect("an answer")
}

#[tokio::test]
async fn a_caller_behind_a_trusted_proxy_is_counted_and_written_down_by_their_own_address() {
    let (proxy, other) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 99));
    let app = TestApp::start_with(|it| it.http.trusted_proxies = vec!["127.0.0.0/29".to_owned()]).await;
    let admin = format!("Bearer {}", app.token.expose_secret());
    assert_eq!(through(&app, proxy, "198.51.100.1, 203.0.113.7", &admin).await.status, 200);
    assert_eq!(through(&app, proxy, "203.0.113.7, 127.0.0.3", &admin).await.status, 200);
    assert_eq!(through(&app, proxy, "somebody", &admin).await.status, 200);
    assert_eq!(through(&app, other, "203.0.113.7", &admin).await.status, 200);
    let lines = app.db.texts("select address from access_log order by id").await;
    assert_eq!(lines, ["203.0.113.7", "203.0.113.7", "127.0.0.2", "127.0.0.99"]);

    for _ in 0..GUESSES_PER_ADDRESS {
        assert_eq!(through(&app, proxy, "203.0.113.7", &guess()).await.status, 401);
    }
    assert_eq!(through(&app, proxy, "203.0.113.7", &guess()).await.status, 429);
    assert_eq!(through(&app, proxy, "203.0.113.8", &guess()).await.status, 401, "another, behind the same proxy");
    let made = app.ask("POST", &format!("{BASE}/session"), None).await;
    assert_eq!(made.status, 201, "{}", made.text());
    note_refused(&app.app.admin_half).await;
    let sums = "select concat_ws(' ', status, times, address) from access_log where who = '-' order by address, status";
    assert_eq!(app.db.texts(sums).await, ["401 20 203.0.113.7", "429 1 203.0.113.7", "401 1 203.0.113.8"]);
    app.finish().await;
}

#[tokio::test]
async fn without_trusted_proxies_a_forwarded_address_is_ignored() {
    let app = TestApp::start().await;
    let admin = format!("Bearer {}", app.token.expose_secret());
    assert_eq!(through(&app, Ipv4Addr::LOCALHOST, "203.0.113.7", &admin).await.status, 200);
    assert_eq!(app.db.texts("select address from access_log").await, ["127.0.0.1"]);
    app.finish().await;
}
