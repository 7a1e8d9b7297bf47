//! Every errcode that a source handles in a way of its own: what that comes to over real sockets, and that none is
//! left out.
//!
//! The tables name a source and its codes; each is driven by a test that goes through its codes one by one. What the
//! client makes of a code stands in `wecom_errors`. The last test reads the sources for codes that no table names.

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::{Value, json};
use wecomd::{
    changes::TaskKind,
    housekeeping::Housekeeper,
    ids::{ExternalUserId, UserId},
    sandbox::{AppKind, DropAt, Fault, Size},
    sync::{Over, Run, Step},
    tasks::{Context, Executor, WorkerPool},
    wecom::Class,
};

use crate::{
    handover_codes,
    support::{
        Acting,
        acting::context,
        reconcile::{PAGES, Scene, steps, to_the_end},
        source::code_of,
        wecom::{another_wecom, app_with_wecom, calls, somebody},
    },
    sync_permission, tidy,
    wecom_errors::{KINDS, codes_of},
};

/// A source, and the codes that it handles in a way of its own.
type Handled = (&'static str, &'static [i64]);

const SECRETS: Handled = ("src/wecom/token.rs", &[40001, 40013, 40091, 41002, 41004, 45009, 45031, 50003, 301_007]);

const OPERATOR: Handled = (
    "src/wecom/error.rs",
    &[
        40001, 40013, 40091, 45031, 48002, 48007, 48009, 48011, 50001, 50003, 60020, 60031, 301_007, 301_042, 301_052,
        301_053, 610_023, 610_024,
    ],
);

const GREETINGS: Handled = ("src/wecom/welcome.rs", &[41050, 41051]);

const CUSTOMERS: Handled = ("src/wecom/customer.rs", &[84061]);

const MEMBERS: Handled = ("src/wecom/member.rs", &[60111]);

const MEDIA: Handled = ("src/wecom/media.rs", &[40007]);

const NOTICES: Handled = ("src/tasks/notify_staff.rs", &[81013]);

/// Driven in `kf`, `kf_pull` and `kf_route`.
const CUSTOMER_SERVICE: Handled =
    ("src/wecom/kf.rs", &[40035, 45009, 50100, 60030, 95007, 95013, 95014, 95016, 95019, 95031, 95033]);

/// A contact way that WeCom has no more, when it is asked for and when it is deleted.
const WAYS: Handled = ("src/contact_way/making.rs", &[41044]);

const CONNECTION: Handled = ("src/admin/apps/test_connection.rs", &[48002, 60020]);

const DEPARTMENTS: Handled = ("src/sync/members.rs", &[60003, 60011, 60123]);

const LEAVERS: Handled = ("src/sync/leavers.rs", &[50100, 60268]);

/// A group that was dissolved, and groups that are none of the company's or out of sight.
const GROUPS: &[i64] = &[49008, 40050, 60011, 86003, 90501, 90509];

const CURSORS: &[i64] = &[50100, 60268];

const ABOUT_MEMBERS: &[i64] =
    &[40003, 40031, 40096, 40098, 41054, 50002, 60011, 60030, 60111, 84061, 84074, 84083, 701_008];

/// All but the client's own.
const HANDLED: &[Handled] = &[
    SECRETS,
    OPERATOR,
    GREETINGS,
    CUSTOMERS,
    MEMBERS,
    MEDIA,
    NOTICES,
    CUSTOMER_SERVICE,
    WAYS,
    CONNECTION,
    DEPARTMENTS,
    LEAVERS,
    ("src/sync/customers.rs", CURSORS),
    ("src/sync/customers.rs", ABOUT_MEMBERS),
    ("src/wecom/error.rs", sync_permission::RIGHTS),
    // Driven in `handover_codes`.
    ("src/handover/code.rs", handover_codes::OF_CUSTOMERS),
    ("src/handover/code.rs", handover_codes::OF_GROUPS),
    ("src/handover/poll.rs", handover_codes::UNDER_WAY),
    ("src/handover/poll.rs", handover_codes::NO_GROUP),
    ("src/handover/submit.rs", handover_codes::TOO_EARLY),
    ("src/wecom/group_chat.rs", &[-1]),
    ("src/wecom/group_chat.rs", GROUPS),
];

/// A company whose serving members fit into one group.
const COMPANY: Size = Size { members: 12, customers: 40, departments: 3 };

fn always(errcode: i64) -> Fault {
    Fault { errcode: Some(errcode), ..Fault::default() }
}

fn once(errcode: i64) -> Fault {
    Fault { times: Some(1), ..always(errcode) }
}

#[tokio::test]
async fn every_process_stops_using_a_secret_that_wecom_refuses() {
    let (app, platform) = app_with_wecom().await;
    let user = somebody(&platform);
    // Problems that an operator can fix soon are retried after seconds, and a busy WeCom at once.
    let others = [(60020, Some(5)), (48002, Some(5)), (-1, None)];
    for (code, rest_s) in SECRETS.1.iter().map(|code| (*code, Some(60))).chain(others) {
        app.db.execute("delete from wecom_token").await;
        platform.faults().set("gettoken", always(code));
        let before = calls(&platform, "gettoken");
        for process in 0..2 {
            let (wecom, pool) = another_wecom(&app.db, &app.app.admin_half.vault, &platform).await;
            let error = wecom.corp(&app.corp.corpid).await.expect("an app").member(&user).await.expect_err("no token");
            assert!(error.is(code) && error.path == "gettoken", "{code}, process {process}: {error}");
            pool.close().await;
        }
        assert_eq!(calls(&platform, "gettoken") - before, if rest_s.is_some() { 1 } else { 2 }, "{code}");
        let left = "select coalesce(ceil(extract(epoch from blocked_until - now())), 0)::bigint from wecom_token";
        let rest_s = rest_s.unwrap_or(0);
        assert!((rest_s / 2..=rest_s).contains(&app.db.count(left).await), "{code} pauses for {rest_s} s");
    }
    app.finish().await;
    platform.stop().await;
}

#[tokio::test]
async fn an_errcode_delays_or_parks_a_task_according_to_its_class() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    for code in OPERATOR.1 {
        // On any other path this one speaks of the token.
        let path = if *code == 40001 { "gettoken" } else { "user/get" };
        let (parked, wait_s, reason) = attempt(&acting, path, *code).await;
        assert!(!parked && (500..=600).contains(&wait_s), "{code} waits {wait_s} s: {reason}");
        assert!(reason.contains(&format!("{path}: {code} ")) && reason.contains("(hint "), "{reason}");
    }
    for kind in KINDS {
        for code in kind.codes.iter().filter(|code| !OPERATOR.1.contains(code) && !MEMBERS.1.contains(code)) {
            let (parked, wait_s, reason) = attempt(&acting, "user/get", *code).await;
            assert_eq!(parked, kind.class == Class::Refused, "{code}: {reason}");
            let longest = kind.pause_s.map_or(if parked { 0 } else { 1 }, |it| i64::try_from(it).expect("small"));
            assert!((longest / 2..=longest).contains(&wait_s), "{code} waits {wait_s} s: {reason}");
            assert!(reason.contains(&format!("user/get: {code} ")) && reason.contains("(hint "), "{reason}");
        }
    }
    acting.finish().await;
}

/// Tries a task once while WeCom answers with this code: whether it is parked, how many seconds it waits, and why.
async fn attempt(acting: &Acting, path: &str, code: i64) -> (bool, i64, String) {
    let db = &acting.app.db;
    if path == "gettoken" {
        db.execute("delete from wecom_token").await;
    }
    acting.platform.faults().clear();
    acting.platform.faults().set(path, always(code));
    acting.enqueue(TaskKind::RefreshMember, "ann", None).await;
    let admin = &acting.app.app.admin_half;
    // Each code gets its own budgets, because some codes cause a pause.
    let (wecom, pool) = another_wecom(db, &admin.vault, &acting.platform).await;
    let context = Context { wecom, ..context(&acting.app) };
    let mut executor = Executor::new(context, WorkerPool::of(TaskKind::RefreshMember, 1));
    assert_eq!(executor.step().await.expect("the database answers"), wecomd::tasks::Step::Worked);
    pool.close().await;
    let parked = db.count("select count(*) from task where parked_at is not null").await == 1;
    let wait = db.count("select greatest(ceil(extract(epoch from due_at - now())), 0)::bigint from task").await;
    let reason = db.texts("select reason from task").await.concat();
    db.execute("delete from task; update wecom_token set blocked_until = null").await;
    (parked, wait, reason)
}

#[tokio::test]
async fn a_greeting_refused_as_duplicate_or_late_is_not_retried() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &[]);
    let app = acting.app.corp.app(AppKind::App).expect("an app").name.clone();
    let words = json!({ "name": app, "welcome_message": "您好" });
    assert_eq!(acting.app.ask("POST", "/api/enterprise-wechat/config", Some(words)).await.status, 200);
    let outcomes = [(41050, "late"), (41051, "greeted_already")];
    assert_eq!(outcomes.map(|it| it.0), GREETINGS.1);
    for (code, outcome) in outcomes {
        let path = "externalcontact/send_welcome_msg";
        acting.platform.faults().set(path, once(code));
        let customer = format!("wm{code:030}");
        acting.platform.add(&UserId::from("ann"), &ExternalUserId(customer.clone())).await.expect("added");
        acting.settle(TaskKind::Welcome).await;
        let became = format!("select outcome from welcome where external_userid = '{customer}'");
        assert_eq!(acting.app.db.texts(&became).await, [outcome], "{code}");
        assert_eq!(acting.left(TaskKind::Welcome).await, [""; 0], "{code}");
    }
    assert_eq!(acting.platform.calls_of("externalcontact/send_welcome_msg").len(), outcomes.len());
    acting.finish().await;
}

#[tokio::test]
async fn tasks_for_invisible_customers_and_members_end_without_an_error() {
    let acting = Acting::start().await;
    acting.member("ann", "安", &["wmEXAMPLE00000000000000000000001"]);
    let faults = acting.platform.faults();
    for code in CUSTOMERS.1 {
        faults.set("externalcontact/get", once(*code));
        acting.enqueue(TaskKind::RefreshContact, "wmEXAMPLE00000000000000000000001", None).await;
        acting.act(TaskKind::RefreshContact).await;
        assert_eq!(acting.left(TaskKind::RefreshContact).await, [""; 0], "{code}: no visible member knows them");
    }
    for code in MEMBERS.1 {
        faults.set("user/get", once(*code));
        acting.enqueue(TaskKind::RefreshMember, "ann", None).await;
        acting.act(TaskKind::RefreshMember).await;
        assert_eq!(acting.left(TaskKind::RefreshMember).await, [""; 0], "{code}");
        let perhaps = "select wechat_userid from member where hinted_at is not null and left_at is null";
        assert_eq!(acting.app.db.texts(perhaps).await, ["ann"], "{code}: perhaps gone, perhaps not");

        let body = json!({ "staff_id": "S1", "wechat_userid": "ann" });
        let bind = async |code: i64| {
            faults.set("user/get", once(code));
            let answer = acting.app.ask("POST", "/api/enterprise-wechat/staff-bind", Some(body.clone())).await;
            (answer.status, answer.json()["code"].clone())
        };
        assert_eq!(bind(*code).await, (422, json!("member_unknown")));
        assert_eq!(bind(60011).await, (422, json!("wecom_refused")), "another refusal is no unknown member");
    }
    for code in NOTICES.1.iter().chain(MEMBERS.1) {
        faults.set("message/send", once(*code));
        let notice = json!({ "wechat_userid": "ann", "title": "新工单", "url": "https://wecomd.example.com/17" });
        acting.enqueue(TaskKind::NotifyStaff, &format!("work_order:{code}:assigned"), Some(notice.to_string())).await;
        acting.act(TaskKind::NotifyStaff).await;
    }
    let left = acting.left(TaskKind::NotifyStaff).await;
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|it| it.contains("assigned parked: ann cannot be reached")), "{left:?}");
    for code in MEDIA.1 {
        faults.set("media/get", once(*code));
        let payload = json!({ "contact_time": Utc::now() }).to_string();
        acting.enqueue(TaskKind::FetchMedia, "M1", Some(payload)).await;
        acting.act(TaskKind::FetchMedia).await;
        let left = acting.left(TaskKind::FetchMedia).await.concat();
        assert!(left.starts_with("M1 parked: gone at WeCom") && left.contains(&code.to_string()), "{left}");
    }
    acting.finish().await;
}

#[tokio::test]
async fn a_contact_way_missing_at_wecom_is_skipped_and_counts_as_deleted() {
    let (app, platform) = app_with_wecom().await;
    let serves = |world: &mut wecomd::sandbox::World| {
        world.members().find(|it| it.customer_contact).expect("somebody serves customers").userid.clone()
    };
    let body = json!({ "staff_id": "S1", "wechat_userid": platform.with(serves) });
    assert_eq!(app.ask("POST", "/api/enterprise-wechat/staff-bind", Some(body)).await.status, 201);
    for code in WAYS.1 {
        // The answer to the creation was lost, and the contact way in the list is gone when it is read.
        let lost = Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() };
        platform.faults().set("externalcontact/add_contact_way", lost);
        platform.faults().set("externalcontact/get_contact_way", once(*code));
        let wanted = json!({ "customer_id": "C-1", "staff_id": "S1" });
        let answer = app.ask("POST", "/api/enterprise-wechat/customer-contact", Some(wanted)).await;
        assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("wecom_unavailable")), "{}", answer.text());
        assert_eq!(calls(&platform, "externalcontact/get_contact_way"), 1, "{code}");
    }
    for code in WAYS.1 {
        let admin = &app.app.admin_half;
        app.db
            .execute("update contact_way set config_id = 'gone', qr_code = 'https://e', expires_at = now() - interval '1 second'")
            .await;
        platform.faults().set("externalcontact/del_contact_way", once(*code));
        let housekeeper = Housekeeper::new(admin.pool.clone(), admin.wecom.clone(), admin.rules.clone());
        housekeeper.round().await.expect("a round");
        assert_eq!(calls(&platform, "externalcontact/del_contact_way"), 1, "{code}");
        let kept = "select count(*) from contact_way where deleted_at is null";
        assert_eq!(app.db.count(kept).await, 0, "{code}: nobody asks again");
    }
    app.finish().await;
    platform.stop().await;
}

#[tokio::test]
async fn the_connection_test_explains_each_of_these_errcodes() {
    let (app, platform) = app_with_wecom().await;
    let check = async |name: &str, path: &str, code: i64| {
        platform.faults().clear();
        platform.faults().set(path, always(code));
        let answer = app.ask("POST", "/api/enterprise-wechat/test-connection", None).await.json();
        let checks = answer["checks"].as_array().cloned().unwrap_or_default();
        checks.into_iter().find(|it| it["check"] == name).unwrap_or(Value::Null)
    };
    let about = [
        (48002, "customer_contact", "externalcontact/get_follow_user_list", "not listed for customer contact"),
        (60020, "trusted_ip", "getcallbackip", "WeCom saw us come from 127.0.0.1"),
    ];
    assert_eq!(about.map(|it| it.0), CONNECTION.1);
    for (code, name, path, words) in about {
        let said = check(name, path, code).await;
        assert!(said["ok"] == false && said["en"].as_str().is_some_and(|it| it.contains(words)), "{code}: {said}");
        let other = check(name, path, 60031).await;
        assert!(other["ok"] == false && !other["en"].as_str().is_some_and(|it| it.contains(words)), "{other}");
    }
    app.finish().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_run_continues_without_a_missing_department_and_refused_members() {
    let scene = Scene::start(COMPANY).await;
    let faults = scene.platform.faults();
    for code in DEPARTMENTS.1 {
        faults.set("user/list", once(*code));
        scene.reconcile().await;
        assert_eq!(scene.held().await, scene.named(), "{code}");
    }
    let serving = scene.platform.with(|world| world.members().filter(|it| it.customer_contact).count());
    for code in ABOUT_MEMBERS {
        faults.set(PAGES, once(*code));
        let run = scene.reconcile().await;
        assert_eq!(scene.held().await, scene.named(), "{code}: the group is split and read in halves");
        assert!(!scene.drift(run).await.iter().any(|it| it.starts_with("member_refused")), "{code}");
    }
    for code in ABOUT_MEMBERS.iter().filter(|code| !CUSTOMERS.1.contains(code)) {
        faults.set(PAGES, always(*code));
        let run = scene.reconcile().await;
        let refused = format!("{PAGES}: {code} ");
        let told = scene.drift(run).await;
        let told = told.iter().filter(|it| it.starts_with("member_refused") && it.contains(&refused)).count();
        assert_eq!((told, scene.held().await), (serving, scene.named()), "{code}: no contact is ended");
    }
    // But this one says that a member has none.
    faults.set(PAGES, always(CUSTOMERS.1[0]));
    scene.reconcile().await;
    assert_eq!(scene.held().await.len(), 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_group_that_cannot_be_read_is_dissolved_or_none_of_ours() {
    let acting = Acting::start().await;
    for code in GROUPS {
        acting.platform.faults().set("externalcontact/groupchat/get", always(*code));
        acting.enqueue(TaskKind::RefreshGroup, &format!("wr{code}"), None).await;
        acting.act(TaskKind::RefreshGroup).await;
        assert_eq!(acting.left(TaskKind::RefreshGroup).await, [""; 0], "{code}");
    }
    let known = "select chat_id || (dismissed_at is not null)::text from group_chat";
    assert_eq!(acting.app.db.texts(known).await, ["wr49008true"], "only one code says something of the group");
    acting.finish().await;
}

#[tokio::test]
async fn an_expired_cursor_starts_its_list_again() {
    let scene = Scene::start(COMPANY).await;
    let faults = scene.platform.faults();
    for code in CURSORS {
        let mut run = scene.begin().await;
        until_phase(&scene, &mut run, "customers").await;
        scene.db.execute("update sync_shard set cursor = 'stale', began_at = now()").await;
        faults.set(PAGES, once(*code));
        steps(&mut run, 1).await;
        assert_eq!(scene.db.texts("select cursor || restarts from sync_shard").await, ["1"], "{code}");
        assert_eq!(to_the_end(&mut run).await, Over::Done, "{code}");
        assert_eq!(scene.held().await, scene.named(), "{code}");
    }
    for code in LEAVERS.1 {
        let mut run = scene.begin().await;
        until_phase(&scene, &mut run, "unassigned").await;
        scene.db.execute("update sync_run set cursor = 'stale' where state = 'running'").await;
        faults.set("externalcontact/get_unassigned_list", once(*code));
        steps(&mut run, 1).await;
        let stands = "select phase || cursor from sync_run where state = 'running'";
        assert_eq!(scene.db.texts(stands).await, ["unassigned"], "{code}");
        assert_eq!(to_the_end(&mut run).await, Over::Done, "{code}");
    }
    scene.finish().await;
}

/// Takes steps until a run has come to this phase.
async fn until_phase(scene: &Scene, run: &mut Run, phase: &str) {
    while scene.db.texts("select phase from sync_run where state = 'running'").await != [phase] {
        assert_eq!(run.step().await.expect("the database answers"), Step::Went);
    }
}

#[test]
fn every_code_that_a_source_handles_is_driven_by_a_test_here() {
    let mut driven: BTreeSet<_> =
        HANDLED.iter().flat_map(|(path, codes)| codes.iter().map(|it| (*path, *it))).collect();
    driven.extend(KINDS.iter().flat_map(|it| it.codes).map(|code| ("src/wecom/meaning.rs", *code)));
    driven.extend([Class::Transient, Class::Token].into_iter().flat_map(codes_of).map(|it| ("src/wecom/error.rs", it)));

    let sources = tidy::sources(&["src"]);
    // `permissions.rs` only lists codes for its readers.
    let calling = sources.iter().filter(|(path, _)| {
        tidy::may_call_wecom(path) && !path.contains("/tests/") && !path.ends_with("/permissions.rs")
    });
    let handled: BTreeSet<_> =
        calling.flat_map(|(path, source)| codes_in(source).into_iter().map(|code| (path.as_str(), code))).collect();
    let missing: Vec<_> = handled.difference(&driven).collect();
    assert!(missing.is_empty(), "handled in a way of their own, and driven by no test: {missing:?}");
    let stale: Vec<_> = driven.difference(&handled).collect();
    assert!(stale.is_empty(), "in a table above, but no source handles them: {stale:?}");
}

#[test]
fn errcodes_in_source_are_found_and_distinguished_from_other_numbers() {
    let source = r#"
        //! 40001 in a comment.
        const OVER: &[i64] = &[50100, 60_268, -1];
        const LIMIT: usize = 20_000;
        const LONG: i64 = 500;
        fn judge(error: &ApiError) { if error.is(41044) { say("42001", 12.25); } match code { 6000 | 301_007 => 1, _ => 0 } }
        #[cfg(test)]
        mod tests { const TRIED: i64 = 48002; }
    "#;
    assert_eq!(codes_in(source), [-1, 6000, 41044, 50100, 60268, 301_007].into());
}

/// The numbers in a source that can only be errcodes: what it says in a comment, a text, or its tests is none, nor is a
/// constant of a type that holds no code, nor a number as small as a count.
fn codes_in(source: &str) -> BTreeSet<i64> {
    let code = code_of(source.split("#[cfg(test)]").next().unwrap_or_default());
    let is_name = |it: char| it.is_alphanumeric() || it == '_' || it == '.';
    let mut found = BTreeSet::new();
    let mut at = 0;
    for word in code.split(|it: char| !is_name(it)) {
        let (begin, digits) = (at, word.replace('_', ""));
        at += word.len() + code[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        let Ok(number) = digits.parse::<i64>() else { continue };
        let number = if code[..begin].ends_with('-') { -number } else { number };
        let statement = code[..begin].rsplit([';', '{', '}']).next().unwrap_or_default();
        let constant = statement.split_once("const ").and_then(|(_, it)| it.split_once('='));
        let holds_codes = constant.is_none_or(|(declared, _)| declared.contains("i64"));
        if holds_codes && (number > 10_000 || [-1, 6000].contains(&number)) {
            found.insert(number);
        }
    }
    found
}
