//! The only way to another state: items are told a fact, and their new states are written together with the lines of the
//! log, which say who caused them and why.
//!
//! The caller holds the corp's lock alone (`tables::apply::lock_alone`), so two facts never cross.

use sqlx::PgConnection;

use super::{item::Fact, state::HandoverProgress};
use crate::{
    states::HandoverState,
    tables::handover::{self, Heard},
};

/// Who caused a transition, and why. The log keeps both.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// An API token's name, [`WECOMD`] or [`WECOM`].
    pub actor: &'a str,
    /// In a few words.
    pub cause: &'a str,
}

/// The actor of what we conclude ourselves.
pub const WECOMD: &str = "wecomd";

/// The actor of what WeCom answered or pushed.
pub const WECOM: &str = "WeCom";

/// Tells these items a fact. Returns those that changed; the others stay as they are.
pub async fn transition(conn: &mut PgConnection, fact: Fact, heard: &[Heard], by: By<'_>) -> sqlx::Result<Vec<i64>> {
    if heard.is_empty() {
        return Ok(Vec::new());
    }
    let turned = handover::transition(conn, heard, fact.from(), fact.to(), by.actor, by.cause).await?;
    if fact.to().is_final() {
        let count = u64::try_from(turned.len()).unwrap_or(u64::MAX);
        metrics::counter!("wecomd_handover_items_total", "outcome" => fact.to().as_str()).increment(count);
    }
    Ok(turned)
}

/// The same for items about which nothing else is known.
pub async fn transition_all(conn: &mut PgConnection, fact: Fact, items: &[i64], by: By<'_>) -> sqlx::Result<Vec<i64>> {
    let heard: Vec<_> = items.iter().map(|&item| Heard { item, ..Heard::default() }).collect();
    transition(conn, fact, &heard, by).await
}

/// Writes the handover's own state as it follows from its items, if it has changed.
pub async fn settle(conn: &mut PgConnection, handover: i64, by: By<'_>) -> sqlx::Result<Option<HandoverState>> {
    let Some(written) = handover::standing(conn, handover).await? else { return Ok(None) };
    let mut progress = HandoverProgress {
        notified: written.notified,
        submitted: written.submitted,
        cancelled: written.cancelled,
        ..HandoverProgress::default()
    };
    for counted in handover::counts(conn, None, handover).await? {
        progress.count(counted.state, counted.items);
    }
    let state = progress.state();
    if state != written.state {
        handover::set_state(conn, handover, state).await?;
        handover::log(conn, handover, Some(written.state), state, by.actor, by.cause).await?;
    }
    Ok(Some(state))
}
