//! Several processes on one database: it is all they share, and nothing is lost or done twice between them.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::PgListener;
use wecomd::sandbox::{AppKind, Push};

use crate::support::{
    Company, Daemon, TestDb,
    plaintext::contact,
    proof::{assert_survived, bad_day, watch_settling},
    wait::until,
};

/// Small batches, so that every process gets some.
const BATCH: (&str, &str) = ("WECOMD_WORKER__BATCH_MAX", "10");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_start_together_on_an_empty_database_share_the_work() {
    let (db, company) = (TestDb::empty().await, Company::new());
    let settings = [("DATABASE_URL", db.url.expose_secret()), BATCH];
    let mut one = Daemon::launch(&company.key, &settings, &[]);
    let mut other = Daemon::launch(&company.key, &settings, &[]);
    one.ready().await;
    other.ready().await;
    company.save(&db.pool).await;
    watch_settling(&db.pool).await;
    let (to_one, to_other) = (company.sender(one.public), company.sender(other.public));
    for sender in [&to_one, &to_other] {
        let knows = async || sender.verify_url(AppKind::App).await.is_ok();
        until("both have heard of the company's apps", knows).await;
    }

    // Repeats of one callback go to both processes: the second must find it stored.
    let day = bad_day(&company, 11, 1_500);
    let (odd, even): (Vec<_>, Vec<_>) = day.iter().cloned().enumerate().partition(|(place, _)| place % 2 == 1);
    let pushes = |half: Vec<(usize, Push)>| half.into_iter().map(|(_, push)| push).collect::<Vec<_>>();
    let (odd, even) =
        tokio::join!(to_one.deliver_all(pushes(odd), 8, |_| ()), to_other.deliver_all(pushes(even), 8, |_| ()));
    let mut report = odd;
    report.genuine.answered += even.genuine.answered;
    report.genuine.failed += even.genuine.failed;
    report.acked.extend(even.acked);
    assert_survived(&db.pool, &company, &day, &report).await;

    let (mut stored, mut recorded) = (0.0, 0.0);
    for process in [&one, &other] {
        let took = process.metric("wecomd_callbacks_total", "outcome=\"stored\"").await;
        let did = process.metric("wecomd_events_total", "outcome=").await;
        assert!(took > 0.0 && did > 0.0, "one process stored {took} and recorded {did}");
        stored += took;
        recorded += did;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let inbox = db.count("select count(*) from inbox").await as f64;
    assert_eq!((stored, recorded), (inbox, inbox), "together they did everything once");
    drop((one, other));
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_accepts_callbacks_and_wakes_another_that_records_them() {
    let (db, company) = (TestDb::new().await, Company::new());
    company.save(&db.pool).await;
    let settings = [("DATABASE_URL", db.url.expose_secret())];
    let accepting = Daemon::start(&company.key, &settings, &["--no-worker"]).await;
    let recording = Daemon::start(&company.key, &settings, &["--no-callback"]).await;
    let mut overheard = PgListener::connect_with(&db.pool).await.expect("connects");
    overheard.listen("wecomd_inbox").await.expect("listens");

    let added = contact(1_700_000_000, "add_external_contact", "zhangsan", "wmAlice", &[]);
    let sender = company.sender(accepting.public);
    assert!(sender.deliver(&Push::genuine(AppKind::App, added)).await.answered_200);
    let told = tokio::time::timeout(Duration::from_secs(10), overheard.recv()).await;
    told.expect("the others are told").expect("the connection lives");
    until("it is recorded", async || db.count("select count(*) from customer_wechat_contact").await == 1).await;

    assert_eq!(accepting.metric("wecomd_events_total", "").await, 0.0);
    assert_eq!(recording.metric("wecomd_events_total", "outcome=\"recorded\"").await, 1.0);
    let refused = tokio::net::TcpStream::connect(recording.public).await;
    assert!(refused.is_err(), "a process that does not accept callbacks has no public listener");
    drop((accepting, recording, overheard));
    db.close().await;
}
