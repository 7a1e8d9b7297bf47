//! The handover's driver: callbacks that finish items, daily limits, stuck items, and the log that cannot be edited.

use std::{num::NonZeroU32, time::Duration};

use wecomd::{
    changes::TaskKind,
    handover::Next,
    ids::{ExternalUserId, UserId},
    sandbox::Fault,
    tables::handover,
};

use crate::support::Acting;

const ITEMS: &str = "select concat_ws(' ', subject, state, reason) from handover_item order by subject";

/// WeCom hands over after a day.
const DAY: Duration = Duration::from_secs(25 * 3600);

fn customers(count: usize) -> Vec<ExternalUserId> {
    (0..count).map(|n| ExternalUserId(format!("wmDRIVER{n}"))).collect()
}

#[tokio::test]
async fn callbacks_finish_waiting_items_before_results_are_polled() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let customers = customers(3);
    let id = acting.leaver("ann", &customers).await;
    acting.platform.with(|world| {
        world.transfer_rules.refusers.insert(customers[0].clone());
        world.member_mut(&UserId::from("bob")).expect("a member").customers_max = Some(1);
    });
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.drive(id).await.expect("driven");
    // From here on WeCom gives no results.
    let silent = Fault { errcode: Some(-1), ..Fault::default() };
    acting.platform.faults().set("externalcontact/transfer_result", silent);
    acting.platform.advance(DAY);
    acting.platform.pushed().await;
    acting.app.drain().await;
    let hinted = "select count(*) from task where kind = 'handover' and due_at < now() + interval '3 s'";
    assert_eq!(acting.app.db.count(hinted).await, 1, "the callbacks wake the driver");
    acting.act(TaskKind::RefreshContact).await;
    drop(acting.drive(id).await);
    let expected = ["wmDRIVER0 refused 客户拒绝转接", "wmDRIVER1 done", "wmDRIVER2 full 接替员工的客户数已达上限"];
    assert_eq!(acting.app.db.texts(ITEMS).await, expected);
    assert_eq!(acting.app.db.texts("select state from handover").await, ["done"]);
    acting.finish().await;
}

#[tokio::test]
async fn a_member_is_given_three_hundred_groups_a_day_and_the_rest_the_next() {
    let calls = NonZeroU32::new(1_000).expect("it is written here");
    let acting = Acting::start_with(|config| {
        (config.wecom.corp_per_second, config.wecom.path_per_second) = (calls, calls);
    })
    .await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &[]).await;
    for n in 0..302 {
        acting.group_in(id, "ann", &format!("群{n}")).await;
    }
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    assert_eq!(acting.drive(id).await.expect("driven"), Next::Again(Duration::from_secs(60)));
    let states = "select concat_ws(' ', state, count(*)) from handover_item group by state order by 1";
    assert_eq!(acting.app.db.texts(states).await, ["done 300", "planned 2"]);
    assert_eq!(acting.platform.with(|world| world.groups_of(&UserId::from("bob")).len()), 300);

    acting.platform.advance(Duration::from_secs(24 * 3600));
    acting.app.db.execute("update handover_item set submitted_at = submitted_at - interval '1 day'").await;
    assert_eq!(acting.drive(id).await.expect("driven"), Next::Over);
    assert_eq!(acting.app.db.texts(states).await, ["done 302"]);
    acting.finish().await;
}

#[tokio::test]
async fn items_requested_in_service_are_requested_again_after_the_member_leaves() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &customers(1)).await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.drive(id).await.expect("driven");
    acting.platform.leave(&UserId::from("ann")).await.expect("left");
    acting.platform.pushed().await;
    acting.app.drain().await;
    for _ in 0..3 {
        acting.platform.advance(DAY);
        drop(acting.drive(id).await);
    }
    assert_eq!(acting.app.db.texts(ITEMS).await, ["wmDRIVER0 done"]);
    assert_eq!(acting.platform.with(|world| world.followers_of(&customers(1)[0])), [UserId::from("bob")]);
    acting.finish().await;
}

#[tokio::test]
async fn items_waiting_longer_than_26_hours_count_as_stuck() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &customers(2)).await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.drive(id).await.expect("driven");
    let late = "update handover_item set submitted_at = now() - interval '27 hours', takeover_at = null where subject = 'wmDRIVER0'";
    acting.app.db.execute(late).await;
    let mut conn = acting.app.db.pool.acquire().await.expect("connects");
    let after = wecomd::handover::OVERDUE_AFTER;
    assert_eq!(handover::stuck(&mut conn, after).await.expect("counted"), 1);
    drop(conn);
    acting.finish().await;
}

#[tokio::test]
async fn a_missing_group_permission_does_not_block_customers() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &customers(1)).await;
    acting.group_in(id, "ann", "群").await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    let forbidden = Fault { errcode: Some(48002), ..Fault::default() };
    acting.platform.faults().set("externalcontact/groupchat/onjob_transfer", forbidden);
    acting.drive(id).await.expect_err("groups are forbidden");
    acting.platform.advance(DAY);
    acting.drive(id).await.expect_err("groups are forbidden");
    let states = "select concat_ws(' ', kind, state) from handover_item order by kind";
    assert_eq!(acting.app.db.texts(states).await, ["customer done", "group planned"]);
    acting.finish().await;
}

#[tokio::test]
async fn a_group_that_cannot_be_read_does_not_block_the_others() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &[]).await;
    for name in ["一群", "二群"] {
        acting.group_in(id, "ann", name).await;
    }
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    let hidden = Fault { errcode: Some(60011), times: Some(1), ..Fault::default() };
    acting.platform.faults().set("externalcontact/groupchat/get", hidden);
    acting.drive(id).await.expect_err("one is out of sight");
    let states = "select state from handover_item order by state";
    assert_eq!(acting.app.db.texts(states).await, ["done", "waiting"]);
    acting.finish().await;
}

#[tokio::test]
async fn a_handover_is_driven_for_as_long_as_wecom_is_away() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &customers(1)).await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.enqueue(TaskKind::Handover, &id.to_string(), None).await;
    acting.platform.faults().set("externalcontact/transfer_customer", Fault { errcode: Some(-1), ..Fault::default() });
    for _ in 0..25 {
        acting.act(TaskKind::Handover).await;
        let left = acting.left(TaskKind::Handover).await;
        assert!(left.len() == 1 && left[0].starts_with(&format!("{id} due: ")), "{left:?}");
    }
    acting.platform.faults().clear();
    acting.act(TaskKind::Handover).await;
    assert_eq!(acting.app.db.texts("select state from handover_item").await, ["waiting"]);
    acting.finish().await;
}

#[tokio::test]
async fn callbacks_after_a_finished_handover_go_to_the_next_one() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &customers(1)).await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    acting.drive(id).await.expect("driven");
    acting.platform.advance(DAY);
    acting.drive(id).await.expect("driven");
    assert_eq!(acting.app.db.texts("select state from handover").await, ["done"]);
    // The member gets a second handover, with a customer who was unknown before.
    acting.platform.leave(&UserId::from("ann")).await.expect("left");
    acting.platform.pushed().await;
    acting.app.drain().await;
    let new = "insert into customer_wechat_contact (corpid, external_userid, wechat_userid, status, status_at)
         select corpid, 'wmLATE', wechat_userid, 'contacted', now() from handover order by id limit 1";
    acting.app.db.execute(new).await;
    assert_eq!(acting.drive(id).await.expect("driven"), Next::Over);
    let states = "select state from handover order by id";
    assert_eq!(acting.app.db.texts(states).await, ["done", "detected"]);
    acting.finish().await;
}

#[tokio::test]
async fn nobody_edits_the_log_of_a_handover() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &customers(1)).await;
    acting.plan(id, "bob").await;
    let lines = acting.app.db.count("select count(*) from handover_log").await;
    assert!(lines > 0);
    for edit in ["update handover_log set actor = 'nobody'", "delete from handover_log", "truncate handover_log"] {
        let refused = sqlx::query(edit).execute(&acting.app.db.pool).await.expect_err(edit);
        assert!(refused.to_string().contains("only ever appended to"), "{refused}");
    }
    assert_eq!(acting.app.db.count("select count(*) from handover_log").await, lines);
    acting.finish().await;
}
