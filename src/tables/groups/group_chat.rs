//! `group_chat`: customer groups, as callbacks and readings describe them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use crate::{
    changes::{GroupChat, group::GroupCard},
    ids::{ChatId, CorpId, UserId},
    tables::access::own::Own,
};

/// Folds these groups into the table, by the same rule as [`GroupChat::absorb`].
pub async fn upsert(conn: &mut PgConnection, groups: &BTreeMap<(CorpId, ChatId), GroupChat>) -> sqlx::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let (corps, chats) = keys(groups.keys());
    let rows = || groups.values();
    let made: Vec<_> = rows().map(|it| it.made_at).collect();
    let dismissed: Vec<_> = rows().map(|it| it.dismissed_at).collect();
    let cards: Vec<_> = rows().map(|it| it.card.as_ref().map(|it| serde_json::json!(it.value))).collect();
    let card_at: Vec<_> = rows().map(|it| it.card.as_ref().map(|it| it.at)).collect();
    let status: Vec<_> = rows().map(|it| it.status.as_ref().map(|it| it.value)).collect();
    let status_at: Vec<_> = rows().map(|it| it.status.as_ref().map(|it| it.at)).collect();
    sqlx::query!(
        r#"
        insert into group_chat as own (corpid, chat_id, made_at, dismissed_at, card, card_at, status, status_at)
        select * from unnest(
            $1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::jsonb[], $6::timestamptz[], $7::smallint[],
            $8::timestamptz[]
        )
        on conflict on constraint group_chat_key do update set
            made_at = least(excluded.made_at, own.made_at),
            dismissed_at = greatest(excluded.dismissed_at, own.dismissed_at),
            -- Two readings of one moment do not differ, so the time alone decides.
            card = case when own.card_at is null or excluded.card_at > own.card_at then excluded.card else own.card end,
            card_at = greatest(excluded.card_at, own.card_at),
            status = case
                when own.status_at is null or (excluded.status_at, excluded.status) > (own.status_at, own.status)
                then excluded.status else own.status end,
            status_at = greatest(excluded.status_at, own.status_at)
        "#,
        &corps,
        &chats,
        &made as _,
        &dismissed as _,
        &cards as _,
        &card_at as _,
        &status as _,
        &status_at as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A member's userid changed: the groups that they own or administer name the new one.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update group_chat set card = card || jsonb_build_object(
            'owner', case when owner_userid = $2 then $3::text else owner_userid end,
            'admins', (
                select coalesce(jsonb_agg(case when it = $2 then $3::text else it end order by place), '[]')
                from jsonb_array_elements_text(card->'admins') with ordinality admin (it, place)
            )
        )
        where corpid = $1 and (owner_userid = $2 or card->'admins' ? $2)
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The version of its list of members that a group's card has, and when the card was read; none if it was not read.
pub async fn version(
    conn: &mut PgConnection,
    corpid: &CorpId,
    chat: &ChatId,
) -> sqlx::Result<Option<(Option<String>, DateTime<Utc>)>> {
    let row = sqlx::query!(
        r#"
        select card->>'member_version' as version, card_at as "card_at!" from group_chat
        where corpid = $1 and chat_id = $2 and card_at is not null
        "#,
        corpid.as_str(),
        chat.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| (it.version, it.card_at)))
}

/// Those of these groups whose card was never read, or last before `since`.
pub async fn unread(
    conn: &mut PgConnection,
    corpid: &CorpId,
    chats: &[String],
    since: DateTime<Utc>,
) -> sqlx::Result<Vec<ChatId>> {
    sqlx::query_scalar!(
        r#"
        select distinct listed.chat_id as "chat_id!: ChatId"
        from unnest($2::text[]) listed (chat_id)
        left join group_chat held on held.corpid = $1 and held.chat_id = listed.chat_id
        where held.card_at is null or held.card_at < $3
        order by 1
        "#,
        corpid.as_str(),
        chats,
        since,
    )
    .fetch_all(conn)
    .await
}

/// The groups that a member owns, if all of theirs are known: a run has listed every group while the member was still
/// here.
pub async fn known_of(conn: &mut PgConnection, corpid: &CorpId, owner: &UserId) -> sqlx::Result<Option<Vec<String>>> {
    let all_known = sqlx::query_scalar!(
        r#"
        select exists (
            select from sync_run
            where sync_run.corpid = $1 and group_chats_at is not null and group_chats_at < coalesce(
                (
                    select left_at from member
                    where member.corpid = $1 and member.wechat_userid = $2
                        and left_at >= coalesce(joined_at, '-infinity')
                ),
                'infinity'
            )
        ) as "known!"
        "#,
        corpid.as_str(),
        owner.as_str(),
    )
    .fetch_one(&mut *conn)
    .await?;
    if !all_known {
        return Ok(None);
    }
    let groups = sqlx::query_scalar!(
        r#"
        select chat_id from group_chat
        where owner_userid = $2 and corpid is not distinct from $1 and dismissed_at is null
            -- 2 and 3: somebody else is taking it over, or has.
            and (status is null or status < 2)
        order by chat_id
        "#,
        corpid.as_str(),
        owner.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(Some(groups))
}

/// Which groups to list.
#[derive(Debug, Default)]
pub struct Filter {
    /// Only the one with this id.
    pub chat_id: Option<String>,
    /// Only those of this corp.
    pub corpid: Option<String>,
    /// Only those that this member owns.
    pub owner: Option<String>,
    /// Only those that this member or customer is in.
    pub member: Option<String>,
    /// Only those whose name contains this text, in any case.
    pub name: Option<String>,
    /// Only those that were dissolved, or only those that were not.
    pub dismissed: Option<bool>,
    /// Only those that the bound member owns or is in.
    pub own: Option<Own>,
    /// Only those listed after this one.
    pub after: Option<GroupPosition>,
}

/// A group's position in the list: when it was made, if that is known, its corp and its id.
pub type GroupPosition = (Option<DateTime<Utc>>, String, String);

/// A group in a list.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "GroupChat")]
pub struct GroupRow {
    /// The corp.
    pub corpid: String,
    /// WeCom's id of the group.
    pub chat_id: String,
    /// Its name; null until it is read, and if it has none.
    pub name: Option<String>,
    /// The member who owns it, as WeCom names them.
    pub owner_userid: Option<String>,
    /// The owner's name.
    pub owner_name: Option<String>,
    /// How many members of the company are in it.
    pub members: i64,
    /// How many customers are in it; those of whom only callbacks spoke count here if their id looks like a customer's.
    pub customers: i64,
    /// Whether its owner is there: 0 yes, 1 has left, 2 and 3 somebody is taking it over, or has.
    pub status: Option<i16>,
    /// When it was made.
    pub made_at: Option<DateTime<Utc>>,
    /// When it was dissolved.
    pub dismissed_at: Option<DateTime<Utc>>,
    /// When its name, owner and members were last read from WeCom.
    pub card_at: Option<DateTime<Utc>>,
}

/// Up to `limit` groups, latest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter, limit: i64) -> sqlx::Result<Vec<GroupRow>> {
    let (own_corp, own_staff) = Own::parts(filter.own.as_ref());
    let after = filter.after.as_ref();
    sqlx::query_as!(
        GroupRow,
        r#"
        with own as materialized (
            select corpid, wechat_userid from staff_wechat_bind
            where corpid = $8 and staff_id = $9 and status = 'bound'
        ),
        page as (
            select chat.* from group_chat chat
            where ($1::text is null or chat.corpid = $1)
                and ($12::text is null or chat.chat_id = $12)
                and ($2::text is null or chat.owner_userid = $2)
                and ($3::text is null or position(lower($3) in lower(chat.name)) > 0)
                and ($4::boolean is null or (chat.dismissed_at is not null) = $4)
                and ($5::text is null or exists (
                    select from group_member it
                    where it.corpid = chat.corpid and it.chat_id = chat.chat_id and it.person = $5
                        and it.joined_at > coalesce(it.left_at, '-infinity')
                ))
                and ($8::text is null or exists (
                    select from own
                    where own.corpid = chat.corpid and (own.wechat_userid = chat.owner_userid or exists (
                        select from group_member it
                        where it.corpid = chat.corpid and it.chat_id = chat.chat_id and it.person = own.wechat_userid
                            and it.joined_at > coalesce(it.left_at, '-infinity')
                    ))
                ))
                and ($6::text is null
                    or (coalesce(chat.made_at, '-infinity'), chat.corpid, chat.chat_id)
                        < (coalesce($10::timestamptz, '-infinity'), $6, $7))
            order by coalesce(chat.made_at, '-infinity') desc, chat.corpid desc, chat.chat_id desc
            limit $11
        )
        select
            page.corpid as "corpid!", page.chat_id as "chat_id!", page.name, page.owner_userid, owner.name as owner_name,
            here.members as "members!", here.customers as "customers!", page.status, page.made_at, page.dismissed_at,
            page.card_at
        from page
        left join member owner on owner.corpid = page.corpid and owner.wechat_userid = page.owner_userid
        cross join lateral (
            select
                count(*) filter (where kind = 1 or kind is null and not looks_external) as members,
                count(*) filter (where kind = 2 or kind is null and looks_external) as customers
            from (
                select it.kind, it.person ~ '^w[mob][A-Za-z0-9_-]{18,}$' as looks_external from group_member it
                where it.corpid = page.corpid and it.chat_id = page.chat_id
                    and it.joined_at > coalesce(it.left_at, '-infinity')
            ) it
        ) here
        order by coalesce(page.made_at, '-infinity') desc, page.corpid desc, page.chat_id desc
        "#,
        filter.corpid,
        filter.owner,
        filter.name,
        filter.dismissed,
        filter.member,
        after.map(|(_, corp, _)| corp.as_str()),
        after.map(|(.., chat)| chat.as_str()),
        own_corp,
        own_staff,
        after.and_then(|(at, ..)| *at),
        limit,
        filter.chat_id,
    )
    .fetch_all(conn)
    .await
}

/// The group with this id, if it is known, and the caller sees it. WeCom's ids are unique, whatever the corp.
pub async fn find(conn: &mut PgConnection, chat: &str, own: Option<&Own>) -> sqlx::Result<Option<GroupRow>> {
    let filter = Filter { chat_id: Some(chat.to_owned()), own: own.cloned(), ..Filter::default() };
    Ok(list(conn, &filter, 1).await?.pop())
}

/// The card of a group of that corp; none if there is no such group, or it was not read.
pub async fn card(conn: &mut PgConnection, corpid: &str, chat: &str) -> sqlx::Result<Option<GroupCard>> {
    let card = sqlx::query_scalar!(
        r#"select card as "card!: Json<GroupCard>" from group_chat where corpid = $1 and chat_id = $2 and card is not null"#,
        corpid,
        chat,
    )
    .fetch_optional(conn)
    .await?;
    Ok(card.map(|it| it.0))
}

fn keys<'a>(keys: impl Iterator<Item = &'a (CorpId, ChatId)>) -> (Vec<String>, Vec<String>) {
    keys.map(|(corp, chat)| (corp.0.clone(), chat.0.clone())).unzip()
}
