//! Deletes data past its retention period: whole partitions where possible, otherwise rows in small batches.
//!
//! One process at a time does it. Dropping a partition waits at most half a second for its table, so accepting and
//! recording never stop; a locked one is dropped the next time. A day with pending or parked deliveries is kept.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    inbox,
    media::{MediaStore, Name, StoreError},
    states::RetentionKind,
    tables::{
        access::access_log::{self, Entry, months},
        archive::{archive_media, archive_sealed},
        now,
        privacy::retention::{self, OldFile},
        records::{message_revocation, record_search},
        upkeep::partitions::{self, Partition},
    },
};

/// How many rows are deleted in one statement.
const ROWS_MAX: i64 = 5_000;

/// How many files are deleted before the next are selected.
const FILES_MAX: i64 = 200;

/// A retention period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// This many days.
    Days(u32),
    /// This many whole months besides the current one.
    Months(u32),
}

/// The retention period of each kind; 0 for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Plaintexts in the inbox, in days.
    pub plaintext_days: u32,
    /// Contact records, in months.
    pub records_months: u32,
    /// Files, in days.
    pub media_days: u32,
    /// The access log, in months.
    pub access_log_months: u32,
}

/// What was deleted of a kind, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The day before which data is deleted; none if it is kept for ever.
    pub before: Option<NaiveDate>,
    /// The dropped partitions.
    pub partitions: Vec<String>,
    /// The partitions that are kept because something in them is not settled.
    pub waiting: Vec<String>,
    /// The number of rows, including those in the partitions.
    pub rows: i64,
    /// The number of files.
    pub files: i64,
    /// The bytes of partitions and files.
    pub bytes: i64,
}

/// Why old data could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The database refused or timed out.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// The media store does not work.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Deletes data past its retention period.
#[derive(Clone)]
pub struct Retention {
    /// The database.
    pub pool: PgPool,
    /// The store of files.
    pub media: MediaStore,
    /// The retention periods.
    pub settings: Settings,
}

impl Settings {
    /// The retention period of a kind; none for ever.
    pub fn age(&self, kind: RetentionKind) -> Option<Age> {
        match kind {
            RetentionKind::Plaintext => Some(self.plaintext_days).filter(|it| *it > 0).map(Age::Days),
            RetentionKind::Records => Some(self.records_months).filter(|it| *it > 0).map(Age::Months),
            RetentionKind::Media => Some(self.media_days).filter(|it| *it > 0).map(Age::Days),
            RetentionKind::AccessLog => Some(self.access_log_months).filter(|it| *it > 0).map(Age::Months),
        }
    }
}

impl Age {
    /// The first day that is kept.
    pub fn horizon(self, today: NaiveDate) -> NaiveDate {
        match self {
            Self::Days(days) => today.checked_sub_days(Days::new(days.into())).unwrap_or(NaiveDate::MIN),
            Self::Months(months) => {
                let month = today.with_day(1).unwrap_or(today);
                month.checked_sub_months(Months::new(months)).unwrap_or(NaiveDate::MIN)
            }
        }
    }
}

impl Retention {
    /// Deletes the old data of a kind, or with `dry` only reports what would be deleted.
    pub async fn run(&self, kind: RetentionKind, dry: bool) -> Result<Outcome, RetentionError> {
        // A connection outside the pool: counting a large partition takes longer than administrators should wait for
        // one.
        let mut conn = self.pool.acquire().await?.detach();
        retention::be_patient(&mut conn).await?;
        let today = now(&mut conn).await?.date_naive();
        let Some(before) = self.settings.age(kind).map(|it| it.horizon(today)) else { return Ok(Outcome::default()) };
        let outcome = Outcome { before: Some(before), ..Outcome::default() };
        match kind {
            RetentionKind::Plaintext => plaintext(&mut conn, before, dry, outcome).await,
            RetentionKind::Records => self.records(&mut conn, before, dry, outcome).await,
            RetentionKind::Media => self.files(&mut conn, before, dry, outcome).await,
            RetentionKind::AccessLog => access_log_months(&mut conn, before, dry, outcome).await,
        }
    }

    async fn records(
        &self,
        conn: &mut PgConnection,
        before: NaiveDate,
        dry: bool,
        mut outcome: Outcome,
    ) -> Result<Outcome, RetentionError> {
        let parent = "wechat_contact_record";
        for month in old(partitions::list(conn, parent).await?, before) {
            let (from, until) = (midnight(month.from), midnight(month.from + Months::new(1)));
            self.files_of(conn, from, until, dry, &mut outcome).await?;
            take(conn, &month, dry, &mut outcome).await?;
        }
        // Rows in the default partition; those without a time stay.
        let (from, until) = (midnight(FIRST_DAY), midnight(before));
        let rows = retention::count_stray_records(conn, until).await?;
        outcome.rows += rows;
        if rows > 0 {
            self.files_of(conn, from, until, dry, &mut outcome).await?;
        }
        while !dry && retention::drop_stray_records(conn, until, ROWS_MAX).await? > 0 {}
        if !dry {
            for month in old(partitions::list(conn, "record_search").await?, before) {
                partitions::drop(conn, &month).await?;
            }
            while record_search::drop_strays(conn, from, until, ROWS_MAX).await? > 0 {}
        }
        // Messages of the archive that never opened go with the records that they would have become.
        outcome.rows += archive_sealed::count_before(conn, until).await?;
        while !dry && archive_sealed::drop_before(conn, until, ROWS_MAX).await? > 0 {}
        if !dry {
            message_revocation::drop_before(conn, until).await?;
            archive_media::drop_before(conn, until).await?;
        }
        Ok(outcome)
    }

    /// Deletes the files of a period's records.
    async fn files_of(
        &self,
        conn: &mut PgConnection,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        dry: bool,
        outcome: &mut Outcome,
    ) -> Result<(), RetentionError> {
        let (files, bytes) = retention::count_files_of_records(conn, from, until).await?;
        outcome.files += files;
        outcome.bytes += bytes;
        if dry {
            return Ok(());
        }
        loop {
            let files = retention::files_of_records(conn, from, until, FILES_MAX).await?;
            if files.is_empty() {
                return Ok(());
            }
            for file in &files {
                self.remove(file).await?;
                retention::forget_file(conn, file).await?;
            }
        }
    }

    async fn files(
        &self,
        conn: &mut PgConnection,
        before: NaiveDate,
        dry: bool,
        mut outcome: Outcome,
    ) -> Result<Outcome, RetentionError> {
        let until = midnight(before);
        (outcome.files, outcome.bytes) = retention::count_files(conn, until).await?;
        let reason = format!("kept for {} days 已超过保存期限", self.settings.media_days);
        if dry {
            return Ok(outcome);
        }
        loop {
            let files = retention::old_files(conn, until, FILES_MAX).await?;
            if files.is_empty() {
                return Ok(outcome);
            }
            for file in &files {
                self.remove(file).await?;
                retention::file_gone(conn, file, &reason).await?;
            }
        }
    }

    /// The bytes are deleted before the row: a crash in between leaves a row to retry, never bytes without a row.
    async fn remove(&self, file: &OldFile) -> Result<(), StoreError> {
        match &file.location {
            Some(location) => self.media.remove(&Name::at(location)?).await,
            None => Ok(()),
        }
    }
}

/// No data with a time is older.
const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2013, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

async fn plaintext(
    conn: &mut PgConnection,
    before: NaiveDate,
    dry: bool,
    mut outcome: Outcome,
) -> Result<Outcome, RetentionError> {
    for day in old(partitions::list(conn, "inbox").await?, before) {
        let (from, until) = (midnight(day.from), midnight(day.from + Days::new(1)));
        let mut transaction = conn.begin().await?;
        if inbox::unsettled(&mut transaction, from, until).await? {
            outcome.waiting.push(day.name);
            continue;
        }
        if !dry {
            inbox::forget_ignored(&mut transaction, from, until).await?;
            inbox::note_dropped(&mut transaction, day.from).await?;
        }
        take(&mut transaction, &day, dry, &mut outcome).await?;
        // A replay may have queued a delivery since the first check; now the table is locked, so the answer is final.
        if !dry && inbox::unsettled(&mut transaction, from, until).await? {
            transaction.rollback().await?;
            outcome.waiting.extend(outcome.partitions.pop());
            continue;
        }
        transaction.commit().await?;
    }
    let (rows, bytes) = inbox::count_strays(conn, midnight(before)).await?;
    outcome.rows += rows;
    outcome.bytes += bytes;
    while !dry && inbox::drop_strays(conn, midnight(before), ROWS_MAX).await? > 0 {}
    Ok(outcome)
}

/// Dropping a month of the access log adds a line to it.
async fn access_log_months(
    conn: &mut PgConnection,
    before: NaiveDate,
    dry: bool,
    mut outcome: Outcome,
) -> Result<Outcome, RetentionError> {
    for month in old(partitions::list(conn, "access_log").await?, before) {
        if dry {
            take(conn, &month, dry, &mut outcome).await?;
            continue;
        }
        let mut transaction = conn.begin().await?;
        let lines = months::drop(&mut transaction, month.from).await?;
        let subject = format!("{}: {lines}", month.name);
        access_log::append(&mut transaction, &dropped(&subject)).await?;
        transaction.commit().await?;
        outcome.rows += lines;
        outcome.bytes += month.bytes;
        outcome.partitions.push(month.name);
    }
    Ok(outcome)
}

/// The access log's line about a dropped month.
fn dropped(subject: &str) -> Entry<'_> {
    Entry {
        token_id: None,
        who: "wecomd",
        role: "-",
        method: "DROP",
        route: "retention",
        subject,
        customer: "",
        status: 200,
        times: 1,
        request_id: Uuid::now_v7(),
        address: "-",
    }
}

/// Drops a partition, or counts it.
async fn take(conn: &mut PgConnection, it: &Partition, dry: bool, outcome: &mut Outcome) -> sqlx::Result<()> {
    outcome.rows += partitions::rows(conn, it).await?;
    outcome.bytes += it.bytes;
    outcome.partitions.push(it.name.clone());
    if !dry {
        partitions::drop(conn, it).await?;
    }
    Ok(())
}

fn old(all: Vec<Partition>, before: NaiveDate) -> impl Iterator<Item = Partition> {
    all.into_iter().filter(move |it| it.from < before)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn retention_in_days_counts_from_today_and_in_months_keeps_whole_months() {
        let today = day("2026-03-31");
        assert_eq!(Age::Days(30).horizon(today), day("2026-03-01"));
        assert_eq!(Age::Months(1).horizon(today), day("2026-02-01"));
        assert_eq!(Age::Months(24).horizon(today), day("2024-03-01"));
        assert_eq!(Age::Days(u32::MAX).horizon(today), NaiveDate::MIN);
    }

    #[test]
    fn by_default_retention_drops_nothing() {
        assert!(RetentionKind::ALL.iter().all(|kind| Settings::default().age(*kind).is_none()));
    }
}
