//! Stopping, and not starting: what is in hand is finished, and a refusal says what to do.

use std::{
    fs,
    net::TcpListener,
    process::Output,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wecomd::sandbox::{AppKind, Push};

use crate::support::{
    Company, Daemon, TestDb,
    daemon::{Hung, free_port, program},
    folder::{Folder, is_running},
    plaintext::contact,
    wait::until,
};

/// How long a stop may take, whatever hangs.
const STOPS_WITHIN: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_stops_accepting_and_answers_the_running_request() {
    let (db, company) = (TestDb::new().await, Company::new());
    company.save(&db.pool).await;
    // The spool would answer it.
    let settings = [("DATABASE_URL", db.url.expose_secret()), ("WECOMD_SPOOL__ENABLED", "false")];
    let mut wecomd = Daemon::start(&company.key, &settings, &[]).await;
    let mut lock = db.pool.begin().await.expect("begins");
    sqlx::query("lock table inbox in share mode").execute(&mut *lock).await.expect("locks");

    let sender = company.sender(wecomd.public);
    let added = contact(1_700_000_000, "add_external_contact", "zhangsan", "wmAlice", &[]);
    let in_hand = tokio::spawn(async move { sender.deliver(&Push::genuine(AppKind::App, added)).await });
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'wecomd' and wait_event_type = 'Lock'";
    until("the callback is being processed", async || db.count(waiting).await > 0).await;

    wecomd.terminate();
    let public = wecomd.public;
    until("new connections are refused", async || TcpStream::connect(public).await.is_err()).await;
    assert!(wecomd.is_running() && !in_hand.is_finished(), "it is processing a callback");
    lock.rollback().await.expect("released");

    let delivered = in_hand.await.expect("delivered");
    assert_eq!((delivered.status, delivered.attempts), (Some(200), 1), "the running request is answered");
    assert_eq!(wecomd.ended().await.code(), Some(0));
    assert_eq!(db.count("select count(*) from inbox").await, 1);
    let left =
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'wecomd'";
    until("its connections are closed", async || db.count(left).await == 0).await;
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_does_not_wait_for_idle_connections() {
    let (db, company) = (TestDb::new().await, Company::new());
    company.save(&db.pool).await;
    // An idle connection may stay for a minute here, longer than this test would wait.
    let patient = [("DATABASE_URL", db.url.expose_secret()), ("WECOMD_HTTP__HEADER_TIMEOUT_MS", "60000")];
    let mut wecomd = Daemon::start(&company.key, &patient, &[]).await;
    let mut idle = TcpStream::connect(wecomd.public).await.expect("connects");
    idle.write_all(b"GET /elsewhere HTTP/1.1\r\nhost: wecomd\r\n\r\n").await.expect("sends");
    assert_eq!(idle.read_u8().await.expect("an answer"), b'H');
    let silent = TcpStream::connect(wecomd.public).await.expect("connects");

    wecomd.terminate();
    assert_eq!(wecomd.ended().await.code(), Some(0));
    drop((idle, silent));
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_stops_the_private_postgresql_too() {
    let (folder, company) = (Folder::new("own"), Company::new());
    let data_dir = folder.path().join("data");
    let data_dir = data_dir.to_str().expect("a text");
    let mut wecomd = Daemon::start(&company.key, &[], &["--data-dir", data_dir]).await;
    let noted = fs::read_to_string(folder.path().join("data/postgres/data/postmaster.pid")).expect("PostgreSQL runs");
    let postgres = noted.lines().next().and_then(|it| it.parse().ok()).expect("a process id");
    assert!(is_running(postgres));

    wecomd.terminate();
    assert_eq!(wecomd.ended().await.code(), Some(0));
    assert!(!is_running(postgres), "the request ended before wecomd did");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_the_program_in_time_although_postgresql_hangs() {
    let (folder, company) = (Folder::new("hangs"), Company::new());
    let data_dir = folder.path().join("data");
    let data_dir = data_dir.to_str().expect("a text");
    let on = [("WECOMD_TASKS__ENABLED", "true")];
    let mut wecomd = Daemon::start(&company.key, &on, &["--data-dir", data_dir]).await;
    let noted = fs::read_to_string(folder.path().join("data/postgres/data/postmaster.pid")).expect("PostgreSQL runs");
    let postmaster: u32 = noted.lines().next().and_then(|it| it.parse().ok()).expect("a process id");
    let hung = Hung::with_children(postmaster);

    let told = Instant::now();
    wecomd.terminate();
    let code = wecomd.ended().await.code();
    assert!(told.elapsed() < STOPS_WITHIN, "it took {:?}", told.elapsed());
    assert!(code.is_some(), "it ended by itself");
    drop(hung);
    until("PostgreSQL stops as it was told", async || !is_running(postmaster)).await;
}

#[tokio::test]
async fn without_a_master_key_it_refuses_to_start_and_names_what_to_set() {
    let output = refused(&[]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("no master key: set WECOMD_MASTER_KEY"), "{words}");
}

#[tokio::test]
async fn with_another_master_key_it_refuses_to_start_and_names_the_app_and_the_key() {
    let db = TestDb::new().await;
    Company::new().save(&db.pool).await;
    let another = Company::new().key;
    let output = refused(&[("DATABASE_URL", db.url.expose_secret()), ("WECOMD_MASTER_KEY", &another)]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("does not open with master key 1") && words.contains("\"directory\""), "{words}");
    db.close().await;
}

#[tokio::test]
async fn the_error_for_a_busy_port_names_its_option() {
    let (db, company) = (TestDb::new().await, Company::new());
    let taken = free_port();
    let busy = TcpListener::bind(taken).expect("it was free");
    for (setting, option) in [("WECOMD_PUBLIC_LISTEN", "--public-listen"), ("WECOMD_ADMIN_LISTEN", "--admin-listen")] {
        let settings = [
            ("DATABASE_URL", db.url.expose_secret()),
            ("WECOMD_MASTER_KEY", &company.key),
            (setting, &taken.to_string()),
        ];
        let output = refused(&settings);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}");
        let expected = format!("{taken} is in use by another program; choose another address with {option}");
        assert!(words.contains(&expected), "{words}");
    }
    drop(busy);
    db.close().await;
}

/// Runs `serve`, which ends by itself.
fn refused(settings: &[(&str, &str)]) -> Output {
    let folder = Folder::new("refused");
    let mut command = program(folder.path());
    let (public, admin) = (free_port().to_string(), free_port().to_string());
    command.arg("serve").env("WECOMD_PUBLIC_LISTEN", public).env("WECOMD_ADMIN_LISTEN", admin);
    command.envs(settings.iter().copied()).output().expect("it runs")
}
