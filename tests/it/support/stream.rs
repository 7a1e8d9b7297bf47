//! Any stream of callbacks, and a company that it may happen to.

use proptest::prelude::*;

use super::{
    TestDb,
    plaintext::{contact, event, form, group, member, party, picture, text},
};

/// A stream's first second, unless a test wants another.
pub(crate) const BEGIN: i64 = 1_700_000_000;

/// Few people and few seconds, so that everything meets everything.
pub(crate) fn any_plaintext(begin: i64) -> impl Strategy<Value = String> {
    let seconds = begin..begin + 6;
    // Now and then a time is in milliseconds, or there is none.
    let at = prop_oneof![8 => seconds.clone(), 1 => seconds.prop_map(|it| it * 1_000), 1 => Just(0)];
    // Userids are the same in any case, and one looks like a customer's.
    let user = prop::sample::select(vec!["ann", "Ann", "bob", "BOB", "cai", "dee", "wmLi", "WMli"]);
    let customer = prop::sample::select(vec!["wmX", "wmY", "woZ"]);
    let change = prop::sample::select(vec![
        "add_external_contact",
        "add_half_external_contact",
        "edit_external_contact",
        "del_external_contact",
        "del_follow_user",
        "transfer_fail",
        "msg_audit_approved",
    ]);
    let more = prop::sample::select(vec![
        vec![],
        vec![("State", "cust:C-1"), ("WelcomeCode", "code-1")],
        vec![("State", "cust:C-2"), ("WelcomeCode", "code-2")],
        vec![("State", "booth-3")],
        vec![("State", "way_a"), ("WelcomeCode", "code-3")],
        vec![("State", "way_of_nobody")],
        vec![("Source", "DELETE_BY_TRANSFER")],
        vec![("FailReason", "customer_refused")],
    ]);
    let contacts = (at.clone(), change, user.clone(), customer.clone(), more)
        .prop_map(|(at, change, user, customer, more)| contact(at, change, user, customer, &more));
    let said = prop::sample::select(vec![
        vec![],
        vec![("Name", "Ann")],
        vec![("Name", ""), ("Avatar", "")],
        vec![("Name", "Annie"), ("Department", "3,8")],
        vec![("Status", "5")],
        vec![("Status", "1"), ("Avatar", "https://example.com/a.png")],
    ]);
    let turn = prop::sample::select(vec!["create_user", "update_user", "delete_user"]);
    let members =
        (at.clone(), turn, user.clone(), said).prop_map(|(at, turn, user, said)| member(at, turn, user, &said));
    let renames = (at.clone(), user.clone(), user.clone())
        .prop_map(|(at, old, new)| member(at, "update_user", old, &[("NewUserID", new)]));
    let hints = (at.clone(), user.clone()).prop_map(|(at, user)| {
        event(at, "unsubscribe", &[("UserID", user)])
            .replace("<FromUserName><![CDATA[sys]]>", &format!("<FromUserName><![CDATA[{user}]]>"))
    });
    let sender = prop_oneof![user, customer];
    let media = prop::sample::select(vec!["", "M1", "M2"]);
    let pictures = (at.clone(), sender.clone(), media).prop_map(|(at, sender, media)| picture(at, sender, media));
    let texts = (at.clone(), sender, 1..3_u64).prop_map(|(at, sender, id)| text(at, sender, "水管漏水", id));
    let others = at.clone().prop_map(|at| event(at, "something_new", &[]));
    let known =
        prop_oneof![8 => contacts, 3 => members, 2 => renames, 1 => hints, 2 => texts, 1 => pictures, 1 => others];
    prop_oneof![18 => known, 3 => any_group(at.clone()), 3 => any_of_company(at)]
}

/// Any change of one of two groups; members and customers come and go.
fn any_group(at: impl Strategy<Value = i64> + Clone) -> impl Strategy<Value = String> {
    let chat = prop::sample::select(vec!["wrA", "wrB"]);
    let person = prop::sample::select(vec!["ann", "Ann", "bob", "wmLi", "WMli", "wmX", "woZ"]);
    let people = prop::collection::vec(person, 0..3);
    let change = prop::sample::select(vec![
        ("create", vec![]),
        ("dismiss", vec![]),
        ("update", vec![("UpdateDetail", "add_member"), ("JoinScene", "0"), ("CurMemVer", "v1")]),
        ("update", vec![("UpdateDetail", "add_member"), ("JoinScene", "3"), ("CurMemVer", "v2")]),
        ("update", vec![("UpdateDetail", "del_member"), ("QuitScene", "0"), ("CurMemVer", "v3")]),
        ("update", vec![("UpdateDetail", "del_member"), ("QuitScene", "1")]),
        ("update", vec![("UpdateDetail", "change_owner")]),
    ]);
    (at, change, chat, people).prop_map(|(at, (change, more), chat, people)| group(at, change, chat, &more, &people))
}

/// Departments, tags, forms, alerts, and members who come back into sight.
fn any_of_company(at: impl Strategy<Value = i64> + Clone) -> impl Strategy<Value = String> {
    let change = prop::sample::select(vec!["create_party", "update_party", "delete_party"]);
    let said = prop::sample::select(vec![
        vec![("Name", "维修部"), ("ParentId", "1")],
        vec![("Name", "客服部")],
        vec![("ParentId", "2")],
        vec![],
    ]);
    let id = prop::sample::select(vec!["7", "8"]);
    let parties = (at.clone(), change, id, said).prop_map(|(at, change, id, said)| party(at, change, id, &said));
    let user = prop::sample::select(vec!["ann", "Ann", "bob", "dee"]);
    let status = prop::sample::select(vec!["1", "2", "4", "6"]);
    let forms = (at.clone(), status, user.clone()).prop_map(|(at, status, user)| form(at, "F-1", status, user));
    let alert = prop::sample::select(vec![
        ("low_active_alert", vec![("EffectTime", "1700000100")]),
        ("low_active_alert", vec![("EffectTime", "1700000200")]),
        ("low_active", vec![]),
        ("active_restored", vec![]),
        ("customer_acquisition", vec![("ChangeType", "balance_low")]),
        ("customer_acquisition", vec![("ChangeType", "balance_increased")]),
        ("customer_acquisition", vec![("ChangeType", "link_unavailable"), ("LinkId", "caA")]),
        ("customer_acquisition", vec![("ChangeType", "link_unavailable"), ("LinkId", "caB")]),
        ("change_external_tag", vec![("ChangeType", "delete"), ("TagType", "tag_group"), ("Id", "etA")]),
    ]);
    let alerts = (at.clone(), alert).prop_map(|(at, (name, fields))| event(at, name, &fields));
    let customer = prop::sample::select(vec!["wmX", "wmY"]);
    let chats = (at.clone(), user.clone(), customer).prop_map(|(at, user, customer)| {
        let fields = [("ChangeType", "customer_start_chat"), ("UserID", user), ("ExternalUserID", customer)];
        event(at, "customer_acquisition", &fields)
    });
    let sights = (at, user).prop_map(|(at, user)| {
        event(at, "subscribe", &[])
            .replace("<FromUserName><![CDATA[sys]]>", &format!("<FromUserName><![CDATA[{user}]]>"))
    });
    prop_oneof![2 => parties, 2 => forms, 2 => alerts, 1 => chats, 1 => sights]
}

/// What 微信客服 says: callbacks that something waits, messages, events, recalls. The same people and seconds.
pub(crate) fn any_kf(begin: i64) -> impl Strategy<Value = String> {
    let at = || begin..begin + 6;
    let account = || prop::sample::select(vec!["wk1", "wk2"]);
    let customer = || prop::sample::select(vec!["wmX", "wmY", "woZ"]);
    let servicer = || prop::sample::select(vec!["ann", "Ann", "bob", "cai", "WMli"]);
    let waiting =
        (at(), account()).prop_map(|(at, it)| event(at, "kf_msg_or_event", &[("OpenKfId", it), ("Token", "T")]));
    let change = prop::sample::select(vec!["AuthAddOpenKfId", "AuthDelOpenKfId"]);
    let accounts =
        (at(), change, account()).prop_map(|(at, change, it)| event(at, "kf_account_auth_change", &[(change, it)]));
    // WeCom gives each message an id of its own.
    let said = move |at: i64, fields: serde_json::Value| {
        let msgid = match (&fields["origin"], fields["open_kfid"].as_str(), fields["external_userid"].as_str()) {
            (origin, Some(account), Some(customer)) if *origin == 3 => format!("m{at}-{account}-{customer}"),
            _ => format!("{at}-{fields}"),
        };
        let mut said = serde_json::json!({ "msgid": msgid, "send_time": at });
        if let (Some(whole), Some(fields)) = (said.as_object_mut(), fields.as_object()) {
            whole.extend(fields.clone());
        }
        said.to_string()
    };
    let written = (at(), account(), customer()).prop_map(move |(at, it, customer)| {
        said(
            at,
            serde_json::json!({ "open_kfid": it, "external_userid": customer, "origin": 3, "msgtype": "text",
            "text": { "content": "漏水" } }),
        )
    });
    let answered = (at(), account(), customer(), servicer()).prop_map(move |(at, it, customer, servicer)| {
        said(
            at + 10,
            serde_json::json!({ "open_kfid": it, "external_userid": customer, "origin": 5,
            "servicer_userid": servicer, "msgtype": "text", "text": { "content": "来了" } }),
        )
    });
    let kind = prop::sample::select(vec![
        serde_json::json!({ "event_type": "enter_session", "scene": "a", "scene_param": "cust:C-1", "welcome_code": "kf-1" }),
        serde_json::json!({ "event_type": "enter_session", "scene": "b" }),
        serde_json::json!({ "event_type": "session_status_change", "change_type": 1, "new_servicer_userid": "ann" }),
        serde_json::json!({ "event_type": "session_status_change", "change_type": 2, "new_servicer_userid": "BOB" }),
        serde_json::json!({ "event_type": "session_status_change", "change_type": 3, "old_servicer_userid": "cai" }),
        serde_json::json!({ "event_type": "user_recall_msg", "recall_msgid": format!("m{begin}-wk1-wmX") }),
        serde_json::json!({ "event_type": "servicer_recall_msg", "recall_msgid": format!("m{begin}-wk1-wmX") }),
        serde_json::json!({ "event_type": "servicer_status_change", "servicer_userid": "ann", "status": 2 }),
    ]);
    let happened = (at(), account(), customer(), kind).prop_map(move |(at, it, customer, mut kind)| {
        kind["open_kfid"] = it.into();
        kind["external_userid"] = customer.into();
        said(at + 20, serde_json::json!({ "origin": 4, "msgtype": "event", "event": kind }))
    });
    prop_oneof![1 => waiting, 1 => accounts, 3 => written, 2 => answered, 4 => happened]
}

/// Adds corp `ww{corp}` with one app, three bound members and a contact way; returns the app's id.
pub(crate) async fn found(db: &TestDb, corp: u32, begin: i64) -> i32 {
    db.execute(&format!(
        "insert into enterprise_wechat_config (name, corpid, token, encoding_aes_key) values ('c{corp}', 'ww{corp}', '', '');
         insert into staff_wechat_bind (corpid, staff_id, wechat_userid, wechat_name, bound_at) values
             ('ww{corp}', 'S1', 'ann', 'Ann?', to_timestamp({begin} + 2)), ('ww{corp}', 'S2', 'bob', null, to_timestamp({begin} + 2)),
             ('ww{corp}', 'S3', 'cai', null, to_timestamp({begin} + 4));
         insert into member_alias (corpid, alias, wechat_userid) values
             ('ww{corp}', 'ann', 'ann'), ('ww{corp}', 'bob', 'bob'), ('ww{corp}', 'cai', 'cai');
         insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, expires_at) values
             ('ww{corp}', 'way_a', 'C-3', 'S1', 'ann', to_timestamp({begin} + 9));"
    ))
    .await;
    let id = db.count(&format!("select id::bigint from enterprise_wechat_config where name = 'c{corp}'")).await;
    i32::try_from(id).expect("small")
}
