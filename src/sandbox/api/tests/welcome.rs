//! A welcome is sent once and in time, or the refusal says why not.

use std::time::Duration;

use serde_json::json;

use super::*;

/// The codes that customers brought who were added just now, with their ids.
async fn newcomers(service: &Service, count: usize) -> Vec<(String, ExternalUserId)> {
    let member = service.serving();
    let mut codes = Vec::new();
    for _ in 0..count {
        let customer = service.platform.with(|world| world.somebody_new());
        let push = service.platform.with(|world| world.add(&member, &customer)).expect("they are new");
        let rest = push.plaintext.split_once("<WelcomeCode><![CDATA[").expect("a code").1;
        codes.push((rest.split_once("]]>").expect("its end").0.to_owned(), customer));
    }
    codes
}

fn welcome(code: &str) -> Value {
    json!({ "welcome_code": code, "text": { "content": "您好" } })
}

const SEND: &str = "externalcontact/send_welcome_msg";

#[tokio::test]
async fn a_welcome_is_delivered_once() {
    let service = Service::start().await;
    let (code, customer) = newcomers(&service, 1).await.remove(0);
    assert_eq!(service.post(SEND, welcome(&code)).await.errcode(), 0);
    assert_eq!(service.post(SEND, welcome(&code)).await.errcode(), 41051);
    let welcomes = service.platform.with(|world| world.welcomes.clone());
    assert_eq!(welcomes.len(), 1);
    assert_eq!((&welcomes[0].external_userid, &welcomes[0].message["text"]), (&customer, &json!("您好")));
}

#[tokio::test]
async fn a_welcome_after_twenty_seconds_comes_too_late() {
    let service = Service::start().await;
    let codes = newcomers(&service, 2).await;
    service.platform.clock().advance(Duration::from_secs(10));
    assert_eq!(service.post(SEND, welcome(&codes[0].0)).await.errcode(), 0, "just in time");
    service.platform.clock().advance(Duration::from_secs(10));
    assert_eq!(service.post(SEND, welcome(&codes[1].0)).await.errcode(), 41050);
    assert_eq!(service.post(SEND, welcome("strange")).await.errcode(), 41050);
    assert_eq!(service.platform.with(|world| world.welcomes.len()), 1);
}

#[tokio::test]
async fn a_welcome_that_conflicts_with_another_app_may_be_retried_at_once() {
    let service = Service::start().await;
    let (code, _) = newcomers(&service, 1).await.remove(0);
    service.platform.with(|world| world.welcome_conflicts = 1);
    assert_eq!(service.post(SEND, welcome(&code)).await.errcode(), 41096);
    assert_eq!(service.post(SEND, welcome(&code)).await.errcode(), 0);
}

#[tokio::test]
async fn a_customer_who_uses_wecom_brings_no_code() {
    let service = Service::start().await;
    let member = service.serving();
    let partner = ExternalUserId::from("woPARTNER");
    let push = service.platform.with(|world| world.add(&member, &partner)).expect("they are new");
    assert!(!push.plaintext.contains("WelcomeCode"), "{}", push.plaintext);
}

#[tokio::test]
async fn a_malformed_welcome_does_not_use_up_the_code() {
    let service = Service::start().await;
    let (code, _) = newcomers(&service, 1).await.remove(0);
    let media_id = service.platform.with(|world| world.add_media("picture", "image/png", "a.png"));
    let with = |attachment: Value| json!({ "welcome_code": code, "attachments": [attachment] });
    for (body, errcode) in [
        (json!({ "text": { "content": "您好" } }), 41049),
        (json!({ "welcome_code": code }), 44004),
        (json!({ "welcome_code": code, "text": { "content": "长".repeat(1334) } }), 45002),
        (with(json!({ "msgtype": "image", "link": {} })), 40058),
        (with(json!({ "msgtype": "link", "link": { "title": "只有标题" } })), 40058),
        (with(json!({ "msgtype": "image", "image": { "media_id": "gone" } })), 40007),
    ] {
        assert_eq!(service.post(SEND, body.clone()).await.errcode(), errcode, "{body}");
    }
    let good = with(json!({ "msgtype": "image", "image": { "media_id": media_id } }));
    assert_eq!(service.post(SEND, good).await.errcode(), 0);
}
