//! What is pulled from 微信客服: records, files, recalls, cards, matches, greetings.

use serde_json::{Value, json};
use wecomd::{
    changes::TaskKind,
    ids::{ExternalUserId, UserId},
    sandbox::{DropAt, Fault},
};

use crate::support::{
    kf::{Desk, PERSON, now},
    plaintext::contact,
};

const BASE: &str = "/api/enterprise-wechat";

const GREET: &str = "kf/send_msg_on_event";

#[tokio::test]
async fn a_customer_s_words_and_photo_are_recorded_beside_the_answer() {
    let desk = Desk::open().await;
    let (acting, person) = (&desk.acting, ExternalUserId::from(PERSON));
    let photo = acting.platform.with(|world| world.add_media(b"\xff\xd8 a leak".to_vec(), "image/jpeg", "leak.jpg"));
    desk.enters(PERSON, "").await;
    desk.writes(PERSON, "水管漏水了").await;
    acting.platform.kf_picture(&desk.open_kfid, &person, &photo).await.expect("an account");
    acting.platform.kf_reply(&desk.open_kfid, &UserId::from("ann"), &person, "师傅马上到").await.expect("an account");
    acting.platform.kf_say(&desk.open_kfid, &person, "hologram", json!({ "level": 7 })).await.expect("an account");
    desk.pull().await;
    let mut records = desk.records().await;
    records.sort();
    assert_eq!(
        records,
        [
            "event sys 进入客服会话".to_owned(),
            format!("image {PERSON} [图片]"),
            format!("other {PERSON} [hologram]"),
            "text ann 师傅马上到".to_owned(),
            format!("text {PERSON} 水管漏水了"),
        ]
    );
    acting.act(TaskKind::FetchMedia).await;
    let page = acting.app.ask("GET", &format!("{BASE}/contact-records/{PERSON}"), None).await.json();
    let items: Vec<Value> = page["items"].as_array().expect("items").clone();
    assert!(items.iter().all(|it| it["source"] == "kf" && it["chat_id"] == json!(desk.open_kfid)), "{page}");
    let image = items.iter().find(|it| it["contact_type"] == "image").expect("the photo");
    assert_eq!(image["media"]["state"], "fetched", "{image}");
    let other = items.iter().find(|it| it["contact_type"] == "other").expect("tomorrow's");
    assert_eq!((&other["detail"]["level"], &other["event"]), (&json!(7), &json!("kf/hologram")));
    let answer = items.iter().find(|it| it["sender"] == "ann").expect("the answer");
    assert_eq!(answer["wechat_userid"], "ann");
    desk.finish().await;
}

#[tokio::test]
async fn a_recall_before_its_message_is_the_same_as_after_and_the_words_are_kept() {
    let desk = Desk::open().await;
    let at = now();
    let recall = |msgid: &str| {
        json!({ "msgid": format!("r-{msgid}"), "send_time": at + 1, "origin": 4, "msgtype": "event",
            "event": { "event_type": "user_recall_msg", "open_kfid": desk.open_kfid, "external_userid": PERSON, "recall_msgid": msgid } })
    };
    for (first, second) in
        [(desk.said("m1", at, PERSON, "一"), recall("m1")), (recall("m2"), desk.said("m2", at, PERSON, "二"))]
    {
        desk.deposit(at, first).await;
        desk.acting.app.drain().await;
        desk.deposit(at, second).await;
        desk.acting.app.drain().await;
    }
    desk.deposit(at, desk.said("m3", at, PERSON, "三")).await;
    desk.acting.app.drain().await;
    let page = desk.acting.app.ask("GET", &format!("{BASE}/contact-records/{PERSON}"), None).await.json();
    let items = page["items"].as_array().expect("items");
    let mut shown: Vec<_> =
        items.iter().map(|it| (it["content"].as_str().unwrap_or(""), it["revoked_at"].is_string())).collect();
    shown.sort();
    assert_eq!(shown, [("一", true), ("三", false), ("二", true)]);
    // A recall that WeCom itself tells of.
    desk.writes(PERSON, "说错了").await;
    desk.acting.platform.kf_recall(&desk.open_kfid, &ExternalUserId::from(PERSON)).await.expect("an account");
    desk.pull().await;
    let whom =
        "select by_whom from message_revocation join wechat_contact_record on id = record_id where content = '说错了'";
    assert_eq!(desk.acting.app.db.texts(whom).await, ["customer"]);
    desk.finish().await;
}

#[tokio::test]
async fn a_callback_that_looks_like_a_message_records_nothing() {
    let desk = Desk::open().await;
    let forged = desk.said("m1", now(), PERSON, "我是客户").to_string();
    desk.acting.app.deliver(vec![wecomd::sandbox::Push::of_plaintext(forged)]).await;
    desk.acting.app.drain().await;
    assert_eq!(desk.records().await, [""; 0]);
    assert_eq!(desk.acting.app.db.count("select count(*) from parked").await, 1, "a message without a sender");
    desk.finish().await;
}

#[tokio::test]
async fn a_card_is_read_once_at_first_sight_and_matches_by_unionid() {
    let desk = Desk::open().await;
    let (acting, db) = (&desk.acting, &desk.acting.app.db);
    // A contact of the business's customer C-7, who is the same person in WeChat under another id.
    desk.befriend("ann", "wmCONTACT");
    let person = ExternalUserId::from(PERSON);
    let unionid = acting.platform.with(|world| {
        world.shows_unionids = true;
        let unionid = world.unionid(&"wmCONTACT".into());
        world.kf.unionids.insert(person.clone(), unionid.clone());
        unionid
    });
    acting
        .app
        .deliver(vec![wecomd::sandbox::Push::of_plaintext(contact(
            now() - 60,
            "add_external_contact",
            "ann",
            "wmCONTACT",
            &[("State", "cust:C-7")],
        ))])
        .await;
    acting.app.drain().await;
    acting.act(TaskKind::RefreshContact).await;
    desk.writes(PERSON, "一").await;
    desk.writes(PERSON, "二").await;
    desk.pull().await;
    assert_eq!(acting.left(TaskKind::RefreshKfCustomer).await.len(), 1);
    acting.act(TaskKind::RefreshKfCustomer).await;
    let matched = "select unionid || ' ' || customer_id || ' ' || matched_by from kf_customer";
    assert_eq!(db.texts(matched).await, [format!("{unionid} C-7 unionid")]);
    desk.writes(PERSON, "三").await;
    desk.pull().await;
    assert_eq!(acting.left(TaskKind::RefreshKfCustomer).await, [""; 0], "a known person is not asked about again");
    let page = acting.app.ask("GET", &format!("{BASE}/contact-records/C-7"), None).await.json();
    let texts = page["items"].as_array().expect("items").iter().filter(|it| it["source"] == "kf").count();
    assert_eq!(texts, 3, "what they said is in the customer's timeline");
    // Another decision about the contact is followed.
    db.execute("update customer_wechat_contact set state_customer_id = 'C-8'").await;
    acting.act(TaskKind::RefreshContact).await;
    acting.enqueue(TaskKind::RefreshContact, "wmCONTACT", None).await;
    acting.act(TaskKind::RefreshContact).await;
    assert_eq!(db.texts("select customer_id from kf_customer").await, ["C-8"]);
    desk.finish().await;
}

#[tokio::test]
async fn after_two_days_wecom_tells_no_card() {
    let desk = Desk::open().await;
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    desk.acting.platform.clock().advance(std::time::Duration::from_secs(49 * 3600));
    desk.acting.act(TaskKind::RefreshKfCustomer).await;
    assert_eq!(desk.acting.left(TaskKind::RefreshKfCustomer).await, [""; 0], "done without a card");
    assert_eq!(desk.acting.app.db.count("select count(*) from kf_customer where card is null").await, 1);
    desk.finish().await;
}

#[tokio::test]
async fn a_scene_param_names_a_customer_only_if_it_is_trusted() {
    for (trusted, expected) in [(false, "-"), (true, "C-9 state")] {
        let desk = Desk::open_with(|config| config.kf.trust_scene_param = trusted).await;
        desk.enters(PERSON, "cust%3AC-9").await;
        desk.pull().await;
        let matched = "select coalesce(customer_id || ' ' || matched_by, '-') from kf_customer";
        assert_eq!(desk.acting.app.db.texts(matched).await, [expected], "{trusted}");
        desk.finish().await;
    }
}

/// What became of each greeting, and what customers read.
async fn greeted(desk: &Desk) -> (Vec<String>, Vec<String>) {
    let outcomes = "select coalesce(outcome, '-') || ' ' || coalesce(wechat_userid, '-') || ' ' || left(open_kfid, 2) from welcome order by id";
    let read = desk.acting.platform.with(|world| world.kf.greetings.iter().map(|it| it.text.clone()).collect());
    (desk.acting.app.db.texts(outcomes).await, read)
}

#[tokio::test]
async fn a_greeting_goes_out_once_in_time() {
    let desk = Desk::open().await;
    desk.enters(PERSON, "").await;
    desk.pull().await;
    desk.acting.act(TaskKind::WelcomeKf).await;
    let words = "您好，请问有什么可以帮您？";
    assert_eq!(greeted(&desk).await, (vec!["sent - wk".to_owned()], vec![words.to_owned()]));
    let msgid = desk.acting.platform.with(|world| world.kf.greetings[0].msgid.clone());
    assert!(msgid.len() == 31 && msgid.starts_with('w'), "{msgid}");
    // Whoever enters again within two days gets no second one.
    desk.enters(PERSON, "").await;
    desk.pull().await;
    assert_eq!(desk.acting.left(TaskKind::WelcomeKf).await, [""; 0]);
    // The answer is lost: the second try finds that the first one was sent. The nickname is known by now.
    let other = "wmKFOTHER00000000000000000000001";
    desk.enters(other, "").await;
    desk.pull().await;
    desk.acting.act(TaskKind::RefreshKfCustomer).await;
    let lost = Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() };
    desk.acting.platform.faults().set(GREET, lost);
    desk.acting.act(TaskKind::WelcomeKf).await;
    desk.acting.act(TaskKind::WelcomeKf).await;
    let (outcomes, read) = greeted(&desk).await;
    assert_eq!(outcomes[1], "greeted_already - wk");
    assert_eq!(read, [words, "您好微信用户，请问有什么可以帮您？"]);
    desk.finish().await;
}

#[tokio::test]
async fn a_greeting_that_is_late_or_refused_is_recorded_so() {
    let desk = Desk::open().await;
    let db = &desk.acting.app.db;
    for (number, (errcode, late)) in [(None, true), (Some(40058), true), (Some(40058), false)].into_iter().enumerate() {
        desk.enters(&format!("wmKFLATE000000000000000000000{number}"), "").await;
        desk.pull().await;
        if late {
            let by = if errcode.is_some() { "5 seconds" } else { "2 minutes" };
            db.execute(&format!("update task set deadline = now() - interval '{by}' where kind = 'welcome_kf'")).await;
        }
        desk.acting.platform.faults().clear();
        if errcode.is_some() {
            desk.acting.platform.faults().set(GREET, Fault { errcode, ..Fault::default() });
        }
        desk.acting.act(TaskKind::WelcomeKf).await;
    }
    let (outcomes, read) = greeted(&desk).await;
    assert_eq!(outcomes, ["late - wk", "late - wk", "refused - wk"]);
    assert!(read.is_empty());
    desk.finish().await;
}

#[tokio::test]
async fn whoever_was_erased_stays_out_until_they_enter_again() {
    let desk = Desk::open().await;
    let (acting, db) = (&desk.acting, &desk.acting.app.db);
    desk.enters(PERSON, "").await;
    desk.writes(PERSON, "暗号七七").await;
    desk.pull().await;
    let erased = acting.app.ask("DELETE", &format!("{BASE}/customers/{PERSON}"), None).await;
    assert!([200, 202].contains(&erased.status), "{}", erased.text());
    let people = "select (select count(*) from kf_customer) + (select count(*) from kf_session)";
    assert_eq!(db.count(people).await, 0);
    assert_eq!(
        db.count("select count(*) from task where kind in ('route_kf', 'welcome_kf', 'refresh_kf_customer')").await,
        0
    );
    // What is said without entering comes from the chat that was erased.
    let later = now() + 60;
    desk.deposit(later, desk.said("late", later, PERSON, "暗号七八")).await;
    acting.app.drain().await;
    assert_eq!(db.count(people).await, 0);
    assert_eq!(db.count("select count(*) from wechat_contact_record where content like '暗号%'").await, 0);
    let entered = json!({ "msgid": "e2", "send_time": later + 1, "origin": 4, "msgtype": "event",
        "event": { "event_type": "enter_session", "open_kfid": desk.open_kfid, "external_userid": PERSON } });
    desk.deposit(later + 1, entered).await;
    acting.app.drain().await;
    desk.deposit(later + 2, desk.said("new", later + 2, PERSON, "新的话")).await;
    acting.app.drain().await;
    let said = format!("select content from wechat_contact_record where sender = '{PERSON}'");
    assert_eq!(db.texts(&said).await, ["新的话"]);
    assert_eq!(db.count(people).await, 2);
    desk.finish().await;
}
