//! Callbacks about handovers in progress: hints that wake the driver, which then asks WeCom itself.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sqlx::PgConnection;

use super::super::{now, task};
use crate::{
    changes::{Changes, TaskKind},
    ids::{CorpId, ExternalUserId},
};

/// A thousand customers may be taken over within a minute: the driver then looks once for many of them.
const WAKE_DELAY: TimeDelta = TimeDelta::seconds(2);

/// An item that an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The item.
    pub item: i64,
    /// `customer_refused`, `customer_limit_exceed`, or a reason that WeCom adds later.
    pub reason: String,
}

/// Stores the transfer failures that callbacks reported.
pub async fn note_fails(conn: &mut PgConnection, changes: &Changes) -> sqlx::Result<()> {
    if changes.transfer_fails.is_empty() {
        return Ok(());
    }
    let fails = || changes.transfer_fails.iter();
    let corps: Vec<_> = fails().map(|it| it.corpid.0.clone()).collect();
    let users: Vec<_> = fails().map(|it| it.user.0.clone()).collect();
    let customers: Vec<_> = fails().map(|it| it.customer.0.clone()).collect();
    let times: Vec<_> = fails().map(|it| it.at).collect();
    let reasons: Vec<_> = fails().map(|it| it.reason.clone()).collect();
    sqlx::query!(
        r#"
        insert into transfer_fail (corpid, wechat_userid, external_userid, at, reason)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
        on conflict do nothing
        "#,
        &corps,
        &users,
        &customers,
        &times,
        &reasons,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The handovers that wait for one of these events: a customer who was taken over, or whose transfer failed.
pub async fn hinted(conn: &mut PgConnection, changes: &Changes) -> sqlx::Result<Vec<i64>> {
    let came = changes.contacts.iter().filter(|(_, it)| it.status.is_some() || it.card.is_some());
    let came = came.map(|((corp, customer, _), _)| (corp, customer));
    let failed = changes.transfer_fails.iter().map(|it| (&it.corpid, &it.customer));
    let touched: BTreeSet<(&CorpId, &ExternalUserId)> = came.chain(failed).collect();
    if touched.is_empty() {
        return Ok(Vec::new());
    }
    let (corps, customers): (Vec<_>, Vec<_>) =
        touched.into_iter().map(|(corp, customer)| (corp.0.clone(), customer.0.clone())).unzip();
    sqlx::query_scalar!(
        r#"
        select distinct item.handover_id as "handover_id!"
        from unnest($1::text[], $2::text[]) touched (corpid, subject)
        cross join lateral (
            select handover_id, state from handover_item where handover_item.subject = touched.subject offset 0
        ) item
        join handover on handover.id = item.handover_id and handover.corpid is not distinct from touched.corpid
        where item.state in ('calling', 'waiting', 'overdue')
        order by item.handover_id
        "#,
        &corps,
        &customers,
    )
    .fetch_all(conn)
    .await
}

/// The waiting items of a handover that an event reported as failed after they were last submitted.
pub async fn fails(conn: &mut PgConnection, handover: i64) -> sqlx::Result<Vec<Failed>> {
    sqlx::query_as!(
        Failed,
        r#"
        select distinct on (item.id) item.id as "item!", fail.reason as "reason!"
        from handover
        cross join lateral (
            select * from handover_item where handover_id = handover.id and kind = 'customer' offset 0
        ) item
        join handover_call call on call.id = item.call_id
        -- Every id that the successor ever went by.
        cross join lateral (
            select alias from member_alias
            where wechat_userid = item.successor_userid and corpid is not distinct from handover.corpid
            union all
            select item.successor_userid
            where not exists (
                select from member_alias where corpid = handover.corpid and alias = item.successor_userid offset 0
            )
        ) named
        cross join lateral (
            select at, reason from transfer_fail
            where corpid = handover.corpid and wechat_userid = named.alias
                and external_userid = item.subject collate "default"
            offset 0
        ) fail
        where handover.id = $1 and item.state in ('calling', 'waiting', 'overdue')
            -- WeCom's clock counts whole seconds.
            and fail.at >= date_trunc('second', call.attempted_at)
        order by item.id, fail.at desc, fail.reason
        "#,
        handover,
    )
    .fetch_all(conn)
    .await
}

/// Makes the drivers of these handovers run soon.
pub async fn wake(conn: &mut PgConnection, handovers: &BTreeSet<i64>) -> sqlx::Result<()> {
    if handovers.is_empty() {
        return Ok(());
    }
    let handovers = Vec::from_iter(handovers.iter().copied());
    let rows = sqlx::query!(
        r#"
        select handover.id, corpid as "corpid: CorpId",
            (
                select id from enterprise_wechat_config app where app.corpid = handover.corpid order by id limit 1
            ) as app_id
        from handover
        where id = any($1)
        order by corpid, id::text collate "C"
        "#,
        &handovers,
    )
    .fetch_all(&mut *conn)
    .await?;
    let due_at = now(conn).await? + WAKE_DELAY;
    for row in rows {
        let subject = row.id.to_string();
        task::hasten(conn, &row.corpid, TaskKind::Handover, &subject, row.app_id.unwrap_or_default(), due_at).await?;
    }
    Ok(())
}
