//! Customer groups: who is in them, from callbacks and readings in any order, and what the admin API shows of them.

use serde_json::json;
use wecomd::{changes::TaskKind, ids::UserId, sandbox::JoinScene};

use crate::support::{Acting, TestApp, leaver::BASE, plaintext::group};

const ALICE: &str = "wmAliceAliceAliceAliceAliceAlice";
const BOB: &str = "wmBobBobBobBobBobBobBobBobBobBobB";

/// Who is in which group, with the scenes, and what the last reading said.
const PEOPLE: &str = "select concat_ws(' ', person, coalesce(kind::text, '-'), coalesce(join_scene::text, '-'),
    case when joined_at > coalesce(left_at, '-infinity') then 'in' else 'out' end, coalesce(quit_scene::text, '-'),
    coalesce(invitor_userid, '-')) from group_member order by 1";

/// The groups, with what is on their cards.
const GROUPS: &str = "select concat_ws(' ', coalesce(name, '-'), coalesce(owner_userid, '-'), made_at is not null,
    dismissed_at is not null, card_at is not null) from group_chat order by 1";

/// A company in which ann owns a group with her customer Alice.
async fn company() -> (Acting, String) {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[ALICE]);
    let chat = acting.platform.with(|world| world.add_group(&UserId::from("ann"), "楼道维修群")).expect("a member");
    (acting, chat)
}

#[tokio::test]
async fn a_group_is_read_after_a_callback_and_shows_who_is_in_it() {
    let (acting, chat) = company().await;
    acting.platform.join_group(&chat, &BOB.into(), JoinScene::Scanned).await.expect("joined");
    acting.platform.pushed().await;
    acting.app.drain().await;
    // Before the group is read, the callback alone says who joined.
    assert_eq!(acting.app.db.texts(PEOPLE).await, [format!("{BOB} - 3 in - -")]);

    acting.act(TaskKind::RefreshGroup).await;
    let people = ["ann 1 1 in - -".to_owned(), format!("{ALICE} 2 1 in - ann"), format!("{BOB} 2 3 in - -")];
    assert_eq!(acting.app.db.texts(PEOPLE).await, people);
    assert_eq!(acting.app.db.texts(GROUPS).await, ["楼道维修群 ann t f t"]);
    assert_eq!(acting.left(TaskKind::RefreshGroup).await, [""; 0]);
    assert_eq!(acting.platform.calls_of("externalcontact/groupchat/get").len(), 1);

    acting.platform.leave_group(&chat, &BOB.into(), true).await.expect("left");
    acting.platform.rename_group(&chat, "三号楼维修群").await.expect("renamed");
    acting.settle(TaskKind::RefreshGroup).await;
    assert_eq!(acting.app.db.texts(PEOPLE).await[2], format!("{BOB} 2 3 out 1 -"));
    assert_eq!(acting.app.db.texts(GROUPS).await, ["三号楼维修群 ann t f t"]);

    acting.platform.dismiss_group(&chat).await.expect("dissolved");
    acting.settle(TaskKind::RefreshGroup).await;
    assert_eq!(acting.app.db.texts(GROUPS).await, ["三号楼维修群 ann t t t"]);
    acting.finish().await;
}

#[tokio::test]
async fn a_group_whose_known_version_is_current_is_not_read_again() {
    let (acting, chat) = company().await;
    acting.platform.join_group(&chat, &BOB.into(), JoinScene::Invited).await.expect("joined");
    acting.settle(TaskKind::RefreshGroup).await;
    // The same callback is replayed: its version is the card's.
    acting
        .app
        .db
        .execute("insert into pending (event_at, app_id, hash) select event_at, app_id, hash from inbox")
        .await;
    acting.settle(TaskKind::RefreshGroup).await;
    assert_eq!(acting.platform.calls_of("externalcontact/groupchat/get").len(), 1);
    // A new name has no version, so the group is read.
    acting.platform.rename_group(&chat, "新群名").await.expect("renamed");
    acting.settle(TaskKind::RefreshGroup).await;
    assert_eq!(acting.platform.calls_of("externalcontact/groupchat/get").len(), 2);
    acting.finish().await;
}

#[tokio::test]
async fn whoever_a_reading_does_not_name_has_left_even_if_their_callback_comes_late() {
    let (acting, chat) = company().await;
    let long_ago = chrono::Utc::now().timestamp() - 3_600;
    // Bob joined an hour ago and left since; the callback of his leaving was lost, and that of his joining comes late.
    let joined = group(long_ago, "update", &chat, &[("UpdateDetail", "add_member")], &[BOB]);
    let renamed = group(long_ago + 9, "update", &chat, &[("UpdateDetail", "change_name")], &[]);
    for (first, second) in [(&joined, &renamed), (&renamed, &joined)] {
        acting.app.db.execute("truncate group_chat, group_member, inbox, pending, pending_group").await;
        acting.app.record(first).await;
        acting.act(TaskKind::RefreshGroup).await;
        acting.app.record(second).await;
        acting.act(TaskKind::RefreshGroup).await;
        let people = acting.app.db.texts(PEOPLE).await;
        assert_eq!(people[2], format!("{BOB} - - out - -"), "{people:?}");
        assert_eq!(people[..2], ["ann 1 1 in - -".to_owned(), format!("{ALICE} 2 1 in - ann")]);
    }
    acting.finish().await;
}

#[tokio::test]
async fn a_group_that_is_gone_or_out_of_sight_is_no_error() {
    let (acting, chat) = company().await;
    acting.enqueue(TaskKind::RefreshGroup, "wrNobodyKnowsThisGroup", None).await;
    acting.act(TaskKind::RefreshGroup).await;
    acting.platform.dismiss_group(&chat).await.expect("dissolved");
    // The callback of that was lost.
    acting.enqueue(TaskKind::RefreshGroup, &chat, None).await;
    acting.act(TaskKind::RefreshGroup).await;
    assert_eq!(acting.left(TaskKind::RefreshGroup).await, [""; 0]);
    assert_eq!(acting.app.db.texts(GROUPS).await, ["- - f t f"]);
    acting.finish().await;
}

#[tokio::test]
async fn a_renamed_member_stays_in_their_groups_under_the_new_id() {
    let (acting, chat) = company().await;
    acting.platform.join_group(&chat, &BOB.into(), JoinScene::Invited).await.expect("joined");
    acting.settle(TaskKind::RefreshGroup).await;
    acting.platform.rename(&"ann".into(), &"anna".into()).await.expect("renamed");
    acting.platform.pushed().await;
    acting.app.drain().await;
    let people = acting.app.db.texts(PEOPLE).await;
    assert_eq!(people[0], "anna 1 1 in - -");
    assert_eq!(people[1], format!("{ALICE} 2 1 in - anna"));
    assert_eq!(acting.app.db.texts(GROUPS).await, ["楼道维修群 anna t f t"]);
    acting.finish().await;
}

#[tokio::test]
async fn an_erased_customer_is_in_no_group_and_a_later_reading_does_not_bring_them_back() {
    let (acting, chat) = company().await;
    acting.platform.join_group(&chat, &BOB.into(), JoinScene::Invited).await.expect("joined");
    acting.settle(TaskKind::RefreshGroup).await;
    let erased = acting.app.ask("DELETE", &format!("{BASE}/customers/{BOB}"), None).await;
    assert!(erased.status < 300, "{erased:?}");
    assert_eq!(acting.app.db.count(&format!("select count(*) from group_member where person = '{BOB}'")).await, 0);
    // Bob is still in the chat, and WeCom goes on to name him.
    acting.enqueue(TaskKind::RefreshGroup, &chat, None).await;
    acting.act(TaskKind::RefreshGroup).await;
    assert_eq!(acting.app.db.count(&format!("select count(*) from group_member where person = '{BOB}'")).await, 0);
    assert_eq!(acting.app.db.count("select count(*) from group_member").await, 2);
    acting.finish().await;
}

#[tokio::test]
async fn what_an_earlier_version_ignored_fills_the_groups_after_a_replay() {
    let (acting, chat) = company().await;
    let at = chrono::Utc::now().timestamp() - 600;
    acting.app.record(&group(at, "create", &chat, &[], &[])).await;
    acting.app.record(&group(at + 1, "update", &chat, &[("UpdateDetail", "add_member")], &[BOB])).await;
    // As an earlier version left them.
    acting
        .app
        .db
        .execute(
            "truncate group_chat, group_member, task;
             insert into ignored (event_at, app_id, hash, name)
             select event_at, app_id, hash, 'change_external_chat/create' from inbox",
        )
        .await;
    let mut conn = acting.app.db.pool.acquire().await.expect("connects");
    let (replayed, last) =
        wecomd::inbox::replay_ignored(&mut conn, "change_external_chat", None, 1).await.expect("replayed");
    assert_eq!(replayed, 1);
    let (rest, last) =
        wecomd::inbox::replay_ignored(&mut conn, "change_external_chat", last.as_ref(), 9).await.expect("replayed");
    assert_eq!(rest, 1);
    let after =
        wecomd::inbox::replay_ignored(&mut conn, "change_external_chat", last.as_ref(), 9).await.expect("replayed");
    assert_eq!(after, (0, None));
    drop(conn);
    acting.settle(TaskKind::RefreshGroup).await;
    assert_eq!(acting.app.db.texts(GROUPS).await, ["楼道维修群 ann t f t"]);
    assert_eq!(acting.app.db.count("select count(*) from group_member").await, 3);
    acting.finish().await;
}

#[tokio::test]
async fn groups_are_listed_by_owner_member_name_and_whether_they_were_dissolved() {
    let (acting, first) = company().await;
    acting.member("cai", "蔡", &[BOB]);
    let second = acting.platform.with(|world| world.add_group(&UserId::from("cai"), "采购群")).expect("a member");
    for chat in [&first, &second] {
        acting.enqueue(TaskKind::RefreshGroup, chat, None).await;
    }
    acting.act(TaskKind::RefreshGroup).await;
    acting.platform.dismiss_group(&second).await.expect("dissolved");
    acting.platform.pushed().await;
    acting.app.drain().await;

    let list = async |query: &str| {
        let answer = acting.app.ask("GET", &format!("{BASE}/group-chats{query}"), None).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let items = answer.json()["items"].as_array().expect("items").clone();
        items.iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await.len(), 2);
    assert_eq!(list("?owner=cai").await, ["采购群"]);
    assert_eq!(list(&format!("?member={ALICE}")).await, ["楼道维修群"]);
    assert_eq!(list("?name=%E7%BB%B4%E4%BF%AE").await, ["楼道维修群"]);
    assert_eq!(list("?dismissed=true").await, ["采购群"]);
    assert_eq!(list("?dismissed=false").await, ["楼道维修群"]);
    // Page by page, every group once.
    let page = acting.app.ask("GET", &format!("{BASE}/group-chats?limit=1"), None).await.json();
    let cursor = page["next_cursor"].as_str().expect("a second page").to_owned();
    let rest = acting.app.ask("GET", &format!("{BASE}/group-chats?limit=1&cursor={cursor}"), None).await.json();
    assert_ne!(page["items"][0]["chat_id"], rest["items"][0]["chat_id"]);
    assert_eq!(rest["next_cursor"], json!(null));

    let shown = acting.app.ask("GET", &format!("{BASE}/group-chats/{first}"), None).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let shown = shown.json();
    assert_eq!((&shown["members"], &shown["customers"]), (&json!(1), &json!(1)));
    let people: Vec<_> = shown["people"].as_array().expect("people").iter().map(|it| it["person"].clone()).collect();
    assert_eq!(people, [json!("ann"), json!(ALICE)]);
    assert_eq!(acting.app.ask("GET", &format!("{BASE}/group-chats/wr404"), None).await.status, 404);
    acting.finish().await;
}

#[tokio::test]
async fn a_handover_uses_known_groups_without_asking_wecom() {
    let (acting, chat) = company().await;
    acting.member("bo", "波", &[]);
    acting.enqueue(TaskKind::RefreshGroup, &chat, None).await;
    acting.act(TaskKind::RefreshGroup).await;
    let (corp, user) = (acting.app.corp.corpid.clone(), UserId::from("ann"));
    let mut conn = acting.app.db.pool.acquire().await.expect("connects");
    let known = async |conn: &mut sqlx::PgConnection| {
        wecomd::tables::groups::group_chat::known_of(conn, &corp, &user).await.expect("read")
    };
    assert_eq!(known(&mut conn).await, None, "no run has listed all groups");
    acting
        .app
        .db
        .execute(&format!(
            "insert into sync_run (corpid, state, group_chats_at) values ('{corp}', 'done', now() - interval '1 hour')"
        ))
        .await;
    assert_eq!(known(&mut conn).await, Some(vec![chat.clone()]));
    // Who left before any list was read may own groups that nobody knows.
    acting
        .app
        .db
        .execute(&format!(
            "insert into member (corpid, wechat_userid, left_at) values ('{corp}', 'ann', now() - interval '1 day')
             on conflict on constraint member_key do update set left_at = excluded.left_at"
        ))
        .await;
    assert_eq!(known(&mut conn).await, None);
    drop(conn);
    acting.finish().await;
}

#[tokio::test]
async fn callers_who_see_their_own_alone_see_the_groups_that_they_are_in() {
    let (acting, chat) = company().await;
    acting.member("cai", "蔡", &[BOB]);
    let other = acting.platform.with(|world| world.add_group(&UserId::from("cai"), "采购群")).expect("a member");
    for chat in [&chat, &other] {
        acting.enqueue(TaskKind::RefreshGroup, chat, None).await;
    }
    acting.act(TaskKind::RefreshGroup).await;
    let own = wecomd::tables::access::own::Own { corpid: acting.app.corp.corpid.clone(), staff_id: "E-1".into() };
    acting
        .app
        .db
        .execute(&format!(
            "insert into staff_wechat_bind (corpid, staff_id, wechat_userid, bound_at) values ('{}', 'E-1', 'ann', now())",
            acting.app.corp.corpid
        ))
        .await;
    let mut conn = acting.app.db.pool.acquire().await.expect("connects");
    let find = wecomd::tables::groups::group_chat::find;
    assert!(find(&mut conn, &chat, Some(&own)).await.expect("read").is_some());
    assert!(find(&mut conn, &other, Some(&own)).await.expect("read").is_none());
    assert!(find(&mut conn, &other, None).await.expect("read").is_some());
    drop(conn);
    acting.finish().await;
}

#[tokio::test]
async fn a_group_s_day_counts_who_came_who_went_and_what_was_written() {
    let app = TestApp::start().await;
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into group_chat (corpid, chat_id, card, card_at) values
                 ('{corp}', 'wrA', '{{\"name\": \"维修群\", \"owner\": \"lisi\"}}', now());
             insert into group_member (corpid, chat_id, person, joined_at, left_at) values
                 ('{corp}', 'wrA', 'wmX', '2024-03-01 09:00+08', null),
                 ('{corp}', 'wrA', 'wmY', '2024-02-01 09:00+08', '2024-03-01 23:59+08'),
                 ('{corp}', 'wrA', 'wmZ', '2024-03-02 00:00+08', null);
             insert into wechat_contact_record (
                 contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, content, source, chat_id
             ) values
                 ('2024-03-01 10:00+08', gen_random_uuid(), '{corp}', 'wmX', null, 'wmX', 'text', '漏水', 'archive', 'wrA'),
                 ('2024-03-01 10:01+08', gen_random_uuid(), '{corp}', null, 'lisi', 'lisi', 'text', '马上来', 'archive', 'wrA'),
                 ('2024-03-01 10:02+08', gen_random_uuid(), '{corp}', 'wmX', null, 'wmX', 'text', '好', 'kf', 'wkA')"
        ))
        .await;
    let report = format!("{BASE}/reports/group_activity?since=2024-03-01&until=2024-03-02&format=csv");
    let table = app.ask("GET", &report, None).await.text();
    let rows: Vec<_> = table.lines().skip(1).map(|it| it.replace(&corp.0, "CORP")).collect();
    assert_eq!(rows, ["2024-03-01,CORP,wrA,维修群,lisi,,1,1,2,1,2", "2024-03-02,CORP,wrA,维修群,lisi,,1,0,0,0,0"]);
    app.finish().await;
}
