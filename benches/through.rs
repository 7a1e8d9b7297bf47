//! What one machine can take for hours: accepting and recording at once, without a growing backlog.
//!
//! Two daemons on two databases of one PostgreSQL: one only accepts, the other also records with its standard
//! workers. The second is offered more and more callbacks per second until its backlog grows. Pacing is open: a
//! callback is due at its time whether or not earlier ones were answered.

mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use support::{
    callback::sealed_day,
    database::Database,
    figures::{Series, grouped, judge},
    load::{self, Load, Outcome, Requests},
    options::Options,
    process::Process,
    run::run,
    supply::Supply,
};
use wecomd::inbox::depth;

/// How long one offer lasts.
const SECONDS: f64 = 3.0;

/// As many as in the benchmark `accept`.
const CONNECTIONS: usize = 64;

/// How many requests per second are prepared; a window ends when they are used up.
const PER_SECOND: f64 = 60_000.0;

/// The offers, in shares of what was accepted alone in the same round.
const SHARES: [f64; 9] = [0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// An offer is kept up with if at least this share of it is answered in the window …
const ANSWERED: f64 = 0.97;

/// … and the backlog grows by at most this share of what arrives.
const GROWTH: f64 = 0.03;

/// Between two looks at the backlog.
const LOOK: Duration = Duration::from_millis(100);

/// How long recording may lag behind after an offer.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("through", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    sqlx::raw_sql("create database alone").execute(&mut conn).await?;
    database.prepare("alone", &supply.corp).await?.close().await?;
    let accepting = Process::wecomd(&database, "alone", &["--no-worker"]).await?;
    let both = Process::wecomd(&database, "wecomd", &[]).await?;
    let backlog = database.options("wecomd")?;

    println!("through: {} rounds, {CONNECTIONS} connections, offers of {:?}\n", options.rounds, options.window);
    println!("{:>5} {:>10} {:>10} {:>9} {:>12}   kept up", "share", "offered/s", "acks/s", "p99 ms", "backlog +/s");
    let (mut alone, mut sustained, mut flooded) = (Series::default(), Series::default(), Series::default());
    for _ in 0..options.rounds {
        let flood = Load { connections: CONNECTIONS, window: options.window, pace: None };
        let rate = load::run(accepting.address, requests(&mut supply, options)?, flood.clone()).await?.rate();
        println!(" only accepting {:>10}", grouped(rate));
        alone.push(rate);

        let mut kept = 0.0;
        for share in SHARES {
            let pace = rate * share;
            let load = Load { pace: Some(pace), ..flood.clone() };
            let offer = Offer::make(both.address, requests(&mut supply, options)?, load, &backlog).await?;
            drained(&mut conn).await?;
            offer.print(share, pace);
            if !offer.kept_up(pace) {
                break;
            }
            kept = offer.outcome.rate();
        }
        sustained.push(kept);

        let requests = requests(&mut supply, options)?;
        let began = Instant::now();
        let outcome = load::run(both.address, requests, flood).await?;
        drained(&mut conn).await?;
        flooded.push(outcome.acks as f64 / began.elapsed().as_secs_f64());
    }
    drop((accepting, both));
    conn.close().await?;
    database.stop().await?;

    println!("\n  Server, PostgreSQL and load generator share this machine: trust the ratios, not the rates.");
    println!("  only accepting                                    {:>9}/s", grouped(alone.median()));
    println!("  accepting and recording, the backlog not growing  {:>9}/s", grouped(sustained.median()));
    println!("  a flood, from its first callback until the last was recorded {:>9}/s\n", grouped(flooded.median()));
    judge(sustained.over(&alone), "×", 0.3.., "accepted and recorded at once, against accepted alone");
    Ok(())
}

fn requests(supply: &mut Supply, options: &Options) -> anyhow::Result<Arc<Requests>> {
    Ok(Requests::of(&sealed_day(supply, (PER_SECOND * options.window.as_secs_f64()) as usize)?))
}

async fn drained(conn: &mut PgConnection) -> anyhow::Result<()> {
    let began = Instant::now();
    while depth(conn).await?.0 > 0 {
        ensure!(began.elapsed() < DRAIN_LIMIT, "recording does not come to an end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// The result of offering callbacks at a given rate.
struct Offer {
    outcome: Outcome,
    /// By how many deliveries a second the backlog grew, after a third of the window to get going.
    growth: f64,
}

impl Offer {
    async fn make(
        address: SocketAddr,
        requests: Arc<Requests>,
        load: Load,
        backlog: &PgConnectOptions,
    ) -> anyhow::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(backlog.clone(), over.clone()));
        let outcome = load::run(address, requests, load).await?;
        over.store(true, Ordering::Relaxed);
        let depths = watching.await??;
        let third = depths.len() / 3;
        let mean = |from: usize| {
            let part = depths.get(from..from + third).unwrap_or_default();
            part.iter().sum::<f64>() / part.len().max(1) as f64
        };
        let growth = (mean(2 * third) - mean(third)) / (outcome.took.as_secs_f64() / 3.0);
        Ok(Self { outcome, growth })
    }

    fn kept_up(&self, pace: f64) -> bool {
        self.outcome.rate() >= ANSWERED * pace && self.growth <= GROWTH * pace
    }

    fn print(&self, share: f64, pace: f64) {
        let (offered, acked, p99) = (grouped(pace), grouped(self.outcome.rate()), self.outcome.latency_ms(0.99));
        let kept = if self.kept_up(pace) { "yes" } else { "no" };
        println!("{share:>5.2} {offered:>10} {acked:>10} {p99:>9.2} {:>12.0}   {kept}", self.growth);
    }
}

/// Looks at the backlog until it is told to stop.
async fn watch(backlog: PgConnectOptions, over: Arc<AtomicBool>) -> anyhow::Result<Vec<f64>> {
    let mut conn = PgConnection::connect_with(&backlog).await?;
    let (mut depths, mut look) = (Vec::new(), tokio::time::interval(LOOK));
    while !over.load(Ordering::Relaxed) {
        look.tick().await;
        depths.push(depth(&mut conn).await?.0 as f64);
    }
    conn.close().await?;
    Ok(depths)
}
