//! `console_session`: browser sessions of the console. Only hashes are stored; the cookie is known to the browser
//! alone.
//!
//! For each request the database is asked whether the session is valid, together with the right it depends on, so a
//! withdrawn right ends in every process at once.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use super::own::Own;
use crate::ids::{CorpId, StaffId, UserId};
use crate::states::Role;

/// How long a session lasts at most, in seconds; the view `console_session_live` also ends one that is unused for an
/// hour.
pub const LIFE_S: f64 = 12.0 * 3_600.0;

/// How many sessions of one member, or of one token, may be open: one more ends the oldest.
pub const OPEN_MAX: i64 = 50;

/// How many sessions of one member, or of one token, may be made in a minute.
pub const MADE_PER_MINUTE: i64 = 20;

/// How many days an ended session is kept.
const KEPT_DAYS: i32 = 30;

/// A session to make.
#[derive(Debug)]
pub struct New<'a> {
    /// The cookie's SHA-256.
    pub hash: &'a [u8; 32],
    /// The member or token it belongs to.
    pub of: Of<'a>,
    /// The client's address.
    pub address: &'a str,
    /// The client's browser.
    pub user_agent: &'a str,
}

/// The right that a session depends on.
#[derive(Debug)]
pub enum Of<'a> {
    /// A member who may log in.
    Member(&'a CorpId, &'a UserId),
    /// A token.
    Token(i32),
}

/// A valid session.
#[derive(Debug, Clone)]
pub struct Live {
    /// Its number.
    pub id: i64,
    /// The token it was made with, if it was.
    pub token_id: Option<i32>,
    /// The member's userid, or the token's name.
    pub name: String,
    /// viewer, operator or admin.
    pub role: Role,
    /// Whether the last recorded use is more than a minute ago.
    pub unused_lately: bool,
    /// The staff member whose data alone it may read; none if it may read everything.
    pub own: Option<Own>,
}

/// A session in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionRow {
    /// Its number.
    pub id: i64,
    /// The corp of the member who logged in.
    pub corpid: Option<CorpId>,
    /// The member who logged in.
    pub wechat_userid: Option<UserId>,
    /// The token that it was made with.
    pub token_id: Option<i32>,
    /// viewer, operator or admin, as it is now.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it expires; an hour without use ends it earlier.
    pub expires_at: DateTime<Utc>,
    /// The client's address.
    pub address: String,
    /// The client's browser.
    pub user_agent: String,
}

/// The result of making a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// The new session's number.
    Session(i64),
    /// None was made: too many were made in the last minute, and none will be for this many seconds.
    TooMany(u32),
}

/// Makes a session, unless the member or token made too many lately. Beyond the maximum the oldest open ones end, and
/// long ended ones are deleted.
pub async fn make(conn: &mut PgConnection, new: &New<'_>) -> sqlx::Result<Made> {
    sqlx::query!("delete from console_session where expires_at < now() - make_interval(days => $1)", KEPT_DAYS)
        .execute(&mut *conn)
        .await?;
    let (corpid, user, token_id) = match new.of {
        Of::Member(corpid, user) => (Some(corpid.as_str()), Some(user.as_str()), None),
        Of::Token(id) => (None, None, Some(id)),
    };
    // Concurrent requests are counted one after the other.
    match new.of {
        Of::Member(corpid, user) => {
            let (corpid, user) = (corpid.as_str(), user.as_str());
            sqlx::query!(
                "select 1 as one from console_user where corpid = $1 and wechat_userid = $2 for no key update",
                corpid,
                user,
            )
            .fetch_optional(&mut *conn)
            .await?;
        }
        Of::Token(id) => {
            sqlx::query!("select 1 as one from api_token where id = $1 for no key update", id)
                .fetch_optional(&mut *conn)
                .await?;
        }
    }
    let wait = sqlx::query_scalar!(
        r#"
        select ceil(60 - extract(epoch from now() - created_at))::integer as "wait!"
        from console_session
        where (token_id = $1 or token_id is null and corpid = $2 and wechat_userid = $3)
            and created_at > now() - interval '1 minute'
        order by created_at desc
        offset $4
        limit 1
        "#,
        token_id,
        corpid,
        user,
        MADE_PER_MINUTE - 1,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(wait) = wait {
        return Ok(Made::TooMany(u32::try_from(wait).unwrap_or(1).max(1)));
    }
    let id = insert(conn, new, corpid, user, token_id).await?;
    end_oldest(conn, corpid, user, token_id).await?;
    Ok(Made::Session(id))
}

async fn insert(
    conn: &mut PgConnection,
    new: &New<'_>,
    corpid: Option<&str>,
    user: Option<&str>,
    token_id: Option<i32>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        insert into console_session (hash, corpid, wechat_userid, token_id, expires_at, address, user_agent)
        values ($1, $2, $3, $4, now() + make_interval(secs => $5), $6, $7)
        returning id
        "#,
        &new.hash[..],
        corpid,
        user,
        token_id,
        LIFE_S,
        new.address,
        new.user_agent,
    )
    .fetch_one(conn)
    .await
}

/// Ends the oldest sessions beyond the maximum.
async fn end_oldest(
    conn: &mut PgConnection,
    corpid: Option<&str>,
    user: Option<&str>,
    token_id: Option<i32>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update console_session set ended_at = now()
        where id in (
            select id
            from console_session
            where (token_id = $1 or token_id is null and corpid = $2 and wechat_userid = $3)
                and ended_at is null and expires_at > now()
            order by created_at desc, id desc
            offset $4
        )
        "#,
        token_id,
        corpid,
        user,
        OPEN_MAX,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The session of that cookie, if it is valid: it has not ended, and its owner may still log in.
pub async fn find_live(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Live>> {
    let row = sqlx::query!(
        r#"
        select id as "id!", token_id, name as "name!", role as "role!: Role", own_corpid as "own_corpid: CorpId",
            own_staff_id as "own_staff_id: StaffId",
            last_seen_at < now() - interval '1 minute' as "unused_lately!"
        from console_session_live
        where hash = $1
        "#,
        &hash[..],
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| Live {
        id: it.id,
        token_id: it.token_id,
        name: it.name,
        role: it.role,
        unused_lately: it.unused_lately,
        own: it.own_corpid.zip(it.own_staff_id).map(|(corpid, staff_id)| Own { corpid, staff_id }),
    }))
}

/// The hashes among these that belong to valid sessions.
pub async fn live_among(conn: &mut PgConnection, hashes: &[Vec<u8>]) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(r#"select hash as "hash!" from console_session_live where hash = any($1)"#, hashes)
        .fetch_all(conn)
        .await
}

/// The valid session of that number.
pub async fn find(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<SessionRow>> {
    Ok(listed(conn, Some(id), 0, 1).await?.pop())
}

/// Up to `limit` valid sessions after that number.
pub async fn page(conn: &mut PgConnection, after: i64, limit: i64) -> sqlx::Result<Vec<SessionRow>> {
    listed(conn, None, after, limit).await
}

async fn listed(conn: &mut PgConnection, id: Option<i64>, after: i64, limit: i64) -> sqlx::Result<Vec<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        r#"
        select id as "id!", corpid as "corpid: CorpId", wechat_userid as "wechat_userid: UserId", token_id, role as "role!: Role",
            created_at as "created_at!", last_seen_at as "last_seen_at!", expires_at as "expires_at!",
            address as "address!", user_agent as "user_agent!"
        from console_session_live
        where ($1::bigint is null or id = $1) and id > $2
        order by id
        limit $3
        "#,
        id,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Records a use of a session. Of concurrent uses one is written.
pub async fn used(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "update console_session set last_seen_at = now() where id = $1 and last_seen_at < now() - interval '1 minute'",
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a session; `false` if it was not valid.
pub async fn end(conn: &mut PgConnection, id: i64) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update console_session set ended_at = now() where id in (select id from console_session_live where id = $1)",
        id,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
