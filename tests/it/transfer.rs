//! Immediate transfers of customers between staff members, over real sockets. The driver has tests of its own.

use serde_json::{Value, json};

use crate::support::{
    Acting, TestApp,
    http::Answer,
    leaver::{BASE, bind, code, items, knows, post_once, state},
};

async fn company() -> TestApp {
    let app = TestApp::start().await;
    for (staff, user) in [("S0", "lao"), ("S1", "ann"), ("S2", "bob")] {
        bind(&app, staff, user).await;
    }
    knows(&app, "lao", &["wm1", "wm2", "wm3"]).await;
    app
}

async fn transfer(app: &TestApp, body: Value) -> Answer {
    app.ask("POST", &format!("{BASE}/transfer"), Some(body)).await
}

fn wish(to: &str, customers: &[&str]) -> Value {
    json!({ "from": "S0", "to": to, "customers": customers })
}

/// The pages of the history, as from, to, customer, state and who ordered it.
async fn history(app: &TestApp, query: &str) -> Vec<String> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.ask("GET", &format!("{BASE}/transfer-history?limit=2&{query}{cursor}"), None).await.json();
        let fields = ["from_staff_id", "to_staff_id", "external_userid", "state", "ordered_by"];
        for it in page["items"].as_array().unwrap_or_else(|| panic!("{page:#}")) {
            rows.push(fields.map(|field| it[field].as_str().unwrap_or("-").to_owned()).join(" "));
        }
        let Some(next) = page["next_cursor"].as_str() else { return rows };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_transfer_is_planned_and_submitted_at_once_and_a_repeated_request_returns_it() {
    let app = company().await;
    let mut body = wish("S1", &["wm1", "wm2", "wm9", "wm1"]);
    body["message"] = json!("以后由安经理为您服务");
    let first = post_once(&app, "transfer", "t-1", &body).await;
    let again = post_once(&app, "transfer", "t-1", &body).await;
    assert_eq!((first.status, first.json()), (202, again.json()), "{}", first.text());
    let made = first.json();
    assert_eq!((&made["state"], &made["customers"]), (&json!("submitted"), &json!(2)));
    assert_eq!(
        (&made["refused"][0]["external_userid"], &made["refused"][0]["code"]),
        (&json!("wm9"), &json!("not_a_contact"))
    );
    assert_eq!(made["refused"].as_array().map(Vec::len), Some(1));
    assert_eq!(items(&app).await, ["customer wm1 planned S1 ann", "customer wm2 planned S1 ann"]);
    let id = made["id"].as_i64().expect("a number");
    assert_eq!(state(&app, id).await, "submitted");
    assert_eq!(
        app.db.texts("select concat_ws(' ', cause, ordered_by, submitted_by, message, left_at) from handover").await,
        ["transfer test test 以后由安经理为您服务"]
    );
    let due = format!("select count(*) from task where kind = 'handover' and subject = '{id}' and due_at <= now()");
    assert_eq!(app.db.count(&due).await, 1);

    // A customer already in a transfer is left out; the others are transferred by a separate handover.
    let other = transfer(&app, wish("S2", &["wm2", "wm3"])).await.json();
    assert_eq!((&other["refused"][0]["code"], &other["refused"][0]["handover_id"]), (&json!("under_way"), &json!(id)));
    assert_eq!(app.db.count("select count(*) from handover").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn one_of_two_concurrent_transfers_of_the_same_customers_succeeds() {
    let app = company().await;
    let everybody = ["wm1", "wm2", "wm3"];
    let (one, two) = tokio::join!(transfer(&app, wish("S1", &everybody)), transfer(&app, wish("S2", &everybody)));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 422], "{} {}", one.text(), two.text());
    let late = if one.status == 422 { one } else { two };
    assert!(late.json()["errors"].as_array().is_some_and(|all| all.iter().all(|it| it["code"] == "under_way")));
    assert_eq!(app.db.count("select count(*) from handover_item").await, 3);
    app.finish().await;
}

#[tokio::test]
async fn a_transfer_that_can_move_nobody_is_refused_with_every_reason() {
    let app = company().await;
    let nobody = transfer(&app, wish("S1", &["wm8", "wm9"])).await;
    assert_eq!(code(&nobody), (422, "nothing_to_transfer".to_owned()));
    assert_eq!(nobody.json()["errors"].as_array().map(Vec::len), Some(2));
    let itself = transfer(&app, wish("S0", &["wm1"])).await;
    assert_eq!(
        (code(&itself), &itself.json()["errors"][0]["code"]),
        ((422, "plan_broken".to_owned()), &json!("is_leaver"))
    );
    let unbound = transfer(&app, wish("S9", &["wm1"])).await;
    assert_eq!((code(&unbound).0, &unbound.json()["errors"][0]["code"]), (422, &json!("not_bound")));
    let stranger = json!({ "from": "S9", "to": "S1", "customers": ["wm1"] });
    assert_eq!(code(&transfer(&app, stranger).await), (404, "not_bound".to_owned()));
    assert_eq!(code(&transfer(&app, wish("S1", &[])).await), (400, "invalid_field".to_owned()));
    let many: Vec<_> = (0..1_001).map(|it| format!("wm{it}")).collect();
    let many = json!({ "from": "S0", "to": "S1", "customers": many });
    assert_eq!(code(&transfer(&app, many).await), (400, "invalid_field".to_owned()));
    let long = json!({ "from": "S0", "to": "S1", "customers": ["wm1"], "message": "好".repeat(201) });
    assert_eq!(code(&transfer(&app, long).await), (400, "invalid_field".to_owned()));
    assert_eq!(app.db.count("select count(*) from handover").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_transfer_checks_the_successor_at_wecom_first() {
    let acting = Acting::start().await;
    let app = &acting.app;
    for (staff, user) in [("S0", "lao"), ("S1", "ann"), ("S2", "bob")] {
        acting.member(user, user, &[]);
        bind(app, staff, user).await;
    }
    knows(app, "lao", &["wm1"]).await;
    acting.sees_only(&["lao", "bob"]);
    let hidden = transfer(app, wish("S1", &["wm1"])).await;
    assert_eq!(code(&hidden), (422, "plan_broken".to_owned()), "{}", hidden.text());
    assert_eq!(hidden.json()["errors"][0]["code"], "out_of_sight");
    let seen = transfer(app, wish("S2", &["wm1"])).await;
    assert_eq!((seen.status, &seen.json()["verified"]), (202, &json!(true)), "{}", seen.text());
    acting.finish().await;
}

#[tokio::test]
async fn the_transfer_history_shows_customer_both_members_and_the_caller() {
    let app = company().await;
    knows(&app, "ann", &["wm5"]).await;
    transfer(&app, wish("S1", &["wm1", "wm2", "wm3"])).await;
    transfer(&app, json!({ "from": "S1", "to": "S2", "customers": ["wm5"] })).await;
    app.db.execute("update handover_item set state = 'done', finished_at = now() where subject = 'wm2'").await;
    assert_eq!(
        history(&app, "").await,
        ["S1 S2 wm5 planned test", "S0 S1 wm3 planned test", "S0 S1 wm2 done test", "S0 S1 wm1 planned test",]
    );
    assert_eq!(history(&app, "from=S0&state=planned").await, ["S0 S1 wm3 planned test", "S0 S1 wm1 planned test"]);
    assert_eq!(history(&app, "to=S2").await, ["S1 S2 wm5 planned test"]);
    assert_eq!(history(&app, "customer=wm2").await, ["S0 S1 wm2 done test"]);
    assert_eq!(history(&app, "until=2020-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(history(&app, "since=2020-01-01T00:00:00Z").await.len(), 4);
    let wrong = app.ask("GET", &format!("{BASE}/transfer-history?state=lost"), None).await;
    assert_eq!(code(&wrong), (400, "invalid_parameter".to_owned()));
    app.finish().await;
}
