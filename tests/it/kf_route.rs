//! Sessions of 微信客服: whoever waits reaches their member, a servicer or the pool; a leaver's go to their successor.

use serde_json::json;
use wecomd::{
    changes::TaskKind,
    handover::Next,
    ids::{ExternalUserId, UserId},
    sandbox::{Fault, KfAccount, Push},
    states::KfRoute,
};

use crate::support::{
    kf::{Desk, PERSON, now},
    plaintext::{contact, member},
};

const TRANS: &str = "kf/service_state/trans";

const OTHER: &str = "wmKFOTHER00000000000000000000001";

const THIRD: &str = "wmKFTHIRD00000000000000000000001";

/// A member becomes a customer's contact.
async fn knows(desk: &Desk, user: &str, customer: &str) {
    let met = contact(now() - 3_600, "add_external_contact", user, customer, &[]);
    desk.acting.app.deliver(vec![Push::of_plaintext(met)]).await;
    desk.acting.app.drain().await;
}

/// What the table says of each session.
async fn kept(desk: &Desk) -> Vec<String> {
    let query =
        "select external_userid || ' ' || state || ' ' || coalesce(servicer_userid, '-') from kf_session order by 1";
    desk.acting.app.db.texts(query).await
}

#[tokio::test]
async fn a_customer_in_state_0_reaches_their_member_or_the_pool() {
    let desk = Desk::open().await;
    knows(&desk, "ann", PERSON).await;
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.session(PERSON), (3, "ann".to_owned()), "their member");
    // A stranger gets whoever has the fewest sessions.
    desk.writes(OTHER, "二").await;
    desk.pull().await;
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.session(OTHER), (3, "bob".to_owned()), "the freest");
    // Whoever served them last gets them again, although somebody else is freer.
    desk.acting
        .platform
        .kf_reply(&desk.open_kfid, &UserId::from("ann"), &ExternalUserId::from(OTHER), "我来")
        .await
        .expect("an account");
    desk.acting
        .platform
        .kf_end(&desk.open_kfid, &UserId::from("ann"), &ExternalUserId::from(OTHER))
        .await
        .expect("an account");
    desk.writes(OTHER, "三").await;
    desk.pull().await;
    desk.acting.app.db.execute("update kf_session set state_at = state_at - interval '1 hour'").await;
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.session(OTHER), (3, "ann".to_owned()), "the last servicer");
    // Nobody receives customers.
    desk.change(|account| account.servicers.values_mut().for_each(|it| *it = false));
    desk.writes(THIRD, "四").await;
    desk.pull().await;
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.session(THIRD).0, 2, "the pool");
    assert_eq!(kept(&desk).await, [format!("{OTHER} 3 ann"), format!("{PERSON} 3 ann"), format!("{THIRD} 2 -")]);
    assert_eq!(desk.acting.left(TaskKind::RouteKf).await, [""; 0]);
    desk.finish().await;
}

#[tokio::test]
async fn a_member_is_found_by_unionid_and_under_a_new_userid() {
    let desk = Desk::open().await;
    let person = ExternalUserId::from(PERSON);
    desk.befriend("ann", "wmCONTACT");
    desk.acting.platform.with(|world| {
        world.shows_unionids = true;
        let unionid = world.unionid(&"wmCONTACT".into());
        world.kf.unionids.insert(person, unionid);
    });
    knows(&desk, "ann", "wmCONTACT").await;
    desk.acting.act(TaskKind::RefreshContact).await;
    desk.acting.platform.rename(&UserId::from("bob"), &UserId::from("bobby")).await.expect("renamed");
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    desk.acting.act(TaskKind::RefreshKfCustomer).await;
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.session(PERSON), (3, "ann".to_owned()));
    desk.finish().await;
}

#[tokio::test]
async fn the_pool_gets_everybody_or_nobody_is_asked() {
    let desk = Desk::open().await;
    knows(&desk, "ann", PERSON).await;
    desk.writes(PERSON, "一").await;
    desk.pull().await;
    desk.route(KfRoute::Off).await;
    assert_eq!(desk.session(PERSON).0, 0);
    assert_eq!(desk.acting.platform.calls_of("kf/service_state/get").len(), 0);
    desk.writes(PERSON, "二").await;
    desk.pull().await;
    desk.route(KfRoute::Pool).await;
    assert_eq!(desk.session(PERSON).0, 2);
    assert_eq!(desk.acting.platform.calls_of("kf/servicer/list").len(), 0);
    desk.finish().await;
}

#[tokio::test]
async fn a_session_that_somebody_has_is_left_to_them() {
    let desk = Desk::open().await;
    let person = ExternalUserId::from(PERSON);
    desk.writes(PERSON, "一").await;
    desk.acting.platform.kf_reply(&desk.open_kfid, &UserId::from("bob"), &person, "在").await.expect("an account");
    desk.pull().await;
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.acting.platform.calls_of("kf/service_state/get").len(), 0, "an event said so just now");
    // Somebody takes it between the look and the move, or it ends; the state is read once more, and that is all.
    for code in [95016, 95013] {
        desk.acting.platform.kf_end(&desk.open_kfid, &UserId::from("bob"), &person).await.expect("an account");
        desk.writes(PERSON, "又来").await;
        desk.pull().await;
        desk.acting.platform.faults().set(TRANS, Fault { errcode: Some(code), ..Fault::default() });
        desk.route(KfRoute::Owner).await;
        assert_eq!(desk.acting.left(TaskKind::RouteKf).await, [""; 0], "{code}");
    }
    // Servicers who cannot take it are passed over: whoever served them last, and the freest.
    for code in [95014, 95019, 60030] {
        desk.writes(PERSON, "再来").await;
        desk.pull().await;
        desk.acting.platform.faults().set(TRANS, Fault { errcode: Some(code), times: Some(2), ..Fault::default() });
        desk.route(KfRoute::Owner).await;
        assert_eq!(desk.session(PERSON).0, 2, "{code}: the pool");
        desk.acting.platform.with(|world| world.kf.accounts.iter_mut().for_each(KfAccount::forget_sessions));
    }
    desk.writes(PERSON, "终于").await;
    desk.pull().await;
    desk.acting.platform.faults().set(TRANS, Fault { errcode: Some(95031), ..Fault::default() });
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.acting.left(TaskKind::RouteKf).await, [""; 0], "nothing was asked within two days");
    desk.acting.enqueue(TaskKind::RouteKf, "nonsense", None).await;
    desk.route(KfRoute::Owner).await;
    assert_eq!(desk.acting.left(TaskKind::RouteKf).await, ["nonsense parked: its subject names no session"]);
    desk.finish().await;
}

#[tokio::test]
async fn a_leaver_s_sessions_go_to_the_successor_or_wait_for_them() {
    let desk = Desk::open().await;
    let acting = &desk.acting;
    let (person, other) = (ExternalUserId::from(PERSON), ExternalUserId::from(OTHER));
    let handover = acting.leaver("lao", &[]).await;
    acting.successor("xin").await;
    desk.change(|account| {
        account.servicers.insert(UserId::from("lao"), true);
        account.servicers.insert(UserId::from("xin"), false);
    });
    for customer in [&person, &other] {
        desk.writes(customer.as_str(), "漏水").await;
        acting
            .platform
            .kf_reply(&desk.open_kfid, &UserId::from("lao"), customer, "我来处理")
            .await
            .expect("an account");
    }
    desk.pull().await;
    acting.drive(handover).await.expect("driven");
    let items = "select kind || ' ' || state from handover_item order by id";
    assert_eq!(acting.app.db.texts(items).await, ["session open", "session open"]);
    acting.plan(handover, "xin").await;
    acting.let_go(handover).await;
    // The successor does not receive customers, and WeCom knows no way to the pool.
    let next = acting.drive(handover).await.expect("driven");
    assert!(matches!(next, Next::Again(_)), "{next:?}");
    assert_eq!(acting.app.db.texts(items).await, ["session planned", "session planned"]);
    // One of the sessions ends meanwhile.
    acting.platform.kf_end(&desk.open_kfid, &UserId::from("lao"), &other).await.expect("an account");
    desk.pull().await;
    desk.change(|account| {
        account.servicers.insert(UserId::from("xin"), true);
    });
    acting.drive(handover).await.expect("driven");
    let mut ended = acting.app.db.texts(items).await;
    ended.sort();
    assert_eq!(ended, ["session done", "session gone"]);
    assert_eq!(desk.session(PERSON), (3, "xin".to_owned()));
    assert_eq!(kept(&desk).await, [format!("{OTHER} 4 -"), format!("{PERSON} 3 xin")]);
    desk.finish().await;
}

#[tokio::test]
async fn a_session_refused_by_wecom_ends_with_the_reason() {
    let desk = Desk::open().await;
    let acting = &desk.acting;
    let handover = acting.leaver("lao", &[]).await;
    acting.successor("bob").await;
    desk.writes(PERSON, "漏水").await;
    let person = ExternalUserId::from(PERSON);
    acting.platform.kf_reply(&desk.open_kfid, &UserId::from("lao"), &person, "我来").await.expect("an account");
    desk.pull().await;
    acting.drive(handover).await.expect("driven");
    acting.plan(handover, "bob").await;
    acting.let_go(handover).await;
    acting.platform.faults().set(TRANS, Fault { errcode: Some(95004), ..Fault::default() });
    acting.drive(handover).await.expect("driven");
    let items = "select state || ' ' || errcode || ' ' || reason from handover_item";
    assert_eq!(acting.app.db.texts(items).await, ["failed 95004 微信客服账号不存在"]);
    desk.finish().await;
}

#[tokio::test]
async fn a_session_register_is_kept_by_its_own_time() {
    let desk = Desk::open().await;
    let at = now();
    let changed = |seconds: i64, kind: i64, servicer: &str| {
        let event = json!({ "event_type": "session_status_change", "open_kfid": desk.open_kfid, "external_userid": PERSON,
            "change_type": kind, "old_servicer_userid": "bob", "new_servicer_userid": servicer });
        json!({ "msgid": format!("{seconds}"), "send_time": at + seconds, "origin": 4, "msgtype": "event", "event": event })
    };
    desk.deposit(at + 20, changed(20, 3, "")).await;
    desk.acting.app.drain().await;
    desk.deposit(at + 10, changed(10, 1, "ann")).await;
    desk.deposit(at, desk.said("m1", at, PERSON, "早")).await;
    desk.acting.app.drain().await;
    assert_eq!(kept(&desk).await, [format!("{PERSON} 4 -")], "what is late changes nothing");
    desk.deposit(at + 30, changed(30, 4, "ann")).await;
    desk.acting.app.drain().await;
    assert_eq!(kept(&desk).await, [format!("{PERSON} 3 ann")]);
    let named = "select wechat_userid from member_alias where alias = 'ann'";
    assert_eq!(desk.acting.app.db.texts(named).await, ["ann"]);
    let gone = member(at + 40, "delete_user", "ann", &[]);
    desk.acting.app.deliver(vec![Push::of_plaintext(gone)]).await;
    desk.acting.app.drain().await;
    assert_eq!(kept(&desk).await, [format!("{PERSON} 3 ann")]);
    desk.finish().await;
}
