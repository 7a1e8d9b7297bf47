//! Records one batch in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::{
    Settings, backoff,
    erased::{self, Concerned},
};
use crate::{
    changes::{Changes, Source},
    event::{self, Callback},
    handlers,
    ids::DeliveryKey,
    inbox::{self, Claimed, Ticket},
    tables::{
        apply::{self, Tombstones},
        privacy::erased_person,
        records::wechat_contact_record::KnownMonths,
    },
};

/// For how long a refused batch is halved, and halved again, in one transaction. What is left then waits alone. Its corps
/// are locked meanwhile, and a greeting has 20 s in all.
const HALVING_LIMIT: Duration = Duration::from_secs(5);

/// The result of a batch.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// How many deliveries it took.
    pub(super) size: usize,
    /// When the latest of them was due.
    pub(super) due_at: Option<DateTime<Utc>>,
    kinds: Kinds,
    /// How many of them were about erased people.
    erased: u64,
    /// How many were put back to be taken one by one, because halving took too long.
    pub(super) returned: usize,
}

/// How many events of which kind had which outcome.
type Kinds = BTreeMap<(&'static str, &'static str), u64>;

/// A batch that was undone.
pub(super) struct Failed {
    pub(super) claimed: Vec<Undone>,
    pub(super) error: sqlx::Error,
}

/// A delivery whose claim was undone.
pub(super) struct Undone {
    pub(super) key: DeliveryKey,
    pub(super) ticket: Ticket,
    attempts: i16,
}

/// A claimed delivery that could be read.
struct Readable<'a> {
    delivery: &'a Claimed,
    source: Source,
    callback: Callback,
}

impl Readable<'_> {
    fn concerned(&self) -> Concerned<'_> {
        Concerned { delivery: self.delivery, corpid: Some(&self.source.corpid), at: self.source.at() }
    }
}

/// How a batch is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In one go, at the same time as other batches of its corps where the changes allow it.
    BesideOthers,
    /// In one go, with its corps locked exclusively.
    Alone,
    /// In halves, until only refused deliveries are left, with its corps locked exclusively.
    Halving,
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

/// Claims, parses, writes and settles up to `limit` deliveries, and up to a group more.
pub(super) async fn record(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    limit: i64,
    work: &mut Work<'_>,
    manner: Manner,
) -> Result<Batch, Failed> {
    match attempt(conn, since, limit, work, manner).await? {
        Some(batch) => Ok(batch),
        // Needed only once for each new spelling of a member's id, so claiming the deliveries again costs little.
        None => Ok(attempt(conn, since, limit, work, Manner::Alone).await?.unwrap_or_default()),
    }
}

/// What a worker lends to its batches.
pub(super) struct Work<'a> {
    pub(super) months: &'a mut KnownMonths,
    pub(super) settings: &'a Settings,
}

/// Returns `None`, with everything undone, if the changes need the corps locked exclusively.
async fn attempt(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    limit: i64,
    work: &mut Work<'_>,
    manner: Manner,
) -> Result<Option<Batch>, Failed> {
    let mut undone = Vec::new();
    let attempt = async {
        let mut transaction = conn.begin().await?;
        let claimed = inbox::claim(&mut transaction, since, limit).await?;
        if claimed.is_empty() {
            // Groups whose deliveries were all erased or dropped are gone now.
            transaction.commit().await?;
            return Ok(Some(Batch::default()));
        }
        undone = claimed.iter().map(Undone::of).collect();
        let mut batch = Batch { size: claimed.len(), ..Batch::default() };
        batch.due_at = claimed.iter().map(|it| it.ticket.due_at()).max();
        let (readable, unreadable) = batch.read(&mut transaction, &claimed).await?;
        // One that was refused before is likely to be refused again, and would spoil the batch.
        let suspected = readable.len() > 1 && readable.iter().any(|it| it.delivery.attempts > 0);
        if manner == Manner::Halving || suspected {
            batch.write_in_parts(&mut transaction, readable, work).await?;
        } else if !batch.write(&mut transaction, &readable, work.months, manner).await? {
            transaction.rollback().await?;
            return Ok(None);
        }
        if !unreadable.is_empty() && erased_person::any(&mut transaction).await? == Tombstones::Some {
            batch.erased += erased::empty_late(&mut transaction, &unreadable).await?;
        }
        transaction.commit().await?;
        Ok(Some(batch))
    };
    let result = attempt.await;
    result.map_err(|error| Failed { claimed: undone, error })
}

impl Batch {
    /// Parses the deliveries and parks what cannot be read, which is returned second.
    async fn read<'a>(
        &mut self,
        conn: &mut PgConnection,
        claimed: &'a [Claimed],
    ) -> sqlx::Result<(Vec<Readable<'a>>, Vec<Concerned<'a>>)> {
        let (mut readable, mut unreadable) = (Vec::with_capacity(claimed.len()), Vec::new());
        // An emptied one waited while the person it was about was erased.
        for delivery in claimed.iter().filter(|it| !it.is_emptied()) {
            match understand(delivery) {
                Ok((source, callback)) => readable.push(Readable { delivery, source, callback }),
                Err(reason) => {
                    self.not_understood(conn, delivery, &reason).await?;
                    let (corpid, at) = (delivery.corpid.as_ref(), delivery.key.event_at);
                    unreadable.push(Concerned { delivery, corpid, at });
                }
            }
        }
        Ok((readable, unreadable))
    }

    /// Writes these deliveries in one go, and empties those of erased people. `false` if the changes need the corps locked
    /// exclusively.
    async fn write(
        &mut self,
        conn: &mut PgConnection,
        readable: &[Readable<'_>],
        months: &mut KnownMonths,
        manner: Manner,
    ) -> sqlx::Result<bool> {
        let (mut changes, mut kinds) = (Changes::default(), Kinds::new());
        for it in readable {
            let ignored = changes.ignored.len();
            handlers::record(&it.source, &it.callback, &mut changes);
            let outcome = if changes.ignored.len() > ignored { "ignored" } else { "recorded" };
            *kinds.entry((it.callback.event.kind(), outcome)).or_default() += 1;
        }
        inbox::ignore(conn, &changes.ignored).await?;
        let written = match manner {
            Manner::BesideOthers => apply::apply_beside_others(conn, changes, months).await?,
            Manner::Alone | Manner::Halving => Some(apply::apply(conn, changes, months).await?),
        };
        let Some(tombstones) = written else { return Ok(false) };
        if tombstones == Tombstones::Some {
            let concerned: Vec<_> = readable.iter().map(Readable::concerned).collect();
            self.erased += erased::empty_late(conn, &concerned).await?;
        }
        for (kind, count) in kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        Ok(true)
    }

    /// Writes these deliveries in parts: those that were refused before one by one, the others in halves. A part that the
    /// database refuses is undone alone and halved again; a single delivery that it refuses is set aside.
    async fn write_in_parts(
        &mut self,
        conn: &mut PgConnection,
        mut readable: Vec<Readable<'_>>,
        work: &mut Work<'_>,
    ) -> sqlx::Result<()> {
        let began = Instant::now();
        // All at once, since the parts may be of different corps.
        let corps = readable.iter().map(|it| &it.source.corpid).collect::<BTreeSet<_>>();
        apply::lock(conn, corps, true).await?;
        readable.sort_by_key(|it| it.delivery.attempts > 0);
        let fresh = readable.partition_point(|it| it.delivery.attempts == 0);
        let (fresh, suspected) = readable.split_at(fresh);
        let mut parts: Vec<_> = suspected.chunks(1).rev().collect();
        parts.extend(halves(fresh));
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            if began.elapsed() > HALVING_LIMIT {
                let rest: Vec<_> = parts.iter().flat_map(|it| it.iter()).chain(part).collect();
                tracing::warn!(size = rest.len(), "halving a batch takes too long; recording the rest one by one");
                self.returned = rest.len();
                return return_alone(conn, &rest).await;
            }
            let mut trial = conn.begin().await?;
            match self.write(&mut trial, part, work.months, Manner::Halving).await {
                Ok(_) => trial.commit().await?,
                Err(error) if inbox::is_refusal(&error) => {
                    trial.rollback().await?;
                    work.months.forget();
                    match part {
                        [single] => {
                            let it = single.delivery;
                            set_aside(conn, &it.key, it.attempts, work.settings, &error).await?;
                        }
                        many => parts.extend(halves(many)),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Parks a delivery that cannot be parsed: it is authentic and its bytes never change, so no retry can help.
    async fn not_understood(&mut self, conn: &mut PgConnection, delivery: &Claimed, reason: &str) -> sqlx::Result<()> {
        tracing::warn!(delivery.id = %delivery.key, reason, "a delivery is parked at once");
        *self.kinds.entry(("unreadable", "parked")).or_default() += 1;
        inbox::park(conn, &delivery.key, delivery.attempts, reason).await
    }
}

/// The two halves, the second first: a stack hands out the first one first. A single one is not halved.
fn halves<T>(part: &[T]) -> impl Iterator<Item = &[T]> {
    let (first, second) = part.split_at(part.len() / 2);
    [second, first].into_iter()
}

/// Queues these claimed deliveries again, each alone.
async fn return_alone(conn: &mut PgConnection, rest: &[&Readable<'_>]) -> sqlx::Result<()> {
    for it in rest {
        inbox::postpone(conn, &it.delivery.key, it.delivery.attempts, Duration::ZERO).await?;
    }
    Ok(())
}

/// A single delivery of an undone batch failed: takes it again and sets it aside.
pub(super) async fn set_aside_alone(
    conn: &mut PgConnection,
    undone: &Undone,
    settings: &Settings,
    error: &sqlx::Error,
) -> sqlx::Result<()> {
    let mut transaction = conn.begin().await?;
    if !inbox::claim_again(&mut transaction, &undone.ticket).await? {
        // Another worker has it now.
        return transaction.rollback().await;
    }
    set_aside(&mut transaction, &undone.key, undone.attempts, settings, error).await?;
    transaction.commit().await
}

/// Postpones a claimed delivery, or parks it after too many attempts.
async fn set_aside(
    conn: &mut PgConnection,
    key: &DeliveryKey,
    attempts: i16,
    settings: &Settings,
    error: &sqlx::Error,
) -> sqlx::Result<()> {
    let attempts = attempts.saturating_add(1);
    if u32::try_from(attempts).unwrap_or(0) >= settings.attempts_max {
        tracing::error!(delivery.id = %key, attempts, error = %error, "a delivery was refused too often; parked");
        metrics::counter!("wecomd_events_total", "kind" => "refused", "outcome" => "parked").increment(1);
        inbox::park(conn, key, attempts, &format!("the database refuses it: {error}")).await
    } else {
        tracing::warn!(delivery.id = %key, attempts, error = %error, "a delivery was refused; postponed");
        metrics::counter!("wecomd_events_total", "kind" => "refused", "outcome" => "postponed").increment(1);
        inbox::postpone(conn, key, attempts, backoff(attempts, rand::random())).await
    }
}

/// Parses a delivery and finds the corp whose tables it changes; the error says why that is not possible.
///
/// The corp is its app's. An app with receiveids of its own may serve several corps; then it is the one that the
/// event names, which the signature and the receiveid prove to come from WeCom.
fn understand(delivery: &Claimed) -> Result<(Source, Callback), String> {
    let callback =
        event::parse(&delivery.plaintext, delivery.origin).map_err(|error| format!("cannot be read: {error}"))?;
    let named = callback.head.corpid.as_ref().filter(|_| delivery.receive_ids.is_some());
    let corpid = named.or(delivery.corpid.as_ref()).ok_or("its app is no longer configured")?.clone();
    let source = Source {
        key: delivery.key.clone(),
        corpid,
        happened_at: callback.head.at,
        received_at: delivery.received_at,
        origin: delivery.origin,
        msgid: callback.head.msgid.clone(),
        repaired: callback.repaired,
    };
    Ok((source, callback))
}

impl Undone {
    fn of(claimed: &Claimed) -> Self {
        Self { key: claimed.key.clone(), ticket: claimed.ticket, attempts: claimed.attempts }
    }
}
