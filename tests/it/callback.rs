//! The callback path over real sockets: verify, refuse, store, answer.

use serde_json::json;
use wecomd::{
    crypto::{Query, Receivers, open, seal, seal_random},
    sandbox::{AppKind, Forgery, Push},
};

use crate::support::{
    TestApp,
    http::request,
    plaintext::{contact, event, text},
};

/// A moment in the past.
const AT: i64 = 1_700_000_000;

#[tokio::test]
async fn the_url_verification_echoes_a_23_digit_number_verbatim() {
    let app = TestApp::start().await;
    for kind in [AppKind::App, AppKind::Directory] {
        app.sender.verify_url(kind).await.expect("verified");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_callback_is_answered_every_time_and_stored_once() {
    let app = TestApp::start().await;
    let added = Push::genuine(AppKind::App, contact(AT, "add_external_contact", "zhangsan", "wmAlice", &[]));
    let report = app.deliver(vec![added; 5]).await;
    assert_eq!((report.genuine.answered, report.attempts), (5, 5));
    assert_eq!(app.db.count("select count(*) from inbox").await, 1);

    app.drain().await;
    let contacts = "select external_userid || ' | ' || wechat_userid || ' | ' || status from customer_wechat_contact";
    assert_eq!(app.db.texts(contacts).await, ["wmAlice | zhangsan | contacted"]);
    assert_eq!(app.db.count("select count(*) from pending_delivery").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_forgery_of_any_kind_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let forged = |forgery| Push {
        forgery: Some(forgery),
        ..Push::genuine(AppKind::App, contact(AT, "add_external_contact", "zhangsan", "wmAlice", &[]))
    };
    let report = app.deliver(Forgery::ALL.map(forged).into()).await;
    assert_eq!((report.forged.refused, report.forged.answered), (Forgery::ALL.len() as u64, 0));
    assert_eq!(app.db.count("select count(*) from inbox").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn an_answer_has_no_body_unless_a_rule_wants_one() {
    let app = TestApp::start().await;
    app.rules(json!([
        { "on": "text", "contains": "报修", "reply": "已收到您的报修 ]]> 请稍候" },
        { "on": "enter_agent", "reply": "您好" },
    ]))
    .await;
    let said = async |plaintext: String| app.sender.deliver(&Push::genuine(AppKind::App, plaintext)).await;

    let silent = said(text(AT, "zhangsan", "早", 1)).await;
    assert_eq!((silent.answered_200, silent.body.len()), (true, 0));

    let first = said(text(AT, "zhangsan", "我要报修", 2)).await;
    let reply = app.opened(&first.body);
    for part in ["<ToUserName><![CDATA[zhangsan]]>", "<MsgType>text</MsgType>", "已收到您的报修 ]]]]><![CDATA[> 请稍候"]
    {
        assert!(reply.contains(part), "{reply}");
    }
    let repeat = said(text(AT, "zhangsan", "我要报修", 2)).await;
    assert!(app.opened(&repeat.body).contains("已收到您的报修"), "a repeat is answered as the first was");

    let entered = event(AT, "enter_agent", &[]).replace("[sys]", "[zhangsan]");
    assert!(app.opened(&said(entered).await.body).contains("<![CDATA[您好]]>"));
    assert_eq!(app.db.count("select count(*) from inbox").await, 3);
    app.finish().await;
}

#[tokio::test]
async fn a_notice_to_a_provider_is_answered_with_success() {
    let app = TestApp::start().await;
    let notice = "<xml><SuiteId>ww1</SuiteId><InfoType>suite_ticket</InfoType><TimeStamp>1700000000</TimeStamp></xml>";
    let delivered = app.sender.deliver(&Push::genuine(AppKind::App, notice)).await;
    assert_eq!((delivered.answered_200, delivered.body.as_slice()), (true, b"success".as_slice()));
    app.finish().await;
}

#[tokio::test]
async fn a_json_envelope_is_opened_like_an_xml_one() {
    let app = TestApp::start().await;
    let keys = app.corp.apps[0].keys().expect("valid keys");
    let plaintext = text(AT, "zhangsan", "你好", 1);
    let sealed = seal_random(&keys, app.corp.corpid.as_str(), "1700000000", "n1", plaintext.as_bytes());
    for body in [
        json!({ "tousername": "ww1", "encrypt": sealed.encrypt, "agentid": "" }),
        json!({ "ToUserName": "ww1", "AgentID": 1_000_002, "Encrypt": sealed.encrypt }),
    ] {
        let target = format!("/callback/{}?{}", app.corp.apps[0].name, sealed.query());
        let public = app.app.public.expect("a public door");
        let answer = request(public, "POST", &target, &[], body.to_string().as_bytes()).await.expect("an answer");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{body}");
    }
    assert_eq!(app.db.count("select count(*) from inbox").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn an_echo_whose_plus_signs_became_blanks_on_the_way_is_still_verified() {
    let app = TestApp::start().await;
    let keys = app.corp.apps[0].keys().expect("valid keys");
    // A message whose ciphertext has a plus sign; sealing is made reproducible to find one.
    let sealed = (0..=u8::MAX)
        .map(|n| seal(&keys, app.corp.corpid.as_str(), "1700000000", "n1", b"12345678901234567890123", [n; 16]))
        .find(|it| it.encrypt.contains('+'))
        .expect("one of many has a plus sign");
    let literal = sealed.encrypt.replace('/', "%2F").replace('=', "%3D");
    let target = format!("/callback/{}?{}&echostr={literal}", app.corp.apps[0].name, sealed.query());
    let answer = request(app.app.public.expect("a public door"), "GET", &target, &[], b"").await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "12345678901234567890123"));
    app.finish().await;
}

#[tokio::test]
async fn url_verification_does_not_decrypt_overheard_callbacks() {
    let app = TestApp::start().await;
    let keys = app.corp.apps[0].keys().expect("valid keys");
    let overheard =
        seal_random(&keys, app.corp.corpid.as_str(), "1700000000", "n1", text(AT, "a", "秘密", 1).as_bytes());
    let target = format!("/callback/{}?{}", app.corp.apps[0].name, overheard.echo_query());
    let answer = request(app.app.public.expect("a public door"), "GET", &target, &[], b"").await.expect("an answer");
    assert_eq!((answer.status, answer.body.len()), (403, 0));
    app.finish().await;
}

#[tokio::test]
async fn the_counter_distinguishes_wrong_token_wrong_key_and_wrong_receiver() {
    let app = TestApp::start().await;
    let forged = |forgery| Push { forgery: Some(forgery), ..Push::genuine(AppKind::App, text(AT, "a", "b", 1)) };
    for forgery in [Forgery::WrongToken, Forgery::WrongReceiver, Forgery::GarbageBody] {
        app.deliver(vec![forged(forgery)]).await;
    }
    let metrics = request(app.app.admin, "GET", "/metrics", &[], b"").await.expect("an answer").text();
    for step in ["signature", "receiveid", "envelope"] {
        let line = format!(r#"wecomd_refused_total{{app="service",step="{step}"}}"#);
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    app.finish().await;
}

#[tokio::test]
async fn extra_slashes_and_a_prefix_are_accepted_and_unknown_paths_counted_separately() {
    let app = TestApp::start().await;
    let keys = app.corp.apps[0].keys().expect("valid keys");
    let sealed = seal_random(&keys, app.corp.corpid.as_str(), "1700000000", "n1", b"12345678901234567890123");
    let name = &app.corp.apps[0].name;
    let public = app.app.public.expect("a public door");
    for path in ["/callback/NAME", "/callback/NAME/", "//callback//NAME", "/callback/NAME//", "/wecom/callback/NAME/"] {
        let target = format!("{}?{}", path.replace("NAME", name), sealed.echo_query());
        let answer = request(public, "GET", &target, &[], b"").await.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, "12345678901234567890123"), "{path}");
    }
    for path in ["/callbacks/NAME", "/callback/NAME/x", "/NAME", "/callback/", "/", "/callback/nobody"] {
        let target = format!("{}?{}", path.replace("NAME", name), sealed.echo_query());
        let answer = request(public, "GET", &target, &[], b"").await.expect("an answer");
        assert_eq!((answer.status, answer.body.len()), (404, 0), "{path}");
    }
    let metrics = request(app.app.admin, "GET", "/metrics", &[], b"").await.expect("an answer").text();
    for counted in [r#"wecomd_refused_total{app="",step="path"} 5"#, r#"wecomd_refused_total{app="",step="app"} 1"#] {
        assert!(metrics.contains(counted), "{counted} in {metrics}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_doubly_encoded_echo_is_verified_and_distinguished_from_a_wrong_token() {
    let app = TestApp::start().await;
    let keys = app.corp.apps[0].keys().expect("valid keys");
    let public = app.app.public.expect("a public door");
    // One whose ciphertext has each sign that must be encoded.
    let sealed = (0..=u8::MAX)
        .map(|n| seal(&keys, app.corp.corpid.as_str(), "1700000000", "n1", b"12345678901234567890123", [n; 16]))
        .find(|it| it.encrypt.contains('+') && it.encrypt.contains('/') && it.encrypt.ends_with('='))
        .expect("one of many has");
    let twice = sealed.echo_query().replace('%', "%25");
    assert!(twice.contains("%252B") && twice.contains("%253D"));
    let ask = async |query: &str| {
        let target = format!("/callback/{}?{query}", app.corp.apps[0].name);
        request(public, "GET", &target, &[], b"").await.expect("an answer")
    };
    let answer = ask(&twice).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "12345678901234567890123"));
    let all = sealed
        .echo_query()
        .replace('%', "%25")
        .replace("timestamp=17", "timestamp=%2531%37")
        .replace("nonce=n", "nonce=%256e");
    assert_eq!(ask(&all).await.status, 200, "the other parameters, too");

    let forged = twice.replace("timestamp=1", "timestamp=2");
    assert_eq!(ask(&forged).await.status, 403);
    let metrics = request(app.app.admin, "GET", "/metrics", &[], b"").await.expect("an answer").text();
    assert!(metrics.contains(r#"wecomd_refused_total{app="service",step="encoded_twice"} 1"#), "{metrics}");
    app.finish().await;
}

impl TestApp {
    /// Gives the app auto-reply rules.
    async fn rules(&self, rules: serde_json::Value) {
        let body = json!({ "name": self.corp.apps[0].name, "auto_reply": rules });
        let saved = self.ask("POST", "/api/enterprise-wechat/config", Some(body)).await;
        assert_eq!(saved.status, 200, "{}", saved.text());
    }

    /// What a sealed reply says, opened as WeCom would.
    fn opened(&self, reply: &[u8]) -> String {
        let field = |name: &str| {
            let mut found = String::new();
            let text = std::str::from_utf8(reply).expect("a reply is text");
            wecomd::document::scan(text, |it, value| {
                if it == name {
                    found = value.into_owned();
                }
                std::ops::ControlFlow::Continue(())
            })
            .expect("a reply is a document");
            found
        };
        let query = Query {
            msg_signature: field("MsgSignature"),
            timestamp: field("TimeStamp"),
            nonce: field("Nonce"),
            echostr: None,
        };
        let keys = self.corp.apps[0].keys().expect("valid keys");
        let receivers = Receivers::Exactly(vec![self.corp.corpid.0.clone()]);
        let opened = open(&[keys], &receivers, &query, &field("Encrypt")).expect("WeCom can open it");
        String::from_utf8(opened.plaintext).expect("text")
    }
}
