//! Assigns orders, reminds of them, and escalates them if nobody picks them up.
//!
//! The caller holds the corp's lock exclusively, so that two processes never decide on one order.

use chrono::TimeDelta;
use sqlx::PgConnection;

use crate::{
    ids::StaffId,
    states::OrderState,
    tables::{
        self,
        orders::work_order::{self, Order, Patience, WECOMD},
        staff::staff_wechat_bind,
    },
};

/// The operator's settings for assignment.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whether orders are assigned automatically.
    pub automatic: bool,
    /// When an assigned order counts as not picked up.
    pub patience: Patience,
    /// The staff member who is notified of an order that nobody picked up.
    pub escalate_to: Option<StaffId>,
}

/// Assigns an order to the staff member with the fewest open orders; `false` if nobody is available.
pub async fn assign(conn: &mut PgConnection, order: &Order) -> sqlx::Result<bool> {
    let Some(staff) = staff_wechat_bind::next_free(conn, &order.corpid, None).await? else { return Ok(false) };
    work_order::assign(conn, order, &staff, WECOMD, Some("自动派单")).await?;
    Ok(true)
}

/// Does what is due for an order: assigns it, reminds its staff member, or escalates it. Returns whether anything was
/// due.
pub async fn look_after(conn: &mut PgConnection, rules: &Rules, id: i64) -> sqlx::Result<bool> {
    let Some(order) = work_order::find(conn, id).await? else { return Ok(false) };
    match order.state {
        OrderState::New if rules.automatic => assign(conn, &order).await,
        OrderState::Assigned => press(conn, rules, &order).await,
        _ => Ok(false),
    }
}

/// Handles an order that was not picked up: reminds first, then escalates.
async fn press(conn: &mut PgConnection, rules: &Rules, order: &Order) -> sqlx::Result<bool> {
    let (Some(staff), Some(assigned_at)) = (&order.staff_id, order.assigned_at) else { return Ok(false) };
    let limit = TimeDelta::minutes(rules.patience.escalate_minutes.into());
    // Compared by the database's clock, which chose the order and wrote the time; otherwise an order could be
    // reminded of again and again.
    if tables::now(conn).await? - assigned_at < limit {
        work_order::remind(conn, order, staff).await?;
        return Ok(true);
    }
    work_order::escalate(conn, order, rules.escalate_to.as_ref()).await?;
    if rules.automatic
        && let Some(other) = staff_wechat_bind::next_free(conn, &order.corpid, Some(staff)).await?
    {
        work_order::assign(conn, order, &other, WECOMD, Some("超时未接单,自动改派")).await?;
    }
    Ok(true)
}
