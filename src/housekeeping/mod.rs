//! Housekeeping: the chores that no callback and no request asks for.
//!
//! [`Housekeeper`] does them every few seconds: orders that wait, contact ways that nobody needs, resignations whose last
//! day is over, idempotency keys that are too old. [`partitions`] makes partitions ahead, on a connection of its own,
//! also in a process that only accepts. Any number of processes may do both.

pub mod partitions;

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;

use crate::{
    contact_way,
    orders::{self, assignment::Rules},
    tables::{access::idempotency_key, staff::resignation},
    wecom::Wecom,
};

/// Between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(10);

/// Does the chores.
#[derive(Clone)]
pub struct Housekeeper {
    pool: PgPool,
    wecom: Wecom,
    rules: Rules,
}

impl Housekeeper {
    /// One that assigns orders by these rules.
    pub fn new(pool: PgPool, wecom: Wecom, rules: Rules) -> Self {
        Self { pool, wecom, rules }
    }

    /// Does all chores every few seconds, until a stop.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(ROUND_EVERY) => {}
            }
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                done = self.round() => {
                    if let Err(error) = done {
                        tracing::warn!(error = %error, "housekeeping failed; it is tried again in some seconds");
                    }
                }
            }
        }
    }

    /// Does all chores once.
    pub async fn round(&self) -> sqlx::Result<()> {
        orders::look_after_waiting(&self.pool, &self.rules).await?;
        contact_way::delete_needless(&self.pool, &self.wecom).await?;
        let mut conn = self.pool.acquire().await?;
        resignation::verify_overdue(&mut conn).await?;
        idempotency_key::forget(&mut conn).await
    }
}
