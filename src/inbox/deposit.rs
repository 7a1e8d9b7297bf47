//! Deposits what was pulled from WeCom: messages become deliveries, as callbacks do.
//!
//! The caller moves the pull's cursor in the same transaction, so that the cursor is never ahead of what is stored. What a
//! message says is not read here.

use chrono::{DateTime, SubsecRound, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{
    accept::{Arrival, GROUP_BYTES_MAX, GROUP_MAX, insert},
    wake,
};
use crate::states::Origin;

/// A pulled message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// The app that pulled it: `enterprise_wechat_config.id`.
    pub app_id: i32,
    /// Where it was pulled from.
    pub origin: Origin,
    /// The message's own time. The key has whole seconds.
    pub event_at: DateTime<Utc>,
    /// The message as WeCom sent it.
    pub plaintext: Vec<u8>,
}

/// Stores what is new and queues it, and returns how many were new. The workers of all processes are woken when `conn`'s
/// transaction commits.
pub async fn deposit(conn: &mut PgConnection, items: Vec<Deposit>) -> sqlx::Result<u64> {
    let mut arrivals: Vec<_> = items.into_iter().map(Arrival::from).collect();
    // Sorted by their keys, as the committer's groups are: so two processes that store the same repeats cannot deadlock.
    arrivals.sort_by_key(Arrival::key);
    let mut new = 0;
    let mut rest: Vec<&Arrival> = arrivals.iter().collect();
    while !rest.is_empty() {
        let later = rest.split_off(group_len(&rest));
        new += insert(conn, &rest).await?;
        rest = later;
    }
    if new > 0 {
        wake::tell_others(conn).await?;
    }
    Ok(new)
}

/// How many of them fit into one statement.
fn group_len(arrivals: &[&Arrival]) -> usize {
    let mut bytes = 0;
    let fitting = arrivals.iter().take(GROUP_MAX).take_while(|it| {
        bytes += it.plaintext.len();
        bytes <= GROUP_BYTES_MAX
    });
    fitting.count().max(1)
}

impl From<Deposit> for Arrival {
    fn from(it: Deposit) -> Self {
        Self {
            app_id: it.app_id,
            app_name: String::new(),
            event_at: it.event_at.trunc_subsecs(0),
            received_at: Utc::now(),
            kept_since: None,
            origin: it.origin,
            hash: Sha256::digest(&it.plaintext).into(),
            plaintext: it.plaintext,
        }
    }
}
