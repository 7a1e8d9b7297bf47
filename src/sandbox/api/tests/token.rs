//! Tokens, addresses, roles and frequencies: everything that stands between a caller and an endpoint.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::sandbox::world::{TokenMode, Visible};

#[tokio::test]
async fn a_token_opens_the_api_for_two_hours_and_is_then_expired() {
    let service = Service::start().await;
    let given = service.gettoken(AppKind::App).await;
    assert_eq!((&given["errcode"], &given["expires_in"]), (&json!(0), &json!(7200)));
    assert_eq!(service.get("getcallbackip").await.errcode(), 0);
    service.platform.clock().advance(Duration::from_secs(7200));
    assert_eq!(service.get("getcallbackip").await.errcode(), 42001);
    assert_ne!(service.new_token(AppKind::App).await, service.token);
}

#[tokio::test]
async fn missing_unknown_and_revoked_tokens_have_different_errcodes() {
    let service = Service::start().await;
    let missing = service.ask(Method::GET, "user/get", &[], Bytes::new()).await.expect("answered");
    assert_eq!(missing.errcode(), 41001);
    assert_eq!(service.get_with("strange", "user/get").await.errcode(), 40014);
    let corpid = corp().corpid;
    service.platform.with(|world| world.revoke_tokens(&corpid));
    let refused = service.get("getcallbackip").await.json();
    assert_eq!((&refused["errcode"], &refused["ip_list"]), (&json!(40014), &json!([])));
}

#[tokio::test]
async fn a_second_token_is_the_same_an_additional_or_a_replacing_one() {
    let service = Service::start().await;
    let first = service.token.clone();
    assert_eq!(service.new_token(AppKind::App).await, first, "the same while it is valid");
    assert_ne!(service.new_token(AppKind::Directory).await, first, "each secret has its own");

    service.platform.with(|world| world.token_mode = TokenMode::Another);
    let second = service.new_token(AppKind::App).await;
    assert_ne!(second, first);
    assert_eq!(service.get_with(&first, "getcallbackip").await.errcode(), 0, "the old one stays valid");

    service.platform.with(|world| world.token_mode = TokenMode::Replacing);
    let third = service.new_token(AppKind::App).await;
    assert_eq!(service.get_with(&second, "getcallbackip").await.errcode(), 40014, "the newest is revoked");
    assert_eq!(service.get_with(&third, "getcallbackip").await.errcode(), 0);
}

#[tokio::test]
async fn an_address_with_too_many_wrong_secrets_is_banned_for_an_hour() {
    let service = Service::start().await;
    service.platform.with(|world| world.limits.wrong_secrets_per_hour = 3);
    let guess = format!("gettoken?corpid={}&corpsecret=guess", corp().corpid);
    for _ in 0..3 {
        let refused = service.ask(Method::GET, &guess, &[], Bytes::new()).await.expect("answered");
        assert_eq!(refused.errcode(), 40001);
    }
    assert_eq!(service.gettoken(AppKind::App).await["errcode"], 45009, "the right secret helps no more");
    assert_eq!(service.get("getcallbackip").await.errcode(), 0, "a token still does");
    service.platform.clock().advance(Duration::from_secs(3600));
    assert_eq!(service.gettoken(AppKind::App).await["errcode"], 0);

    for (query, errcode) in [("", 41002), ("corpid=ww1", 41004), ("corpid=ww1&corpsecret=x", 40013)] {
        let refused = service.ask(Method::GET, &format!("gettoken?{query}"), &[], Bytes::new()).await;
        assert_eq!(refused.expect("answered").errcode(), errcode, "{query}");
    }
}

#[tokio::test]
async fn calls_from_an_unlisted_address_are_refused_with_that_address() {
    let service = Service::start().await;
    service.platform.with(|world| world.allowed_ips = Some(vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))]));
    let refused = service.get("user/get?userid=x").await.json();
    let text = refused["errmsg"].as_str().expect("a text");
    assert_eq!(refused["errcode"], 60020);
    assert!(text.contains("from ip: 127.0.0.1, more info at") && text.contains("hint: ["), "{text}");
    service.platform.with(|world| world.allowed_ips = Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
    assert_eq!(service.get("getcallbackip").await.errcode(), 0);
}

#[tokio::test]
async fn an_endpoint_over_its_limit_refuses_calls_until_the_minute_ends() {
    let service = Service::start().await;
    service.platform.with(|world| world.limits.calls_per_minute_of.insert("getcallbackip".to_owned(), 2));
    let mut errcodes = Vec::new();
    for _ in 0..3 {
        errcodes.push(service.get("getcallbackip").await.errcode());
    }
    assert_eq!(errcodes, [0, 0, 45009]);
    assert_eq!(service.get("get_api_domain_ip").await.errcode(), 0, "others are not affected");
    service.platform.clock().advance(Duration::from_secs(60));
    assert_eq!(service.get("getcallbackip").await.errcode(), 0);
}

#[tokio::test]
async fn each_secret_opens_what_its_role_allows() {
    let service = Service::start().await;
    let sync = service.new_token(AppKind::Directory).await;
    let list = "externalcontact/get_follow_user_list";
    assert_eq!(service.get_with(&sync, list).await.errcode(), 48002);
    assert_eq!(service.get_with(&sync, "user/get?userid=x").await.errcode(), 48009);
    assert_eq!(service.get_with(&sync, "department/simplelist").await.errcode(), 0);
    assert_eq!(service.get_with(&sync, "user/list_id").await.errcode(), 0);
    assert_eq!(service.get("user/list_id").await.errcode(), 48002);
    assert_eq!(service.get(list).await.errcode(), 0);
    service.platform.with(|world| world.app_mut(AppKind::App).expect("it is there").customer_contact = false);
    assert_eq!(service.get(list).await.errcode(), 48002);
}

#[tokio::test]
async fn members_outside_the_visible_range_of_an_app_are_not_found() {
    let service = Service::start().await;
    let (member, customer) = service.pair();
    let other = service.platform.with(|world| {
        let other = world.members().find(|it| it.customer_contact && it.userid != member).expect("another");
        other.userid.clone()
    });
    service.platform.with(|world| {
        let visible = Visible::Only { members: vec![other.clone()], departments: Vec::new() };
        world.app_mut(AppKind::App).expect("it is there").visible = visible;
    });
    assert_eq!(service.get(&format!("user/get?userid={member}")).await.errcode(), 60111);
    assert_eq!(service.get(&format!("user/get?userid={}", other.as_str().to_uppercase())).await.errcode(), 0);
    assert_eq!(service.get(&format!("externalcontact/list?userid={member}")).await.errcode(), 60011);
    assert_eq!(service.get("user/list?department_id=1").await.errcode(), 60011);
    assert_eq!(service.get("department/get?id=99").await.errcode(), 60003);
    let only_theirs = service.platform.with(|world| !world.customers_of(&other).contains(&customer));
    let card = service.get(&format!("externalcontact/get?external_userid={customer}")).await.errcode();
    assert_eq!(card, if only_theirs { 84061 } else { 0 });
    assert_eq!(service.get("externalcontact/get_follow_user_list").await.json()["follow_user"], json!([other]));
}

#[tokio::test]
async fn a_login_code_names_its_member_once_within_five_minutes() {
    let service = Service::start().await;
    let (member, customer) = service.pair();
    let ask = |code: &str| format!("auth/getuserinfo?code={code}");
    let code = service.platform.with(|world| world.login_code(&member));
    assert_eq!(service.get(&ask(&code)).await.json()["userid"], json!(member));
    assert_eq!(service.get(&ask(&code)).await.errcode(), 42022);
    assert_eq!(service.get(&ask("strange")).await.errcode(), 40029);
    let late = service.platform.with(|world| world.login_code(&member));
    service.platform.clock().advance(Duration::from_secs(300));
    assert_eq!(service.get(&ask(&late)).await.errcode(), 42003);
    let outside = service.platform.with(|world| world.stranger_code(Some(&customer)));
    let info = service.get(&ask(&outside)).await.json();
    assert!(info.get("userid").is_none() && info["external_userid"] == json!(customer), "{info}");
}
