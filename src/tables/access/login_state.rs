//! `login_state`: links by which staff members bind themselves. Only the hash of a link's state is stored.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::CorpId;

/// The purpose of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The corp.
    pub corpid: CorpId,
    /// The app through which the login goes: `enterprise_wechat_config.id`.
    pub app_id: i32,
    /// The business's id of the staff member to bind.
    pub staff_id: String,
}

/// Stores a new link for `life_s` seconds, and returns its expiry. Expired links are deleted.
pub async fn make(conn: &mut PgConnection, hash: &[u8], made: &Made, life_s: f64) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query!("delete from login_state where expires_at < now()").execute(&mut *conn).await?;
    sqlx::query_scalar!(
        r#"
        insert into login_state (state_hash, corpid, app_id, staff_id, expires_at)
        values ($1, $2, $3, $4, now() + make_interval(secs => $5))
        returning expires_at
        "#,
        hash,
        made.corpid.as_str(),
        made.app_id,
        made.staff_id,
        life_s,
    )
    .fetch_one(conn)
    .await
}

/// Deletes the links of these staff members.
pub async fn forget_of(conn: &mut PgConnection, corps: &[String], staff: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from login_state
        using unnest($1::text[], $2::text[]) gone (corpid, staff_id)
        where login_state.corpid = gone.corpid and login_state.staff_id = gone.staff_id
        "#,
        corps,
        staff,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Redeems a link, which cannot be used again; `None` if it is unknown, used or expired.
pub async fn redeem(conn: &mut PgConnection, hash: &[u8]) -> sqlx::Result<Option<Made>> {
    sqlx::query_as!(
        Made,
        r#"
        delete from login_state
        where state_hash = $1 and expires_at > now()
        returning corpid as "corpid: CorpId", app_id, staff_id
        "#,
        hash,
    )
    .fetch_optional(conn)
    .await
}
