//! While the database is away: callbacks go to the spool, are answered, and are stored once when it is back.

use std::{
    fs,
    time::{Duration, Instant},
};

use wecomd::{
    config::Config,
    embedded::{Durability, Embedded},
    sandbox::{AppKind, Push},
    spool::{Holding, Reader, folder_views},
    tables::MIGRATOR,
};

use crate::support::{
    Company, Daemon, TestApp, TestDb,
    daemon::{Hung, signal},
    database::texts,
    folder::Folder,
    http::{Answer, request},
    link::Link,
    plaintext::{contact, event},
    wait::until,
};

/// A moment in the past.
const AT: i64 = 1_700_000_000;

/// Another callback need not wait longer than this for the spool, whatever the database does.
const AT_ONCE: Duration = Duration::from_millis(1_200);

const STORED: &str = "select count(*) from inbox";
const RECORDED: &str = "select count(*) from customer_wechat_contact";

fn met(customer: &str) -> Push {
    Push::genuine(AppKind::App, contact(AT, "add_external_contact", "zhangsan", customer, &[]))
}

/// Lets an app have a spool in this folder.
fn in_folder(folder: &Folder) -> impl Fn(&mut Config) {
    let location = folder.path().join("spool").to_str().expect("a text").to_owned();
    move |config| (config.spool.enabled, config.spool.location) = (true, location.clone())
}

async fn readyz(app: &TestApp) -> Answer {
    request(app.app.admin, "GET", "/readyz", &[], b"").await.expect("an answer")
}

/// How many segments of the spool there are of this kind.
fn segments(folder: &Folder, holding: Holding) -> usize {
    let folders = folder_views(&folder.path().join("spool")).expect("listed");
    folders.iter().flat_map(|it| &it.segments).filter(|it| it.holding == holding).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_callbacks_are_answered_and_later_stored_once() {
    let (db, folder) = (TestDb::new().await, Folder::new("away"));
    let link = Link::to(&db).await;
    let enable = in_folder(&folder);
    let app = TestApp::start_at(db, &link.url, |it| {
        enable(it);
        it.worker.enabled = true;
    })
    .await;
    assert_eq!(app.post(&met("wmBefore")).await.expect("an answer").status, 200);
    assert_eq!(readyz(&app).await.json()["status"], "ready");

    link.cut();
    for round in 0..3 {
        for customer in ["wmBefore", "wmOne", "wmTwo", "wmThree"] {
            let began = Instant::now();
            let answer = app.post(&met(customer)).await.expect("an answer");
            assert_eq!(answer.status, 200, "{customer} in round {round}");
            assert!(began.elapsed() < AT_ONCE, "a lost connection is noticed at once: {:?}", began.elapsed());
        }
    }
    assert_eq!(app.db.count(STORED).await, 1, "nothing else reached the database");
    let ready = readyz(&app).await;
    assert_eq!(
        (ready.status, &ready.json()["status"], &ready.json()["spool"]["state"]),
        (200, &"spooling".into(), &"ok".into())
    );
    assert!(ready.json()["spool"]["bytes"].as_u64() > Some(0), "{}", ready.text());
    assert_eq!(segments(&folder, Holding::Waiting), 1);

    let mended_at = app.db.texts("select clock_timestamp()::text").await.remove(0);
    link.mend();
    until("all of it is stored", async || app.db.count(STORED).await == 4).await;
    let arrived = format!("{STORED} where received_at < '{mended_at}'");
    assert_eq!(app.db.count(&arrived).await, 4, "the time of arrival is kept");
    until("all of it is recorded", async || app.db.count(RECORDED).await == 4).await;
    until("the segment is gone", async || segments(&folder, Holding::Waiting) == 0).await;
    until("callbacks go to the database again", async || readyz(&app).await.json()["status"] == "ready").await;
    assert_eq!(app.post(&met("wmAfter")).await.expect("an answer").status, 200);
    assert_eq!(app.db.count(STORED).await, 5, "directly");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_closes_connections() {
    let (db, folder) = (TestDb::new().await, Folder::new("full"));
    let link = Link::to(&db).await;
    let enable = in_folder(&folder);
    let app = TestApp::start_at(db, &link.url, |it| {
        enable(it);
        it.spool.bytes_max = 1 << 20;
    })
    .await;
    assert_eq!(app.post(&met("wmBefore")).await.expect("an answer").status, 200);

    link.cut();
    let long = |number: usize| {
        Push::genuine(AppKind::App, event(AT, "long", &[("N", &format!("{number}{}", "x".repeat(90_000)))]))
    };
    let mut taken = 0;
    while app.post(&long(taken)).await.is_some_and(|it| it.status == 200) {
        taken += 1;
        assert!(taken < 20, "a megabyte holds no more");
    }
    assert!(taken >= 6, "{taken} were taken");
    assert!(app.post(&long(taken)).await.is_none(), "the connection is closed, so WeCom repeats it");
    let ready = readyz(&app).await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &"not ready".into()));
    let said = ready.json()["spool"]["state"].as_str().expect("a text").to_owned();
    assert!(said.starts_with("the spool is full: "), "{said}");

    link.mend();
    let stored = i64::try_from(taken).expect("small") + 1;
    until("what was answered is stored", async || app.db.count(STORED).await == stored).await;
    until("it is ready", async || readyz(&app).await.json()["status"] == "ready").await;
    assert_eq!(app.post(&long(taken)).await.expect("WeCom's repeat").status, 200);
    assert_eq!(app.db.count(STORED).await, stored + 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spooled_callbacks_of_an_app_that_the_database_does_not_have_are_kept_as_refused() {
    let (db, folder) = (TestDb::new().await, Folder::new("refused"));
    let link = Link::to(&db).await;
    let app = TestApp::start_at(db, &link.url, in_folder(&folder)).await;
    assert_eq!(app.post(&met("wmBefore")).await.expect("an answer").status, 200);
    link.cut();
    assert_eq!(app.post(&met("wmStrange")).await.expect("an answer").status, 200);
    let directory = Push::genuine(AppKind::Directory, event(AT, "other", &[]));
    assert_eq!(app.post(&directory).await.expect("an answer").status, 200);
    let name = &app.corp.app(AppKind::App).expect("an app").name;
    // As if another backup had been restored.
    app.db.execute(&format!("update enterprise_wechat_config set name = 'another' where name = '{name}'")).await;

    link.mend();
    until("the other app's is stored", async || app.db.count(STORED).await == 2).await;
    until("nothing waits", async || segments(&folder, Holding::Waiting) == 0).await;
    assert_eq!(segments(&folder, Holding::Refused), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spooled_callbacks_of_an_app_that_was_disabled_meanwhile_are_kept_as_refused() {
    let (db, folder) = (TestDb::new().await, Folder::new("disabled"));
    let link = Link::to(&db).await;
    let app = TestApp::start_at(db, &link.url, in_folder(&folder)).await;
    link.cut();
    assert_eq!(app.post(&met("wmDuring")).await.expect("an answer").status, 200);
    app.db.execute("update enterprise_wechat_config set status = 'disabled'").await;
    link.mend();
    until("nothing waits", async || segments(&folder, Holding::Waiting) == 0).await;
    assert_eq!((segments(&folder, Holding::Refused), app.db.count(STORED).await), (1, 0));
    app.finish().await;
}

/// A database that answers and has no room. It counts what it was asked to store.
const NO_ROOM: &str = "create sequence asked;
    create function refuse() returns trigger language plpgsql as $$ begin
        perform nextval('asked');
        raise exception 'no room' using errcode = 'disk_full';
    end $$;
    create trigger refuse before insert on inbox for each row execute function refuse();";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_room_leaves_few_segments_and_nothing_is_refused_twice() {
    let (db, folder) = (TestDb::new().await, Folder::new("room"));
    let url = db.url.clone();
    let app = TestApp::start_at(db, &url, in_folder(&folder)).await;
    let name = &app.corp.app(AppKind::App).expect("an app").name;
    app.db.execute(NO_ROOM).await;
    let directory = |number: usize| Push::genuine(AppKind::Directory, event(AT, &format!("other{number}"), &[]));
    let strange = met("wmStrange");
    for round in 0..6 {
        let asked = app.db.count("select last_value from asked").await;
        assert_eq!(app.post(&directory(round)).await.expect("an answer").status, 200);
        if round == 0 {
            assert_eq!(app.post(&strange).await.expect("an answer").status, 200);
            app.db.execute(&format!("update enterprise_wechat_config set name = 'z' where name = '{name}'")).await;
        }
        let tried = async || app.db.count("select last_value from asked").await > asked;
        until("the drainer has tried again", tried).await;
        assert!(segments(&folder, Holding::Waiting) <= 2, "round {round}");
        assert_eq!(segments(&folder, Holding::Refused), 0, "not before all others are stored");
    }
    app.db.execute("drop trigger refuse on inbox").await;
    until("the others are stored", async || app.db.count(STORED).await == 6).await;
    until("nothing waits", async || segments(&folder, Holding::Waiting) == 0).await;
    let views = folder_views(&folder.path().join("spool")).expect("listed").remove(0).segments;
    let refused = views.iter().find(|it| it.holding == Holding::Refused).expect("one file");
    let mut reader = Reader::open(&refused.path, &app.app.admin_half.vault).expect("it opens");
    assert_eq!(reader.batch(10, 1_000_000).len(), 1, "once");
    app.finish().await;
}

/// From then on notifying takes two seconds while the table `slow` has a row.
const SLOW_NOTIFY: &str = "create table slow ();
    alter function pg_catalog.pg_notify(text, text) rename to pg_notify_at_once;
    create function pg_catalog.pg_notify(text, text) returns void language plpgsql as $$ begin
        if exists (select from public.slow) then perform pg_sleep(2); end if;
    end $$;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_that_hangs_makes_no_callback_wait_for_the_database() {
    let (db, folder) = (TestDb::new().await, Folder::new("notify"));
    db.execute(SLOW_NOTIFY).await;
    let url = db.url.clone();
    let app = TestApp::start_at(db, &url, in_folder(&folder)).await;
    assert_eq!(app.post(&met("wmBefore")).await.expect("an answer").status, 200);
    app.db.execute("insert into slow default values").await;
    let (mut sent, counted) = (0, "wecomd_callbacks_total{outcome=\"spooled\"}");
    // Others are told at most every 20 ms, so the first callbacks may be stored before that hangs.
    until("one goes to the spool", async || {
        let began = Instant::now();
        assert_eq!(app.post(&met(&format!("wm{sent}"))).await.expect("an answer").status, 200);
        assert!(began.elapsed() < AT_ONCE, "{:?} for {sent}", began.elapsed());
        sent += 1;
        request(app.app.admin, "GET", "/metrics", &[], b"").await.expect("an answer").text().contains(counted)
    })
    .await;
    until("all are stored", async || app.db.count(STORED).await == sent + 1).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spooled_callbacks_that_the_database_refuses_are_kept_and_hold_up_no_other() {
    let (db, folder) = (TestDb::new().await, Folder::new("poison"));
    let link = Link::to(&db).await;
    let app = TestApp::start_at(db, &link.url, in_folder(&folder)).await;
    assert_eq!(app.post(&met("wmBefore")).await.expect("an answer").status, 200);
    link.cut();
    for customer in ["wmOne", "wmPoison", "wmTwo"] {
        assert_eq!(app.post(&met(customer)).await.expect("an answer").status, 200);
    }
    app.db
        .execute(
            "create function refuse() returns trigger language plpgsql as $$ begin
                if position('wmPoison'::bytea in new.plaintext) > 0 then raise exception 'no poison'; end if;
                return new;
            end $$;
            create trigger refuse before insert on inbox for each row execute function refuse();",
        )
        .await;
    link.mend();
    until("the others are stored", async || app.db.count(STORED).await == 3).await;
    until("nothing waits", async || segments(&folder, Holding::Waiting) == 0).await;
    assert_eq!(segments(&folder, Holding::Refused), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_cannot_be_used_keeps_no_callback_from_a_database_that_is_back() {
    let (db, folder) = (TestDb::new().await, Folder::new("broken"));
    let link = Link::to(&db).await;
    let app = TestApp::start_at(db, &link.url, in_folder(&folder)).await;
    link.cut();
    assert_eq!(app.post(&met("wmDuring")).await.expect("an answer").status, 200);
    fs::remove_dir_all(folder.path().join("spool")).expect("removed");
    link.mend();
    until("callbacks go to the database again", async || readyz(&app).await.json()["status"] == "ready").await;
    assert_eq!(app.post(&met("wmAfter")).await.expect("an answer").status, 200);
    assert_eq!(app.db.count(STORED).await, 1, "directly");

    // A folder that never could be used does not stop the program.
    let other =
        TestApp::start_with(|it| (it.spool.enabled, it.spool.location) = (true, "/proc/spool".to_owned())).await;
    assert_eq!(other.post(&met("wmAny")).await.expect("an answer").status, 200);
    assert_eq!(readyz(&other).await.json()["spool"]["state"], "off");
    other.finish().await;
    app.finish().await;
}

/// A PostgreSQL of the test's own, with a daemon on it.
struct OwnDatabase {
    folder: Folder,
    postgres: Embedded,
    pool: sqlx::PgPool,
    company: Company,
    wecomd: Daemon,
}

impl OwnDatabase {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let (folder, company) = (Folder::new("own"), Company::new());
        let postgres = Embedded::start(folder.path(), Durability::Throwaway).await.expect("PostgreSQL starts");
        let url = postgres.url("wecomd");
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2).connect(&url).await.expect("it answers");
        MIGRATOR.run(&pool).await.expect("the tables are made");
        company.save(&pool).await;
        let settings = [settings, &[("DATABASE_URL", &url)]].concat();
        let wecomd = Daemon::start(&company.key, &settings, &[]).await;
        Self { folder, postgres, pool, company, wecomd }
    }

    async fn deliver(&self, customer: &str) -> Duration {
        let delivered = self.company.sender(self.wecomd.public).deliver(&met(customer)).await;
        assert_eq!((delivered.status, delivered.attempts), (Some(200), 1), "{customer}");
        delivered.latency
    }

    async fn count(&self, sql: &str) -> i64 {
        texts(&self.pool, &format!("select ({sql})::text")).await.remove(0).parse().expect("a number")
    }

    async fn finish(self) {
        self.pool.close().await;
        drop(self.wecomd);
        self.postgres.stop().await.expect("stopped");
        drop(self.folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_database_costs_one_group_its_patience() {
    let own = OwnDatabase::start(&[]).await;
    own.deliver("wmBefore").await;
    let hung = Hung::with_children(own.postgres.pid());
    let waited = own.deliver("wmFirst").await;
    // The patience, and one sync.
    assert!((1_400..4_500).contains(&waited.as_millis()), "{waited:?}");
    for number in 0..20 {
        let waited = own.deliver(&format!("wmDuring{number}")).await;
        assert!(waited < AT_ONCE, "the spool takes it at once: {waited:?}");
    }
    drop(hung);
    until("all of it is stored", async || own.count(STORED).await == 22).await;
    until("all of it is recorded", async || own.count(RECORDED).await == 22).await;
    own.finish().await;
}

/// Server processes of wecomd that wait for a standby.
const WAIT_FOR_STANDBY: &str =
    "select pid::text from pg_stat_activity where application_name = 'wecomd' and wait_event = 'SyncRep'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_standby_leaves_no_backends_behind() {
    let spools = Folder::new("ghost");
    let location = spools.path().join("spool").to_str().expect("a text").to_owned();
    let settings = [("WECOMD_SPOOL__PATIENCE_MS", "200"), ("WECOMD_SPOOL__LOCATION", &*location)];
    let own = OwnDatabase::start(&settings).await;
    own.deliver("wmBefore").await;
    let settings = own.folder.path().join("data/postgresql.auto.conf");
    let standby = |names: &str| {
        fs::write(&settings, format!("synchronous_standby_names = '{names}'\n")).expect("written");
        signal("-HUP", own.postgres.pid());
    };
    standby("ghost");
    until("the setting is read", async || texts(&own.pool, "show synchronous_standby_names").await == ["ghost"]).await;

    let (mut seen, mut sent) = (std::collections::BTreeSet::new(), 0);
    let began = Instant::now();
    while seen.len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(30), "only {seen:?} waited");
        own.deliver(&format!("wm{sent}")).await;
        sent += 1;
        let waiting = texts(&own.pool, WAIT_FOR_STANDBY).await;
        assert!(waiting.len() <= 2, "one of the committer and one of the drainer at most: {waiting:?}");
        seen.extend(waiting);
    }
    // Repeats of what is committed here alone wait for nothing, and must not pass for stored.
    let mut left = folder_views(location.as_ref()).expect("listed").remove(0).segments;
    assert!(left.remove(0).path.ends_with("000000000001.seg"), "the first segment waits, too");
    standby("");
    until("all of it is stored", async || own.count(STORED).await == sent + 1).await;
    until("nobody waits", async || texts(&own.pool, WAIT_FOR_STANDBY).await.is_empty()).await;
    until("all of it is recorded", async || own.count(RECORDED).await == sent + 1).await;
    own.finish().await;
}
