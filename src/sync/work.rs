//! What a serving process does about runs: begins those that are due, and works at those that nobody works at.

use std::time::Duration;

use chrono::Utc;
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{Schedule, Sync, begin_due};

/// Between two looks for a run that nobody works at.
const LOOK: Duration = Duration::from_secs(1);

/// The same while the database does not answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// How many corps' runs one process works at.
const RUNS_MAX: u32 = 4;

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
    let mut runs = JoinSet::new();
    while !*stopping.borrow() {
        let mut pause = LOOK;
        if runs.len() < RUNS_MAX as usize {
            match look(&sync, settings).await {
                Ok(Some(run)) => {
                    let mut stop = stopping.clone();
                    runs.spawn(run.drive(async move { stopped(&mut stop).await }, |_| ()));
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
            Some(_) = runs.join_next() => {}
            () = stopped(&mut stopping) => {}
        }
    }
    while runs.join_next().await.is_some() {}
}

async fn look(sync: &Sync, settings: Settings) -> sqlx::Result<Option<super::Run>> {
    let begun = begin_due(&mut *sync.pool.acquire().await?, settings.schedule, Utc::now()).await?;
    if begun > 0 {
        tracing::info!(runs = begun, "it is time to reconcile with WeCom");
    }
    sync.take(None).await
}

/// Returns when it is time to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Whoever would say so is gone: that is a stop as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}
