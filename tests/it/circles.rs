//! Lists whose cursors loop: reading each list ends with a visible reason.

use serde_json::json;
use wecomd::{
    changes::TaskKind,
    ids::ExternalUserId,
    sandbox::{Fault, Size},
    sync::Over,
    tables::sync::sync_run::Which,
};

use crate::support::{
    Acting,
    leaver::{all_to, bind, leaves, put_plan},
    reconcile::{PAGES, Scene, steps, to_the_end},
};

const COMPANY: Size = Size { members: 6, customers: 12, departments: 1 };

const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

/// Answers with these fields whose cursors are a, b, a, b and so on.
fn round(fields: serde_json::Value) -> Fault {
    let page = |cursor: &str| {
        let mut page = json!({ "errcode": 0, "errmsg": "ok", "next_cursor": cursor });
        let fields = fields.as_object().expect("fields").clone();
        page.as_object_mut().expect("an object").extend(fields);
        page.to_string().into_bytes()
    };
    Fault { bodies: vec![page("a"), page("b")], ..Fault::default() }
}

#[tokio::test]
async fn a_run_whose_list_loops_fails_with_its_reason_after_three_pages() {
    let scene = Scene::start(COMPANY).await;
    let reason = async || scene.db.texts("select reason from sync_run order by id desc limit 1").await.concat();
    for (path, fields) in [
        (PAGES, json!({ "external_contact_list": [] })),
        ("externalcontact/get_unassigned_list", json!({ "info": [] })),
    ] {
        scene.platform.faults().set(path, round(fields));
        let before = scene.platform.calls_of(path).len();
        let mut run = scene.begin().await;
        assert_eq!(to_the_end(&mut run).await, Over::Failed, "{path}");
        assert_eq!(scene.platform.calls_of(path).len() - before, 3, "{path}");
        let said = reason().await;
        assert!(said.contains("the list goes round in a circle"), "{path}: {said}");
        scene.platform.faults().clear();
        assert_eq!(scene.reconcile().await, run.id(), "{path}: it is resumed");
    }
    assert_eq!(scene.held().await, scene.named());
    scene.finish().await;
}

#[tokio::test]
async fn a_list_that_never_ends_is_noticed_although_each_process_dies_after_a_page() {
    let scene = Scene::start(COMPANY).await;
    scene.platform.faults().set(PAGES, round(json!({ "external_contact_list": [] })));
    let mut run = scene.begin().await;
    // Steps: the departments, the members of each, the end of those, the serving members; then two pages.
    while scene.platform.calls_of(PAGES).len() < 2 {
        steps(&mut run, 1).await;
    }
    drop(run);
    assert_eq!(scene.db.texts("select pages::text from sync_shard").await, ["2"]);
    scene.db.execute("update sync_shard set pages = 50000").await;
    let scene = scene.in_another_process().await;
    let mut run = scene.sync.take(Which::Any).await.expect("looked").expect("no worker has claimed it");
    assert_eq!(to_the_end(&mut run).await, Over::Failed);
    let reason = scene.db.texts("select reason from sync_run").await;
    assert_eq!(reason, ["a group's list of customers has more than 50000 pages"]);
    assert_eq!(scene.platform.calls_of(PAGES).len(), 3);
    scene.finish().await;
}

#[tokio::test]
async fn reading_leavers_is_given_up_if_the_cursor_always_expires() {
    const LIST: &str = "externalcontact/get_unassigned_list";
    let scene = Scene::start(COMPANY).await;
    let page = json!({ "errcode": 0, "info": [], "next_cursor": "a" }).to_string().into_bytes();
    let expired = json!({ "errcode": 50100, "errmsg": "invalid cursor" }).to_string().into_bytes();
    scene.platform.faults().set(LIST, Fault { bodies: vec![page, expired], ..Fault::default() });
    let mut run = scene.begin().await;
    assert_eq!(to_the_end(&mut run).await, Over::Failed);
    assert_eq!(scene.platform.calls_of(LIST).len(), 12, "it begins again five times");
    let reason = scene.db.texts("select reason from sync_run").await.concat();
    assert!(reason.starts_with("WeCom refused externalcontact/get_unassigned_list: 50100"), "{reason}");
    scene.finish().await;
}

#[tokio::test]
async fn tasks_whose_list_loops_are_parked_and_keep_the_pages_read() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    let faults = acting.platform.faults();
    faults.set("externalcontact/get_unassigned_list", round(json!({ "info": [] })));
    acting.enqueue(TaskKind::FindLeavers, &acting.app.corp.corpid.0, None).await;
    acting.act(TaskKind::FindLeavers).await;
    assert_eq!(acting.platform.calls_of("externalcontact/get_unassigned_list").len(), 3);
    let left = acting.left(TaskKind::FindLeavers).await.concat();
    assert!(left.contains("parked: externalcontact/get_unassigned_list: the list goes round in a circle"), "{left}");

    faults.set(
        "externalcontact/get",
        round(json!({ "external_contact": { "name": "小雨" }, "follow_user": [{ "userid": "ann" }] })),
    );
    acting.enqueue(TaskKind::RefreshContact, CUSTOMER, None).await;
    acting.act(TaskKind::RefreshContact).await;
    assert_eq!(acting.platform.calls_of("externalcontact/get").len(), 3);
    let left = acting.left(TaskKind::RefreshContact).await.concat();
    assert!(left.contains("parked: the card is read but for some of its members: the list goes round"), "{left}");
    let read = "select wechat_userid || ' ' || nickname from customer_wechat_contact";
    assert_eq!(acting.app.db.texts(read).await, ["ann 小雨"]);
    acting.finish().await;
}

#[tokio::test]
async fn looping_transfer_results_leave_customers_waiting_and_are_reported() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &[ExternalUserId::from("wmROUND")]).await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.platform.faults().set("externalcontact/transfer_result", round(json!({ "customer": [] })));
    acting.enqueue(TaskKind::Handover, &id.to_string(), None).await;
    acting.act(TaskKind::Handover).await;
    assert_eq!(acting.platform.calls_of("externalcontact/transfer_result").len(), 3);
    let left = acting.left(TaskKind::Handover).await.concat();
    assert!(left.starts_with(&format!("{id} due: externalcontact/transfer_result: the list goes round")), "{left}");
    assert_eq!(acting.app.db.texts("select state from handover_item").await, ["waiting"]);
    acting.finish().await;
}

#[tokio::test]
async fn groups_from_a_looping_list_are_planned_with_a_warning() {
    let acting = Acting::start().await;
    let app = &acting.app;
    for user in ["lao", "ann"] {
        acting.member(user, user, &[]);
    }
    bind(app, "S1", "ann").await;
    let id = leaves(app, &[]).await;
    acting.platform.faults().set(
        "externalcontact/groupchat/list",
        round(json!({ "group_chat_list": [{ "chat_id": "wr1", "status": 0 }, { "status": 0 }] })),
    );
    let plan = put_plan(app, id, "?preview=true", all_to("S1")).await;
    assert_eq!(plan.status, 200, "{}", plan.text());
    let warnings = plan.json()["warnings"].to_string();
    assert!(warnings.contains("客户群列表未能读完") && warnings.contains("3 groups could not be read"), "{warnings}");
    assert_eq!(acting.platform.calls_of("externalcontact/groupchat/list").len(), 3);
    acting.finish().await;
}
