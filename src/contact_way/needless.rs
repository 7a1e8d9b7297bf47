//! Contact ways that nobody needs any more, deleted at WeCom.
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

/// How often a round claims more. Those that are left wait for the next round, so that a WeCom that answers slowly does
/// not keep other chores waiting.
const CLAIMS_MAX: usize = 20;

/// How often a round asks WeCom in vain for one corp; the rest of the corp's contact ways wait for a later round.
const FAILURES_MAX: u32 = 3;

/// How long a contact way rests after its deletion failed, or its deleter died.
const REST: TimeDelta = TimeDelta::minutes(5);

/// Deletes at WeCom what nobody needs. A corp that WeCom cannot be asked for now is not asked for again and again.
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
