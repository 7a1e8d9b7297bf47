//! `console_user`: the members who may log in to the console, and their roles.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::{CorpId, UserId};
use crate::states::Role;

/// A member who may log in.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ConsoleUser")]
pub struct ConsoleUserRow {
    /// The corp.
    pub corpid: CorpId,
    /// The member.
    pub wechat_userid: UserId,
    /// Their name in the directory, if it was read.
    pub name: Option<String>,
    /// viewer, operator or admin.
    pub role: Role,
    /// Whether they may read only their own customers and orders.
    pub own_only: bool,
    /// Who allowed it.
    pub added_by: String,
    /// When it was allowed.
    pub added_at: DateTime<Utc>,
}

/// Allows a member to log in, or changes their role. Existing sessions take the new role at once.
pub async fn put(
    conn: &mut PgConnection,
    corpid: &CorpId,
    user: &UserId,
    role: Role,
    own_only: bool,
    by: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into console_user (corpid, wechat_userid, role, own_only, added_by) values ($1, $2, $3, $4, $5)
        on conflict on constraint console_user_key
        do update set role = excluded.role, own_only = excluded.own_only, added_by = excluded.added_by, added_at = now()
        "#,
        corpid.as_str(),
        user.as_str(),
        role.as_str(),
        own_only,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Withdraws a member's login; `false` if they had none. Their sessions end with it.
pub async fn remove(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "delete from console_user where corpid = $1 and wechat_userid = $2",
        corpid.as_str(),
        user.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A member's login.
pub async fn find(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<Option<ConsoleUserRow>> {
    Ok(listed(conn, Some((corpid, user)), None, 1).await?.pop())
}

/// Up to `limit` logins after that corp and member.
pub async fn page(
    conn: &mut PgConnection,
    after: Option<(String, String)>,
    limit: i64,
) -> sqlx::Result<Vec<ConsoleUserRow>> {
    listed(conn, None, after, limit).await
}

async fn listed(
    conn: &mut PgConnection,
    one: Option<(&CorpId, &UserId)>,
    after: Option<(String, String)>,
    limit: i64,
) -> sqlx::Result<Vec<ConsoleUserRow>> {
    let (corpid, user) = one.map(|(corpid, user)| (corpid.as_str(), user.as_str())).unzip();
    let (after_corp, after_user) = after.unwrap_or_default();
    sqlx::query_as!(
        ConsoleUserRow,
        r#"
        select allowed.corpid as "corpid: CorpId", allowed.wechat_userid as "wechat_userid: UserId", member.name as "name?",
            role as "role: Role", own_only, added_by, added_at
        from console_user allowed
        left join member on member.corpid = allowed.corpid and member.wechat_userid = allowed.wechat_userid
        where ($1::text is null or allowed.corpid = $1) and ($2::text is null or allowed.wechat_userid = $2)
            and (allowed.corpid, allowed.wechat_userid) > ($3, $4)
        order by allowed.corpid, allowed.wechat_userid
        limit $5
        "#,
        corpid,
        user,
        after_corp,
        after_user,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Withdraws the logins of those among these members who have left, even if they come back.
pub async fn turn_out(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from console_user allowed
        using unnest($1::text[], $2::text[]) of_batch (corpid, wechat_userid)
        cross join lateral (
            select left_at, joined_at from member
            where member.corpid = of_batch.corpid and member.wechat_userid = of_batch.wechat_userid
            offset 0
        ) member
        where allowed.corpid = of_batch.corpid and allowed.wechat_userid = of_batch.wechat_userid
            and member.left_at >= coalesce(member.joined_at, '-infinity')
        "#,
        corps,
        users,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A member's userid changed: their login and their sessions move to the new one.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with former as (
            delete from console_user where corpid = $1 and wechat_userid = $2 returning role, own_only, added_by, added_at
        ), moved as (
            update console_session set wechat_userid = $3
            where wechat_userid = $2 and corpid is not distinct from $1
        )
        insert into console_user (corpid, wechat_userid, role, own_only, added_by, added_at)
        select $1, $3, role, own_only, added_by, added_at from former
        on conflict on constraint console_user_key do nothing
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
