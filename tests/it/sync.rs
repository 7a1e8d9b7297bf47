//! Reconciling: a run ends with the data that WeCom has, despite killed processes and errors.

use std::{net::Ipv4Addr, time::Duration};

use chrono::{TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::{
    sandbox::{AppKind, DropAt, Fault, Platform, Size, World},
    sync::{self, Over, Schedule, Step},
    tables::sync::sync_run::Which,
};

use crate::support::{
    Company, TestApp,
    daemon::program,
    folder::Folder,
    plaintext::contact,
    reconcile::{PAGES, Scene, steps, to_the_end},
    tables::{assert_same, tables},
    wait::until,
};

/// A company whose customers fill several pages of several groups of members.
const COMPANY: Size = Size { members: 160, customers: 900, departments: 4 };

/// Steps before the first page of customers: the departments, the members of each, the end of that, who serves.
const BEFORE_CUSTOMERS: usize = 1 + 5 + 1 + 1;

/// What a run may cost beyond the ideal: names of tags, and pages that are not full.
const EXTRA_CALLS: usize = 4;

#[tokio::test]
async fn a_full_run_stores_everything_and_a_second_one_finds_no_difference() {
    let scene = Scene::start(COMPANY).await;
    let run = scene.reconcile().await;

    let named = scene.named();
    assert!(named.len() > 900, "some customers know two members");
    assert_eq!(scene.held().await, named);
    let missing = format!("select count(*) from sync_drift where run_id = {run} and kind = 'missing_here'");
    assert_eq!(scene.db.count(&missing).await, i64::try_from(named.len()).expect("few"));
    let (members, one) = scene.platform.with(|world| {
        let one = world.members().next().expect("a member");
        (world.members().count(), (one.userid.clone(), one.name.clone()))
    });
    assert_eq!(scene.db.count("select count(*) from member").await, i64::try_from(members).expect("few"));
    let name = format!("select name from member where wechat_userid = '{}'", one.0);
    assert_eq!(scene.db.texts(&name).await, [one.1]);
    let dated =
        "select count(*) from customer_wechat_contact where status_at = first_contact_time and status_at < now()";
    assert_eq!(scene.db.count(dated).await, i64::try_from(named.len()).expect("few"));

    // The bulk reading names tags by id only.
    let (tagged, tag) = scene.platform.with(|world| {
        let tags: Vec<_> = world.tags().iter().map(|it| (it.id.clone(), it.name)).collect();
        let users: Vec<_> = world.members().map(|it| it.userid.clone()).collect();
        let contacts = users.iter().flat_map(|user| world.customers_of(user).into_iter().map(move |it| (user, it)));
        let mut tagged = contacts.filter_map(|(user, customer)| {
            let id = world.notes(user, &customer)?.tags.into_iter().next()?;
            Some((format!("{customer} of {user}"), tags.iter().find(|tag| tag.0 == id)?.1))
        });
        tagged.next().expect("many have tags")
    });
    let tags = format!(
        "select tags->>0 from customer_wechat_contact where external_userid || ' of ' || wechat_userid = '{tagged}'"
    );
    assert_eq!(scene.db.texts(&tags).await, [tag]);

    // One call for each hundred contacts, each department and its name, each hundred owners of groups, and each of the other
    // lists.
    let pages = scene.platform.calls_of(PAGES).len();
    assert!(pages <= named.len().div_ceil(100) + 2, "{pages} pages for {} contacts", named.len());
    let calls = scene.db.count(&format!("select calls from sync_run where id = {run}")).await;
    assert!(calls <= i64::try_from(pages + 2 * 5 + 2 + 3 + EXTRA_CALLS).expect("few"), "{calls} calls");

    // A run enqueues no further reading of people: the queue of tasks does not grow with the company. Of groups WeCom lists
    // ids only, so each becomes a task.
    assert_eq!(scene.db.count("select count(*) from task where kind <> 'refresh_group'").await, 0);
    assert_eq!(
        scene.db.count("select count(*) from task").await,
        scene.db.count("select count(*) from group_chat").await
    );
    scene.db.execute("delete from task").await;

    let before = tables(&scene.db.pool, &scene.corp.corpid.0).await;
    let again = scene.reconcile().await;
    scene.db.execute("delete from task").await;
    assert_eq!(scene.drift(again).await, [""; 0]);
    let known = |rows: Vec<String>| {
        // Each reading has its own time; everything else is as it was.
        let times = ["card_at", "name_at", "named_at", "parent_at", "department_at", "status_at", "directory_at"];
        let without = |row: String| match row.split_once(' ') {
            Some((
                table @ ("member" | "member_alias" | "customer_wechat_contact" | "department" | "group_chat"),
                json,
            )) => {
                let mut json: Value = serde_json::from_str(json).expect("a row");
                times.iter().for_each(|time| drop(json.as_object_mut().expect("a row").remove(*time)));
                format!("{table} {json}")
            }
            _ => row,
        };
        rows.into_iter().map(without).collect::<Vec<_>>()
    };
    assert_same(&known(tables(&scene.db.pool, &scene.corp.corpid.0).await), &known(before), "the second run");
    scene.finish().await;
}

#[tokio::test]
async fn an_interrupted_run_resumes_and_ends_with_the_same_result() {
    let scene = Scene::start(COMPANY).await;
    let mut moments = [0, 1, 3, 4, 2, 3].into_iter();
    let mut first = None;
    let mut run = loop {
        let mut run = scene.begin().await;
        assert_eq!(*first.get_or_insert(run.id()), run.id(), "it is the same run, resumed");
        let Some(moment) = moments.next() else { break run };
        steps(&mut run, moment).await;
        // A step that is interrupted anywhere stores nothing.
        let _ = tokio::time::timeout(Duration::from_millis(2), run.step()).await;
        drop(run);
        scene.leases_end().await;
    };
    assert_eq!(to_the_end(&mut run).await, Over::Done);

    let named = scene.named();
    assert_eq!(scene.held().await, named);
    let pages = scene.platform.calls_of(PAGES).len();
    assert!(pages <= named.len().div_ceil(100) + 2 + 6, "{pages} pages for {} contacts", named.len());
    let found = format!("select count(*) from sync_drift where run_id = {} and kind = 'missing_here'", run.id());
    assert_eq!(scene.db.count(&found).await, i64::try_from(named.len()).expect("few"), "each is reported once");
    assert_eq!(scene.db.count("select count(*) from sync_shard").await, 0);
    scene.finish().await;
}

#[tokio::test]
async fn a_callback_that_comes_during_a_run_wins() {
    let scene = Scene::start(COMPANY).await;
    let (user, customer) = scene.somebody(0);
    let (other, theirs) = scene.somebody(1);
    let now = Utc::now().timestamp();
    let mut run = scene.begin().await;
    steps(&mut run, BEFORE_CUSTOMERS).await;
    // One contact ends before its page is read, and one is made that no page names.
    scene
        .record(&[
            contact(now, "del_external_contact", user.as_str(), customer.as_str(), &[]),
            contact(now, "add_external_contact", user.as_str(), "wmNewAtThisMoment00000000000001", &[]),
        ])
        .await;
    steps(&mut run, 4).await;
    scene.record(&[contact(now, "del_follow_user", other.as_str(), theirs.as_str(), &[])]).await;
    assert_eq!(to_the_end(&mut run).await, Over::Done);

    let status = async |user: &str, customer: &str| {
        let one = format!(
            "select status from customer_wechat_contact where wechat_userid = '{user}' and external_userid = '{customer}'"
        );
        scene.db.texts(&one).await.concat()
    };
    assert_eq!(status(user.as_str(), customer.as_str()).await, "deleted_by_member");
    assert_eq!(status(user.as_str(), "wmNewAtThisMoment00000000000001").await, "contacted");
    assert_eq!(status(other.as_str(), theirs.as_str()).await, "lost");
    assert_eq!(scene.db.count("select count(*) from customer_wechat_contact where status = 'gone'").await, 0);
    scene.finish().await;
}

#[tokio::test]
async fn an_expired_cursor_restarts_only_its_own_group_of_members() {
    let scene = Scene::start(COMPANY).await;
    for errcode in [50100, 60268] {
        let mut run = scene.begin().await;
        steps(&mut run, BEFORE_CUSTOMERS + 2).await;
        scene.platform.faults().set(PAGES, Fault { errcode: Some(errcode), times: Some(1), ..Fault::default() });
        assert_eq!(to_the_end(&mut run).await, Over::Done);
        assert_eq!(scene.held().await, scene.named(), "{errcode}");
    }
    assert_eq!(scene.db.count("select count(*) from customer_wechat_contact where status = 'gone'").await, 0);

    // A group that never comes to its end is given up with a reason, and can be taken up again.
    let mut run = scene.begin().await;
    steps(&mut run, BEFORE_CUSTOMERS + 1).await;
    let over = loop {
        scene.platform.faults().clear();
        match run.step().await.expect("the database answers") {
            Step::Over(over) => break over,
            step => assert_eq!(step, Step::Went),
        }
        scene.platform.faults().set(PAGES, Fault { errcode: Some(50100), ..Fault::default() });
        if let Step::Over(over) = run.step().await.expect("the database answers") {
            break over;
        }
    };
    assert_eq!(over, Over::Failed);
    let reason = scene.db.texts("select reason from sync_run where state = 'failed'").await.concat();
    assert!(reason.starts_with("WeCom refused externalcontact/batch/get_by_user: 50100"), "{reason}");
    scene.platform.faults().clear();
    let failed = run.id();
    assert_eq!(scene.reconcile().await, failed, "it is resumed");
    scene.finish().await;
}

#[tokio::test]
async fn a_run_waits_out_transient_errors_and_fails_with_the_reason_of_a_refusal() {
    let scene = Scene::start(COMPANY).await;
    let faults = scene.platform.faults();
    let mut run = scene.begin().await;
    let once = |errcode| Fault { errcode, times: Some(1), ..Fault::default() };
    faults.set("department/simplelist", once(Some(-1)));
    let waits = run.step().await.expect("the database answers");
    assert!(matches!(waits, Step::Waits(pause) if pause <= Duration::from_secs(1)), "{waits:?}");
    let trouble = scene.db.texts("select trouble from sync_run").await.concat();
    assert!(trouble.starts_with("department/simplelist: -1"), "{trouble}");
    steps(&mut run, 1).await;
    assert_eq!(scene.db.count("select count(*) from sync_run where trouble is not null").await, 0);

    // A connection that broke: nothing was changed there, so it is asked again.
    steps(&mut run, BEFORE_CUSTOMERS - 1).await;
    faults.set(PAGES, Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() });
    assert!(matches!(run.step().await.expect("the database answers"), Step::Waits(_)));
    steps(&mut run, 1).await;

    // Throttled: the run waits as long as WeCom asks, and makes no call meanwhile.
    faults.set(PAGES, once(Some(45009)));
    for _ in 0..2 {
        let waits = run.step().await.expect("the database answers");
        assert!(matches!(waits, Step::Waits(pause) if pause > Duration::from_secs(50)), "{waits:?}");
    }
    assert_eq!(scene.platform.calls_of(PAGES).iter().filter(|it| it.errcode == 45009).count(), 1);
    drop(run);
    let scene = scene.in_another_process().await;
    let mut run = scene.sync.take(Which::Any).await.expect("looked").expect("no worker has claimed it");

    faults.set("externalcontact/get_unassigned_list", once(Some(60020)));
    assert_eq!(to_the_end(&mut run).await, Over::Failed);
    let reason = scene.db.texts("select reason from sync_run").await.concat();
    assert!(reason.starts_with("WeCom refused externalcontact/get_unassigned_list: 60020"), "{reason}");
    let pages = scene.platform.calls_of(PAGES).len();
    assert_eq!(scene.reconcile().await, run.id(), "it is resumed");
    assert_eq!(scene.platform.calls_of(PAGES).len(), pages, "no page is read twice");
    assert_eq!(scene.held().await, scene.named());
    scene.finish().await;
}

#[tokio::test]
async fn one_worker_holds_a_run_and_a_run_of_a_dead_worker_is_taken_over() {
    let scene = Scene::start(COMPANY).await;
    let mut one = scene.begin().await;
    assert!(scene.sync.take(Which::Any).await.expect("looked").is_none(), "a worker has claimed it");
    let mut conn = scene.db.pool.acquire().await.expect("connects");
    let asked = sync::ask(&mut conn, &scene.corp.corpid).await.expect("asked");
    drop(conn);
    assert_eq!(asked, sync::Asked::Running(one.id()));
    steps(&mut one, BEFORE_CUSTOMERS + 1).await;
    let lease = "select count(*) from sync_run where leased_until > now() + interval '50 seconds'";
    assert_eq!(scene.db.count(lease).await, 1, "each step extends the lease");

    scene.leases_end().await;
    let mut other = scene.sync.take(Which::Any).await.expect("looked").expect("the first seems dead");
    assert_eq!(other.id(), one.id());
    assert_eq!(one.step().await.expect("the database answers"), Step::Over(Over::Lost), "it was a false alarm");
    assert_eq!(to_the_end(&mut other).await, Over::Done);
    assert_eq!(scene.held().await, scene.named());
    scene.finish().await;
}

#[tokio::test]
async fn a_run_starts_once_per_scheduled_time_and_only_for_corps_that_can_call() {
    let scene = Scene::start(COMPANY).await;
    scene
        .db
        .execute("insert into enterprise_wechat_config (name, corpid, token, encoding_aes_key) values ('mute', 'ww2', '', '')")
        .await;
    let schedule = Schedule { every_hours: 24, at_hour: 3 };
    let mut conn = scene.db.pool.acquire().await.expect("connects");
    let turn = sync::last_turn(schedule, Utc::now()).expect("a turn");
    let due = async |conn: &mut sqlx::PgConnection, days| {
        sync::begin_due(conn, schedule, turn + TimeDelta::days(days)).await.expect("begun")
    };
    assert_eq!(due(&mut conn, 0).await, 0, "the app was added after the last scheduled time");
    assert_eq!(due(&mut conn, 1).await, 1, "the next turn is the first");
    assert_eq!(due(&mut conn, 2).await, 0, "one is running");
    scene.db.execute("update sync_run set state = 'done', started_at = scheduled_for").await;
    assert_eq!(due(&mut conn, 1).await, 0, "this scheduled time had its run");
    assert_eq!(due(&mut conn, 2).await, 1);
    let never = Schedule { every_hours: 0, at_hour: 3 };
    scene.db.execute("delete from sync_run").await;
    assert_eq!(sync::begin_due(&mut conn, never, turn + TimeDelta::days(9)).await.expect("looked"), 0);
    drop(conn);
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_begins_a_run_reads_its_report_page_by_page_and_cancels_another() {
    const BASE: &str = "/api/enterprise-wechat/sync";
    let corp = wecomd::sandbox::Corp::from_seed(1);
    let world = World::of(&corp, COMPANY, 1);
    let platform = Platform::start(world, (Ipv4Addr::LOCALHOST, 0).into()).await.expect("a port");
    let app = TestApp::start_with(|config| config.wecom.base_url = platform.base_url()).await;
    let secret = platform.with(|world| world.app(AppKind::App).expect("an app").secret().to_owned());
    let saved = json!({ "name": "service", "secret": secret });
    assert_eq!(app.ask("POST", "/api/enterprise-wechat/config", Some(saved)).await.status, 200);

    let begun = app.ask("POST", BASE, None).await;
    assert_eq!((begun.status, &begun.json()["asked"]), (202, &json!("begun")));
    let run = format!("{BASE}/{}", begun.json()["id"]);
    let state = async || app.ask("GET", &run, None).await.json()["state"].clone();
    until("the run is done", async || state().await == "done").await;
    let report = app.ask("GET", &format!("{run}?kind=missing_here&limit=200"), None).await.json();
    let all = report["drift_counts"]["missing_here"].as_u64().expect("many");
    let mut met = report["drift"]["items"].as_array().expect("lines").len();
    let mut next = report["drift"]["next_cursor"].clone();
    while let Some(cursor) = next.as_str() {
        let page = app.ask("GET", &format!("{run}?kind=missing_here&limit=200&cursor={cursor}"), None).await.json();
        met += page["drift"]["items"].as_array().expect("lines").len();
        next = page["drift"]["next_cursor"].clone();
    }
    assert_eq!(u64::try_from(met).expect("few"), all);
    assert_eq!(app.ask("GET", &format!("{run}?kind=lost"), None).await.status, 400);
    assert_eq!(app.ask("GET", &format!("{BASE}/999"), None).await.json()["code"], "sync_unknown");

    // Nothing comes from WeCom any more, so the next one waits, and is cancelled.
    platform.faults().set("department/simplelist", Fault { errcode: Some(-1), ..Fault::default() });
    let other = format!("{BASE}/{}", app.ask("POST", BASE, Some(json!({}))).await.json()["id"]);
    assert_eq!(app.ask("POST", BASE, None).await.json()["asked"], "running");
    assert_eq!(app.ask("POST", &format!("{other}/cancel"), None).await.json()["state"], "cancelled");
    assert_eq!(
        app.ask("POST", &format!("{run}/cancel"), None).await.json()["state"],
        "done",
        "a finished run stays finished"
    );
    let listed = app.ask("GET", BASE, None).await.json();
    let states: Vec<_> = listed["items"].as_array().expect("runs").iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["cancelled", "done"]);
    app.finish().await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_reconciles_and_reports_and_says_what_stopped_it() {
    let Company { vault, key, .. } = Company::new();
    let scene = Scene::start_with(Size { members: 20, customers: 60, departments: 3 }, vault).await;
    let folder = Folder::new("sync");
    let command = async |arguments: &'static [&'static str]| {
        let mut command = tokio::process::Command::from(program(folder.path()));
        command.args(arguments).env("WECOMD_MASTER_KEY", &key).env("DATABASE_URL", scene.db.url.expose_secret());
        command.env("WECOMD_WECOM__BASE_URL", scene.platform.base_url());
        let ran = command.output().await.expect("wecomd runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (ran.status.success(), text(ran.stdout), text(ran.stderr))
    };
    scene.platform.faults().set(
        "externalcontact/get_follow_user_list",
        Fault { errcode: Some(60020), times: Some(1), ..Fault::default() },
    );
    let (well, said, _) = command(&["sync"]).await;
    assert!(!well && said.contains("WeCom refused externalcontact/get_follow_user_list: 60020"), "{said}");
    let (well, said, complained) = command(&["sync", "--json"]).await;
    let report: Value = serde_json::from_str(&said).expect(&complained);
    assert!(well && report["run"]["state"] == "done" && report["run"]["id"] == 1, "{report}");
    assert_eq!(scene.held().await, scene.named());
    let (well, said, _) = command(&["sync", "--corp", "wwnobody"]).await;
    assert!(!well && said.is_empty());
    scene.finish().await;
}
