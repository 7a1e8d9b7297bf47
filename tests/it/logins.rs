//! Logins that were not started here, or too many of them: they cause no calls to WeCom and no load on the database.

use secrecy::ExposeSecret;
use serde_json::json;
use wecomd::{
    admin::door::{
        auth::Role,
        guard::{Share, VISITS_PER_STATE},
    },
    ids::UserId,
    sandbox::Platform,
    tables::access::{
        api_token,
        console_session::{MADE_PER_MINUTE, OPEN_MAX},
    },
    vault::ApiToken,
};

use crate::support::{
    TestApp,
    http::{Answer, request},
    leaver::{BASE, code},
    wecom::{app_with_wecom, calls, somebody},
};

const LOGIN: &str = "/api/enterprise-wechat/session/login";

const BIND: &str = "/api/enterprise-wechat/staff-bind";

async fn get(app: &TestApp, target: &str, cookie: &str) -> Answer {
    let headers: Vec<_> = Some(("cookie", cookie)).filter(|it| !it.1.is_empty()).into_iter().collect();
    request(app.app.admin, "GET", target, &headers, b"").await.expect("an answer")
}

/// Starts a login; returns its state.
async fn set_out(app: &TestApp) -> String {
    let sent = get(app, LOGIN, "").await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    let location = sent.head.lines().find_map(|it| it.strip_prefix("location: ")).expect("a place to go");
    let state = location.split("state=").nth(1).expect("a state");
    state.split(['&', '#']).next().expect("it ends").to_owned()
}

/// Comes back with this state and a cookie that fits: a browser's owner may set whichever they like.
async fn come_back(app: &TestApp, code: &str, state: &str) -> Answer {
    let cookie = format!("__Host-wecomd_login={state}");
    get(app, &format!("{LOGIN}/callback?code={code}&state={state}"), &cookie).await
}

/// The state of a link that an operator made.
async fn link(app: &TestApp) -> String {
    let made = app.ask("POST", &format!("{BIND}/login"), Some(json!({ "staff_id": "E-1" }))).await.json();
    let url = made["scan_url"].as_str().expect("a URL").to_owned();
    url.split("state=").nth(1).expect("a state").split('&').next().expect("a value").to_owned()
}

fn login_code(platform: &Platform, user: &UserId) -> String {
    platform.with(|world| world.login_code(user))
}

async fn allow(app: &TestApp, user: &UserId) {
    let target = format!("{BASE}/console-users/{}", user.as_str());
    assert_eq!(app.ask("PUT", &target, Some(json!({ "role": "viewer" }))).await.status, 200);
}

#[tokio::test]
async fn a_foreign_login_state_causes_no_call_to_wecom_or_the_database() {
    let (app, platform) = app_with_wecom().await;
    let (other, _) = app_with_wecom().await;
    let (own, link) = (set_out(&app).await, link(&app).await);
    let asked = platform.calls().len();
    let foreign = set_out(&other).await;
    let flipped = own.replacen(|it: char| it.is_ascii_digit(), "a", 1);
    // From here on no database connection is available.
    app.app.admin_half.pool.close().await;
    for made_up in [&"1f".repeat(32), &"0".repeat(96), &foreign, &flipped, &link, &format!("{}.1", "1f".repeat(32))] {
        let answer = come_back(&app, "code", made_up).await;
        assert!(answer.status == 400 && answer.text().contains("请重新登录"), "{made_up}: {}", answer.text());
    }
    for made_up in [&"1f".repeat(32), &"0".repeat(96), &foreign, &own] {
        let answer = get(&app, &format!("{BIND}/login/callback?code=code&state={made_up}"), "").await;
        assert!(answer.status == 410 && answer.text().contains("不存在"), "{made_up}: {}", answer.text());
    }
    assert_eq!(platform.calls().len(), asked, "nobody asked WeCom");
    other.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn login_codes_from_strangers_are_redeemed_within_a_separate_limit() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    allow(&app, &user).await;
    let guard = &app.app.admin_half.guard;
    let asked = || calls(&platform, "auth/getuserinfo");

    // One state is valid for a few visits.
    let state = set_out(&app).await;
    for _ in 0..VISITS_PER_STATE {
        assert_eq!(come_back(&app, "made-up", &state).await.status, 502);
    }
    let before = asked();
    assert_eq!(code(&come_back(&app, "made-up", &state).await), (429, "too_many_requests".to_owned()));
    assert_eq!(asked(), before);
    assert_eq!(come_back(&app, &login_code(&platform, &user), &set_out(&app).await).await.status, 303, "others are");

    // And of many states there is a number a minute that WeCom is asked about.
    while guard.admit(Share::Codes, "127.0.0.1", std::time::Instant::now()).is_ok() {}
    let before = asked();
    let refused = come_back(&app, &login_code(&platform, &user), &set_out(&app).await).await;
    assert_eq!(code(&refused), (429, "too_many_requests".to_owned()));
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    assert_eq!(asked(), before);
    let (fresh, linked) = (login_code(&platform, &user), link(&app).await);
    let bound = get(&app, &format!("{BIND}/login/callback?code={fresh}&state={linked}"), "").await;
    assert_eq!(bound.status, 200, "a link was made by an operator");
    assert_eq!(app.ask("GET", &format!("{BASE}/config"), None).await.status, 200);
    app.finish().await;
}

/// A viewer's token; returns its number and the header that shows it.
async fn viewer(app: &TestApp, name: &str) -> (i32, String) {
    let token = ApiToken::new();
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let role = Role::Viewer;
    let id = api_token::create(&mut conn, name, role, &token.hash, &token.prefix).await.expect("a token");
    (id, format!("Bearer {}", token.secret.expose_secret()))
}

#[tokio::test]
async fn sessions_of_one_token_are_limited_per_minute_and_in_number() {
    let app = TestApp::start().await;
    let session = format!("{BASE}/session");
    let ((busy, bearer), (_, calm)) = (viewer(&app, "busy").await, viewer(&app, "calm").await);
    let open = format!("select count(*) from console_session_live where token_id = {busy}");
    for _ in 0..MADE_PER_MINUTE {
        assert_eq!(app.ask_as(&bearer, "POST", &session, None).await.status, 201);
    }
    let refused = app.ask_as(&bearer, "POST", &session, None).await;
    assert_eq!(code(&refused), (429, "too_many_requests".to_owned()));
    let wait = refused.head.lines().find_map(|it| it.strip_prefix("retry-after: ")).expect("when to try again");
    assert!((1..=60).contains(&wait.parse::<u32>().expect("seconds")), "{wait}");
    assert_eq!(app.db.count(&open).await, MADE_PER_MINUTE);
    assert_eq!(app.ask_as(&calm, "POST", &session, None).await.status, 201, "another token has its own");
    assert_eq!(app.ask_as(&bearer, "GET", &session, None).await.status, 200, "the token itself goes on");

    app.db.execute("update console_session set created_at = created_at - interval '1 minute'").await;
    let many = format!(
        "insert into console_session (hash, token_id, expires_at, address, user_agent, created_at)
         select sha256(n::text::bytea), {busy}, now() + interval '1 hour', '', '', now() - interval '1 hour' + n * interval '1 second'
         from generate_series(1, {OPEN_MAX} - {MADE_PER_MINUTE}) n"
    );
    app.db.execute(&many).await;
    assert_eq!(app.db.count(&open).await, OPEN_MAX);
    assert_eq!(app.ask_as(&bearer, "POST", &session, None).await.status, 201);
    assert_eq!(app.db.count(&open).await, OPEN_MAX);
    let ended = "select count(*) from console_session where ended_at is not null and hash = sha256('1'::bytea)";
    assert_eq!(app.db.count(ended).await, 1, "the oldest ended");
    app.finish().await;
}

#[tokio::test]
async fn a_member_who_logs_in_too_often_has_to_wait() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    allow(&app, &user).await;
    for _ in 0..MADE_PER_MINUTE {
        assert_eq!(come_back(&app, &login_code(&platform, &user), &set_out(&app).await).await.status, 303);
    }
    let refused = come_back(&app, &login_code(&platform, &user), &set_out(&app).await).await;
    assert_eq!(code(&refused), (429, "too_many_requests".to_owned()));
    assert_eq!(app.db.count("select count(*) from console_session").await, MADE_PER_MINUTE);
    app.finish().await;
}
