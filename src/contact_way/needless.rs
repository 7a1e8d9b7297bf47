//! Deletes used and expired contact ways at WeCom.
//!
//! Any number of processes may do it: a contact way is claimed before WeCom is asked.

use std::collections::HashMap;

use chrono::TimeDelta;
use sqlx::PgPool;

use super::making::NO_SUCH_WAY;
use crate::{
    ids::CorpId,
    tables::orders::contact_way,
    wecom::{Class, Wecom},
};

/// How many are claimed at once.
const CLAIM_MAX: i64 = 50;

/// How often a round claims more. The rest waits for the next round, so that slow answers from WeCom do not delay
/// other chores.
const CLAIMS_MAX: usize = 20;

/// How many failed calls for one corp end a round for that corp; its other contact ways wait for a later round.
const FAILURES_MAX: u32 = 3;

/// How long a contact way is not claimed again after its deletion failed, or the process died.
const REST: TimeDelta = TimeDelta::minutes(5);

/// Deletes used and expired contact ways at WeCom. A corp whose calls fail is skipped for the rest of the round.
pub async fn delete_needless(pool: &PgPool, wecom: &Wecom) -> sqlx::Result<()> {
    let mut failures: HashMap<CorpId, u32> = HashMap::new();
    for _ in 0..CLAIMS_MAX {
        let mut conn = pool.acquire().await?;
        let ways = contact_way::claim_needless(&mut conn, REST, CLAIM_MAX).await?;
        drop(conn);
        if ways.is_empty() {
            return Ok(());
        }
        for way in ways {
            if failures.get(&way.corpid).is_some_and(|it| *it >= FAILURES_MAX) {
                continue;
            }
            let deleted = async { wecom.corp(&way.corpid).await?.delete_contact_way(&way.config_id).await };
            match deleted.await {
                Err(error) if !error.is(NO_SUCH_WAY) => {
                    tracing::warn!(contact_way = way.id, error = %error, "a contact way could not be deleted yet");
                    if error.class != Class::Refused || error.needs_operator() {
                        *failures.entry(way.corpid).or_default() += 1;
                    }
                }
                _ => contact_way::deleted(&mut *pool.acquire().await?, way.id).await?,
            }
        }
    }
    Ok(())
}
