//! 微信客服 while two hundred other callbacks arrive each second: from a customer's word to its record, and from a customer
//! who enters to the greeting.
//!
//! One daemon with everything switched on, PostgreSQL with full durability, and the pretend WeCom on the same machine. The
//! other callbacks are a working day of people whom the pretend WeCom knows, so their cards are read meanwhile within the
//! same budgets. A time begins when the customer acts in the pretend WeCom, which is just before the callback arrives. It
//! ends when another connection sees the record in the database, or when the pretend WeCom has the greeting.

mod support;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use support::{
    callback::sealed,
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
const OTHERS: f64 = 200.0;

/// Connections for the others.
const CONNECTIONS: usize = 16;

/// Between two customers who enter; at the same time the one before writes. So there are nine callbacks of 微信客服 a
/// second, as a working day of this size has them.
const ENTER_EVERY: Duration = Duration::from_millis(220);

/// The accounts that they enter in turns.
const ACCOUNTS: usize = 3;

/// The servicer of all accounts.
const SERVICER: &str = "lihua";

/// What customers are greeted with.
const GREETING: &str = "{customer}您好，请问有什么可以帮您？";

/// Between two looks what has come.
const LOOK: Duration = Duration::from_millis(5);

/// How long the last of it may take.
const LAST_LIMIT: Duration = Duration::from_secs(30);

/// What is written contains this, and a number.
const WORDS: &str = "厨房水管漏水了";

/// When what customers wrote was pulled, and when those who entered were first pulled: the words or the customer, and seconds
/// since 1970.
const PULLED: &str = "
    select substring(convert_from(plaintext, 'UTF8') from $1), extract(epoch from min(received_at))::float8
    from inbox where origin = 2 and convert_from(plaintext, 'UTF8') ~ $1 group by 1";
const PULLED_WORDS: &str = "厨房水管漏水了 [0-9]+";
const PULLED_ENTERING: &str = "wmTalk[0-9]+";

/// What customers wrote, as far as it is recorded.
const RECORDED: &str = "
    select content from wechat_contact_record
    where source = 'kf' and contact_type = 'text' and contact_time > now() - interval '5 minutes'";

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read("talk", SECONDS)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let mut supply = Supply::new();
    let mut conn = database.prepare("wecomd", &supply.corp).await?;
    let app = supply.corp.app(AppKind::App).context("the company has no app")?;
    database.entrust(&mut conn, app, None).await?;
    let day = supply.whole_day((OTHERS * options.window.as_secs_f64()) as usize);
    let mut world = World::of(&supply.corp, Size { members: 0, customers: 0, departments: 3 }, 1);
    world.include(&day);
    world.add_member(&UserId::from(SERVICER), "李华");
    let accounts: Vec<_> = (0..ACCOUNTS).map(|it| world.add_kf_account(&format!("报修{it}"), &[SERVICER])).collect();
    let platform = Platform::start(world, ([127, 0, 0, 1], 0).into()).await?;
    let base_url = platform.base_url();
    let settings = [
        ("WECOMD_TASKS__ENABLED", "true"),
        ("WECOMD_WECOM__BASE_URL", base_url.as_str()),
        ("WECOMD_KF__GREETING", GREETING),
    ];
    let wecomd = Process::wecomd_with(&database, "wecomd", &[], &settings).await?;
    platform.push_to(Sender::new(&format!("http://{}", wecomd.address), &supply.corp, Patience::default())?);

    // The customers here are those of 微信客服: a day's own callbacks of it tell of nothing.
    let others: Vec<_> = day.pushes.into_iter().filter(|it| !it.plaintext.contains("kf_msg_or_event")).collect();
    let requests = Requests::of(&sealed(&supply, &others)?);
    let load = Load { connections: CONNECTIONS, window: options.window, pace: Some(OTHERS) };
    println!(
        "talk: {OTHERS} other callbacks/s; every {ENTER_EVERY:?} a customer enters and another one writes, for {:?}\n",
        options.window
    );
    let mut talk =
        Talk { platform: &platform, accounts, acted: 0, entered: Times::default(), written: Times::default() };
    let mut watching = PgConnection::connect_with(&database.options("wecomd")?).await?;
    let (outcome, talked) =
        tokio::join!(load::run(wecomd.address, requests, load), talk.go_on(&mut watching, options.window));
    let outcome = outcome?;
    talked?;
    talk.finish(&mut watching).await?;
    let pulled_words = talk.written.pulled(&mut watching, PULLED_WORDS).await?;
    let pulled_entering = talk.entered.pulled(&mut watching, PULLED_ENTERING).await?;
    drop(wecomd);
    watching.close().await?;
    let Talk { entered, written, .. } = talk;
    platform.stop().await;
    conn.close().await?;
    database.stop().await?;

    println!("  others acknowledged {:>7}/s, p99 {:.1} ms", grouped(outcome.rate()), outcome.latency_ms(0.99));
    let [greetings, records] = [entered, written].map(|it| it.took());
    println!("  greeted {}, recorded {}", greetings.len(), records.len());
    print_times("written → pulled", &pulled_words);
    print_times("written → record seen", &records);
    print_times("entered → pulled", &pulled_entering);
    print_times("entered → greeted", &greetings);
    println!();
    judge(within(&records, 0.99), "s", ..=2.0, "from a customer's word at WeCom to its record, p99");
    judge(within(&greetings, 0.99), "s", ..=2.0, "from a customer who enters to the greeting, p99");
    Ok(())
}

/// When things were done, and when their effects were seen.
#[derive(Default)]
struct Times {
    done: HashMap<String, (Instant, DateTime<Utc>)>,
    seen: HashMap<String, Instant>,
}

impl Times {
    fn note(&mut self, what: &str) {
        self.done.insert(what.to_owned(), (Instant::now(), Utc::now()));
    }

    fn see(&mut self, what: &str) {
        if self.done.contains_key(what) && !self.seen.contains_key(what) {
            self.seen.insert(what.to_owned(), Instant::now());
        }
    }

    fn is_complete(&self) -> bool {
        self.done.len() == self.seen.len()
    }

    /// How long each took, in seconds, the shortest first.
    fn took(self) -> Vec<f64> {
        let took = self.seen.iter().filter_map(|(what, seen)| Some((*seen - self.done.get(what)?.0).as_secs_f64()));
        let mut took: Vec<_> = took.collect();
        took.sort_by(f64::total_cmp);
        took
    }

    /// How long it took until each was pulled, by the system's clock.
    async fn pulled(&self, conn: &mut PgConnection, pattern: &str) -> anyhow::Result<Vec<f64>> {
        let rows: Vec<(String, f64)> = sqlx::query_as(PULLED).bind(pattern).fetch_all(conn).await?;
        let took = |(what, at): &(String, f64)| Some(at - self.done.get(what)?.1.timestamp_micros() as f64 / 1e6);
        let mut took: Vec<_> = rows.iter().filter_map(took).collect();
        took.sort_by(f64::total_cmp);
        Ok(took)
    }
}

/// The customers of 微信客服, and what becomes of what they do.
struct Talk<'a> {
    platform: &'a Platform,
    accounts: Vec<String>,
    acted: usize,
    entered: Times,
    written: Times,
}

impl Talk<'_> {
    /// Customers come for so long.
    async fn go_on(&mut self, conn: &mut PgConnection, window: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < window {
            self.act_and_look(conn).await?;
        }
        Ok(())
    }

    /// Lets the next customer enter and the one before write, and looks what has come until it is the next one's turn.
    async fn act_and_look(&mut self, conn: &mut PgConnection) -> anyhow::Result<()> {
        let began = Instant::now();
        let customer = |number: usize| ExternalUserId(format!("wmTalk{number:026}"));
        let account = |number: usize| self.accounts.get(number % ACCOUNTS).context("an account");
        let entering = customer(self.acted);
        self.entered.note(entering.as_str());
        self.platform.kf_enter(account(self.acted)?, &entering, "").await?;
        if let Some(before) = self.acted.checked_sub(1) {
            let words = format!("{WORDS} {before}");
            self.written.note(&words);
            self.platform.kf_write(account(before)?, &customer(before), &words).await?;
        }
        self.acted += 1;
        while began.elapsed() < ENTER_EVERY {
            self.look(conn).await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn look(&mut self, conn: &mut PgConnection) -> anyhow::Result<()> {
        self.platform.with(|world| world.kf.greetings.iter().for_each(|it| self.entered.see(it.customer.as_str())));
        if !self.written.is_complete() {
            let contents: Vec<String> = sqlx::query_scalar(RECORDED).fetch_all(conn).await?;
            contents.iter().for_each(|it| self.written.see(it));
        }
        Ok(())
    }

    /// Waits until everything has come.
    async fn finish(&mut self, conn: &mut PgConnection) -> anyhow::Result<()> {
        let began = Instant::now();
        while !(self.entered.is_complete() && self.written.is_complete()) {
            ensure!(began.elapsed() < LAST_LIMIT, "some words are not recorded, or some customers not greeted");
            self.look(conn).await?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}
