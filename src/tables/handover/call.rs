//! `handover_call`: every call that moves something at WeCom; its row is committed before the call is made.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    ids::UserId,
    states::{CallKind, CallOutcome, TransferFlow},
};

/// A call that is about to be made.
#[derive(Debug)]
pub struct NewCall<'a> {
    /// The handover.
    pub handover: i64,
    /// customer or group.
    pub kind: CallKind,
    /// in_service or resigned.
    pub flow: TransferFlow,
    /// Who hands over.
    pub from: &'a UserId,
    /// Who takes over.
    pub to: &'a UserId,
    /// The items.
    pub items: &'a [i64],
}

/// A call.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "HandoverCall")]
pub struct Call {
    /// The call's number.
    pub id: i64,
    /// customer or group.
    pub kind: CallKind,
    /// in_service or resigned.
    pub flow: TransferFlow,
    /// Who hands over.
    pub handover_userid: UserId,
    /// Who takes over.
    pub successor_userid: UserId,
    /// How many items it was about.
    pub items: i64,
    /// When it was begun.
    pub attempted_at: DateTime<Utc>,
    /// answered, not_sent, refused or found; none while nobody knows.
    pub outcome: Option<CallOutcome>,
    /// When that became known.
    pub answered_at: Option<DateTime<Utc>>,
    /// WeCom's code for the call as a whole.
    pub errcode: Option<i64>,
}

/// Writes down that a call begins now; its items are counted and point to it.
pub async fn begin_call(conn: &mut PgConnection, new: &NewCall<'_>) -> sqlx::Result<i64> {
    let id = sqlx::query_scalar!(
        r#"
        insert into handover_call (handover_id, kind, flow, handover_userid, successor_userid, items)
        values ($1, $2, $3, $4, $5, $6)
        returning id
        "#,
        new.handover,
        new.kind.as_str(),
        new.flow.as_str(),
        new.from.as_str(),
        new.to.as_str(),
        new.items,
    )
    .fetch_one(&mut *conn)
    .await?;
    // A takeover time that was announced about an earlier call no longer applies.
    sqlx::query!(
        "update handover_item set call_id = $1, attempts = attempts + 1, takeover_at = null where id = any($2)",
        id,
        new.items,
    )
    .execute(conn)
    .await?;
    Ok(id)
}

/// Writes down how it went.
pub async fn answer(
    conn: &mut PgConnection,
    call: i64,
    outcome: CallOutcome,
    errcode: Option<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update handover_call set outcome = $2, errcode = $3, answered_at = clock_timestamp() where id = $1",
        call,
        outcome.as_str(),
        errcode,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Settles every call that was begun before `before` and whose answer was lost, once WeCom's results tell its
/// outcome.
pub async fn found_calls(conn: &mut PgConnection, handover: i64, before: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update handover_call call set outcome = 'found', answered_at = clock_timestamp()
        where handover_id = $1 and outcome is null and attempted_at < $2
            and not exists (
                select from (
                    select call_id, state from handover_item where id = any(call.items) offset 0
                ) item
                where item.call_id = call.id and item.state = 'calling'
            )
        "#,
        handover,
        before,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `limit` calls of a handover, latest first.
pub async fn calls(conn: &mut PgConnection, handover: i64, limit: i64) -> sqlx::Result<Vec<Call>> {
    sqlx::query_as!(
        Call,
        r#"
        select id, kind as "kind: CallKind", flow as "flow: TransferFlow",
            handover_userid as "handover_userid: UserId", successor_userid as "successor_userid: UserId",
            cardinality(items)::bigint as "items!", attempted_at, outcome as "outcome: CallOutcome", answered_at, errcode
        from handover_call
        where handover_id = $1
        order by id desc
        limit $2
        "#,
        handover,
        limit,
    )
    .fetch_all(conn)
    .await
}
