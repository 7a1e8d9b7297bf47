//! Matching contacts to customers: the result does not depend on the order in which facts arrive.

use chrono::{DateTime, Utc};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;
use wecomd::{
    changes::{Changes, ContactStatus, Origin, Source, contact::Card},
    ids::{ContactWayState, CorpId, CustomerId, DeliveryKey, ExternalUserId, UserId},
    sandbox::{AppKind, Push},
    tables::{
        apply,
        customers::matching::{People, with_phone},
        orders::work_order::{self, NewOrder},
        records::wechat_contact_record::KnownMonths,
    },
};

use crate::support::{TestApp, TestDb, database::texts, plaintext::contact};

const BASE: &str = "/api/enterprise-wechat";

/// How many sets of facts are tried; each is applied in two orders.
const SETS: u32 = 150;

/// A fact.
#[derive(Debug, Clone)]
enum Fact {
    /// A code for this customer stands in our table; the order it is about, if it is.
    Way { state: usize, customer: usize, order: Option<usize> },
    /// A contact begins, through this state.
    Added { at: i64, user: usize, person: usize, state: Option<&'static str> },
    /// A card was read.
    Read { at: i64, user: usize, person: usize, unionid: Option<usize>, mobiles: Vec<usize> },
    /// A customer ordered something.
    Ordered { customer: usize, phone: usize },
}

const USERS: [&str; 2] = ["ann", "bob"];
const PEOPLE: [&str; 3] = ["wmX", "wmY", "woZ"];
const STATES: [&str; 3] = ["way_a", "way_b", "way_c"];
const CUSTOMERS: [&str; 3] = ["C-1", "C-2", "C-3"];
const UNIONIDS: [&str; 2] = ["oU", "oV"];
const PHONES: [&str; 2] = ["13800000001", "13800000002"];

fn any_fact() -> impl Strategy<Value = Fact> {
    let at = 1_700_000_000..1_700_000_004_i64;
    let state = prop::sample::select(vec![None, Some("way_a"), Some("way_b"), Some("cust:C-3"), Some("booth-3")]);
    prop_oneof![
        4 => (at.clone(), 0..2_usize, 0..3_usize, state)
            .prop_map(|(at, user, person, state)| Fact::Added { at, user, person, state }),
        3 => (at, 0..2_usize, 0..3_usize, prop::option::of(0..2_usize), prop::collection::vec(0..2_usize, 0..3))
            .prop_map(|(at, user, person, unionid, mobiles)| Fact::Read { at, user, person, unionid, mobiles }),
        2 => (0..3_usize, 0..2_usize).prop_map(|(customer, phone)| Fact::Ordered { customer, phone }),
    ]
}

/// Some contact ways, each once, and other facts.
fn any_facts() -> impl Strategy<Value = Vec<Fact>> {
    let way = (0..3_usize, prop::option::of(0..2_usize));
    let ways = prop::collection::vec(way, 0..3).prop_map(|ways| {
        let made = ways.into_iter().enumerate();
        made.map(|(state, (customer, order))| Fact::Way { state, customer, order }).collect::<Vec<_>>()
    });
    (ways, prop::collection::vec(any_fact(), 1..10)).prop_map(|(ways, others)| [ways, others].concat())
}

#[test]
fn matching_gives_the_same_customer_for_facts_in_any_order() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(TestDb::new());
    let corps = std::cell::Cell::new(0);
    let matched = std::cell::Cell::new(0);
    let config = Config { cases: SETS, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let orders = any_facts().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()));
    let law = runner.run(&orders, |(one, other)| {
        let mut tables = Vec::new();
        for facts in [&one, &other] {
            corps.set(corps.get() + 1);
            tables.push(runtime.block_on(learn(&db, corps.get(), facts)));
        }
        matched
            .set(matched.get() + tables[0].iter().filter(|it| it.starts_with("contact") && it.contains("C-")).count());
        prop_assert_eq!(&tables[0], &tables[1]);
        Ok(())
    });
    if let Err(failure) = law {
        panic!("{failure}");
    }
    assert!(matched.get() > 100, "only {} contacts were matched", matched.get());
    runtime.block_on(db.close());
}

/// Applies these facts to a separate corp, one transaction each, and reads the matches.
async fn learn(db: &TestDb, corp: u32, facts: &[Fact]) -> Vec<String> {
    let corpid = CorpId(format!("ww{corp}"));
    db.execute(&format!(
        "insert into enterprise_wechat_config (name, corpid, token, encoding_aes_key) values ('c{corp}', '{corpid}', '', '');
         insert into staff_wechat_bind (corpid, staff_id, wechat_userid) values ('{corpid}', 'S1', 'ann');
         insert into work_order (corpid, customer_id, description, state, staff_id) values
             ('{corpid}', 'C-8', 'first', 'assigned', 'S1'), ('{corpid}', 'C-9', 'second', 'new', null);"
    ))
    .await;
    let first = db.count(&format!("select min(id) from work_order where corpid = '{corpid}'")).await;
    for fact in facts {
        let mut transaction = db.pool.begin().await.expect("begins");
        match fact {
            Fact::Way { state, customer, order } => {
                let order = order.map(|it| first + i64::try_from(it).expect("small"));
                apply::lock_alone(&mut transaction, &corpid).await.expect("locks");
                let state = ContactWayState::from(STATES[*state]);
                let row = "insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, work_order_id, expires_at,
                        ended_at) values ($1, $2, $3, 'S1', 'ann', $4, now(), now())";
                let row = sqlx::query(row).bind(&corpid.0).bind(&state.0).bind(CUSTOMERS[*customer]).bind(order);
                row.execute(&mut *transaction).await.expect("the way is new");
                let states = [(corpid.clone(), state)].into();
                apply::follow_scans(&mut transaction, &states, People::new()).await.expect("derives");
            }
            Fact::Ordered { customer, phone } => {
                apply::lock_alone(&mut transaction, &corpid).await.expect("locks");
                order(&mut transaction, &corpid, CUSTOMERS[*customer], PHONES[*phone]).await;
            }
            Fact::Added { at, user, person, state } => {
                let mut changes = Changes::default();
                let at = time(*at);
                let contact = changes.contact(&source(&corpid, at), &USERS[*user].into(), &PEOPLE[*person].into());
                contact.became(ContactStatus::Contacted, at);
                if let Some(state) = state {
                    contact.came_through(state, at);
                }
                apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
            }
            Fact::Read { at, user, person, unionid, mobiles } => {
                let card = Card {
                    unionid: unionid.map(|it| UNIONIDS[it].to_owned()),
                    remark_mobiles: mobiles.iter().map(|it| format!("+86 {}", PHONES[*it])).collect(),
                    ..Card::default()
                };
                // Two readings of one moment must be equal.
                let at = time(at * 60 + reading(unionid, mobiles));
                let mut changes = Changes::default();
                let contact = changes.contact(&source(&corpid, at), &USERS[*user].into(), &PEOPLE[*person].into());
                contact.read(card, at);
                apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
            }
        }
        transaction.commit().await.expect("commits");
    }
    outcome(db, &corpid).await
}

async fn order(conn: &mut sqlx::PgConnection, corpid: &CorpId, customer: &str, phone: &str) {
    let new = NewOrder {
        corpid,
        customer_id: &CustomerId::from(customer),
        customer_name: None,
        phone: Some(phone),
        address: None,
        description: "水管漏水",
        source: None,
    };
    work_order::insert(conn, &new, "test").await.expect("an order");
    let people = with_phone(conn, corpid, phone).await.expect("people");
    apply::follow_scans(conn, &[].into(), people).await.expect("derives");
}

/// A number for what a card says.
fn reading(unionid: &Option<usize>, mobiles: &[usize]) -> i64 {
    let digits = mobiles.iter().fold(unionid.map_or(0, |it| it + 1), |number, it| number * 3 + it + 1);
    i64::try_from(digits).expect("small")
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("in range")
}

fn source(corpid: &CorpId, at: DateTime<Utc>) -> Source {
    let key = DeliveryKey { event_at: at, app_id: 1, hash: [0; 32] };
    Source {
        key,
        corpid: corpid.clone(),
        happened_at: Some(at),
        received_at: at,
        origin: Origin::Callback,
        msgid: None,
        repaired: false,
    }
}

async fn outcome(db: &TestDb, corpid: &CorpId) -> Vec<String> {
    let mut rows = Vec::new();
    for query in [
        "select concat_ws(' ', 'contact', external_userid, wechat_userid, coalesce(customer_id, '-'), matched_by)
         from customer_wechat_contact where corpid = $",
        "select concat_ws(' ', 'way', state, used_at, used_by) from contact_way where corpid = $",
        "select concat_ws(' ', 'match', external_userid, matched_by, candidates::text) from customer_match where corpid = $",
        "select concat_ws(' ', 'order', description, customer_id, state, staff_id, contacted_at, contacted_state)
         from work_order where corpid = $",
        "select concat_ws(' ', 'change', description, from_state, to_state) from work_order_change
         join work_order on work_order.id = work_order_id where corpid = $",
        "select 'told ' || count(*) from task where kind = 'notify_staff' and corpid = $",
    ] {
        rows.extend(texts(&db.pool, &query.replace('$', &format!("'{corpid}'"))).await);
    }
    rows.sort();
    rows
}

#[tokio::test]
async fn no_contact_index_except_the_key_contains_corpid() {
    let db = TestDb::new().await;
    let query =
        "select indexname::text from pg_indexes where tablename = 'customer_wechat_contact' and indexdef ~ 'corpid'";
    assert_eq!(db.texts(query).await, ["customer_wechat_contact_key"]);
}

#[tokio::test]
async fn a_contact_with_several_candidates_is_listed_and_never_matched_automatically() {
    let app = TestApp::start().await;
    let corpid = app.corp.corpid.clone();
    let read = async |user: &str, person: &str, card: Card, at: i64| {
        let mut changes = Changes::default();
        let (user, person) = (UserId::from(user), ExternalUserId::from(person));
        let contact = changes.contact(&source(&corpid, time(at)), &user, &person);
        contact.became(ContactStatus::Contacted, time(at));
        contact.read(card, time(at));
        let mut transaction = app.db.pool.begin().await.expect("begins");
        apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
        transaction.commit().await.expect("commits");
    };
    let matched = async || {
        let query = "select concat_ws(' ', external_userid, wechat_userid, customer_id, matched_by) from customer_wechat_contact order by 1";
        app.db.texts(query).await
    };
    for (customer, phone) in [("C-1", "138 0000 0001"), ("C-2", "13800000001"), ("C-3", "13800000002")] {
        let body = json!({ "customer_id": customer, "phone": phone, "description": "水管漏水" });
        assert_eq!(app.ask("POST", &format!("{BASE}/work-orders"), Some(body)).await.status, 201);
    }
    let card = |unionid: Option<&str>, mobiles: &[&str]| Card {
        unionid: unionid.map(str::to_owned),
        remark_mobiles: mobiles.iter().map(|it| (*it).to_owned()).collect(),
        ..Card::default()
    };
    read("ann", "wmX", card(Some("oX"), &["+8613800000001"]), 1_700_000_000).await;
    read("bob", "wmY", card(None, &["13800000002"]), 1_700_000_000).await;
    assert_eq!(matched().await, ["wmX ann", "wmY bob C-3 mobile"]);
    let listed = app.ask("GET", &format!("{BASE}/customer-matches"), None).await.json();
    let [open] = listed["items"].as_array().expect("rows").as_slice() else { panic!("{listed}") };
    assert_eq!((&open["candidates"], &open["matched_by"]), (&json!(["C-1", "C-2"]), &json!("mobile")));
    let story = app.ask("GET", &format!("{BASE}/customer-contact/C-2"), None).await.json();
    assert_eq!(story["customer_matches"].as_array().map(Vec::len), Some(1));

    let decide = format!("{BASE}/customer-matches/{}", open["id"]);
    let decided = app.ask("POST", &decide, Some(json!({ "customer_id": "C-2" }))).await;
    assert_eq!((decided.status, &decided.json()["decided_by"]), (200, &json!("test")), "{}", decided.text());
    let listed = app.ask("GET", &format!("{BASE}/customer-matches"), None).await.json();
    assert_eq!(listed["items"], json!([]));

    // Others follow: another member's contact of the same person, and another account of theirs.
    read("bob", "wmX", card(Some("oX"), &[]), 1_700_000_001).await;
    read("bob", "wmZ", card(Some("oX"), &["13800000002"]), 1_700_000_001).await;
    assert_eq!(
        matched().await,
        ["wmX ann C-2 admin", "wmX bob C-2 admin", "wmY bob C-3 mobile", "wmZ bob C-2 unionid"]
    );
    assert_eq!(
        app.ask("POST", &format!("{BASE}/customer-matches/999"), Some(json!({ "customer_id": "C" }))).await.status,
        404
    );
    app.finish().await;
}

#[tokio::test]
async fn a_further_contact_matches_a_person_by_a_criterion_that_was_turned_on_later() {
    let app = TestApp::start().await;
    app.db.execute("update contact_flow_setting set matching_order = '{unionid}'").await;
    let added = |at: i64, user: &str, state: &[(&str, &str)]| {
        Push::genuine(AppKind::App, contact(at, "add_external_contact", user, "wmX", state))
    };
    app.deliver(vec![added(1_700_000_000, "ann", &[("State", "cust:C-3")])]).await;
    app.drain().await;
    let matched = "select count(*) from customer_wechat_contact where customer_id = 'C-3'";
    assert_eq!(app.db.count(matched).await, 0, "states do not count");
    app.db.execute("update contact_flow_setting set matching_order = '{state,unionid}'").await;
    app.deliver(vec![added(1_700_000_001, "bob", &[])]).await;
    app.drain().await;
    assert_eq!(app.db.count(matched).await, 2, "both contacts of the person");
    app.finish().await;
}
