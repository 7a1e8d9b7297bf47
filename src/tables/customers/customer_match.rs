//! `customer_match`: people who match several customers, for an administrator to decide.
//!
//! Undecided rows are derived: they appear and disappear with the ambiguity.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::{CorpId, CustomerId, ExternalUserId};
use crate::states::MatchedBy;

/// A person who matches several customers by one criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// The corp.
    pub corpid: String,
    /// The person.
    pub external_userid: String,
    /// The criterion.
    pub matched_by: MatchedBy,
    /// The customers.
    pub candidates: Vec<String>,
}

/// Replaces the undecided rows of these people by the given ambiguities, as far as the person has an unmatched
/// contact.
pub async fn replace(
    conn: &mut PgConnection,
    corps: &[String],
    customers: &[String],
    ambiguous: &[Ambiguous],
) -> sqlx::Result<()> {
    let of = |read: fn(&Ambiguous) -> &String| ambiguous.iter().map(read).cloned().collect::<Vec<_>>();
    let (own_corps, own) = (of(|it| &it.corpid), of(|it| &it.external_userid));
    sqlx::query!(
        r#"
        delete from customer_match
        where id = any(array(
            select own.id
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            cross join lateral (
                select id, decided_at from customer_match
                where corpid = person.corpid and external_userid = person.external_userid
                offset 0
            ) own
            where own.decided_at is null
                and not exists (
                    select from unnest($3::text[], $4::text[]) still (corpid, external_userid)
                    join customer_wechat_contact contact using (corpid, external_userid)
                    where still.corpid = person.corpid and still.external_userid = person.external_userid
                        and contact.matched_by is null
                    offset 0
                )
        ))
        "#,
        corps,
        customers,
        &own_corps,
        &own,
    )
    .execute(&mut *conn)
    .await?;
    for it in ambiguous {
        sqlx::query!(
            r#"
            insert into customer_match as own (corpid, external_userid, matched_by, candidates)
            select $1, $2, $3, $4::text[]
            where exists (
                select from customer_wechat_contact
                where corpid = $1 and external_userid = $2 and matched_by is null
            )
            on conflict on constraint customer_match_person
            do update set matched_by = excluded.matched_by, candidates = excluded.candidates
            where own.decided_at is null
                and (own.matched_by, own.candidates) is distinct from (excluded.matched_by, excluded.candidates)
            "#,
            it.corpid,
            it.external_userid,
            it.matched_by.as_str(),
            &it.candidates,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A row as the admin API shows it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CustomerMatch")]
pub struct MatchRow {
    /// Its number.
    pub id: i64,
    /// The corp.
    pub corpid: String,
    /// The person, as WeCom names them.
    pub external_userid: String,
    /// The criterion that matched several customers: external_userid, unionid or mobile.
    pub matched_by: MatchedBy,
    /// The customers that matched.
    pub candidates: Vec<String>,
    /// When the ambiguity was found.
    pub found_at: DateTime<Utc>,
    /// The customer that an administrator chose.
    pub customer_id: Option<String>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided.
    pub decided_by: Option<String>,
}

/// Up to `limit` rows after the given one, decided or not, oldest first.
pub async fn list(conn: &mut PgConnection, decided: bool, after: i64, limit: i64) -> sqlx::Result<Vec<MatchRow>> {
    sqlx::query_as!(
        MatchRow,
        r#"
        select id, corpid, external_userid, matched_by as "matched_by: MatchedBy", candidates, found_at, customer_id,
            decided_at, decided_by
        from customer_match
        where (decided_at is not null) = $1 and id > $2
        order by id
        limit $3
        "#,
        decided,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The undecided rows in which this customer is a candidate.
pub async fn of_customer(conn: &mut PgConnection, customer_id: &str, limit: i64) -> sqlx::Result<Vec<MatchRow>> {
    sqlx::query_as!(
        MatchRow,
        r#"
        select id, corpid, external_userid, matched_by as "matched_by: MatchedBy", candidates, found_at, customer_id,
            decided_at, decided_by
        from customer_match
        where decided_at is null and $1 = any(candidates)
        order by id
        limit $2
        "#,
        customer_id,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The person of a row; `None` if there is no such row.
pub async fn person(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<(CorpId, ExternalUserId)>> {
    let row = sqlx::query!(
        r#"
        select corpid as "corpid: CorpId", external_userid as "external_userid: ExternalUserId"
        from customer_match
        where id = $1
        "#,
        id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.corpid, row.external_userid)))
}

/// Removes an erased customer from all candidates; returns how many rows changed.
pub async fn withdraw(conn: &mut PgConnection, corpid: &CorpId, customer: Option<&str>) -> sqlx::Result<u64> {
    let fewer = sqlx::query!(
        "update customer_match set candidates = array_remove(candidates, $2) where corpid = $1 and $2 = any(candidates)",
        corpid.as_str(),
        customer,
    )
    .execute(conn)
    .await?;
    Ok(fewer.rows_affected())
}

/// Records an administrator's decision; `None` if the row has disappeared, because the ambiguity is gone.
pub async fn decide(
    conn: &mut PgConnection,
    id: i64,
    customer: &CustomerId,
    who: &str,
) -> sqlx::Result<Option<MatchRow>> {
    sqlx::query_as!(
        MatchRow,
        r#"
        update customer_match set customer_id = $2, decided_at = now(), decided_by = $3
        where id = $1
        returning id, corpid, external_userid, matched_by as "matched_by: MatchedBy", candidates, found_at, customer_id,
            decided_at, decided_by
        "#,
        id,
        customer.as_str(),
        who,
    )
    .fetch_optional(conn)
    .await
}
