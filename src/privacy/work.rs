//! Doing it by itself: erasures at once, what is old once a day, and the access log's next month ahead.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::watch;

use super::{Eraser, Outcome, Retention, Step};
use crate::states::RetentionKind;
use crate::tables::{access::access_log::months, privacy::retention};

/// How often to look whether somebody is to be erased.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often to look whether something is old, and a month to be made.
const RETENTION_LOOK: Duration = Duration::from_secs(600);

/// What is old goes once a day: a little less, so that it does not wander around the clock.
const EVERY_HOURS: i32 = 23;

/// After it failed, it is tried again sooner.
const AGAIN_HOURS: i32 = 1;

/// Works until told to stop. Any number of processes may: each step is taken by one of them.
pub async fn work(eraser: Eraser, keep: Retention, mut stopping: watch::Receiver<bool>) {
    let mut looked: Option<Instant> = None;
    loop {
        let turn = async {
            while eraser.step().await? == Step::Worked {}
            if looked.is_none_or(|at| at.elapsed() >= RETENTION_LOOK) {
                looked = Some(Instant::now());
                // A month that cannot be made is no reason to keep what is old.
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
                    tracing::warn!(error = %error, "erasing and dropping what is old wait for the database");
                }
            }
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Drops what is old of each kind that is due, unless another process is at it.
async fn run_due(keep: &Retention) -> sqlx::Result<()> {
    // The lock lives with its connection, which must not go back to the pool with it.
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

/// Drops what is old of a kind, and writes down how that went.
async fn run_one(keep: &Retention, kind: RetentionKind) -> sqlx::Result<()> {
    let outcome = keep.run(kind, false).await;
    let mut conn = keep.pool.acquire().await?;
    match outcome {
        Ok(it) => {
            let Outcome { rows, files, bytes, .. } = it;
            let dropped = it.partitions.len();
            tracing::info!(kind = kind.as_str(), partitions = dropped, rows, files, bytes, "what is old was dropped");
            let partitions = i64::try_from(dropped).unwrap_or(i64::MAX);
            retention::went(&mut conn, kind, partitions, rows, bytes).await
        }
        Err(error) => {
            tracing::error!(kind = kind.as_str(), error = %error, "what is old could not be dropped; tried again in an hour");
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
