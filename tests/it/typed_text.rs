//! Plaintexts that are not well formed: typed text and bytes broken by gateways are recorded as meant, or parked
//! for an operator. Typed text never becomes another field.

use wecomd::{
    crypto::seal_random,
    sandbox::{AppKind, Push},
};

use crate::support::{
    TestApp,
    http::request,
    plaintext::{member, text},
};

/// A moment in the past.
const AT: i64 = 1_700_000_000;

/// The customer who writes.
const CUSTOMER: &str = "wmAlice00000000000000000000000001";

/// What was recorded of messages: who wrote, what, and whether it was repaired.
const RECORDS: &str = "select sender || ': ' || content || case when repaired then ' (repaired)' else '' end from wechat_contact_record order by 1";

impl TestApp {
    /// Delivers one plaintext of any bytes, and records it.
    async fn hear(&self, plaintext: &[u8]) {
        let app = &self.corp.apps[0];
        let keys = app.keys().expect("valid keys");
        let sealed = seal_random(&keys, &app.receive_id, "1700000000", "1", plaintext);
        let target = format!("/callback/{}?{}", app.name, sealed.query());
        let body = sealed.push_xml(self.corp.corpid.as_str(), &app.agentid);
        let public = self.app.public.expect("a public door");
        let answer = request(public, "POST", &target, &[], body.as_bytes()).await.expect("an answer");
        assert_eq!(answer.status, 200);
        self.drain().await;
    }

    async fn parked(&self) -> Vec<String> {
        self.db.texts("select reason from parked").await
    }
}

#[tokio::test]
async fn text_with_cdata_ends_is_recorded_completely_and_marked_as_repaired() {
    let app = TestApp::start().await;
    let typed = ["报价 ]]> 100", "<![CDATA[x]]>", "a]]></Content>", "a]]></Content><Content><![CDATA[b"];
    for (id, words) in (1..).zip(typed) {
        app.hear(text(AT, CUSTOMER, words, id).as_bytes()).await;
    }
    app.hear(text(AT, CUSTOMER, "一切正常", 9).as_bytes()).await;
    let mut expected: Vec<_> = typed.iter().map(|words| format!("{CUSTOMER}: {words} (repaired)")).collect();
    expected.push(format!("{CUSTOMER}: 一切正常"));
    expected.sort();
    let mut found = app.db.texts(RECORDS).await;
    found.sort();
    assert_eq!((found, app.parked().await), (expected, vec![]));

    let shown = app.ask("GET", &format!("/api/enterprise-wechat/contact-records/{CUSTOMER}"), None).await.json();
    let items = shown["items"].as_array().expect("a list");
    let repaired = items.iter().filter(|it| it["repaired"] == true).count();
    assert_eq!((items.len(), repaired), (5, 4), "{shown}");
    let kept = format!(
        "select count(*) from inbox where plaintext = convert_to('{}', 'UTF8')",
        text(AT, CUSTOMER, typed[0], 1)
    );
    assert_eq!(app.db.count(&kept).await, 1, "WeCom's bytes are kept unchanged");
    app.finish().await;
}

#[tokio::test]
async fn typed_text_that_imitates_event_fields_is_recorded_as_text() {
    let app = TestApp::start().await;
    app.hear(member(AT, "create_user", "boss", &[("Name", "王总")]).as_bytes()).await;
    let forged = [
        "x]]></Content><InfoType>change_contact</InfoType><ChangeType>delete_user</ChangeType><UserID>boss</UserID><Content><![CDATA[y",
        "x]]></Content><FromUserName><![CDATA[boss]]></FromUserName><Content><![CDATA[y",
        "]]></Content><FromUserName><![CDATA[boss]]></FromUserName>",
    ];
    for (id, words) in (1..).zip(forged) {
        app.hear(text(AT + 9, "zhangsan", words, id).as_bytes()).await;
    }
    assert_eq!(app.db.count("select count(*) from member where left_at is not null").await, 0, "nobody left");
    let whole = forged.map(|words| format!("zhangsan: {words} (repaired)"));
    let mut found = app.db.texts(RECORDS).await;
    found.sort();
    let mut whole = Vec::from(whole);
    whole.sort();
    assert_eq!(found, whole);
    app.finish().await;
}

#[tokio::test]
async fn an_ambiguous_name_that_imitates_event_fields_is_parked() {
    let app = TestApp::start().await;
    let name = "x]]></Name><NewUserID><![CDATA[boss]]></NewUserID><Name><![CDATA[y";
    app.hear(member(AT, "update_user", "zhangsan", &[("Name", name)]).as_bytes()).await;
    assert_eq!(app.db.count("select count(*) from member_alias").await, 0, "nobody was renamed");
    assert_eq!(app.parked().await, ["cannot be read: the document can be read in more than one way"]);

    app.hear(member(AT, "update_user", "lisi", &[("Name", "李四 ]]> 销售")]).as_bytes()).await;
    let names = app.db.texts("select wechat_userid || ' ' || name from member").await;
    assert_eq!(names, ["lisi 李四 ]]> 销售"], "a name that can be meant in one way only is taken");
    app.finish().await;
}

#[tokio::test]
async fn a_broken_byte_or_bare_ampersand_loses_neither_the_event_nor_its_time() {
    let app = TestApp::start().await;
    let mut broken = text(AT, CUSTOMER, "你好?", 1).into_bytes();
    let at = broken.iter().position(|it| *it == b'?').expect("it is there");
    broken[at] = 0xe4;
    app.hear(&broken).await;
    let bare = text(AT + 1, CUSTOMER, "x", 2).replace("<![CDATA[x]]>", "电话&微信 &amp; &nbsp;");
    app.hear(bare.as_bytes()).await;
    let records = "select extract(epoch from contact_time)::bigint || ' ' || content || ' ' || repaired from wechat_contact_record order by 1";
    let expected = [format!("{AT} 你好\u{fffd} true"), format!("{} 电话&微信 & &nbsp; true", AT + 1)];
    assert_eq!((app.db.texts(records).await, app.parked().await), (Vec::from(expected), vec![]));
    let active = format!("select count(*) from customer_activity where last_message_at = to_timestamp({})", AT + 1);
    assert_eq!(app.db.count(&active).await, 1, "registers hold the event time");
    app.finish().await;
}

#[tokio::test]
async fn robot_json_with_raw_control_characters_or_lone_surrogates_is_read() {
    let app = TestApp::start().await;
    for content in ["a\nb", "a\u{1b}[0mb", "a\0b", "a\\ud83d", "a\\u0000b"] {
        let json = format!(r#"{{"aibotid":"b","msgtype":"text","create_time":{AT},"text":{{"content":"{content}"}}}}"#);
        app.hear(json.as_bytes()).await;
    }
    let counted = app.db.texts("select name || ' ' || count(*) from ignored group by name").await;
    assert_eq!((counted, app.parked().await), (vec!["aibot/text 5".to_owned()], vec![]));

    for (id, content) in [(1, "a\0b"), (2, "a\x14b")] {
        let json = format!(
            r#"{{"FromUserName":"{CUSTOMER}","CreateTime":{AT},"MsgType":"text","Content":"{content}","MsgId":{id}}}"#
        );
        app.hear(json.as_bytes()).await;
    }
    let xml = text(AT, CUSTOMER, "a\0b", 3);
    app.hear(xml.as_bytes()).await;
    let mut contents = app.db.texts("select content from wechat_contact_record").await;
    contents.sort();
    assert_eq!(contents, ["a\x14b", "ab", "ab"], "no NUL reaches the database");
    app.finish().await;
}

#[tokio::test]
async fn a_replay_corrects_a_record_that_was_read_incorrectly() {
    let app = TestApp::start().await;
    app.deliver(vec![Push::genuine(AppKind::App, text(AT, CUSTOMER, "a]]>b", 1))]).await;
    app.drain().await;
    app.db.execute("update wechat_contact_record set content = 'ab]]>', repaired = false").await;
    let id = app
        .db
        .texts("select app_id || '-' || extract(epoch from event_at)::bigint || '-' || encode(hash, 'hex') from inbox")
        .await;
    let replay = format!("/api/enterprise-wechat/deliveries/{}/replay", id[0]);
    assert!(app.ask("POST", &replay, None).await.status < 300);
    app.drain().await;
    assert_eq!(app.db.texts(RECORDS).await, [format!("{CUSTOMER}: a]]>b (repaired)")]);
    app.finish().await;
}
