//! How long it takes to reconcile 100,000 customers, and how often WeCom is asked; the same for a run that is killed
//! half-way and resumed, which must end the same.
//!
//! The pretend WeCom is in this process, so its work counts as well. No budget slows the calls down here; the real
//! WeCom, and a careful budget, would.

mod support;

use std::{
    net::Ipv4Addr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use sqlx::{Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use support::{
    database::Database,
    figures::{grouped, judge},
    options::Options,
    run::run,
};
use wecomd::{
    app_config::{NewConfig, save},
    sandbox::{AppKind, Corp, Platform, Size, World},
    sync::{self, Over, Step, Sync},
    tables::sync::sync_run::Which,
    vault::Vault,
    wecom::{Limits, Settings, Wecom},
};

/// The company: what a large one has.
const COMPANY: Size = Size { members: 400, customers: 100_000, departments: 12 };

/// A smoke test's.
const SMALL: Size = Size { members: 40, customers: 2_000, departments: 4 };

/// The contacts, which must be equal after an undisturbed and an interrupted run.
const STATE: &str = "
    select md5(string_agg(concat_ws('|', external_userid, wechat_userid, status, status_at, state, nickname, remark, tags),
        ',' order by external_userid, wechat_userid)) || ' ' || count(*)
    from customer_wechat_contact";

/// A budget that never makes a call wait: the pretend WeCom takes as many as it gets.
const PLENTY: NonZeroU32 = NonZeroU32::new(1_000).expect("it is written here");

/// Where pages of customers come from.
const PAGES: &str = "externalcontact/batch/get_by_user";

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("sync", 60.0)? else { return Ok(()) };
    let size = if options.grow < 1_000_000 { SMALL } else { COMPANY };
    run(measure(size))
}

async fn measure(size: Size) -> anyhow::Result<()> {
    let corp = Corp::from_seed(1);
    let platform = Platform::start(World::of(&corp, size, 1), (Ipv4Addr::LOCALHOST, 0).into()).await?;
    let database = Database::start().await?;
    let (contacts, staff) = platform.with(|world| {
        let serving: Vec<_> = world.members().filter(|it| it.customer_contact).map(|it| it.userid.clone()).collect();
        (serving.iter().map(|it| world.customers_of(it).len()).sum::<usize>(), serving.len())
    });

    let whole = Reconciled::of(&database, "wecomd", &corp, &platform, None).await?;
    let again = Reconciled::of(&database, "wecomd", &corp, &platform, None).await?;
    let mut conn = PgConnection::connect_with(&database.options("postgres")?).await?;
    sqlx::query("create database killed").execute(&mut conn).await?;
    conn.close().await?;
    let killed = Reconciled::of(&database, "killed", &corp, &platform, Some(contacts / 2)).await?;
    database.stop().await?;
    platform.stop().await;

    let ideal = contacts.div_ceil(100) + staff;
    println!(
        "sync: {} customers, {} contacts of {staff} serving members; every commit synced\n",
        grouped(size.customers as f64),
        grouped(contacts as f64)
    );
    println!("  {:<34} {:>8} {:>8} {:>10}", "", "seconds", "calls", "contacts/s");
    for (name, it) in [("into an empty database", &whole), ("again", &again), ("killed half-way and resumed", &killed)]
    {
        let seconds = it.took.as_secs_f64();
        println!("  {name:<34} {seconds:>8.1} {:>8} {:>10}", it.calls, grouped(contacts as f64 / seconds));
    }
    println!("  the ideal, contacts/100 + staff: {ideal} calls\n");
    judge(whole.took.as_secs_f64(), "s", ..=60.0, "wall time of the whole run");
    judge(whole.calls as f64 / ideal as f64, "×", ..=1.0, "calls, against the ideal");
    judge(killed.calls as f64 - whole.calls as f64, "", ..=4.0, "calls more when killed half-way");
    judge(
        f64::from(u8::from(killed.state == whole.state && again.state == whole.state)),
        "",
        1.0..,
        "the same end state",
    );
    Ok(())
}

/// The result of a run.
struct Reconciled {
    took: Duration,
    calls: usize,
    state: String,
}

impl Reconciled {
    /// Reconciles a database; with `kill_at`, whoever works is dropped after so many contacts and another goes on.
    async fn of(
        database: &Database,
        name: &str,
        corp: &Corp,
        platform: &Platform,
        kill_at: Option<usize>,
    ) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new().max_connections(4).connect_with(database.options(name)?).await?;
        let vault = Arc::new(Vault::from_env_or_file(Some(&database.master_key_file()))?);
        database.prepare(name, corp).await?.close().await?;
        let secret = platform.with(|world| world.app(AppKind::App).map(|it| it.secret().to_owned()));
        let app = NewConfig {
            name: "service".to_owned(),
            secret: Some(secret.unwrap_or_default().into()),
            ..NewConfig::default()
        };
        save(&mut *pool.acquire().await?, &vault, TimeDelta::zero(), app).await?;
        let budget = Limits { corp_per_second: PLENTY, path_per_second: PLENTY, concurrency: PLENTY };
        let settings =
            Settings { base_url: platform.base_url(), proxy: None, timeout: Duration::from_secs(10), budget };
        let sync = Sync { wecom: Wecom::new(&settings, pool.clone(), vault)?, pool: pool.clone() };

        let before = platform.calls().len();
        let began = Instant::now();
        let id = sync::ask(&mut *pool.acquire().await?, &corp.corpid).await?.run();
        if let Some(contacts) = kill_at {
            half(&sync, id, contacts, &pool).await?;
        }
        let run = sync.take(Which::One(id)).await?;
        let over = run.ok_or_else(|| anyhow::anyhow!("somebody else works at it"))?;
        let over = over.drive(Duration::MAX, std::future::pending(), |_| ()).await;
        anyhow::ensure!(over == Over::Done, "the run ended otherwise: {over:?}");
        let took = began.elapsed();
        let calls = platform.calls().len() - before;
        let state = sqlx::query_scalar(STATE).fetch_one(&pool).await?;
        let pages = platform.calls_of(PAGES).len();
        anyhow::ensure!(pages > 0, "no page was read");
        pool.close().await;
        Ok(Self { took, calls, state })
    }
}

/// Works until so many contacts are read, and dies.
async fn half(sync: &Sync, id: i64, contacts: usize, pool: &PgPool) -> anyhow::Result<()> {
    let mut run = sync.take(Which::One(id)).await?.ok_or_else(|| anyhow::anyhow!("somebody else works at it"))?;
    let read = async || -> anyhow::Result<usize> {
        let read: i64 =
            sqlx::query_scalar("select contacts from sync_run where id = $1").bind(id).fetch_one(pool).await?;
        Ok(usize::try_from(read)?)
    };
    while read().await? < contacts {
        anyhow::ensure!(run.step().await? == Step::Went, "it does not go on");
    }
    drop(run);
    // Others would wait until its lease has ended.
    sqlx::query("update sync_run set leased_until = now() - interval '1 second'").execute(pool).await?;
    Ok(())
}
