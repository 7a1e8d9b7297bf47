//! The command line, as the person at it meets it: what it prints, where, and with which exit code.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Stdio,
    time::Duration,
};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};
use wecomd::sandbox::{App, AppKind, Corp, Push};

use crate::support::{
    Company, Daemon, TestApp, TestDb,
    daemon::{free_port, program, signal},
    folder::Folder,
    http::request,
    plaintext::{contact, event},
    wait::until,
};

/// Longer than any command takes, the demo's PostgreSQL on a busy machine included.
const LIMIT: Duration = Duration::from_secs(120);

/// All is well; something failed; the command line or the configuration is wrong.
const WELL: i32 = 0;
const FAILED: i32 = 1;
const WRONG: i32 = 2;

/// A user's folder and environment.
pub(crate) struct Shell {
    pub(crate) folder: Folder,
    env: Vec<(&'static str, String)>,
}

/// The result of a command.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Shell {
    /// An environment without any settings.
    pub(crate) fn bare() -> Self {
        Self { folder: Folder::new("cli"), env: Vec::new() }
    }

    /// An environment with the database's URL.
    fn with(db: &TestDb) -> Self {
        Self { env: vec![("DATABASE_URL", db.url.expose_secret().to_owned())], ..Self::bare() }
    }

    pub(crate) fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "").await
    }

    async fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut command = Command::from(program(self.folder.path()));
        command.args(arguments).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("wecomd starts");
        let mut input = child.stdin.take().expect("piped");
        // A command that does not read its input may have ended already.
        let _ = input.write_all(stdin.as_bytes()).await;
        drop(input);
        let output = timeout(LIMIT, child.wait_with_output()).await.expect("it ends in time").expect("it can be read");
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        let code = output.status.code().expect("it ends by itself");
        Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command that must succeed, and returns its output.
    pub(crate) async fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments).await;
        assert_eq!(ran.code, WELL, "{arguments:?}: {ran:?}");
        ran.stdout
    }
}

#[tokio::test]
async fn the_help_names_every_command_and_every_command_has_help() {
    let shell = Shell::bare();
    let help = shell.ok(&["--help"]).await;
    let commands = [
        "serve",
        "demo",
        "sandbox",
        "migrate",
        "check",
        "config",
        "token",
        "audit",
        "inbox",
        "sync",
        "reporting",
        "backup",
        "restore",
        "key",
        "archive",
        "completions",
    ];
    for command in commands {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is missing in\n{help}");
        assert!(shell.ok(&[command, "--help"]).await.contains("Usage: wecomd "), "{command}");
    }
    let unknown = shell.run(&["serv"]).await;
    assert_eq!(unknown.code, WRONG);
    assert!(unknown.stderr.contains("'serve'"), "{}", unknown.stderr);
}

#[tokio::test]
async fn a_completion_script_knows_the_commands() {
    let script = Shell::bare().ok(&["completions", "bash"]).await;
    assert!(script.contains("complete -F _wecomd") && script.contains("inbox"), "{script}");
}

#[tokio::test]
async fn a_token_is_printed_alone_and_works_until_it_is_revoked() {
    let app = TestApp::start().await;
    let shell = Shell::with(&app.db);
    let printed = shell.ok(&["token", "create", "--role", "admin", "--name", "ops"]).await;
    let token = printed.trim_end();
    assert_eq!(printed, format!("{token}\n"));
    assert!(token.starts_with("wcd_") && !token.contains(char::is_whitespace), "{token}");

    let bearer = format!("Bearer {token}");
    let path = "/api/enterprise-wechat/config";
    assert_eq!(app.ask_as(&bearer, "GET", path, None).await.status, 200);

    let list = shell.ok(&["token", "list"]).await;
    let line = list.lines().find(|it| it.contains("ops")).expect("it is listed");
    assert!(line.contains("admin") && line.ends_with("live") && !line.contains(token), "{line}");

    let id = line.split_whitespace().next().expect("a number");
    shell.ok(&["token", "revoke", id]).await;
    assert_eq!(app.ask_as(&bearer, "GET", path, None).await.status, 401);
    let again = shell.run(&["token", "revoke", id]).await;
    assert_eq!((again.code, again.stdout.as_str()), (FAILED, ""));
    assert_eq!(shell.run(&["token", "create", "--role", "king", "--name", "x"]).await.code, WRONG);
    app.finish().await;
}

#[tokio::test]
async fn an_audit_reports_an_intact_log_or_the_damaged_line() {
    let app = TestApp::start().await;
    for customer in ["C-1", "C-2", "C-3"] {
        app.ask("GET", &format!("/api/enterprise-wechat/customer-contact/{customer}"), None).await;
    }
    let shell = Shell::with(&app.db);
    let said = shell.ok(&["audit", "verify"]).await;
    assert!(said.starts_with("OK: 3 lines are as they were written\nchain 1: 3 lines, the last is "), "{said}");
    let noted = shell.folder.path().join("noted");
    std::fs::write(&noted, &said).expect("written");
    let noted = noted.to_str().expect("text").to_owned();
    assert_eq!(shell.ok(&["audit", "verify", "--noted", &noted]).await, said);

    app.db
        .execute(
            "begin; set local session_replication_role = replica;
             delete from access_log where subject = 'C-2'; commit",
        )
        .await;
    let ran = shell.run(&["audit", "verify"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (FAILED, ""));
    assert!(ran.stderr.contains("chain 1: the line at place 2 is missing"), "{}", ran.stderr);
    app.finish().await;
}

#[tokio::test]
async fn a_token_can_be_limited_to_one_staff_member() {
    let app = TestApp::start().await;
    let shell = Shell::with(&app.db);
    shell.ok(&["token", "create", "--role", "viewer", "--name", "ann", "--staff", "S1"]).await;
    let corpid = app.corp.corpid.as_str();
    shell.ok(&["token", "create", "--role", "viewer", "--name", "bob", "--staff", "S2", "--corpid", corpid]).await;
    let owned = "select staff_id || ' ' || corpid from api_token where staff_id is not null order by 1";
    assert_eq!(app.db.texts(owned).await, [format!("S1 {corpid}"), format!("S2 {corpid}")]);

    let foreign =
        shell.run(&["token", "create", "--role", "viewer", "--name", "x", "--staff", "S3", "--corpid", "ww9"]).await;
    assert_eq!((foreign.code, foreign.stdout.as_str()), (FAILED, ""));
    assert!(foreign.stderr.contains("ww9"), "{}", foreign.stderr);
    let lonely = shell.run(&["token", "create", "--role", "viewer", "--name", "x", "--corpid", corpid]).await;
    assert_eq!(lonely.code, WRONG);
    let (viewer, admin) = (["token", "create", "--role", "viewer"], ["token", "create", "--role", "admin"]);
    let unowned = shell.run(&[&viewer[..], &["--name", "x", "--own-only"]].concat()).await;
    assert_eq!(unowned.code, WRONG);
    let chief = shell.run(&[&admin[..], &["--name", "x", "--staff-id", "S4", "--own-only"]].concat()).await;
    assert_eq!((chief.code, chief.stdout.as_str()), (FAILED, ""));
    assert!(chief.stderr.contains("must be viewer or operator"), "{}", chief.stderr);
    assert_eq!(app.db.count("select count(*) from api_token where name = 'x'").await, 0);

    let printed = shell.ok(&[&viewer[..], &["--name", "eve", "--staff-id", "S4", "--own-only"]].concat()).await;
    let bearer = format!("Bearer {}", printed.trim_end());
    let ask =
        async |path: &str| app.ask_as(&bearer, "GET", &format!("/api/enterprise-wechat/{path}"), None).await.status;
    assert_eq!((ask("work-orders").await, ask("config").await), (200, 403));
    let list = shell.ok(&["token", "list"]).await;
    assert!(list.contains("of S1\n") && list.contains("sees S4's own alone\n"), "{list}");
    app.finish().await;
}

#[tokio::test]
async fn a_token_can_have_an_expiry_date() {
    let db = TestDb::new().await;
    let shell = Shell::with(&db);
    shell.ok(&["token", "create", "--role", "viewer", "--name", "crm", "--expires", "30"]).await;
    let days = "select (expires_at - created_at = interval '30 days')::text from api_token";
    assert_eq!(db.texts(days).await, ["true"]);
    let list = shell.ok(&["token", "list"]).await;
    assert!(list.contains("never used  live until 20"), "{list}");
    db.execute("update api_token set expires_at = now()").await;
    assert!(shell.ok(&["token", "list"]).await.contains("  expired 20"));
    for days in ["0", "3651", "soon"] {
        let ran = shell.run(&["token", "create", "--role", "viewer", "--name", "x", "--expires", days]).await;
        assert_eq!(ran.code, WRONG, "{days}");
    }
    db.close().await;
}

#[tokio::test]
async fn check_finds_a_good_set_up_good_and_says_what_to_do_about_a_bad_one() {
    let (db, company) = (TestDb::new().await, Company::new());
    company.save(&db.pool).await;
    let (public, admin) = (free_port().to_string(), free_port().to_string());
    let ports = ["--public-listen", &public, "--admin-listen", &admin];
    let good = Shell::with(&db).and("WECOMD_MASTER_KEY", &company.key);
    let said = good.ok(&[&["check"][..], &ports].concat()).await;
    assert!(said.lines().count() >= 5 && said.lines().all(|it| it.starts_with("ok ")), "{said}");

    // Each problem is a line of its own with what to do, and the others are looked at all the same.
    let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let busy = busy.local_addr().map(|it| (busy, it.to_string())).expect("an address");
    let keyless = Shell::with(&db).run(&["check", "--public-listen", &busy.1, "--admin-listen", &admin]).await;
    assert_eq!(keyless.code, FAILED);
    assert!(keyless.stdout.contains("FAIL  master key: no master key: set WECOMD_MASTER_KEY"), "{keyless:?}");
    assert!(keyless.stdout.contains(&format!("FAIL  public listener: {} is in use", busy.1)), "{keyless:?}");
    assert!(
        keyless.stdout.contains("with --public-listen") && keyless.stdout.contains("ok    database"),
        "{keyless:?}"
    );

    // A key that is not the one the secrets were sealed with must not come out as good.
    let other = Shell::with(&db).and("WECOMD_MASTER_KEY", &Company::new().key);
    let other = other.run(&[&["check"][..], &ports].concat()).await;
    assert_eq!(other.code, FAILED);
    assert!(other.stdout.contains("FAIL  database: app") && other.stdout.contains("does not open"), "{other:?}");

    // Once a key is lost for good, its apps are closed, and added again under other names.
    let lost = Shell::with(&db).and("WECOMD_MASTER_KEY", &Company::new().key);
    for app in &company.corp.apps {
        lost.ok(&["config", "disable", &app.name]).await;
    }
    lost.ok(&[&["check"][..], &ports].concat()).await;
    db.close().await;

    let nowhere = Shell::bare().and("WECOMD_MASTER_KEY", &company.key);
    let url = db_named(std::env::var("WECOMD_TEST_DATABASE_URL").expect("a server"), "no_such_database");
    let nowhere = nowhere.run(&[&["check", "--database-url", &url][..], &ports].concat()).await;
    assert_eq!(nowhere.code, FAILED);
    assert!(nowhere.stdout.contains("FAIL  database: ") && nowhere.stdout.contains("DATABASE_URL"), "{nowhere:?}");
}

#[tokio::test]
async fn an_app_is_added_listed_without_secrets_closed_and_opened_again_while_wecomd_runs() {
    let (db, company) = (TestDb::new().await, Company::new());
    let url = db.url.expose_secret().to_owned();
    let wecomd = Daemon::start(&company.key, &[("DATABASE_URL", &url)], &[]).await;
    let shell = Shell::with(&db).and("WECOMD_MASTER_KEY", &company.key);
    let app = company.corp.app(AppKind::App).expect("an app");

    let added = shell.run_with(&["config", "add"], &description(&company.corp, app).to_string()).await;
    assert_eq!((added.code, added.stdout.as_str()), (WELL, "added; its callbacks go to /callback/service\n"));
    let changed = shell.run_with(&["config", "add"], r#"{"name": "service", "welcome_message": "您好"}"#).await;
    assert_eq!((changed.code, changed.stdout.as_str()), (WELL, "changed; its callbacks go to /callback/service\n"));

    let list = shell.ok(&["config", "list"]).await;
    assert!(list.contains("service") && list.contains(company.corp.corpid.as_str()), "{list}");
    let said = format!("{list}{added:?}{changed:?}");
    assert!([&app.token, &app.encoding_aes_key, "s3cret"].iter().all(|it| !said.contains(*it)), "{said}");

    // The running daemon hears of each change by itself.
    let verify = async || verified(wecomd.public, &company.corp, app).await;
    until("the app's URL is open", async || verify().await == 200).await;
    shell.ok(&["config", "disable", "service"]).await;
    until("the app's URL is closed", async || verify().await == 404).await;
    shell.ok(&["config", "enable", "service"]).await;
    until("the app's URL is open again", async || verify().await == 200).await;
    let unknown = shell.run(&["config", "disable", "servise"]).await;
    assert_eq!(unknown.code, FAILED);
    drop(wecomd);
    db.close().await;
}

#[tokio::test]
async fn an_invalid_app_is_refused_by_field_and_no_secret_is_printed() {
    let (db, company) = (TestDb::new().await, Company::new());
    let shell = Shell::with(&db).and("WECOMD_MASTER_KEY", &company.key);
    let mut app = description(&company.corp, company.corp.app(AppKind::App).expect("an app"));
    app["encoding_aes_key"] = json!("cutOffWhenItWasCopied");
    let refused = shell.run_with(&["config", "add"], &app.to_string()).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (FAILED, ""));
    assert!(refused.stderr.contains("encoding_aes_key: the EncodingAESKey has 21 characters"), "{refused:?}");
    assert!(!refused.stderr.contains("cutOff"), "{refused:?}");
    let refused = shell.run_with(&["config", "add"], "{").await;
    assert_eq!(refused.code, FAILED);
    assert!(refused.stderr.contains("stdin is not an app's configuration"), "{refused:?}");
    db.close().await;
}

#[tokio::test]
async fn deliveries_are_listed_shown_and_replayed() {
    let app = TestApp::start().await;
    let shell = Shell::with(&app.db);
    let push = |plaintext: &str| Push::genuine(AppKind::App, plaintext.to_owned());
    let met = contact(1_700_000_000, "add_external_contact", "zhangsan", "wmAlice", &[]);
    app.deliver(vec![push(&met), push(&event(1_700_000_001, "tomorrow", &[])), push("not a document")]).await;
    app.drain().await;

    let list = shell.ok(&["inbox", "list"]).await;
    let states = ["ignored", "recorded", "parked"];
    assert_eq!(
        list.lines().map(|line| states.map(|it| line.contains(it))).collect::<Vec<_>>(),
        [[true, false, false], [false, true, false], [false, false, true],]
    );
    let recorded: Value =
        serde_json::from_str(&shell.ok(&["inbox", "list", "--state", "recorded", "--json"]).await).expect("one object");
    let id = recorded["id"].as_str().expect("an id");
    let shown = shell.ok(&["inbox", "show", id]).await;
    assert!(shown.contains(id) && shown.ends_with(&format!("{met}\n")), "{shown}");

    let replayed = shell.ok(&["inbox", "replay", "--parked"]).await;
    assert_eq!(replayed, "1 deliveries wait to be recorded again\n");
    assert_eq!(app.db.count("select count(*) from parked").await, 0);
    shell.ok(&["inbox", "replay", id]).await;
    app.drain().await;
    assert_eq!(shell.ok(&["inbox", "list"]).await, list, "a replay writes the same rows");

    let unknown = shell.run(&["inbox", "show", &id.replace("1-17", "1-18")]).await;
    assert_eq!(unknown.code, FAILED);
    assert!(unknown.stderr.contains("there is no delivery"), "{unknown:?}");
    assert_eq!(shell.run(&["inbox", "show", "the first"]).await.code, WRONG);
    app.finish().await;
}

#[tokio::test]
async fn a_typing_error_in_the_settings_is_located_and_exits_with_2() {
    let shell = Shell::bare();
    std::fs::write(shell.folder.path().join("wecomd.toml"), "log = 'info'\nadmin_listn = '127.0.0.1:1'\n")
        .expect("written");
    let refused = shell.run(&["check"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (WRONG, ""));
    assert!(refused.stderr.contains("wecomd.toml:2:1: unknown field `admin_listn`"), "{refused:?}");

    let refused = Shell::bare().and("WECOMD_LOGS", "info").run(&["check"]).await;
    assert_eq!(refused.code, WRONG);
    assert!(refused.stderr.contains("did you mean WECOMD_LOG"), "{refused:?}");
}

#[tokio::test]
async fn migrating_makes_the_tables_and_doing_it_again_changes_nothing() {
    let db = TestDb::empty().await;
    let shell = Shell::with(&db);
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    let first = shell.ok(&["migrate"]).await;
    let made = db.count(tables).await;
    assert!(first.starts_with("the schema is current") && made > 10, "{made} tables: {first}");
    assert_eq!(shell.ok(&["migrate"]).await, first);
    assert_eq!(db.count(tables).await, made);
    db.close().await;
}

#[tokio::test]
async fn the_sandbox_delivers_a_day_to_a_running_wecomd_and_fails_with_a_wrong_token() {
    let app = TestApp::start().await;
    let (public, own) = (app.app.public.expect("a public door"), app.corp.app(AppKind::App).expect("an app"));
    let url = format!("http://{public}");
    let corp = app.corp.corpid.as_str();
    let to = ["sandbox", "--url", &url, "--app", &own.name, "--corpid", corp, "--count", "100", "--forge", "0.1"];
    let keys = |shell: Shell, token: &str| {
        shell.and("SANDBOX_TOKEN", token).and("SANDBOX_ENCODING_AES_KEY", &own.encoding_aes_key)
    };
    let said = keys(Shell::bare(), &own.token).ok(&to).await;
    assert!(said.contains("the URL is verified") && said.contains("100 sent, 100 answered, 0 refused"), "{said}");
    assert_eq!(app.db.count("select count(*) from inbox").await, 100);

    let stranger = keys(Shell::bare(), "anotherToken").run(&to).await;
    assert_eq!(stranger.code, FAILED);
    assert_eq!(app.db.count("select count(*) from inbox").await, 100);
    app.finish().await;
}

#[tokio::test]
async fn the_sandbox_answers_api_calls_beside_the_callbacks_until_it_is_told_to_stop() {
    let app = TestApp::start().await;
    let (public, own) = (app.app.public.expect("a public door"), app.corp.app(AppKind::App).expect("an app"));
    let (url, corp) = (format!("http://{public}"), app.corp.corpid.as_str());
    let shell = Shell::bare();
    let mut command = Command::from(program(shell.folder.path()));
    command.args(["sandbox", "--url", &url, "--app", &own.name, "--corpid", corp, "--count", "100"]);
    command.args(["--api", "127.0.0.1:0", "--members", "20", "--customers", "50"]);
    command.env("SANDBOX_TOKEN", &own.token).env("SANDBOX_ENCODING_AES_KEY", &own.encoding_aes_key);
    let mut sandbox = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("wecomd starts");
    let mut lines = BufReader::new(sandbox.stdout.take().expect("piped")).lines();
    let mut said = Vec::new();
    while !said.last().is_some_and(|line: &String| line.contains("until Ctrl-C")) {
        said.push(timeout(LIMIT, lines.next_line()).await.expect("in time").expect("it can be read").expect("a line"));
    }
    let told = |name: &str| {
        let line = said.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {said:#?}"));
        line[name.len()..].trim().to_owned()
    };
    assert!(said.iter().any(|line| line.contains("100 sent, 100 answered")), "{said:#?}");
    assert_eq!((told("corpid"), told("agentid")), (corp.to_owned(), "1000002".to_owned()));

    let api: SocketAddr = told("base URL").trim_start_matches("http://").parse().expect("an address");
    let get = async |target: String| request(api, "GET", &target, &[], b"").await.expect("answered").json();
    let token = get(format!("/cgi-bin/gettoken?corpid={corp}&corpsecret={}", told("secret"))).await;
    let token = token["access_token"].as_str().expect("the printed secret fetches a token");
    app.drain().await;
    let customers = app.db.texts("select external_userid from customer_wechat_contact limit 5").await;
    assert!(!customers.is_empty());
    for customer in customers {
        let card = get(format!("/cgi-bin/externalcontact/get?access_token={token}&external_userid={customer}")).await;
        assert_eq!(card["errcode"], 0, "everybody named by the day has a card: {card}");
    }
    signal("-INT", sandbox.id().expect("it runs"));
    let status = timeout(LIMIT, sandbox.wait()).await.expect("it ends in time").expect("it can be waited for");
    assert_eq!(status.code(), Some(WELL));
    app.finish().await;
}

/// What an administrator types in.
fn description(corp: &Corp, app: &App) -> Value {
    json!({
        "name": app.name, "corpid": corp.corpid, "agentid": 1_000_002, "secret": "s3cret",
        "token": app.token, "encoding_aes_key": app.encoding_aes_key,
    })
}

/// The status of a rightly signed URL verification.
async fn verified(public: SocketAddr, corp: &Corp, app: &App) -> u16 {
    let keys = app.keys().expect("valid keys");
    let sealed = wecomd::crypto::seal_random(&keys, corp.corpid.as_str(), "1700000000", "1", b"42");
    let target = format!("/callback/{}?{}", app.name, sealed.echo_query());
    request(public, "GET", &target, &[], b"").await.expect("an answer").status
}

fn db_named(server: String, name: &str) -> String {
    server.replace("/postgres?", &format!("/{name}?"))
}
