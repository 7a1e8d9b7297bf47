//! `handover_successor`: each successor's share of a plan, whether they were notified, and whether they agree.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::UserId;
use crate::tables::access::own::Own;

/// A successor, as they stand.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Successor {
    /// The member.
    pub wechat_userid: UserId,
    /// The staff member.
    pub staff_id: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// How many items wait for the submission.
    pub planned: i64,
    /// How many customers they are or were given.
    pub customers: i64,
    /// How many work orders.
    pub orders: i64,
    /// How many groups.
    pub groups: i64,
    /// How many open sessions of 微信客服.
    pub sessions: i64,
    /// How many of all those they have.
    pub done: i64,
    /// When they were told.
    pub notified_at: Option<DateTime<Utc>>,
    /// When they, or somebody for them, answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// Whether they agree.
    pub accepted: Option<bool>,
    /// Who wrote the answer down.
    pub answered_by: Option<String>,
    /// What they said.
    pub note: Option<String>,
}

/// A successor's share, for the notification.
#[derive(Debug, Clone)]
pub struct Part {
    /// The member.
    pub wechat_userid: UserId,
    /// The staff member.
    pub staff_id: Option<String>,
    /// Whether they were notified of it before.
    pub notified: bool,
    /// How many customers.
    pub customers: i64,
    /// How many work orders.
    pub orders: i64,
    /// How many groups.
    pub groups: i64,
    /// How many open sessions of 微信客服.
    pub sessions: i64,
    /// The first customers' names.
    pub names: Vec<String>,
}

/// Keeps a row for each successor of the current plan. Notifications and answers are cleared.
pub async fn follow_plan(conn: &mut PgConnection, handover: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from handover_successor own
        where handover_id = $1 and not exists (
            select from handover_item item
            where item.handover_id = $1 and item.successor_userid = own.wechat_userid
        )
        "#,
        handover,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        insert into handover_successor (handover_id, wechat_userid, staff_id)
        select $1, successor_userid, max(successor_staff_id)
        from handover_item
        where handover_id = $1 and state = 'planned' and successor_userid is not null
        group by successor_userid
        order by successor_userid
        on conflict on constraint handover_successor_key do update set
            staff_id = excluded.staff_id, notified_at = null, answered_at = null, accepted = null, answered_by = null,
            note = null
        "#,
        handover,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The successors of a handover with their shares; each subject's last round counts.
pub async fn successors(conn: &mut PgConnection, own: Option<&Own>, handover: i64) -> sqlx::Result<Vec<Successor>> {
    let (_, own_staff) = Own::parts(own);
    sqlx::query_as!(
        Successor,
        r#"
        with last as materialized (
            select distinct on (kind, subject) kind, state, successor_userid from handover_item
            where handover_id = $1
            order by kind, subject, round desc
        )
        select own.wechat_userid as "wechat_userid: UserId", own.staff_id,
            (
                select wechat_name from staff_wechat_bind bind
                join handover on handover.id = $1 and handover.corpid = bind.corpid
                where bind.wechat_userid = own.wechat_userid
                order by bound_at desc
                limit 1
            ) as name,
            count(*) filter (where last.state = 'planned') as "planned!",
            count(*) filter (where last.kind = 'customer') as "customers!",
            count(*) filter (where last.kind = 'order') as "orders!",
            count(*) filter (where last.kind = 'group') as "groups!",
            count(*) filter (where last.kind = 'session') as "sessions!",
            count(*) filter (where last.state = 'done') as "done!",
            own.notified_at, own.answered_at, own.accepted, own.answered_by, own.note
        from handover_successor own
        left join last on last.successor_userid = own.wechat_userid
        where own.handover_id = $1 and ($2::text is null or own.staff_id = $2)
        group by own.handover_id, own.wechat_userid
        order by own.wechat_userid
        "#,
        handover,
        own_staff,
    )
    .fetch_all(conn)
    .await
}

/// Each successor's share once the plan is submitted.
pub async fn parts(conn: &mut PgConnection, handover: i64, names: i32) -> sqlx::Result<Vec<Part>> {
    sqlx::query_as!(
        Part,
        r#"
        select own.wechat_userid as "wechat_userid: UserId", own.staff_id, own.notified_at is not null as "notified!",
            count(*) filter (where item.kind = 'customer') as "customers!",
            count(*) filter (where item.kind = 'order') as "orders!",
            count(*) filter (where item.kind = 'group') as "groups!",
            count(*) filter (where item.kind = 'session') as "sessions!",
            coalesce(
                (array_agg(coalesce(nullif(contact.remark, ''), contact.nickname) order by item.id)
                    filter (where coalesce(nullif(contact.remark, ''), contact.nickname) is not null))[1:$2],
                '{}'
            ) as "names!"
        from handover_successor own
        join handover on handover.id = own.handover_id
        join handover_item item
            on item.handover_id = own.handover_id and item.successor_userid = own.wechat_userid
            and item.state = 'planned'
        left join lateral (
            select contact.remark, contact.nickname from customer_wechat_contact contact
            where contact.corpid = handover.corpid and contact.external_userid = item.subject collate "default"
                and contact.wechat_userid is not distinct from handover.wechat_userid
            offset 0
        ) contact on item.kind = 'customer'
        where own.handover_id = $1
        group by own.handover_id, own.wechat_userid
        order by own.wechat_userid
        "#,
        handover,
        names,
    )
    .fetch_all(conn)
    .await
}

/// Records that these successors were notified just now.
pub async fn told(conn: &mut PgConnection, handover: i64, users: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        "update handover_successor set notified_at = now() where handover_id = $1 and wechat_userid = any($2)",
        handover,
        users,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("update handover set notified_at = now() where id = $1", handover).execute(conn).await?;
    Ok(())
}

/// Records a successor's answer; returns the member, or none if they are no successor here.
pub async fn answered(
    conn: &mut PgConnection,
    handover: i64,
    staff_id: &str,
    accepted: bool,
    who: &str,
    note: Option<&str>,
) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar!(
        r#"
        update handover_successor
        set accepted = $3, answered_at = now(), answered_by = $4, note = $5
        where handover_id = $1 and staff_id = $2
        returning wechat_userid as "user: UserId"
        "#,
        handover,
        staff_id,
        accepted,
        who,
        note,
    )
    .fetch_optional(conn)
    .await
}

/// How many successors of planned items have not agreed.
pub async fn not_agreed(conn: &mut PgConnection, handover: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(distinct item.successor_userid) as "count!"
        from handover_item item
        left join handover_successor own
            on own.handover_id = item.handover_id and own.wechat_userid = item.successor_userid
        where item.handover_id = $1 and item.state = 'planned' and own.accepted is not true
        "#,
        handover,
    )
    .fetch_one(conn)
    .await
}

/// Whether a staff member is a successor of a handover of their corp.
pub async fn succeeds(conn: &mut PgConnection, own: &Own, handover: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from handover_successor successor
            join handover on handover.id = successor.handover_id
            where handover.id = $1 and corpid = $2 and successor.staff_id = $3
        ) as "succeeds!"
        "#,
        handover,
        own.corpid.as_str(),
        own.staff_id.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// The items planned for a member.
pub async fn planned_for(conn: &mut PgConnection, handover: i64, user: &UserId) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select id from handover_item
        where handover_id = $1 and successor_userid = $2 and state = 'planned'
        order by id
        "#,
        handover,
        user.as_str(),
    )
    .fetch_all(conn)
    .await
}
