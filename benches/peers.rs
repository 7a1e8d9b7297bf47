//! The same callbacks at `wecomd` and at receivers that one would write otherwise.
//!
//! The peers verify, decrypt and parse each callback, store it with one INSERT, and answer after that; they record
//! nothing. One has wechatpy, FastAPI, uvicorn and asyncpg, the other @wecom/crypto, Fastify and pg. Each runs as one
//! process, and as one for each core. `wecomd` runs on a database where it only accepts, and on two where it records as
//! well: a new one in each round, and one that stays. There a rate counts until the last callback is recorded.
//!
//! PostgreSQL syncs every commit of everybody, and has the same settings for all.

mod support;

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};
use support::{
    callback::sealed_day,
    database::Database,
    figures::{Series, figure, grouped, judge},
    flood::flood,
    load::{self, Load, Outcome, Requests},
    options::{Options, Standard},
    peer::Kind,
    process::Process,
    rival,
    run::run,
    supply::Supply,
    tables::assembled,
};
use tokio::time::timeout;

/// How long one server answers before the next has its turn.
const STANDARD: Standard = Standard { seconds: 5.0, quick_seconds: 1.0, rounds: 5 };

/// How many requests per second are prepared; a window ends when they are used up.
const PER_SECOND: f64 = 60_000.0;

/// As many as in the benchmark `accept`.
const CONNECTIONS: usize = 64;

/// How long a peer may take beyond a window: it may still be starting.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Callbacks before anything is measured: interpreters compile, statements are planned.
const WARM_UP: usize = 3_000;

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read_standard("peers", STANDARD)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    let mut bench = Bench { root: database.prepare("wecomd", &supply.corp).await?, database, options };
    let mut peers = bench.peers(&supply).await?;
    let alone = bench.wecomd("alone", &supply, &["--no-worker"]).await?;
    let mut warm = bench.wecomd("warm", &supply, &[]).await?;
    let warm_up = Requests::of(&sealed_day(&mut supply, WARM_UP)?);
    for peer in &mut peers {
        peer.answers(warm_up.clone(), bench.load()).await?;
    }
    load::run(alone.process.address, warm_up.clone(), bench.load()).await?;
    flood(warm.process.address, &mut warm.conn, warm_up, bench.load()).await?;

    let mut rates: [Series; 3] = Default::default();
    for round in 0..options.rounds {
        let callbacks = (PER_SECOND * options.window.as_secs_f64()) as usize;
        let requests = Requests::of(&sealed_day(&mut supply, callbacks)?);
        for peer in &mut peers {
            let outcome = peer.answers(requests.clone(), bench.load()).await?;
            peer.rate.push(outcome.rate());
            peer.p99_ms.push(outcome.latency_ms(0.99));
        }
        let [only_accepting, on_fresh, on_warm] = &mut rates;
        only_accepting.push(load::run(alone.process.address, requests.clone(), bench.load()).await?.rate());
        let name = format!("fresh{round}");
        let mut fresh = bench.wecomd(&name, &supply, &[]).await?;
        on_fresh.push(flood(fresh.process.address, &mut fresh.conn, requests.clone(), bench.load()).await?);
        fresh.close().await?;
        bench.execute(format!("drop database {name} with (force)")).await?;
        on_warm.push(flood(warm.process.address, &mut warm.conn, requests, bench.load()).await?);
    }
    for peer in &peers {
        peer.prove_stored(&mut bench).await?;
    }
    alone.close().await?;
    warm.close().await?;
    report(options, &peers, &rates);
    drop(peers);
    bench.close().await
}

fn report(options: &Options, peers: &[Peer], rates: &[Series; 3]) {
    println!("\npeers: medians of {} rounds of {:?} each; every commit synced", options.rounds, options.window);
    println!("  Server, PostgreSQL and load generator share this machine: trust the ratios, not the rates.\n");
    println!("  {:<44} {:>12} {:>9}", "64 connections", "callbacks/s", "p99 ms");
    for it in peers {
        println!("  {:<44} {:>12} {:>9.1}", it.name, grouped(it.rate.median()), it.p99_ms.median());
    }
    let names =
        ["accepting alone", "accepting while recording, new database", "accepting while recording, used database"];
    for (name, rate) in names.iter().zip(rates) {
        println!("  wecomd {name:<37} {:>12}", grouped(rate.median()));
    }
    println!();
    for (name, rate) in names.iter().zip(rates) {
        for peer in peers {
            let meaning = format!("wecomd {name}, against {}", peer.name);
            if peer.kind == Kind::Fastify && !std::ptr::eq(rate, &rates[0]) {
                judge(rate.over(&peer.rate), "×", 4.0.., &meaning);
            } else {
                figure(rate.over(&peer.rate), "×", &meaning);
            }
        }
    }
}

/// The server and what everybody needs of it.
struct Bench<'o> {
    database: Database,
    root: PgConnection,
    options: &'o Options,
}

impl Bench<'_> {
    fn load(&self) -> Load {
        Load { connections: CONNECTIONS, window: self.options.window, pace: None }
    }

    async fn execute(&mut self, sql: String) -> anyhow::Result<()> {
        sqlx::raw_sql(assembled(sql)).execute(&mut self.root).await?;
        Ok(())
    }

    /// Starts the peers that can be installed here.
    async fn peers(&mut self, supply: &Supply) -> anyhow::Result<Vec<Peer>> {
        let mut peers = Vec::new();
        for kind in Kind::ALL {
            let installed = match kind.install() {
                Ok(installed) => installed,
                Err(reason) => {
                    println!("peers: {} skipped: {reason:#}", kind.name());
                    continue;
                }
            };
            let mut numbers = vec![1, available_parallelism()?.get()];
            numbers.dedup();
            for processes in numbers {
                let database = format!("{}{processes}", kind.name().to_lowercase());
                self.execute(format!("create database {database}")).await?;
                let connect = self.database.options(&database)?;
                let mut conn = PgConnection::connect_with(&connect).await?;
                sqlx::raw_sql(rival::TABLE).execute(&mut conn).await?;
                conn.close().await?;
                let process = installed.start(processes, &connect, supply).await?;
                let name = format!("{}, {processes} process{}", kind.name(), if processes == 1 { "" } else { "es" });
                peers.push(Peer {
                    kind,
                    name,
                    database,
                    process,
                    acks: 0,
                    rate: Series::default(),
                    p99_ms: Series::default(),
                });
            }
        }
        Ok(peers)
    }

    /// Makes a database and starts the daemon on it.
    async fn wecomd(&mut self, name: &str, supply: &Supply, arguments: &[&str]) -> anyhow::Result<Site> {
        self.execute(format!("create database {name}")).await?;
        let conn = self.database.prepare(name, &supply.corp).await?;
        Ok(Site { process: Process::wecomd(&self.database, name, arguments).await?, conn })
    }

    async fn close(self) -> anyhow::Result<()> {
        self.root.close().await?;
        self.database.stop().await
    }
}

/// The daemon and its database.
struct Site {
    process: Process,
    conn: PgConnection,
}

impl Site {
    async fn close(self) -> anyhow::Result<()> {
        drop(self.process);
        Ok(self.conn.close().await?)
    }
}

/// A receiver that others would write.
struct Peer {
    kind: Kind,
    name: String,
    database: String,
    process: Process,
    acks: usize,
    rate: Series,
    p99_ms: Series,
}

impl Peer {
    async fn answers(&mut self, requests: Arc<Requests>, load: Load) -> anyhow::Result<Outcome> {
        let limit = load.window + ANSWER_LIMIT;
        let answering = load::run(self.process.address, requests, load);
        let outcome = timeout(limit, answering).await.with_context(|| format!("{} does not answer", self.name))??;
        self.acks += outcome.acks;
        Ok(outcome)
    }

    /// It stored what it answered, and nothing else.
    async fn prove_stored(&self, bench: &mut Bench<'_>) -> anyhow::Result<()> {
        let mut conn = PgConnection::connect_with(&bench.database.options(&self.database)?).await?;
        let stored: i64 = sqlx::query_scalar("select count(*) from rival").fetch_one(&mut conn).await?;
        conn.close().await?;
        ensure!(usize::try_from(stored)? == self.acks, "{} answered {} and stored {stored}", self.name, self.acks);
        Ok(())
    }
}
