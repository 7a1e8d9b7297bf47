//! One conversation, whatever the channel: the timeline of a customer and of a group, its filters, and who may read it.

use serde_json::json;
use wecomd::admin::door::auth::Role;

use crate::support::{
    TestApp,
    leaver::BASE,
    scoped::own_token,
    talk::{contents, talk},
};

#[tokio::test]
async fn every_channel_is_one_timeline_that_filters_narrow() {
    let app = TestApp::start().await;
    let names = talk(&app).await;
    let all = format!("contact-records/{}", names.customer);
    let latest = ["别的群里说", "群里问一下", "明天到", "请问地址", "水管漏水了"];
    assert_eq!(contents(&app, None, &all).await, latest);
    for (query, expected) in [
        ("source=kf", vec!["请问地址", "水管漏水了"]),
        ("chat_id=wrOurs", vec!["群里问一下"]),
        ("sender=leaver", vec!["明天到"]),
        ("q=%E6%BC%8F%E6%B0%B4", vec!["水管漏水了"]),
        ("q=%25", vec![]),
        ("order=earliest&limit=2", vec!["水管漏水了", "请问地址"]),
        ("type=image", vec![]),
    ] {
        assert_eq!(contents(&app, None, &format!("{all}?{query}")).await, expected, "{query}");
    }
    let group = contents(&app, None, "group-chats/wrOurs/records?order=earliest").await;
    assert_eq!(group, ["群里问一下", "群里回复"]);
    app.finish().await;
}

#[tokio::test]
async fn pages_go_back_and_forth_from_any_moment() {
    let app = TestApp::start().await;
    let names = talk(&app).await;
    let list = format!("{BASE}/contact-records/{}", names.customer);
    for order in ["latest", "earliest"] {
        let (mut met, mut next) = (Vec::new(), String::new());
        loop {
            let page = app.ask("GET", &format!("{list}?order={order}&limit=2{next}"), None).await.json();
            met.extend(page["items"].as_array().expect("items").iter().map(|it| it["content"].clone()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("&cursor={cursor}");
        }
        let mut expected =
            ["水管漏水了", "请问地址", "明天到", "群里问一下", "别的群里说"].map(|it| json!(it)).to_vec();
        if order == "latest" {
            expected.reverse();
        }
        assert_eq!(met, expected, "{order}");
    }
    let records = app.ask("GET", &list, None).await.json();
    let moment = records["items"][2]["contact_time"].as_str().expect("a time").to_owned();
    let path = format!("contact-records/{}", names.customer);
    let forth = contents(&app, None, &format!("{path}?order=earliest&from={moment}")).await;
    assert_eq!(forth, ["明天到", "群里问一下", "别的群里说"]);
    let back = contents(&app, None, &format!("{path}?to={moment}")).await;
    assert_eq!(back, ["请问地址", "水管漏水了"]);
    app.finish().await;
}

#[tokio::test]
async fn whoever_knows_the_customer_today_sees_what_others_and_kf_heard_and_groups_only_from_within() {
    let app = TestApp::start().await;
    let names = talk(&app).await;
    let viewer = own_token(&app, &names, Role::Viewer).await;
    let path = format!("contact-records/{}", names.customer);
    let seen = contents(&app, Some(&viewer), &path).await;
    assert_eq!(seen, ["群里问一下", "明天到", "请问地址", "水管漏水了"], "not what was said in a group without them");
    let kf = wecomd::tables::access::own::Own {
        corpid: app.corp.corpid.clone(),
        staff_id: wecomd::ids::StaffId(names.staff.clone()),
    };
    let mut conn = app.db.pool.acquire().await.expect("connects");
    assert!(kf.has_media(&mut conn, "photo-kf").await.expect("read"));
    drop(conn);
    let status = async |target: &str| app.ask_as(&viewer, "GET", &format!("{BASE}/{target}"), None).await.status;
    assert_eq!(status("group-chats/wrOurs/records").await, 200);
    assert_eq!(status("group-chats/wrOther/records").await, 404);

    // The customer is handed over: nothing is theirs to read any more, not even their own words.
    app.db.execute("update customer_wechat_contact set status = 'transferred_out'").await;
    app.db.execute("update group_member set left_at = now() where kind = 1").await;
    assert_eq!(contents(&app, Some(&viewer), &path).await, [""; 0]);
    assert_eq!(status("group-chats/wrOurs/records").await, 404);
    let mut conn = app.db.pool.acquire().await.expect("connects");
    assert!(!kf.has_media(&mut conn, "photo-kf").await.expect("read"));
    drop(conn);

    // An open order of the customer opens the talk again, and a closed one does not.
    let order = format!(
        "insert into work_order (corpid, customer_id, description, state, staff_id)
         values ('{}', '{}', 'leak', 'assigned', '{}')",
        app.corp.corpid, names.customer, names.staff
    );
    app.db.execute(&order).await;
    assert_eq!(contents(&app, Some(&viewer), &path).await, ["明天到", "请问地址", "水管漏水了"]);
    app.db.execute("update work_order set state = 'done'").await;
    assert_eq!(contents(&app, Some(&viewer), &path).await, [""; 0]);
    app.finish().await;
}

#[tokio::test]
async fn a_conversation_counts_once_whatever_its_channels_and_each_group_is_one() {
    let app = TestApp::start().await;
    talk(&app).await;
    let sums = "select concat_ws(' ', sum(conversations), sum(answered)) from reporting.first_response_time
        where day = '2024-03-01'";
    // Private talk in 微信客服 and the archive is one conversation; two groups are two, one of them unanswered.
    assert_eq!(app.db.texts(sums).await, ["3 2"]);
    app.finish().await;
}
