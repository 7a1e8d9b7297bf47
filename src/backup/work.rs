//! Makes due backups in a serving process.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::watch, time::sleep};

use super::{BackupError, Backups, Made, Schedule};
use crate::{states::BackupOutcome, tables::upkeep::backup};

/// Time between two looks at the clock: a schedule's unit is the minute.
const LOOK: Duration = Duration::from_secs(10);

/// How long after a failed attempt the next one begins.
const RETRY_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Makes due backups until `stopping` is set. A backup in progress is then aborted and its file deleted.
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

/// Makes a backup if one is due, in whichever process comes first.
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

/// The same by the database's clock, which records when backups were made: with a clock ahead of it, a backup would
/// be due again and again.
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
