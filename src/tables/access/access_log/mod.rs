//! `access_log`: who called which route about which subject. Rows are only ever appended. What an action did is not
//! known here.

pub mod chain;

pub mod months;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// One request to the admin API.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The caller's token; none if the caller is not authenticated.
    pub token_id: Option<i32>,
    /// The token's owner; `-` if the caller is not authenticated.
    pub who: &'a str,
    /// viewer, operator or admin; `-` if the caller is not authenticated.
    pub role: &'a str,
    /// The method.
    pub method: &'a str,
    /// The route's pattern; `-` if the path was not routed.
    pub route: &'a str,
    /// The subject of the request; empty for a whole list.
    pub subject: &'a str,
    /// The customer whose data it concerned, by the requested id; empty if it was about no single one.
    pub customer: &'a str,
    /// The status of the answer.
    pub status: i16,
    /// How many such requests the line stands for.
    pub times: i32,
    /// The request's id, as the caller and our log know it.
    pub request_id: Uuid,
    /// The client's address.
    pub address: &'a str,
}

/// A line in a list.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "AccessLogLine")]
pub struct AccessLogRow {
    /// The line's number.
    pub id: i64,
    /// When the request was carried out.
    pub at: DateTime<Utc>,
    /// The caller's token.
    pub token_id: Option<i32>,
    /// Who the token was made for.
    pub who: String,
    /// Their role.
    // Not a `Role`: it is `-` for unauthenticated callers, and a line must stay readable as it was hashed.
    pub role: String,
    /// The method.
    pub method: String,
    /// The route's pattern.
    pub route: String,
    /// Whom or what it was about.
    pub subject: String,
    /// The customer whose data it was about.
    pub customer: String,
    /// The status it was answered with.
    pub status: i16,
    /// How many such requests the line stands for.
    pub times: i32,
    /// The request's id.
    pub request_id: Uuid,
    /// Where it came from.
    pub address: String,
}

/// Which lines to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this caller.
    pub who: Option<String>,
    /// Only of this route, by its pattern.
    pub route: Option<String>,
    /// Only about this subject.
    pub subject: Option<String>,
    /// Only about this customer.
    pub customer: Option<String>,
    /// Only answered with this status.
    pub status: Option<i16>,
    /// Only from this time on.
    pub since: Option<DateTime<Utc>>,
    /// Only before this time.
    pub until: Option<DateTime<Utc>>,
    /// Only older than the line with this number.
    pub before: Option<i64>,
}

/// Appends a request. This must be the last statement of its transaction: the line takes a place in a chain, and the
/// chain stays locked until the transaction ends.
pub async fn append(conn: &mut PgConnection, entry: &Entry<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into access_log
            (token_id, who, role, method, route, subject, customer, status, times, request_id, address)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        "#,
        entry.token_id,
        entry.who,
        entry.role,
        entry.method,
        entry.route,
        entry.subject,
        entry.customer,
        entry.status,
        entry.times,
        entry.request_id,
        entry.address,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `limit` matching lines, latest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<AccessLogRow>> {
    sqlx::query_as!(
        AccessLogRow,
        r#"
        select id, at, token_id, who, role, method, route, subject, customer, status, times, request_id, address
        from access_log
        where ($1::text is null or who = $1)
            and ($2::text is null or route = $2)
            and ($3::text is null or subject = $3 and subject <> '')
            and ($4::text is null or customer = $4 and customer <> '')
            and ($5::smallint is null or status = $5)
            and ($6::timestamptz is null or at >= $6)
            and ($7::timestamptz is null or at < $7)
            and ($8::bigint is null or id < $8)
        order by id desc
        limit $9
        "#,
        filter.who.as_deref(),
        filter.route.as_deref(),
        filter.subject.as_deref(),
        filter.customer.as_deref(),
        filter.status,
        filter.since,
        filter.until,
        filter.before,
        limit,
    )
    .fetch_all(conn)
    .await
}
