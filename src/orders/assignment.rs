//! Who takes an order: chosen, told again, and passed on if nobody picks it up.
//!
//! The caller holds the corp's lock alone, so that two processes never decide on one order.

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

/// What the operator decided about assignment.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whether orders are assigned by themselves.
    pub automatic: bool,
    /// When an assigned order counts as not picked up.
    pub patience: Patience,
    /// Who is told of an order that nobody picked up.
    pub escalate_to: Option<StaffId>,
}

/// Gives an order to whoever is freest; `false` if nobody is free.
pub async fn assign(conn: &mut PgConnection, order: &Order) -> sqlx::Result<bool> {
    let Some(staff) = staff_wechat_bind::next_free(conn, &order.corpid, None).await? else { return Ok(false) };
    work_order::assign(conn, order, &staff, WECOMD, Some("自动派单")).await?;
    Ok(true)
}

/// Does what is due for an order that stands still: assigns it, reminds whoever has it, or escalates it. Whether
/// there was anything to do.
pub async fn look_after(conn: &mut PgConnection, rules: &Rules, id: i64) -> sqlx::Result<bool> {
    let Some(order) = work_order::find(conn, id).await? else { return Ok(false) };
    match order.state {
        OrderState::New if rules.automatic => assign(conn, &order).await,
        OrderState::Assigned => press(conn, rules, &order).await,
        _ => Ok(false),
    }
}

/// Nobody picked it up: the first time is a reminder, the last an escalation.
async fn press(conn: &mut PgConnection, rules: &Rules, order: &Order) -> sqlx::Result<bool> {
    let (Some(staff), Some(assigned_at)) = (&order.staff_id, order.assigned_at) else { return Ok(false) };
    let limit = TimeDelta::minutes(rules.patience.escalate_minutes.into());
    // By the clock that chose the order and wrote the time, or an order would be reminded of again and again.
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
