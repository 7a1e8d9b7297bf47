//! Changes to a whole handover: create, plan, submit, cancel. Items' states change only in `transition`.

use sqlx::PgConnection;

use super::super::{now, task};
use crate::{
    changes::TaskKind,
    ids::{CorpId, UserId},
    states::{HandoverCause, HandoverState},
};

/// A handover that somebody begins.
#[derive(Debug)]
pub struct NewHandover<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// Who hands over, as WeCom names them.
    pub user: &'a UserId,
    /// Who hands over, as the business names them.
    pub staff_id: &'a str,
    /// resignation or transfer.
    pub cause: HandoverCause,
    /// The resignation that it comes of.
    pub resignation_id: Option<i64>,
    /// Who begins it.
    pub ordered_by: &'a str,
    /// The message to the customers.
    pub message: Option<&'a str>,
}

/// Creates a handover; returns its number. If one is open already, it violates `handover_open`.
pub async fn create(conn: &mut PgConnection, new: &NewHandover<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        insert into handover (corpid, wechat_userid, staff_id, state, cause, resignation_id, ordered_by, message)
        values ($1, $2, $3, 'detected', $4, $5, $6, $7)
        returning id
        "#,
        new.corpid.as_str(),
        new.user.as_str(),
        new.staff_id,
        new.cause.as_str(),
        new.resignation_id,
        new.ordered_by,
        new.message,
    )
    .fetch_one(conn)
    .await
}

/// A member's handover that is not done, and its state; transfers are left out.
pub async fn open_of(
    conn: &mut PgConnection,
    corpid: &CorpId,
    user: &UserId,
) -> sqlx::Result<Option<(i64, HandoverState)>> {
    let row = sqlx::query!(
        r#"
        select id, state as "state: HandoverState" from handover
        where wechat_userid = $2 and corpid = $1 and cause <> 'transfer' and state <> 'done'
        "#,
        corpid.as_str(),
        user.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| (it.id, it.state)))
}

/// Links an existing handover to a resignation.
pub async fn link(conn: &mut PgConnection, id: i64, resignation: i64) -> sqlx::Result<()> {
    sqlx::query!("update handover set resignation_id = $2 where id = $1", id, resignation).execute(conn).await?;
    Ok(())
}

/// Reopens a cancelled handover for a resignation.
pub async fn revive(conn: &mut PgConnection, id: i64, resignation: i64, who: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update handover
        set cause = 'resignation', resignation_id = $2, ordered_by = $3, left_at = null, cancelled_at = null,
            cancelled_by = null, notified_at = null, submitted_at = null, submitted_by = null, version = version + 1
        where id = $1
        "#,
        id,
        resignation,
        who,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The plan has changed, so the earlier notification and submission no longer apply. Returns its version.
pub async fn replanned(conn: &mut PgConnection, id: i64, message: Option<&str>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        update handover
        set version = version + 1, notified_at = null, submitted_at = null, submitted_by = null,
            message = coalesce($2, message)
        where id = $1
        returning version
        "#,
        id,
        message,
    )
    .fetch_one(conn)
    .await
}

/// Records who submitted it.
pub async fn submit(conn: &mut PgConnection, id: i64, who: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update handover set submitted_at = now(), submitted_by = $2 where id = $1 and submitted_at is null",
        id,
        who,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records who cancelled it.
pub async fn call_off(conn: &mut PgConnection, id: i64, who: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update handover set cancelled_at = now(), cancelled_by = $2 where id = $1 and cancelled_at is null",
        id,
        who,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes the driver of this handover run at once.
pub async fn wake_now(conn: &mut PgConnection, corpid: &CorpId, id: i64) -> sqlx::Result<()> {
    let app = sqlx::query_scalar!("select min(id) from enterprise_wechat_config where corpid = $1", corpid.as_str())
        .fetch_one(&mut *conn)
        .await?;
    let due_at = now(conn).await?;
    task::hasten(conn, corpid, TaskKind::Handover, &id.to_string(), app.unwrap_or_default(), due_at).await
}

/// The items of a handover with these subjects or numbers.
pub async fn named(
    conn: &mut PgConnection,
    handover: i64,
    subjects: &[String],
    items: &[i64],
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select id from handover_item
        where handover_id = $1 and (subject = any($2) or id = any($3))
        order by id
        "#,
        handover,
        subjects,
        items,
    )
    .fetch_all(conn)
    .await
}

/// Adds these customers to a handover; the new items, in the order of their subjects.
pub async fn add_customers(conn: &mut PgConnection, handover: i64, customers: &[String]) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        insert into handover_item (handover_id, kind, subject)
        select $1, 'customer', customer from unnest($2::text[]) customer order by customer
        returning id
        "#,
        handover,
        customers,
    )
    .fetch_all(conn)
    .await
}

/// Whether a customer can be transferred from a member.
#[derive(Debug)]
pub struct Transferable {
    /// The customer.
    pub customer: String,
    /// They are a contact of the member.
    pub theirs: bool,
    /// The handover that already moves them from that member.
    pub under_way: Option<i64>,
}

/// Whether these customers can be transferred, in the order of their ids.
pub async fn transferable(
    conn: &mut PgConnection,
    corpid: &CorpId,
    from: &UserId,
    customers: &[String],
) -> sqlx::Result<Vec<Transferable>> {
    sqlx::query_as!(
        Transferable,
        r#"
        select wanted.customer as "customer!",
            exists (
                select from customer_wechat_contact contact
                where contact.corpid = $1 and contact.external_userid = wanted.customer and contact.wechat_userid = $2
                    and contact.status in ('assumed', 'contacted')
            ) as "theirs!",
            (
                select min(handover.id) from handover_item item
                join handover on handover.id = item.handover_id
                where item.subject = wanted.customer and item.kind = 'customer'
                    and item.state in ('planned', 'calling', 'waiting', 'overdue')
                    and handover.corpid = $1 and handover.wechat_userid = $2
            ) as under_way
        from (select distinct it as customer from unnest($3::text[]) it) wanted
        order by wanted.customer collate "C"
        "#,
        corpid.as_str(),
        from.as_str(),
        customers,
    )
    .fetch_all(conn)
    .await
}
