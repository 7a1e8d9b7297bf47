//! Pulling 微信客服: every message once, whatever is lost, repeated, refused or killed.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use wecomd::{
    changes::TaskKind,
    sandbox::Fault,
    tasks::{Executor, Step, WorkerPool, kf::poll},
};

use crate::support::{
    acting::{context, kf_settings},
    kf::{Desk, PERSON, SYNC, now},
    wait::until,
};

#[tokio::test]
async fn a_page_that_comes_twice_is_recorded_once() {
    let desk = Desk::open().await;
    for text in ["一", "二", "三"] {
        desk.writes(PERSON, text).await;
    }
    desk.pull().await;
    assert_eq!(desk.records().await.len(), 3);
    // The cursor is lost, as with an older backup: the same page comes again.
    desk.acting.app.db.execute("update kf_account set cursor = ''").await;
    desk.pull_without_token().await;
    desk.acting.app.drain().await;
    assert_eq!(
        (desk.records().await.len(), desk.acting.app.db.count("select count(*) from inbox where origin = 2").await),
        (3, 3)
    );
    // The same message in other bytes, as through another app, is another delivery and the same record.
    let at = now();
    let mut said = desk.said("kfmsgX", at, PERSON, "四");
    desk.deposit(at, said.clone()).await;
    said["new"] = json!({ "from": "tomorrow" });
    desk.deposit(at, said).await;
    desk.acting.app.drain().await;
    assert_eq!(desk.acting.app.db.count("select count(*) from inbox where origin = 2").await, 5);
    assert_eq!(desk.records().await.len(), 4);
    desk.finish().await;
}

#[tokio::test]
async fn empty_pages_end_nothing_and_long_accounts_are_read_page_by_page() {
    let desk = Desk::open().await;
    desk.acting.platform.with(|world| (world.kf.per_page, world.kf.empty_pages) = (2, true));
    for n in 0..7 {
        desk.writes(PERSON, &format!("第{n}句")).await;
    }
    desk.pull().await;
    assert_eq!(desk.records().await.len(), 7);
    assert_eq!(desk.pulls().len(), 8, "four pages, and an empty one before each");
    let account = desk.acting.app.db.texts("select cursor || ' ' || name || ' ' || managed from kf_account").await;
    assert_eq!(account, ["K7 水暖报修 true"]);
    assert_eq!(desk.acting.left(TaskKind::PullKf).await, [""; 0]);
    desk.finish().await;
}

/// How many messages are stored, and how many the cursor is past.
async fn stored_and_passed(desk: &Desk) -> (i64, i64) {
    let stored = desk.acting.app.db.count("select count(*) from inbox where origin = 2").await;
    let passed = desk
        .acting
        .app
        .db
        .count("select coalesce(max(nullif(substr(cursor, 2), '')::bigint), 0) from kf_account")
        .await;
    (stored, passed)
}

#[tokio::test]
async fn killed_anywhere_the_cursor_is_never_ahead_of_the_inbox() {
    let desk = Desk::open().await;
    let db = &desk.acting.app.db;
    desk.acting.platform.with(|world| world.kf.per_page = 2);
    desk.writes(PERSON, "先来一句").await;
    desk.pull().await;
    for n in 0..6 {
        desk.writes(PERSON, &format!("第{n}句")).await;
    }
    desk.acting.platform.pushed().await;
    desk.acting.app.drain().await;
    let locks = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    // While WeCom is asked; while the cursor is moved; while the page is stored.
    for held in ["", "select from kf_account for update", "lock table inbox in share mode"] {
        db.execute("update task set due_at = now(), lease = null, leased_until = null").await;
        let mut holder = db.pool.begin().await.expect("begins");
        if held.is_empty() {
            let slow = Fault { latency: Duration::from_secs(20), ..Fault::default() };
            desk.acting.platform.faults().set(SYNC, slow);
        } else {
            desk.acting.platform.faults().clear();
            sqlx::query(held).execute(&mut *holder).await.expect("held");
        }
        let before = desk.pulls().len();
        let mut executor = Executor::new(context(&desk.acting.app), WorkerPool::of(TaskKind::PullKf, 1));
        let killed = tokio::spawn(async move { executor.step().await });
        until("it is in the middle", async || match held {
            "" => desk.pulls().len() > before,
            _ => db.count(locks).await > 0,
        })
        .await;
        killed.abort();
        assert!(killed.await.is_err());
        holder.rollback().await.expect("let go");
        until("its connection is gone", async || db.count(locks).await == 0).await;
        let (stored, passed) = stored_and_passed(&desk).await;
        assert!(stored >= passed, "{held}: {passed} of {stored}");
        assert_eq!(passed, 1, "nothing of the interrupted page counts");
    }
    db.execute("update task set lease = null, leased_until = null").await;
    desk.pull().await;
    assert_eq!(desk.records().await.len(), 7);
    assert_eq!(stored_and_passed(&desk).await, (7, 7));
    desk.finish().await;
}

#[tokio::test]
async fn two_callbacks_make_one_reader() {
    let desk = Desk::open().await;
    let db = &desk.acting.app.db;
    desk.writes(PERSON, "一").await;
    desk.writes(PERSON, "二").await;
    desk.acting.platform.pushed().await;
    desk.acting.app.drain().await;
    assert_eq!(db.texts("select version::text from task where kind = 'pull_kf'").await, ["2"]);
    // Two executors look at the same moment; a third message comes while one of them reads.
    desk.acting
        .platform
        .faults()
        .set(SYNC, Fault { latency: Duration::from_millis(400), times: Some(1), ..Fault::default() });
    let executor = || Executor::new(context(&desk.acting.app), WorkerPool::of(TaskKind::PullKf, 1));
    let (mut one, mut other) = (executor(), executor());
    let third = async {
        until("one of them reads", async || !desk.pulls().is_empty()).await;
        assert_eq!(other.step().await.expect("the database answers"), Step::Idle, "the other finds nothing to do");
        desk.writes(PERSON, "三").await;
        desk.acting.platform.pushed().await;
        desk.acting.app.drain().await;
    };
    let (step, ()) = tokio::join!(one.step(), third);
    assert_eq!(step.expect("the database answers"), Step::Worked);
    assert_eq!(desk.acting.left(TaskKind::PullKf).await.len(), 1, "it is due once more");
    desk.pull().await;
    assert_eq!(desk.acting.left(TaskKind::PullKf).await, [""; 0]);
    assert_eq!((desk.pulls().len(), desk.records().await.len()), (2, 3));
    desk.finish().await;
}

#[tokio::test]
async fn a_reader_whose_cursor_was_moved_stores_nothing_and_reads_on_from_there() {
    let desk = Desk::open().await;
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    desk.writes(PERSON, "二").await;
    desk.acting.platform.pushed().await;
    desk.acting.app.drain().await;
    desk.acting
        .platform
        .faults()
        .set(SYNC, Fault { latency: Duration::from_millis(400), times: Some(1), ..Fault::default() });
    let mut executor = Executor::new(context(&desk.acting.app), WorkerPool::of(TaskKind::PullKf, 1));
    let moving = async {
        until("it reads", async || desk.pulls().len() == 2).await;
        desk.acting.app.db.execute("update kf_account set cursor = 'K2'").await;
    };
    let (step, ()) = tokio::join!(executor.step(), moving);
    assert_eq!(step.expect("the database answers"), Step::Worked);
    assert_eq!(desk.acting.app.db.count("select count(*) from inbox where origin = 2").await, 1);
    desk.pull().await;
    assert_eq!(desk.acting.left(TaskKind::PullKf).await, [""; 0]);
    desk.finish().await;
}

#[tokio::test]
async fn an_expired_token_costs_one_call() {
    let desk = Desk::open().await;
    desk.writes(PERSON, "一").await;
    desk.acting.platform.clock().advance(Duration::from_secs(700));
    desk.pull().await;
    assert_eq!(desk.pulls(), [(true, 95007), (false, 0)]);
    assert_eq!(desk.records().await.len(), 1);
    // One that we know to be old costs none.
    let old = format!(r#"{{"at_s":{},"token":"ENCold"}}"#, now() - 9 * 60 - 1);
    desk.acting.enqueue(TaskKind::PullKf, &desk.open_kfid, Some(old)).await;
    desk.acting.act(TaskKind::PullKf).await;
    assert_eq!(desk.pulls()[2..], [(false, 0)]);
    desk.finish().await;
}

#[tokio::test]
async fn a_lost_callback_is_found_by_the_poll() {
    let desk = Desk::open().await;
    let (db, settings) = (&desk.acting.app.db, kf_settings());
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    desk.writes(PERSON, "二").await;
    desk.lose_callbacks().await;
    assert_eq!(poll::round(&db.pool, &settings).await.expect("a round"), 0, "it was pulled just now");
    db.execute("update kf_account set poll_due_at = now()").await;
    assert_eq!(poll::round(&db.pool, &settings).await.expect("a round"), 1);
    assert_eq!(poll::round(&db.pool, &settings).await.expect("a round"), 0, "once in five minutes");
    desk.pull().await;
    assert_eq!((desk.records().await.len(), desk.pulls().last()), (2, Some(&(false, 0))));
    // An account that the app no longer manages is left alone.
    db.execute("update kf_account set poll_due_at = now(), managed = false").await;
    assert_eq!(poll::round(&db.pool, &settings).await.expect("a round"), 0);
    desk.finish().await;
}

#[tokio::test]
async fn limited_polls_become_rarer_and_delay_no_callback() {
    let desk = Desk::open().await;
    let db = &desk.acting.app.db;
    desk.acting.platform.with(|world| world.kf.tokenless_per_minute = 0);
    let mut pauses = Vec::new();
    for _ in 0..5 {
        desk.pull_without_token().await;
        pauses.extend(db.texts("select poll_pause::text from kf_account").await);
        // Another process has budgets of its own.
        let (wecom, pool) =
            crate::support::wecom::another_wecom(db, &desk.acting.app.app.admin_half.vault, &desk.acting.platform)
                .await;
        assert_eq!(desk.acting.left(TaskKind::PullKf).await, [""; 0], "no later callback waits for it");
        desk.acting.enqueue(TaskKind::PullKf, &desk.open_kfid, None).await;
        let context = wecomd::tasks::Context { wecom, ..context(&desk.acting.app) };
        let mut executor = Executor::new(context, WorkerPool::of(TaskKind::PullKf, 1));
        while executor.step().await.expect("the database answers") != Step::Idle {}
        pauses.extend(db.texts("select poll_pause::text from kf_account").await);
        pool.close().await;
    }
    assert_eq!(pauses.first().map(String::as_str), Some("600"), "twice the usual pause");
    assert_eq!(pauses.last().map(String::as_str), Some("3600"), "{pauses:?}");
    let later = "select count(*) from kf_account where poll_due_at > now() + interval '50 minutes'";
    assert_eq!(db.count(later).await, 1);
    db.execute("delete from task").await;
    desk.writes(PERSON, "有令牌").await;
    desk.pull().await;
    assert_eq!(desk.pulls().last(), Some(&(true, 0)), "the limit of the others does not concern it");
    assert_eq!(desk.records().await.len(), 1);
    assert_eq!(db.count("select count(*) from kf_account where poll_pause is null").await, 1, "as usual again");
    desk.finish().await;
}

#[tokio::test]
async fn four_silent_days_are_told() {
    let desk = Desk::open().await;
    let db = &desk.acting.app.db;
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    assert_eq!(db.count("select count(*) from kf_account where lost_from is null").await, 1);
    desk.writes(PERSON, "二").await;
    db.execute("update kf_account set pulled_at = now() - interval '4 days'").await;
    desk.pull().await;
    assert_eq!(desk.records().await.len(), 2, "it begins with the oldest that is kept, and doubles nothing");
    assert_eq!(desk.acting.platform.calls_of(SYNC).last().map(|it| it.body["cursor"].clone()), Some(json!("")));
    let told = desk.acting.app.ask("GET", "/api/enterprise-wechat/kf-accounts", None).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let account = told.json()["items"][0].clone();
    let lost: chrono::DateTime<Utc> = account["lost_from"].as_str().expect("told").parse().expect("a time");
    assert_eq!((Utc::now() - lost).num_days(), 4);
    assert_eq!((&account["open_kfid"], &account["managed"]), (&json!(desk.open_kfid), &json!(true)));
    desk.finish().await;
}

#[tokio::test]
async fn a_cursor_that_wecom_does_not_know_begins_anew() {
    let desk = Desk::open().await;
    let db = &desk.acting.app.db;
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    db.execute("update kf_account set cursor = 'K99'").await;
    desk.pull_without_token().await;
    assert_eq!(desk.pulls()[1..], [(false, 50100), (false, 0)]);
    assert_eq!(db.texts("select cursor || ' ' || (lost_from is not null) from kf_account").await, ["K1 true"]);
    desk.acting.platform.faults().set(SYNC, Fault { errcode: Some(40035), times: Some(1), ..Fault::default() });
    desk.pull_without_token().await;
    assert_eq!(desk.pulls()[3..], [(false, 40035), (false, 0)]);
    desk.finish().await;
}

#[tokio::test]
async fn an_account_that_cannot_be_pulled_is_told_with_what_to_do() {
    let desk = Desk::open().await;
    desk.change(|account| account.managed = false);
    desk.pull_without_token().await;
    let left = desk.acting.left(TaskKind::PullKf).await;
    assert!(left.len() == 1 && left[0].contains("due: kf/sync_msg: 48007"), "tried again slowly: {left:?}");
    desk.acting.platform.faults().set("kf/account/list", Fault { errcode: Some(48002), ..Fault::default() });
    desk.acting.app.db.execute("delete from task; update kf_account set listed_at = null").await;
    desk.change(|account| account.managed = true);
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    assert_eq!(desk.records().await.len(), 1, "names are not needed for pulling");
    desk.acting.enqueue(TaskKind::PullKf, "wkNOBODY", None).await;
    desk.acting.act(TaskKind::PullKf).await;
    let left = desk.acting.left(TaskKind::PullKf).await;
    assert!(left.len() == 1 && left[0].starts_with("wkNOBODY parked: kf/sync_msg: 95000"), "{left:?}");
    desk.finish().await;
}

#[tokio::test]
async fn the_app_s_accounts_come_and_go() {
    let desk = Desk::open().await;
    let db = &desk.acting.app.db;
    let at = now();
    let change =
        |at: i64, name: &str, id: &str| crate::support::plaintext::event(at, "kf_account_auth_change", &[(name, id)]);
    let told = vec![
        change(at + 5, "AuthDelOpenKfId", "wkGONE"),
        change(at, "AuthAddOpenKfId", "wkGONE"),
        change(at, "AuthAddOpenKfId", &desk.open_kfid),
        change(at, "Nothing", "wkNONE"),
    ];
    let pushes = told.into_iter().map(wecomd::sandbox::Push::of_plaintext).collect();
    desk.acting.app.deliver(pushes).await;
    desk.acting.app.drain().await;
    let accounts = "select open_kfid || ' ' || managed from kf_account order by managed";
    assert_eq!(db.texts(accounts).await, ["wkGONE false".to_owned(), format!("{} true", desk.open_kfid)]);
    assert_eq!(db.count("select count(*) from ignored where name = 'kf_account_auth_change'").await, 1);
    desk.pull().await;
    let named = "select name from kf_account where name is not null";
    assert_eq!(db.texts(named).await, ["水暖报修"], "a new account is pulled, and its name read");
    desk.finish().await;
}
