//! How many callbacks per second are durably stored and answered, beside two rivals.
//!
//! The daemon is the real one in a process of its own, PostgreSQL syncs every commit to disk, and so does the rival
//! that stores. Afterwards the daemon is killed, and every callback it answered must be there.

mod support;

use std::{net::SocketAddr, sync::Arc};

use anyhow::ensure;
use sqlx::{Connection, PgConnection};
use support::{
    callback::sealed_day,
    cpu::{cpu_seconds, cpu_seconds_of_server},
    database::Database,
    figures::{Series, grouped, judge},
    load::{self, Load, Outcome, Requests},
    options::Options,
    process::{Process, resident_mb},
    rival,
    run::run,
    supply::Supply,
};

/// How long one server answers before the next has its turn.
const SECONDS: f64 = 1.5;

/// Connections, and how many requests per second are prepared for that many; a window ends when they are used up.
const STAGES: [(usize, f64); 4] = [(1, 20_000.0), (16, 60_000.0), (64, 60_000.0), (256, 60_000.0)];

/// The contenders, in the order of their turns.
const NAMES: [&str; 3] = ["wecomd", "one INSERT each", "body only"];

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
    let contenders = [
        Contender::new(Process::wecomd(&database, "wecomd", &["--no-worker"]).await?, database.pid()),
        Contender::new(rival::start(Some(&database.url("wecomd"))).await?, database.pid()),
        Contender::new(rival::start(None).await?, database.pid()),
    ];
    let wanted = |connections| options.connections.is_none_or(|only| only == connections);
    let mut stages: Vec<_> = STAGES.into_iter().filter(|(it, _)| wanted(*it)).map(Stage::new).collect();
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
    prove_durable(&mut conn, &stages).await?;
    conn.close().await?;
    database.stop().await?;
    report(options, &stages);
    Ok(())
}

/// A server to measure.
struct Contender {
    process: Process,
    address: SocketAddr,
    database_pid: u32,
}

impl Contender {
    fn new(process: Process, database_pid: u32) -> Self {
        Self { address: process.address, process, database_pid }
    }

    fn cpu(&self) -> anyhow::Result<[f64; 2]> {
        Ok([cpu_seconds(self.process.pid())?, cpu_seconds_of_server(self.database_pid)?])
    }
}

/// What all contenders did with so many connections.
struct Stage {
    connections: usize,
    per_second: f64,
    results: [Results; 3],
}

/// What one contender did in all rounds.
#[derive(Default)]
struct Results {
    acks: usize,
    rate: Series,
    p50_ms: Series,
    p99_ms: Series,
    own_cpu_us: Series,
    database_cpu_us: Series,
    resident_mb: f64,
}

impl Stage {
    fn new((connections, per_second): (usize, f64)) -> Self {
        Self { connections, per_second, results: Default::default() }
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

/// Every callback that was answered is stored, and nothing else is.
async fn prove_durable(conn: &mut PgConnection, stages: &[Stage]) -> anyhow::Result<()> {
    let stored: [i64; 2] = [
        sqlx::query_scalar("select count(*) from inbox").fetch_one(&mut *conn).await?,
        sqlx::query_scalar("select count(*) from rival").fetch_one(&mut *conn).await?,
    ];
    for (at, (name, stored)) in NAMES.iter().zip(stored).enumerate() {
        let acks: usize = stages.iter().filter_map(|stage| stage.results.get(at)).map(|it| it.acks).sum();
        ensure!(usize::try_from(stored)? == acks, "{name} answered {acks} callbacks and stored {stored}");
        println!("{name}: {} answered, {} stored", grouped(acks as f64), grouped(stored as f64));
    }
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
        for (name, it) in NAMES.iter().zip(&stage.results) {
            let [p50, p99] = [&it.p50_ms, &it.p99_ms].map(Series::median);
            let [own, database] = [&it.own_cpu_us, &it.database_cpu_us].map(Series::median);
            let rate = grouped(it.rate.median());
            println!(
                "{:>12}  {name:<16} {rate:>9} {p50:>9.2} {p99:>9.2}   {own:>4.0} + {database:.0} PostgreSQL",
                stage.connections
            );
        }
    }
    println!();
    let of = |connections: usize| stages.iter().find(|it| it.connections == connections).map(|it| &it.results);
    if let Some([ours, insert, body]) = of(64) {
        judge(ours.rate.over(&insert.rate), "×", 4.0.., "64 connections: acks/s against one INSERT each");
        judge(ours.rate.over(&body.rate), "×", 0.5.., "64 connections: acks/s against reading the body only");
    }
    if let Some([ours, insert, _]) = of(1) {
        judge(ours.p50_ms.over(&insert.p50_ms), "×", ..=1.15, "1 connection: p50 against one INSERT each");
    }
    if let Some([many, ..]) = of(256) {
        judge(many.p99_ms.median(), "ms", ..=25.0, "256 connections: p99");
        judge(many.resident_mb, "MB", ..=40.0, "256 connections: resident memory");
        if let Some([ours, ..]) = of(64) {
            judge(many.rate.over(&ours.rate), "×", 0.9.., "256 connections: acks/s against 64");
        }
    }
}
