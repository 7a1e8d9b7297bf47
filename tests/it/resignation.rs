//! Resignations over real sockets, and what ends when somebody leaves.

use chrono::Utc;
use serde_json::{Value, json};
use wecomd::{
    admin::door::auth::Role,
    sandbox::{AppKind, Push},
    tables::access::api_token,
    vault::ApiToken,
};

use crate::support::{
    TestApp,
    http::Answer,
    leaver::{BASE, act, all_to, bind, code, is_gone, items, knows, order, own_token, planned, post_once, state},
    plaintext::member,
};

/// Somebody with two customers and an order, who is going to leave, and a colleague.
async fn company() -> TestApp {
    let app = TestApp::start().await;
    bind(&app, "S0", "lao").await;
    bind(&app, "S1", "ann").await;
    knows(&app, "lao", &["wm1", "wm2"]).await;
    order(&app, "S0", "WM1").await;
    app
}

async fn resign(app: &TestApp, body: Value) -> Answer {
    app.ask("POST", &format!("{BASE}/resignations"), Some(body)).await
}

/// Enters a resignation; its number.
async fn resigned(app: &TestApp) -> i64 {
    let entered = resign(app, json!({ "staff_id": "S0", "last_day": "2026-12-31", "reason": "个人原因" })).await;
    assert_eq!(entered.status, 201, "{}", entered.text());
    entered.json()["id"].as_i64().expect("a number")
}

async fn decide(app: &TestApp, id: i64, what: &str) -> Answer {
    app.ask("POST", &format!("{BASE}/resignations/{id}/{what}"), Some(json!({ "note": "已谈话" }))).await
}

#[tokio::test]
async fn a_resignation_is_entered_once_and_only_for_bound_staff() {
    let app = company().await;
    let body = json!({ "wechat_userid": "lao", "last_day": "2026-12-31" });
    let first = post_once(&app, "resignations", "r-1", &body).await;
    let again = post_once(&app, "resignations", "r-1", &body).await;
    assert_eq!((first.status, first.json()), (201, again.json()));
    assert_eq!((&first.json()["staff_id"], &first.json()["state"]), (&json!("S0"), &json!("requested")));
    assert_eq!(code(&post_once(&app, "resignations", "r-2", &body).await), (409, "already_open".to_owned()));

    let unknown = json!({ "staff_id": "S9", "last_day": "2026-12-31" });
    assert_eq!(code(&resign(&app, unknown).await), (404, "not_bound".to_owned()));
    assert_eq!(
        code(&resign(&app, json!({ "staff_id": "S1", "last_day": "soon" })).await),
        (400, "invalid_field".to_owned())
    );
    assert_eq!(code(&resign(&app, json!({ "last_day": "2026-12-31" })).await), (400, "invalid_field".to_owned()));
    let listed = |query: &str| format!("{BASE}/resignations?{query}");
    assert_eq!(
        app.ask("GET", &listed("state=requested"), None).await.json()["items"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(app.ask("GET", &listed("state=left"), None).await.json()["items"], json!([]));
    assert_eq!(code(&app.ask("GET", &listed("state=gone"), None).await).0, 400);
    assert_eq!(
        code(&app.ask("GET", &format!("{BASE}/resignations/77"), None).await),
        (404, "resignation_unknown".to_owned())
    );
    app.finish().await;
}

#[tokio::test]
async fn an_approved_resignation_starts_a_handover_that_continues_after_leaving() {
    let app = company().await;
    let id = resigned(&app).await;
    let operator = ApiToken::new();
    let mut conn = app.db.pool.acquire().await.expect("connects");
    api_token::create(&mut conn, "op", Role::Operator, &operator.hash, &operator.prefix).await.expect("a token");
    drop(conn);
    let bearer = format!("Bearer {}", secrecy::ExposeSecret::expose_secret(&operator.secret));
    let target = format!("{BASE}/resignations/{id}/approve");
    assert_eq!(code(&app.ask_as(&bearer, "POST", &target, Some(json!({}))).await).0, 403);

    // Of two concurrent approvals, one starts the handover.
    let (one, two) = tokio::join!(decide(&app, id, "approve"), decide(&app, id, "approve"));
    assert_eq!((one.status, two.status), (200, 200), "{} {}", one.text(), two.text());
    let approved = app.ask("GET", &format!("{BASE}/resignations/{id}"), None).await.json();
    assert_eq!(
        (&approved["state"], &approved["decided_by"], &approved["decision_note"]),
        (&json!("approved"), &json!("test"), &json!("已谈话"))
    );
    let handover = approved["handover_id"].as_i64().expect("a handover");
    assert_eq!(app.db.count("select count(*) from handover").await, 1);
    assert_eq!(items(&app).await, ["customer wm1 open", "customer wm2 open", "order 1 open"]);
    let shown = app.ask("GET", &format!("{BASE}/handovers/{handover}"), None).await.json();
    assert_eq!(
        (&shown["cause"], &shown["left_at"], &shown["ordered_by"], &shown["state"]),
        (&json!("resignation"), &Value::Null, &json!("test"), &json!("detected"))
    );
    planned(&app, handover, all_to("S1")).await;

    is_gone(&app).await;
    let shown = app.ask("GET", &format!("{BASE}/handovers/{handover}"), None).await.json();
    assert!(shown["left_at"].is_string() && shown["state"] == "planned", "{shown:#}");
    assert_eq!(app.db.count("select count(*) from handover").await, 1);
    let left = app.ask("GET", &format!("{BASE}/resignations/{id}"), None).await.json();
    assert_eq!((&left["state"], &left["decided_by"]), (&json!("left"), &json!("test")));
    assert_eq!(code(&decide(&app, id, "cancel").await), (409, "resignation_state".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn a_member_who_stays_after_all_keeps_everything_and_may_resign_again() {
    let app = company().await;
    let id = resigned(&app).await;
    let handover = decide(&app, id, "approve").await.json()["handover_id"].as_i64().expect("a handover");
    planned(&app, handover, all_to("S1")).await;
    assert_eq!(code(&decide(&app, id, "refuse").await), (409, "resignation_state".to_owned()));
    assert_eq!(decide(&app, id, "cancel").await.json()["state"], "cancelled");
    assert_eq!(decide(&app, id, "cancel").await.status, 200);
    assert_eq!(state(&app, handover).await, "cancelled");
    assert!(items(&app).await.iter().all(|it| it.contains(" cancelled")), "{:?}", items(&app).await);

    let other = resigned(&app).await;
    let again = decide(&app, other, "approve").await.json();
    assert_eq!(again["handover_id"], handover);
    assert_eq!(state(&app, handover).await, "detected");
    let open: Vec<_> = items(&app).await.into_iter().filter(|it| it.ends_with(" open")).collect();
    assert_eq!(open, ["order 1 2 open", "customer wm1 2 open", "customer wm2 2 open"]);
    app.finish().await;
}

#[tokio::test]
async fn a_refused_resignation_starts_nothing_and_a_second_one_joins_the_running_handover() {
    let app = company().await;
    let id = resigned(&app).await;
    assert_eq!(decide(&app, id, "refuse").await.json()["state"], "refused");
    assert_eq!(decide(&app, id, "refuse").await.status, 200);
    assert_eq!(code(&decide(&app, id, "approve").await), (409, "resignation_state".to_owned()));
    assert_eq!(app.db.count("select count(*) from handover").await, 0);

    // Somebody else began a handover of theirs before: it is not called off with the resignation.
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into handover (corpid, wechat_userid, staff_id, state) values ('{corp}', 'lao', 'S0', 'detected')"
        ))
        .await;
    let id = resigned(&app).await;
    let joined = decide(&app, id, "approve").await.json();
    assert!(joined["handover_id"].is_i64(), "{joined:#}");
    assert_eq!(decide(&app, id, "cancel").await.status, 200);
    assert_eq!(app.db.texts("select state from handover").await, ["detected"]);
    app.finish().await;
}

#[tokio::test]
async fn a_leaver_loses_all_access_at_once() {
    let app = company().await;
    let (own, colleague) = (own_token(&app, "S0").await, own_token(&app, "S1").await);
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into login_state (state_hash, corpid, app_id, staff_id, expires_at)
             select sha256(staff::bytea), '{corp}', 1, staff, now() + interval '5 minutes' from (values ('S0'), ('S1')) it (staff)"
        ))
        .await;
    let asked = resigned(&app).await;
    let target = format!("{BASE}/handovers");
    assert_eq!(app.ask_as(&own, "GET", &target, None).await.status, 200);

    // They read as fast as they can while the directory says that they are gone.
    let reading = async {
        let mut statuses = Vec::new();
        while statuses.last() != Some(&401) && statuses.len() < 2_000 {
            statuses.push(app.ask_as(&own, "GET", &target, None).await.status);
        }
        statuses
    };
    let (statuses, ()) = tokio::join!(reading, is_gone(&app));
    let (last, before) = statuses.split_last().expect("it was read");
    assert!(*last == 401 && before.iter().all(|it| *it == 200), "{statuses:?}");
    assert_eq!(app.ask_as(&own, "GET", &target, None).await.status, 401);

    assert_eq!(app.ask_as(&colleague, "GET", &target, None).await.status, 200);
    assert_eq!(app.db.texts("select staff_id from login_state").await, ["S1"]);
    assert_eq!(app.db.texts(&format!("select state from resignation where id = {asked}")).await, ["left"]);
    app.finish().await;
}

#[tokio::test]
async fn a_resignation_follows_a_member_who_is_renamed() {
    let app = company().await;
    let id = resigned(&app).await;
    let handover = decide(&app, id, "approve").await.json()["handover_id"].as_i64().expect("a handover");
    let renamed = member(Utc::now().timestamp(), "update_user", "lao", &[("NewUserID", "lao2")]);
    app.deliver(vec![Push::genuine(AppKind::Directory, renamed)]).await;
    app.drain().await;
    let shown = app.ask("GET", &format!("{BASE}/resignations/{id}"), None).await.json();
    assert_eq!((&shown["wechat_userid"], &shown["handover_id"]), (&json!("lao2"), &json!(handover)));

    let gone = member(Utc::now().timestamp() + 1, "delete_user", "lao2", &[]);
    app.deliver(vec![Push::genuine(AppKind::Directory, gone)]).await;
    app.drain().await;
    let shown = app.ask("GET", &format!("{BASE}/resignations/{id}"), None).await.json();
    assert_eq!(shown["state"], "left");
    assert_eq!(app.db.texts("select wechat_userid || ' ' || (left_at is not null) from handover").await, ["lao2 true"]);
    app.finish().await;
}

#[tokio::test]
async fn an_outdated_leave_event_takes_nothing_from_a_returned_member() {
    let app = company().await;
    let at = Utc::now().timestamp();
    app.db
        .execute(&format!(
            "insert into member (corpid, wechat_userid, joined_at) values ('{}', 'lao', to_timestamp({at}) + interval '1 minute')",
            app.corp.corpid
        ))
        .await;
    app.db.execute("update staff_wechat_bind set bound_at = now() + interval '2 minutes' where staff_id = 'S0'").await;
    let own = own_token(&app, "S0").await;
    let asked = resigned(&app).await;
    is_gone(&app).await;
    assert_eq!(app.ask_as(&own, "GET", &format!("{BASE}/handovers"), None).await.status, 200);
    assert_eq!(app.db.texts(&format!("select state from resignation where id = {asked}")).await, ["requested"]);
    assert_eq!(act(&app, 1, "poll", json!({})).await.status, 202, "the handover is there, called off");
    app.finish().await;
}

#[tokio::test]
async fn a_member_still_present_after_their_last_day_is_checked_hourly() {
    let acting = crate::support::Acting::start().await;
    bind(&acting.app, "S0", "lao").await;
    knows(&acting.app, "lao", &["wm1"]).await;
    let entered = resign(&acting.app, json!({ "staff_id": "S0", "last_day": "2026-01-31" })).await;
    let id = entered.json()["id"].as_i64().expect("a number");
    let admin = &acting.app.app.admin_half;
    let keeper =
        wecomd::housekeeping::Housekeeper::new(acting.app.db.pool.clone(), admin.wecom.clone(), admin.rules.clone());
    let asked = "select count(*) from task where kind = 'refresh_member'";
    acting.app.db.execute("delete from task").await;
    keeper.round().await.expect("looked");
    assert_eq!(acting.app.db.count(asked).await, 0, "nobody has approved it");
    assert_eq!(decide(&acting.app, id, "approve").await.status, 200);
    for _ in 0..2 {
        keeper.round().await.expect("looked");
        assert_eq!(
            acting
                .app
                .db
                .count("select coalesce(sum(version), 0)::bigint from task where kind = 'refresh_member'")
                .await,
            1
        );
    }
    // They are gone at WeCom, with a customer left behind, and nobody pushed it.
    acting.member("lao", "劳", &["wm1"]);
    acting.platform.leave(&wecomd::ids::UserId::from("lao")).await.expect("left");
    acting.act(wecomd::changes::TaskKind::RefreshMember).await;
    acting.act(wecomd::changes::TaskKind::FindLeavers).await;
    assert_eq!(acting.app.db.texts("select state from resignation").await, ["left"]);
    assert_eq!(acting.app.db.texts("select status from staff_wechat_bind").await, ["unbound"]);
    acting.finish().await;
}
