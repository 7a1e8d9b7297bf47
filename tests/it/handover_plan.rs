//! Plans of handovers over real sockets: previewed before they are saved, and refused as a whole with every reason.

use serde_json::{Value, json};
use wecomd::{
    ids::UserId,
    sandbox::{DropAt, Fault, world::MemberStatus},
};

use crate::support::{
    Acting, TestApp,
    leaver::{BASE, act, all_to, bind, code, items, knows, leaves, order, planned, put_plan, state},
};

/// A leaver with four customers and two orders, one of them of a customer; two colleagues, one of whom has two customers.
async fn company() -> (TestApp, i64) {
    let app = TestApp::start().await;
    for (staff, user) in [("S1", "ann"), ("S2", "bob")] {
        bind(&app, staff, user).await;
    }
    knows(&app, "ann", &["wmx", "wmy"]).await;
    order(&app, "S0", "WM2").await;
    order(&app, "S0", "SOMEBODY").await;
    let id = leaves(&app, &["wm1", "wm2", "wm3", "wm4"]).await;
    (app, id)
}

fn shares(report: &Value) -> Vec<String> {
    let part = |it: &Value| {
        let (given, contacts, orders) = (&it["given"], &it["contacts"], &it["open_orders"]);
        format!(
            "{} {}: {}+{}+{}, contacts {}→{}, orders {}→{}",
            it["staff_id"].as_str().expect("a name"),
            it["wechat_userid"].as_str().unwrap_or("-"),
            given["customers"],
            given["orders"],
            given["groups"],
            contacts["before"],
            contacts["after"],
            orders["before"],
            orders["after"],
        )
    };
    report["successors"].as_array().expect("a list").iter().map(part).collect()
}

#[tokio::test]
async fn a_previewed_plan_shows_the_load_and_stores_nothing() {
    let (app, id) = company().await;
    let before = items(&app).await;
    let log = app.db.count("select count(*) from handover_log").await;
    let body = json!({ "rules": [{ "rule": "least_load" }] });
    let shown = put_plan(&app, id, "?preview=true", body).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let shown = shown.json();
    assert_eq!(
        shares(&shown),
        ["S1 ann: 1+1+0, contacts 2→3, orders 0→1", "S2 bob: 3+1+0, contacts 0→3, orders 0→1"],
        "{shown:#}"
    );
    assert_eq!((&shown["saved"], &shown["version"], &shown["verified"]), (&json!(false), &json!(1), &json!(false)));
    assert_eq!(
        shown["totals"],
        json!({ "items": 6, "given": { "customers": 4, "orders": 2, "groups": 0, "sessions": 0 }, "unassigned": 0 })
    );
    assert_eq!(items(&app).await, before);
    assert_eq!(app.db.count("select count(*) from handover_log").await, log);
    assert_eq!(app.db.count("select count(*) from handover_successor").await, 0);
    assert_eq!(state(&app, id).await, "detected");
    app.finish().await;
}

#[tokio::test]
async fn a_saved_plan_assigns_every_item_and_an_older_version_cannot_replace_it() {
    let (app, id) = company().await;
    let rules = json!({ "version": 1, "message": "张工为您服务", "rules": [
        { "rule": "assign", "items": [{ "kind": "customer", "subject": "wm3", "staff_id": "S2" }] },
        { "rule": "successor", "staff_id": "S1" },
    ]});
    let kept = put_plan(&app, id, "", rules.clone()).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    let kept = kept.json();
    assert_eq!((&kept["saved"], &kept["version"], &kept["state"]), (&json!(true), &json!(2), &json!("planned")));
    assert_eq!(
        items(&app).await,
        [
            "customer wm1 planned S1 ann",
            "customer wm2 planned S1 ann",
            "customer wm3 planned S2 bob",
            "customer wm4 planned S1 ann",
            "order 1 planned S1 ann",
            "order 2 planned S1 ann",
        ]
    );
    assert_eq!(app.db.texts("select staff_id from handover_successor order by 1").await, ["S1", "S2"]);
    assert_eq!(app.db.texts("select message from handover").await, ["张工为您服务"]);
    let turns =
        "select count(*) from handover_log where to_state = 'planned' and actor = 'test' and item_id is not null";
    assert_eq!(app.db.count(turns).await, 6);

    assert_eq!(code(&put_plan(&app, id, "", rules.clone()).await), (409, "version_conflict".to_owned()));
    assert_eq!(code(&put_plan(&app, id, "", all_to("S1")).await), (400, "invalid_field".to_owned()));
    // Only the groups and customers are planned anew: the orders stay where they are.
    planned(&app, id, json!({ "successor": "S2", "kinds": ["customer", "group"] })).await;
    assert_eq!(
        items(&app).await[3..],
        ["customer wm4 planned S2 bob", "order 1 planned S1 ann", "order 2 planned S1 ann"]
    );
    assert_eq!(code(&put_plan(&app, 999, "", json!({ "version": 1, "successor": "S1" })).await).0, 404);
    app.finish().await;
}

#[tokio::test]
async fn all_objections_to_successors_are_listed_at_once_and_nothing_is_saved() {
    let acting = Acting::start().await;
    let app = &acting.app;
    for (staff, user) in [("S1", "ann"), ("S2", "bob"), ("S3", "cat"), ("S4", "dan"), ("S5", "eve")] {
        acting.member(user, user, &[]);
        bind(app, staff, user).await;
    }
    acting.member("lao", "老张", &["wm1"]);
    acting.platform.with(|world| {
        world.member_mut(&UserId::from("bob")).expect("a member").status = MemberStatus::Disabled;
        world.member_mut(&UserId::from("dan")).expect("a member").customer_contact = false;
    });
    acting.sees_only(&["lao", "bob", "cat", "dan", "eve"]);
    let id = leaves(app, &["wm1"]).await;
    // One of them left, and WeCom's directory does not know it yet.
    app.db
        .execute(&format!(
            "insert into member (corpid, wechat_userid, left_at) values ('{}', 'cat', now())",
            app.corp.corpid
        ))
        .await;

    let body = json!({ "version": 1, "kinds": ["customer"], "rules": [
        { "rule": "round_robin", "staff_ids": ["S1", "S2", "S3", "S4", "S5", "S0", "S9"] },
    ]});
    let refused = put_plan(app, id, "", body.clone()).await;
    assert_eq!(code(&refused), (422, "plan_broken".to_owned()), "{}", refused.text());
    let list = |lines: &Value| {
        let line = |it: &Value| format!("{} {}", it["staff_id"], it["code"]).replace('"', "");
        lines.as_array().expect("a list").iter().map(line).collect::<Vec<_>>()
    };
    let broken = [
        "S0 not_bound",
        "S1 out_of_sight",
        "S1 not_serving",
        "S2 not_active",
        "S3 not_active",
        "S4 not_serving",
        "S9 not_bound",
    ];
    assert_eq!(list(&refused.json()["errors"]), broken);
    assert!(refused.text().contains("接替员工不在应用可见范围内"), "{}", refused.text());
    assert_eq!(state(app, id).await, "detected");
    assert_eq!(items(app).await, ["customer wm1 open"]);

    let shown = put_plan(app, id, "?preview=true", body).await;
    assert_eq!((shown.status, list(&shown.json()["broken_rules"])), (200, broken.map(str::to_owned).to_vec()));
    let kept = put_plan(app, id, "", json!({ "version": 1, "successor": "S5", "kinds": ["customer"] })).await;
    assert_eq!((kept.status, &kept.json()["verified"]), (200, &json!(true)), "{}", kept.text());
    acting.finish().await;
}

#[tokio::test]
async fn colleagues_of_the_leaver_share_what_is_left() {
    let (app, id) = company().await;
    bind(&app, "S3", "cat").await;
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "update member set department = '3,8', department_at = now() where wechat_userid = 'lao';
             insert into member (corpid, wechat_userid, department, department_at)
             values ('{corp}', 'bob', '1,8', now()), ('{corp}', 'cat', '3', now()), ('{corp}', 'ann', '38', now())"
        ))
        .await;
    let body = json!({ "rules": [{ "rule": "department", "kinds": ["customer"] }, { "rule": "successor", "staff_id": "S1" }] });
    let shown = put_plan(&app, id, "?preview=true", body).await.json();
    let names = shares(&shown);
    assert_eq!(
        names,
        [
            "S1 ann: 0+1+0, contacts 2→2, orders 0→1",
            "S2 bob: 2+0+0, contacts 0→2, orders 0→0",
            "S3 cat: 2+1+0, contacts 0→2, orders 0→1",
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn a_customer_moved_twice_recently_stays_open_unless_the_leaver_has_left() {
    let (app, id) = company().await;
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into handover (corpid, wechat_userid, state, cause) values ('{corp}', 'x', 'done', 'transfer');
             insert into handover_call (handover_id, kind, flow, handover_userid, successor_userid, items)
             select max(id), 'customer', 'in_service', 'x', 'lao', '{{}}' from handover;
             insert into handover_item (handover_id, kind, subject, round, state, call_id, finished_at)
             select (select max(id) from handover), 'customer', 'wm3', round, 'done', max(call.id),
                 now() - make_interval(days => days)
             from handover_call call, (values (1, 89), (2, 5)) moved (round, days) group by round, days"
        ))
        .await;
    // WeCom limits the moves of members in service, but not of those who have left.
    let gone = put_plan(&app, id, "?preview=true", all_to("S1")).await.json();
    assert_eq!(gone["unassigned"]["count"], 0, "{gone:#}");
    app.db.execute("update member set joined_at = now() + interval '1 hour' where wechat_userid = 'lao'").await;
    let here = put_plan(&app, id, "?preview=true", all_to("S1")).await.json();
    assert_eq!(here["unassigned"]["count"], 1, "{here:#}");
    assert_eq!(here["unassigned"]["items"][0]["subject"], "wm3");
    assert_eq!(here["unassigned"]["items"][0]["reason"]["code"], "moved_twice");

    app.db
        .execute(
            "update member set joined_at = null where wechat_userid = 'lao';
             update handover set left_at = now() - interval '366 days' where wechat_userid = 'lao'",
        )
        .await;
    let kept = planned(&app, id, all_to("S1")).await;
    assert_eq!((&kept["unassigned"]["count"], &kept["state"]), (&json!(4), &json!("detected")), "{kept:#}");
    assert_eq!(items(&app).await.iter().filter(|it| it.contains(" planned ")).count(), 2);
    app.finish().await;
}

#[tokio::test]
async fn refused_items_get_another_round_that_waits_for_submission() {
    let (app, id) = company().await;
    planned(&app, id, all_to("S1")).await;
    assert_eq!(act(&app, id, "submit", json!({})).await.status, 200);
    app.db
        .execute(
            "update handover_item set state = case subject when 'wm1' then 'refused' when 'wm2' then 'full'
                 when 'wm3' then 'failed' else 'done' end;
             update handover set state = 'done', finished_at = now()",
        )
        .await;
    let again = |again: Value| json!({ "successor": "S2", "again": again });
    let shown = app.ask("GET", &format!("{BASE}/handovers/{id}"), None).await.json();
    let mut silent = again(json!(false));
    silent["version"] = shown["version"].clone();
    assert_eq!(code(&put_plan(&app, id, "", silent).await), (409, "handover_state".to_owned()));

    planned(&app, id, again(json!(["wm1"]))).await;
    assert_eq!(items(&app).await.last().map(String::as_str), Some("customer wm1 2 planned S2 bob"));
    assert_eq!(state(&app, id).await, "planned");
    assert_eq!(
        app.db.count("select count(*) from handover where submitted_at is null and finished_at is null").await,
        1
    );
    let kept = planned(&app, id, again(json!(true))).await;
    assert_eq!(kept["totals"]["items"], 3);
    let again_rows: Vec<_> = items(&app).await.into_iter().filter(|it| it.contains(" 2 planned ")).collect();
    assert_eq!(
        again_rows,
        ["customer wm1 2 planned S2 bob", "customer wm2 2 planned S2 bob", "customer wm3 2 planned S2 bob"]
    );

    // If the leaver has another open handover, that one must be planned.
    app.db
        .execute(
            "update handover set state = 'done';
             update handover_item set state = 'refused' where round = 2;
             insert into handover (corpid, wechat_userid, state) select corpid, wechat_userid, 'detected' from handover",
        )
        .await;
    let shown = app.ask("GET", &format!("{BASE}/handovers/{id}"), None).await.json();
    let body = json!({ "version": shown["version"], "successor": "S1", "again": true });
    assert_eq!(code(&put_plan(&app, id, "", body).await), (409, "already_open".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn groups_of_the_leaver_are_planned_if_the_app_may_see_them() {
    let acting = Acting::start().await;
    let app = &acting.app;
    for user in ["lao", "ann"] {
        acting.member(user, user, &[]);
    }
    bind(app, "S1", "ann").await;
    let mut groups: Vec<_> = acting.platform.with(|world| {
        let group = |name| world.add_group(&UserId::from("lao"), name).expect("a member");
        ["业主一群", "业主二群"].map(group).into()
    });
    groups.sort();
    let id = leaves(app, &[]).await;

    let forbidden = Fault { errcode: Some(48002), times: Some(1), ..Fault::default() };
    acting.platform.faults().set("externalcontact/groupchat/list", forbidden);
    let without = put_plan(app, id, "?preview=true", all_to("S1")).await;
    assert_eq!(without.status, 200, "{}", without.text());
    let without = without.json();
    assert_eq!(without["totals"]["items"], 0);
    let warning = without["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("未包含客户群") && warning.contains("48002"), "{warning}");

    let unasked = put_plan(app, id, "?preview=true", json!({ "successor": "S1", "kinds": ["customer"] })).await;
    assert_eq!((unasked.status, unasked.json()["totals"]["items"].as_i64()), (200, Some(0)));
    let calls = acting.platform.calls_of("externalcontact/groupchat/list").len();
    let kept = planned(app, id, all_to("S1")).await;
    assert_eq!((&kept["totals"]["given"]["groups"], &kept["warnings"]), (&json!(2), &json!([])), "{kept:#}");
    assert_eq!(acting.platform.calls_of("externalcontact/groupchat/list").len(), calls + 1);
    let expected: Vec<_> = groups.iter().map(|it| format!("group {it} planned S1 ann")).collect();
    assert_eq!(items(app).await, expected);

    // If WeCom does not answer, groups must not be left out silently.
    acting
        .platform
        .faults()
        .set("externalcontact/groupchat/list", Fault { drop: Some(DropAt::Before), ..Fault::default() });
    assert_eq!(code(&put_plan(app, id, "?preview=true", all_to("S1")).await), (503, "wecom_unavailable".to_owned()));
    acting.finish().await;
}
