//! Lists items page by page: of one handover, or of all transfers of customers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::Item;
use crate::states::{HandoverCause, ItemKind, ItemState};
use crate::tables::access::own::Own;

/// Which items of a handover to list.
#[derive(Debug, Default)]
pub struct ItemFilter {
    /// customer, order or group.
    pub kind: Option<ItemKind>,
    /// In this state.
    pub state: Option<ItemState>,
    /// For this staff member or member.
    pub successor: Option<String>,
    /// For this staff member, of this corp.
    pub own: Option<Own>,
}

/// Up to `limit` items after the given one, in the order of their numbers.
pub async fn items(
    conn: &mut PgConnection,
    handover: i64,
    filter: &ItemFilter,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<Item>> {
    let (_, own_staff) = Own::parts(filter.own.as_ref());
    sqlx::query_as!(
        Item,
        r#"
        select id, kind as "kind: ItemKind", subject, round, state as "state: ItemState", successor_userid,
            successor_staff_id, attempts, errcode, reason, takeover_at, submitted_at, finished_at
        from handover_item
        where handover_id = $1 and id > $2
            and ($3::text is null or kind = $3)
            and ($4::text is null or state = $4)
            and ($5::text is null or successor_staff_id = $5 or successor_userid = $5)
            and ($6::text is null or successor_staff_id = $6)
        order by id
        limit $7
        "#,
        handover,
        after,
        filter.kind.map(ItemKind::as_str),
        filter.state.map(ItemState::as_str),
        filter.successor.as_deref(),
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Which transfers to list.
#[derive(Debug, Default)]
pub struct TransferFilter {
    /// From this staff member.
    pub from: Option<String>,
    /// To this staff member.
    pub to: Option<String>,
    /// Of this customer.
    pub customer: Option<String>,
    /// In this state.
    pub state: Option<ItemState>,
    /// From then on.
    pub since: Option<DateTime<Utc>>,
    /// Before then.
    pub until: Option<DateTime<Utc>>,
    /// With a smaller number than this one.
    pub before: Option<i64>,
    /// From or to this staff member.
    pub own: Option<Own>,
}

/// A customer's way from one member to another.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Transfer {
    /// The item's number.
    pub id: i64,
    /// The handover that it belongs to.
    pub handover_id: i64,
    /// left, resignation or transfer.
    pub cause: HandoverCause,
    /// The corp.
    pub corpid: String,
    /// The customer.
    pub external_userid: String,
    /// Who handed over.
    pub from_staff_id: Option<String>,
    /// The same, as WeCom names them.
    pub from_userid: String,
    /// Who takes over.
    pub to_staff_id: Option<String>,
    /// The same, as WeCom names them.
    pub to_userid: Option<String>,
    /// Which attempt of a person to find somebody it is.
    pub round: i32,
    /// open, planned, calling, waiting, overdue, done, refused, full, gone, failed or cancelled.
    pub state: ItemState,
    /// What WeCom said.
    pub errcode: Option<i64>,
    /// That in words, or what a person said; while it is overdue, what WeCom said when it was last asked.
    pub reason: Option<String>,
    /// Who began the handover.
    pub ordered_by: String,
    /// Who let it go.
    pub submitted_by: Option<String>,
    /// When WeCom took it on; else when it ended, was let go, or became known.
    pub at: DateTime<Utc>,
    /// When WeCom will hand it over, or did.
    pub takeover_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Up to `limit` transfers, latest first.
pub async fn transfers(conn: &mut PgConnection, filter: &TransferFilter, limit: i64) -> sqlx::Result<Vec<Transfer>> {
    let (own_corp, own_staff) = Own::parts(filter.own.as_ref());
    sqlx::query_as!(
        Transfer,
        r#"
        select item.id, item.handover_id, handover.cause as "cause: HandoverCause", handover.corpid, item.subject as external_userid,
            handover.staff_id as from_staff_id, handover.wechat_userid as from_userid,
            item.successor_staff_id as to_staff_id, item.successor_userid as to_userid, item.round,
            item.state as "state: ItemState", item.errcode, item.reason, handover.ordered_by, handover.submitted_by, moment.at as "at!",
            item.takeover_at, item.finished_at
        from handover_item item
        join handover on handover.id = item.handover_id
        cross join lateral (
            select coalesce(item.submitted_at, item.finished_at, handover.submitted_at, handover.detected_at) as at
        ) moment
        where item.kind = 'customer' and item.successor_userid is not null
            and ($1::text is null or handover.staff_id = $1)
            and ($2::text is null or item.successor_staff_id = $2)
            and ($3::text is null or item.subject = $3)
            and ($4::text is null or item.state = $4)
            and ($5::timestamptz is null or moment.at >= $5)
            and ($6::timestamptz is null or moment.at < $6)
            and ($7::bigint is null or item.id < $7)
            and ($8::text is null or (
                handover.corpid = $8 and (handover.staff_id = $9 or item.successor_staff_id = $9)
            ))
        order by item.id desc
        limit $10
        "#,
        filter.from.as_deref(),
        filter.to.as_deref(),
        filter.customer.as_deref(),
        filter.state.map(ItemState::as_str),
        filter.since,
        filter.until,
        filter.before,
        own_corp,
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}
