//! Access: every route with every role and with invalid tokens, unauthenticated callers who ask too often, what
//! browsers are told, and what the access log shows of it all.

use std::net::Ipv4Addr;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wecomd::{
    admin::{
        door::{
            auth::Role,
            guard::{GUESSES_PER_ADDRESS, REQUESTS_PER_TOKEN, Share},
        },
        note_refused,
        routes::ROUTES,
        spec::route::{Access, Route},
    },
    tables::access::api_token,
    vault::ApiToken,
};

use crate::support::{
    Company, Daemon, TestApp, TestDb,
    http::{Answer, request, request_from},
};

const BASE: &str = "/api/enterprise-wechat";

/// The address of the tests' administrator.
const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The address of another caller.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 99);

/// A new token of this role; returns its number and the header that shows it.
async fn token(db: &TestDb, role: Role, name: &str) -> (i32, String) {
    let token = ApiToken::new();
    let mut conn = db.pool.acquire().await.expect("connects");
    let id = api_token::create(&mut conn, name, role, &token.hash, &token.prefix).await.expect("a token");
    (id, format!("Bearer {}", token.secret.expose_secret()))
}

/// An invented token, as a header.
fn guess() -> String {
    format!("Bearer {}", ApiToken::new().secret.expose_secret())
}

fn code(answer: &Answer) -> (u16, String) {
    assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
    (answer.status, answer.json()["code"].as_str().expect("a code").to_owned())
}

/// Asks from an address, with these credentials or none.
async fn ask(app: &TestApp, source: Ipv4Addr, bearer: Option<&str>, route: (&str, &str)) -> Answer {
    let headers: Vec<_> = bearer.map(|it| ("authorization", it)).into_iter().collect();
    let (method, target) = route;
    let body: &[u8] = if method == "GET" { b"" } else { b"{}" };
    request_from(source, app.app.admin, method, target, &headers, body).await.expect("an answer")
}

#[tokio::test]
async fn every_route_asks_for_a_token_and_for_its_role_and_writes_the_access_log() {
    let app = TestApp::start().await;
    let (viewer, operator, admin) = (
        token(&app.db, Role::Viewer, "viewer").await.1,
        token(&app.db, Role::Operator, "operator").await.1,
        token(&app.db, Role::Admin, "admin").await.1,
    );
    let (expired, revoked) =
        (token(&app.db, Role::Admin, "expired").await, token(&app.db, Role::Admin, "revoked").await);
    app.db.execute(&format!("update api_token set expires_at = now() where id = {}", expired.0)).await;
    app.db.execute(&format!("update api_token set revoked_at = now() where id = {}", revoked.0)).await;
    let unknown = guess();
    let callers = [
        (None, None),
        (Some("Bearer wcd_wrong"), None),
        (Some(unknown.as_str()), None),
        (Some(expired.1.as_str()), None),
        (Some(revoked.1.as_str()), None),
        (Some(viewer.as_str()), Some(Role::Viewer)),
        (Some(operator.as_str()), Some(Role::Operator)),
        (Some(admin.as_str()), Some(Role::Admin)),
    ];
    let routes: Vec<(&Route, Role)> = ROUTES
        .iter()
        .copied()
        .filter_map(|route| match route.access {
            Access::Role(role) => Some((route, role)),
            Access::Public(_) => None,
        })
        .collect();
    assert!(routes.len() > 30, "{}", routes.len());
    for (route, needed) in &routes {
        let path = route
            .path
            .replace("{customerId}", "C-1")
            .replace("{state}", "s")
            .replace("{id}", "1-1-00")
            .replace("{name}", "none");
        for (bearer, role) in callers {
            let answer = ask(&app, HOME, bearer, (route.method, &path)).await;
            let story = format!("{} {path} as {role:?}: {}", route.method, String::from_utf8_lossy(&answer.body));
            match role {
                None => assert_eq!(code(&answer), (401, "unauthenticated".to_owned()), "{story}"),
                Some(role) if role < *needed => assert_eq!(code(&answer), (403, "forbidden".to_owned()), "{story}"),
                Some(_) => assert!(![401, 403, 429, 500].contains(&answer.status), "{story}"),
            }
        }
    }
    let each = i64::try_from(routes.len()).expect("few");
    for role in ["viewer", "operator", "admin"] {
        let lines =
            format!("select count(distinct method || route) from access_log where who = '{role}' and role = '{role}'");
        assert_eq!(app.db.count(&lines).await, each, "{role}");
        let lines = format!("select count(*) from access_log where who = '{role}' and address = '127.0.0.1'");
        assert_eq!(app.db.count(&lines).await, each, "{role} has one line for each request");
    }
    assert_eq!(app.db.count("select count(*) from access_log where who = '-'").await, 0, "strangers are summed up");
    note_refused(&app.app.admin_half).await;
    let strangers = "select count(distinct method || route) from access_log where who = '-' and status = 401";
    assert_eq!(app.db.count(strangers).await, each);
    assert_eq!(app.db.count("select sum(times) from access_log where who = '-'").await, 5 * each);
    app.finish().await;
}

#[tokio::test]
async fn a_line_holds_caller_action_customer_address_and_request_id() {
    let app = TestApp::start().await;
    let order = json!({ "customer_id": "C-1", "description": "漏水" });
    let made = app.ask("POST", &format!("{BASE}/work-orders"), Some(order)).await.json();
    let target = format!("{BASE}/work-orders/{}", made["id"]);
    let id = "0190163d-8694-739b-aea5-966c26f8ad91";
    let bearer = format!("Bearer {}", app.token.expose_secret());
    let headers = [("authorization", bearer.as_str()), ("x-request-id", id)];
    request_from(ELSEWHERE, app.app.admin, "GET", &target, &headers, b"").await.expect("an answer");
    app.ask("GET", &format!("{BASE}/customer-contact/C-404"), None).await;
    app.ask("GET", &format!("{BASE}/work-orders?customer_id=C-1"), None).await;

    let lines = app
        .db
        .texts(
            "select concat_ws(' ', who, role, method, route, subject, customer, status, times, address) from access_log order by id",
        )
        .await;
    let number = &made["id"];
    assert_eq!(
        lines,
        [
            format!("test admin POST {BASE}/work-orders C-1 C-1 201 1 127.0.0.1"),
            format!("test admin GET {BASE}/work-orders/{{id}} {number} C-1 200 1 127.0.0.99"),
            format!("test admin GET {BASE}/customer-contact/{{customerId}} C-404 C-404 404 1 127.0.0.1"),
            format!("test admin GET {BASE}/work-orders C-1 C-1 200 1 127.0.0.1"),
        ]
    );
    let under =
        format!("select count(*) from access_log where request_id = '{id}' and at > now() - interval '1 minute'");
    assert_eq!(app.db.count(&under).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn the_access_log_is_read_by_filters_in_pages_and_as_csv() {
    let app = TestApp::start().await;
    let viewer = token(&app.db, Role::Viewer, "=crm, \"the\" one").await.1;
    for customer in ["C-1", "C-2", "C-1", "C-1"] {
        app.ask_as(&viewer, "GET", &format!("{BASE}/customer-contact/{customer}"), None).await;
    }
    app.ask_as(&viewer, "POST", &format!("{BASE}/config"), None).await;
    let found = async |query: &str| {
        let page = app.ask("GET", &format!("{BASE}/access-log?{query}"), None).await;
        assert_eq!(page.status, 200, "{}", page.text());
        page.json()
    };
    let count = async |query: &str| found(query).await["items"].as_array().expect("items").len();
    assert_eq!(count("customer=C-1").await, 3, "the line of the request itself is written later");
    assert_eq!(count("subject=C-2").await, 1);
    assert_eq!(count("status=403").await, 1);
    assert_eq!(count("route=config&who=%3Dcrm,%20%22the%22%20one").await, 1);
    assert_eq!(count("since=2000-01-01T00:00:00Z&until=2000-01-02T00:00:00Z").await, 0);
    assert_eq!(count("customer=C-1&since=2000-01-01T00:00:00Z").await, 4, "with the question that was asked before");

    let first = found("who=%3Dcrm,%20%22the%22%20one&limit=3").await;
    assert_eq!(first["items"][0]["status"], 403, "latest first");
    let next = format!("who=%3Dcrm,%20%22the%22%20one&limit=3&cursor={}", first["next_cursor"].as_str().expect("more"));
    assert_eq!(found(&next).await["items"].as_array().map(Vec::len), Some(2));

    let csv = app.ask("GET", &format!("{BASE}/access-log?format=csv&subject=C-2&limit=1"), None).await;
    assert!(csv.head.contains("content-type: text/csv") && csv.head.contains("x-next-cursor: "), "{}", csv.head);
    let csv = app.ask("GET", &format!("{BASE}/access-log?format=csv&status=404&customer=C-2"), None).await.text();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0].split(',').count()), (2, 13), "{csv}");
    assert!(lines[1].contains(",\"'=crm, \"\"the\"\" one\",viewer,GET,"), "{csv}");
    assert!(!csv.contains("wcd_"), "no token is in it");

    for (query, field) in [("status=x", "status"), ("since=today", "since"), ("format=xml", "format"), ("w=1", "w")] {
        let answer = app.ask("GET", &format!("{BASE}/access-log?{query}"), None).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)));
    }
    let operator = token(&app.db, Role::Operator, "operator").await.1;
    assert_eq!(app.ask_as(&operator, "GET", &format!("{BASE}/access-log"), None).await.status, 403);
    app.finish().await;
}

#[tokio::test]
async fn only_the_address_that_guesses_tokens_has_to_wait() {
    let app = TestApp::start().await;
    let route = ("GET", "/api/enterprise-wechat/config");
    let (in_use, fresh) = (token(&app.db, Role::Viewer, "in use").await.1, token(&app.db, Role::Viewer, "new").await.1);
    assert_eq!(ask(&app, HOME, Some(&in_use), route).await.status, 200);
    for _ in 0..GUESSES_PER_ADDRESS {
        assert_eq!(code(&ask(&app, HOME, Some(&guess()), route).await).0, 401);
    }
    let refused = ask(&app, HOME, Some(&guess()), route).await;
    assert_eq!(code(&refused), (429, "too_many_requests".to_owned()));
    let after = refused.head.lines().find_map(|it| it.strip_prefix("retry-after: ")).expect("when to try again");
    assert!((1..=61).contains(&after.parse::<u32>().expect("seconds")), "{after}");
    assert_eq!(ask(&app, HOME, Some(&fresh), route).await.status, 200, "it may be a guess, so it is looked up");
    assert_eq!(ask(&app, HOME, Some(&in_use), route).await.status, 200, "a valid token still works");
    assert_eq!(code(&ask(&app, ELSEWHERE, Some(&guess()), route).await).0, 401, "nobody else is told to wait");

    for state in ["a", "b", "c"] {
        let link = format!("{BASE}/staff-bind/login/callback?code=x&state={state}");
        assert_eq!(ask(&app, HOME, None, ("GET", &link)).await.status, 410, "a login that nobody was sent to");
    }
    note_refused(&app.app.admin_half).await;
    let sums = "select concat_ws(' ', method, status, times, address) from access_log where who = '-' order by status, address";
    let guesses = GUESSES_PER_ADDRESS;
    assert_eq!(
        app.db.texts(sums).await,
        [
            format!("GET 401 {guesses} 127.0.0.1"),
            "GET 401 1 127.0.0.99".to_owned(),
            "GET 410 3 127.0.0.1".to_owned(),
            "GET 429 1 127.0.0.1".to_owned()
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn an_address_that_fails_too_often_has_one_line_whatever_methods_it_invents() {
    let app = TestApp::start().await;
    for _ in 0..Share::Failures.per_address() {
        let _ = app.app.admin_half.guard.admit(Share::Failures, &HOME.to_string(), std::time::Instant::now());
    }
    for method in ["GET", "BREW", "X-1", "X-2"] {
        let status = if method == "GET" { 429 } else { 405 };
        assert_eq!(ask(&app, HOME, None, (method, "/api/enterprise-wechat/config")).await.status, status);
    }
    assert_eq!(ask(&app, HOME, None, ("GET", "/api/enterprise-wechat/nothing")).await.status, 404);
    note_refused(&app.app.admin_half).await;
    let sums = "select concat_ws(' ', method, route, status, times, address) from access_log";
    assert_eq!(app.db.texts(sums).await, [format!("GET {BASE}/config 429 1 127.0.0.1")]);
    app.finish().await;
}

#[tokio::test]
async fn counts_of_refused_strangers_are_written_when_the_program_stops() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        assert_eq!(ask(&app, HOME, None, ("GET", "/api/enterprise-wechat/config")).await.status, 401);
    }
    let TestApp { db, app, .. } = app;
    app.stop().await;
    let line = "select concat_ws(' ', who, role, method, route, status, times) from access_log";
    assert_eq!(db.texts(line).await, [format!("- - GET {BASE}/config 401 3")]);
    db.close().await;
}

#[tokio::test]
async fn a_token_that_is_used_too_often_has_to_wait() {
    let app = TestApp::start().await;
    let route = ("GET", "/api/enterprise-wechat/config");
    let (busy, calm) = (token(&app.db, Role::Viewer, "busy").await.1, token(&app.db, Role::Viewer, "calm").await.1);
    assert_eq!(ask(&app, HOME, Some(&busy), route).await.status, 200);
    let hash = wecomd::vault::token_hash(busy.trim_start_matches("Bearer "));
    for _ in 0..REQUESTS_PER_TOKEN {
        let _ = app.app.admin_half.guard.admit_token(&hash, std::time::Instant::now());
    }
    let refused = ask(&app, ELSEWHERE, Some(&busy), route).await;
    assert_eq!(code(&refused), (429, "too_many_requests".to_owned()), "from any address");
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    assert_eq!(ask(&app, HOME, Some(&calm), route).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn the_bearer_scheme_is_accepted_in_any_case() {
    let app = TestApp::start().await;
    let route = ("GET", "/api/enterprise-wechat/config");
    for scheme in ["Bearer", "bearer", "BEARER", "bearer  "] {
        let shown = format!("{scheme} {}", app.token.expose_secret());
        assert_eq!(ask(&app, HOME, Some(&shown), route).await.status, 200, "{scheme}");
    }
    let other = format!("Token {}", app.token.expose_secret());
    assert_eq!(code(&ask(&app, HOME, Some(&other), route).await).0, 401);
    app.finish().await;
}

#[tokio::test]
async fn an_unauthenticated_request_uses_no_connection_and_its_body_is_not_read() {
    let app = TestApp::start().await;
    let target = "/api/enterprise-wechat/config";
    let known = guess();
    assert_eq!(ask(&app, HOME, Some(&known), ("GET", target)).await.status, 401);
    // From here on no database connection is available.
    app.app.admin_half.pool.close().await;
    assert_eq!(ask(&app, HOME, Some(&guess()), ("GET", target)).await.status, 503, "a guess is looked up");
    for bearer in [None, Some("Bearer wcd_wrong"), Some("Basic YTpi"), Some(known.as_str())] {
        assert_eq!(code(&ask(&app, HOME, bearer, ("GET", target)).await), (401, "unauthenticated".to_owned()));
    }
    // A body that never arrives: a server that waited for it would answer 408.
    let mut stream = TcpStream::connect(app.app.admin).await.expect("connects");
    let head = format!("POST {target} HTTP/1.1\r\nhost: wecomd\r\ncontent-length: 999\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await.expect("an answer, and an end");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    app.finish().await;
}

#[tokio::test]
async fn tokens_are_made_shown_once_listed_and_end_in_every_process_at_once() {
    let (db, company) = (TestDb::new().await, Company::new());
    let settings = [("DATABASE_URL", db.url.expose_secret())];
    let one = Daemon::start(&company.key, &settings, &["--no-worker", "--no-callback"]).await;
    let other = Daemon::start(&company.key, &settings, &["--no-worker", "--no-callback"]).await;
    let boss = token(&db, Role::Admin, "boss").await.1;
    let ask = async |process: &Daemon, bearer: &str, method: &str, path: &str, body: Option<Value>| {
        let body = body.map(|it| it.to_string()).unwrap_or_default();
        let target = format!("{BASE}/{path}");
        request(process.admin, method, &target, &[("authorization", bearer)], body.as_bytes()).await.expect("an answer")
    };
    let wanted = json!({ "name": "crm", "role": "viewer", "expires_days": 30 });
    let made = ask(&one, &boss, "POST", "api-tokens", Some(wanted)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let (crm, id) = (format!("Bearer {}", made["token"].as_str().expect("the token")), &made["id"]);
    assert!(made["expires_at"].is_string() && made["last_used_at"].is_null(), "{made}");

    for process in [&one, &other] {
        assert_eq!(ask(process, &crm, "GET", "config", None).await.status, 200);
    }
    let listed = ask(&other, &boss, "GET", "api-tokens", None).await;
    assert!(!listed.text().contains(made["token"].as_str().expect("the token")), "it was shown once");
    let row = listed.json()["items"][1].clone();
    assert_eq!((&row["name"], &row["role"], &row["state"]), (&json!("crm"), &json!("viewer"), &json!("live")));
    assert!(row["last_used_at"].is_string(), "{row}");

    db.execute("update api_token set expires_at = now() where name = 'crm'").await;
    for process in [&one, &other] {
        assert_eq!(ask(process, &crm, "GET", "config", None).await.status, 401, "it has ended");
    }
    assert_eq!(ask(&one, &boss, "GET", "api-tokens", None).await.json()["items"][1]["state"], "expired");

    let again = ask(&one, &boss, "POST", "api-tokens", Some(json!({ "name": "erp", "role": "operator" }))).await.json();
    let erp = format!("Bearer {}", again["token"].as_str().expect("the token"));
    for process in [&one, &other] {
        assert_eq!(ask(process, &erp, "GET", "config", None).await.status, 200);
    }
    let path = format!("api-tokens/{}", again["id"]);
    let shown = ask(&other, &boss, "GET", &path, None).await;
    assert_eq!((shown.status, &shown.json()["name"], &shown.json()["state"]), (200, &json!("erp"), &json!("live")));
    assert!(!shown.text().contains(again["token"].as_str().expect("a token")), "a token is shown only once");
    let gone = ask(&one, &boss, "DELETE", &format!("api-tokens/{}", again["id"]), None).await;
    assert_eq!((gone.status, &gone.json()["state"]), (200, &json!("revoked")));
    for process in [&other, &one] {
        assert_eq!(ask(process, &erp, "GET", "config", None).await.status, 401, "the next request");
    }
    assert_eq!(ask(&other, &boss, "GET", &path, None).await.json()["state"], "revoked");
    assert_eq!(code(&ask(&one, &boss, "GET", "api-tokens/999999", None).await), (404, "token_unknown".to_owned()));
    assert_eq!(ask(&other, &boss, "DELETE", &format!("api-tokens/{}", again["id"]), None).await.status, 404);
    assert_eq!(ask(&other, &crm, "DELETE", &format!("api-tokens/{id}"), None).await.status, 401);
    drop((one, other));
    db.close().await;
}

#[tokio::test]
async fn an_invalid_new_token_is_refused_by_field_and_token_use_is_noted_once_a_minute() {
    let app = TestApp::start().await;
    let tokens = format!("{BASE}/api-tokens");
    for (body, field) in [
        (json!({ "name": "", "role": "viewer" }), "name"),
        (json!({ "name": "x", "role": "king" }), "role"),
        (json!({ "name": "x", "role": "viewer", "expires_days": 0 }), "expires_days"),
        (json!({ "name": "x", "role": "viewer", "token": "mine" }), "token"),
    ] {
        let answer = app.ask("POST", &tokens, Some(body)).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{}", answer.text());
    }
    app.db.execute("update api_token set last_used_at = now() - interval '30 seconds'").await;
    let used = "select last_used_at::text from api_token";
    let before = app.db.texts(used).await;
    app.ask("GET", &tokens, None).await;
    assert_eq!(app.db.texts(used).await, before, "less than a minute ago");
    app.db.execute("update api_token set last_used_at = now() - interval '61 seconds'").await;
    app.ask("GET", &tokens, None).await;
    assert_ne!(app.db.texts(used).await, before);
    app.finish().await;
}

#[tokio::test]
async fn every_answer_has_security_headers_and_none_allows_cross_origin_access() {
    let app = TestApp::start().await;
    let config = format!("{BASE}/config");
    let origin = ("origin", "https://elsewhere.example");
    for (method, target) in [
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", config.as_str()),
        ("GET", "/nothing"),
        ("OPTIONS", config.as_str()),
        ("GET", "/api/enterprise-wechat/staff-bind/login/callback"),
    ] {
        let asked = [origin, ("access-control-request-method", "POST")];
        let answer = request(app.app.admin, method, target, &asked, b"").await.expect("an answer");
        let head = answer.head.to_ascii_lowercase();
        for rule in ["x-content-type-options: nosniff", "cache-control: no-store", "referrer-policy: no-referrer"] {
            assert!(head.contains(rule), "{target}: {rule} is missing in {head}");
        }
        assert!(head.contains("content-security-policy: default-src 'none'"), "{target}: {head}");
        assert!(head.contains("x-frame-options: deny"), "{target}: {head}");
        assert!(!head.contains("access-control-"), "{target}: {head}");
    }
    let chinese = [("accept-language", "zh-CN,zh;q=0.9,en;q=0.8")];
    let told = async |headers: &[(&str, &str)]| {
        let problem = request(app.app.admin, "GET", &config, headers, b"").await.expect("an answer").json();
        ["title", "detail"].map(|field| problem[field].as_str().expect("a text").to_owned())
    };
    assert_eq!(
        told(&chinese).await,
        ["未通过身份验证", "请提供管理 API 的令牌 `Authorization: Bearer wcd_…`，或先登录"]
    );
    assert_eq!(
        told(&[]).await,
        ["Who is calling?", "send a token of the admin API: `Authorization: Bearer wcd_…`, or log in"]
    );
    let deep = format!("{{\"name\": {}{}}}", "[".repeat(40), "]".repeat(40));
    assert_eq!(code(&app.ask_raw("POST", &config, deep.as_bytes()).await), (400, "invalid_json".to_owned()));
    let long = vec![b' '; wecomd::config::Config::default().http.body_bytes_max + 1];
    assert_eq!(code(&app.ask_raw("POST", &config, &long).await), (413, "body_too_large".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn an_app_is_changed_only_if_its_etag_still_matches() {
    let app = TestApp::start().await;
    let config = format!("{BASE}/config");
    let listed = app.ask("GET", &config, None).await.json()["items"][0].clone();
    let (name, read) = (listed["name"].clone(), listed["etag"].as_str().expect("an etag").to_owned());
    let bearer = format!("Bearer {}", app.token.expose_secret());
    let save = async |etag: &str, name: &Value, text: &str| {
        let headers = [("authorization", bearer.as_str()), ("if-match", etag)];
        let body = json!({ "name": name, "welcome_message": text }).to_string();
        request(app.app.admin, "POST", &config, &headers, body.as_bytes()).await.expect("an answer")
    };
    let saved = save(&read, &name, "one").await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    let now = saved.json()["etag"].as_str().expect("an etag").to_owned();
    assert!(saved.head.contains(&format!("etag: {now}")) && now != read, "{}", saved.head);

    let late = save(&read, &name, "two").await;
    assert_eq!(code(&late), (412, "precondition_failed".to_owned()));
    assert_eq!(save("*", &json!("nobody"), "two").await.status, 412);
    let stands = "select welcome_message from enterprise_wechat_config where welcome_message is not null";
    assert_eq!(app.db.texts(stands).await, ["one"]);
    assert_eq!(save(&format!("\"x\", {now}"), &name, "three").await.status, 200);
    assert_eq!(save("*", &name, "four").await.status, 200);
    app.finish().await;
}
