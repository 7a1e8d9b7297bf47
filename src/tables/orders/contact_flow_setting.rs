//! `contact_flow_setting`: what the program's settings say about the contact flow, for SQL and every process alike.

use sqlx::PgConnection;

/// Writes the settings down. Which ways match says something about contacts that come from now on.
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
