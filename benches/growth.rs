//! Whether accepting and recording stay fast when years of deliveries and records are there.
//!
//! Two databases of one PostgreSQL take the same callbacks in turns: one is empty, the other was filled with
//! `--grow N` settled deliveries, as many records, and a tenth as many contacts, spread over 90 days. What is measured
//! happens on the days after, as it would.
//!
//! Two more databases are compared from outside, while the daemon accepts and records with its standard workers: one has
//! a tenth of `N` as contacts, the other six times as many and a queue of tasks that nobody does. There, half of the
//! callbacks add customers and half are texts of members.

mod support;

use std::{sync::Arc, time::Instant};

use chrono::NaiveTime;
use sqlx::{Connection, PgConnection};
use support::{
    callback::sealed_day,
    database::{Database, checkpoint},
    figures::{Series, grouped, judge},
    flood::flood,
    inbox::{Crew, fill},
    load::{self, Load, Requests},
    mix,
    options::Options,
    process::Process,
    run::run,
    supply::Supply,
    tables::assembled,
};

/// How long callbacks are accepted before they are recorded.
const SECONDS: f64 = 2.0;

/// How many requests per second are prepared; a window ends when they are used up.
const PER_SECOND: f64 = 60_000.0;

/// As in the benchmarks `accept` and `drain`.
const CONNECTIONS: usize = 64;
const WORKERS: usize = 2;
const BATCH_MAX: u32 = 500;

/// How many days the past has, from the supply's first. It ends in the middle of a month, so that the records to come
/// share a partition with records that are there.
const DAYS: u64 = 90;

/// How many real callbacks each day of the past begins with: they make its partitions.
const CALLBACKS_A_DAY: usize = 100;

/// A day of settled deliveries, `$2` of them. Their plaintexts have the length of real ones.
const DELIVERIES: &str = "
    insert into inbox (event_at, received_at, app_id, hash, plaintext)
    select at, at + interval '1 second', 1, sha256(convert_to(at::text || n, 'UTF8')),
        convert_to(rpad('<xml><CreateTime>' || n, 400, 'plaintext '), 'UTF8')
    from (
        select n, date_trunc('second', $1::timestamptz + n * (interval '86399 seconds' / $2::bigint)) as at
        from generate_series(1, $2::bigint) n
    ) moments";

/// Contacts of forty members.
const CONTACTS: &str = "
    insert into customer_wechat_contact (
        corpid, external_userid, wechat_userid, status, status_at, first_contact_time, last_contact_time
    )
    select $1, 'wm' || left(md5(n::text), 30), 'member' || n % 40, 'contacted', now(), now(), now()
    from generate_series(1, $2::bigint) n";

/// Refreshes of so many contacts that wait.
const TASKS: &str = "
    insert into task (corpid, kind, subject, app_id, due_at, version)
    select $1, 'refresh_contact', 'wm' || left(md5(n::text), 30), 1, now(), 1 from generate_series(1, $2::bigint) n";

/// What the databases that are compared from outside hold, for each row that `--grow` asks for.
const FEW: [f64; 2] = [0.1, 0.0];
const MANY: [f64; 2] = [0.64, 1.2];

/// How many callbacks per second are sent while they are recorded.
const SENT_PER_SECOND: f64 = 40_000.0;

/// A day of records, `$2` of them, with `$4` customers.
const RECORDS: &str = "
    insert into wechat_contact_record (
        contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, content, source
    )
    select $1::timestamptz + n * (interval '86399 seconds' / $2::bigint), gen_random_uuid(), $3,
        'wm' || left(md5(customer::text), 30), 'member' || customer % 40, 'member' || customer % 40, 'text',
        rpad('已到现场', 40, '，准备进场'), 'app'
    from (select n, 1 + (random() * ($4::bigint - 1))::bigint as customer from generate_series(1, $2::bigint) n) said";

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("growth", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    sqlx::raw_sql("create database grown").execute(&mut conn).await?;
    let grown = database.prepare("grown", &supply.corp).await?;
    let began = Instant::now();
    let mut grown = grow(&database, grown, &mut supply, options.grow).await?;
    let (bytes,): (i64,) = sqlx::query_as("select pg_database_size('grown')").fetch_one(&mut grown).await?;
    let (size, took) = (bytes as f64 / 1e9, began.elapsed().as_secs());
    println!("growth: {} deliveries and records, {size:.1} GB, made in {took} s", grouped(options.grow as f64));

    let mut sites = [Site::open(&database, "wecomd", conn).await?, Site::open(&database, "grown", grown).await?];
    for _ in 0..options.rounds {
        let callbacks = sealed_day(&mut supply, (PER_SECOND * options.window.as_secs_f64()) as usize)?;
        let requests = Requests::of(&callbacks);
        for site in &mut sites {
            site.measure(requests.clone(), options).await?;
        }
    }
    let [empty, grown] = &sites;
    println!("  medians of {} rounds; PostgreSQL and all else share this machine: trust the ratios\n", options.rounds);
    println!("  {:<8} {:>10} {:>14}", "", "acks/s", "recorded/s");
    for (name, site) in [("empty", empty), ("grown", grown)] {
        println!("  {name:<8} {:>10} {:>14}", grouped(site.accepted.median()), grouped(site.recorded.median()));
    }
    println!();
    judge(grown.accepted.over(&empty.accepted), "×", 0.8.., "acks/s of the grown database, against the empty one");
    judge(grown.recorded.over(&empty.recorded), "×", 0.8.., "recorded/s of the grown database, against the empty one");
    for site in sites {
        site.close().await?;
    }
    from_outside(&database, &mut supply, options).await?;
    database.stop().await
}

/// Compares a small and a large database while the daemon accepts and records.
async fn from_outside(database: &Database, supply: &mut Supply, options: &Options) -> anyhow::Result<()> {
    println!();
    let mut running = Vec::new();
    for (name, [contacts, tasks]) in [("few", FEW), ("many", MANY)] {
        let rows = [contacts, tasks].map(|it| (it * options.grow as f64) as i64);
        running.push(Running::open(database, name, supply, rows).await?);
    }
    let callbacks = (SENT_PER_SECOND * options.window.as_secs_f64()) as usize;
    // What the first round finds on the disk, the others find in memory.
    for round in 0..=options.rounds {
        let requests = mix::requests(supply, callbacks)?;
        for it in &mut running {
            let load = Load { connections: CONNECTIONS, window: options.window, pace: None };
            let rate = flood(it.daemon.address, &mut it.conn, requests.clone(), load).await?;
            if round > 0 {
                it.rate.push(rate);
            }
        }
    }
    println!("\n  from outside, from the first callback until the last was recorded:");
    for it in &running {
        let [contacts, tasks] = it.rows.map(|it| grouped(it as f64));
        println!("  {:>10}/s with {contacts} contacts and {tasks} tasks that wait", grouped(it.rate.median()));
    }
    println!();
    if let [few, many] = &running[..] {
        judge(many.rate.over(&few.rate), "×", 0.9.., "accepted and recorded/s with many, against few");
    }
    for it in running {
        it.conn.close().await?;
    }
    Ok(())
}

/// A database with contacts and tasks, and its daemon that accepts and records.
struct Running {
    daemon: Process,
    conn: PgConnection,
    rows: [i64; 2],
    rate: Series,
}

impl Running {
    async fn open(database: &Database, name: &str, supply: &Supply, rows: [i64; 2]) -> anyhow::Result<Self> {
        let mut root = PgConnection::connect_with(&database.options("wecomd")?).await?;
        sqlx::raw_sql(assembled(format!("create database {name}"))).execute(&mut root).await?;
        root.close().await?;
        let mut conn = database.prepare(name, &supply.corp).await?;
        let corpid = supply.corp.corpid.as_str();
        for (insert, count) in [CONTACTS, TASKS].into_iter().zip(rows) {
            sqlx::query(insert).bind(corpid).bind(count).execute(&mut conn).await?;
        }
        sqlx::raw_sql("vacuum analyze").execute(&mut conn).await?;
        checkpoint(&mut conn).await?;
        let daemon = Process::wecomd(database, name, &[]).await?;
        Ok(Self { daemon, conn, rows, rate: Series::default() })
    }
}

/// Fills the past.
async fn grow(
    database: &Database,
    mut conn: PgConnection,
    supply: &mut Supply,
    rows: u64,
) -> anyhow::Result<PgConnection> {
    let connect = database.options("grown")?;
    let mut days = Vec::new();
    for _ in 0..DAYS {
        days.push(supply.today.and_time(NaiveTime::MIN).and_utc());
        fill(&connect, supply, CALLBACKS_A_DAY).await?;
    }
    Crew::new(&connect, WORKERS, BATCH_MAX).drain(&mut conn).await?;
    sqlx::raw_sql("set synchronous_commit = off").execute(&mut conn).await?;
    let corpid = supply.corp.corpid.as_str();
    let (a_day, contacts) = (i64::try_from(rows / DAYS)?, i64::try_from(rows / 10)?);
    sqlx::query(CONTACTS).bind(corpid).bind(contacts).execute(&mut conn).await?;
    for at in days {
        sqlx::query(DELIVERIES).bind(at).bind(a_day).execute(&mut conn).await?;
        sqlx::query(RECORDS).bind(at).bind(a_day).bind(corpid).bind(contacts).execute(&mut conn).await?;
    }
    sqlx::raw_sql("vacuum analyze").execute(&mut conn).await?;
    checkpoint(&mut conn).await?;
    sqlx::raw_sql("reset synchronous_commit").execute(&mut conn).await?;
    Ok(conn)
}

/// One database, its daemon and its workers.
struct Site {
    daemon: Process,
    crew: Crew,
    conn: PgConnection,
    accepted: Series,
    recorded: Series,
}

impl Site {
    async fn open(database: &Database, name: &str, conn: PgConnection) -> anyhow::Result<Self> {
        let daemon = Process::wecomd(database, name, &["--no-worker"]).await?;
        let crew = Crew::new(&database.options(name)?, WORKERS, BATCH_MAX);
        Ok(Self { daemon, crew, conn, accepted: Series::default(), recorded: Series::default() })
    }

    async fn close(self) -> anyhow::Result<()> {
        Ok(self.conn.close().await?)
    }

    async fn measure(&mut self, requests: Arc<Requests>, options: &Options) -> anyhow::Result<()> {
        let load = Load { connections: CONNECTIONS, window: options.window, pace: None };
        self.accepted.push(load::run(self.daemon.address, requests, load).await?.rate());
        let (recorded, took) = self.crew.drain(&mut self.conn).await?;
        self.recorded.push(recorded as f64 / took.as_secs_f64());
        Ok(())
    }
}
