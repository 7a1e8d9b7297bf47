//! The kinds of drift that a run finds, one by one.

use wecomd::{
    ids::{ExternalUserId, UserId},
    sandbox::Size,
    sync::Over,
};

use crate::support::reconcile::{Scene, steps, to_the_end};

/// A company whose serving members fit into one group.
const COMPANY: Size = Size { members: 40, customers: 200, departments: 3 };

/// Steps before the first page of customers.
const BEFORE_CUSTOMERS: usize = 1 + 4 + 1 + 1;

/// A company that was reconciled once; what happens there now reaches us by no callback.
async fn silent() -> Scene {
    let scene = Scene::start(COMPANY).await;
    scene.reconcile().await;
    scene
}

fn status_of(user: &UserId, customer: &ExternalUserId) -> String {
    format!(
        "select status from customer_wechat_contact where wechat_userid = '{user}' and external_userid = '{customer}'"
    )
}

#[tokio::test]
async fn contacts_added_ended_or_moved_without_a_callback_are_found() {
    let scene = silent().await;
    let (ann, anns) = scene.somebody(0);
    let (bob, bobs) = scene.somebody(1);
    let (cai, _) = scene.somebody(2);
    let new = ExternalUserId::from("wmNewWithoutAWord0000000000001");
    scene.platform.add(&ann, &new).await.expect("added");
    scene.platform.remove(&ann, &anns).await.expect("removed");
    scene.platform.remove(&bob, &bobs).await.expect("removed");
    scene.platform.add(&cai, &bobs).await.expect("added");

    let run = scene.reconcile().await;
    let found = scene.drift(run).await;
    let begin = |line: String| found.iter().any(|it| it.starts_with(&line));
    assert!(begin(format!("missing_here | {new} | {ann} | ")), "{found:?}");
    assert!(begin(format!("gone_there | {anns} | {ann} | ")), "{found:?}");
    assert!(begin(format!("other_owner | {bobs} | {bob} | {bob} | {cai}")), "{found:?}");
    assert_eq!(found.len(), 3, "a move is one line: {found:?}");
    assert_eq!(scene.db.texts(&status_of(&ann, &anns)).await, ["gone"]);
    assert_eq!(scene.db.texts(&status_of(&bob, &bobs)).await, ["gone"]);
    assert_eq!(scene.held().await, scene.named());
    assert_eq!(scene.drift(scene.reconcile().await).await, [""; 0], "it is told once");

    // A contact that only we marked as gone is restored when WeCom lists it again.
    scene.db.execute("update customer_wechat_contact set status = 'gone', status_at = now() - interval '2 minutes' where wechat_userid = (select min(wechat_userid) from customer_wechat_contact)").await;
    let run = scene.reconcile().await;
    assert!(scene.drift(run).await.iter().all(|it| it.starts_with("missing_here | ")));
    assert_eq!(scene.held().await, scene.named());
    scene.finish().await;
}

#[tokio::test]
async fn names_that_changed_and_contacts_that_only_we_ended_are_found() {
    let scene = silent().await;
    let (ann, anns) = scene.somebody(0);
    let (bob, bobs) = scene.somebody(1);
    scene
        .db
        .execute(&format!(
            r#"update customer_wechat_contact set card = card || '{{"nickname": "旧名", "tags": ["亲友"]}}'
               where wechat_userid = '{ann}' and external_userid = '{anns}';
               update customer_wechat_contact set status = 'deleted_by_member', status_at = now()
               where wechat_userid = '{bob}' and external_userid = '{bobs}';
               update member set name = '旧名', name_at = name_at - interval '1 hour' where wechat_userid = '{bob}';"#
        ))
        .await;
    let run = scene.reconcile().await;
    let found = scene.drift(run).await;
    let begin = |line: String| found.iter().any(|it| it.starts_with(&line));
    assert!(begin(format!("renamed | {anns} | {ann} | 旧名 | ")), "{found:?}");
    assert!(begin(format!("ended_here | {bobs} | {bob} | deleted_by_member | ")), "{found:?}");
    assert!(begin(format!("member_renamed | {bob} | 旧名 | ")), "{found:?}");
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(scene.db.texts(&status_of(&bob, &bobs)).await, ["deleted_by_member"], "what a callback said stays");
    let tags = format!(
        "select tags::text from customer_wechat_contact where wechat_userid = '{ann}' and external_userid = '{anns}'"
    );
    assert!(scene.db.texts(&tags).await.concat().contains("亲友"), "a tag of the member's own stays");
    scene.finish().await;
}

#[tokio::test]
async fn members_who_joined_left_or_stopped_serving_without_a_callback_are_found() {
    let scene = silent().await;
    let (idle, _) = scene.somebody(0);
    let new = UserId::from("dora");
    scene.platform.with(|world| {
        world.add_member(&new, "朵拉");
        world.member_mut(&idle).expect("here").customer_contact = false;
    });
    scene
        .db
        .execute(&format!(
            "insert into member (corpid, wechat_userid, name) values ('{}', 'gone.long', '老王')",
            scene.corp.corpid
        ))
        .await;

    let run = scene.reconcile().await;
    let found = scene.drift(run).await;
    let standing =
        format!("select count(*) from customer_wechat_contact where wechat_userid = '{idle}' and status = 'contacted'");
    let standing = scene.db.count(&standing).await;
    assert_eq!(
        found,
        [
            "member_gone_there | gone.long | 老王".to_owned(),
            "member_missing_here | dora | 朵拉".to_owned(),
            format!("not_serving | {idle} | {standing}"),
        ]
    );
    assert!(standing > 0, "nobody's contacts end because they were not asked for");
    assert_eq!(
        scene.db.count("select count(*) from member where left_at is not null").await,
        0,
        "that is no resignation"
    );
    assert_eq!(scene.db.texts("select wechat_userid from member where hinted_at is not null").await, ["gone.long"]);
    scene.finish().await;
}

#[tokio::test]
async fn an_unannounced_leaver_gets_a_handover_with_all_their_customers() {
    let scene = silent().await;
    let (leaver, theirs) = scene.somebody(0);
    let customers = scene.platform.with(|world| world.customers_of(&leaver).len());
    scene
        .db
        .execute(&format!(
            "delete from customer_wechat_contact where wechat_userid = '{leaver}' and external_userid = '{theirs}'"
        ))
        .await;
    scene.platform.leave(&leaver).await.expect("left");

    let run = scene.reconcile().await;
    let found = scene.drift(run).await;
    assert!(found.iter().any(|it| it.starts_with(&format!("member_left | {leaver} | "))), "{found:?}");
    assert!(found.iter().any(|it| it.starts_with(&format!("missing_here | {theirs} | {leaver}"))), "{found:?}");
    let handover = format!(
        "select state || ' ' || (select count(*) from handover_item where handover_id = handover.id and state = 'open')
         from handover where wechat_userid = '{leaver}'"
    );
    assert_eq!(scene.db.texts(&handover).await, [format!("detected {customers}")]);
    let left = format!("select extract(epoch from left_at)::bigint from member where wechat_userid = '{leaver}'");
    let now = chrono::Utc::now().timestamp();
    assert!((now - 60..=now).contains(&scene.db.count(&left).await), "as WeCom dates it");
    scene.finish().await;
}

#[tokio::test]
async fn a_member_whose_customers_are_refused_keeps_them_and_blocks_no_other() {
    let scene = silent().await;
    let (refused, _) = scene.somebody(3);
    let before = scene.held().await;
    let mut run = scene.begin().await;
    steps(&mut run, BEFORE_CUSTOMERS).await;
    scene.platform.with(|world| world.member_mut(&refused).expect("here").customer_contact = false);
    let calls = scene.platform.calls().len();
    assert_eq!(to_the_end(&mut run).await, Over::Done);
    assert!(scene.platform.calls().len() < calls + 40, "the one is found by halves");
    let found = scene.drift(run.id()).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found
            .concat()
            .starts_with(&format!("member_refused | {refused} | {}: 84074", crate::support::reconcile::PAGES)),
        "{found:?}"
    );
    assert_eq!(scene.held().await, before);
    scene.finish().await;
}

#[tokio::test]
async fn an_assigned_customer_of_a_leaver_has_a_new_owner_after_a_run() {
    let scene = silent().await;
    let (leaver, theirs) = scene.somebody(0);
    let (heir, _) = scene.somebody(1);
    scene.platform.leave(&leaver).await.expect("left");
    scene.platform.add(&heir, &theirs).await.expect("added");
    let mut run = scene.begin().await;
    while scene.db.texts("select phase from sync_run where state = 'running'").await != ["compare"] {
        steps(&mut run, 1).await;
    }
    // The pretend WeCom assigns nobody yet: 202 is how an assigned contact came about.
    let assigned = format!(
        r#"update customer_wechat_contact set card = card || '{{"add_way": 202}}'
           where wechat_userid = '{heir}' and external_userid = '{theirs}'"#
    );
    scene.db.execute(&assigned).await;
    assert_eq!(to_the_end(&mut run).await, Over::Done);
    let found = scene.drift(run.id()).await;
    assert!(found.contains(&format!("other_owner | {theirs} | {leaver} | {leaver} | {heir}")), "{found:?}");
    assert!(!found.iter().any(|it| it.starts_with("missing_here")), "{found:?}");
    scene.finish().await;
}
