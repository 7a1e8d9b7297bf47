//! Handles orders that wait to be assigned or to be picked up.
//!
//! Any number of processes may do it: each order is handled with its corp's lock held.

use sqlx::PgPool;

use super::assignment::{self, Rules};
use crate::{
    ids::CorpId,
    tables::{apply, orders::work_order},
};

/// How many orders of a corp are handled per lock.
const ORDERS_MAX: i64 = 50;

/// How often one corp's lock is taken in a round. The remaining orders wait for the next round, so that a corp with
/// many orders does not delay the others.
const BATCHES_MAX: usize = 20;

/// Assigns, reminds of and escalates the due orders of all corps.
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

/// Returns whether more orders of the corp may be due.
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
    // Orders that nobody is available for stay as they are: looking again at once would not help.
    Ok(done == ORDERS_MAX)
}
