//! The database is away, and callbacks keep coming: each must be answered, and each recorded once after its return.
//!
//! 500 callbacks a second arrive at their times, whether or not earlier ones were answered. After a while PostgreSQL is
//! stopped for the window (`--seconds`; `make trial` takes ten minutes) and started again. An answer that is not 200, or
//! a closed connection, ends the benchmark with an error. Half of the callbacks add customers, half are texts of
//! members: each leads to exactly one record.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use sqlx::{Connection, PgConnection};
use support::{
    database::Database,
    figures::{grouped, judge},
    load::{self, Load},
    mix,
    options::{Options, Standard},
    process::{Process, resident_mb},
    run::run,
    spool,
    supply::Supply,
};

/// How long the database is away.
const STANDARD: Standard = Standard { seconds: 20.0, quick_seconds: 5.0, rounds: 1 };

/// Callbacks per second.
const PER_SECOND: f64 = 500.0;

/// How long they arrive before the outage, and after it.
const MARGIN: Duration = Duration::from_secs(5);

/// Connections for them.
const CONNECTIONS: usize = 256;

/// How long recording may take once the database is back, and how long we look in vain.
const RECORDED_S_MAX: f64 = 120.0;
const RECORDED_LIMIT: Duration = Duration::from_secs(300);

/// Between two looks at the daemon's memory, and at what is recorded.
const LOOK: Duration = Duration::from_millis(250);

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read_standard("outage", STANDARD)? else { return Ok(()) };
    if !spool::is_there()? {
        println!("{}", spool::SKIPPED);
        return Ok(());
    }
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    database.prepare("wecomd", &supply.corp).await?.close().await?;
    let location = spool::location(&database);
    let wecomd = Process::wecomd_with(&database, "wecomd", &[], &spool::settings(&location)).await?;
    let whole = options.window + 2 * MARGIN;
    let requests = mix::requests(&mut supply, (PER_SECOND * whole.as_secs_f64()) as usize)?;
    println!("outage: {PER_SECOND} callbacks/s; the database is away for {:?}\n", options.window);

    let over = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn(watch(wecomd.pid(), over.clone()));
    let load = Load { connections: CONNECTIONS, window: whole, pace: Some(PER_SECOND) };
    let loading = tokio::spawn(load::run(wecomd.address, requests, load));
    tokio::time::sleep(MARGIN).await;
    let paused = database.pause().await?;
    tokio::time::sleep(options.window).await;
    let database = paused.resume().await?;
    let back = Instant::now();
    let outcome = loading.await??;
    let mut conn = PgConnection::connect_with(&database.options("wecomd")?).await?;
    let acks = i64::try_from(outcome.acks)?;
    let found = recorded(&mut conn, acks, back).await?;
    let took = back.elapsed();
    over.store(true, Ordering::Relaxed);
    let resident_mb = watching.await??;
    drop(wecomd);
    conn.close().await?;
    database.stop().await?;

    let [stored, records, parked] = found.map(|it| it as f64);
    println!(
        "  answered {:>9}, p50 {:.1} ms, p99 {:.1} ms, all {:.0} ms",
        grouped(acks as f64),
        outcome.latency_ms(0.5),
        outcome.latency_ms(0.99),
        outcome.latency_ms(1.0)
    );
    println!("  stored   {:>9}\n  recorded {:>9}, parked {parked}\n", grouped(stored), grouped(records));
    judge(stored / acks as f64, "×", 1.0..=1.0, "stored, of those answered");
    judge(records / acks as f64, "×", 1.0..=1.0, "recorded, of those answered");
    judge(took.as_secs_f64(), "s", ..=RECORDED_S_MAX, "from the database's return until all are recorded");
    judge(resident_mb, "MB", ..=40.0, "resident memory at most");
    Ok(())
}

/// Waits until as many deliveries are stored as were answered and none is pending; returns how many are stored,
/// recorded and parked then, or when nobody waits any longer.
async fn recorded(conn: &mut PgConnection, acks: i64, back: Instant) -> anyhow::Result<[i64; 3]> {
    loop {
        let (stored, pending): (i64, i64) =
            sqlx::query_as("select (select count(*) from inbox), (select count(*) from pending_delivery)")
                .fetch_one(&mut *conn)
                .await?;
        if (stored >= acks && pending == 0) || back.elapsed() > RECORDED_LIMIT {
            let (records, parked): (i64, i64) =
                sqlx::query_as("select (select count(*) from wechat_contact_record), (select count(*) from parked)")
                    .fetch_one(&mut *conn)
                    .await?;
            return Ok([stored, records, parked]);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The most memory that a process has until it is told to stop, in MB.
async fn watch(pid: u32, over: Arc<AtomicBool>) -> anyhow::Result<f64> {
    let mut most: f64 = 0.0;
    while !over.load(Ordering::Relaxed) {
        most = most.max(resident_mb(pid)?);
        tokio::time::sleep(LOOK).await;
    }
    ensure!(most > 0.0, "the daemon's memory could not be read");
    Ok(most)
}
