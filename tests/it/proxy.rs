//! The way to WeCom through a proxy.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use wecomd::{
    app::App,
    sandbox::Platform,
    vault::Vault,
    wecom::{Class, Limits, Settings, SetupError, Wecom},
};

use crate::support::{
    TestApp, TestDb,
    app::{NOBODY, config},
    proxy::Proxy,
    wecom::{platform, somebody},
};

/// wecomd with every secret of the company, and with this way to WeCom.
async fn app(base_url: String, proxy: &str) -> TestApp {
    let proxy = SecretString::from(proxy);
    let app = TestApp::start_with(|config| (config.wecom.base_url, config.wecom.proxy) = (base_url, proxy)).await;
    app.entrust().await;
    app
}

#[tokio::test]
async fn every_call_goes_through_the_proxy_with_its_full_url_and_credentials() {
    let (platform, proxy): (Platform, Proxy) = (platform().await, Proxy::start().await);
    let app = app(platform.base_url(), &format!("http://we:se%20cret@{}", proxy.address)).await;
    let user = somebody(&platform);
    let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
    assert_eq!(api.member(&user).await.expect("a member").user, user);
    api.send_text(&user, "您好").await.expect("a body arrives as well");
    let media_id = platform.with(|world| world.add_media(b"a picture".to_vec(), "image/png", "a.png"));
    assert_eq!(api.media(&media_id, 0).await.expect("a file").bytes.as_ref(), b"a picture");

    let carried = proxy.carried();
    let url = |path: &str| format!("{}/cgi-bin/{path}", platform.base_url().trim_end_matches('/'));
    let targets: Vec<_> = carried.iter().map(|it| it.target.as_str()).collect();
    assert_eq!(targets, ["gettoken", "user/get", "message/send", "media/get"].map(url));
    assert_eq!(platform.calls().len(), carried.len(), "no call took another way");
    let password = format!("Basic {}", STANDARD.encode("we:se cret"));
    assert!(carried.iter().all(|it| it.authorization.as_deref() == Some(&password)), "{carried:?}");
    app.finish().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_proxy_that_refuses_a_tunnel_learns_only_the_target_host() {
    let proxy = Proxy::start().await;
    let app = app("https://wecom.invalid".to_owned(), &format!("http://we:se%20cret@{}", proxy.address)).await;
    let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
    let error = api.follow_users().await.expect_err("no way out");
    assert_eq!((error.class, error.path), (Class::Transient, "gettoken"), "{error}");
    assert!(!error.to_string().contains("cret"), "{error}");
    let carried = proxy.carried();
    let asked: Vec<_> = carried.iter().map(|it| format!("{} {}", it.method, it.target)).collect();
    assert_eq!(asked, ["CONNECT wecom.invalid:443"]);
    app.finish().await;
}

#[tokio::test]
async fn an_invalid_proxy_is_reported_without_its_password() {
    let db = TestDb::new().await;
    for wrong in ["http://", "http://we:secret@a proxy:3128", "ftp://we:secret@proxy:3128"] {
        let settings = Settings {
            base_url: NOBODY.to_owned(),
            proxy: Some(wrong.into()),
            timeout: Duration::from_secs(1),
            budget: Limits::default(),
        };
        let made = Wecom::new(&settings, db.pool.clone(), Arc::new(Vault::random()));
        assert!(matches!(made, Err(SetupError::Proxy)), "{wrong}");
        let mut config = config();
        config.wecom.proxy = wrong.into();
        let started = App::start(&config, &db.url, Arc::new(Vault::random())).await;
        let said = format!("{:#}", started.err().expect("it does not start"));
        assert!(said.contains("wecom.proxy is not a URL such as http://proxy:3128"), "{wrong}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
    db.close().await;

    // One that does not answer is told from a WeCom that refuses: what to look at stands in the test of the connection.
    let app = app("http://wecom.invalid".to_owned(), NOBODY).await;
    let name = &app.corp.app(wecomd::sandbox::AppKind::App).expect("an app").name;
    let body = serde_json::json!({ "name": name });
    let answer = app.ask("POST", "/api/enterprise-wechat/test-connection", Some(body)).await.json();
    let checks = answer["checks"].as_array().expect("checks");
    let token = checks.iter().find(|it| it["check"] == "token").expect("the check");
    assert!(
        token["ok"].is_null() && token["en"].as_str().is_some_and(|it| it.contains("the proxy cannot be reached")),
        "{token}"
    );
    let remedy = token["remedy"]["en"].as_str().expect("a remedy");
    assert_eq!(remedy, "check the address and the account in wecom.proxy, and what the proxy lets through");
    app.finish().await;
}
