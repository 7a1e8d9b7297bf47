//! Matches contacts to the business's customers: derives `customer_wechat_contact.customer_id` and `matched_by`.
//!
//! An administrator's decision comes first, then the contact's `state`. Other contacts follow, in the configured
//! order, from matched contacts of the same person (same external_userid, same unionid), or from phone numbers in
//! remarks and work orders. A criterion that leads to several customers decides nothing: it becomes a row of
//! `customer_match`. A contact that only follows is never followed itself, so the result is a function of the rows,
//! in whatever order they came. Callers that change these inputs hold the corp's lock exclusively, or share it and hold
//! the lock of its contacts exclusively ([`crate::tables::apply`]).

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::customer_match::{self, Ambiguous};
use crate::ids::{CorpId, ExternalUserId};
use crate::states::MatchedBy;

/// External contacts, each with the corp that knows them.
pub type People = BTreeSet<(CorpId, ExternalUserId)>;

/// Derives these people's customers again.
pub async fn derive(conn: &mut PgConnection, people: &People) -> sqlx::Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let (corps, customers) = columns(people);
    say(conn, &corps, &customers).await?;
    say_kf(conn, &corps, &customers).await?;
    let (open_corps, open_customers) = open(conn, &corps, &customers).await?;
    if !open_corps.is_empty() {
        follow(conn, &open_corps, &open_customers).await?;
    }
    follow_kf(conn, &corps, &customers).await
}

/// Those of these people who have a contact that may follow others, or an open question. The others' contacts are all
/// decided, by a person or by what they said themselves.
async fn open(
    conn: &mut PgConnection,
    corps: &[String],
    customers: &[String],
) -> sqlx::Result<(Vec<String>, Vec<String>)> {
    let rows = sqlx::query!(
        r#"
        select person.corpid as "corpid!", person.external_userid as "external_userid!"
        from unnest($1::text[], $2::text[]) person (corpid, external_userid)
        where exists (
                select from (
                    select matched_by from customer_wechat_contact contact
                    where contact.corpid = person.corpid and contact.external_userid = person.external_userid
                    offset 0
                ) own
                where own.matched_by is null or own.matched_by not in ('admin', 'state')
            )
            or (select exists (select from customer_match)) and exists (
                select from customer_match question
                where question.corpid = person.corpid and question.external_userid = person.external_userid
                offset 0
            )
        "#,
        corps,
        customers,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.corpid, row.external_userid)).unzip())
}

/// These people, and all who share a unionid with one of them.
pub async fn with_same_unionid(conn: &mut PgConnection, people: &People) -> sqlx::Result<People> {
    let (corps, customers) = columns(people);
    let rows = sqlx::query!(
        r#"
        -- By themselves first: otherwise they might be looked for among all who have a unionid.
        with own as materialized (
            select corpid, contact.unionid
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            join customer_wechat_contact contact using (corpid, external_userid)
            union
            select corpid, kf.unionid
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            join kf_customer kf using (corpid, external_userid)
        )
        select other.corpid as "corpid!: CorpId", other.external_userid as "external_userid!: ExternalUserId"
        from own
        join customer_wechat_contact other on other.unionid = own.unionid and other.corpid is not distinct from own.corpid
        union
        select kf.corpid, kf.external_userid
        from own
        join kf_customer kf on kf.unionid = own.unionid and kf.corpid is not distinct from own.corpid
        "#,
        &corps,
        &customers,
    )
    .fetch_all(conn)
    .await?;
    Ok(people.iter().cloned().chain(rows.into_iter().map(|row| (row.corpid, row.external_userid))).collect())
}

/// The people whose remarks hold this phone number.
pub async fn with_phone(conn: &mut PgConnection, corpid: &CorpId, phone: &str) -> sqlx::Result<People> {
    let rows = sqlx::query_scalar!(
        r#"
        select distinct external_userid as "external_userid: ExternalUserId"
        from customer_wechat_contact
        where mobiles @> array[phone_digits($2)] and corpid is not distinct from $1
        "#,
        corpid.as_str(),
        phone,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (corpid.clone(), it)).collect())
}

/// Sets what an administrator decided, or else what the contact's own `state` and the contact ways that its customer
/// used say; of those, the latest.
async fn say(conn: &mut PgConnection, corps: &[String], customers: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update customer_wechat_contact contact
        set customer_id = said.customer_id, matched_by = said.matched_by
        from (
            select
                own.corpid, own.external_userid, own.wechat_userid,
                coalesce(decided.customer_id, named.customer_id) as customer_id,
                case when decided.customer_id is not null then 'admin'
                    when named.customer_id is not null then 'state' end as matched_by
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            cross join lateral (
                select contact.* from customer_wechat_contact contact
                where contact.corpid = person.corpid and contact.external_userid = person.external_userid
                offset 0
            ) own
            left join customer_match decided
                on decided.corpid = person.corpid and decided.external_userid = person.external_userid
            left join lateral (
                select customer_id from (
                    select own.state_customer_id as customer_id, own.state_customer_id_at as at
                    where own.state_customer_id is not null
                    union all
                    select way.customer_id, way.used_at from contact_way way
                    where way.used_by = own.external_userid and way.corpid is not distinct from own.corpid
                ) way
                where exists (select from contact_flow_setting where 'state' = any(matching_order))
                order by at desc, customer_id desc
                limit 1
            ) named on true
        ) said
        where contact.corpid = said.corpid
            and contact.external_userid = said.external_userid
            -- The member's other contacts are no way to this one.
            and contact.wechat_userid is not distinct from said.wechat_userid
            and (said.matched_by is not null or contact.matched_by in ('admin', 'state'))
            and (contact.customer_id, contact.matched_by) is distinct from (said.customer_id, said.matched_by)
        "#,
        corps,
        customers,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The same for people in 微信客服: what an administrator decided, or what the parameter of the link says through which they
/// last entered, if the settings trust it.
async fn say_kf(conn: &mut PgConnection, corps: &[String], customers: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update kf_customer kf
        set customer_id = said.customer_id, matched_by = said.matched_by
        from (
            select person.corpid, person.external_userid,
                coalesce(decided.customer_id, named.customer_id) as customer_id,
                case when decided.customer_id is not null then 'admin'
                    when named.customer_id is not null then 'state' end as matched_by
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            left join customer_match decided
                on decided.corpid = person.corpid and decided.external_userid = person.external_userid
            left join lateral (
                select nullif(trim(substr(session.scene_param, 6)), '') as customer_id
                from kf_session session
                where session.corpid = person.corpid
                    and session.external_userid = person.external_userid
                    and session.scene_param like 'cust:%'
                    and exists (
                        select from contact_flow_setting where kf_trust_scene_param and 'state' = any(matching_order)
                    )
                order by session.entered_at desc, session.scene_param desc
                limit 1
            ) named on true
        ) said
        where kf.corpid = said.corpid and kf.external_userid = said.external_userid
            and (said.matched_by is not null or kf.matched_by in ('admin', 'state'))
            and (kf.customer_id, kf.matched_by) is distinct from (said.customer_id, said.matched_by)
        "#,
        corps,
        customers,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// People in 微信客服 follow the contacts of the same person, if these lead to one customer.
async fn follow_kf(conn: &mut PgConnection, corps: &[String], customers: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with lead as (
            select kf.corpid, kf.external_userid, 1 as rank, 'external_userid' as way, contact.customer_id
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            join kf_customer kf
                on kf.corpid = person.corpid and kf.external_userid = person.external_userid
            join customer_wechat_contact contact
                on contact.corpid = kf.corpid and contact.external_userid = kf.external_userid
            where contact.matched_by in ('admin', 'state')
            union
            select kf.corpid, kf.external_userid, 2, 'unionid', contact.customer_id
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            join kf_customer kf
                on kf.corpid = person.corpid and kf.external_userid = person.external_userid
            join customer_wechat_contact contact on contact.unionid = kf.unionid and contact.corpid = kf.corpid
            where contact.matched_by in ('admin', 'state')
                and exists (select from contact_flow_setting where 'unionid' = any(matching_order))
        ),
        followed as (
            select distinct on (corpid, external_userid) corpid, external_userid, way,
                case when count(*) = 1 then min(customer_id) end as customer_id
            from lead group by corpid, external_userid, rank, way
            order by corpid, external_userid, rank
        )
        update kf_customer kf
        set customer_id = said.customer_id, matched_by = said.matched_by
        from (
            select person.corpid, person.external_userid, followed.customer_id,
                case when followed.customer_id is not null then followed.way end as matched_by
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            left join followed on followed.corpid = person.corpid
                and followed.external_userid = person.external_userid
        ) said
        where kf.corpid = said.corpid and kf.external_userid = said.external_userid
            and (kf.matched_by is null or kf.matched_by not in ('admin', 'state'))
            and (kf.customer_id, kf.matched_by) is distinct from (said.customer_id, said.matched_by)
        "#,
        corps,
        customers,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The customers that a person's other contacts and phone numbers lead to.
struct Lead {
    corpid: String,
    external_userid: String,
    way: MatchedBy,
    customers: Vec<String>,
}

async fn follow(conn: &mut PgConnection, corps: &[String], customers: &[String]) -> sqlx::Result<()> {
    let leads = leads(conn, corps, customers).await?;
    let clear: BTreeMap<_, _> = leads
        .iter()
        .filter_map(|it| match it.customers.as_slice() {
            [only] => Some(((&it.corpid, &it.external_userid), (only, it.way))),
            _ => None,
        })
        .collect();
    let found: Vec<_> = corps.iter().zip(customers).map(|key| clear.get(&key)).collect();
    let ids: Vec<_> = found.iter().map(|it| it.map(|(customer, _)| (*customer).clone())).collect();
    let ways: Vec<_> = found.iter().map(|it| it.map(|(_, way)| way.as_str())).collect();
    sqlx::query!(
        r#"
        update customer_wechat_contact contact
        set customer_id = followed.customer_id, matched_by = followed.matched_by
        from unnest($1::text[], $2::text[], $3::text[], $4::text[])
            followed (corpid, external_userid, customer_id, matched_by)
        where contact.corpid = followed.corpid
            and contact.external_userid = followed.external_userid
            and (contact.matched_by is null or contact.matched_by not in ('admin', 'state'))
            and (contact.customer_id, contact.matched_by) is distinct from (followed.customer_id, followed.matched_by)
        "#,
        corps,
        customers,
        &ids as _,
        &ways as _,
    )
    .execute(&mut *conn)
    .await?;
    let ambiguous: Vec<_> = leads.into_iter().filter(|it| it.customers.len() > 1).map(ambiguous).collect();
    customer_match::replace(conn, corps, customers, &ambiguous).await
}

/// The result of the first criterion, in the configured order, that leads to any customer.
async fn leads(conn: &mut PgConnection, corps: &[String], customers: &[String]) -> sqlx::Result<Vec<Lead>> {
    sqlx::query_as!(
        Lead,
        r#"
        with own as materialized (
            select contact.*
            from unnest($1::text[], $2::text[]) person (corpid, external_userid)
            join customer_wechat_contact contact using (corpid, external_userid)
        ),
        lead as (
            select corpid, external_userid, 'external_userid' as way, customer_id from own
            where matched_by in ('admin', 'state')
            union
            select own.corpid, own.external_userid, 'unionid', other.customer_id from own
            join customer_wechat_contact other
                on other.unionid = own.unionid and other.corpid is not distinct from own.corpid
            where other.matched_by in ('admin', 'state')
            union
            select own.corpid, own.external_userid, 'external_userid', kf.customer_id from own
            join kf_customer kf
                on kf.corpid = own.corpid and kf.external_userid = own.external_userid
            where kf.matched_by in ('admin', 'state')
            union
            select own.corpid, own.external_userid, 'unionid', kf.customer_id from own
            join kf_customer kf on kf.unionid = own.unionid and kf.corpid is not distinct from own.corpid
            where kf.matched_by in ('admin', 'state')
            union
            select own.corpid, own.external_userid, 'mobile', work_order.customer_id from own
            join work_order on phone_digits = any(own.mobiles) and phone_digits <> ''
                and work_order.corpid is not distinct from own.corpid
        )
        select distinct on (corpid, external_userid)
            corpid as "corpid!", external_userid as "external_userid!", way as "way!: MatchedBy",
            array_agg(customer_id order by customer_id) as "customers!"
        from lead cross join contact_flow_setting
        where way = 'external_userid' or way = any(matching_order)
        group by corpid, external_userid, way, matching_order
        order by corpid, external_userid, coalesce(array_position(matching_order, way), 0)
        "#,
        corps,
        customers,
    )
    .fetch_all(conn)
    .await
}

fn ambiguous(lead: Lead) -> Ambiguous {
    Ambiguous {
        corpid: lead.corpid,
        external_userid: lead.external_userid,
        matched_by: lead.way,
        candidates: lead.customers,
    }
}

fn columns(people: &People) -> (Vec<String>, Vec<String>) {
    people.iter().map(|(corp, customer)| (corp.0.clone(), customer.0.clone())).unzip()
}
