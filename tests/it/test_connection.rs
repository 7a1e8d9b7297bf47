//! What an administrator is told about an app's connection to WeCom.

use serde_json::{Value, json};
use wecomd::sandbox::{AppKind, Push, Visible};

use crate::support::{TestApp, plaintext::contact, wecom::app_with_wecom};

const PATH: &str = "/api/enterprise-wechat/test-connection";

#[tokio::test]
async fn an_app_that_is_set_up_well_passes_every_check() {
    let (app, _platform) = app_with_wecom().await;
    let push = contact(1_700_000_000, "add_external_contact", "zhangsan", "wmAlice", &[]);
    app.deliver(vec![Push::genuine(AppKind::App, push)]).await;
    let answer = app.ask("POST", PATH, None).await;
    assert_eq!((answer.status, &answer.json()["ok"]), (200, &json!(true)), "{:#}", answer.json());
    let answer = answer.json();
    let checks = answer["checks"].as_array().expect("checks");
    let names: Vec<_> = checks.iter().map(|it| it["check"].as_str().expect("a name")).collect();
    insta::assert_snapshot!(names.join(" "), @"database secret token trusted_ip customer_contact visible_scope clock callback");
    assert!(checks.iter().all(|it| it["ok"] == true), "{answer:#}");
    app.finish().await;
}

#[tokio::test]
async fn each_failed_check_is_explained_with_advice_in_both_languages() {
    let (app, platform) = app_with_wecom().await;
    assert_eq!(remedy_of(&app, "callback").await.0, json!(false), "no callback ever came");
    platform.with(|world| world.app_mut(AppKind::App).expect("an app").customer_contact = false);
    let (ok, remedy) = remedy_of(&app, "customer_contact").await;
    assert!(ok == false && remedy.contains("可调用接口的应用"), "{remedy}");

    let only = Visible::Only { members: Vec::new(), departments: Vec::new() };
    platform.with(|world| world.app_mut(AppKind::App).expect("an app").visible = only);
    let (ok, remedy) = remedy_of(&app, "visible_scope").await;
    assert!(ok == false && remedy.contains("可见范围"), "{remedy}");

    platform.with(|world| world.allowed_ips = Some(Vec::new()));
    let (ok, remedy) = remedy_of(&app, "trusted_ip").await;
    assert!(ok == false && remedy.contains("企业可信 IP"), "{remedy}");
    let text = app.ask("POST", PATH, None).await.text();
    assert!(text.contains("WeCom saw us come from 127.0.0.1"), "{text}");
    app.finish().await;
}

#[tokio::test]
async fn a_wrong_or_missing_secret_leaves_the_rest_unknown() {
    let (app, _platform) = app_with_wecom().await;
    let name = &app.corp.app(AppKind::App).expect("an app").name;
    let body = json!({ "name": name, "secret": "a-secret-of-nobody" });
    assert_eq!(app.ask("POST", "/api/enterprise-wechat/config", Some(body)).await.status, 200);
    let (ok, remedy) = remedy_of(&app, "token").await;
    assert!(ok == false && remedy.contains("Secret"), "{remedy}");
    assert_eq!(remedy_of(&app, "customer_contact").await.0, Value::Null);

    let directory = &app.corp.app(AppKind::Directory).expect("an app").name;
    let answer = app.ask("POST", PATH, Some(json!({ "name": directory }))).await.json();
    let secret = answer["checks"].as_array().and_then(|it| it.iter().find(|it| it["check"] == "secret"));
    assert_eq!(secret.expect("a check")["ok"], false, "{answer:#}");
    let unknown = app.ask("POST", PATH, Some(json!({ "name": "nothing" }))).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("config_unknown")));
    app.finish().await;
}

/// How a check of the app with a secret ended, and what to do about it.
async fn remedy_of(app: &TestApp, check: &str) -> (Value, String) {
    let answer = app.ask("POST", PATH, None).await.json();
    let checks = answer["checks"].as_array().expect("checks");
    let found = checks.iter().find(|it| it["check"] == check).expect("the check");
    (found["ok"].clone(), found["remedy"]["zh"].as_str().unwrap_or_default().to_owned())
}
