//! Works at runs in a serving process: begins due ones, and claims those without a worker.
//!
//! A run that waits for WeCom, or was worked at for a while, is released, so that no corp's run delays another
//! corp's.

use std::{collections::HashSet, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{Run, SLICE, Schedule, Sync, begin_due_now};
use crate::tables::sync::sync_run::Which;

/// Time between two looks for a run without a worker.
const LOOK: Duration = Duration::from_secs(1);

/// The same while the database does not answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// How many runs one process works at; each corp has at most one.
const RUNS_MAX: u32 = 8;

/// How many of these may be runs whose last step failed: their next one may take until its time-out as well.
const TROUBLED_MAX: u32 = RUNS_MAX / 2;

/// How many connections they need at once: each one for its step, and one to extend its lease.
pub const CONNECTIONS: u32 = 2 * RUNS_MAX;

/// The operator's settings.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The schedule of runs.
    pub schedule: Schedule,
}

/// Works until `stopping` is set; unfinished runs are left for other workers.
pub async fn work(sync: Sync, settings: Settings, mut stopping: watch::Receiver<bool>) {
    let (mut runs, mut troubled) = (JoinSet::new(), HashSet::new());
    while !*stopping.borrow() {
        let mut pause = LOOK;
        if runs.len() < RUNS_MAX as usize {
            let which = if troubled.len() < TROUBLED_MAX as usize { Which::Any } else { Which::Untroubled };
            match look(&sync, settings, which).await {
                Ok(Some(run)) => {
                    let (mut stop, is_troubled) = (stopping.clone(), run.is_troubled());
                    let drive = run.drive(SLICE, async move { stopped(&mut stop).await }, |_| ());
                    let id = runs.spawn(drive).id();
                    troubled.extend(is_troubled.then_some(id));
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "cannot look for runs");
                    pause = TROUBLE;
                }
            }
        }
        tokio::select! {
            () = sleep(pause) => {}
            Some(ended) = runs.join_next_with_id() => {
                troubled.remove(&ended.map_or_else(|panicked| panicked.id(), |(id, _)| id));
            }
            () = stopped(&mut stopping) => {}
        }
    }
    while runs.join_next().await.is_some() {}
}

async fn look(sync: &Sync, settings: Settings, which: Which) -> sqlx::Result<Option<Run>> {
    let mut conn = sync.pool.acquire().await?;
    let begun = begin_due_now(&mut conn, settings.schedule).await?;
    drop(conn);
    if begun > 0 {
        tracing::info!(runs = begun, "it is time to reconcile with WeCom");
    }
    sync.take(which).await
}

/// Returns when `stopping` is set.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A dropped sender counts as a stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}
