//! Derives a leaver's handover from the directory and the contacts, until somebody plans it.

use sqlx::PgConnection;

use crate::ids::{CorpId, UserId};

/// Derives the handovers of these members again, with one item for each customer they are still in contact with.
///
/// A member who joined after they left has been reinstated: their handover is cancelled. A handover that somebody has
/// planned keeps its items; it is returned, so that its driver can find out what changed.
pub async fn derive(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<Vec<i64>> {
    let untouched = sqlx::query_scalar!(
        r#"
        with derived as (
            insert into handover as own (corpid, wechat_userid, staff_id, state, left_at, cancelled_at)
            select
                member.corpid, member.wechat_userid,
                (
                    select staff_id from staff_wechat_bind bind
                    where bind.corpid = member.corpid and bind.wechat_userid = member.wechat_userid
                    order by bound_at desc, staff_id desc
                    limit 1
                ),
                case when joined_at > left_at then 'cancelled' else 'detected' end,
                left_at,
                case when joined_at > left_at then joined_at end
            from (
                select distinct corpid, wechat_userid from unnest($1::text[], $2::text[]) it (corpid, wechat_userid)
            ) touched
            join member using (corpid, wechat_userid)
            where left_at is not null
                and not exists (
                    select from handover done
                    where done.corpid = member.corpid
                        and done.wechat_userid = member.wechat_userid
                        and done.cause <> 'transfer'
                        and done.state = 'done'
                        and done.left_at >= member.left_at
                )
            order by member.corpid, member.wechat_userid
            on conflict (wechat_userid, corpid) where cause <> 'transfer' and state <> 'done'
            do update set
                left_at = excluded.left_at,
                staff_id = excluded.staff_id,
                -- Called off by a person, it stays so until they leave once more.
                state = case
                    when own.state not in ('detected', 'cancelled') then own.state
                    when own.cancelled_by is not null and own.left_at >= excluded.left_at then own.state
                    else excluded.state
                end,
                cancelled_at = case
                    when own.cancelled_by is not null and own.left_at >= excluded.left_at then own.cancelled_at
                    else excluded.cancelled_at
                end,
                cancelled_by = case when own.left_at >= excluded.left_at then own.cancelled_by end
            returning id, state, cause
        )
        select id as "id!" from derived where state in ('detected', 'cancelled') and cause = 'left'
        "#,
        corps,
        users,
    )
    .fetch_all(&mut *conn)
    .await?;
    if !untouched.is_empty() {
        follow_contacts(conn, &untouched).await?;
    }
    planned_of(conn, corps, users).await
}

/// The handovers of these members that somebody has planned, or ordered.
async fn planned_of(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select id from handover
        join (
            select distinct corpid, wechat_userid from unnest($1::text[], $2::text[]) it (corpid, wechat_userid)
        ) touched using (wechat_userid, corpid)
        where cause <> 'transfer' and (state not in ('detected', 'cancelled') or cause <> 'left')
        order by id
        "#,
        corps,
        users,
    )
    .fetch_all(conn)
    .await
}

/// Keeps one open item for each current contact, and none for the others.
async fn follow_contacts(conn: &mut PgConnection, handovers: &[i64]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from handover_item
        where id = any(array(
            select item.id
            from handover
            cross join lateral (
                select id, subject from handover_item
                where handover_id = handover.id and kind = 'customer' and state = 'open'
                offset 0
            ) item
            cross join lateral (
                select status from customer_wechat_contact contact
                where contact.corpid = handover.corpid and contact.external_userid = item.subject collate "default"
                    and contact.wechat_userid is not distinct from handover.wechat_userid
                offset 0
            ) contact
            where handover.id = any($1) and contact.status not in ('assumed', 'contacted')
        ))
            and state = 'open'
        "#,
        handovers,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        insert into handover_item (handover_id, kind, subject)
        select handover.id, 'customer', contact.external_userid
        from handover
        join customer_wechat_contact contact
            on contact.wechat_userid = handover.wechat_userid and contact.corpid is not distinct from handover.corpid
        where handover.id = any($1) and contact.status in ('assumed', 'contacted')
        order by handover.id, contact.external_userid
        on conflict do nothing
        "#,
        handovers,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A member's userid changed: derived handovers are derived again under the new one; planned ones continue under the
/// new one, as leaver's and as successor's.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from handover
        where corpid = $1 and wechat_userid = $2 and cause = 'left' and state in ('detected', 'cancelled')
            -- A person's decision stays.
            and cancelled_by is null
        "#,
        corpid.as_str(),
        from.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        update handover old set wechat_userid = $3
        where corpid = $1 and wechat_userid = $2
            and (
                cause = 'transfer'
                or state = 'done'
                or not exists (
                    select from handover other
                    where other.corpid = $1 and other.wechat_userid = $3 and other.cause <> 'transfer' and other.state <> 'done'
                )
            )
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        update handover_item item set successor_userid = $3
        where item.successor_userid = $2
            and exists (select from handover where handover.id = item.handover_id and handover.corpid = $1 offset 0)
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        update handover_successor told set wechat_userid = $3
        where told.wechat_userid = $2
            and exists (select from handover where handover.id = told.handover_id and handover.corpid = $1 offset 0)
            and not exists (
                select from handover_successor other
                where other.handover_id = told.handover_id and other.wechat_userid is not distinct from $3
                offset 0
            )
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
