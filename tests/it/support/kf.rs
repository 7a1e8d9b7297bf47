//! wecomd with an account of 微信客服 at the pretend WeCom. Nothing is pulled or routed by itself.

use chrono::Utc;
use serde_json::{Value, json};
use wecomd::{
    changes::TaskKind,
    config::Config,
    ids::{ExternalUserId, UserId},
    inbox::{self, Deposit},
    sandbox::KfAccount,
    states::{KfRoute, Origin},
    tasks::{Context, Executor, Step, WorkerPool, kf::Settings},
};

use super::{Acting, acting::context};

/// The pull of an account.
pub(crate) const SYNC: &str = "kf/sync_msg";

/// A customer of these tests.
pub(crate) const PERSON: &str = "wmKFPERSON0000000000000000000001";

/// wecomd, and an account that it manages.
pub(crate) struct Desk {
    pub(crate) acting: Acting,
    pub(crate) open_kfid: String,
}

impl Desk {
    /// An account with the servicers ann and bob.
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let acting = Acting::start_with(change).await;
        acting.member("ann", "安娜", &[]);
        acting.member("bob", "鲍勃", &[]);
        let open_kfid = acting.platform.with(|world| world.add_kf_account("水暖报修", &["ann", "bob"]));
        Self { acting, open_kfid }
    }

    /// At WeCom, a member has this customer as a contact.
    pub(crate) fn befriend(&self, user: &str, customer: &str) {
        let (user, customer) = (UserId::from(user), ExternalUserId::from(customer));
        self.acting.platform.with(|world| assert!(world.add_contact(&user, &customer, "小雨")));
    }

    /// A customer writes.
    pub(crate) async fn writes(&self, customer: &str, text: &str) {
        let customer = ExternalUserId::from(customer);
        self.acting.platform.kf_write(&self.open_kfid, &customer, text).await.expect("an account");
    }

    /// A customer enters through a link.
    pub(crate) async fn enters(&self, customer: &str, scene_param: &str) {
        let customer = ExternalUserId::from(customer);
        self.acting.platform.kf_enter(&self.open_kfid, &customer, scene_param).await.expect("an account");
    }

    /// Records the callbacks, pulls what they tell of, and records that.
    pub(crate) async fn pull(&self) {
        self.acting.settle(TaskKind::PullKf).await;
        self.acting.app.drain().await;
    }

    /// Asks for a pull without a callback's token, and does it.
    pub(crate) async fn pull_without_token(&self) {
        self.acting.enqueue(TaskKind::PullKf, &self.open_kfid, None).await;
        self.acting.act(TaskKind::PullKf).await;
    }

    /// Routes what waits, by this rule.
    pub(crate) async fn route(&self, route: KfRoute) {
        self.acting.app.db.execute("update task set due_at = now() where parked_at is null").await;
        let settings = Settings { route, ..super::acting::kf_settings() };
        let context = Context { kf: settings, ..context(&self.acting.app) };
        let mut executor = Executor::new(context, WorkerPool::of(TaskKind::RouteKf, 1));
        while executor.step().await.expect("the database answers") != Step::Idle {}
    }

    /// Loses every callback that is not recorded yet.
    pub(crate) async fn lose_callbacks(&self) {
        self.acting.platform.pushed().await;
        self.acting.app.db.execute("delete from pending; delete from pending_group").await;
    }

    /// What customers and servicers said, as recorded: `type sender content`.
    pub(crate) async fn records(&self) -> Vec<String> {
        let query = "select contact_type || ' ' || sender || ' ' || content from wechat_contact_record
            where source = 'kf' order by contact_time, content";
        self.acting.app.db.texts(query).await
    }

    /// How often the account was pulled, and the tokens of these calls.
    pub(crate) fn pulls(&self) -> Vec<(bool, i64)> {
        let calls = self.acting.platform.calls_of(SYNC);
        calls.into_iter().map(|it| (it.body.get("token").is_some(), it.errcode)).collect()
    }

    /// The state of a customer's session at WeCom, and who has it.
    pub(crate) fn session(&self, customer: &str) -> (i64, String) {
        let customer = ExternalUserId::from(customer);
        let found = self.acting.platform.with(|world| {
            let account = world.kf.account(&self.open_kfid).expect("an account");
            account.session(&customer)
        });
        let (state, servicer) = found.expect("a session");
        (state, servicer.map(|it| it.0).unwrap_or_default())
    }

    /// Changes the account at WeCom.
    pub(crate) fn change(&self, change: impl FnOnce(&mut KfAccount)) {
        let open_kfid = &self.open_kfid;
        self.acting.platform.with(|world| change(world.kf.account_mut(open_kfid).expect("an account")));
    }

    /// Deposits something that WeCom said, without a pull.
    pub(crate) async fn deposit(&self, at: i64, said: Value) {
        let app_id = self.acting.app.db.count("select min(id)::bigint from enterprise_wechat_config").await;
        let item = Deposit {
            app_id: i32::try_from(app_id).expect("small"),
            origin: Origin::Kf,
            event_at: chrono::DateTime::from_timestamp(at, 0).expect("in range"),
            plaintext: said.to_string().into_bytes(),
        };
        let mut conn = self.acting.app.db.pool.acquire().await.expect("connects");
        inbox::deposit(&mut conn, vec![item]).await.expect("stored");
    }

    /// A text of a customer as WeCom sends it.
    pub(crate) fn said(&self, msgid: &str, at: i64, customer: &str, text: &str) -> Value {
        json!({
            "msgid": msgid, "open_kfid": self.open_kfid, "external_userid": customer, "send_time": at, "origin": 3,
            "msgtype": "text", "text": { "content": text },
        })
    }

    pub(crate) async fn finish(self) {
        self.acting.finish().await;
    }
}

/// Now, in seconds.
pub(crate) fn now() -> i64 {
    Utc::now().timestamp()
}
