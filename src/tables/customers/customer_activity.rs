//! `customer_activity`: when a customer last wrote, also if their member is not known yet.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::{CorpId, ExternalUserId, UserId};

/// Moves the times forward, here and on existing contacts.
///
/// A contact that another transaction adds at the same time would be missed, so the caller locks the corp's contacts
/// exclusively ([`crate::tables::apply`]).
pub async fn upsert(
    conn: &mut PgConnection,
    activity: &BTreeMap<(CorpId, ExternalUserId), DateTime<Utc>>,
) -> sqlx::Result<()> {
    if activity.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = activity.keys().map(|(corp, _)| corp.0.clone()).collect();
    let customers: Vec<_> = activity.keys().map(|(_, customer)| customer.0.clone()).collect();
    let times: Vec<_> = activity.values().copied().collect();
    sqlx::query!(
        r#"
        insert into customer_activity as own (corpid, external_userid, last_message_at)
        select * from unnest($1::text[], $2::text[], $3::timestamptz[])
        on conflict on constraint customer_activity_key
        do update set last_message_at = greatest(own.last_message_at, excluded.last_message_at)
        "#,
        &corps,
        &customers,
        &times,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        update customer_wechat_contact contact
        set last_contact_time = greatest(contact.last_contact_time, heard.at)
        from unnest($1::text[], $2::text[], $3::timestamptz[]) heard (corpid, external_userid, at)
        where contact.corpid = heard.corpid and contact.external_userid = heard.external_userid
            -- The epoch says that they wrote, and not when.
            and heard.at > to_timestamp(0)
        "#,
        &corps,
        &customers,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the senders who turned out to be this member, in any spelling.
pub async fn take(conn: &mut PgConnection, corpid: &CorpId, user: &UserId) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        delete from customer_activity where userid_key(external_userid) = $2 and corpid = $1
        returning external_userid
        "#,
        corpid.as_str(),
        user.key(),
    )
    .fetch_all(conn)
    .await
}
