//! `contact_flow_setting`: the settings of the contact flow, stored for SQL and for every process.

use sqlx::PgConnection;

/// Stores the settings. A changed matching order affects contacts from now on.
pub async fn save(conn: &mut PgConnection, matching_order: &[String], order_url: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update contact_flow_setting set matching_order = $1, order_url = $2
        where (matching_order, order_url) is distinct from ($1, $2)
        "#,
        matching_order,
        order_url,
    )
    .execute(conn)
    .await?;
    Ok(())
}
