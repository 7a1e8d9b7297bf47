//! `wecom_token`: the access token of each corp and secret, sealed, and what WeCom said when it gave none.
//!
//! Every time is PostgreSQL's, and leaves as seconds from now: processes whose clocks differ agree on a token's life.

use sqlx::PgConnection;

use crate::ids::CorpId;

/// Whose token it is.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// The hash of the corp and the secret.
    pub secret_hash: &'a [u8],
}

/// How a token stands.
#[derive(Debug, Clone)]
pub struct Row {
    /// The token, sealed; none if there was none yet.
    pub token: Option<Vec<u8>>,
    /// Grows by one whenever the token becomes another.
    pub generation: i64,
    /// Whether WeCom did not accept it.
    pub rejected: bool,
    /// How many seconds it still lives.
    pub left_s: f64,
    /// How many seconds ago WeCom was asked for it.
    pub age_s: f64,
    /// How often in a row WeCom refused to make one.
    pub refusals: i32,
    /// What it said last: the code.
    pub refused_code: Option<i64>,
    /// And the words.
    pub refused_words: Option<String>,
    /// For how many seconds nobody asks again; 0 or less if anybody may.
    pub blocked_s: f64,
}

/// How a token stands once it was renewed.
#[derive(Debug, Clone, Copy)]
pub struct Renewed {
    /// Its number.
    pub generation: i64,
    /// How many seconds it lives.
    pub left_s: f64,
}

/// A row that was not refreshed for so many days belongs to a secret that nobody uses.
const FORGOTTEN_DAYS: i32 = 90;

/// The token as it stands, without waiting for whoever refreshes it.
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

/// Holds the token's row, which is made if there is none, until `conn`'s transaction ends: only its holder asks WeCom.
/// Whoever waited sees what the one before it wrote.
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

/// Writes what WeCom gave, if the row still holds the generation that was read; else `None`, and nothing is changed.
///
/// If it is the `same` token again, it keeps its number and the earlier of the two ends: whether WeCom prolonged it is
/// not said. An end that has passed was none, since WeCom still gives the token out.
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

/// WeCom does not accept the token of this generation; a newer one stays as it is.
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

/// WeCom refused to make a token: nobody asks again for so long.
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

/// Takes away what belonged to secrets that were replaced long ago. Rows that somebody holds stay.
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
