//! `staff_wechat_bind`: which staff member of the business is which WeCom user.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::{CorpId, StaffId, UserId};
use crate::states::{BindingStatus, UnboundReason};
use crate::tables::access::own::Own;

/// A binding as the admin API shows it.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Binding {
    /// The binding's own number.
    pub id: i32,
    /// The corp.
    pub corpid: String,
    /// The business's id of the staff member.
    pub staff_id: String,
    /// The member, as WeCom names them.
    pub wechat_userid: String,
    /// The member's name.
    pub wechat_name: Option<String>,
    /// The member's picture.
    pub wechat_avatar: Option<String>,
    /// bound or unbound.
    pub status: BindingStatus,
    /// Since when.
    pub bound_at: DateTime<Utc>,
    /// Until when.
    pub unbound_at: Option<DateTime<Utc>>,
    /// admin, left or superseded.
    pub unbound_reason: Option<UnboundReason>,
}

/// The input of a new binding.
#[derive(Debug)]
pub struct NewBinding<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// The business's id of the staff member.
    pub staff_id: &'a str,
    /// The member, as WeCom names them.
    pub user: &'a UserId,
    /// The member's name, if the caller knows it; otherwise the directory's.
    pub name: Option<&'a str>,
    /// The member's picture, likewise.
    pub avatar: Option<&'a str>,
}

/// Binds a staff member to a userid; if either is bound already, it violates `staff_wechat_bind_staff_bound` or
/// `staff_wechat_bind_user_bound`.
pub async fn bind(conn: &mut PgConnection, new: &NewBinding<'_>) -> sqlx::Result<Binding> {
    sqlx::query_as!(
        Binding,
        r#"
        insert into staff_wechat_bind (
            corpid, staff_id, wechat_userid, wechat_name, wechat_avatar, given_name, given_avatar
        )
        select $1, $2, $3, coalesce(nullif(member.name, ''), $4), coalesce(nullif(member.avatar, ''), $5), $4, $5
        from (values (1)) one
        left join member on member.corpid = $1 and member.wechat_userid = $3
        returning id, corpid, staff_id, wechat_userid, wechat_name, wechat_avatar,
            status as "status: BindingStatus", bound_at, unbound_at, unbound_reason as "unbound_reason: UnboundReason"
        "#,
        new.corpid.as_str(),
        new.staff_id,
        new.user.as_str(),
        new.name,
        new.avatar,
    )
    .fetch_one(conn)
    .await
}

/// Whether these two are bound to each other.
pub async fn is_bound(conn: &mut PgConnection, corpid: &CorpId, staff_id: &str, user: &UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select from staff_wechat_bind
            where corpid = $1 and staff_id = $2 and wechat_userid = $3 and status = 'bound'
        ) as "bound!"
        "#,
        corpid.as_str(),
        staff_id,
        user.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Records a binding that was made elsewhere, with its own time.
pub async fn bind_since(conn: &mut PgConnection, new: &NewBinding<'_>, since: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into staff_wechat_bind (
            corpid, staff_id, wechat_userid, wechat_name, wechat_avatar, given_name, given_avatar, bound_at
        )
        values ($1, $2, $3, $4, $5, $4, $5, $6)
        "#,
        new.corpid.as_str(),
        new.staff_id,
        new.user.as_str(),
        new.name,
        new.avatar,
        since,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Unbinds on request; `None` if the staff id is not bound.
pub async fn unbind(conn: &mut PgConnection, corpid: &CorpId, staff_id: &str) -> sqlx::Result<Option<Binding>> {
    sqlx::query_as!(
        Binding,
        r#"
        update staff_wechat_bind set status = 'unbound', unbound_at = now(), unbound_reason = 'admin'
        where staff_id = $2 and corpid is not distinct from $1 and status is not distinct from 'bound'
        returning id, corpid, staff_id, wechat_userid, wechat_name, wechat_avatar,
            status as "status: BindingStatus", bound_at, unbound_at, unbound_reason as "unbound_reason: UnboundReason"
        "#,
        corpid.as_str(),
        staff_id,
    )
    .fetch_optional(conn)
    .await
}

/// Up to `limit` bindings after the given id, oldest first; all corps, or one.
pub async fn list(
    conn: &mut PgConnection,
    own: Option<&Own>,
    corpid: Option<&str>,
    status: Option<BindingStatus>,
    after: i32,
    limit: i64,
) -> sqlx::Result<Vec<Binding>> {
    let (own_corp, own_staff) = Own::parts(own);
    sqlx::query_as!(
        Binding,
        r#"
        select id, corpid, staff_id, wechat_userid, wechat_name, wechat_avatar,
            status as "status: BindingStatus", bound_at, unbound_at, unbound_reason as "unbound_reason: UnboundReason"
        from staff_wechat_bind
        where id > $1 and ($2::text is null or corpid = $2) and ($3::text is null or status = $3)
            and ($4::text is null or (corpid = $4 and staff_id = $5))
        order by id
        limit $6
        "#,
        after,
        corpid,
        status.map(BindingStatus::as_str),
        own_corp,
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A member's userid changed: their bindings move to the new one. All bindings of that id count as unbound until
/// [`settle`] decides: of two bound ones, one must end before the other may count.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update staff_wechat_bind
        set wechat_userid = $3, status = 'unbound'
        where wechat_userid in ($2, $3) and corpid is not distinct from $1
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Derives the status of these members' bindings again, from the member and the bindings themselves.
///
/// A binding that was unbound by hand stays so. Otherwise it ends when its member leaves after it was made, or when a
/// later binding of the same userid exists (two ids turned out to be one person). The name is the directory's, or the
/// one given with the binding if the directory has none.
pub async fn settle(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update staff_wechat_bind own
        set status = case when decided.reason is null then 'bound' else 'unbound' end,
            unbound_reason = decided.reason,
            unbound_at = decided.at,
            wechat_name = coalesce(decided.name, own.given_name),
            wechat_avatar = coalesce(decided.avatar, own.given_avatar)
        from (
            select
                bind.id,
                case
                    when member.left_at >= bind.bound_at then 'left'
                    when later.bound_at is not null then 'superseded'
                end as reason,
                case when member.left_at >= bind.bound_at then member.left_at else later.bound_at end as at,
                nullif(member.name, '') as name,
                nullif(member.avatar, '') as avatar
            from unnest($1::text[], $2::text[]) touched (corpid, wechat_userid)
            join staff_wechat_bind bind using (corpid, wechat_userid)
            left join member using (corpid, wechat_userid)
            left join lateral (
                select max(other.bound_at) as bound_at
                from staff_wechat_bind other
                where other.corpid = bind.corpid
                    and other.wechat_userid = bind.wechat_userid
                    and (other.bound_at, other.staff_id) > (bind.bound_at, bind.staff_id)
            ) later on true
            where bind.unbound_reason is distinct from 'admin'
        ) decided
        where own.id = decided.id
        "#,
        corps,
        users,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The corps and staff members who were last bound to one of these members and are unbound since the member left.
///
/// It does not matter whether the member's leaving ended the binding or it was unbound before.
pub async fn left(
    conn: &mut PgConnection,
    corps: &[String],
    users: &[String],
) -> sqlx::Result<(Vec<String>, Vec<String>)> {
    let rows = sqlx::query!(
        r#"
        select distinct bind.corpid as "corpid!", bind.staff_id as "staff_id!"
        from unnest($1::text[], $2::text[]) gone (corpid, wechat_userid)
        cross join lateral (
            select left_at, joined_at from member
            where member.corpid = gone.corpid and member.wechat_userid = gone.wechat_userid
            offset 0
        ) member
        cross join lateral (
            select bind.* from staff_wechat_bind bind
            where bind.wechat_userid = gone.wechat_userid and bind.corpid is not distinct from gone.corpid
            offset 0
        ) bind
        where bind.status = 'unbound' and member.left_at >= coalesce(member.joined_at, '-infinity')
            and not exists (
                select from (
                    select other.* from staff_wechat_bind other
                    where other.staff_id = bind.staff_id and other.corpid is not distinct from bind.corpid
                    offset 0
                ) other
                where other.id <> bind.id and (other.status = 'bound' or other.bound_at > bind.bound_at)
            )
        order by 1, 2
        "#,
        corps,
        users,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.corpid, it.staff_id)).unzip())
}

/// The staff members who were last bound to these members, for those who ever had a binding.
pub async fn latest<'a>(
    conn: &mut PgConnection,
    users: impl Iterator<Item = (&'a CorpId, &'a UserId)>,
) -> sqlx::Result<BTreeMap<(&'a CorpId, &'a UserId), String>> {
    let users = Vec::from_iter(users.collect::<BTreeSet<_>>());
    let (corps, ids): (Vec<_>, Vec<_>) = users.iter().map(|(corp, user)| (corp.0.clone(), user.0.clone())).unzip();
    let rows = sqlx::query_scalar!(
        r#"
        select (
            select staff_id from staff_wechat_bind bind
            where bind.wechat_userid = member.wechat_userid and bind.corpid is not distinct from member.corpid
            order by bound_at desc, staff_id desc
            limit 1
        )
        from unnest($1::text[], $2::text[]) with ordinality member (corpid, wechat_userid, place)
        order by place
        "#,
        &corps,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(users.into_iter().zip(rows).filter_map(|(member, staff)| Some((member, staff?))).collect())
}

/// The staff member who is bound to a WeCom user.
pub async fn staff_of(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"
        select staff_id from staff_wechat_bind
        where wechat_userid = $2 and corpid is not distinct from $1 and status is not distinct from 'bound'
        "#,
        corpid.as_str(),
        user.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// The WeCom user to whom a staff member is bound.
pub async fn user_of(conn: &mut PgConnection, corpid: &CorpId, staff: &StaffId) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar!(
        r#"
        select wechat_userid as "user: UserId" from staff_wechat_bind
        where staff_id = $2 and corpid is not distinct from $1 and status is not distinct from 'bound'
        "#,
        corpid.as_str(),
        staff.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// Sets whether a staff member takes new orders; `None` if the staff id is not bound.
pub async fn set_on_duty(
    conn: &mut PgConnection,
    corpid: &CorpId,
    staff: &StaffId,
    on_duty: bool,
) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar!(
        r#"
        update staff_wechat_bind set on_duty = $3
        where staff_id = $2 and corpid is not distinct from $1 and status is not distinct from 'bound'
        returning wechat_userid as "user: UserId"
        "#,
        corpid.as_str(),
        staff.as_str(),
        on_duty,
    )
    .fetch_optional(conn)
    .await
}

/// A bound staff member's duty and load.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "StaffDuty")]
pub struct Duty {
    /// The binding's own number.
    pub id: i32,
    /// The corp.
    pub corpid: String,
    /// The business's id of the staff member.
    pub staff_id: String,
    /// The member, as WeCom names them.
    pub wechat_userid: String,
    /// The member's name.
    pub wechat_name: Option<String>,
    /// Whether they take new orders.
    pub on_duty: bool,
    /// How many orders they are in charge of that are not done.
    pub open_orders: i64,
    /// When an order was last given to them.
    pub last_assigned_at: Option<DateTime<Utc>>,
}

/// Up to `limit` bound staff members after the given binding.
pub async fn duties(conn: &mut PgConnection, own: Option<&Own>, after: i32, limit: i64) -> sqlx::Result<Vec<Duty>> {
    let (own_corp, own_staff) = Own::parts(own);
    sqlx::query_as!(
        Duty,
        r#"
        select id, corpid, staff_id, wechat_userid, wechat_name, on_duty, last_assigned_at,
            (
                select count(*) from work_order
                where work_order.corpid = bind.corpid and work_order.staff_id = bind.staff_id
                    and state in ('assigned', 'contacted', 'quoted', 'confirmed')
            ) as "open_orders!"
        from staff_wechat_bind bind
        where status = 'bound' and id > $1 and ($2::text is null or (corpid = $2 and staff_id = $3))
        order by id
        limit $4
        "#,
        after,
        own_corp,
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Records that a staff member was just put in charge of an order.
pub async fn was_assigned(conn: &mut PgConnection, corpid: &CorpId, staff: &StaffId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update staff_wechat_bind set last_assigned_at = clock_timestamp()
        where staff_id = $2 and corpid is not distinct from $1 and status is not distinct from 'bound'
        "#,
        corpid.as_str(),
        staff.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The staff member for the next order: bound, active and on duty, with the fewest open orders; among equals the one
/// who has waited longest. The caller holds the corp's lock exclusively, so that two orders are never decided on at
/// once.
pub async fn next_free(
    conn: &mut PgConnection,
    corpid: &CorpId,
    except: Option<&StaffId>,
) -> sqlx::Result<Option<StaffId>> {
    sqlx::query_scalar!(
        r#"
        select bind.staff_id as "staff_id: StaffId"
        from staff_wechat_bind bind
        left join member using (corpid, wechat_userid)
        cross join lateral (
            select count(*) as open from work_order
            where work_order.corpid = bind.corpid and work_order.staff_id = bind.staff_id
                and state in ('assigned', 'contacted', 'quoted', 'confirmed')
        ) load
        where bind.corpid = $1 and bind.status = 'bound' and bind.on_duty
            and coalesce(member.status, 1) = 1
            and bind.staff_id is distinct from $2
        order by load.open, bind.last_assigned_at nulls first, bind.staff_id collate "C"
        limit 1
        "#,
        corpid.as_str(),
        except.map(StaffId::as_str),
    )
    .fetch_optional(conn)
    .await
}
