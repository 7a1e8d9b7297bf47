//! Userids: equal in any case, and recognised as a member's in any form.

use chrono::DateTime;
use serde_json::json;
use wecomd::{
    changes::{Changes, TaskKind},
    ids::{CorpId, UserId},
    inbox::{Inbox, Wake},
    sandbox::{AppKind, Push, Size},
    tables::{apply, records::wechat_contact_record::KnownMonths},
    worker::{Settings, Step, Worker},
};

use crate::support::{
    Acting, TestApp, TestDb,
    plaintext::{contact, event, member, picture, text},
    reconcile::Scene,
    stream::{BEGIN, found},
    tables::{assert_same, tables},
};

const BASE: &str = "/api/enterprise-wechat";

/// Records these, one after the other or all at once, for a corp of its own.
async fn record(db: &TestDb, corp: u32, plaintexts: &[String], batch_max: u32) {
    let app_id = found(db, corp, BEGIN).await;
    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    let mut worker = Worker::new(db.options(), Settings { batch_max, attempts_max: 1 });
    for plaintext in plaintexts {
        inbox.accept(app_id, "any", plaintext.clone().into_bytes()).await.expect("stored");
        if batch_max == 1 {
            while worker.step().await.expect("records") != Step::Idle {}
        }
    }
    while worker.step().await.expect("records") != Step::Idle {}
    drop(inbox);
    committer.await.expect("the committer ends");
    assert_eq!(db.count("select count(*) from parked").await, 0);
}

/// Every userid that stands anywhere in a corp's tables.
async fn userids(db: &TestDb, corp: u32) -> Vec<String> {
    let query = format!(
        "select distinct userid from (
             select corpid, wechat_userid as userid from customer_wechat_contact
             union all select corpid, wechat_userid from wechat_contact_record
             union all select corpid, sender from wechat_contact_record
             union all select corpid, wechat_userid from member
             union all select corpid, wechat_userid from member_alias
             union all select corpid, wechat_userid from staff_wechat_bind where staff_id = 'S1'
             union all select corpid, wechat_userid from contact_way
             union all select corpid, wechat_userid from handover
         ) it where corpid = 'ww{corp}' and userid not like 'wm%' and userid <> 'sys' order by 1"
    );
    let mut ids = db.texts(&query).await;
    ids.retain(|it| !["bob", "cai"].contains(&it.as_str()));
    ids
}

#[tokio::test]
async fn events_that_spell_a_userid_in_any_case_concern_one_member() {
    let db = TestDb::new().await;
    let told = [
        contact(BEGIN, "add_external_contact", "Ann", "wmX", &[("State", "way_a")]),
        contact(BEGIN + 1, "edit_external_contact", "ANN", "wmX", &[]),
        contact(BEGIN + 2, "del_follow_user", "ann", "wmX", &[]),
        text(BEGIN + 3, "aNN", "在的", 1),
        contact(BEGIN + 4, "transfer_fail", "anN", "wmX", &[("FailReason", "customer_refused")]),
        event(BEGIN + 5, "unsubscribe", &[]).replace("[sys]", "[ANn]"),
        event(BEGIN + 6, "unsubscribe", &[]).replace("[sys]", "[AnN]"),
        member(BEGIN + 7, "update_user", "anN", &[("Avatar", "https://example.com/a.png")]),
        member(BEGIN + 8, "delete_user", "Ann", &[]),
    ];
    record(&db, 1, &told, 1).await;
    let reversed: Vec<_> = told.iter().rev().cloned().collect();
    record(&db, 2, &reversed, 1).await;
    record(&db, 3, &told, 100).await;
    let expected = tables(&db.pool, "ww1").await;
    for corp in ["ww2", "ww3"] {
        assert_same(&tables(&db.pool, corp).await, &expected, corp);
    }
    // The directory's latest spelling.
    assert_eq!(userids(&db, 1).await, ["Ann"]);
    let contacts =
        "select status || ' ' || wechat_userid || ' ' || staff_id from customer_wechat_contact where corpid = 'ww1'";
    assert_eq!(db.texts(contacts).await, ["lost Ann S1"]);
    assert_eq!(
        db.count("select count(*) from wechat_contact_record where corpid = 'ww1' and wechat_userid = 'Ann'").await,
        4
    );
    assert_eq!(db.texts("select subject from task where kind = 'refresh_member' and corpid = 'ww1'").await, ["ann"]);
    let bound = "select unbound_reason from staff_wechat_bind where corpid = 'ww1' and staff_id = 'S1'";
    assert_eq!(db.texts(bound).await, ["left"], "the leaver's binding ends however it was spelled");
    db.close().await;
}

#[tokio::test]
async fn the_directory_spelling_of_a_userid_wins_and_otherwise_the_latest() {
    let db = TestDb::new().await;
    let add = |at: i64, user: &str, customer: &str| contact(BEGIN + at, "add_external_contact", user, customer, &[]);
    let now = async |corp: u32| userids(&db, corp).await;
    record(&db, 1, &[add(5, "DEE", "wmX"), add(3, "Dee", "wmY")], 1).await;
    assert_eq!(now(1).await, ["DEE", "ann"]);
    // A spelling that is used repeatedly has no advantage: it came first.
    record(&db, 2, &[add(3, "DEE", "wmX"), add(4, "Dee", "wmY"), add(5, "DEE", "woZ")], 1).await;
    assert_eq!(now(2).await, ["Dee", "ann"]);
    let same = [add(3, "DEE", "wmX"), add(3, "dEE", "wmY")];
    record(&db, 3, &same, 1).await;
    assert_eq!(now(3).await, ["ann", "dEE"], "within one second the greater spelling wins");
    let named = member(BEGIN + 1, "create_user", "Dee", &[("Name", "Dee")]);
    record(&db, 4, &[named, add(5, "DEE", "wmX"), add(6, "dEE", "wmX")], 1).await;
    assert_eq!(now(4).await, ["Dee", "ann"]);
    // A change of case by the directory counts, too.
    let changed = member(BEGIN + 2, "update_user", "Dee", &[("NewUserID", "DEe")]);
    record(&db, 5, &[changed, add(5, "DEE", "wmX"), member(BEGIN + 1, "create_user", "Dee", &[])], 1).await;
    assert_eq!(now(5).await, ["DEe", "ann"]);
    // A rename leads from every spelling of the former id to the new one.
    let renamed = member(BEGIN + 2, "update_user", "Dee", &[("NewUserID", "Eve")]);
    record(&db, 6, &[add(5, "DEE", "wmX"), renamed, add(6, "dEE", "wmY"), add(7, "EVE", "woZ")], 1).await;
    assert_eq!(now(6).await, ["Eve", "ann"]);
    db.close().await;
}

#[tokio::test]
async fn open_userids_and_customers_that_differ_in_case_stay_two() {
    let db = TestDb::new().await;
    let made = ["woAJ2GCAAAXtWyujaWJHDDGi0mACAA01", "woaJ2GCAAAXtWyujaWJHDDGi0mACAA01"];
    let told: Vec<_> = [(made[0], "wmX"), (made[1], "wmX"), (made[0], "wmx")]
        .map(|(user, customer)| contact(BEGIN, "add_external_contact", user, customer, &[]))
        .into();
    record(&db, 1, &told, 1).await;
    assert_eq!(db.count("select count(*) from customer_wechat_contact").await, 3);
    assert_eq!(db.count("select count(*) from member_alias where alias like 'wo%' and alias = wechat_userid").await, 2);
    db.close().await;
}

/// What a member does whose userid looks like a customer's.
fn doings(user: &str) -> Vec<String> {
    vec![
        text(BEGIN + 1, user, "在的", 1),
        picture(BEGIN + 2, user, "M1"),
        text(BEGIN + 4, &user.to_lowercase(), "好", 2),
        contact(BEGIN + 3, "add_external_contact", "bob", "wmX", &[]),
    ]
}

#[tokio::test]
async fn a_known_member_is_recognised_whatever_the_form_of_the_userid() {
    let db = TestDb::new().await;
    let mut corp = 0;
    for user in ["wm001", "wb123", "wo.li", "wmLi", "wmLi-of-the-sales-department"] {
        // Every event that makes a member known, before and after the others.
        for known in [
            member(BEGIN, "create_user", user, &[("Name", "李")]),
            member(BEGIN + 9, "update_user", user, &[("Name", "李")]),
            member(BEGIN + 9, "delete_user", &user.to_uppercase(), &[]),
            contact(BEGIN + 5, "edit_external_contact", user, "wmX", &[]),
            member(BEGIN + 5, "update_user", "dee", &[("NewUserID", user)]),
        ] {
            let before: Vec<_> = std::iter::once(known.clone()).chain(doings(user)).collect();
            let after: Vec<_> = doings(user).into_iter().chain([known]).collect();
            record(&db, corp + 1, &before, 1).await;
            record(&db, corp + 2, &after, 1).await;
            record(&db, corp + 3, &after, 100).await;
            let expected = tables(&db.pool, &format!("ww{}", corp + 1)).await;
            for other in [corp + 2, corp + 3] {
                assert_same(&tables(&db.pool, &format!("ww{other}")).await, &expected, user);
            }
            let theirs = format!(
                "select count(*) from wechat_contact_record
                 where corpid = 'ww{}' and sender = wechat_userid and userid_key(sender) = lower('{user}')",
                corp + 1
            );
            assert_eq!(db.count(&theirs).await, 3, "{user}: {expected:#?}");
            let taken = format!(
                "select (select count(*) from customer_activity where corpid = 'ww{0}')
                     + (select count(*) from wechat_contact_record where corpid = 'ww{0}' and sender = external_userid)",
                corp + 1
            );
            assert_eq!(db.count(&taken).await, 0, "{user} is nobody's customer");
            corp += 3;
        }
    }
    db.close().await;
}

#[tokio::test]
async fn an_unknown_sender_that_looks_like_a_customer_is_recorded_as_one() {
    let db = TestDb::new().await;
    record(&db, 1, &[text(BEGIN, "wm001", "水管漏水", 1)], 1).await;
    let row =
        "select external_userid || ' ' || sender || ' ' || coalesce(wechat_userid, '-') from wechat_contact_record";
    assert_eq!(db.texts(row).await, ["wm001 wm001 -"]);
    assert_eq!(db.count("select count(*) from customer_activity").await, 1);
    db.close().await;
}

#[tokio::test]
async fn a_binding_corrects_a_member_recorded_as_a_customer() {
    let app = TestApp::start().await;
    app.deliver(vec![Push::genuine(AppKind::App, text(BEGIN, "wm001", "在的", 1))]).await;
    app.drain().await;
    assert_eq!(app.db.count("select count(*) from customer_activity").await, 1);
    let body = json!({ "staff_id": "E-1", "wechat_userid": "WM001" });
    let bound = app.ask("POST", &format!("{BASE}/staff-bind"), Some(body)).await;
    assert_eq!(bound.status, 201, "{}", bound.text());
    let records = app.ask("GET", &format!("{BASE}/contact-records/wm001"), None).await;
    assert!(!records.text().contains("在的"), "{}", records.text());
    assert_eq!(app.db.count("select count(*) from customer_activity").await, 0);
    let row =
        "select wechat_userid || ' ' || sender || ' ' || coalesce(external_userid, '-') from wechat_contact_record";
    assert_eq!(app.db.texts(row).await, ["WM001 WM001 -"]);
    // A member cannot be erased as a customer.
    let erased = app.ask("DELETE", &format!("{BASE}/customers/wm001"), None).await;
    assert_eq!(erased.status, 404, "{}", erased.text());
    app.finish().await;
}

#[tokio::test]
async fn a_member_who_was_erased_as_a_customer_is_recorded_again_once_known() {
    let db = TestDb::new().await;
    record(&db, 1, &[], 1).await;
    db.execute(&format!(
        "insert into erased_person (corpid, person, erased_at, erasure_id)
         values ('ww1', erased_hash('ww1', 'wm001'), to_timestamp({BEGIN}), 1)"
    ))
    .await;
    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    let mut worker = Worker::new(db.options(), Settings { batch_max: 10, attempts_max: 1 });
    let app_id = i32::try_from(db.count("select id::bigint from enterprise_wechat_config").await).expect("small");
    for plaintext in [member(BEGIN, "create_user", "wm001", &[]), text(BEGIN + 5, "wm001", "在的", 1)] {
        inbox.accept(app_id, "any", plaintext.into_bytes()).await.expect("stored");
    }
    while worker.step().await.expect("records") != Step::Idle {}
    drop(inbox);
    committer.await.expect("the committer ends");
    assert_eq!(db.texts("select wechat_userid from wechat_contact_record").await, ["wm001"]);
    assert_eq!(db.count("select count(*) from inbox where plaintext = ''").await, 0, "nothing of theirs is emptied");
    db.close().await;
}

#[tokio::test]
async fn the_admin_api_knows_a_member_in_any_case() {
    let app = TestApp::start().await;
    let told = [
        member(BEGIN, "create_user", "ZhangSan", &[("Name", "张三")]),
        contact(BEGIN + 1, "add_external_contact", "zhangsan", "wmX", &[]),
        member(BEGIN + 2, "create_user", "LiSi", &[]),
        member(BEGIN + 3, "delete_user", "LiSi", &[]),
    ];
    app.deliver(told.into_iter().map(|it| Push::genuine(AppKind::Directory, it)).collect()).await;
    app.drain().await;
    let bind = async |staff: &str, user: &str| {
        app.ask("POST", &format!("{BASE}/staff-bind"), Some(json!({ "staff_id": staff, "wechat_userid": user }))).await
    };
    let bound = bind("E-1", "ZHANGSAN").await;
    assert_eq!((bound.status, &bound.json()["wechat_userid"]), (201, &json!("ZhangSan")), "{}", bound.text());
    assert_eq!(bound.json()["wechat_name"], "张三");
    assert_eq!(app.db.texts("select staff_id from customer_wechat_contact").await, ["E-1"]);
    let again = bind("E-2", "zhangsan").await;
    assert_eq!((again.status, &again.json()["field"]), (409, &json!("wechat_userid")), "{}", again.text());

    let resigns = json!({ "wechat_userid": "zhangSAN", "last_day": "2030-01-31" });
    let entered = app.ask("POST", &format!("{BASE}/resignations"), Some(resigns)).await;
    assert_eq!((entered.status, &entered.json()["wechat_userid"]), (201, &json!("ZhangSan")), "{}", entered.text());

    let listed = app.ask("GET", &format!("{BASE}/handovers?wechat_userid=lisi"), None).await;
    assert_eq!(listed.json()["items"].as_array().map(Vec::len), Some(1), "{}", listed.text());

    let role = || Some(json!({ "role": "viewer" }));
    for userid in ["zhangsan", "ZHANGSAN"] {
        let put = app.ask("PUT", &format!("{BASE}/console-users/{userid}"), role()).await;
        assert_eq!((put.status, &put.json()["wechat_userid"]), (200, &json!("ZhangSan")), "{}", put.text());
    }
    // An unknown member is found by the directory's spelling.
    assert_eq!(app.ask("PUT", &format!("{BASE}/console-users/wangwu"), role()).await.status, 200);
    app.deliver(vec![Push::genuine(AppKind::Directory, member(BEGIN, "create_user", "WangWu", &[]))]).await;
    app.drain().await;
    let users = app.db.texts("select wechat_userid from console_user order by 1").await;
    assert_eq!(users, ["WangWu", "ZhangSan"]);
    let removed = app.ask("DELETE", &format!("{BASE}/console-users/WANGWU"), None).await;
    assert_eq!(removed.status, 200, "{}", removed.text());
    app.finish().await;
}

#[tokio::test]
async fn a_lower_case_userid_in_other_lists_is_the_same_member() {
    let acting = Acting::start().await;
    acting.member("ZhangSan", "张三", &["wmX"]);
    let corpid = acting.app.corp.corpid.clone();
    let add = contact(BEGIN, "add_external_contact", "zhangSan", "wmX", &[]);
    acting.app.deliver(vec![Push::genuine(AppKind::App, add)]).await;
    acting.app.drain().await;
    let spelled = async || acting.app.db.texts("select distinct wechat_userid from customer_wechat_contact").await;
    // Another list adds a spelling, but does not replace one that events used.
    let mut changes = Changes::default();
    let key = (corpid.clone(), "wmX".into(), UserId::from("zhangsan"));
    changes.contacts.entry(key).or_default().met(DateTime::from_timestamp(BEGIN + 9, 0).expect("a time"));
    write(&acting.app.db, changes).await;
    assert_eq!(spelled().await, ["zhangSan"]);
    // The directory's spelling does replace it.
    acting.enqueue(TaskKind::RefreshMember, "zhangsan", None).await;
    acting.act(TaskKind::RefreshMember).await;
    assert_eq!(spelled().await, ["ZhangSan"]);
    assert_eq!(acting.app.db.texts("select name from member").await, ["张三"]);
    assert_eq!(acting.left(TaskKind::RefreshMember).await, [""; 0]);
    acting.finish().await;
}

#[tokio::test]
async fn a_run_finds_members_in_any_case_and_takes_the_directory_spelling() {
    let scene = Scene::start(Size { members: 12, customers: 30, departments: 2 }).await;
    let (user, customer) = scene.platform.with(|world| {
        let serving = world.members().filter(|it| it.customer_contact).map(|it| it.userid.clone());
        let known = Vec::from_iter(serving).into_iter();
        let mut known =
            known.filter_map(|it| world.customers_of(&it).into_iter().next().map(|customer| (it, customer)));
        known.next().expect("somebody has a customer")
    });
    let spelled = user.as_str().to_uppercase();
    assert_ne!(spelled, user.as_str());
    scene.record(&[contact(BEGIN, "add_external_contact", &spelled, customer.as_str(), &[])]).await;
    let run = scene.reconcile().await;
    assert_eq!(scene.held().await, scene.named());
    let found = format!(
        "select kind from sync_drift where run_id = {run} and (external_userid = '{customer}' and lower(wechat_userid) =
         lower('{user}') or kind in ('gone_there', 'not_serving', 'other_owner'))"
    );
    assert_eq!(scene.db.texts(&found).await, [""; 0], "it was known, under another spelling");
    scene.finish().await;
}

async fn write(db: &TestDb, changes: Changes) {
    let mut transaction = db.pool.begin().await.expect("begins");
    apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
    transaction.commit().await.expect("commits");
}

#[tokio::test]
async fn a_contact_way_follows_its_member_to_another_spelling() {
    let db = TestDb::new().await;
    record(&db, 1, &[member(BEGIN, "create_user", "Ann", &[])], 1).await;
    assert_eq!(db.texts("select wechat_userid from contact_way").await, ["Ann"]);
    let mut conn = db.pool.acquire().await.expect("connects");
    let (corpid, said) = (CorpId::from("ww1"), UserId::from("aNN"));
    assert_eq!(apply::know(&mut conn, &corpid, &said, false).await.expect("known"), UserId::from("Ann"));
    assert_eq!(apply::know(&mut conn, &corpid, &said, true).await.expect("known"), said);
    drop(conn);
    assert_eq!(db.texts("select wechat_userid from contact_way").await, ["aNN"]);
    db.close().await;
}
