//! Pulls every account of 微信客服 now and then without a callback, so that a lost one costs minutes and not messages.

use std::time::Duration;

use chrono::Utc;
use sqlx::{Connection, PgPool};
use tokio::sync::watch;

use super::Settings;
use crate::{
    changes::{Task, TaskKind},
    tables::{kf::kf_account, task},
};

/// Between two looks for accounts that are due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How many accounts one look takes.
const ACCOUNTS_MAX: i64 = 100;

/// Asks for pulls when they are due, until told to stop; at the start for all accounts.
pub async fn run(pool: PgPool, settings: Settings, mut stopping: watch::Receiver<bool>) {
    let mut first = true;
    loop {
        let round = async {
            if first {
                kf_account::all_due(&mut *pool.acquire().await?).await?;
            }
            first = false;
            round(&pool, &settings).await
        };
        if let Err(error) = round.await {
            tracing::warn!(error = %error, "the accounts of 微信客服 cannot be polled; it is tried again in some seconds");
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Asks for the pulls that are due; returns how many.
pub async fn round(pool: &PgPool, settings: &Settings) -> sqlx::Result<usize> {
    let mut conn = pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    let due = kf_account::take_due(&mut transaction, settings.poll, ACCOUNTS_MAX).await?;
    let mut accounts: Vec<_> = due.iter().map(|it| (&it.corpid, it.open_kfid.as_str(), it.app_id)).collect();
    // In the order of the queue's keys, as recording does.
    accounts.sort_unstable();
    for (corpid, open_kfid, app_id) in accounts {
        let task = Task { app_id, payload: None, due_at: Utc::now(), deadline: None, marks: 1 };
        task::enqueue(&mut transaction, corpid, TaskKind::PullKf, open_kfid, task).await?;
    }
    transaction.commit().await?;
    Ok(due.len())
}
