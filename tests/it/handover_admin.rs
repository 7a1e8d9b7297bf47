//! What people do with handovers, over real sockets. The driver has tests of its own.

use serde_json::{Value, json};

use crate::support::{
    TestApp,
    leaver::{
        BASE, act, all_to, bind, code, is_gone, items, knows, leaves, order, own_token, planned, put_plan, state,
    },
};

/// A leaver with three customers and an order, and two colleagues.
async fn company(change: impl FnOnce(&mut wecomd::config::Config)) -> (TestApp, i64) {
    let app = TestApp::start_with(change).await;
    for (staff, user) in [("S1", "ann"), ("S2", "bob")] {
        bind(&app, staff, user).await;
    }
    order(&app, "S0", "WM1").await;
    let id = leaves(&app, &["wm1", "wm2", "wm3"]).await;
    app.db.execute("delete from task").await;
    (app, id)
}

fn round_robin() -> Value {
    json!({ "rules": [{ "rule": "round_robin", "staff_ids": ["S1", "S2"] }] })
}

/// The notices that wait for staff members.
async fn cards(app: &TestApp) -> Vec<String> {
    app.db
        .texts(
            "select subject || ' ' || (payload::jsonb->>'wechat_userid') || ' ' || (payload::jsonb->>'lines') || ' ' ||
                 (payload::jsonb->>'url')
             from task where kind = 'notify_staff' order by id",
        )
        .await
}

#[tokio::test]
async fn each_successor_is_told_once_of_their_part_and_may_refuse_it() {
    let (app, id) =
        company(|config| config.handover.page_url = "https://crm.example.com/handovers/{id}".to_owned()).await;
    assert_eq!(code(&act(&app, id, "notify", json!({})).await), (409, "handover_state".to_owned()));
    planned(&app, id, round_robin()).await;
    let told = act(&app, id, "notify", json!({})).await;
    assert_eq!((told.status, &told.json()["state"]), (200, &json!("notified")), "{}", told.text());
    let expected = [
        format!(
            "handover:{id}:2:ann ann [[\"原员工\", \"S0\"], [\"客户\", \"2 位:wm1号、wm3号\"], [\"工单\", \"1 个\"]] https://crm.example.com/handovers/{id}"
        ),
        format!(
            "handover:{id}:2:bob bob [[\"原员工\", \"S0\"], [\"客户\", \"1 位:wm2号\"]] https://crm.example.com/handovers/{id}"
        ),
    ];
    assert_eq!(cards(&app).await, expected);
    assert_eq!(act(&app, id, "notify", json!({})).await.status, 200);
    assert_eq!(app.db.count("select sum(version)::bigint from task where kind = 'notify_staff'").await, 2, "told once");

    let answer = |staff: &str, accepted: bool| json!({ "staff_id": staff, "accepted": accepted, "note": "休假中" });
    assert_eq!(code(&act(&app, id, "acceptances", answer("S9", true)).await), (404, "successor_unknown".to_owned()));
    assert_eq!(act(&app, id, "acceptances", answer("S1", true)).await.json()["state"], "notified");
    let refused = act(&app, id, "acceptances", answer("S2", false)).await.json();
    assert_eq!(refused["state"], "detected");
    assert_eq!(
        (
            &refused["successors"][1]["accepted"],
            &refused["successors"][1]["note"],
            &refused["successors"][1]["answered_by"]
        ),
        (&json!(false), &json!("休假中"), &json!("test"))
    );
    assert_eq!(
        items(&app).await,
        ["customer wm1 planned S1 ann", "customer wm2 open", "customer wm3 planned S1 ann", "order 1 planned S1 ann"]
    );
    assert_eq!(code(&act(&app, id, "submit", json!({})).await), (409, "handover_items_open".to_owned()));

    // A new plan needs a new acceptance.
    let kept = planned(&app, id, all_to("S1")).await;
    assert_eq!((&kept["state"], &kept["version"]), (&json!("planned"), &json!(3)));
    assert_eq!(app.db.count("select count(*) from handover_successor where accepted is not null").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_handover_is_submitted_once_and_its_driver_wakes_immediately() {
    let (app, id) = company(|_| ()).await;
    assert_eq!(code(&act(&app, id, "submit", json!({})).await), (409, "handover_items_open".to_owned()));
    planned(&app, id, json!({ "successor": "S1", "kinds": ["order"] })).await;
    assert_eq!(code(&act(&app, id, "submit", json!({})).await), (409, "handover_items_open".to_owned()));
    let partly = act(&app, id, "submit", json!({ "partly": true })).await;
    assert_eq!((partly.status, &partly.json()["state"]), (200, &json!("submitted")), "{}", partly.text());

    planned(&app, id, all_to("S2")).await;
    assert_eq!(state(&app, id).await, "planned", "another plan is submitted anew");
    app.db.execute("delete from task").await;
    let submitted = act(&app, id, "submit", json!({})).await.json();
    assert_eq!((&submitted["state"], &submitted["submitted_by"]), (&json!("submitted"), &json!("test")));
    let due = "select count(*) from task where kind = 'handover' and due_at <= now()";
    assert_eq!(app.db.count(due).await, 1);
    let again = act(&app, id, "submit", json!({})).await.json();
    assert_eq!(again["submitted_at"], submitted["submitted_at"]);
    assert_eq!(
        app.db.count("select count(*) from handover_log where item_id is null and to_state = 'submitted'").await,
        2
    );

    app.db.execute("update task set due_at = now() + interval '2 hours'").await;
    assert_eq!(act(&app, id, "poll", json!({})).await.status, 202);
    assert_eq!(app.db.count(due).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_handover_that_needs_acceptance_is_not_submitted_without_it() {
    let (app, id) = company(|config| config.handover.acceptance = true).await;
    planned(&app, id, round_robin()).await;
    let accept = |staff: &str| json!({ "staff_id": staff, "accepted": true });
    assert_eq!(act(&app, id, "acceptances", accept("S1")).await.status, 200);
    let missing = act(&app, id, "submit", json!({})).await;
    assert_eq!(code(&missing), (409, "acceptance_missing".to_owned()));
    assert_eq!(missing.json()["detail"], "1 successors have not agreed yet");
    assert_eq!(act(&app, id, "acceptances", accept("S2")).await.status, 200);
    assert_eq!(act(&app, id, "submit", json!({})).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_handover_without_items_is_done_once_submitted() {
    let app = TestApp::start().await;
    let id = leaves(&app, &[]).await;
    let done = act(&app, id, "submit", json!({})).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("done")), "{}", done.text());
    assert_eq!(code(&act(&app, id, "cancel", json!({})).await), (409, "handover_state".to_owned()));
    assert_eq!(code(&act(&app, 999, "submit", json!({})).await), (404, "handover_unknown".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn a_cancelled_or_given_up_item_says_so_and_stays_final() {
    let (app, id) = company(|_| ()).await;
    planned(&app, id, json!({ "successor": "S1", "kinds": ["customer"] })).await;
    let closed = act(&app, id, "close", json!({ "subjects": ["wm1", "nobody"], "reason": "客户已退费" })).await.json();
    assert_eq!((&closed["closed"], &closed["unchanged"]), (&json!(1), &json!(0)));
    let again = act(&app, id, "close", json!({ "subjects": ["wm1"], "reason": "再次" })).await.json();
    assert_eq!((&again["closed"], &again["unchanged"]), (&json!(0), &json!(1)));
    assert_eq!(app.db.texts("select reason from handover_item where state = 'failed'").await, ["客户已退费"]);
    assert_eq!(code(&act(&app, id, "close", json!({ "reason": "空" })).await), (400, "invalid_field".to_owned()));

    let off = act(&app, id, "cancel", json!({ "reason": "误报" })).await;
    assert_eq!((off.status, &off.json()["state"]), (200, &json!("cancelled")), "{}", off.text());
    assert_eq!(off.json()["cancelled_by"], "test");
    assert_eq!(act(&app, id, "cancel", json!({})).await.json()["cancelled_at"], off.json()["cancelled_at"]);
    let states = "select distinct state from handover_item where subject <> 'wm1'";
    assert_eq!(app.db.texts(states).await, ["cancelled"]);
    assert_eq!(code(&act(&app, id, "submit", json!({})).await), (409, "handover_state".to_owned()));
    let body = json!({ "version": 2, "successor": "S1" });
    assert_eq!(code(&put_plan(&app, id, "", body).await), (409, "handover_state".to_owned()));
    let causes =
        "select distinct actor || ' ' || cause from handover_log where to_state in ('failed', 'cancelled') order by 1";
    assert_eq!(app.db.texts(causes).await, ["test 客户已退费", "test 误报"]);
    app.finish().await;
}

#[tokio::test]
async fn the_checklist_shows_everything_left_behind_and_recently_read_records() {
    let app = TestApp::start().await;
    bind(&app, "S0", "lao").await;
    knows(&app, "lao", &["wm1", "wm2"]).await;
    let bearer = own_token(&app, "S0").await;
    for customer in ["WM1", "WM2"] {
        let target = format!("{BASE}/contact-records/{customer}");
        assert_eq!(app.ask_as(&bearer, "GET", &target, None).await.status, 200);
    }
    for customer in ["WM2", "WM2", "WM7"] {
        order(&app, "S0", customer).await;
    }
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into wechat_contact_record (contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, content, source)
             select now() - make_interval(days => day), gen_random_uuid(), '{corp}', 'wm1', 'lao', 'wm1', 'text', 'day ' || day, 'app'
             from generate_series(1, 40, 3) day"
        ))
        .await;
    is_gone(&app).await;
    let id = app.db.count("select id from handover").await;
    app.db
        .execute(&format!("insert into handover_item (handover_id, kind, subject) values ({id}, 'group', 'wr1')"))
        .await;
    bind(&app, "S1", "ann").await;
    planned(&app, id, json!({ "successor": "S1", "kinds": ["customer"] })).await;

    act(&app, id, "poll", json!({})).await;

    let shown = app.ask("GET", &format!("{BASE}/handovers/{id}"), None).await.json();
    let counted = |part: &str| shown[part]["count"].as_i64().expect("a count");
    let counts = ["orders", "customers", "groups", "records", "reads", "tasks"].map(counted);
    assert_eq!(counts, [3, 2, 1, 10, 2, 1], "{shown:#}");
    assert_eq!(shown["records"]["items"][0]["content"], "day 1");
    assert_eq!(shown["reads"]["items"][0]["subject"], "WM2");
    let open = shown["customers"]["items"].as_array().expect("a list").iter();
    let open: Vec<_> =
        open.map(|it| format!("{} {} {}", it["external_userid"], it["name"], it["open_orders"])).collect();
    assert_eq!(open, [r#""wm2" "wm2号" 2"#, r#""wm1" "wm1号" 0"#], "the latest conversation comes first");
    assert_eq!(shown["counts"][0], json!({ "kind": "customer", "state": "planned", "items": 2 }));
    assert_eq!((&shown["successors"][0]["staff_id"], &shown["successors"][0]["customers"]), (&json!("S1"), &json!(2)));
    assert_eq!(code(&app.ask("GET", &format!("{BASE}/handovers/none"), None).await).0, 404);
    app.finish().await;
}

#[tokio::test]
async fn items_and_log_lines_are_paged_and_items_can_be_downloaded() {
    let (app, id) = company(|_| ()).await;
    planned(&app, id, round_robin()).await;
    act(&app, id, "close", json!({ "subjects": ["wm3"], "reason": "=HYPERLINK(\"x\")" })).await;
    let list = |query: &str| format!("{BASE}/handovers/{id}/items?{query}");
    let first = app.ask("GET", &list("limit=3"), None).await.json();
    let cursor = first["next_cursor"].as_str().expect("a next page").to_owned();
    let rest = app.ask("GET", &list(&format!("limit=3&cursor={cursor}")), None).await.json();
    let subjects = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| it["subject"].as_str().unwrap_or("").to_owned())
            .collect()
    };
    assert_eq!(
        (subjects(&first), subjects(&rest)),
        (["wm1", "wm2", "wm3"].map(str::to_owned).to_vec(), vec!["1".to_owned()])
    );
    assert_eq!(rest["next_cursor"], Value::Null);
    assert_eq!(
        subjects(&app.ask("GET", &list("kind=customer&state=planned&successor=S2"), None).await.json()),
        ["wm2"]
    );
    assert_eq!(code(&app.ask("GET", &list("state=lost"), None).await), (400, "invalid_parameter".to_owned()));

    let file = app.ask("GET", &format!("{BASE}/handovers/{id}/items.csv"), None).await;
    assert!(file.head.contains("text/csv; charset=utf-8") && file.head.contains("attachment"), "{}", file.head);
    let text = file.text();
    let lines: Vec<_> = text.strip_prefix('\u{feff}').expect("a mark").split("\r\n").collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[1], "customer,wm1,1,planned,S1,ann,0,,,,,");
    assert!(lines[3].contains(",failed,") && lines[3].contains("\"'=HYPERLINK(\"\"x\"\")\""), "{}", lines[3]);

    let turns = app.ask("GET", &format!("{BASE}/handovers/{id}/log?limit=2"), None).await.json();
    assert_eq!((turns["items"].as_array().map(Vec::len), turns["next_cursor"].is_string()), (Some(2), true));
    let edit = sqlx::query("update handover_log set cause = ''").execute(&app.db.pool).await;
    assert!(edit.is_err_and(|error| error.to_string().contains("only ever appended to")));
    app.finish().await;
}
