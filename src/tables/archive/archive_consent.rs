//! `archive_consent`: which customer agreed that a talk is archived. The latest word counts, from whichever source.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{
    changes::{Register, archive::ConsentKey},
    ids::{CorpId, UserId},
};

/// A talk between a member and a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The member.
    pub wechat_userid: String,
    /// The customer.
    pub external_userid: String,
}

/// Writes what was said; a later word wins.
pub async fn upsert(conn: &mut PgConnection, consents: &BTreeMap<ConsentKey, Register<String>>) -> sqlx::Result<()> {
    if consents.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = consents.keys().map(|(corp, ..)| corp.0.clone()).collect();
    let customers: Vec<_> = consents.keys().map(|(_, customer, ..)| customer.0.clone()).collect();
    let users: Vec<_> = consents.keys().map(|(_, _, user, _)| user.0.clone()).collect();
    let chats: Vec<_> = consents.keys().map(|(.., chat)| chat.clone()).collect();
    let words: Vec<_> = consents.values().map(|it| it.value.clone()).collect();
    let times: Vec<_> = consents.values().map(|it| it.at).collect();
    sqlx::query!(
        r#"
        insert into archive_consent as own (corpid, external_userid, wechat_userid, chat_id, status, status_at)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
        on conflict on constraint archive_consent_key
        do update set status = excluded.status, status_at = excluded.status_at
        where (own.status_at, own.status) < (excluded.status_at, excluded.status)
        "#,
        &corps,
        &customers,
        &users,
        &chats,
        &words,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A member's userid changed: their talks move to the new one, where the later word wins.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with moved as (
            delete from archive_consent where corpid = $1 and wechat_userid = $2
            returning external_userid, chat_id, status, status_at
        )
        insert into archive_consent as own (corpid, external_userid, wechat_userid, chat_id, status, status_at)
        select $1, external_userid, $3, chat_id, status, status_at from moved
        on conflict on constraint archive_consent_key
        do update set status = excluded.status, status_at = excluded.status_at
        where (own.status_at, own.status) < (excluded.status_at, excluded.status)
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to `limit` contacts of these members after this pair, in order.
pub async fn pairs(
    conn: &mut PgConnection,
    corpid: &CorpId,
    users: &[String],
    after: &Pair,
    limit: i64,
) -> sqlx::Result<Vec<Pair>> {
    sqlx::query_as!(
        Pair,
        r#"
        select wechat_userid, external_userid from customer_wechat_contact
        where corpid = $1 and wechat_userid = any($2) and status = 'contacted'
            and (wechat_userid, external_userid) > ($3, $4)
        order by wechat_userid, external_userid limit $5
        "#,
        corpid.as_str(),
        users,
        after.wechat_userid,
        after.external_userid,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Up to `limit` groups, after this one, in which customers were heard in the last `days`, in order.
pub async fn rooms(
    conn: &mut PgConnection,
    corpid: &CorpId,
    after: &str,
    days: i32,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select distinct chat_id as "chat_id!" from wechat_contact_record
        where corpid = $1 and source = 'archive' and chat_id > $2 and contact_time > now() - make_interval(days => $3)
        order by 1 limit $4
        "#,
        corpid.as_str(),
        after,
        days,
        limit,
    )
    .fetch_all(conn)
    .await
}
