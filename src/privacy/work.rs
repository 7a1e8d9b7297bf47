//! Background work: erasures at once, retention once a day, and the access log's next month ahead.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::watch;

use super::{Eraser, Outcome, Retention, Step};
use crate::states::RetentionKind;
use crate::tables::{access::access_log::months, privacy::retention};

/// How often to look for erasures.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often to check whether retention is due, and to make the access log's next month.
const RETENTION_LOOK: Duration = Duration::from_secs(600);

/// Retention runs once a day; a little less than 24 hours keeps its time of day from drifting.
const EVERY_HOURS: i32 = 23;

/// The pause after a failure.
const AGAIN_HOURS: i32 = 1;

/// Works until told to stop. Any number of processes may do it: one of them takes each step.
pub async fn work(eraser: Eraser, keep: Retention, mut stopping: watch::Receiver<bool>) {
    let mut looked: Option<Instant> = None;
    loop {
        let turn = async {
            while eraser.step().await? == Step::Worked {}
            if looked.is_none_or(|at| at.elapsed() >= RETENTION_LOOK) {
                looked = Some(Instant::now());
                // If the month cannot be made, retention still runs.
                if let Err(error) = months::ensure(&mut *eraser.pool.acquire().await?).await {
                    tracing::warn!(error = %error, "the access log's next month could not be made yet");
                }
                run_due(&keep).await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            done = turn => {
                if let Err(error) = done {
                    tracing::warn!(error = %error, "erasing and retention wait for the database");
                }
            }
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Deletes the old data of each due kind, unless another process does it.
async fn run_due(keep: &Retention) -> sqlx::Result<()> {
    // The lock belongs to the connection, which therefore must not return to the pool.
    let mut lock = keep.pool.acquire().await?.detach();
    if !retention::lock(&mut lock).await? {
        return Ok(());
    }
    for kind in RetentionKind::ALL {
        if keep.settings.age(kind).is_some() && retention::is_due(&mut lock, kind, EVERY_HOURS, AGAIN_HOURS).await? {
            run_one(keep, kind).await?;
        }
    }
    gauges(&keep.pool).await
}

/// Deletes the old data of a kind, and records the result.
async fn run_one(keep: &Retention, kind: RetentionKind) -> sqlx::Result<()> {
    let outcome = keep.run(kind, false).await;
    let mut conn = keep.pool.acquire().await?;
    match outcome {
        Ok(it) => {
            let Outcome { rows, files, bytes, .. } = it;
            let dropped = it.partitions.len();
            tracing::info!(kind = kind.as_str(), partitions = dropped, rows, files, bytes, "old data was deleted");
            let partitions = i64::try_from(dropped).unwrap_or(i64::MAX);
            retention::went(&mut conn, kind, partitions, rows, bytes).await
        }
        Err(error) => {
            tracing::error!(kind = kind.as_str(), error = %error, "old data could not be deleted; tried again in an hour");
            retention::failed(&mut conn, kind, &error.to_string()).await
        }
    }
}

async fn gauges(pool: &PgPool) -> sqlx::Result<()> {
    for it in retention::standing(&mut *pool.acquire().await?).await? {
        let failed = f64::from(u8::from(it.failed_at.is_some()));
        metrics::gauge!("wecomd_retention_failed", "kind" => it.kind.as_str()).set(failed);
    }
    Ok(())
}
