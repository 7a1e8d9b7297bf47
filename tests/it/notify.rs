//! Notices to staff members: each is sent once, or parked with its reason.

use serde_json::json;
use wecomd::{
    changes::TaskKind,
    ids::UserId,
    sandbox::{DropAt, Fault},
};

use crate::support::Acting;

fn notice(user: &str) -> Option<String> {
    let notice = json!({
        "wechat_userid": user, "title": "新工单", "desc": "请在 30 分钟内联系", "lines": [["客户", "小雨"], ["地址", "和平路 1 号"]],
        "url": "https://wecomd.example.com/work-orders/17",
    });
    Some(notice.to_string())
}

#[tokio::test]
async fn a_notice_is_received_once_although_its_answer_was_lost() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    let lost = Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() };
    acting.platform.faults().set("message/send", lost);
    acting.enqueue(TaskKind::NotifyStaff, "work_order:17:assigned", notice("ann")).await;
    acting.act(TaskKind::NotifyStaff).await;
    assert_eq!(acting.left(TaskKind::NotifyStaff).await.len(), 1, "nobody knows yet whether it arrived");
    acting.act(TaskKind::NotifyStaff).await;

    assert_eq!(acting.left(TaskKind::NotifyStaff).await, [""; 0]);
    let calls = acting.platform.calls_of("message/send");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body, calls[1].body, "the same card to the byte");
    let received = acting.platform.with(|world| world.messages.clone());
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].to.as_str(), received[0].msgtype.as_str()), ("ann", "template_card"));
    assert_eq!(received[0].content["main_title"]["title"], "新工单");
    assert_eq!(received[0].content["horizontal_content_list"][1]["value"], "和平路 1 号");
    acting.finish().await;
}

#[tokio::test]
async fn a_notice_to_an_unreachable_member_is_parked() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    acting.sees_only(&[]);
    acting.enqueue(TaskKind::NotifyStaff, "work_order:17:assigned", notice("ann")).await;
    acting.act(TaskKind::NotifyStaff).await;
    assert_eq!(
        acting.left(TaskKind::NotifyStaff).await,
        ["work_order:17:assigned parked: ann cannot be reached: not in the app's visible scope, or has left \
          员工不在应用可见范围内,或已离职"]
    );
    acting.finish().await;
}

#[tokio::test]
async fn a_notice_finds_its_member_under_another_id() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    acting.platform.rename(&UserId::from("ann"), &UserId::from("anna")).await.expect("a member");
    acting.enqueue(TaskKind::NotifyStaff, "work_order:17:assigned", notice("ann")).await;
    acting.settle(TaskKind::NotifyStaff).await;
    assert_eq!(acting.left(TaskKind::NotifyStaff).await, [""; 0]);
    assert_eq!(acting.platform.with(|world| world.messages[0].to.clone()), UserId::from("anna"));
    acting.finish().await;
}

#[tokio::test]
async fn a_notice_waits_as_long_as_wecom_limits_us() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    let limited = Fault { errcode: Some(45009), times: Some(1), ..Fault::default() };
    acting.platform.faults().set("message/send", limited);
    acting.enqueue(TaskKind::NotifyStaff, "work_order:17:assigned", notice("ann")).await;
    acting.act(TaskKind::NotifyStaff).await;
    let waits = "select count(*) from task where due_at > now() + interval '50 s' and parked_at is null";
    assert_eq!(acting.app.db.count(waits).await, 1);
    acting.finish().await;
}

#[tokio::test]
async fn an_unreadable_notice_is_parked() {
    let acting = Acting::start().await;
    acting.enqueue(TaskKind::NotifyStaff, "work_order:17:assigned", Some("{}".to_owned())).await;
    acting.act(TaskKind::NotifyStaff).await;
    let left = acting.left(TaskKind::NotifyStaff).await;
    assert!(left[0].contains("parked: the notice cannot be read: missing field"), "{left:?}");
    assert_eq!(acting.platform.calls_of("message/send").len(), 0);
    acting.finish().await;
}

#[tokio::test]
async fn a_notice_to_a_member_without_a_licence_is_parked_with_its_reason() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    for (number, answer) in
        [r#"{"errcode":0,"unlicenseduser":"Ann|bob"}"#, r#"{"errcode":0,"unlicenseduser":["ann"]}"#].iter().enumerate()
    {
        let says = Fault { bodies: vec![answer.as_bytes().to_vec()], ..Fault::default() };
        acting.platform.faults().set("message/send", says);
        let subject = format!("work_order:{number}:assigned");
        acting.enqueue(TaskKind::NotifyStaff, &subject, notice("ann")).await;
        acting.act(TaskKind::NotifyStaff).await;
        let left = acting.left(TaskKind::NotifyStaff).await;
        assert_eq!(
            left[number],
            format!(
                "{subject} parked: ann was not told: no licence for the API is active for them \
                 该成员没有有效的基础接口许可,请在服务商后台购买并激活"
            )
        );
    }
    acting.finish().await;
}

#[tokio::test]
async fn a_sent_message_is_not_repeated_after_a_malformed_answer() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    let answers = [
        r#"{"errcode":0,"invaliduser":null,"invalidparty":null,"invalidtag":null,"unlicenseduser":null}"#,
        r#"{"errcode":"0","invaliduser":[],"msgid":7}"#,
        r#"{"errcode":0,"invaliduser":{"x":1},"unlicenseduser":false,"msgid":["x"]}"#,
        r#"{"errcode":0,"invaliduser":"bob","invalidparty":"ann","invalidtag":"ann"}"#,
        "{\"errcode\":0,\"errmsg\":\"o\u{1}k\",\"msgid\":\"\\ud83d\"}",
    ];
    for (number, answer) in answers.iter().enumerate() {
        let says = Fault { bodies: vec![answer.as_bytes().to_vec()], ..Fault::default() };
        acting.platform.faults().set("message/send", says);
        acting.enqueue(TaskKind::NotifyStaff, &format!("work_order:{number}:assigned"), notice("ann")).await;
        acting.act(TaskKind::NotifyStaff).await;
        assert_eq!(acting.left(TaskKind::NotifyStaff).await, [""; 0], "{answer}");
        assert_eq!(acting.platform.calls_of("message/send").len(), number + 1, "{answer}");
    }
    // A list of whom it did not reach means the same as a text.
    let says = Fault { bodies: vec![br#"{"errcode":0,"invaliduser":["ANN"]}"#.to_vec()], ..Fault::default() };
    acting.platform.faults().set("message/send", says);
    acting.enqueue(TaskKind::NotifyStaff, "work_order:17:assigned", notice("ann")).await;
    acting.act(TaskKind::NotifyStaff).await;
    let left = acting.left(TaskKind::NotifyStaff).await.concat();
    assert!(left.contains("parked: ann cannot be reached"), "{left}");
    acting.finish().await;
}
