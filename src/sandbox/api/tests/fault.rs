//! Faults on demand, and the journal that shows what they did.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

fn way(service: &Service) -> Value {
    json!({ "type": 1, "scene": 2, "state": "s", "user": [service.serving()] })
}

const ADD: &str = "externalcontact/add_contact_way";

#[tokio::test]
async fn a_connection_breaks_before_a_call_took_effect_or_after() {
    let service = Service::start().await;
    let ways = || service.platform.with(|world| world.contact_ways().count());
    let drop = |at| Fault { drop: Some(at), times: Some(1), ..Fault::default() };
    service.platform.faults().set(ADD, drop(DropAt::Before));
    assert!(service.try_post(ADD, way(&service)).await.is_none());
    assert_eq!(ways(), 0);
    service.platform.faults().set(ADD, drop(DropAt::After));
    assert!(service.try_post(ADD, way(&service)).await.is_none());
    assert_eq!(ways(), 1, "the caller cannot know, but it was made");
    assert_eq!(service.post(ADD, way(&service)).await.errcode(), 0, "once only");

    let calls = service.platform.calls();
    let seen: Vec<_> = calls.iter().filter(|it| it.path == ADD).map(|it| (it.errcode, it.dropped)).collect();
    assert_eq!(seen, [(-1, true), (0, true), (0, false)]);
}

#[tokio::test]
async fn an_errcode_fault_hits_its_share_of_calls_on_one_path_only() {
    let service = Service::start().await;
    let faults = service.platform.faults();
    faults.set("/cgi-bin/getcallbackip", Fault { errcode: Some(45033), share: 0.5, ..Fault::default() });
    let mut hits = 0;
    for _ in 0..60 {
        let errcode = service.get("getcallbackip").await.errcode();
        assert!([0, 45033].contains(&errcode), "{errcode}");
        hits += usize::from(errcode == 45033);
        assert_eq!(service.get("get_api_domain_ip").await.errcode(), 0);
    }
    assert!((15..=45).contains(&hits), "{hits}");
    faults.set(EVERY_PATH, Fault { errcode: Some(-1), times: Some(2), ..Fault::default() });
    faults.set("getcallbackip", Fault::default());
    assert_eq!(service.get("getcallbackip").await.errcode(), 0, "a fault of the path takes precedence");
    assert_eq!(service.get("get_api_domain_ip").await.errcode(), -1);
    faults.clear();
    assert_eq!(service.get("get_api_domain_ip").await.errcode(), 0);
}

#[tokio::test]
async fn an_answer_may_be_late_but_the_effect_is_not() {
    let service = Service::start().await;
    let latency = Duration::from_millis(50);
    service.platform.faults().set(ADD, Fault { latency, ..Fault::default() });
    let started = Instant::now();
    assert_eq!(service.post(ADD, way(&service)).await.errcode(), 0);
    assert!(started.elapsed() >= latency);
}

#[tokio::test]
async fn tokens_are_revoked_at_random_after_calls() {
    let service = Service::start().await;
    service.platform.faults().revoke_tokens(1.0);
    assert_eq!(service.get("getcallbackip").await.errcode(), 0, "this call was good");
    assert_eq!(service.get("getcallbackip").await.errcode(), 40014);
    let token = service.new_token(AppKind::App).await;
    assert_ne!(token, service.token);
    service.platform.faults().revoke_tokens(0.0);
    assert_eq!(service.get_with(&token, "getcallbackip").await.errcode(), 0);
}

#[tokio::test]
async fn the_journal_holds_requests_without_tokens_secrets_or_codes() {
    let service = Service::start().await;
    let code = service.platform.with(|world| world.login_code(&UserId::from("somebody")));
    service.get("user/get?userid=nobody").await;
    service.get(&format!("auth/getuserinfo?code={code}")).await;
    service.post(ADD, json!({ "type": 9 })).await;
    let calls = service.platform.calls();
    let brief: Vec<_> = calls.iter().map(|it| (it.path.as_str(), it.errcode, it.body.clone())).collect();
    assert_eq!(
        brief,
        [
            ("gettoken", 0, json!({ "corpid": corp().corpid })),
            ("user/get", 60111, json!({ "userid": "nobody" })),
            ("auth/getuserinfo", 0, json!({})),
            (ADD, 41039, json!({ "type": 9 })),
        ]
    );
    let shown = format!("{calls:?}");
    for secret in [&service.token, &code, &corp().apps[0].secret] {
        assert!(!shown.contains(secret.as_str()), "{shown}");
    }
}
