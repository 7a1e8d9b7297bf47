//! Work orders over real sockets: added once, assigned to whoever is freest, never forgotten.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::housekeeping::Housekeeper;

use crate::support::{
    TestApp,
    http::{Answer, request},
};

const BASE: &str = "/api/enterprise-wechat";

/// Adds an order under an idempotency key.
async fn add_once(app: &TestApp, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", app.token.expose_secret());
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let target = format!("{BASE}/work-orders");
    request(app.app.admin, "POST", &target, &headers, body.to_string().as_bytes()).await.expect("an answer")
}

async fn add(app: &TestApp, customer: &str) -> Value {
    let body = json!({ "customer_id": customer, "description": "水管漏水", "phone": "13800138000" });
    let answer = app.ask("POST", &format!("{BASE}/work-orders"), Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

async fn bind(app: &TestApp, staff: &str, user: &str) {
    app.db
        .execute(&format!(
            "insert into staff_wechat_bind (corpid, staff_id, wechat_userid) values ('{}', '{staff}', '{user}')",
            app.corp.corpid
        ))
        .await;
}

async fn change(app: &TestApp, order: &Value, body: Value) -> Answer {
    app.ask("PATCH", &format!("{BASE}/work-orders/{}", order["id"]), Some(body)).await
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// The notices that wait for staff members.
async fn notices(app: &TestApp) -> Vec<String> {
    app.db
        .texts(
            "select regexp_replace(subject, '[0-9]+', 'N') || ' ' || (payload::jsonb->>'wechat_userid') || ' ' || (payload::jsonb->>'title')
             from task where kind = 'notify_staff' order by id",
        )
        .await
}

/// Orders with whom they were given to, in the order in which they came.
async fn in_charge(app: &TestApp) -> Vec<String> {
    app.db.texts("select state || ' ' || coalesce(staff_id, '-') from work_order order by id").await
}

fn housekeeper(app: &TestApp) -> Housekeeper {
    let admin = &app.app.admin_half;
    Housekeeper::new(admin.pool.clone(), admin.wecom.clone(), admin.rules.clone())
}

async fn assigning() -> TestApp {
    TestApp::start_with(|config| {
        config.assignment.automatic = true;
        config.assignment.escalate_to = "S9".to_owned();
        config.assignment.order_url = "https://orders.example.com/{id}".to_owned();
    })
    .await
}

#[tokio::test]
async fn an_order_sent_twice_is_added_once_and_gets_the_same_answer() {
    let app = TestApp::start().await;
    let order = json!({ "customer_id": "C-1", "description": "空调不制冷" });
    let [one, two, three] =
        [add_once(&app, "k-1", &order), add_once(&app, "k-1", &order), add_once(&app, "k-1", &order)];
    let (one, two, three) = tokio::join!(one, two, three);
    assert_eq!((one.status, one.text()), (201, two.text()), "the same bytes: fields keep their order");
    assert_eq!(one.text(), three.text());
    assert_eq!(app.db.count("select count(*) from work_order").await, 1);

    let other = json!({ "customer_id": "C-2", "description": "空调不制冷" });
    assert_eq!(code(&add_once(&app, "k-1", &other).await), (409, "idempotency_key_reused".to_owned()));
    assert_eq!(add_once(&app, "k-2", &other).await.status, 201);

    // A refused request was not carried out, so its key is still free.
    let wrong = json!({ "customer_id": "C-3" });
    assert_eq!(add_once(&app, "k-3", &wrong).await.status, 400);
    assert_eq!(add_once(&app, "k-3", &other).await.status, 201);

    app.db.execute("update idempotency_key set at = now() - interval '25 hours'").await;
    assert_eq!(add_once(&app, "k-1", &other).await.status, 201);
    assert_eq!(app.db.count("select count(*) from work_order").await, 4);
    app.finish().await;
}

#[tokio::test]
async fn an_order_makes_only_allowed_transitions_and_logs_each() {
    let app = TestApp::start().await;
    bind(&app, "S1", "ann").await;
    let order = add(&app, "C-1").await;
    assert_eq!((&order["state"], &order["next_states"]), (&json!("new"), &json!(["contacted", "cancelled"])));

    assert_eq!(code(&change(&app, &order, json!({ "state": "done" })).await), (409, "move_not_allowed".to_owned()));
    assert_eq!(code(&change(&app, &order, json!({ "staff_id": "S7" })).await), (404, "not_bound".to_owned()));
    assert_eq!(code(&change(&app, &order, json!({ "state": "lost" })).await), (400, "invalid_field".to_owned()));
    let assigned = change(&app, &order, json!({ "staff_id": "S1", "note": "离得近" })).await.json();
    assert_eq!((&assigned["state"], &assigned["staff_id"]), (&json!("assigned"), &json!("S1")));
    let stale = change(&app, &order, json!({ "state": "quoted", "version": order["version"] })).await;
    assert_eq!(code(&stale), (409, "version_conflict".to_owned()));
    let quoted = json!({ "state": "quoted", "version": assigned["version"] });
    assert_eq!(change(&app, &order, quoted).await.status, 200);
    assert_eq!(change(&app, &order, json!({ "note": "客户在考虑" })).await.status, 200);
    assert_eq!(change(&app, &order, json!({ "state": "cancelled" })).await.status, 200);
    assert_eq!(code(&change(&app, &order, json!({ "staff_id": "S1" })).await), (409, "move_not_allowed".to_owned()));

    let shown = app.ask("GET", &format!("{BASE}/work-orders/{}", order["id"]), None).await.json();
    let story: Vec<String> = shown["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|it| format!("{} {} {} {} {}", it["from_state"], it["to_state"], it["to_staff_id"], it["who"], it["note"]))
        .collect();
    insta::assert_snapshot!(story.join("\n"), @r#"
    null "new" null "test" null
    "new" "assigned" "S1" "test" "离得近"
    "assigned" "quoted" "S1" "test" null
    "quoted" "quoted" "S1" "test" "客户在考虑"
    "quoted" "cancelled" "S1" "test" null
    "#);
    assert_eq!(code(&app.ask("GET", &format!("{BASE}/work-orders/999"), None).await).0, 404);
    app.finish().await;
}

#[tokio::test]
async fn a_list_of_orders_is_paged_and_filtered() {
    let app = TestApp::start().await;
    for customer in ["C-1", "C-2", "C-1"] {
        add(&app, customer).await;
    }
    let list = async |query: &str| app.ask("GET", &format!("{BASE}/work-orders?{query}"), None).await.json();
    let first = list("limit=2").await;
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    let cursor = first["next_cursor"].as_str().expect("more").to_owned();
    let rest = list(&format!("limit=2&cursor={cursor}")).await;
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next_cursor"]), (Some(1), &Value::Null));
    assert_eq!(list("customer_id=C-1&state=new").await["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(list("staff_id=S1").await["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(app.ask("GET", &format!("{BASE}/work-orders?state=lost"), None).await.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn orders_go_to_the_member_with_the_fewest_and_the_longest_wait() {
    let app = assigning().await;
    for (staff, user) in [("S1", "ann"), ("S2", "bob"), ("S3", "cai"), ("S4", "dee")] {
        bind(&app, staff, user).await;
    }
    let off = json!({ "staff_id": "S3", "on_duty": false });
    assert_eq!(app.ask("POST", &format!("{BASE}/staff-duty"), Some(off)).await.status, 200);
    app.db
        .execute(&format!(
            "insert into member (corpid, wechat_userid, status, status_at) values ('{}', 'dee', 2, now())",
            app.corp.corpid
        ))
        .await;
    for customer in ["C-1", "C-2", "C-3"] {
        add(&app, customer).await;
    }
    assert_eq!(in_charge(&app).await, ["assigned S1", "assigned S2", "assigned S1"]);
    insta::assert_snapshot!(notices(&app).await.join("\n"), @r"
    work_order:N:assigned:1 ann 新工单,请联系客户
    work_order:N:assigned:1 bob 新工单,请联系客户
    work_order:N:assigned:1 ann 新工单,请联系客户
    ");
    let duty = app.ask("GET", &format!("{BASE}/staff-duty"), None).await.json();
    let duty: Vec<String> = duty["items"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|it| format!("{} {} {}", it["staff_id"], it["on_duty"], it["open_orders"]))
        .collect();
    assert_eq!(duty, [r#""S1" true 2"#, r#""S2" true 1"#, r#""S3" false 0"#, r#""S4" true 0"#]);
    let urls = app.db.texts("select payload::jsonb->>'url' from task order by id limit 1").await;
    assert_eq!(urls, ["https://orders.example.com/1"]);
    app.finish().await;
}

#[tokio::test]
async fn orders_that_come_at_once_are_never_given_to_the_same_idle_member() {
    let app = assigning().await;
    for (staff, user) in [("S1", "ann"), ("S2", "bob"), ("S3", "cai"), ("S4", "dee")] {
        bind(&app, staff, user).await;
    }
    tokio::join!(add(&app, "C-1"), add(&app, "C-2"), add(&app, "C-3"), add(&app, "C-4"));
    let mut given = in_charge(&app).await;
    given.sort();
    assert_eq!(given, ["assigned S1", "assigned S2", "assigned S3", "assigned S4"]);
    app.finish().await;
}

#[tokio::test]
async fn an_order_that_nobody_picks_up_is_announced_again_and_then_passed_on() {
    let app = assigning().await;
    bind(&app, "S9", "boss").await;
    app.db.execute("update staff_wechat_bind set on_duty = false").await;
    add(&app, "C-1").await;
    assert_eq!(in_charge(&app).await, ["new -"], "nobody is on duty");

    bind(&app, "S1", "ann").await;
    let (one, other) = (housekeeper(&app), housekeeper(&app));
    let (first, second) = tokio::join!(one.round(), other.round());
    first.and(second).expect("a round");
    assert_eq!(in_charge(&app).await, ["assigned S1"]);

    // Another member who could take it.
    bind(&app, "S2", "bob").await;
    app.db.execute("update work_order set notified_at = now() - interval '16 minutes'").await;
    let (first, second) = tokio::join!(one.round(), other.round());
    first.and(second).expect("a round");
    one.round().await.expect("a round");
    assert_eq!(in_charge(&app).await, ["assigned S1"]);

    app.db.execute("update work_order set assigned_at = now() - interval '61 minutes'").await;
    let (first, second) = tokio::join!(one.round(), other.round());
    first.and(second).expect("a round");
    assert_eq!(in_charge(&app).await, ["assigned S2"]);
    insta::assert_snapshot!(notices(&app).await.join("\n"), @r"
    work_order:N:assigned:1 ann 新工单,请联系客户
    work_order:N:assigned:1:2 ann 工单待联系,第 1 次提醒
    work_order:N:escalated:1 boss 工单超时未接单
    work_order:N:assigned:2 bob 新工单,请联系客户
    ");

    // Picked up: no further notices are sent.
    app.db.execute("update work_order set state = 'contacted', assigned_at = now() - interval '9 hours'").await;
    one.round().await.expect("a round");
    assert_eq!(app.db.count("select count(*) from task").await, 4);
    app.finish().await;
}
