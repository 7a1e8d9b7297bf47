//! A company at the pretend WeCom, a database that knows its apps, and runs that reconcile the two step by step.

use std::{collections::BTreeSet, net::Ipv4Addr, num::NonZeroU32, sync::Arc, time::Duration};

use chrono::TimeDelta;
use wecomd::{
    app_config::{NewConfig, save},
    ids::{ExternalUserId, UserId},
    inbox::{Inbox, Wake},
    sandbox::{AppKind, Corp, Platform, Size, World},
    sync::{self, Over, Run, Step, Sync},
    tables::sync::sync_run::Which,
    vault::Vault,
    wecom::{Limits, Settings, Wecom},
    worker::{self, Worker},
};

use super::{TestDb, company::enlist};

/// A budget that never makes a call wait: the pretend WeCom takes as many as it gets.
const PLENTY: NonZeroU32 = NonZeroU32::new(1_000).expect("it is written here");

/// Where pages of customers come from.
pub(crate) const PAGES: &str = "externalcontact/batch/get_by_user";

/// A run of a small company never takes as many steps.
const STEPS_MAX: usize = 2_000;

/// The company of a test.
pub(crate) struct Scene {
    pub(crate) db: TestDb,
    pub(crate) corp: Corp,
    pub(crate) platform: Platform,
    pub(crate) sync: Sync,
    vault: Arc<Vault>,
}

impl Scene {
    pub(crate) async fn start(size: Size) -> Self {
        Self::start_with(size, Vault::random()).await
    }

    pub(crate) async fn start_with(size: Size, vault: Vault) -> Self {
        let (db, corp, vault) = (TestDb::new().await, Corp::from_seed(1), Arc::new(vault));
        let world = World::of(&corp, size, 1);
        let platform = Platform::start(world, (Ipv4Addr::LOCALHOST, 0).into()).await.expect("a port");
        let mut conn = db.pool.acquire().await.expect("connects");
        enlist(&mut conn, &vault, &corp).await;
        let secret = platform.with(|world| world.app(AppKind::App).expect("an app").secret().to_owned());
        let name = corp.app(AppKind::App).expect("an app").name.clone();
        let with_secret = NewConfig { name, secret: Some(secret.into()), ..NewConfig::default() };
        save(&mut conn, &vault, TimeDelta::zero(), with_secret).await.expect("saved");
        drop(conn);
        let sync = Sync { pool: db.pool.clone(), wecom: way(&platform, &db, &vault) };
        Self { db, corp, vault, platform, sync }
    }

    /// The same, seen by a process that remembers nothing, after the one before has died.
    pub(crate) async fn in_another_process(mut self) -> Self {
        self.leases_end().await;
        self.sync.wecom = way(&self.platform, &self.db, &self.vault);
        self
    }

    /// Asks for a run and takes it.
    pub(crate) async fn begin(&self) -> Run {
        let mut conn = self.db.pool.acquire().await.expect("connects");
        let asked = sync::ask(&mut conn, &self.corp.corpid).await.expect("asked");
        drop(conn);
        self.sync.take(Which::One(asked.run())).await.expect("taken").expect("no worker has claimed it")
    }

    /// A whole run, which goes well; returns its number.
    pub(crate) async fn reconcile(&self) -> i64 {
        let mut run = self.begin().await;
        assert_eq!(to_the_end(&mut run).await, Over::Done);
        run.id()
    }

    /// Whoever worked at runs is dead for long, and what they waited for is over.
    pub(crate) async fn leases_end(&self) {
        self.db.execute("update sync_run set leased_until = now() - interval '1 second', due_at = now()").await;
    }

    /// Records these callbacks, sent to the app.
    pub(crate) async fn record(&self, plaintexts: &[String]) {
        let name = &self.corp.app(AppKind::App).expect("an app").name;
        let id = self.db.count(&format!("select id::bigint from enterprise_wechat_config where name = '{name}'")).await;
        let (inbox, committer) = Inbox::start(self.db.options(), Wake::default());
        for plaintext in plaintexts {
            let app = i32::try_from(id).expect("small");
            inbox.accept(app, "any", plaintext.clone().into_bytes()).await.expect("stored");
        }
        drop(inbox);
        committer.await.expect("the committer ends");
        let settings = worker::Settings { batch_max: 100, attempts_max: 1 };
        let mut worker = Worker::new(self.db.options(), settings);
        while worker.step().await.expect("records") != worker::Step::Idle {}
        assert_eq!(self.db.count("select count(*) from parked").await, 0);
    }

    /// The contacts that WeCom would name.
    pub(crate) fn named(&self) -> BTreeSet<String> {
        let contacts = self.platform.with(|world| {
            let serving: Vec<_> =
                world.members().filter(|it| it.customer_contact).map(|it| it.userid.clone()).collect();
            serving.into_iter().map(|user| (world.customers_of(&user), user)).collect::<Vec<_>>()
        });
        let lines = contacts
            .into_iter()
            .flat_map(|(customers, user)| customers.into_iter().map(move |customer| format!("{customer} of {user}")));
        lines.collect()
    }

    /// The contacts that stand here.
    pub(crate) async fn held(&self) -> BTreeSet<String> {
        let rows = "select external_userid || ' of ' || wechat_userid from customer_wechat_contact
            where status = 'contacted' and card is not null";
        self.db.texts(rows).await.into_iter().collect()
    }

    /// What a run found, line by line, without its examples' random parts.
    pub(crate) async fn drift(&self, run: i64) -> Vec<String> {
        let lines = format!(
            "select concat_ws(' | ', kind, nullif(external_userid, ''), nullif(wechat_userid, ''), held, found)
             from sync_drift where run_id = {run} order by kind, external_userid, wechat_userid"
        );
        self.db.texts(&lines).await
    }

    /// A serving member who has customers, and the first of them; the `nth` of such members.
    pub(crate) fn somebody(&self, nth: usize) -> (UserId, ExternalUserId) {
        self.platform.with(|world| {
            let serving: Vec<_> =
                world.members().filter(|it| it.customer_contact).map(|it| it.userid.clone()).collect();
            let mut busy = serving.into_iter().filter_map(|user| {
                let first = world.customers_of(&user).into_iter().next()?;
                Some((user, first))
            });
            busy.nth(nth).expect("many have customers")
        })
    }

    pub(crate) async fn finish(self) {
        self.platform.stop().await;
        self.db.close().await;
    }
}

/// A way to the pretend WeCom, with a memory of its own.
fn way(platform: &Platform, db: &TestDb, vault: &Arc<Vault>) -> Wecom {
    let budget = Limits { corp_per_second: PLENTY, path_per_second: PLENTY, concurrency: PLENTY };
    let settings = Settings { base_url: platform.base_url(), proxy: None, timeout: Duration::from_secs(10), budget };
    Wecom::new(&settings, db.pool.clone(), vault.clone()).expect("a client")
}

/// Takes steps until the run is over.
pub(crate) async fn to_the_end(run: &mut Run) -> Over {
    for _ in 0..STEPS_MAX {
        match run.step().await.expect("the database answers") {
            Step::Went => {}
            // Pauses are for the world outside; nobody waits here.
            Step::Waits(_) => {}
            Step::Over(over) => return over,
        }
    }
    panic!("the run has no end")
}

/// Takes so many steps, which go well.
pub(crate) async fn steps(run: &mut Run, count: usize) {
    for _ in 0..count {
        assert_eq!(run.step().await.expect("the database answers"), Step::Went);
    }
}
