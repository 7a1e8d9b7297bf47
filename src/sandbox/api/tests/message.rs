//! Messages to members: whom they reach, and when they silently do not.

use std::time::Duration;

use serde_json::json;

use super::*;

fn text(to: &str, content: &str) -> Value {
    json!({ "touser": to, "msgtype": "text", "agentid": 1_000_002, "text": { "content": content } })
}

fn received(service: &Service, by: &UserId) -> usize {
    service.platform.with(|world| world.messages.iter().filter(|it| it.to == *by).count())
}

#[tokio::test]
async fn a_message_reaches_known_members_and_lists_the_others_in_lower_case() {
    let service = Service::start().await;
    let member = service.serving();
    let answer = service.post("message/send", text(&format!("{member}|Gone.User"), "在吗")).await.json();
    assert_eq!((&answer["errcode"], &answer["invaliduser"]), (&json!(0), &json!("gone.user")));
    let message = service.platform.with(|world| world.messages.front().cloned()).expect("it arrived");
    assert_eq!((&message.to, &message.content), (&member, &json!({ "content": "在吗" })));
    assert_eq!(json!(message.msgid), answer["msgid"]);

    assert_eq!(service.post("message/send", text("nobody|none", "在吗")).await.errcode(), 81013);
    let mut to_all = text("@all", "大家好");
    assert_eq!(service.post("message/send", to_all.clone()).await.errcode(), 0);
    let everybody = service.platform.with(|world| world.members().count());
    assert_eq!(service.platform.with(|world| world.messages.len()), 1 + everybody);
    to_all["agentid"] = json!(1_000_003);
    assert_eq!(service.post("message/send", to_all).await.errcode(), 301_002);
}

#[tokio::test]
async fn messages_over_thirty_a_minute_to_one_member_are_dropped_silently() {
    let service = Service::start().await;
    let member = service.serving();
    for n in 0..32 {
        let answer = service.post("message/send", text(member.as_str(), &n.to_string())).await.json();
        assert_eq!((&answer["errcode"], &answer["invaliduser"]), (&json!(0), &json!("")));
    }
    assert_eq!(received(&service, &member), 30);
    service.platform.clock().advance(Duration::from_secs(60));
    service.post("message/send", text(member.as_str(), "again")).await;
    assert_eq!(received(&service, &member), 31);
}

#[tokio::test]
async fn a_repeated_message_is_delivered_once_if_duplicate_checking_is_on() {
    let service = Service::start().await;
    let member = service.serving();
    let mut body = text(member.as_str(), "一次");
    body["enable_duplicate_check"] = json!(1);
    body["duplicate_check_interval"] = json!(600);
    for _ in 0..2 {
        assert_eq!(service.post("message/send", body.clone()).await.errcode(), 0);
    }
    assert_eq!(received(&service, &member), 1);
    service.platform.clock().advance(Duration::from_secs(600));
    service.post("message/send", body).await;
    assert_eq!(received(&service, &member), 2);
}

#[tokio::test]
async fn a_long_text_loses_its_end_and_a_long_card_is_refused() {
    let service = Service::start().await;
    let member = service.serving();
    assert_eq!(service.post("message/send", text(member.as_str(), &"长".repeat(1000))).await.errcode(), 0);
    let kept = service.platform.with(|world| world.messages.front().cloned()).expect("it arrived");
    assert_eq!(kept.content["content"].as_str().map(str::len), Some(2046));

    let card = |title: &str| {
        let card = json!({ "title": title, "description": "工单", "url": "https://example.com/1", "btntxt": "查看" });
        json!({ "touser": member, "msgtype": "textcard", "agentid": 1_000_002, "textcard": card })
    };
    assert_eq!(service.post("message/send", card("新工单")).await.errcode(), 0);
    assert_eq!(service.post("message/send", card(&"长".repeat(129))).await.errcode(), 45002);
}

#[tokio::test]
async fn a_template_card_must_have_its_parts_and_an_interactive_one_brings_a_response_code() {
    let service = Service::start().await;
    let member = service.serving();
    let send = |card: Value| {
        let body = json!({ "touser": member, "msgtype": "template_card", "agentid": 1_000_002, "template_card": card });
        service.post("message/send", body)
    };
    let title = json!({ "title": "新工单" });
    let action = json!({ "type": 1, "url": "https://example.com/1" });
    let button = json!([{ "text": "接单", "key": "accept" }]);
    let notice = send(json!({ "card_type": "text_notice", "main_title": title, "card_action": action })).await.json();
    assert!(notice["errcode"] == 0 && notice.get("response_code").is_none(), "{notice}");
    let buttons = json!({
        "card_type": "button_interaction", "main_title": title, "button_list": button, "task_id": "WO-1@2"
    });
    assert!(send(buttons).await.json()["response_code"].is_string());
    for card in [
        json!({ "card_type": "text_notice", "main_title": title }),
        json!({ "card_type": "text_notice", "card_action": action }),
        json!({ "card_type": "button_interaction", "main_title": title, "button_list": button }),
        json!({ "card_type": "button_interaction", "main_title": title, "button_list": button, "task_id": "工单" }),
        json!({ "card_type": "button_interaction", "main_title": title, "button_list": [], "task_id": "1" }),
        json!({ "card_type": "hologram" }),
    ] {
        assert_eq!(send(card.clone()).await.errcode(), 42014, "{card}");
    }
}

#[tokio::test]
async fn a_message_without_what_it_needs_is_refused_and_reaches_nobody() {
    let service = Service::start().await;
    let member = service.serving();
    let without = |name: &str| {
        let mut body = text(member.as_str(), "在吗");
        body[name] = Value::Null;
        body
    };
    let mut unknown = text(member.as_str(), "在吗");
    unknown["msgtype"] = json!("hologram");
    for (body, errcode) in [
        (without("agentid"), 41011),
        (without("touser"), 82001),
        (without("msgtype"), 40008),
        (without("text"), 40058),
        (unknown, 40008),
        (text(member.as_str(), ""), 44004),
        (text(&"x|".repeat(1001), "在吗"), 40032),
    ] {
        assert_eq!(service.post("message/send", body.clone()).await.errcode(), errcode, "{body}");
    }
    assert_eq!(received(&service, &member), 0);
}
