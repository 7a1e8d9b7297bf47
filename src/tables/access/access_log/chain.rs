//! The hash chains of `access_log`: each line carries a hash of its content and of the line before it. The database
//! computes them as lines are written; this file reads them and computes them again to compare. What a difference
//! means is not judged here.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// The predecessor's hash of a chain's first line.
pub const BEGINNING: [u8; 32] = [0; 32];

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The chain's number.
    pub chain: i16,
    /// How many lines were written to it.
    pub position: i64,
    /// The hash of the last line.
    pub hash: Vec<u8>,
}

/// A line with its position in a chain.
#[derive(Debug, Clone)]
pub struct Line {
    /// The line's number.
    pub id: i64,
    /// When the request was carried out.
    pub at: DateTime<Utc>,
    /// The caller's token.
    pub token_id: Option<i32>,
    /// The token's owner.
    pub who: String,
    /// Their role.
    pub role: String,
    /// The method.
    pub method: String,
    /// The route's pattern.
    pub route: String,
    /// The subject of the request.
    pub subject: String,
    /// The customer whose data it concerned.
    pub customer: String,
    /// The status of the answer.
    pub status: i16,
    /// How many such requests the line stands for.
    pub times: i32,
    /// The request's id.
    pub request_id: Uuid,
    /// The client's address.
    pub address: String,
    /// The line's chain.
    pub chain: i16,
    /// The position in the chain, from 1.
    pub position: i64,
    /// The hash of the line before.
    pub previous: Vec<u8>,
    /// The hash stored when the line was written.
    pub hash: Vec<u8>,
}

impl Line {
    /// The hash of the line's present content.
    ///
    /// SHA-256 over netstrings, so that different lines never have the same input; `access_log_hash` in the
    /// migrations computes it for lines as they are written.
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

/// Begins a transaction that reads one moment, whatever is written meanwhile.
pub async fn as_of_now(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with("begin isolation level repeatable read, read only").await
}

/// The point where a chain continues after its older lines were dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The chain's number.
    pub chain: i16,
    /// The position of the last dropped line.
    pub position: i64,
    /// The hash of that line.
    pub hash: Vec<u8>,
    /// The time of the latest dropped line.
    pub until_at: DateTime<Utc>,
    /// When they were dropped.
    pub dropped_at: DateTime<Utc>,
}

/// Every point at which old lines were dropped, in the order of chains and positions.
pub async fn anchors(conn: &mut PgConnection) -> sqlx::Result<Vec<Anchor>> {
    sqlx::query_as!(
        Anchor,
        "select chain, position, hash, until_at, dropped_at from access_anchor order by chain, position"
    )
    .fetch_all(conn)
    .await
}

/// The end of each chain, in the order of their numbers.
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

/// A chain that has lines and is not in `chains`. It looks once per chain, however many lines there are.
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
