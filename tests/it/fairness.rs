//! Ten corps, of which WeCom does not serve nine: the tenth is reconciled, its tasks are done, its handover continues.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};
use wecomd::{
    changes::TaskKind,
    ids::{CorpId, ExternalUserId, UserId},
    sandbox::AppKind,
    sync::{Over, SLICE},
    tables::{
        sync::sync_run::Which,
        task::{self, CorpRoom, Room},
    },
    tasks::{self, Settings},
};

use crate::support::{
    Acting, TestDb,
    acting::context,
    crowd::{Crowd, Ends, STUCK},
    reconcile::Scene,
    wait::until,
};

/// The time limit of a call here: an unanswered call occupies a worker for so long.
const TIMEOUT_MS: u64 = 500;

/// Tasks of each stuck corp, all due before those of the tenth.
const BACKLOG: usize = 200;

/// Worker pools as large as they are by default.
const WORKER_POOLS: Settings =
    Settings { welcome: 8, notify_staff: 2, refresh: 4, fetch_media: 2, handover: 2, kf: 4, archive: 0 };

/// A tenth corp that is served, and nine that are not.
struct Ten {
    acting: Acting,
    crowd: Crowd,
    stuck: Vec<String>,
    stop: watch::Sender<bool>,
    executors: Vec<JoinHandle<()>>,
}

impl Ten {
    async fn start(ends: Ends, sync: bool) -> Self {
        let crowd = Crowd::start(ends).await;
        let acting = Acting::start_with(|config| {
            config.wecom.base_url.clone_from(&crowd.base_url);
            config.wecom.timeout_ms = TIMEOUT_MS;
            config.sync.enabled = sync;
        })
        .await;
        crowd.lead_to(acting.platform.address());
        let stuck = crowd.enlist(&acting.app.db.pool, &acting.app.app.admin_half.vault).await;
        Self { acting, crowd, stuck, stop: watch::Sender::new(false), executors: Vec::new() }
    }

    /// Gives each stuck corp so many tasks of a kind, due for an hour.
    async fn pile_up(&self, kind: TaskKind, tasks: usize) {
        for corpid in &self.stuck {
            let pile = format!(
                "insert into task (corpid, kind, subject, app_id, due_at, version)
                 select '{corpid}', '{}', 'wmSTUCK' || n, (select id from enterprise_wechat_config
                     where corpid = '{corpid}'), now() - interval '1 hour', 1
                 from generate_series(1, {tasks}) n",
                kind.as_str(),
            );
            self.acting.app.db.execute(&pile).await;
        }
    }

    /// Starts executors on the queue.
    fn work(&mut self) {
        let options = self.acting.app.db.options();
        self.executors = tasks::start(&context(&self.acting.app), &WORKER_POOLS, &options, &self.stop.subscribe());
    }

    async fn finish(self) {
        self.stop.send_replace(true);
        for executor in self.executors {
            executor.await.expect("it ends");
        }
        self.acting.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_unserved_corps_do_not_delay_the_tasks_of_the_tenth() {
    for ends in [Ends::Silent, Ends::Busy, Ends::Limited] {
        let mut ten = Ten::start(ends, false).await;
        let customers: Vec<_> = (0..20).map(|n| format!("wmSERVED{n}")).collect();
        let names: Vec<_> = customers.iter().map(String::as_str).collect();
        ten.acting.member("ann", "安", &names);
        ten.pile_up(TaskKind::RefreshContact, BACKLOG).await;
        for customer in &customers {
            ten.acting.enqueue(TaskKind::RefreshContact, customer, None).await;
        }
        ten.work();
        let db = &ten.acting.app.db;
        let left = "select count(*) from task where subject like 'wmSERVED%'";
        until("the tenth corp's tasks are done", async || db.count(left).await == 0).await;
        // The other corps' tasks wait in the queue unclaimed: few of their attempts were used.
        let tried = "select count(*) from task where attempts > 0";
        let (tried, all) = (db.count(tried).await, i64::try_from(STUCK * BACKLOG).expect("small"));
        assert!(tried < all / 10, "{ends:?}: {tried} of {all} were tried");
        assert_eq!(db.count("select count(*) from task where parked_at is not null").await, 0, "{ends:?}");
        ten.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_corps_with_unanswered_greetings_do_not_delay_greetings_of_the_tenth() {
    let mut ten = Ten::start(Ends::Silent, false).await;
    ten.acting.member("ann", "安", &[]);
    let app = ten.acting.app.corp.app(AppKind::App).expect("an app").name.clone();
    let words = json!({ "name": app, "welcome_message": "您好" });
    assert_eq!(ten.acting.app.ask("POST", "/api/enterprise-wechat/config", Some(words)).await.status, 200);
    let (ann, alice) = (UserId::from("ann"), ExternalUserId::from("wmSERVED0"));
    ten.acting.platform.add(&ann, &alice).await.expect("added");
    ten.acting.platform.pushed().await;
    ten.acting.app.drain().await;
    // The other corps' greetings have nearer deadlines, and there are more of them than the pool can try meanwhile.
    ten.pile_up(TaskKind::Welcome, BACKLOG).await;
    let wishes = "update task set deadline = now() + interval '15 s', payload = json_build_object(
        'external_userid', subject, 'wechat_userid', 'ann') where subject like 'wmSTUCK%'";
    ten.acting.app.db.execute(wishes).await;
    ten.work();
    let db = &ten.acting.app.db;
    let sent = "select count(*) from welcome where external_userid = 'wmSERVED0' and outcome = 'sent'";
    until("the tenth corp's customer is greeted", async || db.count(sent).await == 1).await;
    let soon = "select count(*) from welcome where sent_at < received_at + interval '8 s'";
    assert_eq!(db.count(soon).await, 1, "before the other corps' calls time out");
    ten.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_unserved_handovers_do_not_delay_the_tenth() {
    let mut ten = Ten::start(Ends::Silent, false).await;
    let acting = &ten.acting;
    acting.successor("bob").await;
    let id = acting.leaver("ann", &[ExternalUserId::from("wmSERVED0")]).await;
    acting.plan(id, "bob").await;
    acting.let_go(id).await;
    // The stuck corps have the same handovers, several each, and they are due first.
    for corpid in &ten.stuck {
        let copies = format!(
            "with contacts as (
                insert into customer_wechat_contact (corpid, external_userid, wechat_userid, status, status_at)
                select '{corpid}', 'wmSTUCK' || n, 'ann' || n, 'contacted', now() from generate_series(1, 5) n
            ), handovers as (
                insert into handover (corpid, wechat_userid, staff_id, state, cause, submitted_at, submitted_by)
                select '{corpid}', 'ann' || n, staff_id, state, cause, submitted_at, submitted_by
                from handover cross join generate_series(1, 5) n where id = {id}
                returning id, wechat_userid
            ), items as (
                insert into handover_item (handover_id, kind, subject, state, successor_userid, successor_staff_id)
                select handovers.id, kind, replace(handovers.wechat_userid, 'ann', 'wmSTUCK'), item.state,
                    successor_userid, successor_staff_id
                from handovers cross join handover_item item where handover_id = {id}
            )
            insert into task (corpid, kind, subject, app_id, due_at, version)
            select '{corpid}', 'handover', id::text, 1, now() - interval '1 hour', 1 from handovers"
        );
        acting.app.db.execute(&copies).await;
    }
    acting.enqueue(TaskKind::Handover, &id.to_string(), None).await;
    ten.work();
    let db = &ten.acting.app.db;
    let item = format!("select state from handover_item where handover_id = {id}");
    until("WeCom has taken on the tenth corp's customer", async || db.texts(&item).await == ["waiting"]).await;
    // The stuck runs were really tried: WeCom was asked for them.
    assert!(!ten.crowd.calls().is_empty());
    ten.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_runs_waiting_for_wecom_do_not_delay_the_tenth() {
    for ends in [Ends::Silent, Ends::Busy, Ends::Limited] {
        let ten = Ten::start(ends, true).await;
        let (app, db) = (&ten.acting.app, &ten.acting.app.db);
        ten.acting.member("ann", "安", &["wmSERVED0"]);
        for corpid in &ten.stuck {
            db.execute(&format!("insert into sync_run (corpid) values ('{corpid}')")).await;
        }
        until("the first of them wait", async || {
            db.count("select count(*) from sync_run where trouble is not null").await >= 4
        })
        .await;
        let asked = json!({ "corpid": app.corp.corpid });
        let begun = app.ask("POST", "/api/enterprise-wechat/sync", Some(asked)).await.json();
        let state = format!("select state from sync_run where id = {}", begun["id"]);
        until("the tenth corp is reconciled", async || db.texts(&state).await == ["done"]).await;
        let held = "select external_userid from customer_wechat_contact where status = 'contacted'";
        assert_eq!(db.texts(held).await, ["wmSERVED0"], "{ends:?}");
        // A waiting run is held by no worker, and its row says why and until when it waits.
        until("every other run waits", async || {
            let waits = "select count(*) from sync_run where state = 'running' and trouble is not null and troubles > 0
                and due_at > started_at";
            db.count(waits).await == i64::try_from(STUCK).expect("small")
        })
        .await;
        until("none of them is claimed", async || {
            db.count("select count(*) from sync_run where holder is not null").await <= 4
        })
        .await;
        ten.finish().await;
    }
}

#[tokio::test]
async fn a_postponed_run_is_held_by_no_worker_and_taken_when_due() {
    let scene = Scene::start(wecomd::sandbox::Size { members: 3, customers: 5, departments: 1 }).await;
    let busy = wecomd::sandbox::Fault { errcode: Some(-1), ..wecomd::sandbox::Fault::default() };
    scene.platform.faults().set("department/simplelist", busy);
    let run = scene.begin().await;
    let id = run.id();
    assert_eq!(run.drive(SLICE, std::future::pending(), |_| ()).await, Over::PutDown);
    let row = "select troubles || ' ' || (due_at > now())::text || ' ' || (holder is null)::text from sync_run";
    assert_eq!(scene.db.texts(row).await, ["1 true true"]);
    assert!(scene.sync.take(Which::One(id)).await.expect("looked").is_none(), "it is not due");

    scene.db.execute("update sync_run set due_at = now()").await;
    assert!(scene.sync.take(Which::Untroubled).await.expect("looked").is_none(), "others come first");
    let run = scene.sync.take(Which::Any).await.expect("looked").expect("it is due");
    assert_eq!(run.drive(SLICE, std::future::pending(), |_| ()).await, Over::PutDown);
    assert_eq!(scene.db.texts(row).await, ["2 true true"], "the pauses grow whichever worker claims it");

    scene.platform.faults().clear();
    scene.db.execute("update sync_run set due_at = now()").await;
    let run = scene.sync.take(Which::Any).await.expect("looked").expect("it is due");
    assert_eq!(run.drive(SLICE, std::future::pending(), |_| ()).await, Over::Done);
    scene.finish().await;
}

#[tokio::test]
async fn long_runs_of_several_corps_alternate() {
    let scene = Scene::start(wecomd::sandbox::Size { members: 3, customers: 5, departments: 1 }).await;
    let long = scene.begin().await;
    let id = long.id();
    scene.db.execute("insert into sync_run (corpid) values ('ww-other')").await;
    assert_eq!(long.drive(Duration::ZERO, std::future::pending(), |_| ()).await, Over::PutDown);
    let other = scene.sync.take(Which::Any).await.expect("looked").expect("one is due");
    assert_ne!(other.id(), id, "the one that waited longest comes first");
    let long = scene.sync.take(Which::Any).await.expect("looked").expect("the other is due");
    assert_eq!(long.id(), id);
    assert_eq!(long.drive(SLICE, std::future::pending(), |_| ()).await, Over::Done, "it goes on where it was");
    scene.finish().await;
}

#[tokio::test]
async fn a_worker_pool_is_shared_by_corps_and_idle_corps_come_first() {
    const KIND: TaskKind = TaskKind::RefreshContact;
    let db = TestDb::new().await;
    let vault = Arc::new(wecomd::vault::Vault::random());
    let crowd = Crowd::start(Ends::Busy).await;
    crowd.enlist(&db.pool, &vault).await;
    let pile = "insert into task (corpid, kind, subject, app_id, due_at, version)
        select 'ww' || corp, 'refresh_contact', 'wm' || n, 1, now() - make_interval(secs => 100 - corp), 1
        from generate_series(1, 3) corp cross join generate_series(1, 100) n";
    db.execute(pile).await;
    let mut conn = db.pool.acquire().await.expect("connects");
    let mut take = async |room: Room| {
        let taken = task::claim(&mut conn, KIND, &room, Duration::from_secs(60)).await.expect("claimed");
        let mut corps = BTreeMap::<String, usize>::new();
        taken.into_iter().for_each(|it| *corps.entry(it.corpid.0).or_default() += 1);
        corps.into_iter().map(|(corp, tasks)| format!("{corp} {tasks}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(take(Room::of(7)).await, "ww1 3, ww2 2, ww3 2", "the runs alternate");
    let corp = |corpid: &str, held, room| CorpRoom { corpid: CorpId::from(corpid), held, room };
    let room = Room { limit: 4, reserve: 0, corps: vec![corp("ww1", 6, 9), corp("ww2", 5, 1)] };
    assert_eq!(take(room).await, "ww3 4", "the corp with fewer running tasks comes first");
    let room = Room { limit: 4, reserve: 0, corps: vec![corp("ww1", 0, 0), corp("ww3", 0, 1)] };
    assert_eq!(take(room).await, "ww2 3, ww3 1", "at most the share of one corp");
    let room = Room { limit: 4, reserve: 2, corps: vec![corp("ww1", 1, 4), corp("ww2", 1, 4), corp("ww3", 1, 4)] };
    assert_eq!(take(room).await, "ww1 1, ww2 1", "some workers stay free for corps without a running task");
    db.execute("update enterprise_wechat_config set corpid = 'ww1'").await;
    let room = Room { limit: 4, reserve: 2, corps: vec![corp("ww1", 1, 4)] };
    assert_eq!(take(room).await, "ww1 1, ww2 2, ww3 1", "which do not exist if only one corp has apps");
    drop(conn);
    db.close().await;
}
