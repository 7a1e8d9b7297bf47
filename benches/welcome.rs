//! From a new customer's callback to the greeting's call, while a thousand other callbacks arrive each second.
//!
//! One daemon with everything switched on, PostgreSQL with full durability, and the pretend WeCom on the same machine.
//! Among the others are old welcome codes, too late to be used: they pass through the same worker pool. Times are
//! PostgreSQL's: when the callback was stored, when the attempt was committed (the call begins then), and when WeCom
//! had answered.

mod support;

use std::time::Duration;

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};
use support::{
    callback::sealed_day,
    database::Database,
    figures::{grouped, judge, print_times, within},
    load::{self, Load, Requests},
    options::Options,
    process::Process,
    run::run,
    supply::Supply,
};
use wecomd::{
    ids::{ExternalUserId, UserId},
    sandbox::{AppKind, Patience, Platform, Sender, Size, World},
};

/// How long it lasts.
const SECONDS: f64 = 20.0;

/// Other callbacks per second.
const OTHERS: f64 = 1_000.0;

/// Connections for the others.
const CONNECTIONS: usize = 16;

/// Between two new customers: twenty a second, a fair with a QR code on every wall.
const MEET_EVERY: Duration = Duration::from_millis(50);

/// How long the last greetings may take.
const GREET_LIMIT: Duration = Duration::from_secs(20);

/// The member whom all customers add.
const MEMBER: &str = "lihua";

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("welcome", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    let app = supply.corp.app(AppKind::App).context("the company has no app")?;
    database.entrust(&mut conn, app, Some("{customer}，您好！我是{staff}，很高兴为您服务。")).await?;
    let mut world = World::of(&supply.corp, Size { members: 0, customers: 0, departments: 3 }, 1);
    world.add_member(&UserId::from(MEMBER), "李华");
    let platform = Platform::start(world, ([127, 0, 0, 1], 0).into()).await?;
    let base_url = platform.base_url();
    let settings = [("WECOMD_TASKS__ENABLED", "true"), ("WECOMD_WECOM__BASE_URL", base_url.as_str())];
    let wecomd = Process::wecomd_with(&database, "wecomd", &[], &settings).await?;
    platform.push_to(Sender::new(&format!("http://{}", wecomd.address), &supply.corp, Patience::default())?);

    let requests = Requests::of(&sealed_day(&mut supply, (OTHERS * options.window.as_secs_f64()) as usize)?);
    let load = Load { connections: CONNECTIONS, window: options.window, pace: Some(OTHERS) };
    println!(
        "welcome: {} other callbacks/s and a new customer every {MEET_EVERY:?}, for {:?}\n",
        OTHERS, options.window
    );
    let mut met = 0_u32;
    let meeting = async {
        let mut tick = tokio::time::interval(MEET_EVERY);
        loop {
            tick.tick().await;
            let customer = ExternalUserId(format!("wmBench{met:026}"));
            if platform.add(&UserId::from(MEMBER), &customer).await.is_ok() {
                met += 1;
            }
        }
    };
    let outcome = tokio::select! {
        outcome = load::run(wecomd.address, requests, load) => outcome?,
        () = meeting => anyhow::bail!("customers stopped coming"),
    };
    platform.pushed().await;
    let greeted = greeted(&mut conn, met).await?;
    drop(wecomd);
    platform.stop().await;
    conn.close().await?;
    database.stop().await?;

    let [called, answered] = greeted;
    println!("  others acknowledged {:>7}/s, p99 {:.1} ms", grouped(outcome.rate()), outcome.latency_ms(0.99));
    println!("  customers greeted   {:>7} of {met}", answered.len());
    print_times("stored → call begun", &called);
    print_times("stored → answered", &answered);
    println!();
    judge(answered.len() as f64 / f64::from(met.max(1)), "×", 1.0.., "of the new customers were greeted");
    judge(within(&called, 0.99), "s", ..=1.0, "from a callback stored to its greeting's call, p99");
    Ok(())
}

/// How long each greeting took until its call and until its answer, in seconds and in order, once all are settled.
async fn greeted(conn: &mut PgConnection, met: u32) -> anyhow::Result<[Vec<f64>; 2]> {
    let began = std::time::Instant::now();
    let settled = "select count(*) from welcome where external_userid like 'wmBench%' and outcome is not null";
    while sqlx::query_scalar::<_, i64>(settled).fetch_one(&mut *conn).await? < i64::from(met) {
        ensure!(began.elapsed() < GREET_LIMIT, "some customers are not greeted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let called = "select extract(epoch from attempted_at - received_at)::float8 from welcome
        where external_userid like 'wmBench%' and outcome = 'sent' order by 1";
    let answered = "select extract(epoch from sent_at - received_at)::float8 from welcome
        where external_userid like 'wmBench%' and outcome = 'sent' order by 1";
    Ok([sqlx::query_scalar(called).fetch_all(&mut *conn).await?, sqlx::query_scalar(answered).fetch_all(conn).await?])
}
