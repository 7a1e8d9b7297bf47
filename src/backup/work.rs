//! What a serving process does about backups: makes one when it is due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::watch, time::sleep};

use super::{BackupError, Backups, Made, Schedule};
use crate::{states::BackupOutcome, tables::upkeep::backup};

/// Between two looks at the clock: a schedule has minutes.
const LOOK: Duration = Duration::from_secs(10);

/// How long after an attempt that failed the next one is made.
const RETRY_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Makes backups when they are due, until `stopping` says so. One that is under way then is given up: its file goes.
pub async fn work(backups: Backups, schedule: Schedule, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        tokio::select! {
            () = make_due_backup(&backups, &schedule) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Makes a backup if one is due; in whichever process comes first.
pub async fn run_due(backups: &Backups, schedule: &Schedule, now: DateTime<Utc>) -> Result<Option<Made>, BackupError> {
    let Some(turn) = schedule.last_turn(now) else { return Ok(None) };
    let mut conn = backups.connect().await?;
    let standing = backup::standing(&mut conn).await?;
    sqlx::Connection::close(conn).await?;
    let done = standing.done_at.is_some_and(|at| at >= turn);
    let rests =
        standing.outcome == Some(BackupOutcome::Failed) && standing.tried_at.is_some_and(|at| now - at < RETRY_AFTER);
    if done || rests {
        return Ok(None);
    }
    match backups.make(now, &|_| ()).await {
        Ok(made) => Ok(Some(made)),
        Err(BackupError::Busy) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same by the database's clock, which wrote when the last one was made: by one that is ahead, a backup would be due
/// again and again.
pub async fn run_due_now(backups: &Backups, schedule: &Schedule) -> Result<Option<Made>, BackupError> {
    run_due(backups, schedule, backups.now().await?).await
}

async fn make_due_backup(backups: &Backups, schedule: &Schedule) {
    match run_due_now(backups, schedule).await {
        Ok(Some(made)) => {
            tracing::info!(file = %made.file.display(), bytes = made.bytes, rows = made.rows, "a backup is made");
        }
        Ok(None) => {}
        Err(error) => tracing::error!(error = %error, "no backup could be made"),
    }
}
