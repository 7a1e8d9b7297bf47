//! Housekeeping: chores that no callback and no request triggers.
//!
//! [`Housekeeper`] does them every few seconds: waiting orders, used and expired contact ways, resignations whose
//! last day is over, message archives that nobody looked at, expired idempotency keys. [`indexing`] makes records findable by their words. [`partitions`] makes partitions
//! ahead, on a connection of its own, also in a process that only accepts. Any number of processes may do all of it.

pub mod indexing;

pub mod partitions;

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;

use crate::{
    contact_way,
    orders::{self, assignment::Rules},
    tables::{access::idempotency_key, archive::archive_account, staff::resignation},
    wecom::Wecom,
};

/// Time between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(10);

/// Does the chores.
#[derive(Clone)]
pub struct Housekeeper {
    pool: PgPool,
    wecom: Wecom,
    rules: Rules,
    /// The time between two looks at the message archives; none if this process reads none.
    archives: Option<Duration>,
}

impl Housekeeper {
    /// A housekeeper that assigns orders by these rules.
    pub fn new(pool: PgPool, wecom: Wecom, rules: Rules) -> Self {
        Self { pool, wecom, rules, archives: None }
    }

    /// The same, and it asks for a look at each message archive when none happened for this long.
    pub fn reading_archives(self, poll: Option<Duration>) -> Self {
        Self { archives: poll, ..self }
    }

    /// Does all chores every few seconds, until told to stop.
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
        if let Some(poll) = self.archives {
            archive_account::keep_going(&mut conn, poll).await?;
        }
        idempotency_key::forget(&mut conn).await
    }
}
