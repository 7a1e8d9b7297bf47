//! How many lines an outage logs: one for each cause, and a sum.

use secrecy::ExposeSecret;
use wecomd::{crypto::seal_random, sandbox::AppKind};

use crate::support::{Company, Daemon, TestDb, http::request, link::Link, plaintext::contact};

/// Callbacks that come during the outage, one after the other: each is a group of its own.
const CALLBACKS: u32 = 40;

/// Forged requests that arrive meanwhile.
const FORGERIES: u32 = 200;

/// The lines that say this, and how often it happened by their count.
fn told(log: &str, words: &str) -> (usize, u32) {
    let lines: Vec<_> = log.lines().filter(|it| it.contains(words)).collect();
    let times = |line: &str| line.split("times=").nth(1).and_then(|it| it.split_whitespace().next()?.parse().ok());
    (lines.len(), lines.iter().map(|line| times(line).unwrap_or(1)).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_and_forgeries_log_one_line_per_cause_and_keep_the_counts() {
    let (db, company) = (TestDb::new().await, Company::new());
    company.save(&db.pool).await;
    let link = Link::to(&db).await;
    let settings = [("DATABASE_URL", link.url.expose_secret()), ("WECOMD_SPOOL__ENABLED", "false")];
    let mut wecomd = Daemon::start(&company.key, &settings, &[]).await;

    let target = "/callback/service?msg_signature=00&timestamp=1700000000&nonce=1";
    let forged = b"<xml><Encrypt><![CDATA[AAAA]]></Encrypt></xml>";
    for _ in 0..FORGERIES {
        let answer = request(wecomd.public, "POST", target, &[], forged).await.expect("an answer");
        assert_eq!(answer.status, 403);
    }
    link.cut();
    let app = company.corp.app(AppKind::App).expect("an app");
    let keys = app.keys().expect("valid keys");
    for n in 0..CALLBACKS {
        let plaintext = contact(1_700_000_000, "add_external_contact", "ann", &format!("wm{n}"), &[]);
        let sealed = seal_random(&keys, &app.receive_id, "1700000000", "1", plaintext.as_bytes());
        let target = format!("/callback/{}?{}", app.name, sealed.query());
        let body = sealed.push_xml(company.corp.corpid.as_str(), &app.agentid);
        let answer = request(wecomd.public, "POST", &target, &[], body.as_bytes()).await;
        assert!(answer.is_none(), "it is not stored, so it is not answered");
    }
    for _ in 0..20 {
        let ready = request(wecomd.admin, "GET", "/readyz", &[], b"").await.expect("an answer");
        assert_eq!(ready.status, 503);
    }
    link.mend();
    wecomd.terminate();
    wecomd.ended().await;

    let log = wecomd.log();
    let (lines, times) = told(&log, "refused a callback");
    assert_eq!((lines, times), (2, FORGERIES), "one line at once, and what it stands for at the end:\n{log}");
    // Connections are lost in more than one way; each way is a cause.
    let (lines, times) = told(&log, "callbacks could not be stored");
    assert!((2..=8).contains(&lines), "{lines} lines:\n{log}");
    assert_eq!(times, CALLBACKS, "none is lost:\n{log}");
    let all = log.lines().count();
    assert!(all < 80, "{all} lines:\n{log}");
    drop(wecomd);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logged_time_out_names_the_slow_operation_and_blames_no_pool() {
    let (db, company) = (TestDb::new().await, Company::new());
    company.save(&db.pool).await;
    let link = Link::to(&db).await;
    let settings = [("DATABASE_URL", link.url.expose_secret()), ("WECOMD_SPOOL__ENABLED", "false")];
    let mut wecomd = Daemon::start(&company.key, &settings, &[]).await;
    let app = company.corp.app(AppKind::App).expect("an app");
    let keys = app.keys().expect("valid keys");
    let plaintext = contact(1_700_000_000, "add_external_contact", "ann", "wmAlice", &[]);
    let sealed = seal_random(&keys, &app.receive_id, "1700000000", "1", plaintext.as_bytes());
    let target = format!("/callback/{}?{}", app.name, sealed.query());
    let body = sealed.push_xml(company.corp.corpid.as_str(), &app.agentid);

    // The first group finds a connection that falls silent, or none.
    link.silence();
    assert!(request(wecomd.public, "POST", &target, &[], body.as_bytes()).await.is_none(), "it is not stored");
    link.mend();
    wecomd.terminate();
    wecomd.ended().await;
    let log = wecomd.log();
    let line = log.lines().find(|it| it.contains("callbacks could not be stored")).expect("a line");
    let waited = ["storing a group took longer than 4s", "connecting to the database took longer than 4s"];
    assert!(waited.iter().any(|it| line.contains(it)), "{line}");
    db.close().await;
}
