//! `erased_person`: the hashes of erased people, so that late data does not bring them back.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    changes::{Person, Tombstone},
    ids::{CorpId, ExternalUserId},
};

/// Whether anybody was ever erased; if not, look-ups are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// Nobody.
    None,
    /// At least one person.
    Some,
}

/// Whether there are any.
pub async fn any(conn: &mut PgConnection) -> sqlx::Result<Tombstones> {
    let any = sqlx::query_scalar!(r#"select exists (select from erased_person) as "any!""#).fetch_one(conn).await?;
    Ok(if any { Tombstones::Some } else { Tombstones::None })
}

/// Which of these people were erased. One who has a contact is back: erasing deletes all contacts, and only a new add
/// creates one. So is one who entered 微信客服 since.
pub async fn of(conn: &mut PgConnection, people: &BTreeSet<Person>) -> sqlx::Result<BTreeMap<Person, Tombstone>> {
    let (corps, ids) = columns(people);
    let rows = sqlx::query!(
        r#"
        select
            person.corpid as "corpid!: CorpId", person.external_userid as "external_userid!: ExternalUserId",
            erased_at,
            exists (
                select from customer_wechat_contact contact
                where contact.corpid = person.corpid and contact.external_userid = person.external_userid
            ) or exists (
                select from kf_session entered
                where entered.corpid = person.corpid and entered.external_userid = person.external_userid
                    and entered.entered_at > erased_at
            ) as "returned!"
        from unnest($1::text[], $2::text[]) person (corpid, external_userid)
        join erased_person on erased_person.corpid = person.corpid
            and erased_person.person = erased_hash(person.corpid, person.external_userid)
        -- Who was erased as a customer by the shape of an id, and turned out to be a member, is not kept out.
        where not exists (
            select from member_alias
            where member_alias.key = userid_key(person.external_userid)
                and member_alias.corpid is not distinct from person.corpid
            offset 0
        )
        "#,
        &corps,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|row| {
        let tombstone = Tombstone { erased_at: row.erased_at, returned: row.returned };
        ((row.corpid, row.external_userid), tombstone)
    });
    Ok(found.collect())
}

/// Adds a tombstone for each of these people of a corp, as of now.
pub async fn set(
    conn: &mut PgConnection,
    corpid: &CorpId,
    people: &[String],
    erasure: i64,
    erased_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into erased_person (corpid, person, erased_at, erasure_id)
        select distinct $1, erased_hash($1, id), $3::timestamptz, $4::bigint
        from unnest($2::text[]) id
        on conflict on constraint erased_person_key
        do update set erased_at = excluded.erased_at, erasure_id = excluded.erasure_id
        "#,
        corpid.as_str(),
        people,
        erased_at,
        erasure,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn columns(people: &BTreeSet<Person>) -> (Vec<String>, Vec<String>) {
    people.iter().map(|(corp, person)| (corp.0.clone(), person.0.clone())).unzip()
}
