//! Everything that records and acts by itself, once over, about people of the round's own: recording, cards, tasks,
//! reconciling, a handover, and what is swept away.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use wecomd::{
    changes::{Changes, Task, TaskKind, contact::Card},
    handover::Driver,
    housekeeping::Housekeeper,
    ids::{CorpId, ExternalUserId, UserId},
    inbox::{self, Inbox, Wake},
    sandbox::{AppKind, Visible},
    states::{MediaState, WelcomeOutcome},
    sync::{self, Over, Sync},
    tables::{
        apply, handover,
        privacy::retention,
        records::{media, wechat_contact_record::KnownMonths, welcome},
        staff::member as members,
        sync::sync_run::Which,
        task::{self, Finished, Room},
    },
    tasks::{Context, Executor, Step, WorkerPool},
    worker,
};

use super::Site;
use crate::support::{
    Acting, HANDOVER,
    acting::kf_settings,
    plaintext::{contact, event, member, picture, text},
    reconcile::to_the_end,
};

/// Later than all that a table is filled with.
const EVENING: i64 = 80_000;

/// WeCom hands over after a day.
const DAY: Duration = Duration::from_secs(25 * 3600);

const LEASE: Duration = Duration::from_secs(30);

impl Site {
    /// Does everything once. Each round is about other people and as much work.
    pub(super) async fn round(&mut self, round: u32) {
        if round == 0 {
            self.acting.member("anna", "安娜", &["wmBASEA", "wmBASEB", "wmBASEC", "wmBASED"]);
            self.acting.member("carl", "卡尔", &["wmBASEE", "wmBASEF", "wmBASEG", "wmBASEH"]);
        }
        self.prepare(round).await;
        self.record(plaintexts(self.begin + EVENING + i64::from(round) * 1_000, round)).await;
        self.cards(round).await;
        self.queue(round).await;
        self.ledgers(round).await;
        self.executor().await;
        self.reconcile().await;
        self.hand_over(round).await;
        self.sweep().await;
    }

    pub(super) async fn finish(self) {
        drop(self.worker);
        self.pool.close().await;
        self.fresh.close().await;
        self.acting.finish().await;
    }

    fn corp(&self) -> CorpId {
        self.acting.app.corp.corpid.clone()
    }

    /// What people did before: bindings, tokens, orders, contact ways. Not measured.
    async fn prepare(&self, round: u32) {
        let (corp, db) = (self.corp(), &self.acting.app.db);
        db.execute(&format!(
            "insert into staff_wechat_bind (corpid, staff_id, wechat_userid, bound_at)
             select '{corp}', 'S{round}x' || n, 'u{round}x' || n, now() - interval '9 days' from generate_series(1, 2) n;
             insert into api_token (name, role, hash, prefix, corpid, staff_id)
             values ('t', 'viewer', sha256('t{round}'), 'x', '{corp}', 'S{round}x1');
             insert into console_user (corpid, wechat_userid, role, added_by)
             select '{corp}', 'u{round}x' || n, 'viewer', 'x' from generate_series(1, 2) n;
             insert into resignation (corpid, staff_id, wechat_userid, last_day, requested_by, state)
             select '{corp}', 'S{round}x' || n, 'u{round}x' || n, '2030-01-01', 'x', 'approved' from generate_series(1, 2) n;
             insert into customer_wechat_contact (corpid, external_userid, wechat_userid, status, status_at)
             select '{corp}', 'wm{round}OWN' || n, 'u{round}x' || 1 + n % 2, 'contacted', now() - interval '9 days'
             from generate_series(1, 6) n;
             insert into work_order (corpid, customer_id, description, state, staff_id)
             select '{corp}', 'W{round}' || n, '漏水', 'assigned', 'S{round}x2' from generate_series(0, 7) n;
             insert into contact_way (
                 corpid, state, customer_id, staff_id, wechat_userid, work_order_id, config_id, expires_at
             )
             select '{corp}', 'way_{round}x' || n, 'W{round}' || n, 'S{round}x2', 'anna', max(id), 'c{round}' || n,
                 case when n < 6 then now() + interval '9 days' else now() - interval '1 day' end
             from work_order, generate_series(0, 7) n group by n;
             update work_order set state = 'quoted' where state = 'assigned';
             insert into work_order (corpid, customer_id, description, state, staff_id, assigned_at, notified_at)
             values ('{corp}', 'L{round}', '漏水', 'assigned', 'S{round}x2', now(), now() - interval '30 minutes');
             insert into erased_person (corpid, person, erased_at, erasure_id)
             values ('{corp}', erased_hash('{corp}', 'wm{round}GONE'), now(), 1);
             -- The next run of reconciling finds these missing.
             delete from customer_wechat_contact where external_userid in ('wmBASEA', 'wmBASEF');"
        ))
        .await;
    }

    /// Stores these callbacks and records them.
    async fn record(&mut self, plaintexts: Vec<String>) {
        let app = self.app_id().await;
        let (inbox, committer) = Inbox::start(self.acting.app.db.options(), Wake::default());
        for plaintext in plaintexts {
            inbox.accept(app, "any", plaintext.into_bytes()).await.expect("stored");
        }
        drop(inbox);
        committer.await.expect("the committer ends");
        self.drain().await;
    }

    async fn drain(&mut self) {
        while self.worker.step().await.expect("the database answers") != worker::Step::Idle {}
    }

    async fn app_id(&self) -> i32 {
        let name = &self.acting.app.corp.app(AppKind::App).expect("an app").name;
        let id = format!("select id::bigint from enterprise_wechat_config where name = '{name}'");
        i32::try_from(self.acting.app.db.count(&id).await).expect("small")
    }

    /// Cards that lead to customers by a unionid and by phone numbers, to one or to several.
    async fn cards(&self, round: u32) {
        let mut changes = Changes::default();
        for n in [2, 5, 8] {
            let other = 400 + 40 * round + 4 * n;
            let phones = if n == 5 { other..other + 2 } else { other..other + 1 };
            let card = Card {
                nickname: Some("小雨".to_owned()),
                unionid: (n == 2).then(|| format!("union{other}")),
                remark_mobiles: phones.map(|it| format!("139{it:08}")).collect(),
                ..Card::default()
            };
            let key = (self.corp(), ExternalUserId(format!("wm{round}A{n}")), UserId::from("dora"));
            changes.contacts.entry(key).or_default().read(card, Utc::now());
        }
        let mut transaction = self.pool.begin().await.expect("begins");
        apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("applies");
        transaction.commit().await.expect("commits");
        let ways = format!(
            "select count(distinct matched_by) from customer_wechat_contact where external_userid like 'wm{round}A%'"
        );
        let matches = format!("select count(*) from customer_match where external_userid like 'wm{round}A%'");
        let found = (self.acting.app.db.count(&ways).await, self.acting.app.db.count(&matches).await);
        assert_eq!(found, if round == 0 { (2, 0) } else { (4, 1) }, "by state, and then by each other way");
    }

    /// A task for each way in which one may end.
    async fn queue(&self, round: u32) {
        let (corp, kind) = (self.corp(), TaskKind::RefreshMember);
        self.forget_tasks().await;
        let mut conn = self.pool.acquire().await.expect("connects");
        let task = Task { app_id: 1, payload: None, due_at: Utc::now(), deadline: None, marks: 1 };
        for n in 0..5 {
            task::enqueue(&mut conn, &corp, kind, &format!("q{round}{n}"), task.clone()).await.expect("enqueued");
        }
        let last = format!("q{round}5");
        task::hasten(&mut conn, &corp, kind, &last, 1, Utc::now()).await.expect("enqueued");
        let taken = task::claim(&mut conn, kind, &Room::of(6), LEASE).await.expect("taken");
        let [a, b, c, d, e, f] = taken.as_slice() else { panic!("{} tasks were due", taken.len()) };
        let (ids, leases): (Vec<_>, Vec<_>) = taken.iter().map(|it| (it.id, it.lease)).unzip();
        assert_eq!(task::extend(&mut conn, &ids, &leases, LEASE).await.expect("extended").len(), 6);
        assert!(task::begin_attempt(&mut conn, a).await.expect("begun"));
        assert!(task::hold(&mut conn, a).await.expect("held"));
        assert!(task::postpone(&mut conn, a, LEASE, "busy", true).await.expect("postponed"));
        assert!(task::park(&mut conn, b, "no").await.expect("parked"));
        assert!(task::release(&mut conn, c, LEASE).await.expect("released"));
        assert!(task::again(&mut conn, d, LEASE).await.expect("again"));
        assert_eq!(task::finish(&mut conn, e).await.expect("finished"), Finished::Done);
        task::hasten(&mut conn, &corp, kind, &f.subject, 1, Utc::now()).await.expect("marked");
        assert_eq!(task::finish(&mut conn, f).await.expect("finished"), Finished::MarkedAgain);
        assert!(!task::standing(&mut conn).await.expect("counted").is_empty());
        drop(conn);
        self.forget_tasks().await;
    }

    /// What was asked for goes, so that no round does another one's tasks. Not measured.
    async fn forget_tasks(&self) {
        self.acting.app.db.execute("delete from task where due_at < now() + interval '1 day'").await;
    }

    /// A greeting and two files.
    async fn ledgers(&self, round: u32) {
        let (corp, media_id) = (self.corp(), format!("m{round}"));
        let (customer, user) = (ExternalUserId(format!("wm{round}A0")), UserId::from("anna"));
        let mut conn = self.pool.acquire().await.expect("connects");
        let due = welcome::Due {
            corpid: &corp,
            code_hash: [u8::try_from(round).expect("small"); 32],
            customer: &customer,
            user: Some(&user),
            open_kfid: None,
            app_id: 1,
            state: None,
            received_at: Utc::now(),
        };
        let ledger = welcome::open(&mut conn, &due).await.expect("opened");
        welcome::begin(&mut conn, ledger.id).await.expect("begun");
        let end = welcome::End::of(WelcomeOutcome::Sent);
        assert!(welcome::end(&mut conn, ledger.id, &end).await.expect("ended"));
        welcome::names(&mut conn, &corp, &customer, &user).await.expect("names");
        let fetched = media::Fetched {
            location: "x".to_owned(),
            content_type: "image/png".to_owned(),
            filename: None,
            bytes: 1,
            sha256: vec![0; 32],
        };
        media::keep(&mut conn, &corp, &media_id, &fetched).await.expect("kept");
        assert!(media::is_fetched(&mut conn, &corp, &media_id).await.expect("asked"));
        let gone = format!("gone{round}");
        media::give_up(&mut conn, &corp, &gone, MediaState::Gone, "gone").await.expect("noted");
    }

    /// Cards that are read again.
    async fn executor(&self) {
        for customer in ["wmBASEB", "wmBASEC", "wmBASEG"] {
            self.acting.enqueue(TaskKind::RefreshContact, customer, None).await;
        }
        self.acting.enqueue(TaskKind::RefreshMember, "anna", None).await;
        let admin = &self.acting.app.app.admin_half;
        for kind in [TaskKind::RefreshContact, TaskKind::RefreshMember] {
            let (pool, wecom, media) = (self.pool.clone(), admin.wecom.clone(), admin.media.clone());
            let mut executor = Executor::new(
                Context { pool, wecom, media, handover: HANDOVER, kf: kf_settings(), archive: None },
                WorkerPool::of(kind, 1),
            );
            while executor.step().await.expect("the database answers") != Step::Idle {}
        }
        assert_eq!(self.acting.left(TaskKind::RefreshMember).await.iter().filter(|it| it.contains("anna")).count(), 0);
    }

    /// A whole run over the two members who are always there.
    async fn reconcile(&self) {
        self.acting.sees_only(&["anna", "carl"]);
        let sync = Sync { pool: self.pool.clone(), wecom: self.acting.app.app.admin_half.wecom.clone() };
        let mut conn = self.pool.acquire().await.expect("connects");
        let asked = sync::ask(&mut conn, &self.corp()).await.expect("asked");
        drop(conn);
        let mut run = sync.take(Which::One(asked.run())).await.expect("taken").expect("no worker has claimed it");
        assert_eq!(to_the_end(&mut run).await, Over::Done);
        self.acting.platform.with(|world| {
            world.app_mut(AppKind::App).expect("an app").visible = Visible::Everybody;
        });
    }

    /// A leaver's customers reach their successor.
    async fn hand_over(&mut self, round: u32) {
        let customers: Vec<_> = (0..4).map(|n| ExternalUserId(format!("wm{round}LEFT{n}"))).collect();
        let (user, successor) = (format!("lea{round}"), format!("bob{round}"));
        self.acting.successor(&successor).await;
        let id = self.acting.leaver(&user, &customers).await;
        let group = self.acting.group_in(id, &user, "邻居").await;
        let (corp, db) = (self.corp(), &self.acting.app.db);
        db.execute(&format!(
            "insert into work_order (corpid, customer_id, description, state, staff_id)
             values ('{corp}', 'O{round}', '漏水', 'assigned', 'S-{user}')"
        ))
        .await;
        let mut conn = self.pool.acquire().await.expect("connects");
        assert_eq!(handover::collect_orders(&mut conn, id).await.expect("collects"), 1);
        assert_eq!(handover::collect_groups(&mut conn, id, &[group]).await.expect("collects"), 0);
        drop(conn);
        self.acting.plan(id, &successor).await;
        self.acting.let_go(id).await;
        self.drive(id).await;
        self.acting.platform.advance(DAY);
        self.acting.platform.pushed().await;
        self.drain().await;
        self.drive(id).await;
        db_unanswered(&self.acting, id).await;
        let mut conn = self.pool.acquire().await.expect("connects");
        handover::found_calls(&mut conn, id, Utc::now()).await.expect("found");
        drop(conn);
        let done = format!("select count(*) from handover_item where handover_id = {id} and state = 'done'");
        assert_eq!(self.acting.app.db.count(&done).await, 6, "four customers, a group and an order");
        self.forget_tasks().await;
    }

    async fn drive(&self, id: i64) {
        let wecom = &self.acting.app.app.admin_half.wecom;
        Driver::new(&self.pool, wecom, &HANDOVER, id).run().await.expect("driven");
    }

    /// What the housekeeper does, what retention looks for, and what is counted for the metrics.
    async fn sweep(&self) {
        let admin = &self.acting.app.app.admin_half;
        Housekeeper::new(self.pool.clone(), admin.wecom.clone(), admin.rules.clone()).round().await.expect("a round");
        let needless = "select count(*) from contact_way where expires_at < now() and deleted_at is null";
        assert_eq!(self.acting.app.db.count(needless).await, 0);
        let mut conn = self.pool.acquire().await.expect("connects");
        handover::stuck(&mut conn, TimeDelta::hours(26)).await.expect("counted");
        let mut transaction = sqlx::Connection::begin(&mut *conn).await.expect("begins");
        members::not_named_since(&mut transaction, &self.corp(), Utc::now(), &[]).await.expect("read");
        transaction.commit().await.expect("commits");
        let mut conn = self.fresh.acquire().await.expect("connects");
        let (before, after) = (at(self.begin - 86_400), at(self.begin));
        retention::count_files(&mut conn, before).await.expect("counted");
        retention::old_files(&mut conn, before, 100).await.expect("read");
        retention::files_of_records(&mut conn, before, after, 100).await.expect("read");
        retention::count_stray_records(&mut conn, before).await.expect("counted");
        inbox::forget_ignored(&mut conn, before, after).await.expect("forgotten");
    }
}

/// Nobody saw the answers to a handover's calls. Not measured.
async fn db_unanswered(acting: &Acting, handover: i64) {
    let unanswered = format!("update handover_call set outcome = null where handover_id = {handover}");
    acting.app.db.execute(&unanswered).await;
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("a time")
}

/// The callbacks of a round: at least one of every kind.
fn plaintexts(at: i64, round: u32) -> Vec<String> {
    let mut all = Vec::new();
    // People who were there before; in the first round nobody was.
    let people = if round == 0 { "EARLIER" } else { "FILLER" };
    for n in 0..9 {
        let (states, code) = ([format!("cust:N{round}{n}"), format!("way_{round}x{n}")], format!("code{round}{n}"));
        let more: &[(&str, &str)] = match n % 3 {
            0 => &[("State", &states[0])],
            1 => &[("State", &states[1]), ("WelcomeCode", &code)],
            _ => &[],
        };
        let customer = format!("wm{round}A{n}");
        all.push(contact(at + n, "add_external_contact", "dora", &customer, more));
        all.push(contact(at + n, "add_half_external_contact", "carl", &customer, &[]));
        all.push(text(at + 20 + n, &customer, "水管漏水", 1));
        let known = |of: i64| {
            let user = if of % 2 == 0 { "dora".to_owned() } else { format!("filler{}", of % 20) };
            (user, format!("wm{people}{of}"))
        };
        for (change, first) in [
            ("edit_external_contact", 1_100),
            ("del_external_contact", 1_200),
            ("del_follow_user", 1_300),
            ("transfer_fail", 1_400),
        ] {
            let (user, customer) = known(first + 10 * i64::from(round) + n);
            all.push(contact(at + 40, change, &user, &customer, &[("FailReason", "customer_refused")]));
        }
    }
    all.push(text(at + 60, "anna", "好的", 2));
    all.push(picture(at + 61, "anna", &format!("m{round}x")));
    all.push(member(at + 62, "create_user", &format!("u{round}x1"), &[("Name", "Ann")]));
    all.push(member(at + 62, "create_user", &format!("u{round}x2"), &[("Name", "Bea")]));
    all.push(member(at + 63, "update_user", &format!("u{round}x2"), &[("NewUserID", &format!("v{round}x2"))]));
    all.push(member(at + 64, "delete_user", &format!("u{round}x1"), &[]));
    all.push(event(at + 65, "something_new", &[]));
    // An erased customer's event, and an unreadable plaintext.
    all.push(contact(at + 66, "edit_external_contact", "anna", &format!("wm{round}GONE"), &[]));
    all.push(format!("<xml>{round}"));
    all
}
