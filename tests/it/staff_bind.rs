//! Bindings that WeCom was asked about, and those that staff members make themselves.

use serde_json::{Value, json};
use wecomd::{
    ids::UserId,
    sandbox::{AppKind, Platform, Visible, world::MemberStatus},
};

use crate::support::{
    TestApp,
    http::{Answer, request},
    wecom::{app_with_wecom, calls, somebody},
};

const BIND: &str = "/api/enterprise-wechat/staff-bind";

async fn bind(app: &TestApp, staff: &str, user: &str) -> Answer {
    app.ask("POST", BIND, Some(json!({ "staff_id": staff, "wechat_userid": user }))).await
}

#[tokio::test]
async fn a_binding_needs_a_member_known_to_wecom_and_takes_their_name() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let name = platform.with(|world| world.member(&user).expect("a member").name.clone());
    // WeCom does not tell capital letters apart, and writes the userid its own way.
    let bound = bind(&app, "E-1", &user.as_str().to_uppercase()).await;
    assert_eq!(bound.status, 201, "{}", bound.text());
    let bound = bound.json();
    assert_eq!((&bound["verified"], &bound["wechat_name"]), (&json!(true), &json!(name)));
    assert_eq!(bound["wechat_userid"], user.as_str());
    app.finish().await;
}

#[tokio::test]
async fn a_member_who_is_unknown_invisible_or_inactive_at_wecom_is_not_bound() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let unknown = bind(&app, "E-1", "nobody.at.all").await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (422, &json!("member_unknown")));
    let detail = unknown.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(
        ["no such member", "visible scope", "可见范围", "60111", "hint"].iter().all(|it| detail.contains(it)),
        "{detail}"
    );

    platform.with(|world| world.member_mut(&user).expect("a member").status = MemberStatus::Disabled);
    let disabled = bind(&app, "E-1", user.as_str()).await;
    assert_eq!((disabled.status, &disabled.json()["code"]), (422, &json!("member_inactive")));
    assert!(disabled.text().contains("status 2"), "{}", disabled.text());
    assert_eq!(app.db.count("select count(*) from staff_wechat_bind").await, 0);
    assert_eq!(app.db.count("select count(*) from access_log where status = 422").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn a_binding_without_an_app_secret_is_made_and_marked_as_unchecked() {
    let app = TestApp::start().await;
    let bound = bind(&app, "E-1", "zhangsan").await;
    assert_eq!((bound.status, &bound.json()["verified"]), (201, &json!(false)), "{}", bound.text());
    app.finish().await;
}

#[tokio::test]
async fn a_login_link_binds_the_member_to_its_staff_id_once() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let link = link(&app, "E-<7>").await;
    let redirect =
        "redirect_uri=https%3A%2F%2Fwecom.example.com%2Fapi%2Fenterprise-wechat%2Fstaff-bind%2Flogin%2Fcallback";
    for url in ["scan_url", "in_client_url"] {
        assert!(link[url].as_str().is_some_and(|it| it.contains(redirect)), "{link:#}");
    }
    let state = state(&link);
    assert_eq!(
        app.db.count(&format!("select count(*) from login_state where state_hash::text like '%{state}%'")).await,
        0
    );

    let came = visit(&app, &code(&platform, &user), &state).await;
    assert_eq!(came.status, 200, "{}", came.text());
    assert!(came.head.contains("text/html") && came.head.contains("content-security-policy"), "{}", came.head);
    assert!(came.text().contains("绑定成功") && came.text().contains("E-&lt;7&gt;"), "{}", came.text());
    let listed = app.ask("GET", BIND, None).await.json();
    assert_eq!(
        (&listed["items"][0]["staff_id"], &listed["items"][0]["wechat_userid"]),
        (&json!("E-<7>"), &json!(user))
    );

    let asked = calls(&platform, "auth/getuserinfo");
    let again = visit(&app, &code(&platform, &user), &state).await;
    assert_eq!(again.status, 410, "{}", again.text());
    assert_eq!(calls(&platform, "auth/getuserinfo"), asked, "without a state nobody asks WeCom");
    app.finish().await;
}

#[tokio::test]
async fn a_login_binds_no_stranger_no_invisible_member_and_nobody_after_five_minutes() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    let stranger = platform.with(|world| world.stranger_code(None));
    let refused = visit(&app, &stranger, &state(&link(&app, "E-1").await)).await;
    assert!(refused.status == 403 && refused.text().contains("不是本企业的成员"), "{}", refused.text());

    let late = state(&link(&app, "E-1").await);
    app.db.execute("update login_state set expires_at = now()").await;
    assert_eq!(visit(&app, &code(&platform, &user), &late).await.status, 410);
    assert_eq!(visit(&app, "", "").await.status, 400);

    let only = Visible::Only { members: Vec::new(), departments: Vec::new() };
    platform.with(|world| world.app_mut(AppKind::App).expect("an app").visible = only);
    let hidden = visit(&app, &code(&platform, &user), &state(&link(&app, "E-1").await)).await;
    assert!(hidden.status == 403 && hidden.text().contains("可见范围"), "{}", hidden.text());
    assert_eq!(app.db.count("select count(*) from staff_wechat_bind").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_login_says_whether_the_member_is_bound_to_this_or_another_staff_id() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    assert_eq!(bind(&app, "E-1", user.as_str()).await.status, 201);
    let same = visit(&app, &code(&platform, &user), &state(&link(&app, "E-1").await)).await;
    assert!(same.status == 200 && same.text().contains("已绑定"), "{}", same.text());
    let other = visit(&app, &code(&platform, &user), &state(&link(&app, "E-2").await)).await;
    assert!(other.status == 409 && other.text().contains("先解除原绑定"), "{}", other.text());
    app.finish().await;
}

async fn link(app: &TestApp, staff: &str) -> Value {
    let made = app.ask("POST", &format!("{BIND}/login"), Some(json!({ "staff_id": staff }))).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

fn state(link: &Value) -> String {
    let url = link["scan_url"].as_str().expect("a URL");
    let (_, rest) = url.split_once("state=").expect("a state");
    rest.split('&').next().expect("a value").to_owned()
}

fn code(platform: &Platform, user: &UserId) -> String {
    platform.with(|world| world.login_code(user))
}

/// Comes back from WeCom, as a browser without any token.
async fn visit(app: &TestApp, code: &str, state: &str) -> Answer {
    let target = format!("{BIND}/login/callback?code={code}&state={state}");
    request(app.app.admin, "GET", &target, &[], b"").await.expect("an answer")
}
