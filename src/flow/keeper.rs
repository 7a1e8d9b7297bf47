//! What the flow does by itself: orders that stand still, codes that nobody needs any more, resignations whose last day
//! is over.
//!
//! Any number of processes may do it: an order is looked after with its corp's lock held, a code is claimed first.

use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::watch;

use super::{
    assignment::{self, Rules},
    contact_way::NO_SUCH_WAY,
};
use crate::{
    ids::CorpId,
    tables::{apply, contact_way, idempotency_key, resignation, work_order},
    wecom::{Class, Wecom},
};

/// Between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(10);

/// How many orders of a corp are looked after while its lock is held.
const ORDERS_MAX: i64 = 50;

/// How many codes are claimed at once.
const CODES_MAX: i64 = 50;

/// How often a round asks WeCom in vain for one corp; the rest of the corp's codes wait for a later round.
const FAILURES_MAX: u32 = 3;

/// How long a code rests after its deletion failed, or its deleter died.
const CODE_REST: TimeDelta = TimeDelta::minutes(5);

/// How often a round claims more of a kind; what is left then waits for the next round, so that neither one corp's orders
/// nor a WeCom that answers slowly keeps everything else waiting.
const CLAIMS_MAX: usize = 20;

/// What the operator decided about the flow.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How orders are assigned.
    pub rules: Rules,
    /// How long a contact way is given out.
    pub contact_way_life: TimeDelta,
}

/// Looks after the flow.
#[derive(Clone)]
pub struct Keeper {
    pool: PgPool,
    wecom: Wecom,
    rules: Rules,
}

impl Keeper {
    /// One that keeps to these settings.
    pub fn new(pool: PgPool, wecom: Wecom, settings: &Settings) -> Self {
        Self { pool, wecom, rules: settings.rules.clone() }
    }

    /// Looks after everything every few seconds, until a stop.
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
                        tracing::warn!(error = %error, "work orders could not be looked after; trying again soon");
                    }
                }
            }
        }
    }

    /// One round: all orders that stand still, all codes that can go.
    pub async fn round(&self) -> sqlx::Result<()> {
        let corps = work_order::corps_waiting(&mut *self.pool.acquire().await?).await?;
        for corp in &corps {
            for _ in 0..CLAIMS_MAX {
                if !self.look_after(corp).await? {
                    break;
                }
            }
        }
        self.delete_codes().await?;
        let mut conn = self.pool.acquire().await?;
        resignation::verify_overdue(&mut conn).await?;
        idempotency_key::forget(&mut conn).await
    }

    /// Whether there may be more.
    async fn look_after(&self, corp: &CorpId) -> sqlx::Result<bool> {
        let mut transaction = self.pool.begin().await?;
        apply::lock_alone(&mut transaction, corp).await?;
        let Rules { patience, automatic, .. } = self.rules;
        let due = work_order::standing_still(&mut transaction, corp, patience, automatic, ORDERS_MAX).await?;
        let mut done = 0;
        for id in &due {
            done += i64::from(assignment::look_after(&mut transaction, &self.rules, *id).await?);
        }
        transaction.commit().await?;
        // Orders that nobody is free for stay where they are: looking again at once would not help them.
        Ok(done == ORDERS_MAX)
    }

    /// Deletes at WeCom what nobody needs. A corp that WeCom cannot be asked for now is not asked for again and again.
    async fn delete_codes(&self) -> sqlx::Result<()> {
        let mut failures: HashMap<CorpId, u32> = HashMap::new();
        for _ in 0..CLAIMS_MAX {
            let mut conn = self.pool.acquire().await?;
            let codes = contact_way::claim_needless(&mut conn, CODE_REST, CODES_MAX).await?;
            drop(conn);
            if codes.is_empty() {
                return Ok(());
            }
            for code in codes {
                if failures.get(&code.corpid).is_some_and(|it| *it >= FAILURES_MAX) {
                    continue;
                }
                let deleted = async { self.wecom.corp(&code.corpid).await?.delete_contact_way(&code.config_id).await };
                match deleted.await {
                    Err(error) if !error.is(NO_SUCH_WAY) => {
                        tracing::warn!(contact_way = code.id, error = %error, "a contact way could not be deleted yet");
                        if error.class != Class::Refused || error.needs_operator() {
                            *failures.entry(code.corpid).or_default() += 1;
                        }
                    }
                    _ => contact_way::deleted(&mut *self.pool.acquire().await?, code.id).await?,
                }
            }
        }
        Ok(())
    }
}
