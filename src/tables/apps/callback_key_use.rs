//! `callback_key_use`: how many deliveries still use callback keys that were replaced, so that an administrator who
//! changes them sees when WeCom has switched.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Adds deliveries of an app that used keys from before `rotated_at`.
pub async fn add(conn: &mut PgConnection, app_id: i32, rotated_at: DateTime<Utc>, deliveries: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into callback_key_use as own (app_id, rotated_at, deliveries, last_at) values ($1, $2, $3, now())
        on conflict on constraint callback_key_use_key
        do update set deliveries = own.deliveries + excluded.deliveries, last_at = excluded.last_at
        "#,
        app_id,
        rotated_at,
        deliveries,
    )
    .execute(conn)
    .await?;
    Ok(())
}
