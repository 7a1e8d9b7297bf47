//! What a serving process does about runs: begins those that are due, and works at those that nobody works at.
//!
//! A run that waits for WeCom is put down, and so is one that was worked at for a while: so no corp's run, stuck or just
//! long, keeps another corp's waiting.

use std::{collections::HashSet, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{Run, SLICE, Schedule, Sync, begin_due_now};
use crate::tables::sync::sync_run::Which;

/// Between two looks for a run that nobody works at.
const LOOK: Duration = Duration::from_secs(1);

/// The same while the database does not answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// How many corps' runs one process works at.
const RUNS_MAX: u32 = 8;

/// How many of these may be such whose last step came to nothing: the next one may take until its time-out as well.
const TROUBLED_MAX: u32 = RUNS_MAX / 2;

/// How many connections they need at once: each one for its step, and one to say meanwhile that it is alive.
pub const CONNECTIONS: u32 = 2 * RUNS_MAX;

/// What the operator decided.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// When runs are due by themselves.
    pub schedule: Schedule,
}

/// Works until `stopping` says so; what is in hand then is left for whoever comes next.
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

/// Returns when it is time to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Whoever would say so is gone: that is a stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}
