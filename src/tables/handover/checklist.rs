//! The leaver's contacts, orders, groups, records, tasks and reads, for a review before and during the handover.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::Handover;
use crate::{
    changes::Notice,
    states::{ContactType, ItemKind, ItemState, OrderState, TaskKind},
};

/// How many days back records and reads are counted.
pub const RECENT_DAYS: i32 = 30;

/// A work order of theirs that is not over.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct OpenOrder {
    /// The order's number.
    pub id: i64,
    /// The customer, as the business names them.
    pub customer_id: String,
    /// The customer's name.
    pub customer_name: Option<String>,
    /// How far it is.
    pub state: OrderState,
    /// When it was given to them.
    pub assigned_at: Option<DateTime<Utc>>,
}

/// A customer of the handover.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "LeftCustomer")]
pub struct Customer {
    /// The customer, as WeCom names them.
    pub external_userid: String,
    /// The customer, as the business names them.
    pub customer_id: Option<String>,
    /// What the leaver calls them, else what they call themselves.
    pub name: Option<String>,
    /// When anything last passed between them.
    pub last_contact_time: Option<DateTime<Utc>>,
    /// How many orders of theirs are not over.
    pub open_orders: i64,
    /// How far the item is.
    pub state: ItemState,
    /// Who shall have them.
    pub successor_staff_id: Option<String>,
    /// They refused, and nobody has planned them anew.
    pub refused: bool,
}

/// A group of theirs.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "LeftGroup")]
pub struct Group {
    /// Its id.
    pub chat_id: String,
    /// How far the item is.
    pub state: ItemState,
    /// Who shall have it.
    pub successor_staff_id: Option<String>,
}

/// Something that passed between the leaver and a customer.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RecentRecord")]
pub struct Record {
    /// When.
    pub contact_time: DateTime<Utc>,
    /// The customer.
    pub external_userid: Option<String>,
    /// text, image, voice, video, location, link, file or event.
    pub contact_type: ContactType,
    /// WeCom's name of the event.
    pub event: Option<String>,
    /// What was said.
    pub content: String,
}

/// A task in the leaver's name.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "PendingTask")]
pub struct Pending {
    /// Its number.
    pub id: i64,
    /// What is to be done.
    pub kind: TaskKind,
    /// What it is about.
    pub subject: String,
    /// Not before.
    pub due_at: DateTime<Utc>,
    /// Since when a person must look at it.
    pub parked_at: Option<DateTime<Utc>>,
    /// Why it was postponed or parked.
    pub reason: Option<String>,
}

/// Something that was read with a token of the leaver's.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RecentRead")]
pub struct Read {
    /// When.
    pub at: DateTime<Utc>,
    /// Who the token was made for.
    pub who: String,
    /// The route's pattern.
    pub route: String,
    /// Whom or what it was about.
    pub subject: String,
    /// The status it was answered with.
    pub status: i16,
    /// Where the request came from.
    pub address: String,
}

/// Rows, and how many there are in all.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SomeOf{T}")]
pub struct Counted<T> {
    /// How many.
    pub count: i64,
    /// The first of them.
    pub items: Vec<T>,
}

/// The leaver's orders that are not over, oldest first.
pub async fn open_orders(conn: &mut PgConnection, of: &Handover, limit: i64) -> sqlx::Result<Counted<OpenOrder>> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!" from work_order
        where staff_id = $2 and corpid = $1 and state not in ('done', 'cancelled')
        "#,
        of.corpid.as_str(),
        of.staff_id,
    )
    .fetch_one(&mut *conn)
    .await?;
    let items = sqlx::query_as!(
        OpenOrder,
        r#"
        select id, customer_id, customer_name, state as "state: OrderState", assigned_at
        from work_order
        where staff_id = $2 and corpid = $1 and state not in ('done', 'cancelled')
        order by id
        limit $3
        "#,
        of.corpid.as_str(),
        of.staff_id,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(Counted { count, items })
}

/// The customers of a handover, most recently contacted first; only each one's last round counts.
pub async fn customers(conn: &mut PgConnection, of: &Handover, limit: i64) -> sqlx::Result<Counted<Customer>> {
    let count = count(conn, of.id, ItemKind::Customer).await?;
    let items = sqlx::query_as!(
        Customer,
        r#"
        select last.subject as "external_userid!", contact.customer_id as "customer_id?",
            coalesce(nullif(contact.remark, ''), contact.nickname) as name,
            coalesce(contact.last_contact_time, contact.met_arrived_at) as "last_contact_time?",
            (
                select count(*) from work_order
                where work_order.customer_id = contact.customer_id and work_order.corpid = $2
                    and work_order.state not in ('done', 'cancelled')
            ) as "open_orders!",
            last.state as "state!: ItemState", last.successor_staff_id, last.state = 'refused' as "refused!"
        from (
            select distinct on (subject) subject, state, successor_staff_id from handover_item
            where handover_id = $1 and kind = 'customer'
            order by subject, round desc
        ) last
        left join customer_wechat_contact contact
            on contact.corpid = $2 and contact.external_userid = last.subject and contact.wechat_userid = $3
        order by contact.last_contact_time desc nulls last, last.subject
        limit $4
        "#,
        of.id,
        of.corpid.as_str(),
        of.wechat_userid.as_str(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(Counted { count, items })
}

/// The groups of a handover.
pub async fn groups(conn: &mut PgConnection, of: &Handover, limit: i64) -> sqlx::Result<Counted<Group>> {
    let count = count(conn, of.id, ItemKind::Group).await?;
    let items = sqlx::query_as!(
        Group,
        r#"
        select distinct on (subject) subject as chat_id, state as "state: ItemState", successor_staff_id
        from handover_item
        where handover_id = $1 and kind = 'group'
        order by subject, round desc
        limit $2
        "#,
        of.id,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(Counted { count, items })
}

/// What passed lately between the leaver and customers, latest first.
pub async fn records(conn: &mut PgConnection, of: &Handover, limit: i64) -> sqlx::Result<Counted<Record>> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!" from wechat_contact_record
        where corpid = $1 and wechat_userid = $2 and contact_time > now() - make_interval(days => $3)
        "#,
        of.corpid.as_str(),
        of.wechat_userid.as_str(),
        RECENT_DAYS,
    )
    .fetch_one(&mut *conn)
    .await?;
    let items = sqlx::query_as!(
        Record,
        r#"
        select coalesce(arrived_at, contact_time) as "contact_time!", external_userid,
            contact_type as "contact_type: ContactType", event, content
        from wechat_contact_record
        where corpid = $1 and wechat_userid = $2
        order by contact_time desc, id
        limit $3
        "#,
        of.corpid.as_str(),
        of.wechat_userid.as_str(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(Counted { count, items })
}

/// What is still to do with WeCom in the leaver's name: what they are to be told, and what is to be asked about them.
pub async fn pending(conn: &mut PgConnection, of: &Handover, limit: i64) -> sqlx::Result<Counted<Pending>> {
    let rows = sqlx::query!(
        r#"
        select id, kind as "kind: TaskKind", subject, due_at, parked_at, reason, count(*) over () as "count!"
        from task
        where corpid = $1 and (
            (kind = 'notify_staff' and userid_key(payload::jsonb->>$5::text) = $2)
            or (kind = 'refresh_member' and userid_key(subject) = $2)
            or (kind = 'handover' and subject = $3)
        )
        order by id
        limit $4
        "#,
        of.corpid.as_str(),
        of.wechat_userid.key(),
        of.id.to_string(),
        limit,
        Notice::TOLD,
    )
    .fetch_all(conn)
    .await?;
    let count = rows.first().map_or(0, |it| it.count);
    let items = rows.into_iter().map(|it| Pending {
        id: it.id,
        kind: it.kind,
        subject: it.subject,
        due_at: it.due_at,
        parked_at: it.parked_at,
        reason: it.reason,
    });
    Ok(Counted { count, items: items.collect() })
}

/// What the leaver read lately, with tokens of theirs or logged in, latest first.
pub async fn reads(conn: &mut PgConnection, of: &Handover, limit: i64) -> sqlx::Result<Counted<Read>> {
    let tokens = sqlx::query_scalar!(
        "select id from api_token where staff_id = $2 and corpid = $1",
        of.corpid.as_str(),
        of.staff_id,
    )
    .fetch_all(&mut *conn)
    .await?;
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!" from access_log
        where (token_id = any($1) or token_id is null and role <> '-' and who = $3)
            and method = 'GET' and at > now() - make_interval(days => $2)
        "#,
        &tokens,
        RECENT_DAYS,
        of.wechat_userid.as_str(),
    )
    .fetch_one(&mut *conn)
    .await?;
    let items = sqlx::query_as!(
        Read,
        r#"
        select at, who, route, subject, status, address
        from access_log
        where (token_id = any($1) or token_id is null and role <> '-' and who = $4)
            and method = 'GET' and at > now() - make_interval(days => $2)
        order by id desc
        limit $3
        "#,
        &tokens,
        RECENT_DAYS,
        limit,
        of.wechat_userid.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(Counted { count, items })
}

async fn count(conn: &mut PgConnection, handover: i64, kind: ItemKind) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(distinct subject) as "count!" from handover_item where handover_id = $1 and kind = $2"#,
        handover,
        kind.as_str(),
    )
    .fetch_one(conn)
    .await
}
