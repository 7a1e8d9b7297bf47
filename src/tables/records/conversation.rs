//! One conversation, whatever the channel: what passed between a customer and us through an app, 微信客服, the session
//! archive, groups, or was written down by hand; and what was said in one group.
//!
//! Callers who see their own alone get all of it for a customer whom they know today or have an open order of, whoever
//! spoke; and what was said in a group while they are in it.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::wechat_contact_record::{RecordPosition, RecordView};
use crate::{
    states::{ContactType, RecordSource},
    tables::access::own::Own,
};

/// Whose talk is read.
#[derive(Debug, Clone)]
pub enum Talk {
    /// A customer's, by the business's id or WeCom's.
    Customer(String),
    /// A group's, in this corp.
    Group {
        /// The corp.
        corpid: String,
        /// WeCom's id of the group.
        chat_id: String,
    },
}

/// In which order records are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Latest first: pages go back in time.
    #[default]
    Latest,
    /// Earliest first: pages go forward.
    Earliest,
}

/// Which records to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this type.
    pub contact_type: Option<ContactType>,
    /// Only from this source.
    pub source: Option<RecordSource>,
    /// Only of this group or 微信客服 account.
    pub chat_id: Option<String>,
    /// Only what this person said or did.
    pub sender: Option<String>,
    /// Only those whose content contains this text, in any case.
    pub q: Option<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
    /// In which order.
    pub order: Order,
    /// Only those listed after this one.
    pub after: Option<RecordPosition>,
    /// Only what this staff member may see.
    pub own: Option<Own>,
}

/// The columns of [`RecordView`]; what follows names the records, as `record`.
pub(super) const COLUMNS: &str = "select id, record.corpid, coalesce(record.customer_id, (select max(contact.customer_id) \
    from customer_wechat_contact contact where contact.corpid = record.corpid \
    and contact.external_userid = record.external_userid)) as customer_id, coalesce(arrived_at, contact_time) as contact_time, \
    arrived_at is not null as time_is_arrival, contact_type, event, content, sender, wechat_userid, \
    record.external_userid, media_id, chat_id, detail, source, \
    (select revoked_at from message_revocation revoked where revoked.corpid = record.corpid \
        and revoked.record_id = record.id) as revoked_at, repaired from (";

/// Up to `limit` records, in the filter's order.
pub async fn list(conn: &mut PgConnection, talk: &Talk, filter: &Filter, limit: i64) -> sqlx::Result<Vec<RecordView>> {
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new(COLUMNS);
    match talk {
        Talk::Customer(customer) => {
            if let Some(own) = &filter.own
                && !own.follows_talk_of(conn, customer).await?
            {
                return Ok(Vec::new());
            }
            of_customer(conn, &mut query, customer).await?;
        }
        Talk::Group { corpid, chat_id } => {
            query.push("select * from wechat_contact_record said where said.corpid = ").push_bind(corpid.clone());
            query.push(" and said.chat_id = ").push_bind(chat_id.clone()).push(") record where true");
        }
    }
    narrow(&mut query, filter);
    go_on(&mut query, filter);
    query.push(" limit ").push_bind(limit);
    query.build_query_as().fetch_all(conn).await
}

/// Reads a customer's ids, and pushes where their records are found.
///
/// The ids are read first and passed as constants: each then uses one index, however many records there are.
async fn of_customer(conn: &mut PgConnection, query: &mut QueryBuilder<Postgres>, customer: &str) -> sqlx::Result<()> {
    let ids = sqlx::query!(
        r#"
        with corp as materialized (select distinct corpid from enterprise_wechat_config)
        select corpid, external_userid from customer_wechat_contact join corp using (corpid) where customer_id = $1
        union
        select corpid, external_userid from customer_wechat_contact join corp using (corpid) where external_userid = $1
        union
        select corpid, external_userid from customer_activity join corp using (corpid) where external_userid = $1
        union
        select corpid, external_userid from kf_customer join corp using (corpid) where customer_id = $1
        union
        select corpid, external_userid from kf_customer join corp using (corpid) where external_userid = $1
        "#,
        customer,
    )
    .fetch_all(conn)
    .await?;
    let (corps, customers): (Vec<_>, Vec<_>) =
        ids.into_iter().filter_map(|row| Some((row.corpid?, row.external_userid?))).unzip();
    query.push("select seen.* from unnest(").push_bind(corps).push("::text[], ").push_bind(customers);
    // Hand-written records name the customer by the business's id.
    query.push(
        "::text[]) customer (corpid, external_userid) join wechat_contact_record seen \
         on seen.corpid = customer.corpid and seen.external_userid = customer.external_userid \
         union all select written.* from (select distinct corpid from enterprise_wechat_config) corp \
         join wechat_contact_record written using (corpid) where written.customer_id in (",
    );
    query.push_bind(customer.to_owned());
    query.push(", (select max(customer_id) from customer_wechat_contact contact where external_userid = ");
    query.push_bind(customer.to_owned()).push(" and contact.corpid = corp.corpid))) record where true");
    Ok(())
}

/// Whether a chat is a customer group, and not a 微信客服 account.
pub(super) fn is_group(chat_id: &str) -> bool {
    chat_id.starts_with("wr")
}

/// Pushes the filter's conditions.
pub(super) fn narrow(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    if let Some(contact_type) = filter.contact_type {
        query.push(" and contact_type = ").push_bind(contact_type);
    }
    if let Some(source) = filter.source {
        query.push(" and source = ").push_bind(source);
    }
    if let Some(chat_id) = &filter.chat_id {
        query.push(" and chat_id = ").push_bind(chat_id.clone());
    }
    if let Some(sender) = &filter.sender {
        query.push(" and sender = ").push_bind(sender.clone());
    }
    if let Some(text) = &filter.q {
        query.push(" and position(lower(").push_bind(text.clone()).push("::text) in lower(content)) > 0");
    }
    // Records without a time are stored under the epoch and count by their arrival. The second condition matches the
    // partitions and indexes.
    if let Some(from) = filter.from {
        query.push(" and coalesce(arrived_at, contact_time) >= ").push_bind(from);
        query.push(" and (contact_time >= ").push_bind(from).push(" or contact_time = to_timestamp(0))");
    }
    if let Some(to) = filter.to {
        query.push(" and coalesce(arrived_at, contact_time) < ").push_bind(to);
        query.push(" and contact_time < ").push_bind(to.max(DateTime::UNIX_EPOCH + TimeDelta::microseconds(1)));
    }
    if let (Some(corpid), Some(staff)) = Own::parts(filter.own.as_ref()) {
        query.push(" and record.corpid = ").push_bind(corpid.to_owned());
        // Of a customer's words in groups, only those in groups that the staff member is in.
        query.push(
            " and (chat_id is null or not starts_with(chat_id, 'wr') or exists (select from group_member own \
             join staff_wechat_bind bind on bind.corpid = own.corpid and bind.wechat_userid = own.person \
             where own.corpid = record.corpid and own.chat_id = record.chat_id \
             and own.joined_at > coalesce(own.left_at, '-infinity') and bind.status = 'bound' and bind.staff_id = ",
        );
        query.push_bind(staff.to_owned()).push("))");
    }
}

/// Pushes where the page begins, and the order.
fn go_on(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    let (than, order) = match filter.order {
        Order::Latest => ("<", "desc"),
        Order::Earliest => (">", "asc"),
    };
    if let Some((at, id, corpid)) = &filter.after {
        // This matches the partitions and indexes; the next condition is the exact one.
        match filter.order {
            Order::Latest => query.push(" and contact_time <= ").push_bind(*at),
            Order::Earliest => {
                query.push(" and (contact_time >= ").push_bind(*at).push(" or contact_time = to_timestamp(0))")
            }
        };
        query.push(format!(" and (coalesce(arrived_at, contact_time), id, record.corpid) {than} ("));
        query.push_bind(*at).push(", ").push_bind(*id).push(", ").push_bind(corpid.clone()).push(")");
    }
    query.push(format!(" order by coalesce(arrived_at, contact_time) {order}, id {order}, record.corpid {order}"));
}
