//! `access_log`: who did what to which subject. Only ever appended to; it refuses to know what an action did.

pub mod chain;

pub mod months;

use chrono::{DateTime, Utc};
use serde::Serialize;
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
    /// The route's pattern; `-` if no route was looked for.
    pub route: &'a str,
    /// Whom or what the request was about; empty for a whole list.
    pub subject: &'a str,
    /// The customer whose data it was about, by the id that was asked for; empty if it was about no single one.
    pub customer: &'a str,
    /// The status it was answered with.
    pub status: i16,
    /// How many such requests the line stands for.
    pub times: i32,
    /// The id that the caller and our own log know it by.
    pub request_id: Uuid,
    /// Where the request came from.
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
    // No `Role`: it is `-` for a stranger, and a line must stay readable as it was written and hashed.
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

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By whom.
    pub who: Option<String>,
    /// On which route, by its pattern.
    pub route: Option<String>,
    /// About which subject.
    pub subject: Option<String>,
    /// About which customer.
    pub customer: Option<String>,
    /// Answered how.
    pub status: Option<i16>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Older than this line.
    pub before: Option<i64>,
}

/// Writes a request down. It has to be the last thing in its transaction: the line takes a place in a chain, and while
/// it has it, nobody else can have that chain.
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

/// Up to `limit` lines that fit, latest first.
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
