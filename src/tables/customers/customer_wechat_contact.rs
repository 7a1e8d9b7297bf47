//! `customer_wechat_contact`: contacts, one row per customer and member.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use crate::{
    changes::{Contact, ContactKey, Register, contact::Card},
    ids::{CorpId, CustomerId, ExternalUserId, UserId},
    states::{ContactStatus, MatchedBy},
    tables::{access::own::Own, customers::matching::People, staff::staff_wechat_bind},
};

/// Folds the batch's contacts into the table, by the same rule as [`Contact::absorb`]. Returns the people who got a
/// contact more besides others, or whose customer was decided: the new contact may follow.
///
/// Rows are taken in key order, so that two workers never wait for each other crosswise.
pub async fn upsert(conn: &mut PgConnection, contacts: &BTreeMap<ContactKey, Contact>) -> sqlx::Result<People> {
    if contacts.is_empty() {
        return Ok(People::new());
    }
    let columns = Columns::of(contacts);
    let bound = staff_wechat_bind::latest(conn, contacts.keys().map(|(corp, _, user)| (corp, user))).await?;
    let staff: Vec<_> = contacts.keys().map(|(corp, _, user)| bound.get(&(corp, user)).cloned()).collect();
    let matched = sqlx::query_file!(
        "src/tables/customers/contact_upsert.sql",
        &columns.corps,
        &columns.customers,
        &columns.users,
        &columns.status,
        &columns.status_at,
        &columns.state as _,
        &columns.state_at as _,
        &columns.customer_id as _,
        &columns.customer_id_at as _,
        &columns.first as _,
        &columns.last as _,
        &columns.cards as _,
        &columns.card_at as _,
        &columns.heard_arrived as _,
        &columns.met_arrived as _,
        &staff as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(matched.into_iter().map(|row| (row.corpid, row.external_userid)).collect())
}

/// The batch's contacts as arrays, one per column.
struct Columns {
    corps: Vec<String>,
    customers: Vec<String>,
    users: Vec<String>,
    status: Vec<String>,
    status_at: Vec<DateTime<Utc>>,
    state: Vec<Option<String>>,
    state_at: Vec<Option<DateTime<Utc>>>,
    customer_id: Vec<Option<String>>,
    customer_id_at: Vec<Option<DateTime<Utc>>>,
    first: Vec<Option<DateTime<Utc>>>,
    last: Vec<Option<DateTime<Utc>>>,
    cards: Vec<Option<serde_json::Value>>,
    card_at: Vec<Option<DateTime<Utc>>>,
    heard_arrived: Vec<Option<DateTime<Utc>>>,
    met_arrived: Vec<Option<DateTime<Utc>>>,
}

impl Columns {
    fn of(contacts: &BTreeMap<ContactKey, Contact>) -> Self {
        let rows = || contacts.values();
        Self {
            corps: contacts.keys().map(|(corp, ..)| corp.0.clone()).collect(),
            customers: contacts.keys().map(|(_, customer, _)| customer.0.clone()).collect(),
            users: contacts.keys().map(|(.., user)| user.0.clone()).collect(),
            status: rows().map(|it| status_of(it).value.as_str().to_owned()).collect(),
            status_at: rows().map(|it| status_of(it).at).collect(),
            state: rows().map(|it| it.state.as_ref().map(|it| it.value.clone())).collect(),
            state_at: rows().map(|it| it.state.as_ref().map(|it| it.at)).collect(),
            customer_id: rows().map(|it| it.customer_id.as_ref().map(|it| it.value.0.clone())).collect(),
            customer_id_at: rows().map(|it| it.customer_id.as_ref().map(|it| it.at)).collect(),
            first: rows().map(|it| it.first_contact_time).collect(),
            last: rows().map(|it| it.last_contact_time).collect(),
            cards: rows().map(|it| it.card.as_ref().map(|it| serde_json::json!(it.value))).collect(),
            card_at: rows().map(|it| it.card.as_ref().map(|it| it.at)).collect(),
            heard_arrived: rows().map(|it| it.heard_arrived_at).collect(),
            met_arrived: rows().map(|it| it.met_arrived_at).collect(),
        }
    }
}

/// Takes a member's contacts out of the table, to be folded in again under another userid.
pub async fn take(
    conn: &mut PgConnection,
    corpid: &CorpId,
    user: &UserId,
) -> sqlx::Result<Vec<(ExternalUserId, Contact)>> {
    let rows = sqlx::query!(
        r#"
        delete from customer_wechat_contact where wechat_userid = $2 and corpid is not distinct from $1
        returning
            external_userid as "external_userid: ExternalUserId", status as "status: ContactStatus", status_at, state, state_at,
            state_customer_id as "customer_id: CustomerId", state_customer_id_at, first_contact_time, last_contact_time,
            card as "card: Json<Card>", card_at, heard_arrived_at, met_arrived_at
        "#,
        corpid.as_str(),
        user.as_str(),
    )
    .fetch_all(conn)
    .await?;
    let contacts = rows.into_iter().map(|row| {
        let contact = Contact {
            status: Some(Register { value: row.status, at: row.status_at }),
            state: register(row.state, row.state_at),
            customer_id: register(row.customer_id, row.state_customer_id_at),
            // Scans are in a table of their own, which names no member.
            scans: BTreeMap::new(),
            first_contact_time: row.first_contact_time,
            last_contact_time: row.last_contact_time,
            card: register(row.card.map(|it| it.0), row.card_at),
            heard_arrived_at: row.heard_arrived_at,
            met_arrived_at: row.met_arrived_at,
        };
        (row.external_userid, contact)
    });
    Ok(contacts.collect())
}

/// Updates the staff member of these members' contacts after bindings changed.
pub async fn assign_staff(conn: &mut PgConnection, corps: &[String], users: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update customer_wechat_contact contact set staff_id = last.staff_id
        from unnest($1::text[], $2::text[]) touched (corpid, wechat_userid)
        cross join lateral (
            select max(staff_id) as staff_id from (
                select staff_id from staff_wechat_bind bind
                where bind.wechat_userid = touched.wechat_userid and bind.corpid is not distinct from touched.corpid
                order by bound_at desc, staff_id desc
                limit 1
            ) latest
        ) last
        where contact.wechat_userid = touched.wechat_userid
            and contact.corpid is not distinct from touched.corpid
            and contact.staff_id is distinct from last.staff_id
        "#,
        corps,
        users,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The stored part of a contact that a reading is compared with.
#[derive(Debug, Clone)]
pub struct Held {
    /// The customer.
    pub external_userid: ExternalUserId,
    /// The member.
    pub wechat_userid: UserId,
    /// How it stands.
    pub status: ContactStatus,
    /// Since when.
    pub status_at: DateTime<Utc>,
    /// The card as it was last read.
    pub card: Option<Card>,
}

/// The stored contacts among these, by customer and member.
pub async fn held(
    conn: &mut PgConnection,
    corpid: &CorpId,
    keys: &[(ExternalUserId, UserId)],
) -> sqlx::Result<BTreeMap<(ExternalUserId, UserId), Held>> {
    let (customers, users): (Vec<_>, Vec<_>) = keys.iter().map(|(it, user)| (it.0.clone(), user.0.clone())).unzip();
    let rows = sqlx::query!(
        r#"
        select
            held.external_userid as "external_userid!: ExternalUserId", held.wechat_userid as "wechat_userid!: UserId",
            held.status as "status!: ContactStatus", held.status_at as "status_at!", held.card as "card: Json<Card>"
        from unnest($2::text[], $3::text[]) wanted (external_userid, wechat_userid)
        cross join lateral (
            select contact.* from customer_wechat_contact contact
            where contact.corpid = $1 and contact.external_userid = wanted.external_userid
                and contact.wechat_userid is not distinct from wanted.wechat_userid
            offset 0
        ) held
        "#,
        corpid.as_str(),
        &customers,
        &users,
    )
    .fetch_all(conn)
    .await?;
    let held = rows.into_iter().map(|row| Held {
        external_userid: row.external_userid,
        wechat_userid: row.wechat_userid,
        status: row.status,
        status_at: row.status_at,
        card: row.card.map(|it| it.0),
    });
    Ok(held.map(|it| ((it.external_userid.clone(), it.wechat_userid.clone()), it)).collect())
}

/// Up to `limit` contacts of these members whose status is from `since` or earlier and whose card is older than
/// `read_from`: a complete reading that began then did not list them.
pub async fn unnamed(
    conn: &mut PgConnection,
    corpid: &CorpId,
    users: &[String],
    since: DateTime<Utc>,
    read_from: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Held>> {
    let rows = sqlx::query!(
        r#"
        select
            external_userid as "external_userid: ExternalUserId", wechat_userid as "wechat_userid: UserId",
            status as "status: ContactStatus", status_at, card as "card: Json<Card>"
        from customer_wechat_contact
        where wechat_userid = any($2) and corpid is not distinct from $1
            and status in ('assumed', 'contacted') and status_at <= $3 and (card_at is null or card_at < $4)
        order by external_userid, wechat_userid
        limit $5
        "#,
        corpid.as_str(),
        users,
        since,
        read_from,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let held = rows.into_iter().map(|row| Held {
        external_userid: row.external_userid,
        wechat_userid: row.wechat_userid,
        status: row.status,
        status_at: row.status_at,
        card: row.card.map(|it| it.0),
    });
    Ok(held.collect())
}

/// A row as the admin API shows it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "CustomerContact")]
pub struct ContactView {
    /// The corp.
    pub corpid: String,
    /// The customer, as WeCom names them.
    pub external_userid: String,
    /// The member, as WeCom names them.
    pub wechat_userid: String,
    /// The staff member last bound to that userid.
    pub staff_id: Option<String>,
    /// The business's own id, null until matched.
    pub customer_id: Option<String>,
    /// How it was matched: admin, state, external_userid, unionid or mobile.
    pub matched_by: Option<MatchedBy>,
    /// How the contact stands.
    pub status: ContactStatus,
    /// Since when, by the event's own time; if none said so, when we first heard of it.
    pub status_at: DateTime<Utc>,
    /// The `state` of the contact way.
    pub state: Option<String>,
    /// The customer's name in WeChat.
    pub nickname: Option<String>,
    /// The customer's id across the company's WeChat apps.
    pub unionid: Option<String>,
    /// The name that the member gave the customer.
    pub remark: Option<String>,
    /// The tags' names.
    pub tags: Option<serde_json::Value>,
    /// The phone numbers that the member wrote down.
    pub remark_mobiles: Option<serde_json::Value>,
    /// How they became contacts, as WeCom numbers it.
    pub add_way: Option<i32>,
    /// When the card was last read from WeCom: nickname, unionid, remark, tags, remark_mobiles and add_way.
    pub card_at: Option<DateTime<Utc>>,
    /// When they first became contacts.
    pub first_contact_time: Option<DateTime<Utc>>,
    /// When anything last passed between them.
    pub last_contact_time: Option<DateTime<Utc>>,
    /// Whether status_at, first_contact_time or last_contact_time is when a callback without a time arrived.
    pub time_is_arrival: bool,
}

/// The contacts of a customer, by the business's id or WeCom's; at most `limit`, latest first.
pub async fn of_customer(
    conn: &mut PgConnection,
    own: Option<&Own>,
    id: &str,
    limit: i64,
) -> sqlx::Result<Vec<ContactView>> {
    let (own_corp, own_staff) = Own::parts(own);
    sqlx::query_as!(
        ContactView,
        r#"
        with corp as materialized (select distinct corpid from enterprise_wechat_config),
        found as (
            select contact.* from corp join customer_wechat_contact contact using (corpid) where customer_id = $1
            union
            select contact.* from corp join customer_wechat_contact contact using (corpid) where external_userid = $1
        )
        select
            corpid as "corpid!", external_userid as "external_userid!", wechat_userid as "wechat_userid!", staff_id,
            customer_id, matched_by as "matched_by: MatchedBy", status as "status!: ContactStatus",
            coalesce(nullif(status_at, to_timestamp(0)), heard_arrived_at, status_at) as "status_at!", state, nickname,
            unionid, remark, tags, remark_mobiles, add_way, card_at,
            coalesce(first_contact_time, met_arrived_at) as "first_contact_time?",
            coalesce(last_contact_time, met_arrived_at) as "last_contact_time?",
            coalesce(
                (status_at = to_timestamp(0) and heard_arrived_at is not null)
                    or ((first_contact_time is null or last_contact_time is null) and met_arrived_at is not null),
                false
            ) as "time_is_arrival!"
        from found
        where $2::text is null or (corpid, wechat_userid) = (
            select corpid, wechat_userid from staff_wechat_bind
            where corpid = $2 and staff_id = $3 and status = 'bound'
        )
        order by coalesce(last_contact_time, met_arrived_at) desc nulls last, corpid, external_userid, wechat_userid
        limit $4
        "#,
        id,
        own_corp,
        own_staff,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The status of a contact of which only an edit is known: assumed.
fn status_of(contact: &Contact) -> Register<ContactStatus> {
    contact.status.clone().unwrap_or(Register { value: ContactStatus::Assumed, at: DateTime::UNIX_EPOCH })
}

pub(in crate::tables) fn register<T>(value: Option<T>, at: Option<DateTime<Utc>>) -> Option<Register<T>> {
    Some(Register { value: value?, at: at? })
}
