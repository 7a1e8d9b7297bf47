//! Reasons why WeCom cannot be reached, over real sockets: each has a name and an explanation, and so has the unknown.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::AbortHandle,
};
use wecomd::{
    sandbox::{AppKind, Push},
    wecom::{Limits, Settings, Unreached, Wecom},
};

use crate::support::{
    Acting,
    crowd::{Crowd, Ends},
    daemon::free_port,
    plaintext::contact,
};

const PATH: &str = "/api/enterprise-wechat/test-connection";

/// A foreign page, whose beginning is reported.
const PAGE: &str = "<html><head><title>请先登录网络 Log in first</title></head><body></body></html>";

/// What a listener does with whoever connects.
#[derive(Clone, Copy)]
enum Listener {
    /// It answers with this, whatever the request.
    Says(&'static str),
    /// It never answers.
    Silent,
    /// It closes the connection after the first bytes.
    HangsUp,
}

/// A port where somebody listens who is not WeCom. Dropping it closes it.
struct Port {
    number: u16,
    task: AbortHandle,
}

impl Port {
    async fn open(listener: Listener) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let number = socket.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = socket.accept().await.expect("a connection");
                tokio::spawn(async move {
                    let heard = stream.read(&mut [0; 4_096]).await;
                    match listener {
                        Listener::Says(words) if heard.is_ok() => drop(stream.write_all(words.as_bytes()).await),
                        Listener::Silent => std::future::pending().await,
                        Listener::Says(_) | Listener::HangsUp => {}
                    }
                });
            }
        });
        Self { number, task: task.abort_handle() }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_reason_why_wecom_is_unreachable_has_a_name_and_an_explanation() {
    let acting = Acting::start().await;
    let admin = &acting.app.app.admin_half;
    let page = Port::open(Listener::Says("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n<html>login\n")).await;
    let gateway = Port::open(Listener::Says(
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
    ));
    let gateway = gateway.await;
    let refusing = Port::open(Listener::Says("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")).await;
    let stranger =
        Port::open(Listener::Says("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"));
    let stranger = stranger.await;
    let (silent, broken) = (Port::open(Listener::Silent).await, Port::open(Listener::HangsUp).await);
    let nobody = free_port().port();
    let http = |port: u16| format!("http://127.0.0.1:{port}");
    let https = |port: u16| format!("https://127.0.0.1:{port}");
    // No label of a name is that long, so nobody needs to be asked about it.
    let no_name = format!("http://{}.invalid", "x".repeat(70));
    let cases = [
        (no_name, None, Unreached::Dns, "域名解析失败"),
        (http(nobody), None, Unreached::Connect, "无法建立连接"),
        (https(nobody), None, Unreached::Connect, "无法建立连接"),
        (https(page.number), None, Unreached::Tls, "TLS 握手失败"),
        (https(broken.number), None, Unreached::Tls, "TLS 握手失败"),
        (http(silent.number), None, Unreached::Timeout, "在限定时间内没有应答"),
        (https(silent.number), None, Unreached::Timeout, "在限定时间内没有应答"),
        (http(broken.number), None, Unreached::Broken, "连接中途断开"),
        (http(gateway.number), None, Unreached::Status, "HTTP 状态码"),
        (http(page.number), None, Unreached::NotJson, "应答不是 JSON"),
        (https(nobody), Some(refusing.number), Unreached::Proxy, "代理"),
        (https(nobody), Some(stranger.number), Unreached::Proxy, "代理"),
        (http(nobody), Some(stranger.number), Unreached::Proxy, "代理"),
        (https(page.number), Some(nobody), Unreached::Proxy, "代理"),
        (http(page.number), Some(nobody), Unreached::Proxy, "代理"),
    ];
    let app = acting.app.corp.app(AppKind::App).expect("an app");
    let id = format!("select id::bigint from enterprise_wechat_config where name = '{}'", app.name);
    let id = i32::try_from(acting.app.db.count(&id).await).expect("small");
    for (base_url, proxy, unreached, words) in cases {
        let settings = Settings {
            base_url: base_url.clone(),
            proxy: proxy.map(|port| http(port).into()),
            timeout: Duration::from_millis(500),
            budget: Limits::default(),
        };
        let wecom = Wecom::new(&settings, acting.app.db.pool.clone(), admin.vault.clone()).expect("a client");
        let api = wecom.app(id).await.expect("it has a secret");
        let error = api.check_token().await.expect_err(&base_url);
        assert_eq!(error.unreached, Some(unreached), "{base_url} by {proxy:?}: {error}");
        let meaning = error.meaning().expect("words");
        assert!(meaning.zh.contains(words) && !meaning.en.is_empty(), "{base_url}: {meaning:?}");
        assert!(!meaning.remedy_zh.is_empty() && !meaning.remedy_en.is_empty(), "{base_url}");
        assert!(error.is_transient(), "{base_url}: the state of the app is unknown");
        assert!(!error.to_string().contains("corpsecret"), "{error}");
        let told = match unreached {
            Unreached::Status => "502",
            Unreached::NotJson => "<html>login",
            _ => "",
        };
        assert!(error.message.contains(told), "{error}");
    }
    acting.finish().await;
}

/// How the whole test ended, and each of its checks.
async fn tested(acting: &Acting) -> (Value, Vec<(String, Value)>, String) {
    let answer = acting.app.ask("POST", PATH, None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let answer = answer.json();
    let checks = answer["checks"].as_array().expect("checks").iter();
    let checks = checks.map(|it| (it["check"].as_str().expect("a name").to_owned(), it["ok"].clone()));
    (answer["ok"].clone(), checks.collect(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_without_a_result_is_null_and_never_true() {
    let crowd = Crowd::start(Ends::Busy).await;
    let acting = Acting::start_with(|config| config.wecom.base_url.clone_from(&crowd.base_url)).await;
    crowd.lead_to(acting.platform.address());
    acting.member("ann", "安", &["wmAlice"]);
    let push = contact(1_700_000_000, "add_external_contact", "ann", "wmAlice", &[]);
    acting.app.deliver(vec![Push::genuine(AppKind::App, push)]).await;
    let app = acting.app.corp.app(AppKind::App).expect("an app").name.clone();
    let only = json!({ "status": "disabled" });
    for it in acting.app.corp.apps.iter().filter(|it| it.name != app) {
        let mut off = only.clone();
        off["name"] = json!(it.name);
        assert_eq!(acting.app.ask("POST", "/api/enterprise-wechat/config", Some(off)).await.status, 200);
    }
    let (ok, checks, text) = tested(&acting).await;
    assert_eq!((ok, checks.iter().all(|it| it.1 == true)), (json!(true), true), "{text}");

    // A token and a reading of the clock are at hand from before.
    for (status, words_zh, words_en) in [(200, "应答不是 JSON", "the answer is not JSON"), (502, "HTTP 状态码", "502")]
    {
        crowd.page(status, PAGE);
        let (ok, checks, text) = tested(&acting).await;
        assert_eq!(ok, Value::Null, "{text}");
        for unknown in ["token", "trusted_ip", "customer_contact", "visible_scope", "clock"] {
            assert!(checks.contains(&(unknown.to_owned(), Value::Null)), "{unknown}: {text}");
        }
        for known in ["database", "secret", "callback"] {
            assert!(checks.contains(&(known.to_owned(), json!(true))), "{known}: {text}");
        }
        assert!(text.contains(words_zh) && text.contains(words_en), "{text}");
    }
    // A process without a token learns no more, and neither does it without an answer.
    acting.app.db.execute("delete from wecom_token").await;
    drop(crowd);
    let (ok, checks, text) = tested(&acting).await;
    assert!(ok == Value::Null && checks.contains(&("clock".to_owned(), Value::Null)), "{text}");
    acting.finish().await;
}
