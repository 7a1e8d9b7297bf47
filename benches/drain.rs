//! How fast deliveries are recorded, in batches and one at a time, by the same handlers into the same tables.

mod support;

use sqlx::Connection;
use support::{
    cpu::{cpu_seconds, cpu_seconds_of_server},
    database::Database,
    figures::{Series, grouped, judge},
    inbox::{Crew, fill},
    options::Options,
    run::run,
    supply::Supply,
};

/// How many deliveries one second of the window stands for; both contenders get as many as they need for a window.
const PER_SECOND: f64 = 30_000.0;

/// One at a time, a delivery takes about this many times as long.
const SINGLY: usize = 20;

/// How long one contender works, roughly.
const SECONDS: f64 = 2.0;

/// As `serve` has it.
const WORKERS: usize = 2;
const BATCH_MAX: u32 = 500;

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("drain", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    let connect = database.options("wecomd")?;
    let deliveries = (PER_SECOND * options.window.as_secs_f64()) as usize;
    let mut crews = [
        ("2 workers, batches of 500", Crew::new(&connect, WORKERS, BATCH_MAX), deliveries),
        ("1 worker, batches of 500", Crew::new(&connect, 1, BATCH_MAX), deliveries),
        ("1 worker, one at a time", Crew::new(&connect, 1, 1), deliveries / SINGLY),
    ];
    let mut results: [Results; 3] = Default::default();
    for _ in 0..options.rounds {
        for ((_, crew, deliveries), results) in crews.iter_mut().zip(&mut results) {
            fill(&connect, &mut supply, *deliveries).await?;
            let before = cpu(&database)?;
            let (recorded, took) = crew.drain(&mut conn).await?;
            let [own, postgres] = cpu(&database)?;
            results.recorded += recorded;
            results.rate.push(recorded as f64 / took.as_secs_f64());
            results.own_us.push((own - before[0]) / recorded as f64 * 1e6);
            results.postgres_us.push((postgres - before[1]) / recorded as f64 * 1e6);
        }
    }
    let all: usize = results.iter().map(|it| it.recorded).sum();
    let (stored, records): (i64, i64) =
        sqlx::query_as("select (select count(*) from inbox), (select count(*) from wechat_contact_record)")
            .fetch_one(&mut conn)
            .await?;
    anyhow::ensure!(usize::try_from(stored)? == all, "{stored} deliveries were stored and {all} recorded");
    conn.close().await?;
    database.stop().await?;

    println!(
        "drain: medians of {} rounds of {} deliveries; every commit synced",
        options.rounds,
        grouped(deliveries as f64)
    );
    println!(
        "  {} deliveries became {} records, contacts, tasks and notes",
        grouped(all as f64),
        grouped(records as f64)
    );
    println!("  PostgreSQL and workers share this machine: trust the ratios, not the rates.\n");
    println!("  {:<28} {:>12}   µs of processor per delivery", "", "deliveries/s");
    for ((name, ..), it) in crews.iter().zip(&results) {
        let [own, postgres] = [&it.own_us, &it.postgres_us].map(Series::median);
        println!("  {name:<28} {:>12}   {own:>4.0} + {postgres:.0} PostgreSQL", grouped(it.rate.median()));
    }
    println!();
    let [batches, _, singly] = &results;
    judge(batches.rate.over(&singly.rate), "×", 10.0.., "deliveries/s in batches, against one at a time");
    Ok(())
}

/// What one crew did in all rounds.
#[derive(Default)]
struct Results {
    recorded: usize,
    rate: Series,
    own_us: Series,
    postgres_us: Series,
}

/// Processor time of the workers, which are in this process, and of PostgreSQL.
fn cpu(database: &Database) -> anyhow::Result<[f64; 2]> {
    Ok([cpu_seconds(std::process::id())?, cpu_seconds_of_server(database.pid())?])
}
