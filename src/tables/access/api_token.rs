//! `api_token`: the tokens of the admin API. Only hashes are stored; the token itself is known to its owner alone.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::own::Own;
use crate::ids::{CorpId, StaffId};
use crate::states::Role;

/// A valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The token's number.
    pub id: i32,
    /// Who it was made for.
    pub name: String,
    /// viewer, operator or admin.
    pub role: Role,
    /// Whether the last recorded use is more than a minute ago.
    pub unused_lately: bool,
    /// The staff member whose data alone it may read; none if it may read everything.
    pub own: Option<Own>,
}

/// A token in a list.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Token")]
pub struct TokenRow {
    /// The token's number.
    pub id: i32,
    /// Who it was made for.
    pub name: String,
    /// viewer, operator or admin.
    pub role: Role,
    /// Its first characters, so that people can tell tokens apart.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it expires; null if it never does.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The staff member to whom it belongs.
    pub staff_id: Option<String>,
    /// Their corp.
    pub corpid: Option<String>,
    /// Whether it may read only their own customers and orders.
    pub own_only: bool,
}

/// Stores a new token's hash; returns its number.
pub async fn create(
    conn: &mut PgConnection,
    name: &str,
    role: Role,
    hash: &[u8; 32],
    prefix: &str,
) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "insert into api_token (name, role, hash, prefix) values ($1, $2, $3, $4) returning id",
        name,
        role.as_str(),
        &hash[..],
        prefix,
    )
    .fetch_one(conn)
    .await
}

/// Makes a new token expire this many days after it was made.
pub async fn expire_in(conn: &mut PgConnection, id: i32, days: i32) -> sqlx::Result<()> {
    sqlx::query!("update api_token set expires_at = created_at + make_interval(days => $2) where id = $1", id, days)
        .execute(conn)
        .await?;
    Ok(())
}

/// The token with that hash, unless it was revoked or has expired.
pub async fn find_live(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Live>> {
    let row = sqlx::query!(
        r#"
        select id, name, role as "role: Role", own_only, corpid as "corpid: CorpId", staff_id as "staff_id: StaffId",
            coalesce(last_used_at < now() - interval '1 minute', true) as "unused_lately!"
        from api_token
        where hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())
        "#,
        &hash[..],
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| {
        let own = it.corpid.zip(it.staff_id).filter(|_| it.own_only);
        let own = own.map(|(corpid, staff_id)| Own { corpid, staff_id });
        Live { id: it.id, name: it.name, role: it.role, unused_lately: it.unused_lately, own }
    }))
}

/// The hashes among these that belong to valid tokens.
pub async fn live_among(conn: &mut PgConnection, hashes: &[Vec<u8>]) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        r#"
        select hash
        from api_token
        where hash = any($1) and revoked_at is null and (expires_at is null or expires_at > now())
        "#,
        hashes,
    )
    .fetch_all(conn)
    .await
}

/// Records a use of a token. Of concurrent uses one is written.
pub async fn used(conn: &mut PgConnection, id: i32) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update api_token set last_used_at = now()
        where id = $1 and coalesce(last_used_at < now() - interval '1 minute', true)
        "#,
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every token ever made, oldest first.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<TokenRow>> {
    page(conn, 0, i64::MAX).await
}

/// Up to `limit` of them after that number.
pub async fn page(conn: &mut PgConnection, after: i32, limit: i64) -> sqlx::Result<Vec<TokenRow>> {
    sqlx::query_as!(
        TokenRow,
        r#"
        select id, name, role as "role: Role", prefix, created_at, expires_at, last_used_at, revoked_at, staff_id, corpid,
            own_only
        from api_token
        where id > $1
        order by id
        limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The token of that number, valid or not.
pub async fn find(conn: &mut PgConnection, id: i32) -> sqlx::Result<Option<TokenRow>> {
    sqlx::query_as!(
        TokenRow,
        r#"
        select id, name, role as "role: Role", prefix, created_at, expires_at, last_used_at, revoked_at, staff_id, corpid,
            own_only
        from api_token
        where id = $1
        "#,
        id,
    )
    .fetch_optional(conn)
    .await
}

/// Revokes a token; `false` if there is none of that number, or it had ended before.
pub async fn revoke(conn: &mut PgConnection, id: i32) -> sqlx::Result<bool> {
    let result = sqlx::query!("update api_token set revoked_at = now() where id = $1 and revoked_at is null", id)
        .execute(conn)
        .await?;
    Ok(result.rows_affected() > 0)
}

/// Assigns a token to a staff member: it ends when they leave.
pub async fn belong(conn: &mut PgConnection, id: i32, corpid: &CorpId, staff_id: &str) -> sqlx::Result<()> {
    sqlx::query!("update api_token set corpid = $2, staff_id = $3 where id = $1", id, corpid.as_str(), staff_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Limits a staff member's token to their own customers and orders.
pub async fn limit_to_own(conn: &mut PgConnection, id: i32) -> sqlx::Result<()> {
    sqlx::query!("update api_token set own_only = true where id = $1", id).execute(conn).await?;
    Ok(())
}

/// Revokes the tokens of these staff members.
pub async fn revoke_of(conn: &mut PgConnection, corps: &[String], staff: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update api_token set revoked_at = now()
        where id = any(array(
            select own.id
            from unnest($1::text[], $2::text[]) gone (corpid, staff_id)
            cross join lateral (
                select id, corpid from api_token
                where api_token.staff_id = gone.staff_id and revoked_at is null
                offset 0
            ) own
            where own.corpid = gone.corpid
        ))
            and revoked_at is null
        "#,
        corps,
        staff,
    )
    .execute(conn)
    .await?;
    Ok(())
}
