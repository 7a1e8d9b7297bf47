//! A running wecomd in the test's own process, on free ports, with a pretend WeCom beside it.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use wecomd::{
    app::App,
    config::Config,
    crypto::seal_random,
    sandbox::{AppKind, Corp, Patience, Push, Report, Sender},
    tables::access::api_token,
    vault::{ApiToken, Vault},
    worker::{Settings, Step, Worker},
};

use super::{
    TestDb,
    company::{enlist, entrust},
    http::{Answer, request},
};

/// A port where nobody listens: `discard`.
pub(crate) const NOBODY: &str = "http://127.0.0.1:9";

/// Callbacks under way at once.
const CONCURRENCY: usize = 8;

/// wecomd with the apps of a made-up company, a database, and an administrator's token.
pub(crate) struct TestApp {
    pub(crate) db: TestDb,
    pub(crate) app: App,
    pub(crate) corp: Corp,
    pub(crate) sender: Sender,
    pub(crate) token: SecretString,
}

impl TestApp {
    /// Starts it without workers and executors: a test records by [`TestApp::drain`], when it wants to.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let db = TestDb::new().await;
        let url = db.url.clone();
        Self::start_at(db, &url, change).await
    }

    /// Starts it with another way to its database.
    pub(crate) async fn start_at(db: TestDb, url: &SecretString, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        config.worker.enabled = false;
        config.tasks.enabled = false;
        change(&mut config);
        let app = App::start(&config, url, Arc::new(Vault::random())).await.expect("it starts");
        let corp = Corp::from_seed(1);
        let mut conn = db.pool.acquire().await.expect("connects");
        enlist(&mut conn, &app.admin_half.vault, &corp).await;
        app.admin_half.apps.refresh().await.expect("the apps are read");
        let token = ApiToken::new();
        api_token::create(&mut conn, "test", wecomd::states::Role::Admin, &token.hash, &token.prefix)
            .await
            .expect("a token");
        drop(conn);
        let port = app.public.expect("a public door").port();
        let sender = Sender::new(&format!("http://127.0.0.1:{port}"), &corp, patience()).expect("an address");
        Self { db, app, corp, sender, token: token.secret }
    }

    /// Delivers pushes as WeCom would.
    pub(crate) async fn deliver(&self, pushes: Vec<Push>) -> Report {
        self.sender.deliver_all(pushes, CONCURRENCY, |_| ()).await
    }

    /// Posts one push as it is, without patience: `None` if the connection closed without an answer.
    pub(crate) async fn post(&self, push: &Push) -> Option<Answer> {
        let (target, body) = self.sealed(push);
        request(self.app.public.expect("a public door"), "POST", &target, &[], body.as_bytes()).await
    }

    /// Where a push goes, and the body that it is sent with.
    pub(crate) fn sealed(&self, push: &Push) -> (String, String) {
        let app = self.corp.app(push.app).expect("an app");
        let keys = app.keys().expect("valid keys");
        let sealed = seal_random(&keys, &app.receive_id, "1700000000", "1", push.plaintext.as_bytes());
        let target = format!("/callback/{}?{}", app.name, sealed.query());
        (target, sealed.push_xml(self.corp.corpid.as_str(), &app.agentid))
    }

    /// Delivers one plaintext to the app, as WeCom would, and records it.
    pub(crate) async fn record(&self, plaintext: &str) {
        let report = self.deliver(vec![Push::genuine(AppKind::App, plaintext.to_owned())]).await;
        assert_eq!(report.acked.len(), 1, "{report:?}");
        self.drain().await;
    }

    /// Saves the secrets of the company's apps, so that WeCom can be asked.
    pub(crate) async fn entrust(&self) {
        let mut conn = self.db.pool.acquire().await.expect("connects");
        entrust(&mut conn, &self.app.admin_half.vault, &self.corp).await;
    }

    /// Records everything that is due.
    pub(crate) async fn drain(&self) {
        let mut worker = Worker::new(self.db.options(), Settings { batch_max: 100, attempts_max: 3 });
        while worker.step().await.expect("the database answers") != Step::Idle {}
    }

    /// Asks the admin API as an administrator.
    pub(crate) async fn ask(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        let bearer = format!("Bearer {}", self.token.expose_secret());
        self.ask_as(&bearer, method, target, body).await
    }

    /// Asks the admin API with these credentials.
    pub(crate) async fn ask_as(&self, bearer: &str, method: &str, target: &str, body: Option<Value>) -> Answer {
        let body = body.map(|it| it.to_string()).unwrap_or_default();
        let headers = [("authorization", bearer)];
        request(self.app.admin, method, target, &headers, body.as_bytes()).await.expect("an answer")
    }

    /// Asks the admin API as an administrator, with any bytes.
    pub(crate) async fn ask_raw(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.token.expose_secret());
        request(self.app.admin, method, target, &[("authorization", &bearer)], body).await.expect("an answer")
    }

    /// A pretend WeCom of another company, or with other keys.
    pub(crate) fn sender_of(&self, corp: &Corp) -> Sender {
        let port = self.app.public.expect("a public door").port();
        Sender::new(&format!("http://127.0.0.1:{port}"), corp, patience()).expect("an address")
    }

    pub(crate) async fn finish(self) {
        self.app.stop().await;
        self.db.close().await;
    }
}

/// Settings for tests: free ports, nothing to wait for.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    (config.public_listen, config.admin_listen) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    config.sync.every_hours = 0;
    // A test that needs a WeCom starts a simulated one; the real one is never called.
    config.wecom.base_url = NOBODY.to_owned();
    // A test that needs it gives it a folder.
    config.spool.enabled = false;
    config
}

fn patience() -> Patience {
    Patience { answer_limit: Duration::from_secs(30), ..Patience::default() }
}
