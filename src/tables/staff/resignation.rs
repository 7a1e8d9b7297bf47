//! `resignation`: staff members who are going to leave, and who approved it.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    changes::{Task, TaskKind},
    ids::{CorpId, UserId},
    states::ResignationState,
    tables::{apps::enterprise_wechat_config, now, task},
};

/// A resignation to enter.
#[derive(Debug)]
pub struct NewResignation<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// The staff member.
    pub staff_id: &'a str,
    /// The member.
    pub user: &'a UserId,
    /// Their last day.
    pub last_day: NaiveDate,
    /// Why, if they say so.
    pub reason: Option<&'a str>,
    /// Who enters it.
    pub who: &'a str,
}

/// A resignation, as it stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Resignation {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: CorpId,
    /// The staff member.
    pub staff_id: String,
    /// The member.
    pub wechat_userid: UserId,
    /// Their last day.
    pub last_day: NaiveDate,
    /// Why.
    pub reason: Option<String>,
    /// requested, approved, refused, cancelled or left.
    pub state: ResignationState,
    /// Who entered it.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Who approved, refused or withdrew it.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// What they said.
    pub decision_note: Option<String>,
    /// The form of the 审批 app that made it; null if somebody entered it.
    pub approval_number: Option<String>,
    /// The handover that came of it, or that it was linked to.
    pub handover_id: Option<i64>,
}

/// Which resignations.
#[derive(Debug, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<ResignationState>,
    /// Of this staff member.
    pub staff_id: Option<String>,
    /// With a smaller number than this one.
    pub before: Option<i64>,
}

/// Enters a resignation; returns its number. If one is open already, it violates `resignation_open`.
pub async fn insert(conn: &mut PgConnection, new: &NewResignation<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        insert into resignation (corpid, staff_id, wechat_userid, last_day, reason, requested_by)
        values ($1, $2, $3, $4, $5, $6)
        returning id
        "#,
        new.corpid.as_str(),
        new.staff_id,
        new.user.as_str(),
        new.last_day,
        new.reason,
        new.who,
    )
    .fetch_one(conn)
    .await
}

/// The resignation of that number.
pub async fn find(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<Resignation>> {
    sqlx::query_as!(
        Resignation,
        r#"
        select id, corpid as "corpid: CorpId", staff_id, wechat_userid as "wechat_userid: UserId", last_day, reason,
            state as "state: ResignationState", requested_by, requested_at, decided_by, decided_at, decision_note,
            approval_number,
            (select max(handover.id) from handover where resignation_id = resignation.id) as handover_id
        from resignation
        where id = $1
        "#,
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Up to `limit` resignations, latest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Resignation>> {
    sqlx::query_as!(
        Resignation,
        r#"
        select id, corpid as "corpid: CorpId", staff_id, wechat_userid as "wechat_userid: UserId", last_day, reason,
            state as "state: ResignationState", requested_by, requested_at, decided_by, decided_at, decision_note,
            approval_number,
            (select max(handover.id) from handover where resignation_id = resignation.id) as handover_id
        from resignation
        where ($1::text is null or state = $1)
            and ($2::text is null or staff_id = $2)
            and ($3::bigint is null or id < $3)
        order by id desc
        limit $4
        "#,
        filter.state.map(ResignationState::as_str),
        filter.staff_id.as_deref(),
        filter.before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The resignation that a form of the 审批 app made.
pub async fn of_approval(conn: &mut PgConnection, corpid: &CorpId, number: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select id from resignation where corpid = $1 and approval_number = $2",
        corpid.as_str(),
        number,
    )
    .fetch_optional(conn)
    .await
}

/// A form of the 审批 app made this resignation.
pub async fn came_by_approval(conn: &mut PgConnection, id: i64, number: &str) -> sqlx::Result<()> {
    sqlx::query!("update resignation set approval_number = $2 where id = $1", id, number).execute(conn).await?;
    Ok(())
}

/// Queues an inquiry at WeCom, once an hour, about members whose last day is over and who are not known to have left.
/// Returns how many there are.
pub async fn verify_overdue(conn: &mut PgConnection) -> sqlx::Result<usize> {
    let overdue = sqlx::query!(
        r#"
        update resignation set verified_at = now()
        where case when state = 'approved' then last_day end < (now() at time zone 'Asia/Shanghai')::date
            and (verified_at is null or verified_at < now() - interval '1 hour')
        returning corpid as "corpid: CorpId", wechat_userid as "user: UserId"
        "#,
    )
    .fetch_all(&mut *conn)
    .await?;
    for it in &overdue {
        let Some(app_id) = enterprise_wechat_config::speaker(conn, &it.corpid).await? else { continue };
        let task = Task { app_id, payload: None, due_at: now(conn).await?, deadline: None, marks: 1 };
        task::enqueue(conn, &it.corpid, TaskKind::RefreshMember, &it.user.key(), task).await?;
    }
    Ok(overdue.len())
}

/// Records an approval, refusal or withdrawal; the caller knows whether it is allowed.
pub async fn decide(
    conn: &mut PgConnection,
    id: i64,
    state: ResignationState,
    who: &str,
    note: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update resignation set state = $2, decided_by = $3, decided_at = now(), decision_note = $4 where id = $1",
        id,
        state.as_str(),
        who,
        note,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the resignations of those among these members who have left, approved or not.
pub async fn left(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update resignation set state = 'left'
        where id = any(array(
            select own.id
            from unnest($1::text[], $2::text[]) gone (corpid, wechat_userid)
            cross join lateral (
                select left_at, joined_at from member
                where member.corpid = gone.corpid and member.wechat_userid = gone.wechat_userid
                offset 0
            ) member
            cross join lateral (
                select id, state from resignation
                where resignation.wechat_userid = gone.wechat_userid
                    and resignation.corpid is not distinct from gone.corpid
                offset 0
            ) own
            where own.state in ('requested', 'approved')
                and member.left_at >= coalesce(member.joined_at, '-infinity')
        ))
            and state not in ('refused', 'cancelled', 'left')
        "#,
        corps,
        users,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A member's userid changed: their resignations move to the new one.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update resignation set wechat_userid = $3
        where wechat_userid = $2 and corpid is not distinct from $1
            and (
                state not in ('requested', 'approved')
                or not exists (
                    select from resignation other
                    where other.wechat_userid = $3 and other.corpid is not distinct from $1
                        and other.state in ('requested', 'approved')
                )
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
