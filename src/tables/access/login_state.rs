//! `login_state`: links by which staff members bind themselves. What is kept of a link's state is its hash.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::CorpId;

/// What a link was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The corp.
    pub corpid: CorpId,
    /// Through which app the login goes: `enterprise_wechat_config.id`.
    pub app_id: i32,
    /// Whom it binds: the business's id of the staff member.
    pub staff_id: String,
}

/// Keeps a new link for `life_s` seconds, and says until when. Links that are over go.
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

/// Forgets the links of these staff members.
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

/// Takes a link, which then is none any more; `None` if there is no such one, it was used, or its time is over.
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
