//! Greetings of new customers: once, in time, with the right text; every other outcome is recorded.

use std::{collections::BTreeSet, time::Duration};

use chrono::{FixedOffset, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::PgPool;
use wecomd::{
    app_config::{NewConfig, save},
    changes::TaskKind,
    ids::{ExternalUserId, UserId},
    sandbox::{AppKind, Corp, DropAt, Fault, Platform, Push, Size, World},
    tasks::{Executor, Step, WorkerPool},
    vault::Vault,
};

use crate::support::{Company, Daemon, TestApp, TestDb, acting::context, plaintext::contact, wait::until};

const PATH: &str = "externalcontact/send_welcome_msg";

/// The member whom all customers add.
const MEMBER: &str = "lihua";

/// wecomd, and the WeCom in which customers appear.
struct Shop {
    app: TestApp,
    platform: Platform,
}

impl Shop {
    /// An app that greets with these words and rules.
    async fn open(message: Option<&str>, rules: Value) -> Self {
        let platform = platform().await;
        let app = TestApp::start_with(|it| it.wecom.base_url = platform.base_url()).await;
        dress(&app.db.pool, &app.app.admin_half.vault, &app.corp, message, &rules).await;
        platform.push_to(app.sender_of(&app.corp));
        Self { app, platform }
    }

    /// A customer adds the member, and their callback is recorded.
    async fn meet(&self, customer: &str) {
        self.platform.add(&UserId::from(MEMBER), &ExternalUserId::from(customer)).await.expect("added");
        self.platform.pushed().await;
        self.app.drain().await;
    }

    /// Tries every greeting once, whenever it is due.
    async fn greet(&self) {
        self.app.db.execute("update task set due_at = now() where kind = 'welcome'").await;
        let mut executor = Executor::new(context(&self.app), WorkerPool::of(TaskKind::Welcome, 3));
        while executor.step().await.expect("the database answers") != Step::Idle {}
    }

    /// What became of each greeting.
    async fn outcomes(&self) -> String {
        let query = "select external_userid || ' ' || coalesce(outcome, '-') from welcome order by id";
        self.app.db.texts(query).await.join(", ")
    }

    /// What customers read.
    fn read(&self) -> Vec<String> {
        let text = |message: &Value| message["text"].as_str().unwrap_or_default().to_owned();
        self.platform.with(|world| world.welcomes.iter().map(|it| text(&it.message)).collect())
    }

    fn fault(&self, fault: Fault) {
        self.platform.faults().set(PATH, fault);
    }

    async fn close(self) {
        self.app.finish().await;
        self.platform.stop().await;
    }
}

async fn platform() -> Platform {
    let mut world = World::of(&Corp::from_seed(1), Size { members: 0, customers: 0, departments: 3 }, 1);
    world.add_member(&UserId::from(MEMBER), "李华");
    Platform::start(world, ([127, 0, 0, 1], 0).into()).await.expect("it starts")
}

/// Gives the app its secret, and its words.
async fn dress(pool: &PgPool, vault: &Vault, corp: &Corp, message: Option<&str>, rules: &Value) {
    let app = corp.app(AppKind::App).expect("an app");
    let new = NewConfig {
        name: app.name.clone(),
        secret: Some(app.secret.clone().into()),
        welcome_message: Some(message.map(str::to_owned)),
        welcome: Some(serde_json::from_value(rules.clone()).expect("rules")),
        ..NewConfig::default()
    };
    save(&mut pool.acquire().await.expect("connects"), vault, TimeDelta::hours(1), new).await.expect("saved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_customer_is_greeted_with_the_member_name_and_never_twice() {
    let shop = Shop::open(Some("{customer}，您好！我是{staff}。"), json!({})).await;
    let corpid = &shop.app.corp.corpid;
    shop.app
        .db
        .execute(&format!("insert into member (corpid, wechat_userid, name) values ('{corpid}', '{MEMBER}', '李华')"))
        .await;
    shop.meet("wmAlice00000000000000000000000001").await;
    shop.greet().await;
    assert_eq!(shop.read(), ["您好！我是李华。"]);
    assert_eq!(shop.outcomes().await, "wmAlice00000000000000000000000001 sent");
    let timed =
        "select count(*) from welcome where sent_at > received_at and attempted_at <= sent_at and late_ms is null
        and received_at = (select received_at from inbox)";
    assert_eq!(shop.app.db.count(timed).await, 1);
    assert_eq!(shop.app.db.count("select count(*) from task where kind = 'welcome'").await, 0);

    // The callback is recorded once more: the greeting stands as it is.
    let id = shop
        .app
        .db
        .texts("select app_id || '-' || extract(epoch from event_at)::bigint || '-' || encode(hash, 'hex') from inbox")
        .await;
    let replay = format!("/api/enterprise-wechat/deliveries/{}/replay", id[0]);
    assert_eq!(shop.app.ask("POST", &replay, None).await.status, 202);
    shop.app.drain().await;
    assert_eq!(shop.app.db.count("select count(*) from task where kind = 'welcome'").await, 1);
    shop.greet().await;
    assert_eq!((shop.platform.calls_of(PATH).len(), shop.read().len()), (1, 1));
    assert_eq!(shop.app.db.count("select count(*) from task where kind = 'welcome'").await, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_greeting_is_sent_without_a_text_or_in_quiet_hours() {
    let shop = Shop::open(None, json!({})).await;
    shop.meet("wmAlice00000000000000000000000001").await;
    shop.greet().await;
    let shanghai = Utc::now().with_timezone(&FixedOffset::east_opt(8 * 3_600).expect("a zone"));
    let hour = |hours: i64| (shanghai + TimeDelta::hours(hours)).format("%H:%M").to_string();
    let hours = format!("{}-{}", hour(-2), hour(2));
    let vault = &shop.app.app.admin_half.vault;
    dress(&shop.app.db.pool, vault, &shop.app.corp, Some("您好"), &json!({ "quiet": { "hours": hours } })).await;
    shop.meet("wmBob0000000000000000000000000001").await;
    shop.greet().await;
    assert_eq!(shop.platform.calls_of(PATH).len(), 0);
    let outcomes = shop.outcomes().await;
    assert_eq!(outcomes, "wmAlice00000000000000000000000001 no_template, wmBob0000000000000000000000000001 quiet");

    let other = json!({ "quiet": { "hours": hours, "text": "明早回复您" } });
    dress(&shop.app.db.pool, vault, &shop.app.corp, Some("您好"), &other).await;
    shop.meet("wmCarl000000000000000000000000001").await;
    shop.greet().await;
    assert_eq!(shop.read(), ["明早回复您"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_text_and_attachments_of_a_channel_are_sent() {
    let link = json!({ "msgtype": "link", "title": "服务说明", "url": "https://example.com/s" });
    let rules = json!({ "states": [{ "state": "booth-3", "text": "展位三", "attachments": [link] }] });
    let shop = Shop::open(Some("您好"), rules).await;
    // A code that this WeCom never issued: it refuses, and its journal holds the request.
    let more = [("State", "booth-3"), ("WelcomeCode", "code-1")];
    let met = contact(Utc::now().timestamp(), "add_external_contact", MEMBER, "wmX", &more);
    shop.app.deliver(vec![Push::genuine(AppKind::App, met)]).await;
    shop.app.drain().await;
    shop.greet().await;
    let body = &shop.platform.calls_of(PATH)[0].body;
    assert_eq!(body["text"], json!({ "content": "展位三" }));
    assert_eq!(body["attachments"][0]["link"]["title"], "服务说明");
    assert_eq!(shop.app.db.texts("select outcome || ' ' || state from welcome").await, ["late booth-3"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_greeting_errcode_has_its_outcome_and_only_transient_ones_are_retried() {
    let shop = Shop::open(Some("您好"), json!({})).await;
    for (errcode, outcome, calls) in [
        (41051, "greeted_already", 1),
        (41050, "late", 1),
        (41053, "refused", 1),
        (-1, "sent", 2),
        // The last: from then on nobody is greeted for a minute.
        (45009, "limited", 1),
    ] {
        let customer = format!("wm{errcode:030}");
        shop.fault(Fault { errcode: Some(errcode), times: Some(1), ..Fault::default() });
        let before = shop.platform.calls_of(PATH).len();
        shop.meet(&customer).await;
        shop.greet().await;
        shop.greet().await;
        let found =
            shop.app.db.texts(&format!("select outcome from welcome where external_userid = '{customer}'")).await;
        assert_eq!(
            (found, shop.platform.calls_of(PATH).len() - before),
            (vec![outcome.to_owned()], calls),
            "{errcode}"
        );
    }
    assert_eq!(shop.app.db.count("select count(*) from task where kind = 'welcome'").await, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_that_conflicts_with_another_app_is_retried_at_once() {
    let shop = Shop::open(Some("您好"), json!({})).await;
    shop.platform.with(|world| world.welcome_conflicts = 2);
    shop.meet("wmAlice00000000000000000000000001").await;
    shop.greet().await;
    let soon =
        "select count(*) from task where kind = 'welcome' and due_at < now() + interval '1 second' and attempts = 1
        and reason like '%41096%'";
    assert_eq!(shop.app.db.count(soon).await, 1);
    shop.greet().await;
    shop.greet().await;
    assert_eq!((shop.read().len(), shop.platform.calls_of(PATH).len()), (1, 3));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_causes_no_second_greeting() {
    let shop = Shop::open(Some("您好"), json!({})).await;
    shop.fault(Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() });
    shop.meet("wmAlice00000000000000000000000001").await;
    shop.greet().await;
    shop.greet().await;
    assert_eq!(shop.read().len(), 1);
    assert_eq!(shop.outcomes().await, "wmAlice00000000000000000000000001 greeted_already");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_deadline_is_reported_with_its_delay() {
    let shop = Shop::open(Some("您好"), json!({})).await;
    let late = async |customer: &str, by_s: i64, more: &str| {
        shop.meet(customer).await;
        let set = format!("update task set deadline = now() - interval '{by_s} seconds' where kind = 'welcome'");
        shop.app.db.execute(&set).await;
        shop.app.db.execute(more).await;
        shop.greet().await;
        let found = format!(
            "select outcome || ' ' || late_ms / 1000 || ' s' from welcome where external_userid = '{customer}'"
        );
        shop.app.db.texts(&found).await.join("")
    };
    assert_eq!(late("wmAlice00000000000000000000000001", 90, "select 1").await, "late 90 s");
    assert_eq!(shop.platform.calls_of(PATH).len(), 0, "nobody waits for it any more");
    // Slightly late: WeCom may count from a later time, and otherwise its errcode says whether another app greeted.
    assert_eq!(late("wmBob0000000000000000000000000001", 5, "select 1").await, "sent 5 s");
    shop.fault(Fault { errcode: Some(41051), times: Some(1), ..Fault::default() });
    assert_eq!(late("wmCarl000000000000000000000000001", 5, "select 1").await, "greeted_already 5 s");

    // Sent before a crash, and the code has expired: the greeting may have arrived, so it is not sent again.
    let calls = shop.platform.calls_of(PATH).len();
    let asked = "insert into welcome (corpid, code_hash, external_userid, wechat_userid, app_id, received_at, attempted_at)
        select corpid, sha256(convert_to(subject, 'UTF8')), 'wmDora000000000000000000000000001', 'lihua', app_id, now(), now()
        from task where kind = 'welcome'";
    assert_eq!(late("wmDora000000000000000000000000001", 5, asked).await, "unknown 5 s");
    assert_eq!(shop.platform.calls_of(PATH).len(), calls);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn greetings_in_progress_never_exceed_the_size_of_their_worker_pool() {
    let shop = Shop::open(Some("您好"), json!({})).await;
    for number in 0..8 {
        shop.meet(&format!("wmAlice{number:026}")).await;
    }
    shop.fault(Fault { latency: Duration::from_millis(100), ..Fault::default() });
    let pool = shop.app.db.pool.clone();
    let most = async {
        let mut most = 0;
        loop {
            let open = "select count(*)::text from welcome where attempted_at is not null and outcome is null";
            let now = crate::support::database::texts(&pool, open).await[0].parse::<i64>().expect("a number");
            most = most.max(now);
            let settled = "select count(*)::text from welcome where outcome is not null";
            if crate::support::database::texts(&pool, settled).await[0] == "8" {
                return most;
            }
        }
    };
    let (most, ()) = tokio::join!(most, shop.greet());
    assert_eq!(most, 3, "three at once, and never more");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_wecomd_while_it_greets_leaves_everybody_greeted_once() {
    const CUSTOMERS: usize = 60;
    const KILLS: usize = 4;
    let (db, company, platform) = (TestDb::new().await, Company::new(), platform().await);
    company.save(&db.pool).await;
    dress(&db.pool, &company.vault, &company.corp, Some("您好"), &json!({})).await;
    // Slow enough that each kill meets some on their way.
    platform.faults().set(PATH, Fault { latency: Duration::from_millis(40), ..Fault::default() });
    let url = db.url.expose_secret().to_owned();
    let base_url = platform.base_url();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("WECOMD_WECOM__BASE_URL", &base_url),
        ("WECOMD_TASKS__ENABLED", "true"),
        ("WECOMD_TASKS__WELCOME", "4"),
    ];
    let mut wecomd = Daemon::start(&company.key, &settings, &[]).await;
    platform.push_to(company.sender(wecomd.public));

    let settled = "select count(*) from welcome where outcome is not null";
    let mut cut_off = 0;
    for kill in 0..KILLS {
        for number in 0..CUSTOMERS / KILLS {
            let customer = ExternalUserId(format!("wmKill{:027}", kill * 100 + number));
            platform.add(&UserId::from(MEMBER), &customer).await.expect("added");
        }
        platform.pushed().await;
        let under_way = "select count(*) from welcome where attempted_at is not null and outcome is null";
        until("a greeting is under way", async || {
            cut_off = db.count(under_way).await.max(cut_off);
            db.count(under_way).await > 0 || db.count(settled).await >= ((kill + 1) * CUSTOMERS / KILLS) as i64
        })
        .await;
        wecomd.kill();
        wecomd.again();
    }
    until("everybody's greeting is settled", async || db.count(settled).await == CUSTOMERS as i64).await;
    until("and done", async || db.count("select count(*) from task where kind = 'welcome'").await == 0).await;
    assert!(cut_off > 0, "no kill came while somebody was greeted");
    let greeted: Vec<_> = platform.with(|world| world.welcomes.iter().map(|it| it.external_userid.clone()).collect());
    assert_eq!(greeted.iter().collect::<BTreeSet<_>>().len(), greeted.len(), "nobody is greeted twice");
    assert_eq!(greeted.len(), CUSTOMERS, "and nobody is forgotten");
    let outcomes = db.texts("select distinct outcome from welcome order by 1").await;
    assert!(outcomes.iter().all(|it| it == "sent" || it == "greeted_already"), "{outcomes:?}");
    drop(wecomd);
    platform.stop().await;
    db.close().await;
}
