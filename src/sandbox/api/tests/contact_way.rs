//! From a contact way to a scan to the callback that says so.

use std::time::Duration;

use serde_json::json;

use super::receiver::Receiver;
use super::*;
use crate::sandbox::world::{MemberStatus, ScanError};

fn way(member: &UserId, state: &str) -> Value {
    json!({ "type": 1, "scene": 2, "remark": "门店A", "state": state, "user": [member] })
}

#[tokio::test]
async fn scanning_a_contact_way_makes_a_contact_and_pushes_its_state() {
    let service = Service::start().await;
    let receiver = Receiver::of(&service.platform).await;
    let member = service.serving();
    let made = service.post("externalcontact/add_contact_way", way(&member, "cust:C-7")).await.json();
    let config_id = made["config_id"].as_str().expect("an id");
    let qr_code = format!("{}/sandbox/scan/{config_id}", service.platform.base_url());
    assert_eq!(made["qr_code"], json!(qr_code));

    let customer = ExternalUserId::from("wmNEWCOMER000000000000000000000001");
    service.platform.scan(config_id, &customer).await.expect("it can be scanned");
    service.platform.pushed().await;
    let said = receiver.said();
    assert_eq!(said.len(), 1);
    for part in [
        "<Event><![CDATA[change_external_contact]]></Event>",
        "<ChangeType><![CDATA[add_external_contact]]></ChangeType>",
        &format!("<UserID><![CDATA[{member}]]></UserID><ExternalUserID><![CDATA[{customer}]]></ExternalUserID>"),
        "<State><![CDATA[cust:C-7]]></State><WelcomeCode><![CDATA[",
    ] {
        assert!(said[0].contains(part), "{part} is missing in {}", said[0]);
    }
    let card = service.get(&format!("externalcontact/get?external_userid={customer}")).await.json();
    let follower = &card["follow_user"][0];
    assert_eq!((&follower["state"], &follower["add_way"]), (&json!("cust:C-7"), &json!(1)));
    assert_eq!(service.platform.scan(config_id, &customer).await, Err(ScanError::AlreadyContact));
    assert_eq!(receiver.said().len(), 1, "a chat opens and nothing else happens");
}

#[tokio::test]
async fn actions_on_phones_are_pushed_and_api_calls_are_not() {
    let service = Service::start().await;
    let receiver = Receiver::of(&service.platform).await;
    let (member, customer) = service.pair();
    let remark = json!({ "userid": member, "external_userid": customer, "remark": "甲" });
    assert_eq!(service.post("externalcontact/remark", remark).await.errcode(), 0);
    service.platform.pushed().await;
    assert_eq!(receiver.said().len(), 0);

    let platform = &service.platform;
    platform.edit(&member, &customer, |notes| notes.remark = "乙".to_owned()).await.expect("contacts");
    platform.pushed().await;
    platform.unfollow(&member, &customer).await.expect("contacts");
    platform.pushed().await;
    platform.add(&member, &customer).await.expect("they come back");
    platform.pushed().await;
    platform.remove(&member, &customer).await.expect("contacts");
    platform.pushed().await;
    let renamed = UserId::from("new.name");
    platform.rename(&member, &renamed).await.expect("they are here");
    platform.pushed().await;
    platform.leave(&renamed).await.expect("they are here");
    platform.pushed().await;
    let change = |said: &String| {
        let rest = said.split_once("<ChangeType>").expect("a change").1;
        let text = rest.split_once("</ChangeType>").expect("a change").0;
        text.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
    };
    let changes: Vec<String> = receiver.said().iter().map(change).collect();
    let expected = [
        "edit_external_contact",
        "del_follow_user",
        "add_external_contact",
        "del_external_contact",
        "update_user",
        "delete_user",
    ];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn a_contact_way_is_read_changed_listed_and_deleted_by_its_id() {
    let service = Service::start().await;
    let member = service.serving();
    let mut ids = Vec::new();
    for n in 0..3 {
        let made = service.post("externalcontact/add_contact_way", way(&member, &format!("s{n}"))).await.json();
        ids.push(made["config_id"].clone());
    }
    let by_id = |id: &Value| json!({ "config_id": id });
    let update = json!({ "config_id": ids[0], "remark": "新", "state": "other" });
    assert_eq!(service.post("externalcontact/update_contact_way", update).await.errcode(), 0);
    let read = service.post("externalcontact/get_contact_way", by_id(&ids[0])).await.json()["contact_way"].clone();
    assert_eq!((&read["remark"], &read["state"], &read["user"]), (&json!("新"), &json!("other"), &json!([member])));

    let first = service.post("externalcontact/list_contact_way", json!({ "limit": 2 })).await.json();
    let rest = json!({ "limit": 2, "cursor": first["next_cursor"] });
    let rest = service.post("externalcontact/list_contact_way", rest).await.json();
    let listed = [
        first["contact_way"].as_array().expect("a list").clone(),
        rest["contact_way"].as_array().expect("a list").clone(),
    ];
    let listed: Vec<Value> = listed.concat().into_iter().map(|it| it["config_id"].clone()).collect();
    assert_eq!(listed, ids);
    assert_eq!(rest["next_cursor"], json!(""));

    assert_eq!(service.post("externalcontact/del_contact_way", by_id(&ids[0])).await.errcode(), 0);
    assert_eq!(service.post("externalcontact/del_contact_way", by_id(&ids[0])).await.errcode(), 41044);
    let gone = ids[0].as_str().expect("an id");
    let scanned = service.platform.scan(gone, &ExternalUserId::from("wmX")).await;
    assert_eq!(scanned, Err(ScanError::Unknown));
}

#[tokio::test]
async fn an_invalid_contact_way_is_refused() {
    let service = Service::start().await;
    let member = service.serving();
    let idle = service.platform.with(|world| {
        let idle = world.members().find(|it| !it.customer_contact).expect("not everybody serves");
        idle.userid.clone()
    });
    let with = |name: &str, value: Value| {
        let mut body = way(&member, "s");
        body[name] = value;
        body
    };
    for (body, errcode) in [
        (with("type", json!(null)), 41037),
        (with("type", json!(3)), 41039),
        (with("scene", json!(null)), 41038),
        (with("scene", json!(3)), 41040),
        (with("style", json!(9)), 41042),
        (with("state", json!("x".repeat(31))), 40058),
        (with("remark", json!("长".repeat(31))), 40058),
        (with("user", json!([])), 40058),
        (with("user", json!([member, member])), 40058),
        (with("user", json!(["nobody"])), 60111),
        (with("user", json!([idle])), 84074),
        (json!({ "type": 2, "scene": 2, "user": [] }), 40058),
        (json!({ "type": 2, "scene": 2, "user": [member], "is_temp": true }), 40058),
        (json!({ "type": 2, "scene": 2, "party": [99] }), 60003),
        (json!({ "type": 2, "scene": 2, "user": vec![member.as_str(); 101] }), 41041),
    ] {
        let refused = service.post("externalcontact/add_contact_way", body.clone()).await;
        assert_eq!(refused.errcode(), errcode, "{body}");
    }
    service.platform.with(|world| world.member_mut(&member).expect("they are here").verified = false);
    assert_eq!(service.post("externalcontact/add_contact_way", way(&member, "s")).await.errcode(), 40098);
    let status = MemberStatus::NotActivated;
    service.platform.with(|world| world.member_mut(&member).expect("they are here").status = status);
    assert_eq!(service.post("externalcontact/add_contact_way", way(&member, "s")).await.errcode(), 41054);
    service.platform.with(|world| world.limits.contact_ways = 0);
    assert_eq!(service.post("externalcontact/add_contact_way", way(&member, "s")).await.errcode(), 41045);
    assert_eq!(service.platform.with(|world| world.contact_ways().count()), 0);
}

#[tokio::test]
async fn a_temporary_contact_way_expires_and_one_for_several_finds_a_member() {
    let service = Service::start().await;
    let member = service.serving();
    let mut body = way(&member, "s");
    body["is_temp"] = json!(true);
    body["expires_in"] = json!(60);
    let made = service.post("externalcontact/add_contact_way", body).await.json();
    let config_id = made["config_id"].as_str().expect("an id");
    service.platform.clock().advance(Duration::from_secs(60));
    let customer = ExternalUserId::from("wmLATE");
    assert_eq!(service.platform.scan(config_id, &customer).await, Err(ScanError::Expired));

    let several = json!({ "type": 2, "scene": 2, "party": [1] });
    let made = service.post("externalcontact/add_contact_way", several).await.json();
    service.platform.scan(made["config_id"].as_str().expect("an id"), &customer).await.expect("somebody is there");
    let card = service.get("externalcontact/get?external_userid=wmLATE").await.json();
    assert!(card["follow_user"][0].get("state").is_none(), "{card}");
}
