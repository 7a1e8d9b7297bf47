//! The controls over HTTP, for a pretend WeCom that is a process of its own.

use serde_json::json;

use super::*;

async fn control(service: &Service, method: Method, path: &str, body: impl Into<Bytes>) -> Answered {
    request(service.platform.address(), method, &format!("/sandbox/{path}"), &[], body.into()).await.expect("answered")
}

#[tokio::test]
async fn the_page_behind_a_code_can_scan_it() {
    let service = Service::start().await;
    let way = json!({ "type": 1, "scene": 2, "state": "<b>&", "user": [service.serving()] });
    let made = service.post("externalcontact/add_contact_way", way).await.json();
    let path = format!("scan/{}", made["config_id"].as_str().expect("an id"));

    let page = control(&service, Method::GET, &path, "").await;
    let text = String::from_utf8(page.bytes.to_vec()).expect("text");
    assert!(text.contains("模拟扫码") && text.contains("&lt;b&gt;&amp;") && text.contains("<form method=\"post\">"));

    let anybody = control(&service, Method::POST, &path, "").await.json();
    let id = anybody["external_userid"].as_str().expect("an id");
    let card = service.get(&format!("externalcontact/get?external_userid={id}")).await.json();
    assert_eq!(card["follow_user"][0]["state"], json!("<b>&"));

    let named = control(&service, Method::POST, &format!("{path}?external_userid=wmNAMED"), "").await;
    assert_eq!(named.json()["external_userid"], json!("wmNAMED"));
    let by_form = control(&service, Method::POST, &path, "external_userid=wmNAMED").await;
    assert_eq!((by_form.status, &by_form.json()["error"]), (409, &json!("they are contacts already")));
    assert_eq!(control(&service, Method::POST, &path, "external_userid=%3Cxml%3E").await.status, 400);
    assert_eq!(control(&service, Method::GET, "scan/none", "").await.status, 404);
    assert_eq!(control(&service, Method::POST, "scan/none", "").await.status, 404);
}

#[tokio::test]
async fn calls_faults_and_the_clock_are_reached_over_http() {
    let service = Service::start().await;
    let fault = json!({ "path": "getcallbackip", "errcode": -1, "times": 1 }).to_string();
    assert_eq!(control(&service, Method::POST, "faults", fault).await.status, 200);
    assert_eq!(service.get("getcallbackip").await.errcode(), -1);
    let calls = control(&service, Method::GET, "calls", "").await.json();
    let last = calls.as_array().and_then(|calls| calls.last()).expect("a call").clone();
    assert_eq!((&last["path"], &last["errcode"]), (&json!("getcallbackip"), &json!(-1)));

    assert_eq!(control(&service, Method::POST, "clock", r#"{"advance_s":7200}"#).await.status, 200);
    assert_eq!(service.get("getcallbackip").await.errcode(), 42001);
    assert_eq!(control(&service, Method::POST, "clock", r#"{"advance":1}"#).await.status, 400);
    assert_eq!(control(&service, Method::GET, "clock", "").await.status, 405);
    assert_eq!(control(&service, Method::DELETE, "faults", "").await.status, 405);
    assert_eq!(control(&service, Method::GET, "nonsense", "").await.status, 404);
}

#[tokio::test]
async fn a_member_leaves_and_a_transfer_ends_over_http() {
    let mut service = Service::start().await;
    let (member, customer) = service.pair();
    service.platform.with(|world| world.add_member(&UserId::from("successor"), "接班"));
    let leave = |body: Value| control(&service, Method::POST, "leave", body.to_string());
    assert_eq!(leave(json!({ "userid": member })).await.status, 200);
    assert_eq!(leave(json!({ "userid": member })).await.status, 404, "they are gone");
    assert_eq!(leave(json!({ "user": member })).await.status, 400);
    assert_eq!(control(&service, Method::GET, "leave", "").await.status, 405);
    let body = json!({ "handover_userid": member, "takeover_userid": "successor", "external_userid": [customer] });
    assert_eq!(service.post("externalcontact/resigned/transfer_customer", body).await.errcode(), 0);
    assert_eq!(control(&service, Method::POST, "clock", r#"{"advance_s":86400}"#).await.status, 200);
    let followers = service.platform.with(|world| world.followers_of(&customer));
    assert!(followers.contains(&UserId::from("successor")), "{followers:?}");
    service.token = service.new_token(AppKind::App).await;
    assert_eq!(service.get("user/get?userid=successor").await.errcode(), 0);
}

#[tokio::test]
async fn a_stopped_platform_accepts_no_connections() {
    let service = Service::start().await;
    let address = service.platform.address();
    service.platform.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
