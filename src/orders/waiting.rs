//! Orders that wait: for somebody to take them, or to be picked up.
//!
//! Any number of processes may look after them: each order is looked after with its corp's lock held.

use sqlx::PgPool;

use super::assignment::{self, Rules};
use crate::{
    ids::CorpId,
    tables::{apply, orders::work_order},
};

/// How many orders of a corp are looked after while its lock is held.
const ORDERS_MAX: i64 = 50;

/// How often the lock of one corp is taken in a round. The orders that are left wait for the next round, so that one corp
/// with many orders does not keep the others waiting.
const BATCHES_MAX: usize = 20;

/// Assigns, reminds of and escalates the orders of all corps that are due.
pub async fn look_after_waiting(pool: &PgPool, rules: &Rules) -> sqlx::Result<()> {
    let corps = work_order::corps_waiting(&mut *pool.acquire().await?).await?;
    for corp in &corps {
        for _ in 0..BATCHES_MAX {
            if !look_after_corp(pool, rules, corp).await? {
                break;
            }
        }
    }
    Ok(())
}

/// Whether more orders of the corp may be due.
async fn look_after_corp(pool: &PgPool, rules: &Rules, corp: &CorpId) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    apply::lock_alone(&mut transaction, corp).await?;
    let Rules { patience, automatic, .. } = *rules;
    let due = work_order::standing_still(&mut transaction, corp, patience, automatic, ORDERS_MAX).await?;
    let mut done = 0;
    for id in &due {
        done += i64::from(assignment::look_after(&mut transaction, rules, *id).await?);
    }
    transaction.commit().await?;
    // Orders that nobody is free for stay as they are: looking again at once would not help them.
    Ok(done == ORDERS_MAX)
}
