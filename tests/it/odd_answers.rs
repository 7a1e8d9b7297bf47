//! Malformed values in WeCom's answers: only the value, or at worst its row, is lost.

use serde_json::json;
use wecomd::{
    changes::TaskKind,
    ids::{ExternalUserId, UserId},
    sandbox::{Fault, Size},
    sync::{Over, Step},
    wecom::{Class, transfer::TransferFlow},
};

use crate::support::{
    Acting,
    reconcile::{PAGES, Scene},
    wecom::{app_with_wecom, somebody},
};

/// A company so small that a whole run is quick.
const COMPANY: Size = Size { members: 12, customers: 40, departments: 2 };

const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

/// A text of an answer, and its replacement.
type Pair<'a> = (&'a str, &'a [u8]);

/// An answer in which these texts are replaced.
fn garbled(pairs: &[Pair<'_>]) -> Fault {
    let garble = pairs.iter().map(|(text, instead)| ((*text).to_owned(), instead.to_vec())).collect();
    Fault { garble, ..Fault::default() }
}

#[tokio::test]
async fn a_malformed_customer_value_is_skipped_and_the_run_reads_everybody() {
    let scene = Scene::start(COMPANY).await;
    let (user, customer) = scene.somebody(0);
    let card = format!(
        "select concat_ws(' ', nickname, first_contact_time > '2020-01-01') from customer_wechat_contact
         where wechat_userid = '{user}' and external_userid = '{customer}'"
    );
    scene.reconcile().await;
    let before = scene.db.texts(&card).await.concat();
    let name: &[Pair<'_>] = &[("\"name\":\"", b"\"name\":\"a\\u0000b")];
    let odd: &[(&[Pair<'_>], &str)] = &[
        (name, "ab"),
        (&[("\"name\":\"", b"\"name\":\"\x14\x1b")], ""),
        (&[("\"name\":\"", b"\"name\":\"a\\ud83d")], "a\u{fffd}"),
        (&[("\"name\":\"", b"\"name\":\"a\xe5\xb0")], "a\u{fffd}"),
        (&[("\"remark\":\"", b"\"remark\":null,\"x\":\"")], ""),
        (&[("\"createtime\":", b"\"createtime\":\""), (",\"description\":", b"\",\"description\":")], ""),
        (&[("\"createtime\":", b"\"createtime\":{\"x\":1},\"x\":")], ""),
        (&[("\"follow_info\":{", b"\"follow_info\":{\"state\":[],\"remark_mobiles\":\"1\",\"tag_id\":null,")], ""),
        (&[("\"errcode\":0", b"\"errcode\":\"0\"")], ""),
    ];
    for (pairs, prefix) in odd {
        scene.platform.faults().set(PAGES, garbled(pairs));
        let run = scene.reconcile().await;
        assert_eq!(scene.db.texts(&card).await, [format!("{prefix}{before}")], "{pairs:?}");
        assert_eq!(scene.held().await, scene.named(), "{pairs:?}");
        assert_eq!(scene.db.count(&format!("select unreadable from sync_run where id = {run}")).await, 0, "{pairs:?}");
    }
    scene.finish().await;
}

#[tokio::test]
async fn a_row_without_an_id_is_reported_and_marks_nobody_as_gone() {
    let scene = Scene::start(COMPANY).await;
    let (user, customer) = scene.somebody(0);
    scene.reconcile().await;
    let id = format!("\"external_userid\":\"{customer}\"");
    scene.platform.faults().set(PAGES, garbled(&[(id.as_str(), b"\"external_userid\":null")]));
    let run = scene.reconcile().await;

    let rows = scene.platform.with(|world| world.followers_of(&customer).len());
    assert_eq!(
        scene.db.count(&format!("select unreadable from sync_run where id = {run}")).await,
        i64::try_from(rows).expect("few")
    );
    let found = scene.drift(run).await;
    assert_eq!(found.len(), rows, "one line for each member whose row it is: {found:?}");
    assert!(
        found.iter().any(|it| it.starts_with(&format!("unreadable | {user} | `external_userid` of row "))),
        "{found:?}"
    );
    assert_eq!(scene.db.count("select count(*) from customer_wechat_contact where status = 'gone'").await, 0);
    assert_eq!(scene.held().await, scene.named(), "the earlier contacts are kept");

    // Once the pages can be read again, a contact that is not listed is gone.
    scene.platform.faults().clear();
    scene.platform.remove(&user, &customer).await.expect("a contact");
    let run = scene.reconcile().await;
    assert!(scene.drift(run).await.iter().any(|it| it.starts_with(&format!("gone_there | {customer} | {user}"))));
    scene.finish().await;
}

#[tokio::test]
async fn a_malformed_list_or_cursor_ends_no_contact() {
    let scene = Scene::start(COMPANY).await;
    scene.reconcile().await;
    for pairs in [
        [("\"external_contact_list\":[", b"\"external_contact_list\":\"none\",\"x\":[".as_slice())],
        [("\"next_cursor\":\"", b"\"next_cursor\":{},\"x\":\"".as_slice())],
    ] {
        scene.platform.faults().set(PAGES, garbled(&pairs));
        let run = scene.reconcile().await;
        assert!(scene.db.count(&format!("select unreadable from sync_run where id = {run}")).await > 0, "{pairs:?}");
        assert!(scene.drift(run).await.concat().starts_with("unreadable | `"), "{pairs:?}");
        assert_eq!(scene.held().await, scene.named(), "{pairs:?}");
    }
    scene.finish().await;
}

#[tokio::test]
async fn a_malformed_member_or_leaver_value_is_skipped_and_the_run_continues() {
    let scene = Scene::start(COMPANY).await;
    let (user, _) = scene.somebody(0);
    let (leaver, theirs) = scene.somebody(1);
    scene.platform.leave(&leaver).await.expect("left");
    let faults = scene.platform.faults();
    let id = format!("\"userid\":\"{user}\"");
    faults.set("user/list", garbled(&[("\"status\":1", b"\"status\":\"1\""), (id.as_str(), b"\"userid\":[]")]));
    let text: [Pair<'_>; 2] =
        [("\"dimission_time\":", b"\"dimission_time\":\""), (",\"external_userid\"", b"\",\"external_userid\"")];
    faults.set("externalcontact/get_unassigned_list", garbled(&text));
    let run = scene.reconcile().await;
    assert!(
        scene.db.count("select count(*) from member where status = 1").await > 3,
        "a quoted number is read as a number"
    );
    let left =
        format!("select count(*) from member where wechat_userid = '{leaver}' and left_at > now() - interval '1 hour'");
    assert_eq!(scene.db.count(&left).await, 1);
    let found = scene.drift(run).await;
    assert!(found.iter().any(|it| it.starts_with("unreadable | `userid` of row ")), "{found:?}");
    // The unreadable row may have named anybody, so nobody counts as gone.
    assert!(!found.iter().any(|it| it.starts_with("member_gone_there")), "{found:?}");

    // Without a time nobody knows since when they have left, and the row is named.
    faults.set(
        "externalcontact/get_unassigned_list",
        garbled(&[("\"dimission_time\":", b"\"dimission_time\":null,\"x\":")]),
    );
    let run = scene.reconcile().await;
    let named = format!("unreadable | {theirs} | {leaver} | `dimission_time` of row ");
    assert!(scene.drift(run).await.iter().any(|it| it.starts_with(&named)), "{:?}", scene.drift(run).await);
    scene.finish().await;
}

#[tokio::test]
async fn a_row_refused_by_the_database_is_reported_and_only_that_row_is_lost() {
    let scene = Scene::start(COMPANY).await;
    let (user, customer) = scene.somebody(0);
    scene
        .db
        .execute(&format!(
            "alter table customer_wechat_contact add constraint not_this_one
             check (external_userid <> '{customer}' or wechat_userid <> '{user}')"
        ))
        .await;
    let run = scene.reconcile().await;
    let mut named = scene.named();
    assert!(named.remove(&format!("{customer} of {user}")));
    assert_eq!(scene.held().await, named);
    let found = scene.drift(run).await;
    let line =
        format!("unreadable | {customer} | {user} | the database refuses it (SQLSTATE 23514), constraint not_this_one");
    assert!(found.contains(&line), "{found:?}");
    assert_eq!(scene.db.count(&format!("select unreadable from sync_run where id = {run}")).await, 1);
    scene.finish().await;
}

#[tokio::test]
async fn a_run_fails_with_its_reason_if_the_database_refuses_every_page() {
    let scene = Scene::start(COMPANY).await;
    scene
        .db
        .execute("create function no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$")
        .await;
    scene.db.execute("create trigger no before insert on member for each row execute function no()").await;
    let mut run = scene.begin().await;
    assert_eq!(run.step().await.expect("departments"), Step::Went);
    let mut pauses = 0;
    let over = loop {
        match run.step().await.expect("the database answers") {
            Step::Waits(_) => {
                pauses += 1;
                let trouble = scene.db.texts("select trouble from sync_run").await;
                assert_eq!(trouble, ["the database refuses it (SQLSTATE P0001)"]);
            }
            Step::Over(over) => break over,
            // A department without members.
            Step::Went => assert_eq!(pauses, 0, "nothing can be written"),
        }
    };
    assert_eq!((over, pauses), (Over::Failed, 4));
    assert_eq!(
        scene.db.texts("select reason from sync_run").await,
        ["a step was tried 5 times, and the database refuses it (SQLSTATE P0001)"]
    );
    scene.db.execute("drop trigger no on member").await;
    assert_eq!(scene.reconcile().await, run.id(), "it is resumed");
    scene.finish().await;
}

#[tokio::test]
async fn a_card_with_malformed_values_is_read_without_them() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[CUSTOMER]);
    acting.member("bob", "白", &[CUSTOMER]);
    acting.platform.faults().set(
        "externalcontact/get",
        garbled(&[
            ("\"name\":\"", b"\"name\":\"\x01a\\ud83d\\u0000"),
            ("\"external_userid\":\"", b"\"external_userid\":[],\"x\":\""),
            ("\"remark\":\"", b"\"remark\":null,\"x\":\""),
            ("\"createtime\":", b"\"createtime\":true,\"y\":"),
            ("\"add_way\":", b"\"add_way\":{},\"z\":"),
            ("\"userid\":\"bob\"", b"\"userid\":{}"),
        ]),
    );
    acting.enqueue(TaskKind::RefreshContact, CUSTOMER, None).await;
    acting.act(TaskKind::RefreshContact).await;
    assert_eq!(acting.left(TaskKind::RefreshContact).await, [""; 0]);
    let contacts = "select concat_ws(' ', wechat_userid, nickname, remark, add_way) from customer_wechat_contact";
    assert_eq!(acting.app.db.texts(contacts).await, ["ann a\u{fffd}小雨"]);
    acting.finish().await;
}

#[tokio::test]
async fn an_answer_without_an_errcode_counts_if_it_holds_what_was_asked_for() {
    let (app, platform) = app_with_wecom().await;
    let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
    let user = somebody(&platform);
    let says = |path: &str, body: &str| {
        platform.faults().set(path, Fault { bodies: vec![body.as_bytes().to_vec()], ..Fault::default() });
    };
    says("department/simplelist", r#"{"department_id":[{"id":"1"},{"id":2,"parentid":null},{"id":"x"},7]}"#);
    let departments = api.departments().await.expect("read");
    assert_eq!(departments.iter().map(|it| it.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(departments.unreadable.len(), 2);
    for body in ["{}", r#"{"message":"bad gateway"}"#, "<html>", "", r#"{"errcode":{},"department_id":[]}"#] {
        says("department/simplelist", body);
        let error = api.departments().await.expect_err(body);
        assert_eq!((error.class, error.errcode), (Class::Unknown, None), "{body}: {error}");
        let words = if body.starts_with('{') { "the answer cannot be read" } else { "the answer is not JSON" };
        assert!(error.message.starts_with(words), "{body}: {error}");
    }
    says("user/get", r#"{"errcode":"60111","errmsg":"no\u0000body, hint: [1]"}"#);
    let error = api.member(&user).await.expect_err("refused");
    assert!(error.is(60111) && &*error.message == "nobody", "{error:?}");
    says("auth/getuserinfo", r#"{"errcode":0,"userid":"","external_userid":null}"#);
    let visitor = api.visitor("code").await.expect("read");
    assert_eq!((visitor.user, visitor.customer), (None, None), "an empty userid belongs to nobody");
    app.finish().await;
    platform.stop().await;
}

#[tokio::test]
async fn malformed_transfer_and_group_rows_give_no_result() {
    let (app, platform) = app_with_wecom().await;
    let api = app.app.admin_half.wecom.corp(&app.corp.corpid).await.expect("an app");
    let (amy, bo) = (UserId::from("amy"), UserId::from("bo"));
    let says = |path: &str, body: serde_json::Value| {
        platform.faults().set(path, Fault { bodies: vec![body.to_string().into_bytes()], ..Fault::default() });
    };
    says(
        "externalcontact/transfer_customer",
        json!({ "errcode": 0, "customer": [
            { "external_userid": "wm1", "errcode": "40128" }, { "external_userid": "wm2", "errcode": null },
            { "errcode": 0 }, { "external_userid": "wm4", "errcode": 0 },
        ]}),
    );
    let customers: Vec<_> = ["wm1", "wm2", "wm3", "wm4"].map(ExternalUserId::from).into();
    let taken = api.transfer(TransferFlow::InService, &amy, &bo, &customers, None).await.expect("taken");
    let codes: Vec<_> = taken.iter().map(|it| (it.external_userid.as_str(), it.errcode)).collect();
    assert_eq!((codes, taken.unreadable.len()), (vec![("wm1", 40128), ("wm4", 0)], 2));

    says(
        "externalcontact/transfer_result",
        json!({ "errcode": 0, "next_cursor": null, "customer": [
            { "external_userid": "wm1", "status": "3", "takeover_time": "1760086400" },
            { "external_userid": "wm2", "status": { "code": 1 }, "takeover_time": 1_760_086_400_000_i64 },
            { "external_userid": " ", "status": 1 },
        ]}),
    );
    let page = api.transfer_results(TransferFlow::InService, &amy, &bo, "").await.expect("a page");
    let rows = page.customers.iter().map(|it| (it.status, it.takeover_at().map(|it| it.timestamp())));
    assert_eq!(rows.collect::<Vec<_>>(), [(3, Some(1_760_086_400)), (0, Some(1_760_086_400))]);
    assert_eq!((page.unreadable.len(), page.next_cursor.as_str()), (1, ""));

    says(
        "externalcontact/groupchat/list",
        json!({ "errcode": 0, "group_chat_list": [
            { "chat_id": "wr1", "status": "2" }, { "chat_id": null }, "wr3",
        ]}),
    );
    let groups = api.groups_of(&amy, "").await.expect("a page");
    assert_eq!((groups.groups.len(), groups.groups[0].status, groups.unreadable.len()), (1, 2, 2));
    says("externalcontact/groupchat/get", json!({ "errcode": 0, "group_chat": { "owner": [], "name": null } }));
    let group = api.group("wr1").await.expect("a group");
    assert_eq!((group.chat_id.as_str(), group.owner), ("wr1", None), "the row names nobody");
    says(
        "externalcontact/groupchat/onjob_transfer",
        json!({ "errcode": 0, "failed_chat_list": [
            { "chat_id": "wr1", "errcode": "90500" }, { "chat_id": "wr2" }, { "errcode": 90500 },
        ]}),
    );
    let failed = api.transfer_groups(TransferFlow::InService, &["wr1".to_owned()], &bo).await.expect("answered");
    let codes: Vec<_> = failed.iter().map(|it| it.errcode).collect();
    assert_eq!((codes, failed.is_complete()), (vec![90500, -1], false));
    app.finish().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_customer_whose_result_cannot_be_read_is_not_sent_again() {
    let acting = Acting::start().await;
    acting.successor("bob").await;
    let customers = [ExternalUserId::from("wmODD1"), ExternalUserId::from("wmODD2")];
    let id = acting.leaver("ann", &customers).await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    // The answer to the call is lost, and the results name one of the two in a row that cannot be read.
    let lost = Fault { drop: Some(wecomd::sandbox::DropAt::After), times: Some(1), ..Fault::default() };
    acting.platform.faults().set("externalcontact/transfer_customer", lost);
    acting.drive(id).await.expect_err("no answer");
    acting.app.db.execute("update handover_call set attempted_at = attempted_at - interval '1 hour'").await;
    acting.platform.faults().set(
        "externalcontact/transfer_result",
        garbled(&[("\"external_userid\":\"wmODD1\"", b"\"external_userid\":null")]),
    );
    drop(acting.drive(id).await);
    let items = "select concat_ws(' ', subject, state) from handover_item order by subject";
    assert_eq!(acting.app.db.texts(items).await, ["wmODD1 calling", "wmODD2 waiting"]);
    assert_eq!(acting.platform.calls_of("externalcontact/transfer_customer").len(), 1, "it is not sent twice");
    acting.platform.faults().clear();
    drop(acting.drive(id).await);
    assert_eq!(acting.app.db.texts(items).await, ["wmODD1 waiting", "wmODD2 waiting"]);
    acting.finish().await;
}
