//! Collects a handover's items: the leaver's contacts, work orders and groups; and finds those that are no longer
//! theirs.

use sqlx::PgConnection;

/// Adds the leaver's current contacts that the handover lacks, as open items. A contact that was gone or cancelled
/// and is back gets another round. Returns how many were added.
pub async fn collect_contacts(conn: &mut PgConnection, handover: i64) -> sqlx::Result<u64> {
    let result = sqlx::query!(
        r#"
        insert into handover_item (handover_id, kind, subject, round)
        select handover.id, 'customer', contact.external_userid, coalesce(last.round, 0) + 1
        from handover
        join customer_wechat_contact contact
            on contact.wechat_userid = handover.wechat_userid and contact.corpid is not distinct from handover.corpid
        left join lateral (
            select round, item.state from handover_item item
            where item.handover_id = $1 and item.kind = 'customer' and item.subject = contact.external_userid
            order by round desc
            limit 1
        ) last on true
        where handover.id = $1 and contact.status in ('assumed', 'contacted')
            and (last.state is null or last.state in ('gone', 'cancelled'))
        order by contact.external_userid
        on conflict do nothing
        "#,
        handover,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// The same for the leaver's work orders that are not over.
pub async fn collect_orders(conn: &mut PgConnection, handover: i64) -> sqlx::Result<u64> {
    let result = sqlx::query!(
        r#"
        insert into handover_item (handover_id, kind, subject)
        select handover.id, 'order', work_order.id::text
        from handover
        join work_order
            on work_order.staff_id = handover.staff_id and work_order.corpid is not distinct from handover.corpid
        where handover.id = $1 and work_order.state not in ('done', 'cancelled')
            and not exists (
                select from handover_item item
                where item.handover_id = $1 and item.kind = 'order' and item.subject = work_order.id::text
                offset 0
            )
        order by work_order.id
        on conflict do nothing
        "#,
        handover,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// The same for these groups of theirs.
pub async fn collect_groups(conn: &mut PgConnection, handover: i64, groups: &[String]) -> sqlx::Result<u64> {
    let result = sqlx::query!(
        r#"
        insert into handover_item (handover_id, kind, subject)
        select distinct $1::bigint, 'group', chat_id
        from unnest($2::text[]) chat_id
        where not exists (
            select from handover_item item where item.handover_id = $1 and item.kind = 'group' and item.subject = chat_id
            offset 0
        )
        order by chat_id
        on conflict do nothing
        "#,
        handover,
        groups,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// The same for the sessions of 微信客服 that the leaver has. One that was over and is theirs again gets another round.
pub async fn collect_sessions(conn: &mut PgConnection, handover: i64) -> sqlx::Result<u64> {
    let result = sqlx::query!(
        r#"
        insert into handover_item (handover_id, kind, subject, round)
        select handover.id, 'session', session.open_kfid || '/' || session.external_userid, coalesce(last.round, 0) + 1
        from handover
        join member_alias alias on alias.corpid = handover.corpid and alias.wechat_userid = handover.wechat_userid
        join kf_session session on session.servicer_userid = alias.alias and session.corpid = handover.corpid
            and session.state = 3
        left join lateral (
            select round, item.state from handover_item item
            where item.handover_id = $1 and item.kind = 'session'
                and item.subject = session.open_kfid || '/' || session.external_userid
            order by round desc
            limit 1
        ) last on true
        where handover.id = $1 and (last.state is null or last.state in ('gone', 'cancelled'))
        order by 3
        on conflict do nothing
        "#,
        handover,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// The open and planned items that the leaver can no longer hand over: contacts that ended, and orders that are over
/// or somebody else's.
pub async fn no_longer_theirs(conn: &mut PgConnection, handover: i64) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select item.id
        from handover
        join handover_item item on item.handover_id = handover.id
        where handover.id = $1 and item.state in ('open', 'planned') and case item.kind
            when 'customer' then exists (
                select from customer_wechat_contact contact
                where contact.corpid = handover.corpid and contact.external_userid = item.subject collate "default"
                    and contact.wechat_userid is not distinct from handover.wechat_userid
                    and contact.status not in ('assumed', 'contacted')
                offset 0
            )
            when 'order' then not exists (
                select from (
                    select work_order.* from work_order
                    where work_order.id = case item.kind when 'order' then item.subject::bigint end
                    offset 0
                ) work_order
                where work_order.corpid = handover.corpid and work_order.staff_id = handover.staff_id
                    and work_order.state not in ('done', 'cancelled')
            )
            when 'session' then not exists (
                select from kf_session session
                join member_alias alias on alias.corpid = session.corpid and alias.alias = session.servicer_userid
                where session.corpid = handover.corpid and session.open_kfid = split_part(item.subject, '/', 1)
                    and session.external_userid = split_part(item.subject, '/', 2)
                    and session.state = 3 and alias.wechat_userid = handover.wechat_userid
            )
            else false
        end
        order by item.id
        "#,
        handover,
    )
    .fetch_all(conn)
    .await
}
