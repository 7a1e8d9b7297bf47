//! `contact_way`: QR codes that bring one customer to one member, from the intent to their end.
//!
//! The row is written before WeCom is asked. Without `config_id` it is unknown whether the code was made;
//! `attempted_at` decides who may ask next.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::{ContactWayState, CorpId, CustomerId, ExternalUserId, StaffId, UserId};
use crate::tables::{access::own::Own, customers::matching::People};

/// The purpose of a contact way.
#[derive(Debug, Clone)]
pub struct Purpose {
    /// The corp.
    pub corpid: CorpId,
    /// The customer who shall scan it.
    pub customer: CustomerId,
    /// The staff member they shall meet.
    pub staff: StaffId,
    /// That staff member's userid.
    pub user: UserId,
    /// The work order it was made for, if any.
    pub work_order_id: Option<i64>,
}

/// A row.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct ContactWay {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: CorpId,
    /// What comes back when it is scanned.
    pub state: ContactWayState,
    /// Who shall scan it.
    pub customer_id: CustomerId,
    /// Whom they shall meet, as the business names them.
    pub staff_id: StaffId,
    /// Whom they shall meet, as WeCom names them.
    pub wechat_userid: UserId,
    /// The order it is about.
    pub work_order_id: Option<i64>,
    /// When the intent to make it was written down.
    pub intended_at: DateTime<Utc>,
    /// When WeCom was last asked to make it, or searched for it.
    pub attempted_at: DateTime<Utc>,
    /// WeCom's id of it; null until it is known to be made.
    pub config_id: Option<String>,
    /// WeCom's URL of its QR code.
    pub qr_code: Option<String>,
    /// When it was known to be made.
    pub made_at: Option<DateTime<Utc>>,
    /// Until when it is handed out.
    pub expires_at: DateTime<Utc>,
    /// When the first customer came through it; if WeCom gave no time, when that event arrived.
    pub used_at: Option<DateTime<Utc>>,
    /// That customer.
    pub used_by: Option<ExternalUserId>,
    /// When it was deleted at WeCom.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Records the intent to make one, unless one exists for the same purpose. Returns whether it was recorded.
pub async fn intend(
    conn: &mut PgConnection,
    purpose: &Purpose,
    state: &ContactWayState,
    life: TimeDelta,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        insert into contact_way (corpid, state, customer_id, staff_id, wechat_userid, work_order_id, expires_at)
        values ($1, $2, $3, $4, $5, $6, now() + $7::bigint * interval '1 second')
        on conflict (corpid, customer_id, wechat_userid, coalesce(work_order_id, 0)) where ended_at is null do nothing
        "#,
        purpose.corpid.as_str(),
        state.as_str(),
        purpose.customer.as_str(),
        purpose.staff.as_str(),
        purpose.user.as_str(),
        purpose.work_order_id,
        life.num_seconds(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A member's userid or its spelling changed: their codes move to the new one. If two then exist for one purpose, the
/// former id's ends.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update contact_way own
        set wechat_userid = $3,
            ended_at = coalesce(own.ended_at, twin.now),
            delete_due_at = coalesce(own.delete_due_at, twin.now)
        from (
            select id, customer_id, work_order_id from contact_way
            where wechat_userid = $2 and corpid is not distinct from $1
            offset 0
        ) former
        left join lateral (
            select now() from contact_way other
            where other.customer_id = former.customer_id and other.wechat_userid = $3
                and coalesce(other.work_order_id, 0) = coalesce(former.work_order_id, 0) and other.corpid = $1
                and other.ended_at is null
            offset 0
        ) twin on true
        where own.id = former.id
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The code for this purpose that can be handed out, or is being made. The database's clock, which set its expiry,
/// decides whether it has expired.
pub async fn current(conn: &mut PgConnection, purpose: &Purpose) -> sqlx::Result<Option<ContactWay>> {
    sqlx::query_as!(
        ContactWay,
        r#"
        select
            id, corpid as "corpid: CorpId", state as "state: ContactWayState",
            customer_id as "customer_id: CustomerId", staff_id as "staff_id: StaffId",
            wechat_userid as "wechat_userid: UserId", work_order_id, intended_at, attempted_at, config_id, qr_code,
            made_at, expires_at, used_at, used_by as "used_by: ExternalUserId", deleted_at
        from contact_way
        where corpid = $1 and customer_id = $2 and wechat_userid = $3 and coalesce(work_order_id, 0) = $4
            and ended_at is null and (config_id is null or (used_at is null and expires_at > now()))
        "#,
        purpose.corpid.as_str(),
        purpose.customer.as_str(),
        purpose.user.as_str(),
        purpose.work_order_id.unwrap_or(0),
    )
    .fetch_optional(conn)
    .await
}

/// The code of that number.
pub async fn by_id(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<ContactWay>> {
    sqlx::query_as!(
        ContactWay,
        r#"
        select
            id, corpid as "corpid: CorpId", state as "state: ContactWayState",
            customer_id as "customer_id: CustomerId", staff_id as "staff_id: StaffId",
            wechat_userid as "wechat_userid: UserId", work_order_id, intended_at, attempted_at, config_id, qr_code,
            made_at, expires_at, used_at, used_by as "used_by: ExternalUserId", deleted_at
        from contact_way
        where id = $1
        "#,
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Ends the used or expired code for this purpose, so that another can be made.
pub async fn end_useless(conn: &mut PgConnection, purpose: &Purpose) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update contact_way set ended_at = now()
        where corpid = $1 and customer_id = $2 and wechat_userid = $3 and coalesce(work_order_id, 0) = $4
            and ended_at is null and config_id is not null and (used_at is not null or expires_at <= now())
        "#,
        purpose.corpid.as_str(),
        purpose.customer.as_str(),
        purpose.user.as_str(),
        purpose.work_order_id.unwrap_or(0),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The code with this `state`, of any corp.
pub async fn find(conn: &mut PgConnection, state: &str) -> sqlx::Result<Option<ContactWay>> {
    sqlx::query_as!(
        ContactWay,
        r#"
        with corp as materialized (select distinct corpid from enterprise_wechat_config)
        select
            id, corpid as "corpid: CorpId", state as "state: ContactWayState",
            customer_id as "customer_id: CustomerId", staff_id as "staff_id: StaffId",
            wechat_userid as "wechat_userid: UserId", work_order_id, intended_at, attempted_at, config_id, qr_code,
            made_at, expires_at, used_at, used_by as "used_by: ExternalUserId", deleted_at
        from corp join contact_way using (corpid)
        where state = $1
        limit 1
        "#,
        state,
    )
    .fetch_optional(conn)
    .await
}

/// Up to `limit` codes of a customer, latest first.
pub async fn of_customer(
    conn: &mut PgConnection,
    own: Option<&Own>,
    customer_id: &str,
    limit: i64,
) -> sqlx::Result<Vec<ContactWay>> {
    let (own_corp, own_staff) = Own::parts(own);
    sqlx::query_as!(
        ContactWay,
        r#"
        select
            id, corpid as "corpid: CorpId", state as "state: ContactWayState",
            customer_id as "customer_id: CustomerId", staff_id as "staff_id: StaffId",
            wechat_userid as "wechat_userid: UserId", work_order_id, intended_at, attempted_at, config_id, qr_code,
            made_at, expires_at,
            coalesce(nullif(used_at, to_timestamp(0)), (
                select min(met_arrived_at) from customer_wechat_contact contact
                where contact.corpid = way.corpid and contact.external_userid = way.used_by
            ), used_at) as used_at,
            used_by as "used_by: ExternalUserId", deleted_at
        from contact_way way
        where customer_id = $1 and ($2::text is null or (corpid = $2 and staff_id = $3))
        order by id desc
        limit $4
        "#,
        customer_id,
        own_corp,
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Takes over an attempt that has been idle for `rest`; `false` if another process did. The code expires `life` from
/// now, however old the intent is.
pub async fn take_over(
    conn: &mut PgConnection,
    way: &ContactWay,
    rest: TimeDelta,
    life: TimeDelta,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"
        update contact_way set attempted_at = now(), expires_at = now() + $4::bigint * interval '1 second'
        where id = $1 and num_nonnulls(config_id, ended_at) = 0 and attempted_at = $2
            and attempted_at < now() - $3::bigint * interval '1 second'
        "#,
        way.id,
        way.attempted_at,
        rest.num_seconds(),
        life.num_seconds(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Records that WeCom made it. An empty `qr_code` counts as none.
pub async fn made(conn: &mut PgConnection, id: i64, config_id: &str, qr_code: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update contact_way set config_id = $2, qr_code = nullif($3, ''), made_at = now()
        where id = $1 and config_id is null
        "#,
        id,
        config_id,
        qr_code,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the intent after WeCom refused to make the code.
pub async fn undo(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("delete from contact_way where id = $1 and config_id is null and used_at is null", id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores the URL of the QR code, which WeCom gave later.
pub async fn pictured(conn: &mut PgConnection, id: i64, qr_code: &str) -> sqlx::Result<()> {
    sqlx::query!("update contact_way set qr_code = $2 where id = $1 and coalesce(qr_code, '') = ''", id, qr_code)
        .execute(conn)
        .await?;
    Ok(())
}

/// The config ids among these that belong to a row.
pub async fn known(conn: &mut PgConnection, corpid: &CorpId, config_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select config_id as "config_id!" from contact_way where corpid = $1 and config_id = any($2)"#,
        corpid.as_str(),
        config_ids,
    )
    .fetch_all(conn)
    .await
}

/// A used or expired code that still exists at WeCom.
#[derive(Debug, Clone)]
pub struct Needless {
    /// Its row.
    pub id: i64,
    /// The corp.
    pub corpid: CorpId,
    /// WeCom's id of it.
    pub config_id: String,
}

/// Claims up to `limit` used or expired codes, to delete them at WeCom; no other process gets them for `rest`.
pub async fn claim_needless(conn: &mut PgConnection, rest: TimeDelta, limit: i64) -> sqlx::Result<Vec<Needless>> {
    sqlx::query_as!(
        Needless,
        r#"
        update contact_way
        set delete_due_at = now() + $1::bigint * interval '1 second', ended_at = coalesce(ended_at, now())
        where id = any(array(
            select id from contact_way
            where deleted_at is null and config_id is not null
                and contact_way_needless_at(used_at, expires_at, delete_due_at) < now()
            order by contact_way_needless_at(used_at, expires_at, delete_due_at)
            limit $2
            for update skip locked
        ))
        returning id, corpid as "corpid: CorpId", config_id as "config_id!"
        "#,
        rest.num_seconds(),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Records that it no longer exists at WeCom: another may be made for the same purpose.
pub async fn deleted(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("update contact_way set deleted_at = now(), ended_at = coalesce(ended_at, now()) where id = $1", id,)
        .execute(conn)
        .await?;
    Ok(())
}

/// Derives again who first used these contact ways. Returns everybody who ever used one, since their matches may
/// change.
///
/// A code that was passed on counts only for its first user.
pub async fn derive(conn: &mut PgConnection, states: &[(CorpId, ContactWayState)]) -> sqlx::Result<People> {
    let (corps, states): (Vec<_>, Vec<_>) =
        states.iter().map(|(corp, state)| (corp.0.clone(), state.0.clone())).unzip();
    sqlx::query!(
        r#"
        update contact_way way
        set used_at = first.scanned_at, used_by = first.external_userid
        from unnest($1::text[], $2::text[]) touched (corpid, state)
        cross join lateral (
            select scanned_at, external_userid from contact_way_scan scan
            where scan.corpid = touched.corpid and scan.state = touched.state
            order by scanned_at, external_userid collate "C"
            limit 1
        ) first
        where way.corpid = touched.corpid and way.state = touched.state
            and (way.used_at, way.used_by) is distinct from (first.scanned_at, first.external_userid)
        "#,
        &corps,
        &states,
    )
    .execute(&mut *conn)
    .await?;
    let scanned = sqlx::query!(
        r#"
        select corpid as "corpid: CorpId", external_userid as "external_userid: ExternalUserId"
        from contact_way_scan
        join unnest($1::text[], $2::text[]) touched (corpid, state) using (corpid, state)
        "#,
        &corps,
        &states,
    )
    .fetch_all(conn)
    .await?;
    Ok(scanned.into_iter().map(|row| (row.corpid, row.external_userid)).collect())
}
