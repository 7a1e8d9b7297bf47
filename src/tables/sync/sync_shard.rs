//! `sync_shard`: groups of members whose customers a run reads together, one page after another.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::UserId;
use crate::states::ShardState;

/// A group of members that is not done.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Its number within the run.
    pub id: i64,
    /// The members, as WeCom names them.
    pub users: Vec<UserId>,
    /// Where the next page begins.
    pub cursor: String,
    /// When the reading of its first page began.
    pub began_at: Option<DateTime<Utc>>,
    /// How often it began again.
    pub restarts: i32,
    /// How many of its pages are read.
    pub pages: i32,
    /// Whether a row was left out, so that what was not named says nothing.
    pub unreadable: bool,
    /// How far it is: to be read, or read to its end while what was not named is not marked yet.
    pub state: ShardState,
}

/// Adds a group of members to be read.
pub async fn add(conn: &mut PgConnection, run: i64, group: &[UserId]) -> sqlx::Result<()> {
    let users: Vec<_> = group.iter().map(|user| user.0.clone()).collect();
    sqlx::query!("insert into sync_shard (run_id, users) values ($1, $2)", run, &users).execute(conn).await?;
    Ok(())
}

/// The group to go on with.
pub async fn next(conn: &mut PgConnection, run: i64) -> sqlx::Result<Option<Shard>> {
    sqlx::query_as!(
        Shard,
        r#"
        select id, users as "users: Vec<UserId>", cursor, began_at, restarts, pages, unreadable,
            state as "state: ShardState"
        from sync_shard
        where run_id = $1 and state in ('waiting', 'walked')
        order by id
        limit 1
        "#,
        run,
    )
    .fetch_optional(conn)
    .await
}

/// A page is read, perhaps without some of its rows; without a next one the group is walked.
pub async fn page_read(
    conn: &mut PgConnection,
    run: i64,
    shard: &Shard,
    cursor: &str,
    began_at: DateTime<Utc>,
    unreadable: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sync_shard set cursor = $3, began_at = $4, pages = pages + 1, unreadable = unreadable or $5,
            state = case when $3 = '' then 'walked' else 'waiting' end
        where run_id = $1 and id = $2
        "#,
        run,
        shard.id,
        cursor,
        began_at,
        unreadable,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The cursor is not accepted any more: the group begins again.
pub async fn restart(conn: &mut PgConnection, run: i64, shard: &Shard) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sync_shard set cursor = '', began_at = null, restarts = restarts + 1, pages = 0, unreadable = false
        where run_id = $1 and id = $2
        "#,
        run,
        shard.id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Somebody in the group is refused: two halves take its place.
pub async fn halve(conn: &mut PgConnection, run: i64, shard: &Shard) -> sqlx::Result<()> {
    let (one, other) = shard.users.split_at(shard.users.len() / 2);
    add(conn, run, one).await?;
    add(conn, run, other).await?;
    sqlx::query!("delete from sync_shard where run_id = $1 and id = $2", run, shard.id).execute(conn).await?;
    Ok(())
}

/// Nothing is left to do for the group: it was read and judged, or it was refused.
pub async fn end(conn: &mut PgConnection, run: i64, shard: &Shard, refused: bool) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update sync_shard set state = case when $3 then 'refused' else 'done' end where run_id = $1 and id = $2
        "#,
        run,
        shard.id,
        refused,
    )
    .execute(conn)
    .await?;
    Ok(())
}
