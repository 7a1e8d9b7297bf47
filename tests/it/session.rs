//! Logging in to the console: by WeCom, with a token; what a foreign page cannot do with it, and how it ends.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::{
    ids::UserId,
    sandbox::{AppKind, Platform, Push, world::MemberStatus},
};

use crate::support::{
    TestApp, TestDb,
    daemon::program,
    folder::Folder,
    http::{Answer, request},
    leaver::{BASE, bind, code, order},
    plaintext::member,
    wecom::{app_with_wecom, calls, somebody},
};

const LOGIN: &str = "/api/enterprise-wechat/session/login";

/// A browser with its cookies, as far as they concern us.
#[derive(Debug, Clone, Default)]
struct Browser {
    cookies: Vec<(String, String)>,
    csrf: Option<String>,
}

impl Browser {
    /// Asks for something, and keeps the cookies that come back.
    async fn ask(&mut self, app: &TestApp, method: &str, target: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let jar = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut headers = more.to_vec();
        if !jar.is_empty() {
            headers.push(("cookie", &jar));
        }
        if let Some(csrf) = &self.csrf {
            headers.push(("x-csrf-token", csrf));
        }
        let answer = request(app.app.admin, method, target, &headers, body.as_bytes()).await.expect("an answer");
        for line in answer.head.lines().filter_map(|it| it.strip_prefix("set-cookie: ")) {
            let (cookie, flags) = line.split_once(';').expect("flags");
            let (name, value) = cookie.split_once('=').expect("a value");
            self.cookies.retain(|(known, _)| known != name);
            if !flags.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    async fn get(&mut self, app: &TestApp, path: &str) -> Answer {
        self.ask(app, "GET", &format!("{BASE}{path}"), &[], "").await
    }

    /// Starts a login; returns the address that it is sent to, and the state.
    async fn set_out(&mut self, app: &TestApp) -> (String, String) {
        let sent = self.ask(app, "GET", LOGIN, &[], "").await;
        assert_eq!(sent.status, 303, "{}", sent.text());
        let location = header(&sent, "location").expect("a place to go");
        let state = location.split("state=").nth(1).expect("a state").split(['&', '#']).next().expect("it ends");
        (location.clone(), state.to_owned())
    }

    /// Comes back from WeCom.
    async fn come_back(&mut self, app: &TestApp, code: &str, state: &str) -> Answer {
        self.ask(app, "GET", &format!("{LOGIN}/callback?code={code}&state={state}"), &[], "").await
    }

    /// Logs in a member who is allowed to.
    async fn log_in(app: &TestApp, platform: &Platform, user: &UserId) -> Self {
        let mut browser = Self::default();
        let (_, state) = browser.set_out(app).await;
        let came = browser.come_back(app, &login_code(platform, user), &state).await;
        assert_eq!(came.status, 303, "{}", came.text());
        browser.learn_csrf(app).await;
        browser
    }

    async fn learn_csrf(&mut self, app: &TestApp) {
        let shown = self.get(app, "/session").await.json();
        self.csrf = Some(shown["csrf_token"].as_str().expect("a token").to_owned());
    }
}

fn header(answer: &Answer, name: &str) -> Option<String> {
    let prefix = format!("{name}: ");
    answer.head.lines().find_map(|it| it.strip_prefix(&prefix)).map(str::to_owned)
}

fn login_code(platform: &Platform, user: &UserId) -> String {
    platform.with(|world| world.login_code(user))
}

async fn allow(app: &TestApp, user: &UserId, role: &str) {
    let target = format!("{BASE}/console-users/{}", user.as_str());
    let allowed = app.ask("PUT", &target, Some(json!({ "role": role }))).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
}

const ORDER: &str = r#"{"customer_id": "C-1", "description": "漏水"}"#;

#[tokio::test]
async fn an_allowed_member_logs_in_with_wecom_works_and_logs_out() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    allow(&app, &user, "operator").await;
    let mut browser = Browser::default();
    let (location, state) = browser.set_out(&app).await;
    assert!(location.starts_with("https://login.work.weixin.qq.com/"), "{location}");
    let came = browser.come_back(&app, &login_code(&platform, &user), &state).await;
    assert_eq!((came.status, header(&came, "location").as_deref()), (303, Some("/console")), "{}", came.text());
    let cookies: Vec<_> = came.head.lines().filter(|it| it.starts_with("set-cookie: ")).collect();
    for flag in ["__Host-wecomd_session=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
        assert!(cookies.iter().any(|it| it.contains(flag)), "{flag}: {cookies:?}");
    }
    assert!(cookies.iter().any(|it| it.contains("__Host-wecomd_login=;")), "the login's cookie is over: {cookies:?}");
    assert_eq!(browser.cookies.len(), 1);

    let shown = browser.get(&app, "/session").await.json();
    assert_eq!((&shown["who"], &shown["role"]), (&json!(user), &json!("operator")));
    let cookie = browser.cookies[0].1.clone();
    assert!(!shown.to_string().contains(&cookie), "no page learns the cookie");
    let kept = app.db.count(&format!("select count(*) from console_session it where it::text like '%{cookie}%'")).await;
    assert_eq!(kept, 0, "the database does not know it either");

    // What reads needs the cookie alone; what changes, the token that only our own page can read; a role has its end.
    assert_eq!(browser.get(&app, "/work-orders").await.status, 200);
    let orders = format!("{BASE}/work-orders");
    assert_eq!(code(&browser.ask(&app, "POST", &orders, &[], ORDER).await), (403, "csrf".to_owned()));
    browser.csrf = Some(shown["csrf_token"].as_str().expect("a token").to_owned());
    for foreign in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "\u{ff}"),
        ("origin", "https://evil.example.com"),
        ("origin", "null"),
        ("origin", "http://wecom.example.com"),
        ("origin", "https://wecom.example.com:8443"),
        ("origin", "https://wecomd"),
        ("referer", "http://wecom.example.com/console"),
    ] {
        let refused = browser.ask(&app, "POST", &orders, &[foreign], ORDER).await;
        assert_eq!(code(&refused), (403, "csrf".to_owned()), "{foreign:?}");
    }
    let own = [("origin", "https://wecom.example.com"), ("sec-fetch-site", "same-origin"), ("idempotency-key", "k-1")];
    let made = browser.ask(&app, "POST", &orders, &own, ORDER).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(browser.ask(&app, "POST", &orders, &own, ORDER).await.json()["id"], made.json()["id"], "once");
    assert_eq!(code(&browser.get(&app, "/access-log").await), (403, "forbidden".to_owned()));
    let line = format!(
        "select concat_ws(' ', who, role, status) from access_log where route = '{orders}' and method = 'POST' and status = 201 limit 1"
    );
    assert_eq!(app.db.texts(&line).await, [format!("{} operator 201", user.as_str())]);

    let out = browser.ask(&app, "DELETE", &format!("{BASE}/session"), &[], "").await;
    assert_eq!(out.status, 204, "{}", out.text());
    assert!(browser.cookies.is_empty());
    browser.cookies.push(("__Host-wecomd_session".to_owned(), cookie));
    assert_eq!(code(&browser.get(&app, "/work-orders").await), (401, "unauthenticated".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn a_login_from_another_browser_or_with_altered_state_is_refused() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    allow(&app, &user, "admin").await;
    let mut browser = Browser::default();
    let (_, state) = browser.set_out(&app).await;
    let asked = calls(&platform, "auth/getuserinfo");

    // A link with somebody else's code and state, followed by a browser that did not set out, or set out elsewhere.
    let mut foreign = Browser::default();
    assert_eq!(foreign.come_back(&app, "code", &state).await.status, 400);
    foreign.set_out(&app).await;
    assert_eq!(foreign.come_back(&app, "code", &state).await.status, 403);
    assert_eq!(browser.clone().come_back(&app, "code", &"0".repeat(64)).await.status, 403);
    assert_eq!(browser.clone().come_back(&app, "", &state).await.status, 400);
    assert_eq!(calls(&platform, "auth/getuserinfo"), asked, "nobody asked WeCom");

    let code = login_code(&platform, &user);
    let mut second = browser.clone();
    assert_eq!(browser.come_back(&app, &code, &state).await.status, 303);
    let replayed = second.come_back(&app, &code, &state).await;
    assert_eq!(replayed.status, 502, "WeCom's code works once: {}", replayed.text());
    assert_eq!(app.db.count("select count(*) from console_session").await, 1);
    // Logins started by strangers do not each write a log line.
    let lines = format!("select count(*) from access_log where route like '{LOGIN}%'");
    assert_eq!(app.db.count(&lines).await, 1, "the login that succeeded");
    app.finish().await;
}

#[tokio::test]
async fn a_member_who_is_not_allowed_is_told_so_and_not_logged_in() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let come = async |code: String| {
        let mut browser = Browser::default();
        let (_, state) = browser.set_out(&app).await;
        browser.come_back(&app, &code, &state).await
    };
    let refused = come(login_code(&platform, &user)).await;
    assert!(refused.status == 403 && refused.text().contains("没有登录控制台的权限"), "{}", refused.text());
    let stranger = come(platform.with(|world| world.stranger_code(None))).await;
    assert!(stranger.status == 403 && stranger.text().contains("不是本企业的成员"), "{}", stranger.text());
    allow(&app, &user, "admin").await;
    platform.with(|world| world.member_mut(&user).expect("a member").status = MemberStatus::Disabled);
    assert_eq!(come(login_code(&platform, &user)).await.status, 403);
    assert_eq!(app.db.count("select count(*) from console_session").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_session_ends_with_its_permission_and_after_its_time_limits() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    allow(&app, &user, "admin").await;
    let ended = async |browser: &mut Browser, why: &str| {
        let answer = browser.get(&app, "/session").await;
        assert_eq!(answer.status, 401, "{why}: {}", answer.text());
    };

    let mut browser = Browser::log_in(&app, &platform, &user).await;
    allow(&app, &user, "viewer").await;
    assert_eq!(code(&browser.get(&app, "/console-users").await).0, 403, "a lowered role counts at once");
    app.db.execute("update console_session set last_seen_at = now() - interval '59 minutes'").await;
    assert_eq!(browser.get(&app, "/session").await.status, 200, "and the request counts as use");
    app.db.execute("update console_session set last_seen_at = now() - interval '1 hour'").await;
    ended(&mut browser, "an hour without use").await;

    let mut browser = Browser::log_in(&app, &platform, &user).await;
    app.db.execute("update console_session set expires_at = now()").await;
    ended(&mut browser, "twelve hours").await;

    let mut browser = Browser::log_in(&app, &platform, &user).await;
    let id = app.ask("GET", &format!("{BASE}/sessions"), None).await.json()["items"][0]["id"].clone();
    let other = app.ask("DELETE", &format!("{BASE}/sessions/{id}"), None).await;
    assert_eq!((other.status, &other.json()["wechat_userid"]), (200, &json!(user)));
    ended(&mut browser, "an administrator ended it").await;
    assert_eq!(code(&app.ask("DELETE", &format!("{BASE}/sessions/{id}"), None).await).0, 404);

    let mut browser = Browser::log_in(&app, &platform, &user).await;
    let target = format!("{BASE}/console-users/{}", user.as_str());
    assert_eq!(app.ask("DELETE", &target, None).await.status, 200);
    ended(&mut browser, "they may no longer").await;
    assert_eq!(code(&app.ask("DELETE", &target, None).await), (404, "console_user_unknown".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn a_leaver_is_locked_out_for_good_and_a_renamed_member_stays() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    allow(&app, &user, "admin").await;
    let mut browser = Browser::log_in(&app, &platform, &user).await;
    let at = chrono::Utc::now().timestamp();
    let said = async |event: String| {
        app.deliver(vec![Push::genuine(AppKind::Directory, event)]).await;
        app.drain().await;
    };
    said(member(at - 60, "update_user", user.as_str(), &[("NewUserID", "renamed")])).await;
    let shown = browser.get(&app, "/session").await;
    assert_eq!((shown.status, &shown.json()["who"]), (200, &json!("renamed")), "{}", shown.text());

    said(member(at - 30, "delete_user", "renamed", &[])).await;
    assert_eq!(browser.get(&app, "/session").await.status, 401);
    said(member(at - 10, "create_user", "renamed", &[("Name", "人")])).await;
    assert_eq!(browser.get(&app, "/session").await.status, 401, "returning does not restore the permission");
    assert_eq!(app.db.count("select count(*) from console_user").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_session_of_a_scoped_user_shows_only_their_own_data() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let target = format!("{BASE}/console-users/{}", user.as_str());
    let limited = |role: &str| Some(json!({ "role": role, "own_only": true }));
    let refused = app.ask("PUT", &target, limited("admin")).await;
    assert_eq!((refused.status, &refused.json()["field"]), (400, &json!("own_only")));
    assert_eq!(app.ask("PUT", &target, limited("viewer")).await.json()["own_only"], true);

    let mut browser = Browser::default();
    let (_, state) = browser.set_out(&app).await;
    let unbound = browser.come_back(&app, &login_code(&platform, &user), &state).await;
    assert!(unbound.status == 403 && unbound.text().contains("尚未绑定"), "{}", unbound.text());

    bind(&app, "E-1", user.as_str()).await;
    order(&app, "E-1", "C-own").await;
    order(&app, "E-2", "C-other").await;
    let mut browser = Browser::log_in(&app, &platform, &user).await;
    assert_eq!(browser.get(&app, "/session").await.json()["own_staff_id"], "E-1");
    let orders = browser.get(&app, "/work-orders").await.text();
    assert!(orders.contains("C-own") && !orders.contains("C-other"), "{orders}");
    assert_eq!(code(&browser.get(&app, "/config").await), (403, "own_only".to_owned()));
    app.db
        .execute("update staff_wechat_bind set status = 'unbound', unbound_at = now(), unbound_reason = 'admin'")
        .await;
    assert_eq!(browser.get(&app, "/session").await.status, 401, "without data of their own they see nothing");

    let own = json!({ "name": "ann", "role": "viewer", "staff_id": "E-2", "own_only": true });
    let token = app.ask("POST", &format!("{BASE}/api-tokens"), Some(own)).await.json()["token"].clone();
    let bearer = format!("Bearer {}", token.as_str().expect("a token"));
    let mut browser = Browser::default();
    let session = format!("{BASE}/session");
    assert_eq!(browser.ask(&app, "POST", &session, &[("authorization", &bearer)], "").await.status, 201);
    let orders = browser.get(&app, "/work-orders").await.text();
    assert!(!orders.contains("C-own") && orders.contains("C-other"), "{orders}");
    app.finish().await;
}

#[tokio::test]
async fn a_token_logs_a_browser_in_until_the_token_ends() {
    let app = TestApp::start_with(|it| it.wecom.public_url = "http://localhost:8081".to_owned()).await;
    let bearer = format!("Bearer {}", app.token.expose_secret());
    let mut browser = Browser::default();
    let session = format!("{BASE}/session");
    let made = browser.ask(&app, "POST", &session, &[("authorization", &bearer)], "").await;
    assert_eq!((made.status, &made.json()["who"]), (201, &json!("test")), "{}", made.text());
    let cookie = header(&made, "set-cookie").expect("a cookie");
    assert!(cookie.starts_with("wecomd_session=") && !cookie.contains("Secure"), "as public_url says: {cookie}");
    browser.csrf = Some(made.json()["csrf_token"].as_str().expect("a token").to_owned());
    assert_eq!(browser.get(&app, "/access-log").await.status, 200);
    let again = browser.ask(&app, "POST", &session, &[], "").await;
    assert_eq!(code(&again), (403, "forbidden".to_owned()), "a session makes no sessions");

    // With both, the token counts, and needs no CSRF token.
    browser.csrf = None;
    let orders = format!("{BASE}/work-orders");
    let both = browser.ask(&app, "POST", &orders, &[("authorization", &bearer)], ORDER).await;
    assert_eq!(both.status, 201, "{}", both.text());

    app.db.execute("update api_token set revoked_at = now()").await;
    assert_eq!(browser.get(&app, "/session").await.status, 401);
    app.finish().await;
}

#[tokio::test]
async fn the_first_console_user_is_added_on_the_command_line() {
    let (db, company) = (TestDb::new().await, crate::support::Company::new());
    company.save(&db.pool).await;
    let run = |arguments: &[&str]| {
        let folder = Folder::new("console-user");
        let mut command = program(folder.path());
        command.env("DATABASE_URL", db.url.expose_secret()).arg("console-user").args(arguments);
        let output = command.output().expect("wecomd runs");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.success(), said)
    };
    assert_eq!(
        run(&["add", "--userid", "zhangsan", "--role", "admin"]),
        (true, "zhangsan may log in as admin\n".to_owned())
    );
    let (listed, said) = run(&["list"]);
    assert!(listed && said.contains("zhangsan") && said.contains("admin"), "{said}");
    assert!(run(&["remove", "--userid", "zhangsan"]).0);
    let (removed, said) = run(&["remove", "--userid", "zhangsan"]);
    assert!(!removed && said.contains("may not log in anyway"), "{said}");
    let lines = db.texts("select concat_ws(' ', who, method, route, subject) from access_log order by id").await;
    let line = |what: &str| format!("command line CLI wecomd console-user {what} zhangsan");
    assert_eq!(lines, [line("add"), line("remove")], "what is done on the command line is in the log, too");
    db.close().await;
}

#[tokio::test]
async fn guessing_sessions_counts_as_guessing() {
    let app = TestApp::start().await;
    let mut last = 0;
    for number in 0..=wecomd::admin::door::guard::GUESSES_PER_ADDRESS {
        let value = format!("{number:064x}");
        let mut browser = Browser { cookies: vec![("__Host-wecomd_session".to_owned(), value)], csrf: None };
        last = browser.get(&app, "/session").await.status;
    }
    assert_eq!(last, 429);
    let _: Value = app.ask("GET", &format!("{BASE}/session"), None).await.json();
    app.finish().await;
}
