//! Whether recording stays fast while a fresh database fills: a large company's first import.
//!
//! The workers plan their statements on empty tables and keep their connections; nothing is analysed. Adds of customers
//! who are all different are recorded in four quarters, and the last is compared with the second: the first one has
//! everything in smaller trees, and plans to make.

mod support;

use anyhow::Context;
use sqlx::Connection;
use support::{
    database::Database,
    figures::{grouped, judge},
    inbox::{Crew, app_ids, store},
    mix::added,
    options::Options,
    run::run,
    supply::Supply,
};
use wecomd::sandbox::AppKind;

/// How many adds a quarter has.
const ADDS: u64 = 30_000;

/// How long a quarter takes, roughly; the number of adds follows from it.
const SECONDS: f64 = 2.0;

/// The second at which the first customer is added.
const FIRST: u64 = 1_736_500_000;

/// Nothing is analysed by itself.
const QUIET: &str = "
    do $$
    declare
        it regclass;
    begin
        for it in select oid::regclass from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace loop
            execute format('alter table %s set (autovacuum_enabled = off)', it);
        end loop;
    end
    $$";

/// As `serve` has it.
const WORKERS: usize = 2;
const BATCH_MAX: u32 = 500;

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("fresh", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let adds = (ADDS as f64 * options.window.as_secs_f64() / SECONDS) as u64;
    let database = Database::start().await?;
    let supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    sqlx::raw_sql(QUIET).execute(&mut conn).await?;
    let connect = database.options("wecomd")?;
    let app = &supply.corp.app(AppKind::App).context("the company has no app")?.name;
    let app = *app_ids(&connect).await?.get(app).context("an app that is not configured")?;
    let mut crew = Crew::new(&connect, WORKERS, BATCH_MAX);
    let mut rates = [0.0; 4];
    for (quarter, rate) in (0..).zip(&mut rates) {
        let plaintexts =
            (quarter * adds..(quarter + 1) * adds).map(|n| (app, added(n, FIRST + n / 100).into_bytes())).collect();
        store(&connect, plaintexts).await?;
        let (recorded, took) = crew.drain(&mut conn).await?;
        *rate = recorded as f64 / took.as_secs_f64();
    }
    conn.close().await?;
    database.stop().await?;

    println!("fresh: {} adds of different customers into an empty database", grouped(4.0 * adds as f64));
    println!("  PostgreSQL and workers share this machine: trust the ratio, not the rates.\n");
    for (name, rate) in ["first", "second", "third", "last"].iter().zip(rates) {
        println!("  {name:<6} quarter {:>12} adds/s", grouped(rate));
    }
    println!();
    let [_, second, _, last] = rates;
    judge(last / second, "×", 0.85.., "adds/s of the last quarter, against the second");
    Ok(())
}
