//! Promise 3: any order, any repetition, the same tables.

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use wecomd::{
    inbox::{self, Deposit, Inbox, Wake},
    states::Origin,
    worker::{Settings, Step, Worker},
};

use crate::support::{
    TestDb,
    stream::{BEGIN, any_kf, any_plaintext, found},
    tables::tables,
};

/// How many streams are tried; each is recorded twice.
const STREAMS: u32 = 150;

/// A set of plaintexts, and two ways to deliver it: order, repetitions and batch size.
fn any_stream() -> impl Strategy<Value = (Delivery, Delivery)> {
    prop::collection::vec(prop_oneof![3 => any_plaintext(BEGIN), 1 => any_kf(BEGIN)], 1..24)
        .prop_flat_map(|plaintexts| (one_way(&plaintexts), one_way(&plaintexts)))
}

#[derive(Debug, Clone)]
struct Delivery {
    plaintexts: Vec<String>,
    batch_max: u32,
}

fn one_way(plaintexts: &[String]) -> impl Strategy<Value = Delivery> + use<> {
    let repeats = prop::collection::vec(prop::sample::select(plaintexts.to_vec()), 0..6);
    let once = plaintexts.to_vec();
    let all = repeats.prop_map(move |repeats| [once.clone(), repeats].concat()).prop_shuffle();
    (all, prop::sample::select(vec![1, 2, 3, 7, 100]))
        .prop_map(|(plaintexts, batch_max)| Delivery { plaintexts, batch_max })
}

#[test]
fn any_order_any_repetition_and_any_batching_give_the_same_tables() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(TestDb::new());
    let (inbox, committer) = runtime.block_on(async { Inbox::start(db.options(), Wake::default()) });
    let corps = std::cell::Cell::new(0);
    let config = Config { cases: STREAMS, failure_persistence: None, ..Config::default() };
    // The same streams every time: a failure can be looked into, and a pass means the same on every machine.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let law = runner.run(&any_stream(), |(one, other)| {
        corps.set(corps.get() + 2);
        let corps = corps.get();
        let tables = runtime
            .block_on(async { [record(&db, &inbox, corps, &one).await, record(&db, &inbox, corps + 1, &other).await] });
        let [one, other] = tables;
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|it| !those.contains(it)).cloned().collect::<Vec<_>>()
        };
        prop_assert!(one == other, "one way:\n{:#?}\nthe other way:\n{:#?}", only(&one, &other), only(&other, &one));
        Ok(())
    });
    if let Err(failure) = law {
        panic!("{failure}");
    }
    assert!(corps.get() >= 2 * STREAMS, "every stream was tried");
    runtime.block_on(async {
        drop(inbox);
        committer.await.expect("the committer ends");
        db.close().await;
    });
}

/// Delivers everything to a corp of its own, drains, and reads the tables.
async fn record(db: &TestDb, inbox: &Inbox, corp: u32, delivery: &Delivery) -> Vec<String> {
    let app_id = found(db, corp, BEGIN).await;
    for plaintext in &delivery.plaintexts {
        if plaintext.starts_with('{') {
            pulled(db, app_id, plaintext).await;
        } else {
            inbox.accept(app_id, "any", plaintext.clone().into_bytes()).await.expect("stored");
        }
    }
    let mut worker = Worker::new(db.options(), Settings { batch_max: delivery.batch_max, attempts_max: 1 });
    while worker.step().await.expect("records") != Step::Idle {}
    tables(&db.pool, &format!("ww{corp}")).await
}

/// Deposits what 微信客服 said.
async fn pulled(db: &TestDb, app_id: i32, said: &str) {
    let sent: serde_json::Value = serde_json::from_str(said).expect("JSON");
    let event_at = chrono::DateTime::from_timestamp(sent["send_time"].as_i64().expect("a time"), 0).expect("in range");
    let item = Deposit { app_id, origin: Origin::Kf, event_at, plaintext: said.as_bytes().to_vec() };
    let mut conn = db.pool.acquire().await.expect("connects");
    inbox::deposit(&mut conn, vec![item]).await.expect("stored");
}
