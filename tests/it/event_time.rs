//! Times of events: in milliseconds they are understood, and without one people see when it arrived. What is stored under
//! which key, and who wins, does not depend on that.

use serde_json::Value;
use wecomd::sandbox::{AppKind, Push};

use crate::support::{
    TestApp,
    plaintext::{contact, event, member, text},
};

/// A moment in the past.
const AT: i64 = 1_700_000_000;

/// A customer.
const CUSTOMER: &str = "wmAlice00000000000000000000000001";

/// The time at which the test says that a delivery was stored.
const STORED: &str = "2026-01-31 08:00:00+00";

const BASE: &str = "/api/enterprise-wechat";

impl TestApp {
    /// Delivers plaintexts as if they had been stored at [`STORED`], and records them.
    async fn hear_at_stored(&self, plaintexts: &[String]) {
        let pushes = plaintexts.iter().map(|it| Push::genuine(AppKind::App, it.clone())).collect();
        self.deliver(pushes).await;
        self.db.execute(&format!("update inbox set received_at = '{STORED}'")).await;
        self.drain().await;
    }

    async fn contact_shown(&self) -> Value {
        self.ask("GET", &format!("{BASE}/customer-contact/{CUSTOMER}"), None).await.json()["items"][0].clone()
    }

    async fn records_shown(&self, query: &str) -> Vec<Value> {
        let target = format!("{BASE}/contact-records/{CUSTOMER}?{query}");
        self.ask("GET", &target, None).await.json()["items"].as_array().expect("a list").clone()
    }
}

#[tokio::test]
async fn a_time_in_milliseconds_is_used_for_display_and_deadlines() {
    let app = TestApp::start().await;
    let ms = AT * 1_000 + 123;
    let added = contact(ms, "add_external_contact", "zhangsan", CUSTOMER, &[("WelcomeCode", "code-1")]);
    app.hear_at_stored(&[added, text(ms + 5_000, CUSTOMER, "你好", 1), member(ms, "create_user", "zhangsan", &[])])
        .await;

    assert_eq!(app.db.count("select count(*) from inbox where event_at = to_timestamp(0)").await, 3, "its key stays");
    let said = format!(
        "select count(*) from customer_wechat_contact where first_contact_time = to_timestamp({AT})
         and status_at = to_timestamp({AT}) and last_contact_time = to_timestamp({AT} + 5)"
    );
    assert_eq!(app.db.count(&said).await, 1);
    let joined = format!("select count(*) from member where joined_at = to_timestamp({AT})");
    assert_eq!(app.db.count(&joined).await, 1);
    let deadline = format!("select count(*) from task where kind = 'welcome' and deadline = to_timestamp({AT} + 20)");
    assert_eq!(app.db.count(&deadline).await, 1);
    let shown = app.records_shown("").await;
    assert_eq!(
        shown.iter().map(|it| it["contact_time"].clone()).collect::<Vec<_>>(),
        ["2023-11-14T22:13:25Z", "2023-11-14T22:13:20Z"]
    );
    assert!(shown.iter().all(|it| it["time_is_arrival"] == false));
    app.finish().await;
}

#[tokio::test]
async fn replaying_a_record_stored_at_the_epoch_gives_it_its_true_time() {
    let app = TestApp::start().await;
    app.hear_at_stored(&[text(AT * 1_000, CUSTOMER, "你好", 1)]).await;
    // As an earlier version stored it, which did not understand milliseconds.
    app.db.execute("update wechat_contact_record set contact_time = to_timestamp(0)").await;
    let id = app.db.texts("select app_id || '-0-' || encode(hash, 'hex') from inbox").await;
    assert!(app.ask("POST", &format!("{BASE}/deliveries/{}/replay", id[0]), None).await.status < 300);
    app.drain().await;
    let times = app.db.texts("select extract(epoch from contact_time)::bigint::text from wechat_contact_record").await;
    assert_eq!(times, [AT.to_string()]);
    app.finish().await;
}

#[tokio::test]
async fn without_event_time_the_arrival_is_shown_as_such_and_not_written_to_registers() {
    let app = TestApp::start().await;
    let added = contact(0, "add_external_contact", "zhangsan", CUSTOMER, &[]);
    let without = text(0, CUSTOMER, "你好", 1).replace("<CreateTime>0</CreateTime>", "");
    app.hear_at_stored(&[added, without, text(-5, CUSTOMER, "在吗", 2), text(AT, CUSTOMER, "早", 3)]).await;

    let shown = app.contact_shown().await;
    for field in ["status_at", "first_contact_time"] {
        assert_eq!(shown[field], "2026-01-31T08:00:00Z", "{field} of {shown}");
    }
    assert_eq!(
        (&shown["last_contact_time"], &shown["time_is_arrival"]),
        (&"2023-11-14T22:13:20Z".into(), &true.into())
    );
    let records = app.records_shown("").await;
    let seen = |it: &Value| (it["contact_time"].as_str().map(str::to_owned), it["time_is_arrival"].clone());
    let arrived = (Some("2026-01-31T08:00:00Z".to_owned()), Value::from(true));
    let dated = (Some("2023-11-14T22:13:20Z".to_owned()), Value::from(false));
    assert_eq!(records.iter().map(seen).collect::<Vec<_>>(), [arrived.clone(), arrived.clone(), arrived, dated]);
    assert_eq!(
        app.records_shown("from=2026-01-01T00:00:00Z").await.len(),
        3,
        "they are filtered by the time that is shown"
    );
    assert_eq!(app.records_shown("to=2026-01-01T00:00:00Z").await.len(), 1);

    let registers = "select count(*) from customer_wechat_contact where status_at = to_timestamp(0)
        and first_contact_time is null";
    assert_eq!(app.db.count(registers).await, 1, "no register holds the arrival");
    assert_eq!(app.db.count("select count(*) from wechat_contact_record where contact_time > '2026-01-01'").await, 0);

    app.hear_at_stored(&[contact(AT, "del_follow_user", "zhangsan", CUSTOMER, &[])]).await;
    let shown = app.contact_shown().await;
    assert_eq!((&shown["status"], &shown["status_at"]), (&"lost".into(), &"2023-11-14T22:13:20Z".into()));
    app.finish().await;
}

#[tokio::test]
async fn a_greeting_without_a_time_has_twenty_seconds_from_its_arrival() {
    let app = TestApp::start().await;
    for (code, at) in [("code-1", 0), ("code-2", -1), ("code-3", 99_999_999_999_999)] {
        let added = contact(at, "add_external_contact", "zhangsan", CUSTOMER, &[("WelcomeCode", code)]);
        app.hear_at_stored(&[added]).await;
    }
    // An event time ahead of our clock gives the same deadline.
    app.hear_at_stored(&[contact(
        4_000_000_000,
        "add_external_contact",
        "lisi",
        CUSTOMER,
        &[("WelcomeCode", "code-4")],
    )])
    .await;
    let greetings = format!(
        "select count(*) from task where kind = 'welcome' and due_at = '{STORED}'
         and deadline = timestamptz '{STORED}' + interval '20 s'"
    );
    assert_eq!(app.db.count(&greetings).await, 4);
    let due = "select count(*) from task where due_at < '2013-01-01' or due_at > now()";
    assert_eq!(app.db.count(due).await, 0, "nothing else is due in 1970, or in a hundred years");
    app.finish().await;
}

#[tokio::test]
async fn the_earlier_of_two_arrivals_of_one_event_counts_in_either_order() {
    let app = TestApp::start().await;
    for (customer, first) in [("wmX", "service"), ("wmY", "directory")] {
        let added = contact(0, "add_external_contact", "zhangsan", customer, &[]);
        let of = |name: &str| app.corp.apps.iter().find(|it| it.name == name).expect("an app").kind;
        app.deliver(vec![Push::genuine(of("service"), added.clone()), Push::genuine(of("directory"), added)]).await;
        app.db.wait_alone().await;
        let app_id = |name: &str| format!("(select id from enterprise_wechat_config where name = '{name}')");
        app.db
            .execute(&format!(
                "update inbox set received_at = '{STORED}'::timestamptz + case when app_id = {} then interval '0' else interval '1 hour' end
                 where received_at > '2026-02-01';
                 update pending set due_at = now() + interval '1 hour' where app_id <> {}",
                app_id("service"),
                app_id(first),
            ))
            .await;
        app.drain().await;
        app.db.execute("update pending set due_at = now()").await;
        app.drain().await;
    }
    let times = format!(
        "select (select count(*) from wechat_contact_record where arrived_at = '{STORED}' and contact_time = to_timestamp(0))
            + (select count(*) from customer_wechat_contact where met_arrived_at = '{STORED}' and heard_arrived_at = '{STORED}')"
    );
    assert_eq!(
        app.db.count(&times).await,
        4,
        "{:?}",
        app.db.texts("select arrived_at::text from wechat_contact_record").await
    );
    assert_eq!(app.db.count("select count(*) from wechat_contact_record").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn an_edit_shows_its_arrival_and_a_leaver_without_event_time_has_no_leaving_time() {
    let app = TestApp::start().await;
    let edited = contact(AT, "edit_external_contact", "zhangsan", CUSTOMER, &[]);
    app.hear_at_stored(&[edited, member(0, "delete_user", "lisi", &[])]).await;
    let shown = app.contact_shown().await;
    assert_eq!((&shown["status"], &shown["status_at"]), (&"assumed".into(), &"2026-01-31T08:00:00Z".into()));
    assert_eq!((&shown["first_contact_time"], &shown["time_is_arrival"]), (&Value::Null, &true.into()));
    let unmatched = "select day || ' ' || time_is_arrival from reporting.unmatched_customers";
    assert_eq!(app.db.texts(unmatched).await, ["2026-01-31 true"]);

    let handovers = app.ask("GET", &format!("{BASE}/handovers"), None).await.json();
    assert_eq!(
        (&handovers["items"][0]["wechat_userid"], &handovers["items"][0]["left_at"]),
        (&"lisi".into(), &Value::Null)
    );
    app.hear_at_stored(&[event(0, "unsubscribe", &[("UserID", "wangwu")])]).await;
    assert_eq!(app.db.count("select count(*) from task where due_at < '2013-01-01'").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn an_order_is_contacted_at_the_arrival_of_a_callback_without_event_time() {
    let app = TestApp::start().await;
    app.db
        .execute(&format!(
            "insert into work_order (corpid, customer_id, description) values ('{corp}', 'C-1', 'x');
             insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, work_order_id, expires_at)
             select '{corp}', 'way_a', 'C-1', 'S1', 'zhangsan', id, now() + interval '1 day' from work_order;",
            corp = app.corp.corpid
        ))
        .await;
    app.hear_at_stored(&[contact(0, "add_external_contact", "zhangsan", CUSTOMER, &[("State", "way_a")])]).await;
    let contacted = format!("select count(*) from work_order where state = 'contacted' and contacted_at = '{STORED}'");
    assert_eq!(app.db.count(&contacted).await, 1);
    let shown = app.ask("GET", &format!("{BASE}/customer-contact/C-1"), None).await.json();
    assert_eq!(shown["contact_ways"][0]["used_at"], "2026-01-31T08:00:00Z", "{shown}");
    let register = "select count(*) from contact_way where used_at = to_timestamp(0)";
    assert_eq!(app.db.count(register).await, 1, "the arrival does not decide the order");
    app.finish().await;
}
