//! From an order to its customer's contact: the code, the scan, and whose customer it is.

use std::{net::Ipv4Addr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use wecomd::{
    housekeeping::Housekeeper,
    ids::{ExternalUserId, UserId},
    sandbox::{DropAt, Fault, Platform, Size, World},
};

use crate::support::{TestApp, TestDb, http::Answer};

const BASE: &str = "/api/enterprise-wechat";

const ADD: &str = "externalcontact/add_contact_way";

/// wecomd and a pretend WeCom that it may call, with one member who is bound.
struct Flow {
    app: TestApp,
    platform: Platform,
}

impl Flow {
    async fn start() -> Self {
        Self::start_on(TestDb::new().await).await
    }

    /// The same beside a database whose clock differs by so much.
    async fn start_beside(clock: &str) -> Self {
        let db = TestDb::new().await;
        db.set_clock(clock).await;
        Self::start_on(db).await
    }

    async fn start_on(db: TestDb) -> Self {
        let corp = wecomd::sandbox::Corp::from_seed(1);
        let mut world = World::of(&corp, Size { members: 3, customers: 0, departments: 1 }, 1);
        world.add_member(&UserId::from("ann"), "安娜");
        let platform = Platform::start(world, (Ipv4Addr::LOCALHOST, 0).into()).await.expect("a free port");
        let url = platform.base_url();
        let database = db.url.clone();
        let app = TestApp::start_at(db, &database, |config| config.wecom.base_url = url).await;
        app.entrust().await;
        app.db
            .execute(&format!(
                "insert into staff_wechat_bind (corpid, staff_id, wechat_userid) values ('{}', 'S1', 'ann')",
                app.corp.corpid
            ))
            .await;
        platform.push_to(app.sender_of(&app.corp));
        Self { app, platform }
    }

    async fn order(&self, customer: &str, phone: &str) -> Value {
        let body = json!({ "customer_id": customer, "description": "水管漏水", "phone": phone });
        let answer = self.app.ask("POST", &format!("{BASE}/work-orders"), Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    async fn contact_way(&self, body: Value) -> Answer {
        self.app.ask("POST", &format!("{BASE}/customer-contact"), Some(body)).await
    }

    async fn scan(&self, way: &Value, customer: &str) {
        let config_id = way["config_id"].as_str().expect("a config id");
        self.platform.scan(config_id, &ExternalUserId::from(customer)).await.expect("scanned");
        self.platform.pushed().await;
        self.app.drain().await;
    }

    /// How often WeCom was asked to make a contact way, and how many it has.
    fn made(&self) -> (usize, usize) {
        (self.platform.calls_of(ADD).len(), self.platform.with(|world| world.contact_ways().count()))
    }

    /// As if the last attempt had begun long ago.
    async fn later(&self) {
        self.app
            .db
            .execute("update contact_way set attempted_at = now() - interval '1 minute', intended_at = intended_at - interval '1 minute'")
            .await;
    }

    async fn matched(&self) -> Vec<String> {
        self.app
            .db
            .texts(
                "select external_userid || ' ' || wechat_userid || ' ' || coalesce(customer_id, '-') || ' ' || coalesce(matched_by, '-')
                 from customer_wechat_contact order by 1",
            )
            .await
    }

    async fn finish(self) {
        self.app.finish().await;
        self.platform.stop().await;
    }
}

#[tokio::test]
async fn an_order_gives_a_code_and_scanning_it_matches_the_contact_to_the_customer() {
    let flow = Flow::start().await;
    let order = flow.order("C-1", "13800138000").await;
    let target = format!("{BASE}/work-orders/{}", order["id"]);
    let assigned = flow.app.ask("PATCH", &target, Some(json!({ "staff_id": "S1" }))).await;
    assert_eq!(assigned.json()["state"], json!("assigned"));

    let answer = flow.contact_way(json!({ "customer_id": "C-1", "work_order_id": order["id"] })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let way = answer.json();
    let state = way["state"].as_str().expect("a state").to_owned();
    assert!(state.starts_with("way_") && state.len() <= 30, "{state}");
    let png = STANDARD.decode(way["qr_png"].as_str().expect("a picture")).expect("base64");
    assert!(png.starts_with(b"\x89PNG") && way["qr_svg"].as_str().is_some_and(|it| it.contains("<svg")));
    let picture = flow.app.ask("GET", &format!("{BASE}/customer-contact-qr/{state}"), None).await;
    assert!(picture.status == 200 && picture.body == png && picture.head.contains("image/png"), "{}", picture.head);
    let again = flow.contact_way(json!({ "customer_id": "C-1", "work_order_id": order["id"] })).await.json();
    assert_eq!((&again["state"], flow.made()), (&way["state"], (1, 1)));

    flow.scan(&way, "wmEXAMPLE000000000000000000000001").await;
    assert_eq!(flow.matched().await, ["wmEXAMPLE000000000000000000000001 ann C-1 state"]);
    let contacted = flow.app.ask("GET", &target, None).await.json();
    assert_eq!((&contacted["state"], &contacted["contacted_state"]), (&json!("contacted"), &way["state"]));
    assert!(contacted["contacted_at"].is_string());
    assert_eq!(contacted["changes"].as_array().and_then(|it| it.last()).map(|it| &it["who"]), Some(&json!("wecomd")));
    let told = "select payload::jsonb->>'wechat_userid' from task where subject like 'work_order:%:contacted'";
    assert_eq!(flow.app.db.texts(told).await, ["ann"]);

    let record = json!({ "customer_id": "C-1", "staff_id": "S1", "content": "电话约了周五上门" });
    assert_eq!(flow.app.ask("POST", &format!("{BASE}/contact-records"), Some(record)).await.status, 201);
    let story = flow.app.ask("GET", &format!("{BASE}/customer-contact/C-1"), None).await.json();
    for (list, count) in [("items", 1), ("work_orders", 1), ("contact_ways", 1), ("customer_matches", 0)] {
        assert_eq!(story[list].as_array().map(Vec::len), Some(count), "{list}");
    }
    for id in ["C-1", "wmEXAMPLE000000000000000000000001"] {
        let records = flow.app.ask("GET", &format!("{BASE}/contact-records/{id}"), None).await.json();
        let mut sources: Vec<_> =
            records["items"].as_array().expect("records").iter().map(|it| it["source"].to_string()).collect();
        sources.sort();
        assert_eq!(sources, ["\"app\"", "\"manual\""], "{id}");
    }
    flow.finish().await;
}

#[tokio::test]
async fn a_shared_code_matches_only_its_first_user_and_a_new_code_is_then_made() {
    let flow = Flow::start().await;
    let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
    let way = flow.contact_way(wanted.clone()).await.json();
    flow.scan(&way, "wmFirst").await;
    flow.scan(&way, "wmSecond").await;
    assert_eq!(flow.matched().await, ["wmFirst ann C-1 state", "wmSecond ann - -"]);
    let other = flow.contact_way(wanted).await.json();
    assert_ne!(other["state"], way["state"]);
    flow.scan(&other, "wmThird").await;
    assert_eq!(
        flow.matched().await,
        ["wmFirst ann C-1 state", "wmSecond ann - -", "wmThird ann C-1 state"],
        "a customer may have two accounts"
    );
    flow.finish().await;
}

#[tokio::test]
async fn requests_that_come_at_once_make_one_code() {
    let flow = Flow::start().await;
    flow.platform.faults().set(ADD, Fault { latency: Duration::from_millis(300), ..Fault::default() });
    let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
    let (one, two, three) =
        tokio::join!(flow.contact_way(wanted.clone()), flow.contact_way(wanted.clone()), flow.contact_way(wanted));
    assert_eq!((one.status, &one.json()["state"]), (200, &two.json()["state"]), "{}", one.text());
    assert_eq!(one.json()["config_id"], three.json()["config_id"]);
    assert_eq!(flow.made(), (1, 1));
    flow.finish().await;
}

#[tokio::test]
async fn a_contact_way_whose_answer_was_lost_is_searched_and_not_created_twice() {
    let flow = Flow::start().await;
    flow.platform.faults().set(ADD, Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() });
    let way = flow.contact_way(json!({ "customer_id": "C-1", "staff_id": "S1" })).await;
    assert_eq!(way.status, 200, "{}", way.text());
    assert_eq!(flow.made(), (1, 1));
    let config_id = flow.platform.with(|world| world.contact_ways().next().map(|it| it.config_id.clone()));
    assert_eq!(way.json()["config_id"].as_str().map(str::to_owned), config_id);
    flow.finish().await;
}

#[tokio::test]
async fn an_attempt_that_was_broken_off_is_resolved_by_the_next_request() {
    let flow = Flow::start().await;
    // Made, but neither the answer nor a look at it arrives: as when the process is killed right after the call.
    flow.platform.faults().set(ADD, Fault { drop: Some(DropAt::After), ..Fault::default() });
    let list = "externalcontact/list_contact_way";
    flow.platform.faults().set(list, Fault { drop: Some(DropAt::Before), ..Fault::default() });
    let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
    assert_eq!(flow.contact_way(wanted.clone()).await.status, 503);
    flow.platform.faults().clear();
    flow.later().await;
    let way = flow.contact_way(wanted).await;
    assert_eq!((way.status, flow.made()), (200, (1, 1)), "{}", way.text());

    // Killed between the intent and the call: nothing was made, and the next request makes it.
    flow.app
        .db
        .execute(&format!(
            "insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, expires_at, attempted_at)
             values ('{}', 'way_killed', 'C-2', 'S1', 'ann', now() + interval '1 day', now() - interval '1 minute')",
            flow.app.corp.corpid
        ))
        .await;
    let way = flow.contact_way(json!({ "customer_id": "C-2", "staff_id": "S1" })).await.json();
    assert_eq!((&way["state"], flow.made()), (&json!("way_killed"), (2, 2)));
    flow.finish().await;
}

#[tokio::test]
async fn a_refused_contact_way_says_why_and_stores_nothing() {
    let flow = Flow::start().await;
    flow.platform.faults().set(ADD, Fault { errcode: Some(41054), times: Some(1), ..Fault::default() });
    let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
    let refused = flow.contact_way(wanted.clone()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("wecom_refused")));
    assert_eq!(flow.app.db.count("select count(*) from contact_way").await, 0);
    assert_eq!(flow.contact_way(wanted).await.status, 200);

    let order = flow.order("C-1", "13800138000").await;
    for (body, status) in [
        (json!({ "customer_id": "C-1", "staff_id": "S7" }), 404),
        (json!({ "customer_id": "C-1" }), 400),
        (json!({ "customer_id": "C-2", "work_order_id": order["id"] }), 400),
        (json!({ "customer_id": "C-1", "work_order_id": order["id"] }), 400),
        (json!({ "customer_id": "C-1", "work_order_id": 999 }), 404),
    ] {
        assert_eq!(flow.contact_way(body.clone()).await.status, status, "{body}");
    }
    flow.finish().await;
}

#[tokio::test]
async fn codes_that_nobody_needs_any_more_are_deleted_at_wecom() {
    let flow = Flow::start().await;
    let wanted = |customer: &str| json!({ "customer_id": customer, "staff_id": "S1" });
    let used = flow.contact_way(wanted("C-1")).await.json();
    flow.contact_way(wanted("C-2")).await;
    let kept = flow.contact_way(wanted("C-3")).await.json();
    flow.scan(&used, "wmFirst").await;
    flow.app
        .db
        .execute("update contact_way set expires_at = now() - interval '1 second' where customer_id = 'C-2'")
        .await;

    let admin = &flow.app.app.admin_half;
    let housekeeper = Housekeeper::new(admin.pool.clone(), admin.wecom.clone(), admin.rules.clone());
    let delete = "externalcontact/del_contact_way";
    flow.platform.faults().set(delete, Fault { errcode: Some(-1), times: Some(1), ..Fault::default() });
    housekeeper.round().await.expect("a round");
    assert_eq!(flow.platform.with(|world| world.contact_ways().count()), 2, "one failed");
    flow.app.db.execute("update contact_way set delete_due_at = now() - interval '1 second'").await;
    housekeeper.round().await.expect("a round");
    housekeeper.round().await.expect("a round");
    let left = flow.platform.with(|world| world.contact_ways().map(|it| it.state.clone()).collect::<Vec<_>>());
    assert_eq!(left, [kept["state"].as_str().expect("a state")]);
    assert_eq!(flow.platform.calls_of(delete).len(), 3);
    assert_eq!(flow.matched().await, ["wmFirst ann C-1 state"], "the match stays");
    flow.finish().await;
}

#[tokio::test]
async fn a_request_makes_one_code_whatever_the_clock_difference_to_the_database() {
    for clock in ["-40 days", "40 days"] {
        let flow = Flow::start_beside(clock).await;
        let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
        let way = flow.contact_way(wanted.clone()).await;
        assert_eq!((way.status, flow.made()), (200, (1, 1)), "{clock}: {}", way.text());
        let again = flow.contact_way(wanted.clone()).await.json();
        assert_eq!((&again["state"], flow.made()), (&way.json()["state"], (1, 1)), "{clock}: it is valid");
        let expire = "update contact_way set expires_at = pg_catalog.now() - interval '1 second' + interval ";
        flow.app.db.execute(&format!("{expire} '{clock}'")).await;
        let other = flow.contact_way(wanted).await.json();
        assert_ne!(other["state"], again["state"], "{clock}: the database says that it has expired");
        assert_eq!(flow.made(), (2, 2), "{clock}");
        flow.finish().await;
    }
}

#[tokio::test]
async fn a_code_whose_creation_was_lost_is_found_even_if_the_database_clock_is_ahead() {
    let flow = Flow::start_beside("40 days").await;
    flow.platform.faults().set(ADD, Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() });
    let way = flow.contact_way(json!({ "customer_id": "C-1", "staff_id": "S1" })).await;
    assert_eq!((way.status, flow.made()), (200, (1, 1)), "{}", way.text());
    flow.finish().await;
}

#[tokio::test]
async fn an_expired_intent_makes_one_code_whose_validity_starts_now() {
    let flow = Flow::start().await;
    flow.app
        .db
        .execute(&format!(
            "insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, expires_at, attempted_at)
             values ('{}', 'way_old', 'C-1', 'S1', 'ann', now() - interval '1 day', now() - interval '2 days')",
            flow.app.corp.corpid
        ))
        .await;
    let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
    for _ in 0..2 {
        let way = flow.contact_way(wanted.clone()).await.json();
        assert_eq!((&way["state"], flow.made()), (&json!("way_old"), (1, 1)));
    }
    assert_eq!(flow.app.db.count("select count(*) from contact_way where expires_at > now()").await, 1);
    flow.finish().await;
}

#[tokio::test]
async fn a_code_created_without_a_picture_url_is_read_again() {
    let flow = Flow::start().await;
    flow.platform.faults().leave_out(ADD, "qr_code");
    let wanted = |customer: &str| json!({ "customer_id": customer, "staff_id": "S1" });
    let way = flow.contact_way(wanted("C-1")).await;
    assert_eq!((way.status, flow.made()), (200, (1, 1)), "{}", way.text());
    let way = way.json();
    assert!(way["qr_code"].as_str().is_some_and(|it| it.starts_with("http")), "{way}");
    assert!(way["qr_png"].as_str().is_some_and(|it| it.len() > 100));

    // Rows without a picture URL, from an earlier version or because WeCom left it out.
    let get = "externalcontact/get_contact_way";
    for (stored, again) in [("''", false), ("null", true)] {
        flow.app.db.execute(&format!("update contact_way set qr_code = {stored}")).await;
        let before = flow.platform.calls_of(get).len();
        let target = format!("{BASE}/customer-contact-qr/{}", way["state"].as_str().expect("a state"));
        let picture = match again {
            false => flow.app.ask("GET", &target, None).await,
            true => flow.contact_way(wanted("C-1")).await,
        };
        assert_eq!(picture.status, 200, "{}", picture.text());
        assert_eq!(flow.platform.calls_of(get).len(), before + 1);
        assert_eq!(flow.app.ask("GET", &target, None).await.status, 200, "now it is known");
        assert_eq!(flow.platform.calls_of(get).len(), before + 1);
    }
    assert_eq!(flow.made(), (1, 1));
    flow.finish().await;
}

#[tokio::test]
async fn a_code_without_a_picture_is_recreated_if_wecom_deleted_it_or_else_reported() {
    let flow = Flow::start().await;
    let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
    let way = flow.contact_way(wanted.clone()).await.json();
    let target = format!("{BASE}/customer-contact-qr/{}", way["state"].as_str().expect("a state"));
    flow.app.db.execute("update contact_way set qr_code = null").await;
    let get = "externalcontact/get_contact_way";
    flow.platform.faults().set(get, Fault { errcode: Some(-1), times: Some(1), ..Fault::default() });
    let busy = flow.app.ask("GET", &target, None).await;
    assert_eq!((busy.status, &busy.json()["code"]), (503, &json!("wecom_unavailable")));

    flow.platform.faults().set(get, Fault { errcode: Some(41044), times: Some(1), ..Fault::default() });
    let gone = flow.app.ask("GET", &target, None).await;
    assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("contact_way_unknown")));
    let other = flow.contact_way(wanted).await;
    assert_eq!((other.status, flow.made().0), (200, 2), "{}", other.text());
    assert_ne!(other.json()["state"], way["state"]);
    flow.finish().await;
}

#[tokio::test]
async fn the_housekeeper_skips_a_corp_for_the_round_after_three_failed_calls() {
    let flow = Flow::start().await;
    for customer in ["C-1", "C-2", "C-3", "C-4", "C-5"] {
        flow.contact_way(json!({ "customer_id": customer, "staff_id": "S1" })).await;
    }
    flow.app.db.execute("update contact_way set expires_at = now() - interval '1 second'").await;
    let admin = &flow.app.app.admin_half;
    let housekeeper = Housekeeper::new(admin.pool.clone(), admin.wecom.clone(), admin.rules.clone());
    let delete = "externalcontact/del_contact_way";
    flow.platform.faults().set(delete, Fault { errcode: Some(-1), ..Fault::default() });
    housekeeper.round().await.expect("a round");
    assert_eq!(flow.platform.calls_of(delete).len(), 3);
    flow.finish().await;
}

#[tokio::test]
async fn a_looping_or_incomplete_search_for_a_lost_contact_way_makes_no_second_one() {
    let flow = Flow::start().await;
    flow.platform.faults().set(ADD, Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() });
    let page = |ways: Value, cursor: &str| {
        json!({ "errcode": 0, "contact_way": ways, "next_cursor": cursor }).to_string().into_bytes()
    };
    let body = json!({ "customer_id": "C-1", "staff_id": "S1" });
    for bodies in [
        vec![page(json!([]), "a"), page(json!([]), "b")],
        vec![page(json!([{ "config_id": null }]), "")],
        vec![page(json!({}), "")],
    ] {
        flow.platform.faults().set("externalcontact/list_contact_way", Fault { bodies, ..Fault::default() });
        let answer = flow.contact_way(body.clone()).await;
        assert!(answer.status >= 400, "{}", answer.text());
        assert_eq!(flow.made(), (1, 1));
        flow.later().await;
    }
    flow.platform.faults().clear();
    let found = flow.contact_way(body).await;
    assert!(found.status < 300, "{}", found.text());
    assert_eq!(flow.made(), (1, 1), "it was found");
    flow.app.finish().await;
}
