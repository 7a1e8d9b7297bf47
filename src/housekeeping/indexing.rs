//! Makes records findable by what they say, behind recording: reads what was recorded and writes what it is found by.
//!
//! It rests as long as it worked, so that it never takes more than half of one of the database's processors from those
//! who record. What is found is not decided here; see [`crate::tables::records::search`].

use std::time::{Duration, Instant};

use chrono::Utc;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::tables::records::{
    record_search::{self, Termed, Text},
    wechat_contact_record::KnownMonths,
};

/// How many records are made findable in one transaction. An erasure waits for one transaction.
const AT_ONCE: i64 = 1_000;

/// How soon to look again when nothing was to be done.
const EVERY: Duration = Duration::from_secs(1);

/// How soon to try again after a failure.
const AGAIN: Duration = Duration::from_secs(10);

/// Writes what records are found by.
pub struct Indexer {
    pool: PgPool,
    months: KnownMonths,
}

impl Indexer {
    /// An indexer on this pool.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, months: KnownMonths::of("record_search") }
    }

    /// Works until told to stop.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut pause = EVERY;
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => {}
            }
            let began = Instant::now();
            let done = tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                done = self.round() => done,
            };
            pause = match done {
                Ok(0) => EVERY,
                Ok(_) => began.elapsed(),
                Err(error) => {
                    self.months.forget();
                    tracing::warn!(error = %error, "records cannot be made findable by their words; it is tried again in some seconds");
                    AGAIN
                }
            };
        }
    }

    /// Makes some records findable: the queued ones before those of before there was a search. Returns how many; none if
    /// another process is at it.
    pub async fn round(&mut self) -> sqlx::Result<usize> {
        let mut transaction = self.pool.begin().await?;
        if !record_search::try_lock(&mut transaction).await? {
            return Ok(0);
        }
        let progress = record_search::progress(&mut transaction).await?;
        let waiting = progress.waiting_since.map_or(0, |since| (Utc::now() - since).num_milliseconds().max(0));
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("wecomd_search_lag_seconds").set(waiting as f64 / 1e3);
        let texts = if progress.waiting_since.is_some() {
            record_search::take_queued(&mut transaction, AT_ONCE).await?
        } else if progress.backfilled {
            Vec::new()
        } else {
            record_search::take_earlier(&mut transaction, AT_ONCE).await?
        };
        let count = texts.len();
        let termed = || texts.into_iter().map(Text::termed).collect::<Vec<Termed>>();
        // A thousand long messages would hold up everything else on this thread.
        let termed =
            tokio::task::spawn_blocking(termed).await.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        record_search::write(&mut transaction, &termed, &mut self.months).await?;
        transaction.commit().await?;
        Ok(count)
    }
}
