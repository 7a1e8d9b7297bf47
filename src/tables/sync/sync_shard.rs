//! `sync_shard`: groups of members whose customers a run reads together, page by page.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::UserId;
use crate::states::ShardState;

/// A group of members that is not finished.
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
    /// How often it was restarted.
    pub restarts: i32,
    /// How many of its pages were read.
    pub pages: i32,
    /// Whether a row was left out; then a contact that was not listed proves nothing.
    pub unreadable: bool,
    /// Its progress: still to be read, or read to its end while missing contacts are not marked yet.
    pub state: ShardState,
}

/// Adds a group of members to be read.
pub async fn add(conn: &mut PgConnection, run: i64, group: &[UserId]) -> sqlx::Result<()> {
    let users: Vec<_> = group.iter().map(|user| user.0.clone()).collect();
    sqlx::query!("insert into sync_shard (run_id, users) values ($1, $2)", run, &users).execute(conn).await?;
    Ok(())
}

/// The next group to read.
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

/// The members of the group at this position among a run's groups; none behind the last.
pub async fn users_at(conn: &mut PgConnection, run: i64, position: i32) -> sqlx::Result<Option<Vec<UserId>>> {
    sqlx::query_scalar!(
        r#"select users as "users: Vec<UserId>" from sync_shard where run_id = $1 order by id offset $2 limit 1"#,
        run,
        i64::from(position),
    )
    .fetch_optional(conn)
    .await
}

/// Records that a page was read, perhaps without some of its rows; without a next page the group is read to its end.
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

/// Restarts the group, because WeCom no longer accepts the cursor.
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

/// Replaces the group by two halves, because WeCom refuses one of its members.
pub async fn halve(conn: &mut PgConnection, run: i64, shard: &Shard) -> sqlx::Result<()> {
    let (one, other) = shard.users.split_at(shard.users.len() / 2);
    add(conn, run, one).await?;
    add(conn, run, other).await?;
    sqlx::query!("delete from sync_shard where run_id = $1 and id = $2", run, shard.id).execute(conn).await?;
    Ok(())
}

/// Ends the group: it was read and compared, or it was refused.
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
