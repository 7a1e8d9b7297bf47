//! `kf_customer`: people who wrote to 微信客服 or opened it. Their cards are read once, within 48 hours.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{
    changes::{KfCustomer, Person, Task, TaskKind},
    ids::{CorpId, ExternalUserId, UserId},
    tables::{customers::matching::People, task},
};

/// Adds the batch's people and their cards. For a person who was never seen before, a task reads the card. Returns those
/// whose match may follow from this.
pub async fn upsert(conn: &mut PgConnection, people: &BTreeMap<Person, KfCustomer>) -> sqlx::Result<People> {
    if people.is_empty() {
        return Ok(People::new());
    }
    let corps: Vec<_> = people.keys().map(|(corp, _)| corp.0.clone()).collect();
    let ids: Vec<_> = people.keys().map(|(_, id)| id.0.clone()).collect();
    let cards: Vec<_> = people.values().map(|it| it.card.as_ref().map(|(_, card)| card.clone())).collect();
    let read_at: Vec<_> = people.values().map(|it| it.card.as_ref().map(|(at, _)| *at)).collect();
    let rows = sqlx::query!(
        r#"
        insert into kf_customer as own (corpid, external_userid, card, card_at)
        select * from unnest($1::text[], $2::text[], $3::jsonb[], $4::timestamptz[])
        on conflict on constraint kf_customer_key do update set card = excluded.card, card_at = excluded.card_at
        where excluded.card_at is not null
            and (own.card_at is null or (excluded.card_at, excluded.card) > (own.card_at, own.card))
        returning corpid as "corpid: CorpId", external_userid as "external_userid: ExternalUserId", xmax = 0 as "new!"
        "#,
        &corps,
        &ids,
        &cards as _,
        &read_at as _,
    )
    .fetch_all(&mut *conn)
    .await?;
    let (mut changed, mut unread) = (People::new(), BTreeMap::new());
    let now = crate::tables::now(conn).await?;
    for row in rows {
        let person = (row.corpid, row.external_userid);
        if let Some(it) = people.get(&person).filter(|it| row.new && it.card.is_none()) {
            let task = Task { app_id: it.app_id, payload: None, due_at: now, deadline: None, marks: 1 };
            unread.insert((person.0.clone(), TaskKind::RefreshKfCustomer, person.1.0.clone()), task);
        }
        changed.insert(person);
    }
    // Whoever entered anew may have come with another parameter.
    changed.extend(people.iter().filter(|(_, it)| it.entered_at.is_some()).map(|(person, _)| person.clone()));
    task::upsert(conn, &unread).await?;
    Ok(changed)
}

/// The members whose contact this person is, the latest first: under the same id, or as the same person of WeChat.
pub async fn owners(conn: &mut PgConnection, corpid: &CorpId, person: &ExternalUserId) -> sqlx::Result<Vec<UserId>> {
    sqlx::query_scalar!(
        r#"
        select contact.wechat_userid as "wechat_userid: UserId"
        from customer_wechat_contact contact
        where contact.corpid = $1 and contact.status = 'contacted' and contact.external_userid in (
            select $2
            union all
            select other.external_userid from kf_customer own
            join customer_wechat_contact other on other.unionid = own.unionid and other.corpid = own.corpid
            where own.corpid = $1 and own.external_userid = $2
        )
        order by contact.first_contact_time desc nulls last, contact.wechat_userid
        "#,
        corpid.as_str(),
        person.as_str(),
    )
    .fetch_all(conn)
    .await
}

/// The nickname on a person's card.
pub async fn nickname(
    conn: &mut PgConnection,
    corpid: &CorpId,
    person: &ExternalUserId,
) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select card->>'nickname' from kf_customer where corpid = $1 and external_userid = $2",
        corpid.as_str(),
        person.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten().filter(|it| !it.is_empty()))
}
