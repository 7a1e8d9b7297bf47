//! `wechat_contact_record`: messages and events between staff members and customers, partitioned by month.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    changes::Record,
    ids::{CorpId, CustomerId, UserId},
    states::{ContactType, RecordSource},
    tables::upkeep::{partition_upkeep::RECORDS, partitions},
};

/// The months in which a table is known to have a partition. Housekeeping makes the current one and the next of the
/// records ahead; this makes other near months on demand.
#[derive(Debug)]
pub struct KnownMonths {
    table: &'static str,
    known: HashSet<NaiveDate>,
}

/// Those of the records.
impl Default for KnownMonths {
    fn default() -> Self {
        Self::of("wechat_contact_record")
    }
}

impl KnownMonths {
    /// Those of a table whose partitions are the records' months.
    pub fn of(table: &'static str) -> Self {
        Self { table, known: HashSet::new() }
    }

    /// Makes the partitions that records of these times need.
    pub async fn ensure(
        &mut self,
        conn: &mut PgConnection,
        times: impl Iterator<Item = DateTime<Utc>>,
    ) -> sqlx::Result<()> {
        let today = Utc::now().date_naive();
        for month in times.filter_map(|at| at.date_naive().with_day(1)) {
            if RECORDS.is_near(month, today) {
                self.know(conn, month).await?;
            }
        }
        Ok(())
    }

    async fn know(&mut self, conn: &mut PgConnection, month: NaiveDate) -> sqlx::Result<()> {
        if self.known.contains(&month) {
            return Ok(());
        }
        let name = format!("{}_{}", self.table, month.format("%Y%m"));
        partitions::make(conn, self.table, &name, month, month + Months::new(1)).await?;
        self.known.insert(month);
        Ok(())
    }

    /// Forgets the months, after the transaction that may have made some was undone.
    pub fn forget(&mut self) {
        self.known.clear();
    }
}

/// Appends the batch's records. An existing one keeps its values, except for an earlier arrival and for a better
/// reading of a malformed plaintext.
pub async fn insert(
    conn: &mut PgConnection,
    records: &BTreeMap<(DateTime<Utc>, Uuid, CorpId), Record>,
) -> sqlx::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let times: Vec<_> = records.keys().map(|(at, ..)| *at).collect();
    let ids: Vec<_> = records.keys().map(|(_, id, _)| *id).collect();
    let corps: Vec<_> = records.keys().map(|(.., corp)| corp.0.clone()).collect();
    let rows = || records.values();
    let customers: Vec<_> = rows().map(|it| it.customer.as_ref().map(|it| it.0.clone())).collect();
    let users: Vec<_> = rows().map(|it| it.user.as_ref().map(|it| it.0.clone())).collect();
    let senders: Vec<_> = rows().map(|it| it.sender.clone()).collect();
    let types: Vec<_> = rows().map(|it| it.contact_type.as_str().to_owned()).collect();
    let events: Vec<_> = rows().map(|it| it.event.clone()).collect();
    let transfers: Vec<_> = rows().map(|it| it.by_transfer).collect();
    let contents: Vec<_> = rows().map(|it| it.content.clone()).collect();
    let media: Vec<_> = rows().map(|it| it.media_id.clone()).collect();
    let arrived: Vec<_> = rows().map(|it| it.arrived_at).collect();
    let repaired: Vec<_> = rows().map(|it| it.repaired).collect();
    let sources: Vec<_> = rows().map(|it| it.source.as_str().to_owned()).collect();
    let chats: Vec<_> = rows().map(|it| it.chat_id.clone()).collect();
    let details: Vec<_> = rows().map(|it| it.detail.clone()).collect();
    drop_misdated(conn, records).await?;
    sqlx::query!(
        r#"
        insert into wechat_contact_record as own (
            contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, event, content, media_id,
            arrived_at, repaired, by_transfer, source, chat_id, detail
        )
        select * from unnest(
            $1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::timestamptz[], $12::boolean[], $13::boolean[], $14::text[], $15::text[],
            $16::jsonb[]
        )
        on conflict on constraint wechat_contact_record_key do update set
            external_userid = excluded.external_userid, wechat_userid = excluded.wechat_userid,
            sender = excluded.sender, contact_type = excluded.contact_type, event = excluded.event,
            content = excluded.content, media_id = excluded.media_id, repaired = excluded.repaired,
            by_transfer = excluded.by_transfer, chat_id = excluded.chat_id, detail = excluded.detail,
            arrived_at = least(own.arrived_at, excluded.arrived_at)
        where (excluded.repaired and not own.repaired)
            or coalesce(excluded.arrived_at < own.arrived_at, own.arrived_at is null and excluded.arrived_at is not null)
        "#,
        &times,
        &ids,
        &corps,
        &customers as _,
        &users as _,
        &senders,
        &types,
        &events as _,
        &contents,
        &media as _,
        &arrived as _,
        &repaired,
        &transfers,
        &sources,
        &chats as _,
        &details as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes what an earlier version recorded of the same deliveries when it could not read the event's time: it used
/// the time in the delivery's key.
async fn drop_misdated(
    conn: &mut PgConnection,
    records: &BTreeMap<(DateTime<Utc>, Uuid, CorpId), Record>,
) -> sqlx::Result<()> {
    let misdated = records.iter().filter(|((at, ..), it)| it.stored_under != *at);
    let (mut times, mut ids, mut corps) = (Vec::new(), Vec::new(), Vec::new());
    for ((_, id, corp), record) in misdated {
        times.push(record.stored_under);
        ids.push(*id);
        corps.push(corp.0.clone());
    }
    if times.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        delete from wechat_contact_record own
        using unnest($1::timestamptz[], $2::uuid[], $3::text[]) former (contact_time, id, corpid)
        where own.contact_time = former.contact_time and own.id = former.id and own.corpid = former.corpid
            and own.source = 'app'
        "#,
        &times,
        &ids,
        &corps,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A member's userid changed: their records move to the new one.
pub async fn rename(conn: &mut PgConnection, corpid: &CorpId, from: &UserId, to: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update wechat_contact_record
        set wechat_userid = $3, sender = case when sender = $2 then $3 else sender end
        where corpid = $1 and wechat_userid = $2
        "#,
        corpid.as_str(),
        from.as_str(),
        to.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Assigns messages of these senders, who were taken for customers, to the member.
pub async fn were_of(conn: &mut PgConnection, corpid: &CorpId, senders: &[String], user: &UserId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update wechat_contact_record set wechat_userid = $3, sender = $3, external_userid = null
        where corpid = $1 and external_userid = any($2) and sender = external_userid
            and wechat_userid is null and contact_type <> 'event' and source = 'app'
        "#,
        corpid.as_str(),
        senders,
        user.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A record that a person writes.
#[derive(Debug)]
pub struct ByHand<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// The record's id.
    pub id: Uuid,
    /// When it happened.
    pub contact_time: DateTime<Utc>,
    /// The customer, as the business names them.
    pub customer: &'a CustomerId,
    /// The staff member, as WeCom names them.
    pub user: Option<&'a str>,
    /// The author.
    pub writer: &'a str,
    /// What happened.
    pub content: &'a str,
}

/// Adds a hand-written record; its source is `manual`.
pub async fn write(conn: &mut PgConnection, record: &ByHand<'_>) -> sqlx::Result<RecordView> {
    KnownMonths::default().ensure(conn, std::iter::once(record.contact_time)).await?;
    sqlx::query_as!(
        RecordView,
        r#"
        insert into wechat_contact_record (
            contact_time, id, corpid, customer_id, wechat_userid, sender, contact_type, content, source
        )
        values ($1, $2, $3, $4, $5, $6, 'text', $7, 'manual')
        returning
            id, corpid, contact_time, arrived_at is not null as "time_is_arrival!",
            contact_type as "contact_type: ContactType", event, content, sender, wechat_userid, external_userid, customer_id,
            media_id, chat_id, detail, source as "source: RecordSource", null::timestamptz as revoked_at, repaired
        "#,
        record.contact_time,
        record.id,
        record.corpid.as_str(),
        record.customer.as_str(),
        record.user,
        record.writer,
        record.content,
    )
    .fetch_one(conn)
    .await
}

/// A position in a list of records: time, id, and the corp, since two corps may receive one event.
pub type RecordPosition = (DateTime<Utc>, Uuid, String);

/// A record as the admin API shows it.
#[derive(Debug, Serialize, sqlx::FromRow, schemars::JsonSchema)]
#[schemars(rename = "ContactRecord")]
pub struct RecordView {
    /// The record's id.
    pub id: Uuid,
    /// The corp.
    pub corpid: String,
    /// When it happened; if WeCom did not say so, when it arrived.
    pub contact_time: DateTime<Utc>,
    /// Whether contact_time is when it arrived.
    pub time_is_arrival: bool,
    /// What it is: text, image, … or event.
    pub contact_type: ContactType,
    /// WeCom's name of the event, if it is one.
    pub event: Option<String>,
    /// The words, or a summary in words.
    pub content: String,
    /// Who spoke or acted.
    pub sender: String,
    /// The staff member's side.
    pub wechat_userid: Option<String>,
    /// The customer's side.
    pub external_userid: Option<String>,
    /// The business's id of the customer: as written by hand, or that of the matched contact.
    pub customer_id: Option<String>,
    /// WeCom's id of the picture, sound or film.
    pub media_id: Option<String>,
    /// The customer group or the 微信客服 account in which it was said.
    pub chat_id: Option<String>,
    /// What content leaves out, as WeCom sent it.
    pub detail: Option<Value>,
    /// Where we learnt of it.
    pub source: RecordSource,
    /// When the message was recalled; its content is kept.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Whether what WeCom sent was not well formed, and was read as it was meant.
    pub repaired: bool,
}
