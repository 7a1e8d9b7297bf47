//! `member_alias`: which userid a member goes by now, for every id they ever had.
//!
//! Renames may arrive in any order, so a person is a *component*: all ids that renames connect. Its current id is
//! the new id of its latest rename, by (time, id). Both are functions of the set of renames.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    changes::Rename,
    ids::{CorpId, UserId},
};

/// The ids that a rename made obsolete, and the one that took their place.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    /// Ids under which rows may still stand.
    pub from: Vec<UserId>,
    /// The id under which they belong.
    pub to: UserId,
}

/// Learns of a rename: joins the two ids' components and decides anew what the person goes by.
pub async fn learn(conn: &mut PgConnection, rename: &Rename) -> sqlx::Result<Moved> {
    let (old, new) = (rename.old.as_str(), rename.new.as_str());
    let known = sqlx::query!(
        r#"
        select known.alias as "alias!: UserId", known.wechat_userid as "current!: UserId", known.decided_at as "decided_at!"
        from (
            select distinct wechat_userid from member_alias where corpid = $1 and alias in ($2, $3) offset 0
        ) current
        cross join lateral (
            select alias.* from member_alias alias
            where alias.wechat_userid = current.wechat_userid and alias.corpid is not distinct from $1
            offset 0
        ) known
        "#,
        rename.corpid.as_str(),
        old,
        new,
    )
    .fetch_all(&mut *conn)
    .await?;
    let decisions = known.iter().map(|row| (row.decided_at, row.current.clone()));
    let said = (rename.at, rename.new.clone());
    let (decided_at, to) = decisions.chain([said.clone()]).max().unwrap_or(said);
    let mut ids: Vec<UserId> = known.into_iter().map(|row| row.alias).collect();
    ids.extend([rename.old.clone(), rename.new.clone()]);
    ids.sort();
    ids.dedup();
    write(conn, &rename.corpid, &ids, &to, decided_at).await?;
    Ok(Moved { from: ids.into_iter().filter(|id| *id != to).collect(), to })
}

/// The current ids of those among `users` that go by another one now.
pub async fn resolve<'a>(
    conn: &mut PgConnection,
    users: impl Iterator<Item = (&'a CorpId, &'a UserId)>,
) -> sqlx::Result<BTreeMap<(CorpId, UserId), UserId>> {
    let mut wanted: Vec<_> = users.collect();
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (corps, ids): (Vec<_>, Vec<_>) = wanted.into_iter().map(|(corp, id)| (corp.0.clone(), id.0.clone())).unzip();
    let rows = sqlx::query!(
        r#"
        select corpid as "corpid: CorpId", alias as "alias: UserId", alias.wechat_userid as "current: UserId"
        from unnest($1::text[], $2::text[]) wanted (corpid, alias)
        join member_alias alias using (corpid, alias)
        where alias.wechat_userid <> alias
        "#,
        &corps,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some(((row.corpid?, row.alias?), row.current))).collect())
}

/// The id that a member goes by now.
pub async fn current(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<UserId> {
    let known = sqlx::query_scalar!(
        r#"select wechat_userid as "current: UserId" from member_alias where corpid = $1 and alias = $2"#,
        corpid.as_str(),
        user.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(known.unwrap_or_else(|| user.clone()))
}

async fn write(
    conn: &mut PgConnection,
    corpid: &CorpId,
    ids: &[UserId],
    to: &UserId,
    decided_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let ids: Vec<_> = ids.iter().map(|id| id.0.clone()).collect();
    sqlx::query!(
        r#"
        insert into member_alias (corpid, alias, wechat_userid, decided_at)
        select $1, alias, $3, $4 from unnest($2::text[]) alias
        on conflict on constraint member_alias_key
        do update set wechat_userid = excluded.wechat_userid, decided_at = excluded.decided_at
        "#,
        corpid.as_str(),
        &ids,
        to.as_str(),
        decided_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
