//! How many callbacks per second are durably stored and answered, beside two rivals.
//!
//! The daemon is the real one in a process of its own, PostgreSQL syncs every commit to disk, and so does the rival
//! that stores. A second daemon, whose database was stopped, answers from its spool; it is skipped while the program has
//! none. Afterwards the daemons are killed, and every callback that was answered must be there.

mod support;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use sqlx::{Connection, PgConnection};
use support::{
    callback::sealed_day,
    cpu::{cpu_seconds, cpu_seconds_of_server},
    database::{Database, Paused},
    figures::{Series, grouped, judge},
    load::{self, Load, Outcome, Requests},
    options::Options,
    process::{Process, resident_mb},
    rival,
    run::run,
    spool,
    supply::Supply,
    tables::assembled,
};

/// How long one server answers before the next has its turn.
const SECONDS: f64 = 1.5;

/// Connections, and how many requests per second are prepared for that many; a window ends when they are used up.
const STAGES: [(usize, f64); 4] = [(1, 20_000.0), (16, 60_000.0), (64, 60_000.0), (256, 60_000.0)];

/// What the second daemon is sent before it is measured: it notices that its database is away.
const NOTICE: usize = 100;
const NOTICE_WINDOW: Duration = Duration::from_secs(20);

/// The daemon listens before it has read its apps. The answers to a day of at least so many callbacks show that it has.
const READY: usize = 1;

/// How long the spool may take to bring everything to the database.
const UNSPOOL_LIMIT: Duration = Duration::from_secs(120);

fn main() -> anyhow::Result<()> {
    if rival::serve_if_asked()? {
        return Ok(());
    }
    let Some(options) = Options::read("accept", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    sqlx::raw_sql(rival::TABLE).execute(&mut conn).await?;
    let mut contenders = vec![
        Contender::new("wecomd", Process::wecomd(&database, "wecomd", &["--no-worker"]).await?, database.pid()),
        Contender::new("one INSERT each", rival::start(Some(&database.url("wecomd"))).await?, database.pid()),
        Contender::new("body only", rival::start(None).await?, database.pid()),
    ];
    let spooling = if spool::is_there()? { Some(Spooling::start(&mut supply).await?) } else { None };
    let spooling = match spooling {
        None => {
            println!("accept: spooling {}", spool::SKIPPED);
            None
        }
        Some((process, spooling)) => {
            // PostgreSQL does nothing for it; what the other one does meanwhile is nearly nothing.
            contenders.push(Contender::new("spooling", process, database.pid()));
            Some(spooling)
        }
    };
    let wanted = |connections| options.connections.is_none_or(|only| only == connections);
    let names: Vec<_> = contenders.iter().map(|it| it.name).collect();
    let mut stages: Vec<_> =
        STAGES.into_iter().filter(|(it, _)| wanted(*it)).map(|it| Stage::new(it, &names)).collect();
    for _ in 0..options.rounds {
        for stage in &mut stages {
            let callbacks = sealed_day(&mut supply, (stage.per_second * options.window.as_secs_f64()) as usize)?;
            let requests = Requests::of(&callbacks);
            for (results, contender) in stage.results.iter_mut().zip(&contenders) {
                let load = Load { connections: stage.connections, window: options.window, pace: None };
                results.add(contender, requests.clone(), load).await?;
            }
        }
    }
    // Killed, not stopped: what was answered was durable before.
    drop(contenders);
    let stored =
        [("wecomd", stored(&mut conn, "inbox").await?), ("one INSERT each", stored(&mut conn, "rival").await?)];
    conn.close().await?;
    database.stop().await?;
    for (name, stored) in stored {
        prove_durable(&stages, name, 0, stored)?;
    }
    if let Some(spooling) = spooling {
        let beforehand = spooling.beforehand;
        let stored = spooling.unspool(answered(&stages, "spooling")).await?;
        prove_durable(&stages, "spooling", beforehand, stored)?;
    }
    report(options, &stages);
    Ok(())
}

/// A database that is stopped, and the folder in which its daemon keeps what it answers meanwhile.
struct Spooling {
    paused: Paused,
    location: String,
    /// How many callbacks it answered before it was measured.
    beforehand: usize,
}

impl Spooling {
    /// Starts the daemon, takes its database away, and waits until it has noticed.
    async fn start(supply: &mut Supply) -> anyhow::Result<(Process, Self)> {
        let database = Database::start().await?;
        database.prepare("wecomd", &supply.corp).await?.close().await?;
        let location = spool::location(&database);
        let settings = spool::settings(&location);
        let process = Process::wecomd_with(&database, "wecomd", &["--no-worker"], &settings).await?;
        let load = Load { connections: 1, window: NOTICE_WINDOW, pace: None };
        let ready = load::run(process.address, Requests::of(&sealed_day(supply, READY)?), load.clone()).await?.acks;
        let paused = database.pause().await?;
        let requests = Requests::of(&sealed_day(supply, NOTICE)?);
        let noticed = load::run(process.address, requests, load).await?.acks;
        ensure!(noticed == NOTICE, "the daemon answered {noticed} of {NOTICE} callbacks while its database was away");
        Ok((process, Self { paused, location, beforehand: ready + noticed }))
    }

    /// Starts the database and the daemon again, which was killed; returns how many deliveries get there.
    async fn unspool(self, answered: usize) -> anyhow::Result<usize> {
        let database = self.paused.resume().await?;
        let settings = spool::settings(&self.location);
        let process = Process::wecomd_with(&database, "wecomd", &["--no-worker"], &settings).await?;
        let mut conn = PgConnection::connect_with(&database.options("wecomd")?).await?;
        let began = Instant::now();
        let mut found = stored(&mut conn, "inbox").await?;
        while found < answered + self.beforehand && began.elapsed() < UNSPOOL_LIMIT {
            tokio::time::sleep(Duration::from_millis(100)).await;
            found = stored(&mut conn, "inbox").await?;
        }
        drop(process);
        conn.close().await?;
        database.stop().await?;
        Ok(found)
    }
}

/// A server to measure.
struct Contender {
    name: &'static str,
    process: Process,
    address: SocketAddr,
    database_pid: u32,
}

impl Contender {
    fn new(name: &'static str, process: Process, database_pid: u32) -> Self {
        Self { name, address: process.address, process, database_pid }
    }

    fn cpu(&self) -> anyhow::Result<[f64; 2]> {
        Ok([cpu_seconds(self.process.pid())?, cpu_seconds_of_server(self.database_pid)?])
    }
}

/// What all contenders did with so many connections.
struct Stage {
    connections: usize,
    per_second: f64,
    results: Vec<Results>,
}

/// What one contender did in all rounds.
#[derive(Default)]
struct Results {
    name: &'static str,
    acks: usize,
    rate: Series,
    p50_ms: Series,
    p99_ms: Series,
    own_cpu_us: Series,
    database_cpu_us: Series,
    resident_mb: f64,
}

impl Stage {
    fn new((connections, per_second): (usize, f64), names: &[&'static str]) -> Self {
        let results = names.iter().map(|name| Results { name, ..Results::default() }).collect();
        Self { connections, per_second, results }
    }

    fn of(&self, name: &str) -> Option<&Results> {
        self.results.iter().find(|it| it.name == name)
    }
}

impl Results {
    async fn add(&mut self, contender: &Contender, requests: Arc<Requests>, load: Load) -> anyhow::Result<()> {
        let before = contender.cpu()?;
        let outcome: Outcome = load::run(contender.address, requests, load).await?;
        let [own, database] = contender.cpu()?;
        let acks = outcome.acks as f64;
        self.acks += outcome.acks;
        self.rate.push(outcome.rate());
        self.p50_ms.push(outcome.latency_ms(0.50));
        self.p99_ms.push(outcome.latency_ms(0.99));
        self.own_cpu_us.push((own - before[0]) / acks * 1e6);
        self.database_cpu_us.push((database - before[1]) / acks * 1e6);
        self.resident_mb = self.resident_mb.max(resident_mb(contender.process.pid())?);
        Ok(())
    }
}

/// How many rows a table has.
async fn stored(conn: &mut PgConnection, table: &'static str) -> anyhow::Result<usize> {
    let count = assembled(format!("select count(*) from {table}"));
    Ok(usize::try_from(sqlx::query_scalar::<_, i64>(count).fetch_one(conn).await?)?)
}

/// How many callbacks a contender answered.
fn answered(stages: &[Stage], name: &str) -> usize {
    stages.iter().filter_map(|stage| stage.of(name)).map(|it| it.acks).sum()
}

/// Every callback that was answered is stored, and nothing else is but what came `beforehand`.
fn prove_durable(stages: &[Stage], name: &str, beforehand: usize, stored: usize) -> anyhow::Result<()> {
    let acks = answered(stages, name) + beforehand;
    ensure!(stored == acks, "{name} answered {acks} callbacks and stored {stored}");
    println!("{name}: {} answered, {} stored", grouped(acks as f64), grouped(stored as f64));
    Ok(())
}

fn report(options: &Options, stages: &[Stage]) {
    println!("\naccept: medians of {} rounds of {:?} each; every commit synced", options.rounds, options.window);
    println!("  Server, PostgreSQL and load generator share this machine: trust the ratios, not the rates.\n");
    println!(
        "{:>12}  {:<16} {:>9} {:>9} {:>9}   µs of processor per answer",
        "connections", "", "acks/s", "p50 ms", "p99 ms"
    );
    for stage in stages {
        for it in &stage.results {
            let [p50, p99] = [&it.p50_ms, &it.p99_ms].map(Series::median);
            let [own, database] = [&it.own_cpu_us, &it.database_cpu_us].map(Series::median);
            let rate = grouped(it.rate.median());
            println!(
                "{:>12}  {:<16} {rate:>9} {p50:>9.2} {p99:>9.2}   {own:>4.0} + {database:.1} PostgreSQL",
                stage.connections, it.name
            );
        }
    }
    println!();
    let of = |connections: usize, name: &str| stages.iter().find(|it| it.connections == connections)?.of(name);
    if let (Some(ours), Some(insert), Some(body)) = (of(64, "wecomd"), of(64, "one INSERT each"), of(64, "body only")) {
        judge(ours.rate.over(&insert.rate), "×", 4.0.., "64 connections: acks/s against one INSERT each");
        judge(ours.rate.over(&body.rate), "×", 0.55.., "64 connections: acks/s against reading the body only");
        judge(ours.database_cpu_us.median(), "µs", ..=7.0, "64 connections: PostgreSQL's processor time per answer");
        if let Some(spooling) = of(64, "spooling") {
            judge(spooling.rate.over(&ours.rate), "×", 1.0.., "64 connections: acks/s spooling, against the database");
        }
    }
    if let (Some(ours), Some(insert)) = (of(1, "wecomd"), of(1, "one INSERT each")) {
        judge(ours.p50_ms.over(&insert.p50_ms), "×", ..=1.15, "1 connection: p50 against one INSERT each");
    }
    if let Some(many) = of(256, "wecomd") {
        judge(many.p99_ms.median(), "ms", ..=25.0, "256 connections: p99");
        judge(many.resident_mb, "MB", ..=40.0, "256 connections: resident memory");
        if let Some(ours) = of(64, "wecomd") {
            judge(many.rate.over(&ours.rate), "×", 0.9.., "256 connections: acks/s against 64");
        }
    }
}
