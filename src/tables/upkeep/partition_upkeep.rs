//! Makes partitions ahead, and retries those that could not be made: rows that went to the default partition
//! meanwhile move to their own.
//!
//! A few rows move in the transaction that makes the partition. Many rows are copied first, in pieces, while a
//! trigger keeps the copies current; then the copies replace the default partition in one step. So at every moment a
//! row exists in one place, where a repeat meets it. None of this uses a connection that others wait for.
//!
//! Only times near now get a partition. Anybody with a callback's keys can name any time, and each partition costs
//! every reader of the whole table a lock.

use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};
use sqlx::{Connection, PgConnection};

use super::partitions::{self, is_put_off, limit_locks};
use crate::tables::now;

/// How long making a partition waits for the lock on the default one: writers queue behind it for as long.
const LOCK_LIMIT: &str = "200ms";

/// How long making one may take. If it takes longer, the default partition is too large to be scanned under a lock.
const MAKE_LIMIT: &str = "2s";

/// How long copying one piece may take.
const COPY_LIMIT: &str = "60s";

/// How many rows move in the transaction that makes their partition.
const ROWS_MAX: i64 = 5_000;

/// How many blocks of 8 kB are copied at once.
const BLOCKS: i64 = 1_024;

/// How many periods one call makes. The next call makes the next ones.
const PERIODS_MAX: usize = 16;

/// How often the copies try to replace the default partition, and the pause in between.
const SWAPS_MAX: u32 = 100;
const SWAP_PAUSE: Duration = Duration::from_millis(300);

/// The advisory lock of this upkeep: one process at a time.
const UPKEEP_LOCK: i64 = 0x7763_7570;

/// How long a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Month,
}

/// A table whose partitions are made here.
#[derive(Debug)]
pub struct Calendar {
    /// The table.
    pub parent: &'static str,
    column: &'static str,
    unit: Unit,
    /// How many periods after the current one are made ahead.
    ahead: u32,
    /// How many periods before it may still get a partition.
    back: u32,
}

/// Deliveries, by the event's day: three days ahead, so that a lock held over a weekend does no harm, and a year
/// back.
pub const INBOX: Calendar = Calendar { parent: "inbox", column: "event_at", unit: Unit::Day, ahead: 3, back: 400 };

/// Contact records, by month.
pub const RECORDS: Calendar =
    Calendar { parent: "wechat_contact_record", column: "contact_time", unit: Unit::Month, ahead: 1, back: 36 };

/// The result of one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// The partitions that were made.
    pub made: Vec<String>,
    /// Those that could not be made yet.
    pub put_off: Vec<String>,
    /// How many partitions there are, default ones included.
    pub count: i64,
}

/// How much a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Makes the current period and those ahead, if that is quick: at a start, while others wait.
    Ahead,
    /// Moves rows out of the default partition as well, however long that takes.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Period {
    name: String,
    from: NaiveDate,
    until: NaiveDate,
}

impl Calendar {
    /// The period that contains a day.
    fn period(&self, day: NaiveDate) -> Period {
        let (from, until, name) = match self.unit {
            Unit::Day => (day, day + Days::new(1), day.format("%Y%m%d")),
            Unit::Month => {
                let from = day.with_day(1).unwrap_or(day);
                (from, from + Months::new(1), from.format("%Y%m"))
            }
        };
        Period { name: format!("{}_{name}", self.parent), from, until }
    }

    /// The first day of the first period that may get a partition, and the first day after the last one.
    fn window(&self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let current = self.period(today);
        match self.unit {
            Unit::Day => (current.from - Days::new(self.back.into()), current.until + Days::new(self.ahead.into())),
            Unit::Month => (current.from - Months::new(self.back), current.until + Months::new(self.ahead)),
        }
    }

    /// Whether that day is near enough to now for a partition of its own.
    pub fn is_near(&self, day: NaiveDate, today: NaiveDate) -> bool {
        let (first, end) = self.window(today);
        (first..end).contains(&day)
    }

    /// The `to_char` format of a partition name's end.
    fn format(&self) -> &'static str {
        match self.unit {
            Unit::Day => "YYYYMMDD",
            Unit::Month => "YYYYMM",
        }
    }
}

/// Makes missing partitions: the current period, those ahead, and near ones whose rows are in the default partition.
/// `None` if another process does it. The connection must not be used for anything else: it keeps the lock until it
/// is closed.
pub async fn look(conn: &mut PgConnection, calendar: &Calendar, reach: Reach) -> sqlx::Result<Option<Upkeep>> {
    let alone = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "locked!""#, UPKEEP_LOCK);
    if !alone.fetch_one(&mut *conn).await? {
        return Ok(None);
    }
    let done = look_alone(conn, calendar, reach).await;
    sqlx::query_scalar!("select pg_advisory_unlock($1)", UPKEEP_LOCK).fetch_one(conn).await?;
    done.map(Some)
}

async fn look_alone(conn: &mut PgConnection, calendar: &Calendar, reach: Reach) -> sqlx::Result<Upkeep> {
    abandon(conn, calendar).await?;
    let today = now(conn).await?.date_naive();
    let missing = missing(conn, calendar, today, reach).await?;
    let mut upkeep = Upkeep::default();
    let mut many = false;
    for period in &missing {
        match make(conn, calendar, period).await? {
            Made::Now => upkeep.made.push(period.name.clone()),
            Made::PutOff => upkeep.put_off.push(period.name.clone()),
            Made::Many => {
                many = true;
                upkeep.put_off.push(period.name.clone());
            }
        }
    }
    if many && reach == Reach::All {
        let left: Vec<_> = missing.into_iter().filter(|it| upkeep.put_off.contains(&it.name)).collect();
        if split(conn, calendar, &left).await? {
            upkeep.made.append(&mut upkeep.put_off);
        }
    }
    upkeep.count = i64::try_from(partitions::periods(conn, calendar.parent).await?.len()).unwrap_or(i64::MAX) + 2;
    Ok(upkeep)
}

/// The periods without a partition, those ahead first.
async fn missing(
    conn: &mut PgConnection,
    calendar: &Calendar,
    today: NaiveDate,
    reach: Reach,
) -> sqlx::Result<Vec<Period>> {
    let there = partitions::periods(conn, calendar.parent).await?;
    let (first, end) = calendar.window(today);
    let mut missing = Vec::new();
    let mut day = calendar.period(today).from;
    while day < end {
        let period = calendar.period(day);
        day = period.until;
        if !there.contains(&period.from) {
            missing.push(period);
        }
    }
    if reach == Reach::Ahead {
        return Ok(missing);
    }
    let mut from = midnight(first);
    while missing.len() < PERIODS_MAX {
        let stray = partitions::first_stray(conn, calendar.parent, calendar.column, from, midnight(end)).await?;
        let Some(stray) = stray else { break };
        let period = calendar.period(stray.date_naive());
        from = midnight(period.until);
        // Existing partitions have no strays, and periods ahead are already in the list.
        if !there.contains(&period.from) && !missing.contains(&period) {
            missing.push(period);
        }
    }
    Ok(missing)
}

/// The result of making a partition.
enum Made {
    /// It exists.
    Now,
    /// The table is locked by somebody else.
    PutOff,
    /// More rows belong to it than fit into one transaction, or the default partition is too large to scan.
    Many,
}

async fn make(conn: &mut PgConnection, calendar: &Calendar, period: &Period) -> sqlx::Result<Made> {
    let mut transaction = conn.begin().await?;
    limit(&mut transaction, MAKE_LIMIT).await?;
    let made = sqlx::query_scalar!(
        r#"select make_partition($1, $2, $3, $4, $5) as "made!""#,
        calendar.parent,
        period.name,
        midnight(period.from),
        midnight(period.until),
        ROWS_MAX,
    )
    .fetch_one(&mut *transaction)
    .await;
    match made.as_deref() {
        Ok("many") => Ok(Made::Many),
        Ok(_) => transaction.commit().await.map(|()| Made::Now),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57014") => Ok(Made::Many),
        Err(sqlx::Error::Database(error)) if is_put_off(&**error) => Ok(Made::PutOff),
        Err(_) => made.map(|_| Made::Now),
    }
}

/// Splits the default partition into these periods and the rest; `false` if the lock for the replacement could not be
/// had.
async fn split(conn: &mut PgConnection, calendar: &Calendar, periods: &[Period]) -> sqlx::Result<bool> {
    let names: Vec<_> = periods.iter().map(|it| it.name.clone()).collect();
    let lowers: Vec<_> = periods.iter().map(|it| midnight(it.from)).collect();
    let uppers: Vec<_> = periods.iter().map(|it| midnight(it.until)).collect();
    tracing::info!(table = calendar.parent, partitions = ?names, "splitting the default partition");
    let mut begin = conn.begin().await?;
    limit(&mut begin, MAKE_LIMIT).await?;
    let begun = sqlx::query_scalar!(
        r#"select begin_split($1, $2, $3, $4, $5) as "blocks!""#,
        calendar.parent,
        calendar.format(),
        &names,
        &lowers,
        &uppers,
    )
    .fetch_one(&mut *begin)
    .await;
    let blocks = match begun {
        Err(sqlx::Error::Database(error)) if is_put_off(&*error) => return Ok(false),
        begun => begun?,
    };
    begin.commit().await?;

    let mut first = 0;
    while first < blocks {
        let mut copy = conn.begin().await?;
        limit(&mut copy, COPY_LIMIT).await?;
        sqlx::query!(
            "select copy_split($1, $2, $3, $4, $5, $6)",
            calendar.parent,
            &names,
            &lowers,
            &uppers,
            first,
            BLOCKS,
        )
        .execute(&mut *copy)
        .await?;
        copy.commit().await?;
        first += BLOCKS;
    }

    for _ in 0..SWAPS_MAX {
        let mut end = conn.begin().await?;
        limit(&mut end, MAKE_LIMIT).await?;
        let ended = sqlx::query!("select end_split($1, $2, $3, $4)", calendar.parent, &names, &lowers, &uppers);
        match ended.execute(&mut *end).await {
            Ok(_) => {
                end.commit().await?;
                return Ok(true);
            }
            Err(sqlx::Error::Database(error)) if is_put_off(&*error) => end.rollback().await?,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(SWAP_PAUSE).await;
    }
    abandon(conn, calendar).await?;
    Ok(false)
}

/// Removes the copies of an unfinished split. If the table is locked, the next call does it.
async fn abandon(conn: &mut PgConnection, calendar: &Calendar) -> sqlx::Result<()> {
    let left =
        sqlx::query_scalar!(r#"select to_regclass($1 || '_elsewhen_next') is not null as "left!""#, calendar.parent);
    if !left.fetch_one(&mut *conn).await? {
        return Ok(());
    }
    let mut transaction = conn.begin().await?;
    limit(&mut transaction, MAKE_LIMIT).await?;
    sqlx::query!("select abandon_split($1)", calendar.parent).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Sets how long the rest of the transaction waits for locks, and how long each statement may take.
async fn limit(conn: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    limit_locks(conn, LOCK_LIMIT).await?;
    sqlx::query_scalar!("select set_config('statement_timeout', $1, true)", statement).fetch_one(conn).await?;
    Ok(())
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn only_periods_near_today_get_a_partition() {
        let today = day("2026-11-30");
        let near = |calendar: &Calendar, text: &str| calendar.is_near(day(text), today);
        assert!(near(&INBOX, "2026-12-03") && near(&INBOX, "2025-10-26"));
        assert!(!near(&INBOX, "2026-12-04") && !near(&INBOX, "2025-10-25"));
        assert!(near(&RECORDS, "2026-12-31") && near(&RECORDS, "2023-11-01"));
        assert!(!near(&RECORDS, "2027-01-01") && !near(&RECORDS, "2023-10-31"));
    }

    #[test]
    fn a_partition_is_named_after_the_start_of_its_period() {
        let month = RECORDS.period(day("2026-12-31"));
        assert_eq!((month.name.as_str(), month.until), ("wechat_contact_record_202612", day("2027-01-01")));
        assert_eq!(INBOX.period(day("2026-12-31")).name, "inbox_20261231");
    }
}
