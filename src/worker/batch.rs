//! Records one batch in one transaction.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::{Settings, backoff, erased};
use crate::{
    changes::{Changes, Source},
    event::{self, Callback},
    handlers,
    ids::DeliveryKey,
    inbox::{self, Claimed, Ticket},
    tables::{
        apply::{self, Tombstones},
        records::wechat_contact_record::KnownMonths,
    },
};

/// The result of a batch.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// How many deliveries it took.
    pub(super) size: usize,
    /// When the latest of them was due.
    pub(super) due_at: Option<DateTime<Utc>>,
    kinds: BTreeMap<(&'static str, &'static str), u64>,
    /// How many of them were about erased people.
    erased: u64,
}

/// A batch that was undone.
pub(super) struct Failed {
    pub(super) claimed: Vec<Undone>,
    pub(super) error: sqlx::Error,
}

/// A delivery whose claim was undone.
pub(super) struct Undone {
    pub(super) key: DeliveryKey,
    ticket: Ticket,
    attempts: i16,
}

impl Batch {
    /// Counts the batch, once it is committed.
    pub(super) fn report(&self, took: Duration) {
        if self.size == 0 {
            return;
        }
        metrics::histogram!("wecomd_batch_seconds").record(took);
        for ((kind, outcome), count) in &self.kinds {
            metrics::counter!("wecomd_events_total", "kind" => *kind, "outcome" => *outcome).increment(*count);
        }
        if self.erased > 0 {
            metrics::counter!("wecomd_events_erased_total").increment(self.erased);
        }
    }
}

/// Claims, parses, writes and settles up to `limit` deliveries.
pub(super) async fn record(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    limit: i64,
    months: &mut KnownMonths,
) -> Result<Batch, Failed> {
    match attempt(conn, since, limit, months, Company::Others).await? {
        Some(batch) => Ok(batch),
        // Needed only once for each new spelling of a member's id, so claiming the deliveries again costs little.
        None => Ok(attempt(conn, since, limit, months, Company::Alone).await?.unwrap_or_default()),
    }
}

/// Which other transactions may write to the same corps meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    /// Other batches, where the changes allow it.
    Others,
    /// None.
    Alone,
}

/// Returns `None`, with everything undone, if the changes need the corps locked exclusively.
async fn attempt(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    limit: i64,
    months: &mut KnownMonths,
    company: Company,
) -> Result<Option<Batch>, Failed> {
    let mut claimed_keys = Vec::new();
    let attempt = async {
        let mut transaction = conn.begin().await?;
        let claimed = inbox::claim(&mut transaction, since, limit).await?;
        if claimed.is_empty() {
            transaction.rollback().await?;
            return Ok(Some(Batch::default()));
        }
        claimed_keys = claimed.iter().map(undone).collect();
        let mut batch = Batch { size: claimed.len(), ..Batch::default() };
        batch.due_at = claimed.iter().map(|it| it.ticket.due_at()).max();
        let mut changes = Changes::default();
        let mut concerned = Vec::with_capacity(claimed.len());
        for delivery in &claimed {
            let understood = understand(delivery);
            concerned.push(match &understood {
                Ok((source, _)) => (Some(source.corpid.clone()), source.at()),
                Err(_) => (delivery.corpid.clone(), delivery.key.event_at),
            });
            if delivery.is_emptied() {
                // The person it was about was erased while it waited.
                continue;
            }
            match understood {
                Ok((source, callback)) => batch.understood(&source, &callback, &mut changes),
                Err(reason) => batch.not_understood(&mut transaction, delivery, &reason).await?,
            }
        }
        inbox::ignore(&mut transaction, &changes.ignored).await?;
        let written = match company {
            Company::Others => apply::apply_beside_others(&mut transaction, changes, months).await?,
            Company::Alone => Some(apply::apply(&mut transaction, changes, months).await?),
        };
        let Some(tombstones) = written else {
            transaction.rollback().await?;
            return Ok(None);
        };
        if tombstones == Tombstones::Some {
            batch.erased = erased::empty_late(&mut transaction, &claimed, &concerned).await?;
        }
        transaction.commit().await?;
        Ok(Some(batch))
    };
    let result = attempt.await;
    result.map_err(|error| Failed { claimed: claimed_keys, error })
}

impl Batch {
    fn understood(&mut self, source: &Source, callback: &Callback, changes: &mut Changes) {
        let ignored = changes.ignored.len();
        handlers::record(source, callback, changes);
        let outcome = if changes.ignored.len() > ignored { "ignored" } else { "recorded" };
        *self.kinds.entry((callback.event.kind(), outcome)).or_default() += 1;
    }

    /// Parks a delivery that cannot be parsed: it is authentic and its bytes never change, so no retry can help.
    async fn not_understood(&mut self, conn: &mut PgConnection, delivery: &Claimed, reason: &str) -> sqlx::Result<()> {
        tracing::warn!(delivery.id = %delivery.key, reason, "a delivery is parked at once");
        *self.kinds.entry(("unreadable", "parked")).or_default() += 1;
        inbox::park(conn, &delivery.key, delivery.attempts, reason).await
    }
}

/// A single delivery failed: postpones it, or parks it after too many attempts.
pub(super) async fn set_aside(
    conn: &mut PgConnection,
    undone: &Undone,
    settings: &Settings,
    error: &sqlx::Error,
) -> sqlx::Result<()> {
    let (key, attempts) = (&undone.key, undone.attempts.saturating_add(1));
    let mut transaction = conn.begin().await?;
    if !inbox::claim_again(&mut transaction, &undone.ticket).await? {
        // Another worker has it now.
        return transaction.rollback().await;
    }
    if u32::try_from(attempts).unwrap_or(0) >= settings.attempts_max {
        tracing::error!(delivery.id = %key, attempts, error = %error, "a delivery was refused too often; parked");
        metrics::counter!("wecomd_events_total", "kind" => "refused", "outcome" => "parked").increment(1);
        inbox::park(&mut transaction, key, attempts, &format!("the database refuses it: {error}")).await?;
    } else {
        tracing::warn!(delivery.id = %key, attempts, error = %error, "a delivery was refused; postponed");
        metrics::counter!("wecomd_events_total", "kind" => "refused", "outcome" => "postponed").increment(1);
        inbox::postpone(&mut transaction, key, attempts, backoff(attempts, rand::random())).await?;
    }
    transaction.commit().await
}

/// Parses a delivery and finds the corp whose tables it changes; the error says why that is not possible.
///
/// The corp is its app's. An app with receiveids of its own may serve several corps; then it is the one that the
/// event names, which the signature and the receiveid prove to come from WeCom.
fn understand(delivery: &Claimed) -> Result<(Source, Callback), String> {
    let callback = event::parse(&delivery.plaintext).map_err(|error| format!("cannot be read: {error}"))?;
    let named = callback.head.corpid.as_ref().filter(|_| delivery.receive_ids.is_some());
    let corpid = named.or(delivery.corpid.as_ref()).ok_or("its app is no longer configured")?.clone();
    let source = Source {
        key: delivery.key.clone(),
        corpid,
        happened_at: callback.head.at,
        received_at: delivery.received_at,
        repaired: callback.repaired,
    };
    Ok((source, callback))
}

fn undone(claimed: &Claimed) -> Undone {
    Undone { key: claimed.key.clone(), ticket: claimed.ticket, attempts: claimed.attempts }
}
