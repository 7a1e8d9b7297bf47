//! `handover` and `handover_item`: a leaver's customers, as the directory and the contacts tell.
//!
//! Until somebody plans it, a handover follows from the tables alone, so it is derived again whenever a leaver or
//! one of their contacts changes, and comes out the same in any order.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::{CorpId, UserId};

/// Derives the handovers of these members again, with one item for each customer they are still in contact with.
///
/// A member who was said to join after they were said to leave has been reinstated: their handover is cancelled.
pub async fn derive(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<()> {
    let open = sqlx::query_scalar!(
        r#"
        insert into handover as own (corpid, wechat_userid, staff_id, state, left_at)
        select
            member.corpid, member.wechat_userid,
            (
                select staff_id from staff_wechat_bind bind
                where bind.corpid = member.corpid and bind.wechat_userid = member.wechat_userid
                order by bound_at desc, staff_id desc
                limit 1
            ),
            case when joined_at > left_at then 'cancelled' else 'detected' end,
            left_at
        from (
            select distinct corpid, wechat_userid from unnest($1::text[], $2::text[]) it (corpid, wechat_userid)
        ) touched
        join member using (corpid, wechat_userid)
        where left_at is not null
            and not exists (
                select from handover done
                where done.corpid = member.corpid
                    and done.wechat_userid = member.wechat_userid
                    and done.state = 'done'
                    and done.left_at >= member.left_at
            )
        order by member.corpid, member.wechat_userid
        on conflict (corpid, wechat_userid) where state <> 'done'
        do update set state = excluded.state, left_at = excluded.left_at, staff_id = excluded.staff_id
        returning id
        "#,
        corps,
        users,
    )
    .fetch_all(&mut *conn)
    .await?;
    if open.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        delete from handover_item item
        using handover, customer_wechat_contact contact
        where item.handover_id = any($1)
            and handover.id = item.handover_id
            and contact.corpid = handover.corpid
            and contact.wechat_userid = handover.wechat_userid
            and contact.external_userid = item.external_userid
            and contact.status not in ('assumed', 'contacted')
        "#,
        &open,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        insert into handover_item (handover_id, external_userid)
        select handover.id, contact.external_userid
        from handover
        join customer_wechat_contact contact using (corpid, wechat_userid)
        where handover.id = any($1) and contact.status in ('assumed', 'contacted')
        on conflict do nothing
        "#,
        &open,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A member goes by another userid now: what was derived under the old one is derived again under the new one.
pub async fn forget(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from handover where corpid = $1 and wechat_userid = $2 and state in ('detected', 'cancelled')",
        corpid.as_str(),
        user.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A handover in a list.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The handover's number.
    pub id: i64,
    /// The corp.
    pub corpid: String,
    /// The leaver, as WeCom names them.
    pub wechat_userid: String,
    /// The leaver, as the business names them.
    pub staff_id: Option<String>,
    /// detected, cancelled or done.
    pub state: String,
    /// When they left, by the event's own time.
    pub left_at: DateTime<Utc>,
    /// How many customers are in it.
    pub items: i64,
}

/// Up to `limit` handovers, latest first.
pub async fn list(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        r#"
        select id, corpid, wechat_userid, staff_id, state, left_at,
            (select count(*) from handover_item where handover_id = handover.id) as "items!"
        from handover
        order by left_at desc, id desc
        limit $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .await
}
