//! `work_order` and `work_order_change`: bookings and repair requests, and the log of their changes.
//!
//! Writers hold the corp's lock exclusively ([`crate::tables::apply::lock`]), so that orders, contacts and contact
//! ways are never decided on concurrently. Which transitions an order allows is not known here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    changes::{Notice, TaskKind},
    ids::{ContactWayState, CorpId, CustomerId, StaffId, UserId},
    states::OrderState,
    tables::{access::own::Own, apps::enterprise_wechat_config, now, staff::staff_wechat_bind, task},
};

/// The actor of automatic changes.
pub const WECOMD: &str = "wecomd";

/// An order to add.
#[derive(Debug)]
pub struct NewOrder<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// Whose order it is.
    pub customer_id: &'a CustomerId,
    /// The customer's name.
    pub customer_name: Option<&'a str>,
    /// The customer's phone number.
    pub phone: Option<&'a str>,
    /// Where to go.
    pub address: Option<&'a str>,
    /// What is wanted.
    pub description: &'a str,
    /// Where the order came from.
    pub source: Option<&'a str>,
}

/// An order.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WorkOrder")]
pub struct Order {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: CorpId,
    /// Whose order it is.
    pub customer_id: CustomerId,
    /// The customer's name.
    pub customer_name: Option<String>,
    /// The customer's phone number.
    pub phone: Option<String>,
    /// Where to go.
    pub address: Option<String>,
    /// What is wanted.
    pub description: String,
    /// Where the order came from.
    pub source: Option<String>,
    /// new, assigned, contacted, quoted, confirmed, done or cancelled.
    pub state: OrderState,
    /// The staff member in charge.
    pub staff_id: Option<StaffId>,
    /// When that one was put in charge.
    pub assigned_at: Option<DateTime<Utc>>,
    /// How often it was assigned.
    pub assignments: i32,
    /// How often its staff member was notified since.
    pub notices: i32,
    /// When it was reported that nobody picked it up.
    pub escalated_at: Option<DateTime<Utc>>,
    /// When its customer came through a contact way.
    pub contacted_at: Option<DateTime<Utc>>,
    /// The `state` of that contact way.
    pub contacted_state: Option<String>,
    /// Counts the changes.
    pub version: i64,
    /// Since when we know of it.
    pub created_at: DateTime<Utc>,
}

/// A logged change of an order.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WorkOrderChange")]
pub struct Change {
    /// The state before; null at first.
    pub from_state: Option<OrderState>,
    /// The state after.
    pub to_state: OrderState,
    /// The staff member in charge before.
    pub from_staff_id: Option<String>,
    /// The staff member in charge after.
    pub to_staff_id: Option<String>,
    /// The actor.
    pub who: String,
    /// The actor's note.
    pub note: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which orders to list.
#[derive(Debug, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<OrderState>,
    /// With this staff member in charge.
    pub staff_id: Option<String>,
    /// Of this customer.
    pub customer_id: Option<String>,
    /// With this one in charge, in their corp.
    pub own: Option<Own>,
    /// Older than this one.
    pub before: Option<i64>,
}

/// Adds an order; returns its number.
pub async fn insert(conn: &mut PgConnection, new: &NewOrder<'_>, who: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        with made as (
            insert into work_order (corpid, customer_id, customer_name, phone, address, description, source)
            values ($1, $2, $3, $4, $5, $6, $7)
            returning id
        ),
        logged as (
            insert into work_order_change (work_order_id, to_state, who) select id, 'new', $8 from made
        )
        select id from made
        "#,
        new.corpid.as_str(),
        new.customer_id.as_str(),
        new.customer_name,
        new.phone,
        new.address,
        new.description,
        new.source,
        who,
    )
    .fetch_one(conn)
    .await
}

/// The order of that number.
pub async fn find(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<Order>> {
    sqlx::query_as!(
        Order,
        r#"
        select
            id, corpid as "corpid: CorpId", customer_id as "customer_id: CustomerId", customer_name, phone, address,
            description, source, state as "state: OrderState", staff_id as "staff_id: StaffId", assigned_at, assignments,
            notices, escalated_at, contacted_at, contacted_state, version, created_at
        from work_order
        where id = $1
        "#,
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Up to `limit` orders, latest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Order>> {
    let (own_corp, own_staff) = Own::parts(filter.own.as_ref());
    sqlx::query_as!(
        Order,
        r#"
        select
            id, corpid as "corpid: CorpId", customer_id as "customer_id: CustomerId", customer_name, phone, address,
            description, source, state as "state: OrderState", staff_id as "staff_id: StaffId", assigned_at, assignments,
            notices, escalated_at, contacted_at, contacted_state, version, created_at
        from work_order
        where ($1::text is null or state = $1)
            and ($2::text is null or staff_id = $2)
            and ($3::text is null or customer_id = $3)
            and ($4::bigint is null or id < $4)
            and ($5::text is null or (corpid = $5 and staff_id = $6))
        order by id desc
        limit $7
        "#,
        filter.state.map(OrderState::as_str),
        filter.staff_id.as_deref(),
        filter.customer_id.as_deref(),
        filter.before,
        own_corp,
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The changes of an order, earliest first; at most `limit`.
pub async fn changes(conn: &mut PgConnection, id: i64, limit: i64) -> sqlx::Result<Vec<Change>> {
    sqlx::query_as!(
        Change,
        r#"
        select from_state as "from_state: OrderState", to_state as "to_state: OrderState", from_staff_id, to_staff_id,
            who, note, at
        from work_order_change
        where work_order_id = $1
        order by id
        limit $2
        "#,
        id,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Stores an order's next state and logs the change. The caller knows whether the transition is allowed.
pub async fn change_state(
    conn: &mut PgConnection,
    order: &Order,
    to_state: OrderState,
    who: &str,
    note: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!("update work_order set state = $2, version = version + 1 where id = $1", order.id, to_state.as_str(),)
        .execute(&mut *conn)
        .await?;
    log(conn, order, to_state, order.staff_id.as_ref(), who, note).await
}

/// Puts a staff member in charge and notifies them.
pub async fn assign(
    conn: &mut PgConnection,
    order: &Order,
    staff: &StaffId,
    who: &str,
    note: Option<&str>,
) -> sqlx::Result<()> {
    let to_state = sqlx::query_scalar!(
        r#"
        update work_order
        set state = case when state = 'new' then 'assigned' else state end, staff_id = $2, assigned_at = now(),
            assignments = assignments + 1, notices = 1, notified_at = now(), escalated_at = null,
            version = version + 1
        where id = $1
        returning state as "state: OrderState"
        "#,
        order.id,
        staff.as_str(),
    )
    .fetch_one(&mut *conn)
    .await?;
    log(conn, order, to_state, Some(staff), who, note).await?;
    staff_wechat_bind::was_assigned(conn, &order.corpid, staff).await?;
    let what = format!("assigned:{}", order.assignments + 1);
    notify(conn, order, staff, &what, "新工单,请联系客户").await
}

/// Notifies the staff member in charge once more.
pub async fn remind(conn: &mut PgConnection, order: &Order, staff: &StaffId) -> sqlx::Result<()> {
    sqlx::query!("update work_order set notices = notices + 1, notified_at = now() where id = $1", order.id)
        .execute(&mut *conn)
        .await?;
    let what = format!("assigned:{}:{}", order.assignments, order.notices + 1);
    // WeCom drops an identical card for four hours, so each reminder carries its number.
    notify(conn, order, staff, &what, &format!("工单待联系,第 {} 次提醒", order.notices)).await
}

/// Records that nobody picked the order up, and notifies the escalation contact.
pub async fn escalate(conn: &mut PgConnection, order: &Order, to: Option<&StaffId>) -> sqlx::Result<()> {
    sqlx::query!("update work_order set escalated_at = now(), version = version + 1 where id = $1", order.id,)
        .execute(&mut *conn)
        .await?;
    log(conn, order, order.state, order.staff_id.as_ref(), WECOMD, Some("超时未接单,已升级")).await?;
    let Some(to) = to else { return Ok(()) };
    let what = format!("escalated:{}", order.assignments);
    notify(conn, order, to, &what, "工单超时未接单").await
}

/// Orders whose customer came through one of these contact ways become contacted.
///
/// Of several ways of an order the one that was used first counts, in whatever order the events arrive.
pub async fn came(conn: &mut PgConnection, states: &[(CorpId, ContactWayState)]) -> sqlx::Result<()> {
    let (corps, states): (Vec<_>, Vec<_>) =
        states.iter().map(|(corp, state)| (corp.0.clone(), state.0.clone())).unzip();
    let came = sqlx::query!(
        r#"
        select distinct on (way.work_order_id)
            way.work_order_id as "id!", way.state, way.staff_id as "staff_id: StaffId",
            -- Without a time it counts as the first, and people see when it arrived.
            coalesce(nullif(way.used_at, to_timestamp(0)), (
                select min(met_arrived_at) from customer_wechat_contact contact
                where contact.corpid = way.corpid and contact.external_userid = way.used_by
            ), way.used_at) as "used_at!"
        from contact_way way
        where way.used_at is not null and way.work_order_id in (
            select work_order_id from contact_way
            join unnest($1::text[], $2::text[]) touched (corpid, state) using (corpid, state)
        )
        order by way.work_order_id, way.used_at, way.state
        "#,
        &corps,
        &states,
    )
    .fetch_all(&mut *conn)
    .await?;
    for way in came {
        let Some(order) = find(conn, way.id).await? else { continue };
        let waited = matches!(order.state, OrderState::New | OrderState::Assigned);
        if !waited && order.contacted_state.is_none() {
            continue;
        }
        let staff = order.staff_id.clone().unwrap_or(way.staff_id);
        sqlx::query!(
            r#"
            update work_order
            set contacted_at = $2, contacted_state = $3, staff_id = $4,
                state = case when state in ('new', 'assigned') then 'contacted' else state end,
                version = version + 1
            where id = $1 and (contacted_at, contacted_state, staff_id) is distinct from ($2, $3, $4)
            "#,
            order.id,
            way.used_at,
            way.state,
            staff.as_str(),
        )
        .execute(&mut *conn)
        .await?;
        if waited {
            log(conn, &order, OrderState::Contacted, Some(&staff), WECOMD, Some("客户扫码添加企业微信")).await?;
            notify(conn, &order, &staff, "contacted", "客户已添加您的企业微信").await?;
        }
    }
    Ok(())
}

/// The corps with an order that may need action: not assigned yet, or not picked up.
pub async fn corps_waiting(conn: &mut PgConnection) -> sqlx::Result<Vec<CorpId>> {
    sqlx::query_scalar!(
        r#"select distinct corpid as "corpid: CorpId" from work_order where state in ('new', 'assigned') order by corpid"#
    )
    .fetch_all(conn)
    .await
}

/// The time limits of an order.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Minutes until its staff member is reminded.
    pub pick_up_minutes: i32,
    /// Minutes until it is escalated.
    pub escalate_minutes: i32,
}

/// The numbers of up to `limit` orders of a corp that need action: new ones if `automatic`, and those that were not
/// picked up in time and are not escalated.
pub async fn standing_still(
    conn: &mut PgConnection,
    corpid: &CorpId,
    patience: Patience,
    automatic: bool,
    limit: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select id from work_order
        where corpid = $1 and (
            (state = 'new' and $2)
            or (
                state = 'assigned' and escalated_at is null and (
                    notified_at <= now() - make_interval(mins => $3)
                    or assigned_at <= now() - make_interval(mins => $4)
                )
            )
        )
        -- Those first that something can be done for in any case: a new one may have to wait for somebody to be free.
        order by state = 'new', id
        limit $5
        "#,
        corpid.as_str(),
        automatic,
        patience.pick_up_minutes,
        patience.escalate_minutes,
        limit,
    )
    .fetch_all(conn)
    .await
}

async fn log(
    conn: &mut PgConnection,
    before: &Order,
    to_state: OrderState,
    to_staff: Option<&StaffId>,
    who: &str,
    note: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into work_order_change (work_order_id, from_state, to_state, from_staff_id, to_staff_id, who, note)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        before.id,
        before.state.as_str(),
        to_state.as_str(),
        before.staff_id.as_ref().map(StaffId::as_str),
        to_staff.map(StaffId::as_str),
        who,
        note,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Queues a card about the order for a staff member; one who is not bound to a WeCom user gets none.
async fn notify(conn: &mut PgConnection, order: &Order, staff: &StaffId, what: &str, title: &str) -> sqlx::Result<()> {
    let user = staff_wechat_bind::user_of(conn, &order.corpid, staff).await?;
    let app = enterprise_wechat_config::speaker(conn, &order.corpid).await?;
    let (Some(user), Some(app_id)) = (user, app) else { return Ok(()) };
    let url = sqlx::query_scalar!(
        r#"select replace(order_url, '{id}', $1) as "url!" from contact_flow_setting"#,
        order.id.to_string(),
    )
    .fetch_one(&mut *conn)
    .await?;
    let notice = card(order, user, title, url);
    let key = (order.corpid.clone(), TaskKind::NotifyStaff, format!("work_order:{}:{what}", order.id));
    let due_at = now(conn).await?;
    task::upsert(conn, &BTreeMap::from([(key, notice.task(app_id, due_at))])).await
}

fn card(order: &Order, user: UserId, title: &str, url: String) -> Notice {
    Notice::new(user, title, &order.description, url)
        .line("工单", Some(&order.id.to_string()))
        .line("客户", Some(order.customer_name.as_deref().unwrap_or(order.customer_id.as_str())))
        .line("电话", order.phone.as_deref())
        .line("地址", order.address.as_deref())
}
