//! `access_log`: who did what to which subject. Only ever appended to; it refuses to know what an action did.

use sqlx::PgConnection;
use uuid::Uuid;

/// One request to the admin API.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The caller's token; none if the caller is unknown.
    pub token_id: Option<i32>,
    /// Who the token was made for; `-` if the caller is unknown.
    pub who: &'a str,
    /// viewer, operator or admin; `-` if the caller is unknown.
    pub role: &'a str,
    /// The method.
    pub method: &'a str,
    /// The route's pattern.
    pub route: &'a str,
    /// Whom or what the request was about; empty for a list.
    pub subject: &'a str,
    /// The status it was answered with.
    pub status: i16,
    /// The id that the caller and our own log know it by.
    pub request_id: Uuid,
    /// Where the request came from.
    pub address: &'a str,
}

/// Writes a request down.
pub async fn append(conn: &mut PgConnection, entry: &Entry<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into access_log (token_id, who, role, method, route, subject, status, request_id, address)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        entry.token_id,
        entry.who,
        entry.role,
        entry.method,
        entry.route,
        entry.subject,
        entry.status,
        entry.request_id,
        entry.address,
    )
    .execute(conn)
    .await?;
    Ok(())
}
