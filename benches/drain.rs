//! How fast deliveries are recorded: beside the least that PostgreSQL takes for the same rows, beside accepting alone,
//! one delivery at a time, with some deliveries that the database refuses, and with mostly customers' messages.
//!
//! A round begins with empty tables. The daemon accepts callbacks over HTTP and does nothing else; two workers record
//! them. What that left in the tables is read out, and written again as `support/floor.rs` says. The same handlers
//! then record other callbacks with one worker, and one by one. Then, on empty tables again, one of 200 deliveries is
//! refused by a constraint of this benchmark. Last, on empty tables, nine of ten deliveries are messages of customers, as
//! they are pulled from 微信客服 and the message archive.

mod support;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use support::{
    callback::sealed_day,
    cpu::{cpu_seconds, cpu_seconds_of_server},
    database::Database,
    figures::{Series, figure, grouped, judge},
    floor::Floor,
    inbox::{Crew, app_ids, fill, store, tidy, ungroup},
    load::{self, Load, Requests},
    mix::Day,
    options::Options,
    process::Process,
    run::run,
    supply::Supply,
    tables::{self, Counts},
    talk,
};
use wecomd::{inbox::depth, sandbox::AppKind};

/// How many callbacks per second are prepared for accepting; a window ends when they are used up.
const ACCEPTED_PER_SECOND: f64 = 60_000.0;

/// How many deliveries one second of the window stands for, where they are not accepted over HTTP.
const PER_SECOND: f64 = 30_000.0;

/// One at a time, a delivery takes about this many times as long.
const SINGLY: usize = 20;

/// How long one contender works, roughly.
const SECONDS: f64 = 2.0;

/// As many connections as in the benchmark `accept`.
const CONNECTIONS: usize = 64;

/// As `serve` has it.
const WORKERS: usize = 2;
const BATCH_MAX: u32 = 500;

/// Deliveries that are recorded after the tables were emptied and before anything is measured: workers plan their
/// statements again.
const WARM_UP: usize = 2_000;

/// One delivery of so many is refused.
const REFUSED_ONE_IN: usize = 200;

/// Recording refused deliveries is measured with this share of the deliveries.
const REFUSED_SHARE: usize = 3;

/// The table that accepting fills; recording empties `pending`.
const ACCEPTED: &str = "inbox";

/// What the database refuses to record here, and how it is made to.
const REFUSED: &str = "this text is refused by the benchmark";
const REFUSE: &str = "alter table wechat_contact_record
    add constraint refused_by_benchmark check (content <> 'this text is refused by the benchmark') not valid";
const REFUSE_NO_MORE: &str = "alter table wechat_contact_record drop constraint refused_by_benchmark";

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("drain", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut site = Site::open(&database, options).await?;
    let mut crews = [
        ("2 workers, batches of 500", Crew::new(&site.connect, WORKERS, BATCH_MAX)),
        ("1 worker, batches of 500", Crew::new(&site.connect, 1, BATCH_MAX)),
        ("1 worker, one at a time", Crew::new(&site.connect, 1, 1)),
    ];
    let mut refusing = Crew::with_attempts(&site.connect, WORKERS, BATCH_MAX, 1);
    let mut drains: [Results; 3] = Default::default();
    let (mut floor, mut refused, mut accepted) = (Results::default(), Results::default(), Series::default());
    let mut heard = Results::default();
    for _ in 0..options.rounds {
        let [(_, two), (_, one), (_, singly)] = &mut crews;
        let [with_two, with_one, with_singly] = &mut drains;
        site.begin(two).await?;
        accepted.push(site.accept().await?);
        site.drain(two, with_two).await?;
        site.floor(&mut floor).await?;
        fill(&site.connect, &mut site.supply, site.deliveries).await?;
        site.drain(one, with_one).await?;
        fill(&site.connect, &mut site.supply, site.deliveries / SINGLY).await?;
        ungroup(&mut site.conn).await?;
        site.drain(singly, with_singly).await?;
        site.begin(&mut refusing).await?;
        site.refuse(&mut refusing, &mut refused).await?;
        site.begin(two).await?;
        talk::fill(&site.connect, &mut site.supply, site.deliveries).await?;
        site.drain(two, &mut heard).await?;
        site.find_recorded().await?;
    }
    let (rows, filled) = (site.rows_each, site.recorded.join(", "));
    site.close().await?;
    database.stop().await?;
    println!("drain: medians of {} rounds of {:?}; every commit synced", options.rounds, options.window);
    let all: usize = drains.iter().map(|it| it.recorded).sum();
    println!("  {} deliveries were recorded; one leads to {rows:.2} rows", grouped(all as f64));
    println!("  in {filled}");
    println!("  PostgreSQL and workers share this machine: trust the ratios, not the rates.\n");
    println!("  {:<36} {:>12}   µs of processor per delivery", "", "deliveries/s");
    println!("  {:<36} {:>12}", "accepting alone, 64 connections", grouped(accepted.median()));
    for ((name, _), it) in crews.iter().zip(&drains) {
        it.print(name);
    }
    floor.print("floor: plain inserts, 2 connections");
    refused.print("2 workers, one of 200 refused");
    heard.print("2 workers, 90 % customers' messages");
    println!();
    let [two, _, singly] = &drains;
    judge(two.cost_us.over(&floor.cost_us), "×", ..=1.6, "processor time of recording, against the floor");
    figure(
        two.postgres_us.over(&floor.postgres_us),
        "×",
        "PostgreSQL's share of it, against PostgreSQL's of the floor",
    );
    judge(two.rate.over(&accepted), "×", 1.0.., "deliveries/s of recording, against accepting alone");
    judge(refused.rate.over(&two.rate), "×", 0.6.., "deliveries/s with one of 200 refused, against none");
    judge(heard.rate.over(&two.rate), "×", 0.8.., "deliveries/s with 90 % customers' messages, against the usual mix");
    judge(two.rate.over(&singly.rate), "×", 10.0.., "deliveries/s in batches, against one at a time");
    Ok(())
}

/// The database, and the daemon that accepts.
struct Site<'d> {
    database: &'d Database,
    options: &'d Options,
    connect: PgConnectOptions,
    conn: PgConnection,
    supply: Supply,
    daemon: Process,
    /// What is recorded in a round where nothing is accepted over HTTP.
    deliveries: usize,
    /// How many rows the tables had when nothing was recorded yet.
    empty: Counts,
    /// The tables that recording fills; known once something was recorded.
    recorded: Vec<String>,
    /// How many deliveries were recorded since the tables were empty.
    since_empty: usize,
    /// How many rows one delivery leads to.
    rows_each: f64,
}

impl<'d> Site<'d> {
    async fn open(database: &'d Database, options: &'d Options) -> anyhow::Result<Self> {
        let supply = Supply::new();
        let mut conn = database.prepare("wecomd", &supply.corp).await?;
        let empty = tables::counts(&mut conn).await?;
        Ok(Self {
            database,
            options,
            connect: database.options("wecomd")?,
            conn,
            supply,
            daemon: Process::wecomd(database, "wecomd", &["--no-worker"]).await?,
            deliveries: (PER_SECOND * options.window.as_secs_f64()) as usize,
            empty,
            recorded: Vec::new(),
            since_empty: 0,
            rows_each: 0.0,
        })
    }

    async fn close(self) -> anyhow::Result<()> {
        drop(self.daemon);
        Ok(self.conn.close().await?)
    }

    /// Empties what recording fills, and warms the crew up.
    async fn begin(&mut self, crew: &mut Crew) -> anyhow::Result<()> {
        tables::truncate(&mut self.conn, &self.recorded).await?;
        fill(&self.connect, &mut self.supply, WARM_UP).await?;
        (self.since_empty, _) = crew.drain(&mut self.conn).await?;
        self.find_recorded().await
    }

    /// Finds the tables that recording has filled so far.
    async fn find_recorded(&mut self) -> anyhow::Result<()> {
        let counts = tables::counts(&mut self.conn).await?;
        for table in tables::grown(&self.empty, &counts) {
            if table != ACCEPTED && !self.recorded.contains(&table) {
                self.recorded.push(table);
            }
        }
        Ok(())
    }

    /// Lets the daemon accept for one window; returns how many callbacks a second that were.
    async fn accept(&mut self) -> anyhow::Result<f64> {
        let callbacks = (ACCEPTED_PER_SECOND * self.options.window.as_secs_f64()) as usize;
        let requests = Requests::of(&sealed_day(&mut self.supply, callbacks)?);
        let load = Load { connections: CONNECTIONS, window: self.options.window, pace: None };
        Ok(load::run(self.daemon.address, requests, load).await?.rate())
    }

    /// Records what is pending.
    async fn drain(&mut self, crew: &mut Crew, results: &mut Results) -> anyhow::Result<()> {
        tidy(&mut self.conn).await?;
        let before = self.cpu()?;
        let (recorded, took) = crew.work().await?;
        results.add(recorded, took, before, self.cpu()?);
        self.since_empty += recorded;
        ensure!(depth(&mut self.conn).await? == (0, 0), "something was left over, or parked");
        Ok(())
    }

    /// Writes what recording left in the tables once more, by plain inserts.
    async fn floor(&mut self, results: &mut Results) -> anyhow::Result<()> {
        self.find_recorded().await?;
        let counts = tables::counts_of(&mut self.conn, &self.recorded).await?;
        let floor = Arc::new(Floor::read(&mut self.conn, &self.recorded).await?);
        let deliveries = self.since_empty;
        self.rows_each = floor.rows() as f64 / deliveries as f64;
        tables::truncate(&mut self.conn, &self.recorded).await?;
        let mut conns = Vec::new();
        for _ in 0..WORKERS {
            conns.push(PgConnection::connect_with(&self.connect).await?);
        }
        let before = self.cpu()?;
        let (conns, took) = floor.write(conns, deliveries.div_ceil(BATCH_MAX as usize)).await?;
        results.add(deliveries, took, before, self.cpu()?);
        for conn in conns {
            conn.close().await?;
        }
        let written = tables::counts_of(&mut self.conn, &self.recorded).await?;
        ensure!(written == counts, "the floor left other rows: {written:?} instead of {counts:?}");
        Ok(())
    }

    /// Records deliveries of which some are refused, and parked at once.
    async fn refuse(&mut self, crew: &mut Crew, results: &mut Results) -> anyhow::Result<()> {
        let deliveries = self.deliveries / REFUSED_SHARE;
        let apps = app_ids(&self.connect).await?;
        let mut plaintexts = Vec::with_capacity(deliveries);
        for push in self.supply.day(deliveries) {
            let id = apps.get(&self.supply.app(&push)?.name).context("an app that is not configured")?;
            plaintexts.push((*id, push.plaintext.into_bytes()));
        }
        let day = Day::next(&mut self.supply, deliveries)?;
        let name = &self.supply.corp.app(AppKind::App).context("the company has no app")?.name;
        let id = *apps.get(name).context("an app that is not configured")?;
        let mut refused = 0;
        for (number, plaintext) in plaintexts.iter_mut().enumerate().step_by(REFUSED_ONE_IN) {
            *plaintext = (id, day.text(u64::try_from(number)?, REFUSED).into_bytes());
            refused += 1;
        }
        store(&self.connect, plaintexts).await?;
        sqlx::raw_sql(REFUSE).execute(&mut self.conn).await?;
        tidy(&mut self.conn).await?;
        let before = self.cpu()?;
        let (recorded, took) = crew.work().await?;
        results.add(recorded, took, before, self.cpu()?);
        let left = depth(&mut self.conn).await?;
        ensure!(left == (0, refused), "{refused} deliveries are to be refused; pending and parked are {left:?}");
        sqlx::raw_sql(REFUSE_NO_MORE).execute(&mut self.conn).await?;
        sqlx::raw_sql("truncate parked").execute(&mut self.conn).await?;
        Ok(())
    }

    /// Processor time so far: of the workers and inserters, which are in this process, and of PostgreSQL.
    fn cpu(&self) -> anyhow::Result<[f64; 2]> {
        Ok([cpu_seconds(std::process::id())?, cpu_seconds_of_server(self.database.pid())?])
    }
}

/// What one contender did in all rounds.
#[derive(Default)]
struct Results {
    recorded: usize,
    rate: Series,
    own_us: Series,
    postgres_us: Series,
    cost_us: Series,
}

impl Results {
    fn add(&mut self, recorded: usize, took: Duration, before: [f64; 2], after: [f64; 2]) {
        self.recorded += recorded;
        let each_us = |at: usize| (after[at] - before[at]) / recorded as f64 * 1e6;
        self.rate.push(recorded as f64 / took.as_secs_f64());
        self.own_us.push(each_us(0));
        self.postgres_us.push(each_us(1));
        self.cost_us.push(each_us(0) + each_us(1));
    }

    fn print(&self, name: &str) {
        let [own, postgres] = [&self.own_us, &self.postgres_us].map(Series::median);
        println!("  {name:<36} {:>12}   {own:>4.1} + {postgres:.1} PostgreSQL", grouped(self.rate.median()));
    }
}
