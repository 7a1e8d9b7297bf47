//! Lists the deliveries in the inbox with their times and states.

use std::ops::Range;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection, Postgres, QueryBuilder};

use super::{
    claim::{columns, key, origin},
    stretch::{self, EARLIEST, LATEST},
};
use crate::{
    ids::DeliveryKey,
    states::{DeliveryState, Origin},
};

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only those of the app with this name.
    pub app: Option<String>,
    /// Only those listed after this one.
    pub after: Option<DeliveryKey>,
}

/// A delivery in a list.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Delivery")]
pub struct DeliveryRow {
    /// `app-seconds-hash`.
    pub id: String,
    /// The app's name.
    pub app: String,
    /// The event's own time.
    pub event_at: DateTime<Utc>,
    /// When we stored it.
    pub received_at: DateTime<Utc>,
    /// How large the plaintext is.
    pub plaintext_bytes: i32,
    /// How it stands.
    pub state: DeliveryState,
    /// How often recording it failed, while pending or parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i16>,
    /// When it is tried again, while pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Why it is parked, or the event's name if it is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A delivery with its plaintext.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "DeliveryWithPlaintext")]
pub struct DeliveryView {
    /// The list's fields.
    #[serde(flatten)]
    pub listed: DeliveryRow,
    /// The plaintext, as text; bytes that are not UTF-8 are replaced.
    pub plaintext: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    event_at: DateTime<Utc>,
    app_id: i32,
    hash: Vec<u8>,
    app: String,
    received_at: DateTime<Utc>,
    plaintext_bytes: i32,
    attempts: Option<i16>,
    due_at: Option<DateTime<Utc>>,
    parked_reason: Option<String>,
    ignored_name: Option<String>,
}

/// Up to `limit` deliveries, latest event first.
pub async fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<DeliveryRow>> {
    let mut keys = Vec::new();
    if let Some(DeliveryState::Pending | DeliveryState::Parked | DeliveryState::Ignored) = filter.state {
        keys = page(conn, filter, None, limit).await?;
    } else {
        let until = filter.after.as_ref().map_or(LATEST, |it| it.event_at);
        for days in stretch::all(conn, EARLIEST, until).await?.into_iter().rev() {
            let missing = limit.saturating_sub(i64::try_from(keys.len()).unwrap_or(i64::MAX));
            if missing == 0 {
                break;
            }
            // Rolled back at the end, so that the locks on the partitions are released.
            let mut reading = conn.begin().await?;
            keys.extend(page(&mut reading, filter, Some(days), missing).await?);
            reading.rollback().await?;
        }
    }
    let mut found = Vec::with_capacity(keys.len());
    for keys in keys.chunks(DETAILS_MAX) {
        let mut reading = conn.begin().await?;
        found.extend(details(&mut reading, keys).await?);
        reading.rollback().await?;
    }
    Ok(found)
}

/// For how many deliveries the details are read at once: in the worst case each is of another day.
const DETAILS_MAX: usize = 16;

/// The keys of a list's page, limited to these days.
async fn page(
    conn: &mut PgConnection,
    filter: &Filter,
    days: Option<Range<DateTime<Utc>>>,
    limit: i64,
) -> sqlx::Result<Vec<DeliveryKey>> {
    let mut page: QueryBuilder<Postgres> = QueryBuilder::new("select event_at, app_id, hash from ");
    page.push(match filter.state {
        None | Some(DeliveryState::Recorded | DeliveryState::Erased) => "inbox",
        Some(DeliveryState::Pending) => "pending_delivery",
        Some(DeliveryState::Parked) => "parked",
        Some(DeliveryState::Ignored) => "ignored",
    });
    page.push(" source where true");
    if let Some(days) = days {
        page.push(" and event_at >= ").push_bind(days.start).push(" and event_at < ").push_bind(days.end);
    }
    if filter.state == Some(DeliveryState::Erased) {
        page.push(" and plaintext = '' and hash <> sha256('')");
    }
    if filter.state == Some(DeliveryState::Recorded) {
        page.push(" and (plaintext <> '' or hash = sha256(''))");
        for table in ["pending_delivery", "parked", "ignored"] {
            page.push(" and not exists (select from ").push(table);
            page.push(" it where (it.event_at, it.app_id, it.hash) = (source.event_at, source.app_id, source.hash))");
        }
    }
    if let Some(app) = &filter.app {
        page.push(" and app_id = (select id from enterprise_wechat_config where name = ")
            .push_bind(app.clone())
            .push(")");
    }
    if let Some(after) = &filter.after {
        page.push(" and (event_at, hash, app_id) < (").push_bind(after.event_at).push(", ");
        page.push_bind(after.hash.to_vec()).push(", ").push_bind(after.app_id).push(")");
    }
    page.push(" order by event_at desc, hash desc, app_id desc limit ").push_bind(limit);
    let rows: Vec<(DateTime<Utc>, i32, Vec<u8>)> = page.build_query_as().persistent(false).fetch_all(conn).await?;
    rows.into_iter().map(|(event_at, app_id, hash)| key(event_at, app_id, &hash)).collect()
}

/// The list's columns for these deliveries, latest event first.
async fn details(conn: &mut PgConnection, keys: &[DeliveryKey]) -> sqlx::Result<Vec<DeliveryRow>> {
    let (times, apps, hashes) = columns(keys.iter());
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new(DETAILS);
    query.push(" from unnest(").push_bind(times.clone()).push("::timestamptz[], ").push_bind(apps);
    query.push("::integer[], ").push_bind(hashes).push("::bytea[]) page (event_at, app_id, hash) ");
    query.push("join inbox using (event_at, app_id, hash) ").push(STANDING);
    // The times are repeated as a constant, from which PostgreSQL derives the partitions to lock.
    query.push(" where inbox.event_at = any(").push_bind(times).push("::timestamptz[])");
    query.push(" order by event_at desc, hash desc, app_id desc");
    let rows: Vec<Row> = query.build_query_as().persistent(false).fetch_all(conn).await?;
    rows.into_iter().map(listed).collect()
}

/// One delivery with its plaintext.
pub async fn show(conn: &mut PgConnection, wanted: &DeliveryKey) -> sqlx::Result<Option<DeliveryView>> {
    let Some(listed) = details(conn, std::slice::from_ref(wanted)).await?.pop() else { return Ok(None) };
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new("select plaintext from inbox where event_at = ");
    query.push_bind(wanted.event_at).push(" and hash = ").push_bind(wanted.hash.to_vec());
    query.push(" and app_id = ").push_bind(wanted.app_id);
    let plaintext: Vec<u8> = query.build_query_scalar().persistent(false).fetch_one(conn).await?;
    Ok(Some(DeliveryView { listed, plaintext: String::from_utf8_lossy(&plaintext).into_owned() }))
}

/// How many of these keys are in the inbox; checks that no answered callback was lost.
pub async fn count_stored(conn: &mut PgConnection, keys: &[DeliveryKey]) -> sqlx::Result<i64> {
    let times: Vec<_> = keys.iter().map(|it| it.event_at).collect();
    let apps: Vec<_> = keys.iter().map(|it| it.app_id).collect();
    let hashes: Vec<_> = keys.iter().map(|it| it.hash.to_vec()).collect();
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from (
            select distinct event_at, app_id, hash
            from unnest($1::timestamptz[], $2::integer[], $3::bytea[]) given (event_at, app_id, hash)
        ) wanted
        join inbox using (event_at, app_id, hash)
        "#,
        &times,
        &apps,
        &hashes,
    )
    .fetch_one(conn)
    .await
}

/// When this plaintext was first stored, through any app.
pub async fn received_at(
    conn: &mut PgConnection,
    event_at: DateTime<Utc>,
    hash: &[u8],
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new("select min(received_at) from inbox where event_at = ");
    query.push_bind(event_at).push(" and hash = ").push_bind(hash.to_vec());
    query.build_query_scalar().persistent(false).fetch_one(conn).await
}

/// How many deliveries [`latest_of`] looks through: it must not read the whole inbox for an app that never received
/// anything.
const LATEST_MAX: i64 = 10_000;

/// When the latest delivery of an app was received; `None` if there is none among the latest 10,000 of all apps.
pub async fn latest_of(conn: &mut PgConnection, app_id: i32) -> sqlx::Result<Option<DateTime<Utc>>> {
    let (mut left, mut latest) = (LATEST_MAX, None);
    for days in stretch::all(conn, EARLIEST, LATEST).await?.into_iter().rev() {
        if left <= 0 {
            break;
        }
        let mut reading = conn.begin().await?;
        let row = sqlx::query!(
            r#"
            select count(*) as "seen!", max(received_at) filter (where app_id = $1) as latest
            from (
                select app_id, received_at from inbox
                where event_at >= $2 and event_at < $3
                order by event_at desc, hash desc, app_id desc
                limit $4
            ) stretch
            "#,
            app_id,
            days.start,
            days.end,
            left,
        )
        .fetch_one(&mut *reading)
        .await?;
        reading.rollback().await?;
        left -= row.seen;
        latest = latest.max(row.latest);
    }
    Ok(latest)
}

/// How many deliveries the inbox holds.
pub async fn count(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from inbox"#).fetch_one(conn).await
}

/// The plaintexts of all recorded deliveries with their origins, read at once: for small inboxes only.
pub async fn recorded_plaintexts(conn: &mut PgConnection) -> sqlx::Result<Vec<(Vec<u8>, Origin)>> {
    let rows = sqlx::query!(
        r#"
        select plaintext, origin from inbox
        where plaintext <> '' and not exists (select from pending_delivery it where (it.event_at, it.app_id, it.hash) = (inbox.event_at, inbox.app_id, inbox.hash))
            and not exists (select from parked it where (it.event_at, it.app_id, it.hash) = (inbox.event_at, inbox.app_id, inbox.hash))
            and not exists (select from ignored it where (it.event_at, it.app_id, it.hash) = (inbox.event_at, inbox.app_id, inbox.hash))
        "#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((row.plaintext, origin(row.origin)?))).collect()
}

/// The columns of a listed delivery.
const DETAILS: &str = "select event_at, app_id, hash, config.name as app, received_at, \
    octet_length(plaintext) as plaintext_bytes, coalesce(waiting.attempts, parked.attempts) as attempts, \
    waiting.due_at, parked.reason as parked_reason, ignored.name as ignored_name";

/// Joins that tell a delivery's state. A replayed delivery may be queued twice: the earlier row counts.
const STANDING: &str = "join enterprise_wechat_config config on config.id = app_id \
    left join lateral ( \
        select attempts, due_at from pending where pending.event_at = inbox.event_at and pending.app_id = inbox.app_id \
            and pending.hash = inbox.hash \
        union all \
        select 0::smallint, due_at from pending_group \
        where inbox.event_at between earliest and latest and (inbox.event_at, inbox.app_id, inbox.hash) in \
            (select event_at, app_id, hash from unnest(event_ats, app_ids, hashes) it (event_at, app_id, hash)) \
        order by due_at limit 1 \
    ) waiting on true \
    left join parked using (event_at, app_id, hash) \
    left join ignored using (event_at, app_id, hash)";

fn listed(row: Row) -> sqlx::Result<DeliveryRow> {
    let state = match (&row.due_at, &row.parked_reason, &row.ignored_name) {
        (Some(_), ..) => DeliveryState::Pending,
        (_, Some(_), _) => DeliveryState::Parked,
        (.., Some(_)) => DeliveryState::Ignored,
        // A delivery that arrived empty cannot be recorded and is parked, so an empty one here was erased.
        _ if row.plaintext_bytes == 0 => DeliveryState::Erased,
        _ => DeliveryState::Recorded,
    };
    Ok(DeliveryRow {
        id: key(row.event_at, row.app_id, &row.hash)?.to_string(),
        app: row.app,
        event_at: row.event_at,
        received_at: row.received_at,
        plaintext_bytes: row.plaintext_bytes,
        state,
        attempts: row.attempts,
        due_at: row.due_at,
        reason: row.parked_reason.or(row.ignored_name),
    })
}
