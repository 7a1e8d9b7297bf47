//! Whether a question about last week costs the same after years as after months.
//!
//! Two databases of one PostgreSQL have the same days, of as many contacts and records: one ten times as many of them
//! as the other. Every report is asked of the last seven days, which are alike in both, in turns.

mod support;

use std::time::Instant;

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::{Connection, PgConnection};
use support::{
    database::{Database, checkpoint},
    figures::{Series, grouped, judge},
    options::Options,
    run::run,
};
use wecomd::{
    sandbox::Corp,
    tables::{
        records::wechat_contact_record::KnownMonths,
        reports::report::{self, Filter, Row},
    },
};

/// A report takes as long as it takes, so no window is used.
const SECONDS: f64 = 1.0;

/// How many days the longer history has, and the shorter.
const DAYS: u64 = 1_000;
const DAYS_SHORT: u64 = 100;

/// How many records stand against one contact.
const RECORDS_A_CONTACT: u64 = 10;

/// How many days the question covers.
const WEEK: u64 = 7;

/// More rows than a week has.
const LIMIT: i64 = 1_000_000;

/// One day of the history.
const DAY: &str = include_str!("support/report/day.sql");

/// Every report.
const REPORTS: [&str; 7] = [
    "contacts_by_staff_day",
    "first_response_time",
    "additions_and_losses",
    "work_order_funnel",
    "handover_outcomes",
    "message_volumes",
    "unmatched_customers",
];

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("report", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let corp = Corp::from_seed(1);
    let a_day = (options.grow * RECORDS_A_CONTACT / DAYS).max(1);
    let mut conn = database.prepare("wecomd", &corp).await?;
    sqlx::raw_sql("create database grown").execute(&mut conn).await?;
    let mut grown = database.prepare("grown", &corp).await?;
    let today = report::today(&mut conn).await?;
    for (conn, days) in [(&mut conn, DAYS_SHORT), (&mut grown, DAYS)] {
        let began = Instant::now();
        fill(conn, &corp, today, days, a_day).await?;
        let (bytes,): (i64,) = sqlx::query_as("select pg_database_size(current_database())").fetch_one(conn).await?;
        let (records, size, took) = ((days * a_day) as f64, bytes as f64 / 1e9, began.elapsed().as_secs());
        let contacts = grouped(records / RECORDS_A_CONTACT as f64);
        println!(
            "report: {contacts} contacts, {} records, {days} days, {size:.1} GB, made in {took} s",
            grouped(records)
        );
    }

    let since = today.checked_sub_days(Days::new(WEEK - 1)).unwrap_or(today);
    let filter = Filter { since, until: today, staff_id: None, departments: None, tag: None, own: None, after: None };
    let mut short = REPORTS.map(|_| Series::default());
    let mut long = REPORTS.map(|_| Series::default());
    for round in 0..=options.rounds {
        for ((name, short), long) in REPORTS.iter().zip(&mut short).zip(&mut long) {
            let (here, rows) = asked(&mut conn, name, &filter).await?;
            let (there, _) = asked(&mut grown, name, &filter).await?;
            anyhow::ensure!(rows > 0, "{name} has nothing to say of last week");
            // What the first round reads from the disk, the others find in memory.
            if round > 0 {
                short.push(here);
                long.push(there);
            }
        }
    }
    println!("  medians of {} rounds; PostgreSQL and all else share this machine: trust the ratios\n", options.rounds);
    println!("  {:<24} {:>10} {:>10}", "last week, in ms", "a tenth", "whole");
    for ((name, short), long) in REPORTS.iter().zip(&short).zip(&long) {
        println!("  {name:<24} {:>10.1} {:>10.1}", short.median(), long.median());
    }
    println!();
    for ((name, short), long) in REPORTS.iter().zip(&short).zip(&long) {
        judge(long.over(short), "×", ..=1.5, &format!("time of {name}, ten times the history against the tenth"));
    }
    conn.close().await?;
    grown.close().await?;
    database.stop().await
}

/// Fills the days up to today.
async fn fill(conn: &mut PgConnection, corp: &Corp, today: NaiveDate, days: u64, a_day: u64) -> anyhow::Result<()> {
    sqlx::raw_sql("set synchronous_commit = off").execute(&mut *conn).await?;
    let mut months = KnownMonths::default();
    for number in 0..days {
        let day = today.checked_sub_days(Days::new(days - 1 - number)).unwrap_or(today);
        let (began, ended): (DateTime<Utc>, DateTime<Utc>) = sqlx::query_as(
            "select $1::date::timestamp at time zone 'Asia/Shanghai', ($1::date + 1)::timestamp at time zone 'Asia/Shanghai'",
        )
        .bind(day)
        .fetch_one(&mut *conn)
        .await?;
        months.ensure(conn, [began, ended].into_iter()).await?;
        sqlx::query(DAY)
            .bind(began)
            .bind(i64::try_from(number)?)
            .bind(i64::try_from(a_day)?)
            .bind(corp.corpid.as_str())
            .execute(&mut *conn)
            .await?;
    }
    sqlx::raw_sql("vacuum analyze").execute(&mut *conn).await?;
    checkpoint(conn).await?;
    Ok(())
}

/// How many milliseconds a report takes, and how many rows it has.
async fn asked(conn: &mut PgConnection, name: &str, filter: &Filter) -> anyhow::Result<(f64, usize)> {
    let mut transaction = conn.begin().await?;
    report::prepare(&mut transaction).await?;
    let conn = &mut *transaction;
    let began = Instant::now();
    let rows = match name {
        "contacts_by_staff_day" => count(report::contacts_by_staff_day(conn, filter, LIMIT).await?),
        "first_response_time" => count(report::first_response_time(conn, filter, LIMIT).await?),
        "additions_and_losses" => count(report::additions_and_losses(conn, filter, LIMIT).await?),
        "work_order_funnel" => count(report::work_order_funnel(conn, filter, LIMIT).await?),
        "handover_outcomes" => count(report::handover_outcomes(conn, filter, LIMIT).await?),
        "message_volumes" => count(report::message_volumes(conn, filter, LIMIT).await?),
        "unmatched_customers" => count(report::unmatched_customers(conn, filter, LIMIT).await?),
        unknown => anyhow::bail!("{unknown} is no report"),
    };
    let took = began.elapsed().as_secs_f64() * 1e3;
    transaction.rollback().await?;
    Ok((took, rows))
}

fn count<R: Row>(rows: Vec<R>) -> usize {
    rows.len()
}
