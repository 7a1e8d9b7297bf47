//! What each statement of the recording and the acting half reads: no more in tables ten times as large.
//!
//! The statements are planned on a fresh database, on connections that stay, and nothing is analysed. Then the same work
//! is done twice, among few rows and among many, and PostgreSQL counts the pages of each statement.

mod rounds;

use std::{collections::BTreeMap, ops::Range};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use wecomd::{
    tables::plans,
    worker::{Settings, Worker},
};

use crate::support::{Acting, TestDb};

/// How many rows each table has, at first and then.
const SMALL: u32 = 1_500;
const LARGE: u32 = SMALL * GROWTH;
const GROWTH: u32 = 10;

/// How many rounds go before those that are measured.
const WARM: u32 = 4;

/// How many rounds are measured at each size. The least of them counts: another one may have read a page more because
/// dead rows were in its way, or because an index had just grown.
const MEASURED: u32 = 3;

/// A tree that is ten times as large may be one level higher: that is all that a row may cost more.
const RATIO_MAX: f64 = 1.5;

/// Where a row costs few pages, one level more in each of some look-ups is no growth, nor is it where the rows of one
/// look-up lie on pages of their own: the eight contact ways of an order, for one, on eight pages or on one.
const LEVELS_MAX: f64 = 16.0;

/// No levels make a row cost so much more: then a part of the table is read, however few pages that is for each of many
/// rows.
const LEVELS_RATIO_MAX: f64 = 3.0;

/// So many statements are compared at least. There are some more; should there be fewer, a round has come to nothing.
const STATEMENTS_MIN: usize = 120;

/// Statements that count a whole table: what they read is compared by row of it.
const WHOLE: &[&str] = &["'not_serving'", "insert into sync_run (corpid, expected)", "false as \"left!\"", "age_s!"];

/// The error if the extension is missing that counts pages for each statement.
const EXTENSION: &str = "this test needs PostgreSQL's extension pg_stat_statements, preloaded. It comes with the server: \
     install `postgresql-15` (Debian, Ubuntu) or `postgresql-contrib` (Fedora, Alpine), and start the tests by \
     `scripts/with-postgres`, which loads it";

/// A wecomd whose recording and acting connections are measured; whatever else a test does goes another way.
struct Site {
    acting: Acting,
    worker: Worker,
    pool: PgPool,
    fresh: PgPool,
    /// A second of yesterday, at midnight: events happen in it, and what is there already came before.
    begin: i64,
}

impl Site {
    async fn start() -> Self {
        let acting = Acting::start_with(|config| config.sync.enabled = false).await;
        let db = &acting.app.db;
        let refused = db.refusal("create extension pg_stat_statements; select count(*) from pg_stat_statements").await;
        assert_eq!(refused, None, "{EXTENSION}");
        db.execute(include_str!("quiet.sql")).await;
        let measured = || db.options().options([("pg_stat_statements.track", "top")]);
        let worker = Worker::new(measured(), Settings { batch_max: 500, attempts_max: 1 });
        let pool = one(plans::fixed(measured())).await;
        let fresh = one(plans::fresh(measured())).await;
        let today = db.count("select extract(epoch from date_trunc('day', now()))::bigint").await;
        Self { acting, worker, pool, fresh, begin: today - 86_400 }
    }

    async fn fill(&self, from: u32, to: u32) {
        let sql = include_str!("fill.sql")
            .replace("{corp}", self.acting.app.corp.corpid.as_str())
            .replace("{from}", &from.to_string())
            .replace("{to}", &to.to_string())
            .replace("{begin}", &self.begin.to_string());
        self.acting.app.db.execute(&sql).await;
    }

    /// Does everything in these rounds, and says how many pages each statement read for each row, or for each call that
    /// has none.
    async fn measured(&mut self, rounds: Range<u32>) -> BTreeMap<String, f64> {
        let own = "(select oid from pg_database where datname = current_database())";
        let mut least = BTreeMap::new();
        for round in rounds {
            self.acting.app.db.execute(&format!("select pg_stat_statements_reset(0, {own}, 0)")).await;
            self.round(round).await;
            for (query, pages) in read(&self.acting.app.db, own).await {
                least.entry(query).and_modify(|least: &mut f64| *least = least.min(pages)).or_insert(pages);
            }
        }
        least
    }
}

/// A pool of one permanent connection.
async fn one(options: PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    pool.connect_with(options).await.expect("connects")
}

async fn read(db: &TestDb, own: &str) -> BTreeMap<String, f64> {
    let statistics = format!(
        "select (sum(shared_blks_hit + shared_blks_read) / greatest(sum(calls), sum(rows)))::text || ' ' || query
         from pg_stat_statements
         where dbid = {own} and query !~* '^\\s*(create|lock|set|begin|commit|savepoint|release|rollback)'
         group by query"
    );
    let rows = db.texts(&statistics).await.into_iter().map(|row| {
        let (pages, query) = row.split_once(' ').expect("pages, then the statement");
        (query.to_owned(), pages.parse().expect("a number"))
    });
    rows.collect()
}

/// A statement in one line, short enough to be found by.
fn short(query: &str) -> String {
    let words = query.lines().filter(|line| !line.trim_start().starts_with("--")).flat_map(str::split_whitespace);
    words.collect::<Vec<_>>().join(" ").chars().take(240).collect()
}

#[tokio::test]
async fn no_statement_reads_more_for_a_row_in_tables_ten_times_as_large() {
    let mut site = Site::start().await;
    // Every statement is planned while there is nothing.
    site.round(0).await;
    site.fill(1, SMALL).await;
    // Each round leaves dead rows behind, which the next ones pass by: after some rounds one more makes no difference.
    for round in 1..WARM {
        site.round(round).await;
    }
    let small = site.measured(WARM..WARM + MEASURED).await;
    site.fill(SMALL + 1, LARGE).await;
    let large = site.measured(WARM + MEASURED..WARM + 2 * MEASURED).await;

    let mut worse = Vec::new();
    let mut compared = 0;
    for (query, &after) in &large {
        let Some(&before) = small.get(query) else { continue };
        compared += 1;
        let rows = if WHOLE.iter().any(|it| query.contains(it)) { f64::from(GROWTH) } else { 1.0 };
        let before = before * rows;
        let (steps, times) = (after > before + LEVELS_MAX, after > before * LEVELS_RATIO_MAX);
        if after > before * RATIO_MAX && (steps || times) {
            worse.push(format!("{before:.1} pages, then {after:.1}: {}", short(query)));
        }
    }
    assert!(worse.is_empty(), "{} statements read more in larger tables:\n{}", worse.len(), worse.join("\n"));
    assert!(compared >= STATEMENTS_MIN, "only {compared} statements were measured in both rounds");
    site.finish().await;
}
