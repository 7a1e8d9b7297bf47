//! Transfers that WeCom does not decide in time: overdue, polled once a day, and open to an operator meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wecomd::{
    handover::{Next, OVERDUE_AFTER},
    ids::{ExternalUserId, UserId},
    privacy::{Eraser, Step},
    sandbox::Fault,
    tables::handover,
};

use crate::support::Acting;

const BASE: &str = "/api/enterprise-wechat";

const RESULTS: &str = "externalcontact/transfer_result";

/// Every item's round, state and reason, the customer's name left out.
const ITEMS: &str = "select concat_ws(' ', round, state, reason) from handover_item order by subject, round";

/// How long after the call or the announced time an item is overdue.
const PAST: &str = "interval '27 hours'";

fn customer(n: usize) -> ExternalUserId {
    ExternalUserId(format!("wmOVERDUE{n:04}CUSTOMER"))
}

/// A handover of one customer to bob, which WeCom has accepted; its results say this and nothing else.
async fn taken_on(said: Option<i64>) -> (Acting, i64) {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &[customer(0)]).await;
    says(&acting, said);
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.drive(id).await.expect("driven");
    (acting, id)
}

fn says(acting: &Acting, status: Option<i64>) {
    acting.platform.with(|world| world.transfer_rules.results.insert(customer(0), status));
}

/// As if the call and every question had been made long ago.
async fn later(acting: &Acting) {
    for sql in [
        format!("update handover_call set attempted_at = attempted_at - {PAST}"),
        format!("update handover_item set submitted_at = submitted_at - {PAST}"),
        format!("update handover set overdue_polled_at = overdue_polled_at - {PAST}"),
    ] {
        acting.app.db.execute(&sql).await;
    }
}

async fn items(acting: &Acting) -> Vec<String> {
    acting.app.db.texts(ITEMS).await
}

fn asked(acting: &Acting) -> usize {
    acting.platform.calls_of(RESULTS).len()
}

#[tokio::test]
async fn an_undecided_item_becomes_overdue_with_its_last_message_and_is_polled_daily() {
    for (said, words) in [
        (None, "企业微信的转接结果中没有该客户"),
        (Some(5), "企业微信没有该客户的转接记录(状态 5)"),
        (Some(9), "企业微信返回了未知的转接状态 9"),
        (Some(2), "企业微信仍显示等待接替"),
    ] {
        let (acting, id) = taken_on(said).await;
        acting.drive(id).await.expect("driven");
        assert!(items(&acting).await[0].starts_with("1 waiting"), "it has its time");
        later(&acting).await;
        let next = acting.drive(id).await.expect("driven");
        assert_eq!(items(&acting).await, [format!("1 overdue {words}")]);
        let log = "select from_state || ' ' || to_state || ' ' || actor from handover_log where item_id is not null order by id desc limit 1";
        assert_eq!(acting.app.db.texts(log).await, ["waiting overdue wecomd"]);
        assert_eq!(acting.app.db.texts("select state from handover").await, ["waiting"], "it is not a final state");
        let mut conn = acting.app.db.pool.acquire().await.expect("connects");
        assert_eq!(handover::stuck(&mut conn, OVERDUE_AFTER).await.expect("counted"), 1);
        drop(conn);

        // The first poll of the overdue item is due at once, the next after a day.
        assert!(matches!(next, Next::Again(pause) if pause.as_secs() <= 60), "{next:?}");
        let before = asked(&acting);
        let mut pauses = BTreeSet::new();
        for _ in 0..3 {
            let next = acting.drive(id).await.expect("driven");
            let Next::Again(pause) = next else { panic!("{next:?}") };
            pauses.insert(pause.as_secs() / 3600);
        }
        assert_eq!(asked(&acting), before + 1, "three polls, one call");
        assert_eq!(pauses, BTreeSet::from([23]));
        later(&acting).await;
        acting.drive(id).await.expect("driven");
        assert_eq!(asked(&acting), before + 2);
        acting.finish().await;
    }
}

#[tokio::test]
async fn an_item_is_overdue_only_after_the_latest_announced_time() {
    let (acting, id) = taken_on(None).await;
    acting.app.db.execute("update handover_item set takeover_at = now() + interval '1 hour'").await;
    later(&acting).await;
    acting.drive(id).await.expect("driven");
    assert!(items(&acting).await[0].starts_with("1 waiting"), "the announced time is still to come");
    acting.app.db.execute(&format!("update handover_item set takeover_at = now() - {PAST}")).await;
    acting.drive(id).await.expect("driven");
    assert!(items(&acting).await[0].starts_with("1 overdue"));

    acting.platform.with(|world| world.transfer_rules.results.clear());
    acting.drive(id).await.expect("driven");
    assert!(items(&acting).await[0].starts_with("1 waiting"), "WeCom announces a time within a day");
    acting.finish().await;
}

#[tokio::test]
async fn a_later_answer_settles_an_overdue_item() {
    for (status, state) in [(1, "done"), (3, "refused"), (4, "full")] {
        let (acting, id) = taken_on(Some(5)).await;
        later(&acting).await;
        acting.drive(id).await.expect("driven");
        says(&acting, Some(status));
        assert_eq!(acting.drive(id).await.expect("driven"), Next::Over);
        let states = acting.app.db.texts("select state || (finished_at is not null) from handover_item").await;
        assert_eq!(states, [format!("{state}true")]);
        assert_eq!(acting.app.db.texts("select state from handover").await, ["done"]);
        acting.finish().await;
    }
}

#[tokio::test]
async fn a_new_round_ends_the_overdue_item_and_ignores_its_late_result() {
    let (acting, id) = taken_on(Some(5)).await;
    acting.successor("cai").await;
    later(&acting).await;
    acting.drive(id).await.expect("driven");
    let version = acting.app.db.count(&format!("select version from handover where id = {id}")).await;
    let plan = json!({ "version": version, "successor": "S-cai", "again": true, "kinds": ["customer"] });
    let planned = acting.app.ask("PUT", &format!("{BASE}/handovers/{id}/plan"), Some(plan)).await;
    assert_eq!(planned.status, 200, "{}", planned.text());
    let states = "select round || ' ' || state || ' ' || successor_userid from handover_item order by round";
    assert_eq!(acting.app.db.texts(states).await, ["1 failed bob", "2 planned cai"]);
    let log = format!(
        "select to_state || ' ' || cause from handover_log where item_id is not null and to_state = 'failed' and handover_id = {id}"
    );
    assert_eq!(acting.app.db.texts(&log).await, ["failed 超时未有结果,重新安排"]);

    // Results for the first round are ignored from now on.
    says(&acting, Some(3));
    acting.drive(id).await.expect("driven");
    assert_eq!(acting.app.db.texts(states).await, ["1 failed bob", "2 planned cai"]);
    acting.finish().await;
}

#[tokio::test]
async fn overdue_items_can_be_given_up_and_appear_in_answers_and_reports() {
    let (acting, id) = taken_on(Some(5)).await;
    later(&acting).await;
    acting.drive(id).await.expect("driven");
    let items = acting.app.ask("GET", &format!("{BASE}/handovers/{id}/items?state=overdue"), None).await.json();
    assert_eq!(items["items"][0]["reason"], json!("企业微信没有该客户的转接记录(状态 5)"), "{items}");
    let history = acting.app.ask("GET", &format!("{BASE}/transfer-history?state=overdue"), None).await.json();
    assert_eq!(
        (&history["items"][0]["state"], history["items"].as_array().map(Vec::len)),
        (&json!("overdue"), Some(1))
    );
    let report = async || {
        let answer = acting.app.ask("GET", &format!("{BASE}/reports/handover_outcomes"), None).await.json();
        let row: Value = answer["items"][0].clone();
        (row["overdue"].clone(), row["under_way"].clone(), row["failed"].clone())
    };
    assert_eq!(report().await, (json!(1), json!(1), json!(0)));

    let close = json!({ "subjects": [customer(0).as_str()], "reason": "客户已自行联系其他同事" });
    let closed = acting.app.ask("POST", &format!("{BASE}/handovers/{id}/close"), Some(close)).await;
    assert_eq!((closed.status, &closed.json()["closed"]), (200, &json!(1)), "{}", closed.text());
    assert_eq!(report().await, (json!(0), json!(0), json!(1)));
    assert_eq!(acting.app.db.texts("select state from handover").await, ["done"]);
    acting.finish().await;
}

#[tokio::test]
async fn unmoved_groups_and_items_without_results_become_overdue() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &[customer(0)]).await;
    acting.group_in(id, "ann", "一群").await;
    // The transfer is completed much later than WeCom announced.
    acting.platform.with(|world| world.transfer_rules.inherit_after_s = 90 * 24 * 3600);
    acting.platform.leave(&UserId::from("ann")).await.expect("left");
    acting.platform.pushed().await;
    acting.app.drain().await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.drive(id).await.expect("driven");
    let forbidden = Fault { errcode: Some(48002), ..Fault::default() };
    acting.platform.faults().set("externalcontact/resigned/transfer_result", forbidden);
    later(&acting).await;
    acting.app.db.execute("update handover_item set takeover_at = null").await;
    acting.drive(id).await.expect_err("an app without that right");
    let states =
        "select kind || ' ' || state || ' ' || (reason like '%48002%') || ' ' || (reason = '客户群的群主尚未变更')
                  from handover_item order by kind";
    assert_eq!(acting.app.db.texts(states).await, ["customer overdue true false", "group overdue false true"]);
    acting.finish().await;
}

#[tokio::test]
async fn an_erased_overdue_customer_is_no_longer_polled() {
    let (acting, id) = taken_on(Some(5)).await;
    later(&acting).await;
    acting.drive(id).await.expect("driven");
    let erased = acting.app.ask("DELETE", &format!("{BASE}/customers/{}", customer(0)), None).await;
    assert_eq!(erased.status, 202, "{}", erased.text());
    let eraser = Eraser::new(acting.app.db.pool.clone(), acting.app.app.admin_half.media.clone());
    while eraser.step().await.expect("the database answers") == Step::Worked {}
    assert_eq!(acting.app.db.texts("select state from handover_item").await, ["cancelled"]);
    let before = asked(&acting);
    assert_eq!(acting.drive(id).await.expect("driven"), Next::Over);
    assert_eq!(asked(&acting), before);
    acting.finish().await;
}
