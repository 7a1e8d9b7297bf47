//! No secret is ever written down in the clear: not in the database, not in a log that tells everything, not in an answer.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use wecomd::{
    app_config::NewConfig,
    config::Config,
    crypto::CallbackKeys,
    sandbox::{App, AppKind, Corp, Push, Sender},
    tables::{access::api_token, apps::sealed},
    vault::{ApiToken, Vault},
};

use crate::support::{
    Company, Daemon, TestDb, folder::Folder, http::Answer, plaintext::contact, wait::until, wecom::platform,
};

const BASE: &str = "/api/enterprise-wechat";

/// The most verbose logging of every module, libraries included.
const EVERYTHING: &str = "trace,sqlx=trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace";

/// The password of the database's user; the tests' database accepts any.
const DATABASE_PASSWORD: &str = "pw-of-the-database-0815";

/// A secret, and what to call it when it was found where it must not be.
struct Secret {
    name: String,
    text: String,
}

impl Secret {
    fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The forms in which somebody might have written it down.
    fn forms(&self) -> [String; 3] {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let bytes = self.text.as_bytes();
        [self.text.clone(), hex::encode(bytes), STANDARD.encode(bytes).trim_end_matches('=').to_owned()]
    }
}

/// Fails if one of the secrets stands in a text.
fn assert_silent(secrets: &[Secret], place: &str, text: &str) {
    for secret in secrets {
        for form in secret.forms() {
            assert!(form.len() >= 8, "{} is too short to be looked for", secret.name);
            assert!(!text.contains(&form), "{} is found in {place} as {form}", secret.name);
        }
    }
}

/// Every row of every table, whatever its schema, as text.
async fn dump(db: &TestDb) -> Vec<(String, String)> {
    let tables = db
        .texts(
            "select it.oid::regclass::text from pg_class it join pg_namespace on pg_namespace.oid = relnamespace
             where relkind in ('r', 'p') and not relispartition
                 and nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_'",
        )
        .await;
    let mut found = Vec::new();
    for table in tables {
        let rows = db.texts(&format!("select it::text from {table} it")).await;
        found.push((table, rows.join("\n")));
    }
    found
}

/// Every secret that the database holds sealed, opened.
async fn sealed_secrets(db: &TestDb, vault: &Vault) -> Vec<Secret> {
    let mut conn = db.pool.acquire().await.expect("connects");
    let values = sealed::values(&mut conn, "", None, 1_000).await.expect("listed");
    let opened = |it: sealed::Value| {
        let text = vault.open(&it.place, &it.sealed).expect("it opens");
        (!text.expose_secret().is_empty()).then(|| Secret::new(it.place, text.expose_secret()))
    };
    values.into_iter().filter_map(opened).collect()
}

/// An administrator of a running daemon, and all that it answered them.
struct Asking<'a> {
    wecomd: &'a Daemon,
    bearer: String,
    answers: String,
}

impl Asking<'_> {
    async fn ask(&mut self, method: &str, path: &str, body: Value) -> Answer {
        let answer = self.wecomd.ask(&self.bearer, method, &format!("{BASE}{path}"), &body.to_string()).await;
        self.answers.push_str(&answer.text());
        answer
    }

    /// Secrets come in, well and badly formed, and WeCom is asked with them. What its owner is shown once comes back.
    async fn secrets_come_and_go(&mut self, app: &App) -> [Secret; 2] {
        assert_eq!(self.ask("POST", "/config", json!({ "name": app.name, "secret": app.secret })).await.status, 200);
        for wrong in [
            json!({ "name": app.name, "secret": [app.secret] }),
            json!({ "name": app.name, "token": format!("{}-{}", app.token, app.token) }),
            json!({ "name": app.name, "encoding_aes_key": format!("{}=", app.encoding_aes_key) }),
        ] {
            assert!(matches!(self.ask("POST", "/config", wrong).await.status, 400 | 422));
        }
        assert_eq!(self.ask("POST", "/test-connection", json!({ "name": app.name })).await.status, 200);
        let made = self.ask("POST", "/api-tokens", json!({ "name": "crm", "role": "viewer" })).await.json();
        let made = made["token"].as_str().expect("a token").to_owned();
        let link = self.ask("POST", "/staff-bind/login", json!({ "staff_id": "E-1" })).await.json();
        let link = link["scan_url"].as_str().expect("a link").to_owned();
        let state = link.split("state=").nth(1).expect("a state").split(['&', '#']).next().expect("it ends").to_owned();
        assert_eq!(self.ask("POST", "/sync", json!({})).await.status, 202);
        [Secret::new("another token", made), Secret::new("a login's state", state)]
    }

    /// Callbacks come under the keys that are about to be replaced, and after that; with a code for a greeting.
    async fn keys_are_replaced(&mut self, db: &TestDb, app: &App, sender: &Sender, member: &str) {
        let push = |at: i64, customer: &str| {
            let code = format!("CODE-{customer}");
            let more = [("WelcomeCode", code.as_str())];
            Push::genuine(AppKind::App, contact(at, "add_external_contact", member, customer, &more))
        };
        assert!(sender.deliver(&push(1_700_000_000, "wmAlice")).await.answered_200);
        let next = Corp::from_seed(2).app(AppKind::App).expect("an app").clone();
        let change = json!({ "name": app.name, "token": next.token, "encoding_aes_key": next.encoding_aes_key });
        assert_eq!(self.ask("POST", "/config", change).await.status, 200);
        for (place, customer) in ["wmBob", "wmCarol", "wmDave"].into_iter().enumerate() {
            let at = 1_700_000_001 + i64::try_from(place).expect("small");
            assert!(sender.deliver(&push(at, customer)).await.answered_200, "the old keys open for a while");
        }
        let three = "select count(*) from callback_key_use where deliveries = 3";
        until("deliveries under the old keys are counted", async || db.count(three).await == 1).await;
        let shown = self.ask("GET", "/config", json!(null)).await.json();
        let shown = shown["items"].as_array().expect("apps").iter().find(|it| it["name"] == app.name.as_str()).cloned();
        assert_eq!(shown.expect("the app")["previous_keys_deliveries"], 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_the_database_or_in_the_most_verbose_log() {
    let (db, company, platform) = (TestDb::new().await, Company::new(), platform().await);
    company.save(&db.pool).await;
    let url = db.url.expose_secret().replacen("@", &format!(":{DATABASE_PASSWORD}@"), 1);
    assert!(url.contains(DATABASE_PASSWORD), "{url}");
    let base_url = platform.base_url();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("WECOMD_LOG", EVERYTHING),
        ("WECOMD_WECOM__BASE_URL", base_url.as_str()),
        ("WECOMD_WECOM__PUBLIC_URL", "https://wecomd.example.com"),
        ("WECOMD_TASKS__ENABLED", "true"),
    ];
    let mut wecomd = Daemon::start(&company.key, &settings, &[]).await;
    let token = ApiToken::new();
    let mut conn = db.pool.acquire().await.expect("connects");
    api_token::create(&mut conn, "me", wecomd::states::Role::Admin, &token.hash, &token.prefix).await.expect("a token");
    drop(conn);
    let mut secrets = vec![
        Secret::new("the admin token", token.secret.expose_secret()),
        Secret::new("the master key", company.key.trim_start_matches("1:")),
        Secret::new("the database's password", DATABASE_PASSWORD),
    ];
    let bearer = format!("Bearer {}", token.secret.expose_secret());
    let mut asking = Asking { wecomd: &wecomd, bearer, answers: String::new() };
    let app = company.corp.app(AppKind::App).expect("an app");
    let shown_once = asking.secrets_come_and_go(app).await;
    let member = platform.with(|world| world.members().next().expect("a member").userid.0.clone());
    asking.keys_are_replaced(&db, app, &company.sender(wecomd.public), &member).await;
    let answers = asking.answers;

    let wrong = ApiToken::new();
    let stranger = format!("Bearer {}", wrong.secret.expose_secret());
    assert_eq!(wecomd.ask(&stranger, "GET", &format!("{BASE}/config"), "").await.status, 401);
    let asked = "select count(*) from wecom_token where token is not null";
    until("WeCom was asked", async || db.count(asked).await >= 1).await;
    until("nothing is to be done any more", async || {
        db.count("select count(*) from pending_delivery").await == 0
            && db.count("select count(*) from task where due_at <= now() and parked_at is null").await == 0
    })
    .await;

    secrets.push(Secret::new("a token that somebody tried", wrong.secret.expose_secret()));
    secrets.extend(sealed_secrets(&db, &company.vault).await);
    assert!(secrets.iter().any(|it| it.name.contains("previous_token")), "the old keys are there");
    assert!(secrets.iter().any(|it| it.name.contains("wecom_token")), "an access token is there");
    // A secret that its owner is shown once may appear in that answer.
    assert_silent(&secrets, "an answer", &answers);
    secrets.extend(shown_once);

    wecomd.terminate();
    assert!(wecomd.ended().await.success());
    let log = wecomd.log();
    let all = log.contains("TRACE") && log.contains("pooling idle connection");
    assert!(all, "the log is too short to be verbose: {} bytes", log.len());
    assert_silent(&secrets, "the log", &log);
    let tables = dump(&db).await;
    assert!(tables.len() > 30, "{}", tables.len());
    for (table, text) in tables {
        assert_silent(&secrets, &table, &text);
    }
    db.close().await;
    platform.stop().await;
}

#[test]
fn debug_output_of_types_with_secrets_shows_none() {
    let folder = Folder::new("secrets");
    let key = folder.path().join("master.key");
    let vault = Vault::generate(&key).expect("a key");
    let master = std::fs::read_to_string(&key).expect("the key");
    let (token, aes) = ("TokenOfTheCallback", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
    let keys = CallbackKeys::new(token, aes).expect("good keys");
    let of = |text: &str| Some(SecretString::from(text));
    let new =
        NewConfig { secret: of("SecretOfTheApp"), token: of(token), encoding_aes_key: of(aes), ..Default::default() };
    let database_url = format!("postgres://wecomd:{DATABASE_PASSWORD}@db/wecomd").into();
    let mut config = Config { database_url, ..Config::default() };
    config.wecom.proxy = "http://me:pw-of-the-proxy-4711@proxy:3128".into();
    let made = ApiToken::new();
    let printed = format!("{vault:?} {keys:?} {new:?} {config:?} {made:?}");
    let mut secrets = vec![Secret::new("the master key", master.trim().trim_start_matches("1:"))];
    for (name, text) in [
        ("a Token", token),
        ("an EncodingAESKey", aes),
        ("an app's secret", "SecretOfTheApp"),
        ("the database's password", DATABASE_PASSWORD),
        ("the proxy's password", "pw-of-the-proxy-4711"),
        ("an admin token", made.secret.expose_secret()),
    ] {
        secrets.push(Secret::new(name, text));
    }
    assert_silent(&secrets, "what is printed", &printed);
}

#[tokio::test]
async fn a_crash_leaves_no_dump_of_the_memory() {
    let (db, company) = (TestDb::new().await, Company::new());
    let mut wecomd = Daemon::start(&company.key, &[("DATABASE_URL", db.url.expose_secret())], &[]).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", wecomd.pid())).expect("its limits");
    let core = limits.lines().find(|it| it.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    wecomd.kill();
    db.close().await;
}
