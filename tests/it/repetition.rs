//! `Idempotency-Key`: a POST that is sent again does nothing again, whatever it is, and is answered as the first was.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::sandbox::World;

use crate::support::{
    TestApp,
    http::request,
    leaver::{BASE, bind, code, knows, order, post_once},
    wecom::{app_with_wecom, calls},
};

/// How many rows all of our tables have, but for the log of who asked and what is kept for repetitions.
async fn rows(app: &TestApp) -> Vec<String> {
    let tables = app
        .db
        .texts(
            "select oid::regclass::text from pg_class
             where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
                 and relname not in ('access_log', 'access_chain', 'idempotency_key', 'api_token', 'wecom_token')
             order by 1",
        )
        .await;
    let mut counts = Vec::new();
    for table in tables {
        counts.push(format!("{table} {}", app.db.count(&format!("select count(*) from {table}")).await));
    }
    counts
}

#[tokio::test]
async fn a_repeated_request_creates_nothing_and_gets_and_logs_the_same_answer() {
    let (app, platform) = app_with_wecom().await;
    let serving = |world: &World| {
        let members = world.members().filter(|it| it.customer_contact);
        members.map(|it| it.userid.0.clone()).take(2).collect::<Vec<_>>()
    };
    let [successor, member] = platform.with(|world| serving(world)).try_into().expect("two who serve");
    for (staff, user) in [("E-1", "ann"), ("E-2", successor.as_str()), ("E-3", "cid")] {
        bind(&app, staff, user).await;
    }
    knows(&app, "ann", &["wm1"]).await;
    let order = order(&app, "E-2", "C-2").await;
    let name = format!("{}-two", app.corp.apps[0].name);
    let keys = json!({ "corpid": app.corp.corpid, "token": app.corp.apps[0].token,
        "encoding_aes_key": app.corp.apps[0].encoding_aes_key, "secret": "", "agentid": "1000009", "name": name });
    let posts: [(&str, Value, &str); 7] = [
        ("config", keys, &name),
        ("staff-bind", json!({ "staff_id": "E-9", "wechat_userid": member }), "E-9"),
        ("work-orders", json!({ "customer_id": "C-1", "description": "漏水" }), "C-1"),
        ("contact-records", json!({ "customer_id": "C-1", "content": "已电话联系" }), "C-1"),
        ("resignations", json!({ "staff_id": "E-3", "last_day": "2099-01-31" }), "E-3"),
        ("transfer", json!({ "from": "E-1", "to": "E-2", "customers": ["wm1"] }), "E-1"),
        ("sync", json!({}), &format!("{} run 1", app.corp.corpid)),
    ];
    let begun = app.db.count("select max(id) from access_log").await;
    for (path, body, subject) in &posts {
        let before = rows(&app).await;
        let first = post_once(&app, path, path, body).await;
        assert!(matches!(first.status, 201 | 202), "{path}: {} {}", first.status, first.text());
        let after = rows(&app).await;
        assert_ne!(before, after, "{path} adds something");
        let again = post_once(&app, path, path, body).await;
        assert_eq!((again.status, again.json()), (first.status, first.json()), "{path}");
        assert_eq!(rows(&app).await, after, "{path}, again, adds nothing");
        let of_route = format!("from access_log where route = '{BASE}/{path}' and id > {begun} order by id");
        let lines = format!("select concat_ws(' ', status, subject) {of_route}");
        let line = format!("{} {subject}", first.status);
        assert_eq!(app.db.texts(&lines).await, [line.clone(), line], "{path}");
    }

    // What WeCom must be asked for is not asked for again, so a repetition is answered while WeCom is away, too.
    let way = json!({ "customer_id": "C-2", "work_order_id": order });
    let first = post_once(&app, "customer-contact", "way", &way).await;
    assert!(matches!(first.status, 200 | 201), "{}", first.text());
    let asked = calls(&platform, "externalcontact/add_contact_way");
    platform.stop().await;
    for (path, key, body, first) in
        [("customer-contact", "way", &way, Some(first)), ("transfer", "transfer", &posts[5].1, None)]
    {
        let again = post_once(&app, path, key, body).await;
        assert!(again.status < 300, "{path}: {}", again.text());
        assert!(first.is_none_or(|it| it.json() == again.json()), "{path}: {}", again.text());
    }
    assert_eq!(asked, 1);
    app.finish().await;
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_its_caller_and_is_refused_for_secret_answers() {
    let app = TestApp::start().await;
    let token = json!({ "name": "crm", "role": "viewer" });
    for (path, body) in [("api-tokens", &token), ("staff-bind/login", &json!({ "staff_id": "E-1" }))] {
        let refused = post_once(&app, path, "k-1", body).await;
        assert_eq!(code(&refused), (400, "invalid_parameter".to_owned()), "{path}");
        assert!(refused.text().contains("Idempotency-Key"), "{path}: {}", refused.text());
    }
    let other = app.ask("POST", &format!("{BASE}/api-tokens"), Some(json!({ "name": "b", "role": "operator" }))).await;
    let other = format!("Bearer {}", other.json()["token"].as_str().expect("a token"));
    let order = json!({ "customer_id": "C-1", "description": "漏水" }).to_string();
    let own = format!("Bearer {}", app.token.expose_secret());
    let mut ids = Vec::new();
    for bearer in [&own, &other, &own] {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k-1")];
        let target = format!("{BASE}/work-orders");
        let answer = request(app.app.admin, "POST", &target, &headers, order.as_bytes()).await.expect("an answer");
        assert_eq!(answer.status, 201, "{}", answer.text());
        ids.push(answer.json()["id"].clone());
    }
    assert!(ids[0] != ids[1] && ids[0] == ids[2], "{ids:?}");
    app.finish().await;
}
