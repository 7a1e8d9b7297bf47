//! Promise 1: killing any process at any instant loses no answered callback and records none twice.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{sync::watch, task::JoinHandle};
use wecomd::{
    embedded::{Durability, Embedded},
    sandbox::{Push, Report, Sender},
    tables::MIGRATOR,
};

use crate::support::{
    Company, Daemon, TestDb,
    daemon::signal,
    folder::{Folder, is_running},
    proof::{assert_survived, bad_day, watch_settling},
    wait::until,
};

/// Picks the day, its mischief, and the moments of the kills.
const SEED: u64 = 7;

/// Callbacks under way at once.
const CONCURRENCY: usize = 16;

/// How often wecomd is killed.
const KILLS: usize = 8;

/// How often PostgreSQL is.
const DATABASE_KILLS: usize = 4;

/// Small batches, so that a kill meets many of them.
const SETTINGS: [(&str, &str); 1] = [("WECOMD_WORKER__BATCH_MAX", "20")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wecomd_may_be_killed_at_any_moment() {
    let (db, company) = (TestDb::new().await, Company::new());
    company.save(&db.pool).await;
    watch_settling(&db.pool).await;
    let url = secrecy::ExposeSecret::expose_secret(&db.url).to_owned();
    let mut wecomd = Daemon::start(&company.key, &[&SETTINGS[..], &[("DATABASE_URL", &url)]].concat(), &[]).await;

    let day = bad_day(&company, SEED, 3_000);
    let mut stream = Stream::begin(company.sender(wecomd.public), day.clone());
    let mut caught_at_work = 0;
    for moment in moments(KILLS, day.len()) {
        stream.until_answered(moment).await;
        wecomd.kill();
        caught_at_work += db.count("select least(count(*), 1) from pending_delivery").await;
        wecomd.again();
    }
    let report = stream.ended().await;
    assert!(report.attempts > day.len() as u64, "no kill cut off a callback");
    assert!(caught_at_work > 0, "no kill came while something was to be recorded");
    assert_survived(&db.pool, &company, &day, &report).await;
    drop(wecomd);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_may_be_killed_at_any_moment_and_wecomd_needs_no_restart() {
    let (folder, company) = (Folder::new("pg"), Company::new());
    let mut postgres = Some(Embedded::start(folder.path(), Durability::Full).await.expect("PostgreSQL starts"));
    let url = postgres.as_ref().map(|it| it.url("wecomd")).expect("it runs");
    let pool = connect(&url).await;
    MIGRATOR.run(&pool).await.expect("the tables are made");
    company.save(&pool).await;
    watch_settling(&pool).await;
    pool.close().await;
    let mut wecomd = Daemon::start(&company.key, &[&SETTINGS[..], &[("DATABASE_URL", &url)]].concat(), &[]).await;

    let day = bad_day(&company, SEED, 1_500);
    let mut stream = Stream::begin(company.sender(wecomd.public), day.clone());
    for moment in moments(DATABASE_KILLS, day.len()) {
        stream.until_answered(moment).await;
        let pid = postgres.as_ref().map(Embedded::pid).expect("it runs");
        signal("-KILL", pid);
        until("PostgreSQL is gone", async || !is_running(pid)).await;
        postgres.take();
        // The next start waits until the killed server's children are gone as well.
        postgres = Some(Embedded::start(folder.path(), Durability::Full).await.expect("PostgreSQL starts again"));
    }
    let report = stream.ended().await;
    assert_eq!(report.attempts, day.len() as u64, "every callback was answered the first time: the spool took it");
    assert!(wecomd.is_running(), "wecomd survived all kills");
    let pool = connect(&url).await;
    assert_survived(&pool, &company, &day, &report).await;
    pool.close().await;
    drop(wecomd);
    postgres.take().expect("it runs").stop().await.expect("stopped");
}

/// So many moments, given as numbers of answered callbacks: anywhere in the stream, one soon after another at times.
fn moments(count: usize, pushes: usize) -> Vec<u64> {
    let mut chance = StdRng::seed_from_u64(SEED);
    let mut moments: Vec<u64> = (0..count).map(|_| chance.random_range(20..pushes as u64 * 9 / 10)).collect();
    moments.sort_unstable();
    moments
}

async fn connect(url: &str) -> PgPool {
    PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(10))
        .connect(url)
        .await
        .expect("PostgreSQL answers")
}

/// Callbacks on their way, and how many of them were answered so far.
struct Stream {
    answered: watch::Receiver<u64>,
    delivering: JoinHandle<Report>,
}

impl Stream {
    fn begin(sender: Sender, pushes: Vec<Push>) -> Self {
        let (progress, answered) = watch::channel(0);
        let note = move |report: &Report| {
            progress.send_replace(report.genuine.answered);
        };
        Self { answered, delivering: tokio::spawn(async move { sender.deliver_all(pushes, CONCURRENCY, note).await }) }
    }

    async fn until_answered(&mut self, count: u64) {
        self.answered.wait_for(|it| *it >= count).await.expect("the stream goes on");
    }

    async fn ended(self) -> Report {
        self.delivering.await.expect("delivered")
    }
}
