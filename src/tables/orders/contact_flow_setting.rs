//! `contact_flow_setting`: the settings of the contact flow, stored for SQL and for every process.

use sqlx::PgConnection;

/// Stores the settings. A changed matching order affects contacts from now on.
pub async fn save(
    conn: &mut PgConnection,
    matching_order: &[String],
    order_url: &str,
    kf_trust_scene_param: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update contact_flow_setting set matching_order = $1, order_url = $2, kf_trust_scene_param = $3
        where (matching_order, order_url, kf_trust_scene_param) is distinct from ($1, $2, $3)
        "#,
        matching_order,
        order_url,
        kf_trust_scene_param,
    )
    .execute(conn)
    .await?;
    Ok(())
}
