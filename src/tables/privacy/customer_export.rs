//! Exports everything that is stored about a customer, row by row. Records may be many and come in pages.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{changes::WelcomePayload, ids::CorpId};

/// The customer or person to export.
#[derive(Debug)]
pub struct Whose<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// The business's id, if it was given.
    pub customer: Option<&'a str>,
    /// The external contacts.
    pub persons: &'a [String],
}

/// A record's position in time order.
pub type ExportPosition = (DateTime<Utc>, Uuid);

/// A record, and the file that it names.
#[derive(Debug)]
pub struct RecordRow {
    /// Its position.
    pub place: ExportPosition,
    /// All of its columns.
    pub row: Value,
    /// WeCom's id of its picture, sound, film or file.
    pub media_id: Option<String>,
}

/// Up to `limit` rows of each table except the records, by the table's name.
pub async fn rows(conn: &mut PgConnection, whose: &Whose<'_>, limit: i64) -> sqlx::Result<Map<String, Value>> {
    let mut found = sqlx::query_as!(
        TableRow,
        r#"
        with own_order as materialized (
            select * from work_order where corpid = $1 and customer_id = $2 order by id limit $4
        ),
        own_way as materialized (
            select * from contact_way where corpid = $1 and (customer_id = $2 or used_by = any($3)) order by id limit $4
        ),
        own_media as materialized (
            select distinct media_id from wechat_contact_record
            where corpid = $1 and external_userid = any($3) and media_id is not null
            limit $4
        )
        (select 'customer_wechat_contact' as "table!", to_jsonb(it) as "row!" from customer_wechat_contact it
            where corpid = $1 and external_userid = any($3) limit $4)
        union all (select 'customer_activity', to_jsonb(it) from customer_activity it
            where corpid = $1 and external_userid = any($3) limit $4)
        union all (select 'customer_match', to_jsonb(it) from customer_match it
            where corpid = $1 and (external_userid = any($3) or customer_id = $2 or $2 = any(candidates)) limit $4)
        union all (select 'work_order', to_jsonb(it) from own_order it)
        union all (select 'work_order_change', to_jsonb(it) from work_order_change it
            where work_order_id in (select id from own_order) limit $4)
        union all (select 'contact_way', to_jsonb(it) from own_way it)
        union all (select 'contact_way_scan', to_jsonb(it) from contact_way_scan it
            where corpid = $1 and (external_userid = any($3) or state in (select state from own_way)) limit $4)
        union all (select 'welcome', to_jsonb(it) from welcome it where corpid = $1 and external_userid = any($3) limit $4)
        union all (select 'handover_item', to_jsonb(it) from handover_item it join handover on handover.id = handover_id
            where corpid = $1 and (kind = 'customer' and subject = any($3)
                or kind = 'session' and split_part(subject, '/', 2) = any($3)) limit $4)
        union all (select 'handover_log', to_jsonb(it) from handover_log it join handover on handover.id = handover_id
            where corpid = $1 and (kind = 'customer' and subject = any($3)
                or kind = 'session' and split_part(subject, '/', 2) = any($3)) limit $4)
        union all (select 'transfer_fail', to_jsonb(it) from transfer_fail it
            where corpid = $1 and external_userid = any($3) limit $4)
        union all (select 'sync_drift', to_jsonb(it) from sync_drift it join sync_run on sync_run.id = run_id
            where corpid = $1 and external_userid = any($3) limit $4)
        union all (select 'group_member', to_jsonb(it) from group_member it
            where corpid = $1 and person = any($3) and userid_key(person) = any(select userid_key(id) from unnest($3::text[]) id)
            limit $4)
        union all (select 'task', to_jsonb(it) from task it
            where corpid = $1 and (
                kind in ('refresh_contact', 'refresh_kf_customer') and subject = any($3)
                or kind in ('welcome', 'welcome_kf') and payload::jsonb->>$5::text = any($3)
                or kind = 'route_kf' and split_part(subject, '/', 2) = any($3)
                or kind = 'fetch_media' and subject in (select media_id from own_media)
                or kind = 'notify_staff' and split_part(subject, ':', 1) = 'work_order'
                    and split_part(subject, ':', 2) in (select id::text from own_order)
            ) limit $4)
        union all (select 'media', to_jsonb(it) - 'location' from media it
            where corpid = $1 and media_id in (select media_id from own_media) limit $4)
        union all (select 'idempotency_key', to_jsonb(it) - 'hash' from idempotency_key it
            where exists (select from unnest($3::text[] || $2::text) id where position(to_json(id)::text in answer::text) > 0)
            limit $4)
        union all (select 'access_log', to_jsonb(it) - 'previous' - 'hash' from access_log it
            where customer <> '' and customer = any($3::text[] || $2::text)
                or subject <> '' and subject = any($3::text[] || $2::text) limit $4)
        "#,
        whose.corpid.as_str(),
        whose.customer,
        whose.persons,
        limit,
        WelcomePayload::GREETED,
    )
    .fetch_all(&mut *conn)
    .await?;
    found.extend(talk_rows(conn, whose, limit).await?);
    Ok(by_table(found))
}

/// The rows of 微信客服 and of the message archive, and the recalls of messages.
async fn talk_rows(conn: &mut PgConnection, whose: &Whose<'_>, limit: i64) -> sqlx::Result<Vec<TableRow>> {
    sqlx::query_as!(
        TableRow,
        r#"
        (select 'kf_customer' as "table!", to_jsonb(it) as "row!" from kf_customer it
            where corpid = $1 and external_userid = any($2) limit $3)
        union all (select 'kf_session', to_jsonb(it) from kf_session it
            where corpid = $1 and external_userid = any($2) limit $3)
        union all (select 'archive_consent', to_jsonb(it) from archive_consent it
            where corpid = $1 and external_userid = any($2) limit $3)
        union all (select 'archive_media', to_jsonb(it) - 'sdkfileid' - 'next_index' from archive_media it
            where corpid = $1 and media_id in (
                select media_id from wechat_contact_record where corpid = $1 and external_userid = any($2)
            ) limit $3)
        union all (select 'message_revocation', to_jsonb(it) from message_revocation it
            where corpid = $1 and record_id in (
                select id from wechat_contact_record where corpid = $1 and external_userid = any($2)
            ) limit $3)
        "#,
        whose.corpid.as_str(),
        whose.persons,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A row with its table's name.
struct TableRow {
    table: String,
    row: Value,
}

fn by_table(found: Vec<TableRow>) -> Map<String, Value> {
    let mut tables = Map::new();
    for it in found {
        if let Value::Array(rows) = tables.entry(it.table).or_insert_with(|| Value::Array(Vec::new())) {
            rows.push(it.row);
        }
    }
    tables
}

/// Up to `limit` records after that position, oldest first.
pub async fn records(
    conn: &mut PgConnection,
    whose: &Whose<'_>,
    after: Option<ExportPosition>,
    limit: i64,
) -> sqlx::Result<Vec<RecordRow>> {
    let (at, id) = after.unzip();
    let rows = sqlx::query!(
        r#"
        select contact_time, id, media_id, to_jsonb(record) as "row!"
        from wechat_contact_record record
        where corpid = $1 and (external_userid = any($3) or customer_id = $2)
            and ($4::timestamptz is null or (contact_time, id) > ($4, $5::uuid))
        order by contact_time, id
        limit $6
        "#,
        whose.corpid.as_str(),
        whose.customer,
        whose.persons,
        at,
        id,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|it| RecordRow { place: (it.contact_time, it.id), row: it.row, media_id: it.media_id }).collect())
}
