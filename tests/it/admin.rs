//! The admin API over real sockets.

use serde_json::{Value, json};
use wecomd::sandbox::{AppKind, Push};

use crate::support::{
    TestApp,
    http::Answer,
    plaintext::{contact, event, member, text},
};

const BASE: &str = "/api/enterprise-wechat";

/// A moment in the past; the sandbox's day does not matter here.
const AT: i64 = 1_700_000_000;

fn app_push(plaintext: String) -> Push {
    Push::genuine(AppKind::App, plaintext)
}

fn code(answer: &Answer) -> (u16, String) {
    assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
    (answer.status, answer.json()["code"].as_str().expect("a code").to_owned())
}

#[tokio::test]
async fn a_saved_app_receives_callbacks_at_once_and_its_secrets_never_come_back() {
    let app = TestApp::start().await;
    let (token, key) = ("a1b2c3d4e5f6", "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfH");
    let body = json!({ "name": "second", "corpid": "ww0000000000000002", "agentid": 1_000_003, "secret": "s3cr3t-of-the-app",
        "token": token, "encoding_aes_key": key });
    let saved = app.ask("POST", &format!("{BASE}/config"), Some(body.clone())).await;
    assert_eq!((saved.status, &saved.json()["callback_path"]), (201, &json!("/callback/second")));

    let second = wecomd::sandbox::Corp {
        corpid: "ww0000000000000002".into(),
        apps: vec![wecomd::sandbox::App {
            kind: AppKind::App,
            name: "second".to_owned(),
            token: token.to_owned(),
            encoding_aes_key: key.to_owned(),
            agentid: "1000003".to_owned(),
            receive_id: "ww0000000000000002".to_owned(),
            secret: "s3cr3t-of-the-app".to_owned(),
        }],
    };
    app.sender_of(&second).verify_url(AppKind::App).await.expect("the new URL answers at once");

    let listed = app.ask("GET", &format!("{BASE}/config"), None).await.text();
    assert!(listed.contains(r#""secret":{"set":true,"rotated_at":""#), "{listed}");
    assert!(listed.starts_with(r#"{"items":[{"name":"#), "fields keep the order of the description: {listed}");
    let stored = app.db.texts("select to_jsonb(it)::text from enterprise_wechat_config it").await.concat();
    for secret in
        ["s3cr3t-of-the-app", token, key, &hex::encode("s3cr3t-of-the-app"), &hex::encode(token), &hex::encode(key)]
    {
        assert!(!listed.contains(secret) && !saved.text().contains(secret) && !stored.contains(secret), "{secret}");
    }
    app.finish().await;
}

#[tokio::test]
async fn both_key_sets_open_callbacks_during_a_rotation() {
    let app = TestApp::start().await;
    let name = &app.corp.apps[0].name;
    let new_key = "ZyXwVuTsRqPoNmLkJiHgFeDcBa9876543210ZyXwVuT";
    let rotated = json!({ "name": name, "token": "newToken42", "encoding_aes_key": new_key });
    let saved = app.ask("POST", &format!("{BASE}/config"), Some(rotated)).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    assert!(saved.json()["previous_keys_until"].is_string());

    app.sender.verify_url(AppKind::App).await.expect("the old keys still open");
    let mut corp = app.corp.clone();
    corp.apps[0].token = "newToken42".to_owned();
    corp.apps[0].encoding_aes_key = new_key.to_owned();
    app.sender_of(&corp).verify_url(AppKind::App).await.expect("the new keys open");

    app.db.execute("update enterprise_wechat_config set previous_until = now() - interval '1 second'").await;
    app.app.admin_half.apps.refresh().await.expect("the apps are read");
    app.sender.verify_url(AppKind::App).await.expect_err("the old keys have ended");
    app.finish().await;
}

#[tokio::test]
async fn bad_input_is_answered_with_the_field_at_fault() {
    let app = TestApp::start().await;
    let config = format!("{BASE}/config");
    let wrong = [
        (json!({ "name": "Not A Slug", "corpid": "ww1", "token": "t", "encoding_aes_key": "k" }), "name"),
        (
            json!({ "name": "x", "corpid": "ww1", "agentid": "1", "secret": "s", "token": "t", "encoding_aes_key": "short" }),
            "encoding_aes_key",
        ),
        (json!({ "name": "x", "colour": "red" }), "colour"),
    ];
    for (body, field) in wrong {
        let answer = app.ask("POST", &config, Some(body)).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{}", answer.text());
    }
    let broken = app.ask_raw("POST", &config, b"{\"name\": ").await;
    assert_eq!(code(&broken), (400, "invalid_json".to_owned()));
    assert_eq!(code(&app.ask("GET", "/api/enterprise-wechat/nothing", None).await).0, 404);
    assert_eq!(code(&app.ask("PUT", &config, None).await).0, 405);
    app.finish().await;
}

#[tokio::test]
async fn a_binding_names_the_contacts_staff_and_ends_when_the_member_leaves() {
    let app = TestApp::start().await;
    let bind = format!("{BASE}/staff-bind");
    let body = |staff: &str, user: &str| Some(json!({ "staff_id": staff, "wechat_userid": user }));
    app.deliver(vec![app_push(contact(AT, "add_external_contact", "zhangsan", "wmAlice", &[]))]).await;
    app.drain().await;

    assert_eq!(app.ask("POST", &bind, body("E-1", "zhangsan")).await.status, 201);
    assert_eq!(code(&app.ask("POST", &bind, body("E-1", "lisi")).await), (409, "already_bound".to_owned()));
    assert_eq!(code(&app.ask("POST", &bind, body("E-2", "zhangsan")).await), (409, "already_bound".to_owned()));
    let staff = "select staff_id from customer_wechat_contact";
    assert_eq!(app.db.texts(staff).await, ["E-1"]);

    let now = chrono::Utc::now().timestamp() + 1;
    app.deliver(vec![Push::genuine(AppKind::Directory, member(now, "delete_user", "zhangsan", &[]))]).await;
    app.drain().await;
    let listed = app.ask("GET", &format!("{bind}?status=unbound"), None).await.json();
    assert_eq!(listed["items"][0]["unbound_reason"], "left");
    assert_eq!(app.db.texts(staff).await, ["E-1"], "a leaver's contacts still say whose they were");
    let handovers = app.ask("GET", &format!("{BASE}/handovers"), None).await.json();
    assert_eq!((&handovers["items"][0]["state"], &handovers["items"][0]["items"]), (&json!("detected"), &json!(1)));
    assert_eq!(code(&app.ask("DELETE", &format!("{bind}?staff_id=E-1"), None).await).0, 404);
    app.finish().await;
}

#[tokio::test]
async fn a_customer_is_found_by_either_id_and_their_records_are_paged() {
    let app = TestApp::start().await;
    let mut pushes = vec![
        app_push(contact(AT, "add_external_contact", "zhangsan", "wmAlice", &[("State", "cust:C-1001")])),
        app_push(contact(AT + 9, "del_follow_user", "zhangsan", "wmAlice", &[])),
    ];
    pushes.extend((1..=5).map(|n| app_push(text(AT + n, "wmAlice", &format!("第 {n} 句"), n.unsigned_abs()))));
    app.deliver(pushes).await;
    app.drain().await;

    for id in ["C-1001", "wmAlice"] {
        let shown = app.ask("GET", &format!("{BASE}/customer-contact/{id}"), None).await.json();
        let contact = &shown["items"][0];
        assert_eq!((&contact["status"], &contact["customer_id"]), (&json!("lost"), &json!("C-1001")));
        assert_eq!(contact["last_contact_time"], "2023-11-14T22:13:25Z");
    }
    assert_eq!(code(&app.ask("GET", &format!("{BASE}/customer-contact/nobody"), None).await).0, 404);

    let (mut contents, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = app.ask("GET", &format!("{BASE}/contact-records/C-1001{query}"), None).await.json();
        contents.extend(page["items"].as_array().expect("items").iter().map(|it| it["content"].clone()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=3&cursor={next}");
    }
    assert_eq!(contents.len(), 7);
    assert_eq!(contents[1], "第 5 句", "latest first");

    let records = |query: &str| format!("{BASE}/contact-records/wmAlice?{query}");
    let events = app.ask("GET", &records("type=event"), None).await.json();
    assert_eq!(events["items"].as_array().map(Vec::len), Some(2));
    let window = records("from=2023-11-14T22:13:22Z&to=2023-11-14T22:13:24Z");
    assert_eq!(app.ask("GET", &window, None).await.json()["items"].as_array().map(Vec::len), Some(2));
    app.finish().await;
}

#[tokio::test]
async fn deliveries_are_listed_by_their_state() {
    let app = TestApp::start().await;
    app.deliver(vec![
        app_push(contact(AT, "add_external_contact", "zhangsan", "wmAlice", &[])),
        app_push(event(AT, "something_new", &[])),
        app_push("<xml><MsgType>text".to_owned()),
    ])
    .await;
    let states = async |state: &str| -> Vec<Value> {
        let page = app.ask("GET", &format!("{BASE}/deliveries?state={state}"), None).await.json();
        page["items"].as_array().expect("items").clone()
    };
    assert_eq!(states("pending").await.len(), 3);
    app.drain().await;
    let (recorded, ignored, parked) = (states("recorded").await, states("ignored").await, states("parked").await);
    assert_eq!((recorded.len(), ignored.len(), parked.len()), (1, 1, 1));
    assert_eq!(ignored[0]["reason"], "something_new");
    assert!(parked[0]["reason"].as_str().is_some_and(|it| it.contains("cannot be read")), "{parked:?}");

    let id = parked[0]["id"].as_str().expect("an id");
    let shown = app.ask("GET", &format!("{BASE}/deliveries/{id}"), None).await.json();
    assert_eq!(shown["plaintext"], "<xml><MsgType>text");
    let replayed = app.ask("POST", &format!("{BASE}/deliveries/{id}/replay"), None).await;
    assert_eq!(replayed.status, 202);
    assert_eq!((states("pending").await.len(), states("parked").await.len()), (1, 0));

    let id = ignored[0]["id"].as_str().expect("an id");
    app.ask("POST", &format!("{BASE}/deliveries/{id}/replay"), None).await;
    assert_eq!((states("pending").await.len(), states("ignored").await.len()), (2, 0), "a new version may record it");
    app.drain().await;
    assert_eq!((states("pending").await.len(), states("ignored").await.len()), (0, 1));
    app.finish().await;
}

#[tokio::test]
async fn the_probes_need_no_token_and_say_what_they_found() {
    let app = TestApp::start().await;
    app.deliver(vec![app_push(event(AT, "something_new", &[]))]).await;
    let plain = async |path: &str| app.ask_as("", "GET", path, None).await;
    assert_eq!(plain("/livez").await.status, 200);
    let ready = plain("/readyz").await;
    assert_eq!((ready.status, &ready.json()["pending"]), (200, &json!(1)));
    let metrics = plain("/metrics").await.text();
    assert!(
        metrics.contains("wecomd_pending 1") && metrics.contains(r#"wecomd_callbacks_total{outcome="stored"}"#),
        "{metrics}"
    );
    app.finish().await;
}
