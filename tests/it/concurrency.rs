//! Concurrent workers write the same tables as a single worker.

use std::time::{Duration, Instant};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRng, TestRunner},
};
use tokio::task::JoinSet;
use wecomd::{
    inbox::{Inbox, Wake},
    worker::{Settings, Step, Worker},
};

use crate::support::{
    TestDb,
    plaintext::{contact, member, text},
    stream::{BEGIN, any_plaintext, found},
    tables::{assert_same, tables},
    wait::until,
};

/// Streams tried.
const SEEDS: u32 = 20;

/// Callbacks in a stream.
const CALLBACKS: usize = 60;

/// Workers at once.
const WORKERS: usize = 3;

/// Recording gives way to a burst for at least this long.
const GIVE_WAY_MIN: Duration = Duration::from_secs(1);

/// Each stream lies in a month of its own, which has no partition yet when the workers begin.
const MONTH_SECONDS: i64 = 31 * 24 * 3_600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_workers_write_the_same_rows_as_one_and_never_deadlock() {
    let db = TestDb::new().await;
    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    for seed in 0..SEEDS {
        let begin = BEGIN + i64::from(seed) * MONTH_SECONDS;
        let plaintexts = stream(seed, begin);
        let (together, alone) = (2 * seed, 2 * seed + 1);
        for corp in [together, alone] {
            let app_id = found(&db, corp, begin).await;
            accept(&inbox, app_id, &plaintexts).await;
            // Otherwise the batches would be the committed groups, whatever their maximum is.
            if seed % 2 == 0 {
                db.wait_alone().await;
            }
            let (workers, batch_max) = if corp == together { (WORKERS, 1 + seed % 4) } else { (1, 100) };
            record(&db, workers, batch_max).await;
        }
        let found = tables(&db.pool, &format!("ww{together}")).await;
        let expected = tables(&db.pool, &format!("ww{alone}")).await;
        assert_same(&found, &expected, &format!("stream {seed}"));
    }
    drop(inbox);
    committer.await.expect("the committer ends");

    let others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and query like '%pending%'";
    until("the workers' connections have reported", async || db.count(others).await == 0).await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(db.count(deadlocks).await, 0, "workers deadlocked");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recording_gives_way_to_a_burst_of_callbacks_for_a_limited_time() {
    let db = TestDb::new().await;
    let wake = Wake::default();
    let (inbox, committer) = Inbox::start(db.options(), wake.clone());
    let app_id = found(&db, 0, BEGIN).await;
    let plaintexts = stream(0, BEGIN);
    accept(&inbox, app_id, &plaintexts[..1]).await;

    // Nothing can be stored meanwhile, so the burst waits.
    let mut lock = db.pool.begin().await.expect("begins");
    sqlx::query("lock table inbox in exclusive mode").execute(&mut *lock).await.expect("locks");
    let burst = tokio::spawn({
        let (inbox, plaintexts) = (inbox.clone(), plaintexts.clone());
        async move { accept(&inbox, app_id, &plaintexts[1..]).await }
    });
    until("the burst waits", async || wake.is_burst()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let worker = Worker::new(db.options(), Settings { batch_max: 100, attempts_max: 1 });
    let began = Instant::now();
    let working = tokio::spawn(worker.run(wake.clone(), stopped));
    let waiting = "select count(*) from pending_delivery";
    until("the first callback is recorded", async || db.count(waiting).await == 0).await;
    assert!(wake.is_burst(), "the burst still waits, so a greeting would be late");
    assert!(began.elapsed() >= GIVE_WAY_MIN, "recording began after {:?}", began.elapsed());

    lock.rollback().await.expect("rolls back");
    burst.await.expect("all of it is stored");
    assert!(!wake.is_burst(), "nothing waits any more");
    until("the burst is recorded", async || db.count(waiting).await == 0).await;
    stop.send(true).expect("the worker runs");
    working.await.expect("the worker ends");
    drop(inbox);
    committer.await.expect("the committer ends");
    db.close().await;
}

/// Locks a corp's contacts as a batch does that changes what other contacts depend on.
const LOCK_CONTACTS: &str = "select pg_advisory_xact_lock(x'77636374'::int, hashtext('ww0'))";

/// Shares a corp's lock, as most batches do.
const SHARE_CORP: &str = "select pg_advisory_xact_lock_shared(x'77636f72'::int, hashtext('ww0'))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_waits_for_the_contacts_of_its_corp_holds_up_no_messages() {
    let db = TestDb::new().await;
    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    let app_id = found(&db, 0, BEGIN).await;
    accept(&inbox, app_id, &[text(BEGIN, "ann", "到了", 1)]).await;
    record(&db, 1, 10).await;

    let mut lock = db.pool.begin().await.expect("begins");
    sqlx::query(LOCK_CONTACTS).execute(&mut *lock).await.expect("locks");
    let worker = || Worker::new(db.options(), Settings { batch_max: 10, attempts_max: 1 });
    accept(&inbox, app_id, &[contact(BEGIN + 1, "add_external_contact", "ann", "wmX", &[])]).await;
    let mut first = worker();
    let adding = tokio::spawn(async move { first.step().await });
    let waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted";
    until("the batch waits for the contacts", async || db.count(waits).await == 1).await;
    accept(&inbox, app_id, &[text(BEGIN + 2, "ann", "修好了", 2)]).await;
    assert_eq!(worker().step().await.expect("records"), Step::Worked(1), "a message needs no contact");
    assert!(!adding.is_finished(), "the contacts are still locked");

    lock.rollback().await.expect("rolls back");
    assert_eq!(adding.await.expect("ends").expect("records"), Step::Worked(1));
    assert_eq!(db.count("select count(*) from wechat_contact_record where corpid = 'ww0'").await, 3);
    drop(inbox);
    committer.await.expect("the committer ends");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_of_a_known_member_is_recorded_beside_other_batches_of_the_corp() {
    let db = TestDb::new().await;
    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    let app_id = found(&db, 0, BEGIN).await;
    accept(&inbox, app_id, &[member(BEGIN, "create_user", "ann", &[])]).await;
    record(&db, 1, 10).await;

    let mut lock = db.pool.begin().await.expect("begins");
    sqlx::query(SHARE_CORP).execute(&mut *lock).await.expect("locks");
    accept(&inbox, app_id, &[member(BEGIN + 1, "update_user", "ann", &[("Name", "Ann")])]).await;
    record(&db, 1, 10).await;
    let confirmed =
        "select extract(epoch from directory_at)::bigint from member_alias where corpid = 'ww0' and alias = 'ann'";
    assert_eq!(db.count(confirmed).await, BEGIN + 1, "the directory still spells it so");
    lock.rollback().await.expect("rolls back");
    drop(inbox);
    committer.await.expect("the committer ends");
    db.close().await;
}

/// The same stream for the same seed, on every machine: few people, who are renamed, leave and come back.
fn stream(seed: u32, begin: i64) -> Vec<String> {
    let rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &[u8::try_from(seed).expect("few"); 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = prop::collection::vec(any_plaintext(begin), CALLBACKS);
    strategy.new_tree(&mut runner).expect("a stream").current()
}

/// Stores all of them, in whatever order they come.
async fn accept(inbox: &Inbox, app_id: i32, plaintexts: &[String]) {
    let mut accepting = JoinSet::new();
    for plaintext in plaintexts.iter().cloned() {
        let inbox = inbox.clone();
        accepting.spawn(async move { inbox.accept(app_id, "any", plaintext.into_bytes()).await.expect("stored") });
    }
    accepting.join_all().await;
}

/// Records everything that is due with so many workers at once.
async fn record(db: &TestDb, workers: usize, batch_max: u32) {
    let settings = Settings { batch_max, attempts_max: 1 };
    let working = (0..workers).map(|_| {
        let mut worker = Worker::new(db.options(), settings.clone());
        tokio::spawn(async move { while worker.step().await.expect("records") != Step::Idle {} })
    });
    for worker in Vec::from_iter(working) {
        worker.await.expect("the worker ends");
    }
    // A worker is idle while others hold the remaining deliveries; in the end nothing is pending.
    assert_eq!(db.count("select count(*) from pending_delivery").await, 0);
    assert_eq!(db.count("select count(*) from parked").await, 0);
}
