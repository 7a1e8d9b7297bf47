//! What becomes of each type of the archive's messages: records, recalls, consents, and what erasing leaves of them.

use serde_json::{Value, json};
use wecomd::{
    changes::TaskKind,
    ids::{ExternalUserId, UserId},
    privacy::{Eraser, Step},
    sandbox::{AppKind, Fault, Push},
};

use crate::support::{
    archive::{Archived, CUSTOMER, ROOM, archived, begin_ms, message, text},
    plaintext::{contact, event},
};

/// Every type of the platform's reference: its name, the name of its object, what is in it, and the record's type.
fn every_type() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let item = |kind: &str, content: Value| json!({ "type": kind, "content": content.to_string() });
    let file = |id: &str| json!({ "sdkfileid": id, "md5sum": "00", "filesize": 1, "filename": "a.pdf" });
    vec![
        ("text", "text", json!({ "content": "漏水了" }), "text"),
        ("markdown", "info", json!({ "content": "**a**" }), "text"),
        ("image", "image", file("S1"), "image"),
        ("voice", "voice", file("S2"), "voice"),
        ("video", "video", file("S3"), "video"),
        ("file", "file", file("S4"), "file"),
        ("emotion", "emotion", json!({ "type": 1, "sdkfileid": "S5" }), "emotion"),
        ("card", "card", json!({ "corpname": "维修", "userid": "ann" }), "card"),
        (
            "location",
            "location",
            json!({ "latitude": 31.2, "longitude": 121.4, "title": "家", "zoom": 15 }),
            "location",
        ),
        ("link", "link", json!({ "title": "t", "link_url": "https://example.com" }), "link"),
        ("news", "info", json!({ "item": [{ "title": "t" }] }), "link"),
        ("weapp", "weapp", json!({ "title": "t", "displayname": "d" }), "miniprogram"),
        (
            "chatrecord",
            "chatrecord",
            json!({ "title": "t", "item": [item("ChatRecordText", json!({ "content": "x" }))] }),
            "forward",
        ),
        ("note", "info", json!({ "items": [{ "msg_type": "text", "content": "{\"content\":\"x\"}" }] }), "forward"),
        (
            "mixed",
            "mixed",
            json!({ "item": [item("text", json!({ "content": "x" })), item("image", file("S6"))] }),
            "mixed",
        ),
        ("voiptext", "info", json!({ "callduration": 12, "invitetype": 1 }), "call"),
        ("meeting_voice_call", "meeting_voice_call", json!({ "endtime": 1, "sdkfileid": "S7" }), "call"),
        ("docmsg", "doc", json!({ "title": "t", "link_url": "u" }), "document"),
        ("voip_doc_share", "voip_doc_share", file("S8"), "document"),
        ("qydiskfile", "info", json!({ "filename": "a", "url": "u" }), "document"),
        ("meeting", "meeting", json!({ "topic": "t" }), "meeting"),
        ("meeting_notification", "info", json!({ "content": "c", "notification_type": 1 }), "meeting"),
        ("calendar", "calendar", json!({ "title": "t" }), "meeting"),
        ("todo", "todo", json!({ "title": "t", "content": "c" }), "form"),
        ("vote", "vote", json!({ "votetitle": "t" }), "form"),
        ("collect", "collect", json!({ "title": "t" }), "form"),
        ("solitaire", "info", json!({ "solitaire_content": "c" }), "form"),
        ("redpacket", "redpacket", json!({ "wish": "恭喜" }), "red_packet"),
        ("external_redpacket", "redpacket", json!({ "wish": "恭喜" }), "red_packet"),
        ("sphfeed", "sphfeed", json!({ "sph_name": "n", "feed_desc": "d" }), "channels"),
        ("hologram", "hologram", json!({ "level": 7 }), "other"),
    ]
}

#[tokio::test]
async fn every_type_becomes_a_record_and_tomorrows_does_too() {
    let it = archived!(Archived::start());
    let (begin, types) = (begin_ms(), every_type());
    for (number, (msgtype, name, inside, _)) in (1..).zip(&types) {
        let at = begin + i64::try_from(number).expect("small") * 1_000;
        let mut said = message(&format!("m{number}"), CUSTOMER, &["ann"], "", at, msgtype, Value::Null);
        said.as_object_mut().expect("an object").remove(*msgtype);
        said[*name] = inside.clone();
        it.arrive(number, &said);
    }
    // Neither of these is a message.
    it.arrive(90, &json!({ "msgid": "m90", "action": "switch", "time": begin, "user": "ann" }));
    it.settle().await;
    let found = it.texts("select contact_type from wechat_contact_record order by contact_time").await;
    let expected: Vec<_> = types.iter().map(|(.., contact_type)| *contact_type).collect();
    assert_eq!(found, expected);
    assert_eq!(it.texts("select event from wechat_contact_record where event is not null").await, ["hologram"]);
    assert_eq!(it.texts("select name from ignored").await, ["archive/switch"]);
    let plain = "select count(*) from wechat_contact_record where contact_type <> 'text' and detail is null";
    assert_eq!(it.count(plain).await, 0, "what a summary leaves out is kept");
    let opening = "select count(*) from wechat_contact_record where detail::text like '%sdkfileid%'
        and contact_type not in ('mixed')";
    assert_eq!(it.count(opening).await, 0, "what opens a file is not shown");
    assert_eq!(it.count("select count(*) from archive_media").await, 8);
    assert_eq!(it.count("select count(*) from task where kind = 'fetch_media' and subject like 'ar\\_%'").await, 8);
    it.finish().await;
}

#[tokio::test]
async fn a_recall_before_its_message_is_the_same_as_after() {
    let mut seen = Vec::new();
    for first in [1, 2] {
        let it = archived!(Archived::start());
        let said = text("m1", "ann", CUSTOMER, 1_760_000_000_000, "a slip");
        let recall = json!({ "msgid": "m2", "action": "recall", "from": "ann", "tolist": [CUSTOMER], "roomid": "",
            "msgtime": 1_760_000_001_000_i64, "msgtype": "revoke", "revoke": { "pre_msgid": "m1" } });
        it.arrive(first, &said);
        it.settle().await;
        it.arrive(3 - first, &recall);
        it.acting.app.db.execute("update archive_account set seq = 0").await;
        it.settle().await;
        seen.push(
            it.texts(
                "select concat_ws(' ', content, by_whom, extract(epoch from revoked_at)::bigint)
                 from wechat_contact_record record join message_revocation on record_id = record.id",
            )
            .await,
        );
        it.finish().await;
    }
    assert_eq!(seen, [["a slip member 1760000001"], ["a slip member 1760000001"]]);
}

#[tokio::test]
async fn consents_come_from_callbacks_messages_and_wecom_s_list_and_the_latest_counts() {
    let it = archived!(Archived::start());
    let (ann, customer) = (UserId::from("ann"), ExternalUserId::from(CUSTOMER));
    it.acting.member("ann", "安娜", &[CUSTOMER]);
    let long_ago = 1_700_000_000;
    let agreed = Push::of_plaintext(contact(long_ago, "msg_audit_approved", "ann", CUSTOMER, &[]));
    let added = Push::of_plaintext(contact(long_ago, "add_external_contact", "ann", CUSTOMER, &[]));
    it.acting.app.deliver(vec![added, agreed]).await;
    it.acting.app.drain().await;
    let rows = "select concat_ws(' ', external_userid, coalesce(nullif(wechat_userid, ''), '-'),
        coalesce(nullif(chat_id, ''), '-'), status) from archive_consent order by chat_id";
    assert_eq!(it.texts(rows).await, [format!("{CUSTOMER} ann - Agree")]);

    let later = (long_ago + 60) * 1_000;
    let refused = json!({ "userid": CUSTOMER, "disagree_time": later });
    it.arrive(1, &message("m1", CUSTOMER, &["ann"], "", later, "disagree", refused));
    let group = json!({ "userid": CUSTOMER, "agree_time": later });
    it.arrive(2, &message("m2", CUSTOMER, &["ann"], ROOM, later, "agree", group));
    it.settle().await;
    let expected = [format!("{CUSTOMER} ann - Disagree"), format!("{CUSTOMER} - {ROOM} Agree")];
    assert_eq!(it.texts(rows).await, expected);
    let records = "select event from wechat_contact_record where source = 'archive' order by event";
    assert_eq!(it.texts(records).await, ["agree", "disagree"]);

    // WeCom's own list, with a word that nobody documented.
    it.acting.platform.with(|world| {
        world.give_seat(1, &ann);
        world.say_consent(&ann, &customer, "Default_Agree");
        world.say_room_consent(ROOM, &customer, "Disagree");
    });
    it.act(TaskKind::CheckConsent).await;
    assert_eq!(it.acting.left(TaskKind::CheckConsent).await, [""; 0]);
    let expected = [format!("{CUSTOMER} ann - Default_Agree"), format!("{CUSTOMER} - {ROOM} Agree")];
    // The group was heard of long ago, so it is not asked about.
    assert_eq!(it.texts(rows).await, expected);
    assert_eq!(it.texts("select seats::text from archive_account").await, [r#"{"1": ["ann"], "2": [], "3": []}"#]);
    it.finish().await;
}

#[tokio::test]
async fn a_group_s_consents_are_read_and_a_dissolved_one_is_skipped() {
    let it = archived!(Archived::start());
    let (begin, gone) = (begin_ms(), "wrEXAMPLE00000000000000000000000");
    let said = || json!({ "content": "hi" });
    it.arrive(1, &message("m1", CUSTOMER, &["ann"], ROOM, begin, "text", said()));
    it.arrive(2, &message("m2", CUSTOMER, &["ann"], gone, begin, "text", said()));
    it.settle().await;
    it.acting.platform.with(|world| world.say_room_consent(ROOM, &ExternalUserId::from(CUSTOMER), "Disagree"));
    it.act(TaskKind::CheckConsent).await;
    let rows = "select chat_id || ' ' || status from archive_consent";
    assert_eq!(it.texts(rows).await, [format!("{ROOM} Disagree")]);
    it.finish().await;
}

#[tokio::test]
async fn a_refused_list_of_consents_is_tried_again_and_never_parked() {
    let it = archived!(Archived::start());
    let off = Fault { errcode: Some(301_053), ..Fault::default() };
    it.acting.platform.faults().set("msgaudit/get_permit_user_list", off);
    it.act(TaskKind::CheckConsent).await;
    let left = it.acting.left(TaskKind::CheckConsent).await;
    assert!(left.len() == 1 && left[0].contains(" due: ") && left[0].contains("301053"), "{left:?}");
    it.finish().await;
}

#[tokio::test]
async fn a_notice_asks_for_a_pull_only_where_an_archive_is_read() {
    let it = archived!(Archived::start());
    let notice = |at| Push::genuine(AppKind::Archive, event(at, "msgaudit_notify", &[("AgentID", "2000004")]));
    it.acting.app.db.execute("delete from task; delete from archive_account").await;
    it.acting.app.deliver(vec![notice(1_760_000_000)]).await;
    it.acting.app.drain().await;
    assert_eq!(it.count("select count(*) from task").await, 0);
    let mut conn = it.acting.app.db.pool.acquire().await.expect("connects");
    wecomd::tables::archive::archive_account::keep_going(&mut conn, std::time::Duration::from_secs(60))
        .await
        .expect("asked");
    drop(conn);
    it.acting.app.db.execute("delete from task").await;
    it.acting.app.deliver(vec![notice(1_760_000_015)]).await;
    it.acting.app.drain().await;
    assert_eq!(it.texts("select kind from task").await, ["pull_archive"]);
    it.finish().await;
}

#[tokio::test]
async fn whoever_is_erased_stands_in_no_archive_table() {
    let it = archived!(Archived::start());
    let at = 1_760_000_000;
    it.acting.member("ann", "安娜", &[CUSTOMER]);
    let added = Push::of_plaintext(contact(at, "add_external_contact", "ann", CUSTOMER, &[]));
    let agreed = Push::of_plaintext(contact(at, "msg_audit_approved", "ann", CUSTOMER, &[]));
    it.acting.app.deliver(vec![added, agreed]).await;
    it.acting.app.drain().await;
    it.standin.add_media("SECRETFILE", b"a picture");
    let begin = begin_ms();
    let picture = json!({ "sdkfileid": "SECRETFILE", "filename": "暗号.jpg", "md5sum": "00" });
    it.arrive(1, &message("m1", CUSTOMER, &["ann"], "", begin, "image", picture));
    it.arrive(2, &message("m2", CUSTOMER, &["ann"], ROOM, begin, "text", json!({ "content": "暗号在群里" })));
    it.settle().await;
    it.act(TaskKind::FetchMedia).await;
    assert_eq!(it.texts("select state from media").await, ["fetched"]);

    let target = format!("/api/enterprise-wechat/customers/{CUSTOMER}");
    let asked = it.acting.app.ask("DELETE", &target, None).await;
    assert!(asked.status < 300, "{}", asked.text());
    let media = it.acting.app.app.admin_half.media.clone();
    let eraser = Eraser::new(it.acting.app.db.pool.clone(), media);
    while eraser.step().await.expect("it erases") == Step::Worked {}

    // A message from before that arrives late, and one that opens late.
    it.arrive(
        3,
        &message("m3", CUSTOMER, &["ann"], "", begin, "agree", json!({ "userid": CUSTOMER, "agree_time": begin })),
    );
    it.settle().await;
    for table in
        ["archive_consent", "archive_media", "archive_sealed", "archive_account", "wechat_contact_record", "inbox"]
    {
        for text in [CUSTOMER, "SECRETFILE", "暗号"] {
            let bytes = hex::encode(text);
            let sql = format!(
                "select count(*) from {table} it where position('{text}' in to_jsonb(it)::text) > 0
                or position('{bytes}' in to_jsonb(it)::text) > 0"
            );
            assert_eq!(it.count(&sql).await, 0, "{text} in {table}");
        }
    }
    it.finish().await;
}
