//! `wecom_token`: the access_token of each corp and secret, sealed, and WeCom's last refusal.
//!
//! Every time is PostgreSQL's and leaves this file as seconds from now, so processes with different clocks agree on a
//! token's expiry.

use sqlx::PgConnection;

use crate::ids::CorpId;

/// The owner of a token.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// The hash of the corp and the secret.
    pub secret_hash: &'a [u8],
}

/// A token's row.
#[derive(Debug, Clone)]
pub struct Row {
    /// The token, sealed; none if there was none yet.
    pub token: Option<Vec<u8>>,
    /// Incremented whenever the token changes.
    pub generation: i64,
    /// Whether WeCom has rejected it.
    pub rejected: bool,
    /// How many seconds it is still valid.
    pub left_s: f64,
    /// How many seconds ago it was fetched from WeCom.
    pub age_s: f64,
    /// How often in a row WeCom refused to issue one.
    pub refusals: i32,
    /// The errcode of the last refusal.
    pub refused_code: Option<i64>,
    /// The errmsg of the last refusal.
    pub refused_words: Option<String>,
    /// For how many seconds WeCom must not be asked; 0 or less if it may be.
    pub blocked_s: f64,
}

/// A renewed token.
#[derive(Debug, Clone, Copy)]
pub struct Renewed {
    /// Its generation.
    pub generation: i64,
    /// How many seconds it is valid.
    pub left_s: f64,
}

/// A row that was not refreshed for this many days belongs to a secret that is no longer used.
const FORGOTTEN_DAYS: i32 = 90;

/// The token's row, without waiting for a refresh in progress.
pub async fn find(conn: &mut PgConnection, key: Key<'_>) -> sqlx::Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        r#"
        select token, generation, rejected, refusals, refused_code, refused_words,
            coalesce(extract(epoch from expires_at - clock_timestamp()), 0)::float8 as "left_s!",
            coalesce(extract(epoch from clock_timestamp() - refreshed_at), 0)::float8 as "age_s!",
            coalesce(extract(epoch from blocked_until - clock_timestamp()), 0)::float8 as "blocked_s!"
        from wecom_token
        where corpid = $1 and secret_hash = $2
        "#,
        key.corpid.as_str(),
        key.secret_hash,
    )
    .fetch_optional(conn)
    .await
}

/// Locks the token's row until `conn`'s transaction ends, inserting it if missing: only the lock's holder asks WeCom,
/// and the next holder sees what it wrote.
pub async fn lock(conn: &mut PgConnection, key: Key<'_>) -> sqlx::Result<Row> {
    let made = sqlx::query!(
        "insert into wecom_token (corpid, secret_hash) values ($1, $2) on conflict do nothing",
        key.corpid.as_str(),
        key.secret_hash,
    )
    .execute(&mut *conn)
    .await?;
    if made.rows_affected() > 0 {
        forget_unused(conn).await?;
    }
    sqlx::query_as!(
        Row,
        r#"
        select token, generation, rejected, refusals, refused_code, refused_words,
            coalesce(extract(epoch from expires_at - clock_timestamp()), 0)::float8 as "left_s!",
            coalesce(extract(epoch from clock_timestamp() - refreshed_at), 0)::float8 as "age_s!",
            coalesce(extract(epoch from blocked_until - clock_timestamp()), 0)::float8 as "blocked_s!"
        from wecom_token
        where corpid = $1 and secret_hash = $2
        for update
        "#,
        key.corpid.as_str(),
        key.secret_hash,
    )
    .fetch_one(conn)
    .await
}

/// Stores WeCom's token, if the row still has the generation that was read; otherwise returns `None` and changes
/// nothing.
///
/// If WeCom returned the `same` token again, it keeps its generation and the earlier of the two expiries, because
/// WeCom does not say whether it was prolonged. A stored expiry that has passed is ignored, since WeCom still issues
/// the token.
pub async fn renew(
    conn: &mut PgConnection,
    key: Key<'_>,
    read: i64,
    token: &[u8],
    same: bool,
    life_s: f64,
) -> sqlx::Result<Option<Renewed>> {
    sqlx::query_as!(
        Renewed,
        r#"
        update wecom_token
        set token = $4,
            generation = case when $5 then generation else generation + 1 end,
            rejected = false,
            expires_at = case
                when $5 and expires_at > clock_timestamp()
                then least(expires_at, clock_timestamp() + make_interval(secs => $6))
                else clock_timestamp() + make_interval(secs => $6)
            end,
            refreshed_at = clock_timestamp(),
            refusals = 0, refused_code = null, refused_words = null, blocked_until = null
        where corpid = $1 and secret_hash = $2 and generation = $3
        returning generation, extract(epoch from expires_at - clock_timestamp())::float8 as "left_s!"
        "#,
        key.corpid.as_str(),
        key.secret_hash,
        read,
        token,
        same,
        life_s,
    )
    .fetch_optional(conn)
    .await
}

/// Marks the token of this generation as rejected by WeCom; a newer one stays valid.
pub async fn reject(conn: &mut PgConnection, key: Key<'_>, generation: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "update wecom_token set rejected = true where corpid = $1 and secret_hash = $2 and generation = $3",
        key.corpid.as_str(),
        key.secret_hash,
        generation,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that WeCom refused to issue a token: nobody asks again for this long.
pub async fn refuse(
    conn: &mut PgConnection,
    key: Key<'_>,
    code: Option<i64>,
    words: &str,
    pause_s: f64,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update wecom_token
        set refusals = refusals + 1, refused_code = $3, refused_words = $4,
            blocked_until = clock_timestamp() + make_interval(secs => $5)
        where corpid = $1 and secret_hash = $2
        "#,
        key.corpid.as_str(),
        key.secret_hash,
        code,
        words,
        pause_s,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes rows of secrets that were replaced long ago. Locked rows stay.
async fn forget_unused(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from wecom_token
        where (corpid, secret_hash) in (
            select corpid, secret_hash
            from wecom_token
            where greatest(created_at, refreshed_at, blocked_until) < now() - make_interval(days => $1)
            for update skip locked
        )
        "#,
        FORGOTTEN_DAYS,
    )
    .execute(conn)
    .await?;
    Ok(())
}
