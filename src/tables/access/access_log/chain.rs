//! The chains of `access_log`: each line carries a hash of what it says and of the line before it. The database makes
//! them as lines are written; here they are read, and made again to compare. It refuses to judge what it finds.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// What the first line of a chain follows.
pub const BEGINNING: [u8; 32] = [0; 32];

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The chain's number.
    pub chain: i16,
    /// How many lines it has.
    pub position: i64,
    /// What the last of them hashes to.
    pub hash: Vec<u8>,
}

/// A line with its place.
#[derive(Debug, Clone)]
pub struct Line {
    /// The line's number.
    pub id: i64,
    /// When the request was carried out.
    pub at: DateTime<Utc>,
    /// The caller's token.
    pub token_id: Option<i32>,
    /// Who the token was made for.
    pub who: String,
    /// Their role.
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
    /// Which chain it is in.
    pub chain: i16,
    /// Where in it, from 1.
    pub position: i64,
    /// What the line before hashes to.
    pub previous: Vec<u8>,
    /// What it was said to hash to when it was written.
    pub hash: Vec<u8>,
}

impl Line {
    /// What the line hashes to as it stands now.
    ///
    /// SHA-256 over netstrings, so that no two lines that differ read the same; `access_log_hash` in the migrations
    /// does it for lines as they are written.
    pub fn hashed(&self) -> [u8; 32] {
        let parts = [
            hex::encode(&self.previous),
            self.chain.to_string(),
            self.position.to_string(),
            self.id.to_string(),
            self.at.timestamp_micros().to_string(),
            self.token_id.map(|it| it.to_string()).unwrap_or_default(),
            self.who.clone(),
            self.role.clone(),
            self.method.clone(),
            self.route.clone(),
            self.subject.clone(),
            self.customer.clone(),
            self.status.to_string(),
            self.times.to_string(),
            self.request_id.to_string(),
            self.address.clone(),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(format!("{}:{part},", part.len()));
        }
        hash.finalize().into()
    }
}

/// Begins to read as of one moment, whatever is written meanwhile.
pub async fn as_of_now(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with("begin isolation level repeatable read, read only").await
}

/// Where a chain goes on whose older lines were dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The chain's number.
    pub chain: i16,
    /// The last line that was dropped.
    pub position: i64,
    /// What it hashed to.
    pub hash: Vec<u8>,
    /// The time of the latest line that was dropped.
    pub until_at: DateTime<Utc>,
    /// When it was dropped.
    pub dropped_at: DateTime<Utc>,
}

/// Every place at which old lines were dropped, in the order of the chains and their places.
pub async fn anchors(conn: &mut PgConnection) -> sqlx::Result<Vec<Anchor>> {
    sqlx::query_as!(
        Anchor,
        "select chain, position, hash, until_at, dropped_at from access_anchor order by chain, position"
    )
    .fetch_all(conn)
    .await
}

/// Where each chain ends, in the order of their numbers.
pub async fn heads(conn: &mut PgConnection) -> sqlx::Result<Vec<Head>> {
    sqlx::query_as!(Head, "select chain, position, hash from access_chain order by chain").fetch_all(conn).await
}

/// Up to `limit` lines of a chain after that position, in order.
pub async fn stretch(conn: &mut PgConnection, chain: i16, after: i64, limit: i64) -> sqlx::Result<Vec<Line>> {
    sqlx::query_as!(
        Line,
        r#"
        select id, at, token_id, who, role, method, route, subject, customer, status, times, request_id, address,
            chain, position, previous, hash
        from access_log
        where chain = $1 and position > $2
        order by position
        limit $3
        "#,
        chain,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A chain that has lines and is none of these. It looks once for each chain, however many lines there are.
pub async fn astray(conn: &mut PgConnection, chains: &[i16]) -> sqlx::Result<Option<i16>> {
    sqlx::query_scalar!(
        r#"
        with recursive met as (
            (select chain from access_log order by chain limit 1)
            union all
            select (select line.chain from access_log line where line.chain > met.chain order by line.chain limit 1)
            from met
            where met.chain is not null
        )
        select chain as "chain!" from met where chain is not null and chain <> all($1) order by chain limit 1
        "#,
        chains,
    )
    .fetch_optional(conn)
    .await
}
