//! `group_member`: who is or was in a customer group, and when.
//!
//! Somebody is in a group if they joined after they left. Callbacks say both; a reading names everybody who is there, so
//! whoever it does not name has left ([`settle`]).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    changes::{GroupMember, Register, group::Named},
    ids::{ChatId, CorpId, UserId},
    tables::access::own::Own,
};

/// Somebody who joined this shortly before a reading, in seconds, may be missing in it: WeCom's lists lag behind its
/// callbacks by some seconds, and its clock may differ from ours.
const LAG_S: f64 = 60.0;

/// Folds these people into the table, by the same rule as [`GroupMember::absorb`].
pub async fn upsert(
    conn: &mut PgConnection,
    people: &BTreeMap<(CorpId, ChatId, String), GroupMember>,
) -> sqlx::Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let (corps, chats): (Vec<_>, Vec<_>) = people.keys().map(|key| (key.0.0.clone(), key.1.0.clone())).unzip();
    let persons: Vec<_> = people.keys().map(|(.., person)| person.clone()).collect();
    let rows = || people.values();
    let joined: Vec<_> = rows().map(|it| it.joined.as_ref().map(|it| it.at)).collect();
    let join_scene: Vec<_> = rows().map(|it| it.joined.as_ref().and_then(|it| it.value)).collect();
    let left: Vec<_> = rows().map(|it| it.left.as_ref().map(|it| it.at)).collect();
    let quit_scene: Vec<_> = rows().map(|it| it.left.as_ref().and_then(|it| it.value)).collect();
    let named: Vec<_> = rows().map(|it| it.named.as_ref().map(|it| it.at)).collect();
    let said = || rows().map(|it| it.named.as_ref().map(|it| &it.value));
    let kind: Vec<_> = said().map(|it| it.and_then(|it| it.kind)).collect();
    let name: Vec<_> = said().map(|it| it.and_then(|it| it.name.clone())).collect();
    let unionid: Vec<_> = said().map(|it| it.and_then(|it| it.unionid.clone())).collect();
    let state: Vec<_> = said().map(|it| it.and_then(|it| it.state.clone())).collect();
    let invitor: Vec<_> = said().map(|it| it.and_then(|it| it.invitor.as_ref().map(|it| it.0.clone()))).collect();
    sqlx::query!(
        r#"
        insert into group_member as own (
            corpid, chat_id, person, joined_at, join_scene, left_at, quit_scene, named_at, kind, name, unionid, state,
            invitor_userid
        )
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::smallint[], $6::timestamptz[], $7::smallint[],
            $8::timestamptz[], $9::smallint[], $10::text[], $11::text[], $12::text[], $13::text[]
        )
        on conflict on constraint group_member_key do update set
            join_scene = case
                when own.joined_at is null
                    or (excluded.joined_at, coalesce(excluded.join_scene, -1)) > (own.joined_at, coalesce(own.join_scene, -1))
                then excluded.join_scene else own.join_scene end,
            joined_at = greatest(excluded.joined_at, own.joined_at),
            quit_scene = case
                when own.left_at is null
                    or (excluded.left_at, coalesce(excluded.quit_scene, -1)) > (own.left_at, coalesce(own.quit_scene, -1))
                then excluded.quit_scene else own.quit_scene end,
            left_at = greatest(excluded.left_at, own.left_at),
            -- Two readings of one moment do not differ, so the time alone decides.
            kind = case when own.named_at is null or excluded.named_at > own.named_at
                then excluded.kind else own.kind end,
            name = case when own.named_at is null or excluded.named_at > own.named_at
                then excluded.name else own.name end,
            unionid = case when own.named_at is null or excluded.named_at > own.named_at
                then excluded.unionid else own.unionid end,
            state = case when own.named_at is null or excluded.named_at > own.named_at
                then excluded.state else own.state end,
            invitor_userid = case when own.named_at is null or excluded.named_at > own.named_at
                then excluded.invitor_userid else own.invitor_userid end,
            named_at = greatest(excluded.named_at, own.named_at)
        "#,
        &corps,
        &chats,
        &persons,
        &joined as _,
        &join_scene as _,
        &left as _,
        &quit_scene as _,
        &named as _,
        &kind as _,
        &name as _,
        &unionid as _,
        &state as _,
        &invitor as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whoever the last reading of these groups did not name, and who joined before it, left by then.
pub async fn settle(conn: &mut PgConnection, groups: &BTreeSet<(CorpId, ChatId)>) -> sqlx::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let (corps, chats): (Vec<_>, Vec<_>) = groups.iter().map(|(corp, chat)| (corp.0.clone(), chat.0.clone())).unzip();
    sqlx::query!(
        r#"
        update group_member it set left_at = chat.card_at, quit_scene = null
        from unnest($1::text[], $2::text[]) touched (corpid, chat_id)
        join group_chat chat on chat.corpid = touched.corpid and chat.chat_id = touched.chat_id
        where it.corpid = touched.corpid and it.chat_id = touched.chat_id
            and it.joined_at > coalesce(it.left_at, '-infinity')
            and it.joined_at <= chat.card_at - make_interval(secs => $3)
            and it.named_at is distinct from chat.card_at
        "#,
        &corps,
        &chats,
        LAG_S,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes somebody out of their groups under any spelling of this userid, to be folded in again under another one.
pub async fn take(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<Vec<(ChatId, GroupMember)>> {
    let rows = sqlx::query!(
        r#"
        delete from group_member where userid_key(person) = $2 and corpid is not distinct from $1
        returning
            chat_id as "chat_id: ChatId", joined_at, join_scene, left_at, quit_scene, named_at, kind, name, unionid,
            state, invitor_userid as "invitor: UserId"
        "#,
        corpid.as_str(),
        user.key(),
    )
    .fetch_all(conn)
    .await?;
    let taken = rows.into_iter().map(|it| {
        let named = Named { kind: it.kind, name: it.name, unionid: it.unionid, state: it.state, invitor: it.invitor };
        let member = GroupMember {
            joined: it.joined_at.map(|at| Register { value: it.join_scene, at }),
            left: it.left_at.map(|at| Register { value: it.quit_scene, at }),
            named: it.named_at.map(|at| Register { value: named, at }),
        };
        (it.chat_id, member)
    });
    Ok(taken.collect())
}

/// A member's userid changed: the people whom they invited name the new one.
pub async fn rename_invitor(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update group_member set invitor_userid = $3
        where invitor_userid = $2 and corpid is not distinct from $1
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Somebody in a group, as the admin API shows them.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "GroupMember")]
pub struct MemberView {
    /// Their userid, or their external_userid.
    pub person: String,
    /// 1 a member of the company, 2 a customer; null until the group is read.
    pub kind: Option<i16>,
    /// Their name in the group, as it was read.
    pub name: Option<String>,
    /// The business's id of a customer, if matched and the caller may see it.
    pub customer_id: Option<String>,
    /// Whether they are in the group now.
    pub is_in: bool,
    /// When they last joined.
    pub joined_at: Option<DateTime<Utc>>,
    /// How: 1 invited, 2 by a link, 3 by the group's code; 0 invited, as a callback says it.
    pub join_scene: Option<i16>,
    /// The member who invited them.
    pub invitor_userid: Option<String>,
    /// The `state` of the way by which they joined.
    pub state: Option<String>,
    /// When they last left; if only a reading showed it, the time of that reading.
    pub left_at: Option<DateTime<Utc>>,
    /// How: 0 by themselves, 1 removed.
    pub quit_scene: Option<i16>,
}

/// Up to `limit` people of a group, those who are in it first, in the order in which they joined.
///
/// A caller who sees their own alone gets the business's ids of their own customers only.
pub async fn of_group(
    conn: &mut PgConnection,
    corpid: &str,
    chat: &str,
    own: Option<&Own>,
    limit: i64,
) -> sqlx::Result<Vec<MemberView>> {
    let (own_corp, own_staff) = Own::parts(own);
    sqlx::query_as!(
        MemberView,
        r#"
        select
            it.person, it.kind, it.name,
            (
                select contact.customer_id from customer_wechat_contact contact
                where contact.corpid = it.corpid and contact.external_userid = it.person and contact.customer_id is not null
                    and ($4::text is null or (contact.corpid, contact.wechat_userid) = (
                        select corpid, wechat_userid from staff_wechat_bind
                        where corpid = $4 and staff_id = $5 and status = 'bound'
                    ))
                limit 1
            ) as customer_id,
            coalesce(it.joined_at > coalesce(it.left_at, '-infinity'), false) as "is_in!", it.joined_at, it.join_scene,
            it.invitor_userid, it.state, it.left_at, it.quit_scene
        from group_member it
        where it.corpid = $1 and it.chat_id = $2
        order by
            coalesce(it.joined_at > coalesce(it.left_at, '-infinity'), false) desc, it.joined_at nulls last, it.person
        limit $3
        "#,
        corpid,
        chat,
        limit,
        own_corp,
        own_staff,
    )
    .fetch_all(conn)
    .await
}
