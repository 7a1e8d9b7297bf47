//! A leaver's whole handover through the built program: customers, orders and groups, with every kind of failure that
//! may occur, and in the end a new owner or a reason for each item.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::{
    changes::{Changes, ContactStatus},
    ids::{CorpId, ExternalUserId, UserId},
    sandbox::{Fault, Platform, Size, World},
    tables::{apply::apply, records::wechat_contact_record::KnownMonths},
    vault::ApiToken,
};

use crate::support::{Company, Daemon, TestDb, http::request, wait::until};

const CUSTOMERS: usize = 1_250;

const ORDERS: usize = 30;

const GROUPS: usize = 12;

/// How many of a hundred customers refuse.
const REFUSE_OF_100: usize = 7;

/// How many customers one of the successors may have at most.
const ROOM: usize = 300;

const LEAVER: &str = "ann";

const SUCCESSORS: [&str; 3] = ["bob", "cai", "dan"];

const TRANSFER: &str = "externalcontact/resigned/transfer_customer";

const RESULT: &str = "externalcontact/resigned/transfer_result";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The program, its database, and the WeCom of a company that somebody leaves.
struct Scene {
    db: TestDb,
    platform: Platform,
    wecomd: Daemon,
    bearer: String,
}

#[tokio::test]
async fn a_leaver_with_1250_customers_is_handed_over_despite_faults_and_the_report_adds_up() {
    let mut scene = Scene::begin().await;
    let groups = scene.groups();
    scene.platform.leave(&UserId::from(LEAVER)).await.expect("left");
    let detected = "select count(*) from handover_item where state = 'open' and kind = 'customer'";
    until("everybody is in a handover", async || scene.db.count(detected).await == CUSTOMERS as i64).await;
    let id = scene.db.count("select id from handover").await;

    let version = scene.ask("GET", &format!("/handovers/{id}"), None).await["version"].clone();
    let staff: Vec<_> = SUCCESSORS.iter().map(|user| format!("S-{user}")).collect();
    let plan = json!({ "version": version, "rules": [{ "rule": "round_robin", "staff_ids": staff }] });
    let planned = scene.ask("PUT", &format!("/handovers/{id}/plan"), Some(plan)).await;
    assert_eq!((&planned["saved"], &planned["broken_rules"]), (&json!(true), &json!([])), "{planned}");
    scene.ask("POST", &format!("/handovers/{id}/notify"), Some(json!({}))).await;

    // WeCom accepts the first hundred, and wecomd is killed before it gets the answer.
    let before = scene.holds(TRANSFER);
    scene.ask("POST", &format!("/handovers/{id}/submit"), Some(json!({}))).await;
    scene.dies_while_wecom_has(TRANSFER, before).await;
    // WeCom refuses further calls for a minute.
    scene.platform.faults().set(TRANSFER, Fault { errcode: Some(45009), times: Some(1), ..Fault::default() });
    scene.lives_again().await;
    let limited = "select count(*) from task where kind = 'handover' and reason like '%45009%' and due_at > now() + interval '40 s'";
    until("the limit is waited out", async || scene.db.count(limited).await == 1).await;
    assert_eq!(scene.states("customer").await["waiting"], 100, "the accepted ones were found");
    scene.wecomd.kill();
    scene.lives_again().await;
    let sent = "select count(*) from handover_item where state in ('waiting', 'done')";
    let all = (CUSTOMERS + ORDERS + GROUPS) as i64;
    until("everything is with WeCom", async || scene.db.count(sent).await == all).await;

    // A day passes at WeCom, and wecomd is killed again while it asks for the results.
    let before = scene.holds(RESULT);
    scene.platform.advance(DAY + Duration::from_secs(3600));
    scene.dies_while_wecom_has(RESULT, before).await;
    scene.lives_again().await;
    scene.platform.pushed().await;
    until("it is done", async || scene.db.texts("select state from handover").await == ["done"]).await;

    scene.everybody_agrees(&groups).await;
    scene.nothing_was_sent_twice();
    scene.the_report_adds_up(id).await;
    scene.finish().await;
}

impl Scene {
    async fn begin() -> Self {
        let (db, company) = (TestDb::new().await, Company::new());
        let corpid = company.corp.corpid.clone();
        company.save(&db.pool).await;
        company.entrust(&db.pool).await;
        let mut world = World::of(&company.corp, Size { members: 0, customers: 0, departments: 1 }, 1);
        for user in SUCCESSORS.into_iter().chain([LEAVER]) {
            world.add_member(&UserId::from(user), user);
        }
        for n in 0..CUSTOMERS {
            assert!(world.add_contact(&UserId::from(LEAVER), &customer(n), "小雨"));
            if n % 100 < REFUSE_OF_100 {
                world.transfer_rules.refusers.insert(customer(n));
            }
        }
        for n in 0..GROUPS {
            world.add_group(&UserId::from(LEAVER), &format!("客户群{n}")).expect("a member");
        }
        world.member_mut(&UserId::from(SUCCESSORS[1])).expect("a member").customers_max = Some(ROOM);
        let platform = Platform::start(world, ([127, 0, 0, 1], 0).into()).await.expect("it starts");
        know(&db, &corpid).await;

        let token = ApiToken::new();
        let keep = sqlx::query("insert into api_token (name, role, hash, prefix) values ('chief', 'admin', $1, $2)");
        keep.bind(&token.hash[..]).bind(&token.prefix).execute(&db.pool).await.expect("kept");
        let (url, base_url) = (db.url.expose_secret().to_owned(), platform.base_url());
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("WECOMD_WECOM__BASE_URL", &base_url),
            ("WECOMD_TASKS__ENABLED", "true"),
            ("WECOMD_WECOM__CORP_PER_SECOND", "1000"),
            ("WECOMD_WECOM__PATH_PER_SECOND", "1000"),
            ("WECOMD_HANDOVER__POLL_FIRST_SECONDS", "1"),
            ("WECOMD_HANDOVER__POLL_MAX_SECONDS", "1"),
        ];
        let wecomd = Daemon::start(&company.key, &settings, &[]).await;
        platform.push_to(company.sender(wecomd.public));
        Self { db, platform, wecomd, bearer: format!("Bearer {}", token.secret.expose_secret()) }
    }

    fn groups(&self) -> Vec<String> {
        self.platform.with(|world| world.groups_of(&UserId::from(LEAVER)))
    }

    async fn ask(&self, method: &str, target: &str, body: Option<Value>) -> Value {
        let target = format!("/api/enterprise-wechat{target}");
        let headers = [("authorization", self.bearer.as_str())];
        let body = body.map(|it| it.to_string()).unwrap_or_default();
        let answer = request(self.wecomd.admin, method, &target, &headers, body.as_bytes()).await.expect("an answer");
        assert!((200..300).contains(&answer.status), "{method} {target}: {}", answer.text());
        answer.json()
    }

    /// From now on WeCom carries out the next call of this path but never answers it. Returns the calls so far.
    fn holds(&self, path: &str) -> usize {
        let fault = Fault { latency: Duration::from_secs(3600), times: Some(1), ..Fault::default() };
        self.platform.faults().set(path, fault);
        self.platform.calls_of(path).len()
    }

    async fn dies_while_wecom_has(&mut self, path: &str, before: usize) {
        until(&format!("WeCom has a call of {path}"), async || self.platform.calls_of(path).len() > before).await;
        self.wecomd.kill();
        self.platform.faults().clear();
    }

    /// Starts it again, so much later that its leases have ended and WeCom has processed its requests.
    async fn lives_again(&mut self) {
        self.db
            .execute("update task set due_at = now(), leased_until = null, lease = null where kind = 'handover'")
            .await;
        self.db.execute("update handover_call set attempted_at = attempted_at - interval '5 minutes'").await;
        self.wecomd.again();
        self.wecomd.ready().await;
    }

    /// How many items of a kind are in each state.
    async fn states(&self, kind: &str) -> BTreeMap<String, i64> {
        let query = format!("select state || ' ' || count(*) from handover_item where kind = '{kind}' group by state");
        let rows = self.db.texts(&query).await;
        rows.iter()
            .map(|it| it.split_once(' ').expect("two words"))
            .map(|(a, b)| (a.to_owned(), b.parse().expect("a number")))
            .collect()
    }

    /// Our tables and WeCom agree on who has which customer, order and group.
    async fn everybody_agrees(&self, groups: &[String]) {
        let query = "select external_userid || ' ' || wechat_userid from customer_wechat_contact where status in ('assumed', 'contacted')";
        let here: BTreeSet<String> = self.db.texts(query).await.into_iter().collect();
        let there: BTreeSet<String> = self.platform.with(|world| {
            let of =
                |n| world.followers_of(&customer(n)).into_iter().map(move |user| format!("{} {user}", customer(n)));
            (0..CUSTOMERS).flat_map(of).collect()
        });
        assert_eq!(here.difference(&there).take(5).collect::<Vec<_>>(), Vec::<&String>::new(), "only here");
        assert_eq!(there.difference(&here).take(5).collect::<Vec<_>>(), Vec::<&String>::new(), "only there");
        let theirs = format!("select count(*) from work_order where staff_id = 'S-{LEAVER}'");
        assert_eq!(self.db.count(&theirs).await, 0, "no order is the leaver's");
        let mut given = BTreeMap::new();
        for chat_id in groups {
            let owner = self.platform.with(|world| world.owner_of(chat_id).cloned()).expect("a group");
            let item =
                format!("select successor_userid || ' ' || state from handover_item where subject = '{chat_id}'");
            assert_eq!(self.db.texts(&item).await, [format!("{owner} done")]);
            *given.entry(owner).or_insert(0) += 1;
        }
        assert_eq!(given.len(), SUCCESSORS.len(), "{given:?}");
    }

    fn nothing_was_sent_twice(&self) {
        self.platform.with(|world| {
            let accepted = (0..CUSTOMERS).map(|n| world.transfers_accepted(&customer(n)));
            assert!(accepted.clone().all(|it| it == 1), "{:?}", accepted.collect::<Vec<_>>());
            let asked: usize = world.transfer_calls.iter().map(|it| it.customers.len()).sum();
            assert_eq!(asked, CUSTOMERS, "WeCom was asked about each of them once");
            let groups: usize = world.group_calls.iter().map(|it| it.chat_ids.len()).sum();
            assert_eq!(groups, GROUPS);
        });
    }

    async fn the_report_adds_up(&self, id: i64) {
        let customers = self.states("customer").await;
        let refusing = (0..CUSTOMERS).filter(|n| n % 100 < REFUSE_OF_100).count() as i64;
        assert_eq!(customers["refused"], refusing, "{customers:?}");
        assert!(customers["full"] > 0 && customers.len() == 3, "{customers:?}");
        let taken = self.platform.with(|world| world.customers_of(&UserId::from(SUCCESSORS[1])).len());
        assert_eq!(taken, ROOM);
        assert_eq!(customers.values().sum::<i64>(), CUSTOMERS as i64);
        let report = self.ask("GET", &format!("/handovers/{id}"), None).await;
        let counts = report["counts"].as_array().expect("counts").iter();
        let counted: i64 = counts.map(|it| it["items"].as_i64().expect("a number")).sum();
        assert_eq!(counted, (CUSTOMERS + ORDERS + GROUPS) as i64, "{}", report["counts"]);
        // Every item's transitions are in the log, from the first to the last.
        let silent = "select count(*) from handover_item item where not exists (
                select from handover_log turn where turn.item_id = item.id and turn.to_state = item.state
            )";
        assert_eq!(self.db.count(silent).await, 0);
    }

    async fn finish(self) {
        drop(self.wecomd);
        self.platform.stop().await;
        self.db.close().await;
    }
}

/// What was recorded before: contacts, bindings and open orders.
async fn know(db: &TestDb, corpid: &CorpId) {
    let since = chrono::Utc::now() - TimeDelta::days(30);
    let mut changes = Changes::default();
    for user in SUCCESSORS.into_iter().chain([LEAVER]) {
        changes.members.entry((corpid.clone(), UserId::from(user))).or_default().joined(since);
        let bind = "insert into staff_wechat_bind (corpid, staff_id, wechat_userid) values";
        db.execute(&format!("{bind} ('{corpid}', 'S-{user}', '{user}')")).await;
    }
    for n in 0..CUSTOMERS {
        let key = (corpid.clone(), customer(n), UserId::from(LEAVER));
        changes.contacts.entry(key).or_default().became(ContactStatus::Contacted, since);
    }
    let mut transaction = db.pool.begin().await.expect("begins");
    apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
    transaction.commit().await.expect("commits");
    let orders = format!(
        "insert into work_order (corpid, customer_id, description, state, staff_id)
         select '{corpid}', 'C-' || n, '漏水', 'assigned', 'S-{LEAVER}' from generate_series(1, {ORDERS}) n"
    );
    db.execute(&orders).await;
}

fn customer(n: usize) -> ExternalUserId {
    ExternalUserId(format!("wmLEFT{n:04}CUSTOMER"))
}
