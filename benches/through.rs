//! What one machine can take for hours: accepting and recording at once, without a growing backlog.
//!
//! Two daemons on two databases of one PostgreSQL: one only accepts, the other also records with its standard
//! workers. Half of the callbacks add customers, half are texts of members. In each round the tables are empty at
//! first. Short windows find about how many callbacks a second the second daemon keeps up with; a whole window proves
//! it, and a further one measures how long an answer takes at half of that rate. Pacing is open: a callback is due at
//! its time whether or not earlier ones were answered.

mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use support::{
    database::Database,
    figures::{Series, grouped, judge},
    flood::drained,
    load::{self, Load, Outcome},
    mix,
    options::{Options, Standard},
    process::Process,
    run::run,
    supply::Supply,
    tables::{self, Counts},
};
use wecomd::inbox::{DEPTH_MAX, depth};

/// How long a window is that counts.
const STANDARD: Standard = Standard { seconds: 60.0, quick_seconds: 4.0, rounds: 3 };

/// A window that only looks for the right offer takes this share of one that counts, but at least a second.
const PROBE_SHARE: f64 = 0.1;
const PROBE_MIN: Duration = Duration::from_secs(1);

/// As many as in the benchmark `accept`.
const CONNECTIONS: usize = 64;

/// How many requests per second are prepared where nothing is known yet.
const PER_SECOND: f64 = 60_000.0;

/// Beyond what an earlier window needed, so many requests are prepared that none ends early.
const SPARE: f64 = 1.2;

/// The first offer, in shares of what is accepted alone, and by how much one differs from the next.
const SHARE_FIRST: f64 = 0.3;
const SHARE_STEP: f64 = 0.05;
const SHARE_MAX: f64 = 0.95;

/// An offer is kept up with if at least this share of it is answered in the window …
const ANSWERED: f64 = 0.97;

/// … and the backlog grows by at most this share of what arrives.
const GROWTH: f64 = 0.03;

/// The paced window: this share of what is kept up with.
const HALF: f64 = 0.5;

/// Between two looks at the backlog.
const LOOK: Duration = Duration::from_millis(100);

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read_standard("through", STANDARD)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    sqlx::raw_sql("create database alone").execute(&mut conn).await?;
    let alone_conn = database.prepare("alone", &supply.corp).await?;
    let accepting = Process::wecomd(&database, "alone", &["--no-worker"]).await?;
    let both = Process::wecomd(&database, "wecomd", &[]).await?;
    let mut bench = Bench {
        accepting: Site::of(&accepting, alone_conn, database.options("alone")?).await?,
        both: Site::of(&both, conn, database.options("wecomd")?).await?,
        supply,
        window: options.window,
        probe: options.window.mul_f64(PROBE_SHARE).max(PROBE_MIN),
    };

    println!("through: {} rounds, {CONNECTIONS} connections, windows of {:?}\n", options.rounds, options.window);
    println!("{:>5} {:>10} {:>10} {:>9} {:>12}   kept up", "share", "offered/s", "acks/s", "p99 ms", "backlog +/s");
    let (mut alone, mut kept, mut half_p99_ms) = (Series::default(), Series::default(), Series::default());
    let mut half_kept = true;
    for _ in 0..options.rounds {
        let rate = bench.alone().await?;
        alone.push(rate);
        let most = bench.keeps_up(rate).await?;
        kept.push(most);
        bench.both.empty().await?;
        let half = bench.offer(most * HALF, bench.window).await?;
        half.print(most * HALF / rate, most * HALF);
        half_kept &= half.kept_up(most * HALF);
        half_p99_ms.push(half.outcome.latency_ms(0.99));
    }
    bench.accepting.conn.close().await?;
    bench.both.conn.close().await?;
    drop((accepting, both));
    database.stop().await?;

    println!("\n  Server, PostgreSQL and load generator share this machine: trust the ratios, not the rates.");
    println!("  only accepting                                    {:>9}/s", grouped(alone.median()));
    println!("  accepting and recording, the backlog not growing  {:>9}/s\n", grouped(kept.median()));
    judge(kept.over(&alone), "×", 0.6.., "accepted while recording keeps up, against accepted alone");
    judge(half_p99_ms.median(), "ms", ..=8.0, "p99 of an answer at half of that rate");
    judge(f64::from(u8::from(half_kept)), "", 1.0.., "1: recording kept up at half of that rate in all rounds");
    Ok(())
}

/// Both daemons, and what they are offered.
struct Bench {
    accepting: Site,
    both: Site,
    supply: Supply,
    window: Duration,
    probe: Duration,
}

impl Bench {
    /// How many callbacks a second are accepted alone.
    async fn alone(&mut self) -> anyhow::Result<f64> {
        self.accepting.empty().await?;
        let flood = |window| Load { connections: CONNECTIONS, window, pace: None };
        let mut per_second = PER_SECOND;
        let mut outcome = None;
        for window in [self.probe, self.window] {
            let callbacks = (per_second * window.as_secs_f64()) as usize;
            let requests = mix::requests(&mut self.supply, callbacks)?;
            let all = outcome.insert(load::run(self.accepting.address, requests, flood(window)).await?);
            per_second = all.rate() * SPARE;
        }
        let rate = outcome.as_ref().map_or(0.0, Outcome::rate);
        println!(" only accepting {:>10}", grouped(rate));
        Ok(rate)
    }

    /// How many callbacks a second are accepted while recording keeps up. `alone` is how many are accepted alone.
    async fn keeps_up(&mut self, alone: f64) -> anyhow::Result<f64> {
        self.both.empty().await?;
        let mut share = SHARE_FIRST;
        while share <= SHARE_MAX {
            let offer = self.offer(alone * share, self.probe).await?;
            if !offer.kept_up(alone * share) {
                break;
            }
            share += SHARE_STEP;
        }
        // A short window may have been disturbed: from where they end, whole windows go up or down until one is the last
        // that is kept up with.
        let (mut kept, mut failed) = (0.0, false);
        while share > 0.0 && share <= SHARE_MAX {
            self.both.empty().await?;
            let offer = self.offer(alone * share, self.window).await?;
            offer.print(share, alone * share);
            if offer.kept_up(alone * share) {
                kept = offer.outcome.rate();
                if failed {
                    break;
                }
                share += SHARE_STEP;
            } else {
                if kept > 0.0 {
                    break;
                }
                failed = true;
                share -= SHARE_STEP;
            }
        }
        ensure!(kept > 0.0, "recording keeps up with no offer");
        Ok(kept)
    }

    /// Offers so many callbacks per second to the daemon that records, and waits until all are recorded.
    async fn offer(&mut self, pace: f64, window: Duration) -> anyhow::Result<Offer> {
        let requests = mix::requests(&mut self.supply, (pace * window.as_secs_f64()) as usize)?;
        let load = Load { connections: CONNECTIONS, window, pace: Some(pace) };
        let over = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(self.both.connect.clone(), over.clone()));
        let outcome = load::run(self.both.address, requests, load).await?;
        over.store(true, Ordering::Relaxed);
        let depths = watching.await??;
        drained(&mut self.both.conn).await?;
        let third = depths.len() / 3;
        let mean = |from: usize| {
            let part = depths.get(from..from + third).unwrap_or_default();
            part.iter().sum::<f64>() / part.len().max(1) as f64
        };
        // Beyond that depth nobody counts, and a backlog would seem to grow no more.
        let is_countless = depths.iter().any(|it| *it >= DEPTH_MAX as f64);
        let growth = match is_countless {
            true => f64::INFINITY,
            false => (mean(2 * third) - mean(third)) / (outcome.took.as_secs_f64() / 3.0),
        };
        Ok(Offer { outcome, growth })
    }
}

/// One daemon and its database.
struct Site {
    address: SocketAddr,
    conn: PgConnection,
    connect: PgConnectOptions,
    before: Counts,
}

impl Site {
    async fn of(daemon: &Process, mut conn: PgConnection, connect: PgConnectOptions) -> anyhow::Result<Self> {
        let before = tables::counts(&mut conn).await?;
        Ok(Self { address: daemon.address, conn, connect, before })
    }

    /// Empties all tables that have got rows.
    async fn empty(&mut self) -> anyhow::Result<()> {
        let now = tables::counts(&mut self.conn).await?;
        let grown = tables::grown(&self.before, &now);
        ensure!(!grown.iter().any(|it| it == "parked"), "something was parked");
        tables::truncate(&mut self.conn, &grown).await
    }
}

/// The result of offering callbacks at a given rate.
struct Offer {
    outcome: Outcome,
    /// By how many deliveries a second the backlog grew, after a third of the window to get going.
    growth: f64,
}

impl Offer {
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
