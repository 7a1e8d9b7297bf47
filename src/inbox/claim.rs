//! Claiming deliveries, and the four ways a claim ends: settled, ignored, postponed, parked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::{
    ids::{CorpId, DeliveryKey},
    states::Origin,
};

/// The row that queued a delivery: of `pending`, or of `pending_group` with all that were committed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    due_at: DateTime<Utc>,
    seq: i64,
    in_group: bool,
}

impl Ticket {
    /// When the delivery became due.
    pub fn due_at(&self) -> DateTime<Utc> {
        self.due_at
    }

    /// Whether it stands for all deliveries that were committed together.
    pub fn is_group(&self) -> bool {
        self.in_group
    }
}

/// A delivery to record, with its app's corp and receiveids.
#[derive(Debug)]
pub struct Claimed {
    /// Which delivery.
    pub key: DeliveryKey,
    /// What queued it.
    pub ticket: Ticket,
    /// How often recording it has failed before.
    pub attempts: i16,
    /// When it was stored.
    pub received_at: DateTime<Utc>,
    /// What brought it.
    pub origin: Origin,
    /// The decrypted callback, or the pulled message.
    pub plaintext: Vec<u8>,
    /// The corp of its app; none if the app's configuration was removed.
    pub corpid: Option<CorpId>,
    /// The receiveids its app accepts, if not the corpid alone.
    pub receive_ids: Option<Vec<String>>,
}

impl Claimed {
    /// Whether its plaintext was removed while it waited, because a person whom it mentions was erased. A delivery
    /// that arrived empty does not count.
    pub fn is_emptied(&self) -> bool {
        self.plaintext.is_empty() && self.key.hash[..] != Sha256::digest([])[..]
    }
}

/// A claim takes deliveries of at most this many days, because it locks each day's partition.
const CLAIM_DAYS_MAX: i64 = 16;

/// Takes up to `limit` deliveries that are due, and not before `since`, out of the queue, oldest first, until `conn`'s
/// transaction ends. Groups are taken whole, so there may be up to a group more.
///
/// With `since` a worker begins where it left off: while a backup keeps vacuum from removing settled rows, beginning
/// at the front would read all of them each time.
///
/// Committing settles the deliveries; if this process dies, PostgreSQL undoes the deletion with the connection, and
/// another worker finds the rows untouched. No lease, no sweeper.
///
/// It locks only the partitions of the days it takes deliveries of, however many the inbox has.
pub async fn claim(conn: &mut PgConnection, since: DateTime<Utc>, limit: i64) -> sqlx::Result<Vec<Claimed>> {
    let rows = sqlx::query!(
        r#"
        select
            due_at as "due_at!", seq as "seq!", in_group as "in_group!", event_at as "event_at!", app_id as "app_id!",
            hash as "hash!", attempts as "attempts!", received_at as "received_at!", plaintext as "plaintext!",
            origin as "origin!"
        from claim_due($1, $2, $3)
        "#,
        since,
        limit,
        CLAIM_DAYS_MAX,
    )
    .fetch_all(&mut *conn)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let senders = senders(conn, rows.iter().map(|row| row.app_id).collect()).await?;
    rows.into_iter()
        .map(|row| {
            let sender = senders.get(&row.app_id);
            Ok(Claimed {
                key: key(row.event_at, row.app_id, &row.hash)?,
                ticket: Ticket { due_at: row.due_at, seq: row.seq, in_group: row.in_group },
                attempts: row.attempts,
                received_at: row.received_at,
                origin: origin(row.origin)?,
                plaintext: row.plaintext,
                corpid: sender.map(|it| it.corpid.clone()),
                receive_ids: sender.and_then(|it| it.receive_ids.clone()),
            })
        })
        .collect()
}

/// Whose deliveries an app receives.
struct Sender {
    corpid: CorpId,
    receive_ids: Option<Vec<String>>,
}

/// The configured ones among these apps.
async fn senders(conn: &mut PgConnection, apps: BTreeSet<i32>) -> sqlx::Result<BTreeMap<i32, Sender>> {
    let apps = Vec::from_iter(apps);
    let rows = sqlx::query!(
        r#"
        select id, corpid as "corpid: CorpId", receive_ids from enterprise_wechat_config where id = any($1)
        "#,
        &apps,
    )
    .fetch_all(conn)
    .await?;
    let sender = |corpid, receive_ids| Sender { corpid, receive_ids };
    Ok(rows.into_iter().map(|row| (row.id, sender(row.corpid, row.receive_ids))).collect())
}

/// Takes one delivery that waits alone out of the queue again, after its batch was undone. `false` if another worker
/// has it now.
pub async fn claim_again(conn: &mut PgConnection, ticket: &Ticket) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        r#"
        delete from pending
        where ctid = any(array(select ctid from pending where due_at = $1 and seq = $2 for update skip locked))
        "#,
        ticket.due_at,
        ticket.seq,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Lets the deliveries of these groups wait alone from now on; what another worker has is left to it.
pub async fn split(conn: &mut PgConnection, tickets: &BTreeSet<Ticket>) -> sqlx::Result<()> {
    let (due, seqs): (Vec<_>, Vec<_>) = tickets.iter().filter(|it| it.in_group).map(|it| (it.due_at, it.seq)).unzip();
    if due.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        with gone as (
            delete from pending_group
            where ctid = any(array(
                select it.ctid
                from unnest($1::timestamptz[], $2::bigint[]) ticket (due_at, seq)
                join pending_group it using (due_at, seq)
                for update of it skip locked
            ))
            returning due_at, event_ats, app_ids, hashes
        )
        insert into pending (due_at, event_at, app_id, hash)
        select gone.due_at, one.event_at, one.app_id, one.hash
        from gone cross join lateral unnest(event_ats, app_ids, hashes) one (event_at, app_id, hash)
        "#,
        &due,
        &seqs,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Settles a claimed delivery without recording anything from it, under the event's name.
pub async fn ignore(conn: &mut PgConnection, ignored: &[(DeliveryKey, String)]) -> sqlx::Result<()> {
    if ignored.is_empty() {
        return Ok(());
    }
    let (times, apps, hashes) = columns(ignored.iter().map(|(key, _)| key));
    let names: Vec<_> = ignored.iter().map(|(_, name)| name.clone()).collect();
    sqlx::query!(
        r#"
        insert into ignored (event_at, app_id, hash, name)
        select * from unnest($1::timestamptz[], $2::integer[], $3::bytea[], $4::text[])
        on conflict do nothing
        "#,
        &times,
        &apps,
        &hashes,
        &names,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a claimed delivery back, to be tried again after `pause`, by the database's clock.
pub async fn postpone(conn: &mut PgConnection, key: &DeliveryKey, attempts: i16, pause: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into pending (due_at, event_at, app_id, attempts, hash)
        values (clock_timestamp() + make_interval(secs => $1), $2, $3, $4, $5)
        "#,
        pause.as_secs_f64(),
        key.event_at,
        key.app_id,
        attempts,
        &key.hash[..],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Parks a claimed delivery for a person, with the reason in words.
pub async fn park(conn: &mut PgConnection, key: &DeliveryKey, attempts: i16, reason: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into parked (event_at, app_id, hash, attempts, reason) values ($1, $2, $3, $4, $5)
        on conflict on constraint parked_key
        do update set attempts = excluded.attempts, reason = excluded.reason, parked_at = now()
        "#,
        key.event_at,
        key.app_id,
        &key.hash[..],
        attempts,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Queues a stored delivery again, whatever its state. Recording it twice changes no contact, record or handover, but
/// marks its tasks once more. `false` if there is no such delivery.
pub async fn replay(conn: &mut PgConnection, key: &DeliveryKey) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        r#"
        with unparked as (
            delete from parked where event_at = $1 and app_id = $2 and hash = $3
        ),
        unignored as (
            delete from ignored where event_at = $1 and app_id = $2 and hash = $3
        )
        insert into pending (event_at, app_id, hash)
        select event_at, app_id, hash from inbox
        -- One that was erased holds nothing to be recorded.
        where event_at = $1 and app_id = $2 and hash = $3 and (plaintext <> '' or hash = sha256(''))
        "#,
        key.event_at,
        key.app_id,
        &key.hash[..],
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Depths are counted up to this number: a greater one makes no difference, and counting it would take too long.
pub const DEPTH_MAX: i64 = 100_000;

/// How many deliveries wait to be recorded, and how many are parked, each counted up to [`DEPTH_MAX`].
pub async fn depth(conn: &mut PgConnection) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        select
            least($1, (select count(*) from (select from pending limit $1) it)
                + (select coalesce(sum(size), 0) from (select size from pending_group limit $1 / 2) it))::bigint as "pending!",
            (select count(*) from (select from parked limit $1) it) as "parked!"
        "#,
        DEPTH_MAX,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.pending, row.parked))
}

/// For how many seconds the oldest due delivery has waited to be recorded; 0 if none is due.
pub async fn overdue_s(conn: &mut PgConnection) -> sqlx::Result<f64> {
    sqlx::query_scalar!(
        r#"
        select coalesce((
            select extract(epoch from clock_timestamp() - least(
                (select due_at from pending where due_at <= now() order by due_at limit 1),
                (select due_at from pending_group where due_at <= now() order by due_at limit 1)
            ))::float8
        ), 0) as "age!"
        "#
    )
    .fetch_one(conn)
    .await
}

/// The database's time, and whether it accepts writes.
pub async fn database_standing(conn: &mut PgConnection) -> sqlx::Result<(DateTime<Utc>, bool)> {
    let row = sqlx::query!(
        r#"select clock_timestamp() as "now!", current_setting('transaction_read_only') = 'off' as "writable!""#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.now, row.writable))
}

pub(super) fn origin(number: i16) -> sqlx::Result<Origin> {
    let unknown =
        || sqlx::Error::Decode(format!("inbox.origin holds {number}, which this version does not know").into());
    Origin::of(number).ok_or_else(unknown)
}

pub(super) fn key(event_at: DateTime<Utc>, app_id: i32, hash: &[u8]) -> sqlx::Result<DeliveryKey> {
    let hash = hash.try_into().map_err(|_| sqlx::Error::Decode("a hash in the inbox is not 32 bytes long".into()))?;
    Ok(DeliveryKey { event_at, app_id, hash })
}

pub(super) fn columns<'a>(keys: impl Iterator<Item = &'a DeliveryKey>) -> (Vec<DateTime<Utc>>, Vec<i32>, Vec<Vec<u8>>) {
    let (mut times, mut apps, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        times.push(key.event_at);
        apps.push(key.app_id);
        hashes.push(key.hash.to_vec());
    }
    (times, apps, hashes)
}
