//! How long it takes to find two characters among many records, how fast records become findable, and what queueing them
//! costs whoever records.
//!
//! The records are sentences of made-up words of two characters over a year. A few words are in every tenth record, others
//! in one of a million. `--grow N` says how many records there are.

mod support;

use std::{collections::BTreeMap, time::Instant};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, PgPool, Row, postgres::PgPoolOptions};
use support::{
    database::{Database, checkpoint},
    figures::{Series, figure, grouped, judge},
    options::{Options, Standard},
    run::run,
};
use uuid::Uuid;
use wecomd::{
    changes::Record,
    housekeeping::indexing::Indexer,
    ids::{CorpId, ExternalUserId},
    sandbox::Corp,
    states::ContactType,
    tables::records::{
        conversation::Filter,
        record_search, search,
        wechat_contact_record::{self, KnownMonths},
    },
};

/// A search takes as long as it takes, so no window is used.
const STANDARD: Standard = Standard { seconds: 1.0, quick_seconds: 1.0, rounds: 20 };

/// Over how many days the records are spread.
const DAYS: i64 = 365;

/// How many records are written at once.
const BATCH: u64 = 1_000;

/// How many records are written in a turn of the comparison with and without the queue.
const TURN: u64 = 20_000;

/// How many words there are, and how much the frequent ones are preferred.
const WORDS: f64 = 200_000.0;
const SKEW: f64 = 5.0;

/// The characters of words: common ones of the block U+4E00 to U+9FFF.
const FIRST_CHARACTER: u32 = 0x4E00;
const CHARACTERS: u32 = 3_000;

/// Switches the queue on and off.
const QUEUED: &str = "alter table wechat_contact_record enable trigger wechat_contact_record_queue_new;
    alter table wechat_contact_record enable trigger wechat_contact_record_queue_changed";
const NOT_QUEUED: &str = "alter table wechat_contact_record disable trigger wechat_contact_record_queue_new;
    alter table wechat_contact_record disable trigger wechat_contact_record_queue_changed";

/// How many records a page shows.
const PAGE: usize = 50;

/// A sequence of numbers that is the same in every run.
struct Chance(u64);

impl Chance {
    /// Between 0 and 1.
    #[expect(clippy::cast_precision_loss, reason = "a chance")]
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the bound")]
        let number = (self.next() * f64::from(bound)) as u32;
        number
    }

    /// A sentence of three to twelve words.
    fn sentence(&mut self) -> String {
        let words = 3 + self.below(10);
        (0..words).map(|_| self.word()).collect()
    }

    /// A word; its number says how rare it is.
    fn word(&mut self) -> String {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of words")]
        let number = (WORDS * self.next().powf(SKEW)) as u32;
        word(number)
    }
}

/// A word of two characters. Neighbouring numbers have nothing in common.
fn word(number: u32) -> String {
    let mixed = number.wrapping_mul(2_654_435_761);
    let character = |part: u32| char::from_u32(FIRST_CHARACTER + part % CHARACTERS).unwrap_or('字');
    String::from_iter([character(mixed >> 16), character(mixed.wrapping_mul(40_503) >> 12)])
}

fn main() -> anyhow::Result<()> {
    let Some(options) = Options::read_standard("search", STANDARD)? else { return Ok(()) };
    run(measure(&options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let database = Database::start().await?;
    let corp = Corp::from_seed(1);
    let mut conn = database.prepare("wecomd", &corp).await?;
    let pool = PgPoolOptions::new().max_connections(2).connect_with(database.options("wecomd")?).await?;
    let mut writer = Writer { corp: corp.corpid.clone(), chance: Chance(1), months: KnownMonths::default() };
    sqlx::raw_sql("set synchronous_commit = off").execute(&mut conn).await?;

    let (with, without) = queueing(&mut conn, &mut writer, options.rounds.min(8)).await?;
    let began = Instant::now();
    let mut written = 0;
    while written < options.grow {
        writer.write(&mut conn, BATCH).await?;
        written += BATCH;
    }
    println!("search: {} records written in {} s", grouped(written as f64), began.elapsed().as_secs());
    sqlx::raw_sql("vacuum analyze wechat_contact_record").execute(&mut conn).await?;
    let rate = index(&pool).await?;
    sqlx::raw_sql("vacuum analyze record_search").execute(&mut conn).await?;
    checkpoint(&mut conn).await?;
    sizes(&mut conn).await?;

    println!("\n  {:<10} {:>12} {:>10} {:>10} {:>10}", "text", "records", "found", "median ms", "worst ms");
    let mut worst = 0.0_f64;
    for text in texts() {
        let slowest = find(&mut conn, &text, options.rounds).await?;
        worst = worst.max(slowest);
    }
    println!();
    judge(worst, "ms", ..=50.0, "to find two characters, the worst of all words and rounds");
    figure(rate / 1e3, "k/s", "records that become findable, without the rest that follows each thousand");
    judge(with.over(&without), "×", ..=1.05, "time to write records that are queued, against records that are not");
    pool.close().await;
    conn.close().await?;
    database.stop().await
}

/// Writes records.
struct Writer {
    corp: CorpId,
    chance: Chance,
    months: KnownMonths,
}

impl Writer {
    async fn write(&mut self, conn: &mut PgConnection, count: u64) -> anyhow::Result<()> {
        let now = Utc::now();
        let records = (0..count).map(|_| {
            let back =
                TimeDelta::seconds(i64::from(self.chance.below(u32::try_from(DAYS * 86_400).unwrap_or(u32::MAX))));
            let customer = format!("wm{:08}", self.chance.below(100_000));
            let mut record = Record::new(ContactType::Text, customer.clone(), self.chance.sentence());
            record.customer = Some(ExternalUserId(customer));
            let at = now - back;
            record.stored_under = at;
            let id = Uuid::from_u64_pair(self.chance.next().to_bits(), self.chance.next().to_bits());
            ((at, id, self.corp.clone()), record)
        });
        let records = records.collect();
        let mut transaction = conn.begin().await?;
        self.months.ensure(&mut transaction, times(&records)).await?;
        wechat_contact_record::insert(&mut transaction, &records).await?;
        Ok(transaction.commit().await?)
    }
}

type Records = BTreeMap<(DateTime<Utc>, Uuid, CorpId), Record>;

fn times(records: &Records) -> impl Iterator<Item = DateTime<Utc>> {
    records.keys().map(|(at, ..)| *at)
}

/// The time to write records with and without the queue, in turns.
async fn queueing(conn: &mut PgConnection, writer: &mut Writer, rounds: usize) -> anyhow::Result<(Series, Series)> {
    let (mut with, mut without) = (Series::default(), Series::default());
    for round in 0..=rounds {
        for (series, switch) in [(&mut with, QUEUED), (&mut without, NOT_QUEUED)] {
            sqlx::raw_sql(switch).execute(&mut *conn).await?;
            let began = Instant::now();
            for _ in 0..TURN / BATCH {
                writer.write(conn, BATCH).await?;
            }
            if round > 0 {
                series.push(began.elapsed().as_secs_f64());
            }
        }
    }
    sqlx::raw_sql(QUEUED).execute(&mut *conn).await?;
    Ok((with, without))
}

/// Makes all records findable. Returns how many in a second.
async fn index(pool: &PgPool) -> anyhow::Result<f64> {
    // Some were written without the queue.
    sqlx::raw_sql("update record_search_backfill set done_at = null").execute(pool).await?;
    let mut indexer = Indexer::new(pool.clone());
    let (began, mut count) = (Instant::now(), 0.0);
    loop {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        match indexer.round().await? {
            0 => break,
            more => count += more as f64,
        }
    }
    let mut conn = pool.acquire().await?;
    anyhow::ensure!(record_search::progress(&mut conn).await?.backfilled, "records are left");
    Ok(count / began.elapsed().as_secs_f64())
}

async fn sizes(conn: &mut PgConnection) -> anyhow::Result<()> {
    for table in ["wechat_contact_record", "record_search"] {
        let sql = "select sum(pg_total_relation_size(relid))::bigint from pg_partition_tree($1::regclass) where isleaf";
        let (bytes,): (i64,) = sqlx::query_as(sql).bind(table).fetch_one(&mut *conn).await?;
        println!("  {table}: {:.2} GB with its indexes", bytes as f64 / 1e9);
    }
    Ok(())
}

/// Words that are more and more frequent, one that nobody says, and two that nobody says side by side.
fn texts() -> Vec<String> {
    let mut texts = vec!["鿕鿔".to_owned()];
    for number in [0, 1, 10, 100, 1_000, 10_000, 100_000] {
        texts.push(word(number));
    }
    texts.push(word(0) + &word(1));
    texts.push(word(0) + &word(150_000));
    texts
}

/// Finds a text again and again; returns the slowest time in ms.
async fn find(conn: &mut PgConnection, text: &str, rounds: usize) -> anyhow::Result<f64> {
    let sql = "select count(*) from record_search where terms @> $1";
    let terms: Vec<_> = wecomd::tables::records::search_terms::pairs(text).into_iter().collect();
    let all: i64 = sqlx::query(sql).bind(terms).fetch_one(&mut *conn).await?.try_get(0).context("a count")?;
    let (mut times, mut slowest, mut found) = (Series::default(), 0.0_f64, 0);
    for _ in 0..rounds {
        let began = Instant::now();
        found = search::find(conn, text, &Filter::default(), PAGE).await?.records.len();
        let took = began.elapsed().as_secs_f64() * 1e3;
        slowest = slowest.max(took);
        times.push(took);
    }
    println!("  {text:<10} {:>12} {found:>10} {:>10.1} {slowest:>10.1}", grouped(all as f64), times.median());
    Ok(slowest)
}
