//! `api_token`: who may call the admin API. It sees hashes only; a token itself is known to its owner alone.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::CorpId;

/// A token that still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The token's number.
    pub id: i32,
    /// Who it was made for.
    pub name: String,
    /// viewer, operator or admin.
    pub role: String,
}

/// A token in a list.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The token's number.
    pub id: i32,
    /// Who it was made for.
    pub name: String,
    /// viewer, operator or admin.
    pub role: String,
    /// How it begins, so that people can tell tokens apart.
    pub prefix: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it no longer counts.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Keeps a new token's hash; returns its number.
pub async fn create(
    conn: &mut PgConnection,
    name: &str,
    role: &str,
    hash: &[u8; 32],
    prefix: &str,
) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "insert into api_token (name, role, hash, prefix) values ($1, $2, $3, $4) returning id",
        name,
        role,
        &hash[..],
        prefix,
    )
    .fetch_one(conn)
    .await
}

/// The token with that hash, unless it was revoked.
pub async fn find_live(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Live>> {
    sqlx::query_as!(Live, "select id, name, role from api_token where hash = $1 and revoked_at is null", &hash[..],)
        .fetch_optional(conn)
        .await
}

/// Every token that was ever made, in the order of making.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as!(Listed, "select id, name, role, prefix, created_at, revoked_at from api_token order by id")
        .fetch_all(conn)
        .await
}

/// Ends a token; `false` if there is none of that number, or it had ended before.
pub async fn revoke(conn: &mut PgConnection, id: i32) -> sqlx::Result<bool> {
    let result = sqlx::query!("update api_token set revoked_at = now() where id = $1 and revoked_at is null", id)
        .execute(conn)
        .await?;
    Ok(result.rows_affected() > 0)
}

/// A token becomes a staff member's own: it ends when they leave.
pub async fn belong(conn: &mut PgConnection, id: i32, corpid: &CorpId, staff_id: &str) -> sqlx::Result<()> {
    sqlx::query!("update api_token set corpid = $2, staff_id = $3 where id = $1", id, corpid.as_str(), staff_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends the tokens of these staff members.
pub async fn revoke_of(conn: &mut PgConnection, corps: &[String], staff: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update api_token set revoked_at = now()
        from unnest($1::text[], $2::text[]) gone (corpid, staff_id)
        where api_token.staff_id = gone.staff_id and api_token.corpid = gone.corpid and revoked_at is null
        "#,
        corps,
        staff,
    )
    .execute(conn)
    .await?;
    Ok(())
}
