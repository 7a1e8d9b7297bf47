//! `member_alias`: the current userid of every spelling of every id that a member ever had.
//!
//! Userids ignore case and can be changed. Both facts may become known in any order, so a person is a *component*:
//! all ids that are spellings of one another or that renames connect. Its current id is the new id of its latest
//! rename, by (time, key), or its only one, in the directory's spelling, or else as [`Named`] says. All of that is a
//! function of the set of events, and everything recorded uses the current id. Only ids that were named as a member's
//! are here; a message's sender alone is not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    changes::{Changes, Named, Person, Rename},
    ids::{CorpId, ExternalUserId, UserId},
};

/// The stored facts about the ids in a batch.
#[derive(Debug, Default)]
pub struct Found {
    /// The current ids of those whose id changed.
    pub current: BTreeMap<(CorpId, UserId), UserId>,
    /// Senders with a customer's id shape who are members, with their current ids.
    pub members: BTreeMap<Person, UserId>,
    /// Ids with a new spelling, or with a time that may change which spelling counts.
    pub news: BTreeSet<(CorpId, UserId)>,
    /// Current ids whose spelling the directory uses, and since when it was last seen to. They stay the current ones.
    pub confirmed: BTreeMap<(CorpId, UserId), DateTime<Utc>>,
}

/// The ids from which rows must move, and the id they move to.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    /// Ids that may still have rows.
    pub from: Vec<UserId>,
    /// The current id.
    pub to: UserId,
    /// Whether no spelling of the id was known before.
    pub is_new: bool,
}

/// A row: one spelling of one id.
struct Alias {
    alias: UserId,
    current: UserId,
    decided_at: Option<DateTime<Utc>>,
    named: Named,
}

impl Alias {
    /// Of several spellings of one id, the one with the greatest rank counts.
    fn rank(&self) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>, &UserId) {
        let Named { said_at, directory_at } = self.named;
        (directory_at, said_at.filter(|_| directory_at.is_none()), &self.alias)
    }
}

/// Looks up everybody in a batch: members' ids in their spelling, and senders who were taken for customers in any
/// spelling.
pub async fn look(conn: &mut PgConnection, changes: &Changes) -> sqlx::Result<Found> {
    let mut named: BTreeMap<_, _> = changes.users().map(|key| (key, Named::default())).collect();
    named.extend(changes.named.iter().map(|((corp, user), named)| ((corp, user), *named)));
    let guessed = changes.guessed();
    if named.is_empty() && guessed.is_empty() {
        return Ok(Found::default());
    }
    let (corps, users): (Vec<_>, Vec<_>) = named.keys().map(|(corp, user)| (corp.0.clone(), user.0.clone())).unzip();
    let said: Vec<_> = named.values().map(|it| it.said_at).collect();
    let directory: Vec<_> = named.values().map(|it| it.directory_at).collect();
    let (guess_corps, senders): (Vec<_>, Vec<_>) = guessed.into_iter().map(|(corp, sender)| (corp.0, sender.0)).unzip();
    let rows = sqlx::query!(
        r#"
        select named.corpid as "corpid!: CorpId", named.userid as "userid!", alias.wechat_userid as "current: UserId",
            false as "guessed!",
            alias.alias is null
                or named.said_at < coalesce(alias.said_at, 'infinity')
                or named.directory_at > coalesce(alias.directory_at, '-infinity') and alias.wechat_userid <> alias.alias
                as "news",
            case when named.directory_at > coalesce(alias.directory_at, '-infinity') then named.directory_at end
                as "directory_at"
        from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
            named (corpid, userid, said_at, directory_at)
        left join member_alias alias on alias.corpid = named.corpid and alias.alias = named.userid
        where alias.alias is null
            or alias.wechat_userid <> alias.alias
            or named.said_at < coalesce(alias.said_at, 'infinity')
            or named.directory_at > coalesce(alias.directory_at, '-infinity')
        union all
        select guess.corpid, guess.sender, same.wechat_userid, true, false, null
        from unnest($5::text[], $6::text[]) guess (corpid, sender)
        cross join lateral (
            select alias.wechat_userid from member_alias alias
            where alias.key = userid_key(guess.sender) and alias.corpid is not distinct from guess.corpid
            limit 1
        ) same
        "#,
        &corps,
        &users,
        &said as _,
        &directory as _,
        &guess_corps,
        &senders,
    )
    .fetch_all(conn)
    .await?;
    let mut found = Found::default();
    for row in rows {
        if row.guessed {
            found.members.extend(row.current.map(|user| ((row.corpid, ExternalUserId(row.userid)), user)));
            continue;
        }
        let key = (row.corpid, UserId(row.userid));
        if row.news == Some(true) {
            found.news.insert(key.clone());
        } else if let Some(at) = row.directory_at {
            found.confirmed.insert(key.clone(), at);
        }
        if let Some(current) = row.current.filter(|it| *it != key.1) {
            found.current.insert(key, current);
        }
    }
    Ok(found)
}

/// Notes when the directory last used these current ids. That makes no other id the current one, so batches of a corp may
/// do it side by side.
pub async fn confirm(
    conn: &mut PgConnection,
    confirmed: &BTreeMap<(CorpId, UserId), DateTime<Utc>>,
) -> sqlx::Result<()> {
    if confirmed.is_empty() {
        return Ok(());
    }
    let (corps, users): (Vec<_>, Vec<_>) =
        confirmed.keys().map(|(corp, user)| (corp.0.clone(), user.0.clone())).unzip();
    let times: Vec<_> = confirmed.values().copied().collect();
    sqlx::query!(
        r#"
        update member_alias own
        set directory_at = greatest(own.directory_at, said.directory_at)
        from unnest($1::text[], $2::text[], $3::timestamptz[]) said (corpid, alias, directory_at)
        where own.corpid = said.corpid and own.alias = said.alias
        "#,
        &corps,
        &users,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds a spelling of an id to the component of its other spellings.
pub async fn name(conn: &mut PgConnection, corpid: &CorpId, user: &UserId, named: Named) -> sqlx::Result<Moved> {
    let mut known = component(conn, corpid, std::slice::from_ref(user)).await?;
    let mut moved = Moved { from: Vec::new(), to: user.clone(), is_new: known.is_empty() };
    match known.iter_mut().find(|it| it.alias == *user) {
        Some(it) => it.named.absorb(named),
        None => {
            moved.from.push(user.clone());
            known.push(Alias { alias: user.clone(), current: user.clone(), decided_at: None, named });
        }
    }
    let decided = decision(&known);
    let key = decided.as_ref().map_or_else(|| user.key(), |(_, key)| key.clone());
    settle(conn, corpid, known, &key, decided.map(|(at, _)| at), moved).await
}

/// Records a rename: joins the two ids' components and decides the current id anew. Both ids must be named before.
pub async fn rename(conn: &mut PgConnection, rename: &Rename) -> sqlx::Result<Moved> {
    let known = component(conn, &rename.corpid, &[rename.old.clone(), rename.new.clone()]).await?;
    let said = (rename.at, rename.new.key());
    let (decided_at, key) = decision(&known).into_iter().chain([said.clone()]).max().unwrap_or(said);
    let from = known.iter().map(|it| it.alias.clone()).collect();
    let moved = Moved { from, to: rename.new.clone(), is_new: false };
    settle(conn, &rename.corpid, known, &key, Some(decided_at), moved).await
}

/// The current ids of those among `users`, in any spelling, whose id changed.
pub async fn resolve<'a>(
    conn: &mut PgConnection,
    users: impl Iterator<Item = (&'a CorpId, &'a UserId)>,
) -> sqlx::Result<BTreeMap<(CorpId, UserId), UserId>> {
    let wanted: BTreeSet<_> = users.collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (corps, ids): (Vec<_>, Vec<_>) = wanted.into_iter().map(|(corp, id)| (corp.0.clone(), id.0.clone())).unzip();
    let rows = sqlx::query!(
        r#"
        select wanted.corpid as "corpid!: CorpId", wanted.userid as "userid!: UserId",
            same.wechat_userid as "current!: UserId"
        from unnest($1::text[], $2::text[]) wanted (corpid, userid)
        cross join lateral (
            select alias.wechat_userid from member_alias alias
            where alias.key = userid_key(wanted.userid) and alias.corpid = wanted.corpid
            limit 1
        ) same
        where same.wechat_userid <> wanted.userid
        "#,
        &corps,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.corpid, row.userid), row.current)).collect())
}

/// A member's current id, given any spelling of any of their ids.
pub async fn current(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<UserId> {
    let mut known = resolve(conn, std::iter::once((corpid, user))).await?;
    Ok(known.remove(&(corpid.clone(), user.clone())).unwrap_or_else(|| user.clone()))
}

/// Whether any spelling of this id was ever named as a member's.
pub async fn is_member(conn: &mut PgConnection, corpid: &CorpId, id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (select from member_alias where key = userid_key($2) and corpid = $1) as "member!"
        "#,
        corpid.as_str(),
        id,
    )
    .fetch_one(conn)
    .await
}

/// The components that contain one of these ids in any spelling.
async fn component(conn: &mut PgConnection, corpid: &CorpId, ids: &[UserId]) -> sqlx::Result<Vec<Alias>> {
    let keys: Vec<_> = ids.iter().map(UserId::key).collect();
    let rows = sqlx::query!(
        r#"
        select alias as "alias: UserId", wechat_userid as "current: UserId", decided_at, said_at, directory_at
        from member_alias
        where corpid is not distinct from $1 and wechat_userid = any(array(
            select wechat_userid from member_alias where key = any($2) and corpid is not distinct from $1 offset 0
        ))
        order by alias collate "C"
        "#,
        corpid.as_str(),
        &keys,
    )
    .fetch_all(conn)
    .await?;
    let aliases = rows.into_iter().map(|row| Alias {
        alias: row.alias,
        current: row.current,
        decided_at: row.decided_at,
        named: Named { said_at: row.said_at, directory_at: row.directory_at },
    });
    Ok(aliases.collect())
}

/// The latest rename of this component: when, and to which id.
fn decision(known: &[Alias]) -> Option<(DateTime<Utc>, String)> {
    known.iter().filter_map(|it| Some((it.decided_at?, it.current.key()))).max()
}

/// Decides the spelling of the id with this key and writes the component; `moved` says what was added to it.
async fn settle(
    conn: &mut PgConnection,
    corpid: &CorpId,
    known: Vec<Alias>,
    key: &str,
    decided_at: Option<DateTime<Utc>>,
    mut moved: Moved,
) -> sqlx::Result<Moved> {
    let spellings = known.iter().filter(|it| it.alias.key() == key);
    let best = spellings.max_by_key(|it| it.rank());
    if let Some(best) = best {
        moved.to = best.alias.clone();
    }
    // Rows may exist under a replaced spelling, and under a new one if its member was bound or given a login before.
    if known.iter().any(|it| it.current != moved.to && it.alias == it.current) {
        moved.from = known.iter().map(|it| it.alias.clone()).collect();
    }
    let to = moved.to.clone();
    moved.from.retain(|it| *it != to);
    let aliases: Vec<_> = known.iter().map(|it| it.alias.0.clone()).collect();
    let said: Vec<_> = known.iter().map(|it| it.named.said_at).collect();
    let directory: Vec<_> = known.iter().map(|it| it.named.directory_at).collect();
    sqlx::query!(
        r#"
        insert into member_alias (corpid, alias, wechat_userid, decided_at, said_at, directory_at)
        select $1, alias, $2, $3, said_at, directory_at
        from unnest($4::text[], $5::timestamptz[], $6::timestamptz[]) it (alias, said_at, directory_at)
        on conflict on constraint member_alias_key do update set
            wechat_userid = excluded.wechat_userid, decided_at = excluded.decided_at,
            said_at = excluded.said_at, directory_at = excluded.directory_at
        "#,
        corpid.as_str(),
        to.as_str(),
        decided_at,
        &aliases,
        &said as _,
        &directory as _,
    )
    .execute(conn)
    .await?;
    Ok(moved)
}
