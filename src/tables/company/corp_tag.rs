//! `corp_tag`: the company's tags for customers, and their groups. A reading names all of them, so what it does not name
//! is deleted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{changes::TagList, ids::CorpId, states::TagKind, tables::access::own::Own};

/// Takes in readings of whole lists. A reading that is older than what is stored changes only what no later one named.
pub async fn read(conn: &mut PgConnection, lists: &BTreeMap<CorpId, TagList>) -> sqlx::Result<()> {
    for (corpid, list) in lists {
        let tags = || list.tags.iter();
        let ids: Vec<_> = tags().map(|it| it.id.clone()).collect();
        let kinds: Vec<_> = tags().map(|it| it.kind.as_str().to_owned()).collect();
        let groups: Vec<_> = tags().map(|it| it.group_id.clone()).collect();
        let names: Vec<_> = tags().map(|it| it.name.clone()).collect();
        let positions: Vec<_> = tags().map(|it| it.position).collect();
        sqlx::query!(
            r#"
            insert into corp_tag as own (corpid, id, kind, group_id, name, position, read_at)
            select distinct on (it.id) $1, it.id, it.kind, it.group_id, it.name, it.position, $2::timestamptz
            from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                it (id, kind, group_id, name, position)
            order by it.id
            on conflict on constraint corp_tag_key do update set
                kind = excluded.kind, group_id = excluded.group_id, name = excluded.name, position = excluded.position,
                read_at = excluded.read_at, deleted_at = null
            where own.read_at < excluded.read_at
            "#,
            corpid.as_str(),
            list.read_at,
            &ids,
            &kinds,
            &groups as _,
            &names,
            &positions,
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!(
            r#"
            update corp_tag set deleted_at = latest.read_at
            from (select greatest(max(read_at), $2) as read_at from corp_tag where corpid = $1) latest
            where corp_tag.corpid = $1 and corp_tag.read_at < latest.read_at and corp_tag.deleted_at is null
            "#,
            corpid.as_str(),
            list.read_at,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A tag as the admin API shows it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CorpTag")]
pub struct TagView {
    /// The corp.
    pub corpid: String,
    /// WeCom's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The group it is in.
    pub group_id: Option<String>,
    /// The group's name.
    pub group_name: Option<String>,
    /// How many contacts carry it, of those that the caller sees.
    pub contacts: i64,
    /// When it was found deleted; null while it exists.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Up to `limit` tags by corp, group and sort order, as WeCom's client shows them; deleted ones only if wanted.
pub async fn list(
    conn: &mut PgConnection,
    corpid: Option<&str>,
    deleted: bool,
    own: Option<&Own>,
    limit: i64,
) -> sqlx::Result<Vec<TagView>> {
    let (own_corp, own_staff) = Own::parts(own);
    sqlx::query_as!(
        TagView,
        r#"
        with given as (
            select corpid, tag_id, count(*) as contacts from contact_tag
            where ($1::text is null or corpid = $1)
                and ($5::text is null or (corpid, wechat_userid) = (
                    select corpid, wechat_userid from staff_wechat_bind
                    where corpid = $5 and staff_id = $6 and status = 'bound'
                ))
            group by corpid, tag_id
        )
        select
            tag.corpid, tag.id, tag.name, tag.group_id, tag_group.name as "group_name?",
            coalesce(given.contacts, 0) as "contacts!", tag.deleted_at
        from corp_tag tag
        left join corp_tag tag_group on tag_group.corpid = tag.corpid and tag_group.id = tag.group_id
        left join given on given.corpid = tag.corpid and given.tag_id = tag.id
        where tag.kind = $4 and ($1::text is null or tag.corpid = $1) and ($2 or tag.deleted_at is null)
        order by tag.corpid, tag_group.position desc nulls last, tag.group_id, tag.position desc, tag.id
        limit $3
        "#,
        corpid,
        deleted,
        limit,
        TagKind::Tag.as_str(),
        own_corp,
        own_staff,
    )
    .fetch_all(conn)
    .await
}
