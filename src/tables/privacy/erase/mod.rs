//! Erases somebody from every table in one transaction: rows that are only about them are deleted; rows that count
//! for staff or for the business stay and lose names, ids and texts.
//!
//! The caller holds the corp's lock exclusively and calls the steps of [`Erasing`] in their order, which is that of
//! `apply`. What happens to a handover's item is not decided here: it only loses the customer's id. [`columns`] lists
//! each column that can hold a customer's id and what happens to it; a test compares that list with the catalogue.

pub mod columns;

mod archive;
mod groups;

mod kf;

mod search;

use serde_json::{Map, Value};
use sqlx::PgConnection;

use crate::{changes::WelcomePayload, ids::CorpId, tables::customers::customer_match};

/// The customer or people to erase.
#[derive(Debug)]
pub struct Whom {
    /// The corp.
    pub corpid: CorpId,
    /// The business's id, and its replacement from now on; none if a single person is erased.
    pub customer: Option<(String, String)>,
    /// The external contacts.
    pub persons: Vec<String>,
    /// The replacement of each person's id, in the same order.
    pub labels: Vec<String>,
}

/// A handover item about an erased person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamelessItem {
    /// The item.
    pub item: i64,
    /// Its handover.
    pub handover: i64,
}

/// An erasure in progress, in the caller's transaction.
#[derive(Debug)]
pub struct Erasing<'a> {
    whom: &'a Whom,
    erasure: i64,
    /// The customer's hand-written records: stored answers to repeated requests name them.
    records: Vec<String>,
    counts: Map<String, Value>,
}

/// The people of a customer's id: those matched to it, and those assigned to it by decision.
pub async fn people_of(conn: &mut PgConnection, corpid: &CorpId, customer: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select external_userid as "external_userid!" from customer_wechat_contact
        where customer_id = $2 and corpid = $1
        union
        select external_userid from customer_match where corpid = $1 and customer_id = $2
        union
        select used_by from contact_way where corpid = $1 and customer_id = $2 and used_by is not null
        union
        select external_userid from kf_customer where corpid = $1 and customer_id = $2
        order by 1
        "#,
        corpid.as_str(),
        customer,
    )
    .fetch_all(conn)
    .await
}

/// The business's customers that a person is matched to.
pub async fn customers_of(conn: &mut PgConnection, corpid: &CorpId, person: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        select distinct customer_id as "customer_id!" from customer_wechat_contact
        where corpid = $1 and external_userid = $2 and customer_id is not null
        union
        select customer_id from kf_customer where corpid = $1 and external_userid = $2 and customer_id is not null
        order by 1
        "#,
        corpid.as_str(),
        person,
    )
    .fetch_all(conn)
    .await
}

/// Whether any table knows a customer's id, apart from the people matched to it.
pub async fn is_known(conn: &mut PgConnection, corpid: &CorpId, customer: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (select from work_order where customer_id = $2 and corpid = $1)
            or exists (select from contact_way where customer_id = $2 and corpid = $1)
            or exists (select from wechat_contact_record where customer_id = $2 and corpid = $1)
            or exists (select from customer_match where $2 = any(candidates) and corpid = $1) as "known!"
        "#,
        corpid.as_str(),
        customer,
    )
    .fetch_one(conn)
    .await
}

impl<'a> Erasing<'a> {
    /// Begins an erasure. Files to delete are recorded under its number.
    pub async fn begin(conn: &mut PgConnection, whom: &'a Whom, erasure: i64) -> sqlx::Result<Self> {
        let records = record_ids(conn, whom).await?;
        note_bytes(conn, whom, erasure).await?;
        Ok(Self { whom, erasure, records, counts: Map::new() })
    }

    /// Erases them from the contacts and the contact records.
    pub async fn contacts(&mut self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let whom = self.whom;
        self.count("customer_activity", delete_activity(conn, whom).await?);
        self.count("wechat_contact_record", empty_records(conn, whom).await?);
        self.count("record_search", search::delete_terms(conn, whom).await?);
        self.count("customer_wechat_contact", delete_contacts(conn, whom).await?);
        self.count("kf_session", kf::delete_sessions(conn, whom).await?);
        self.count("kf_customer", kf::delete_customers(conn, whom).await?);
        Ok(())
    }

    /// Removes their ids from handovers. Returns the items that lost one, in any state.
    pub async fn handovers(&mut self, conn: &mut PgConnection) -> sqlx::Result<Vec<NamelessItem>> {
        let (log, items) = forget_handed_over(conn, self.whom).await?;
        self.count("handover_log", log);
        self.count("handover_item", items.len() as u64);
        Ok(items)
    }

    /// Erases them from the other tables, and returns the whole erasure's row counts per table.
    pub async fn rest(mut self, conn: &mut PgConnection) -> sqlx::Result<Map<String, Value>> {
        let (whom, erasure) = (self.whom, self.erasure);
        self.count("archive_consent", archive::delete_consents(conn, whom).await?);
        self.count("transfer_fail", delete_transfer_fails(conn, whom).await?);
        self.count("group_member", groups::delete(conn, whom).await?);
        self.count("contact_way_scan", delete_scans(conn, whom).await?);
        self.count("contact_way", empty_contact_ways(conn, whom).await?);
        self.count("customer_match", delete_matches(conn, whom).await?);
        self.count("work_order", empty_orders(conn, whom).await?);
        self.count("welcome", empty_greetings(conn, whom).await?);
        self.count("sync_drift", empty_drift(conn, whom).await?);
        self.count("idempotency_key", empty_answers(conn, whom, &self.records).await?);
        // An executor writes nothing once its task's row is gone, so the rows that it would write are deleted after
        // it.
        self.count("task", delete_tasks(conn, whom, erasure).await?);
        self.count("archive_media", archive::delete_media(conn, erasure).await?);
        self.count("media", delete_media(conn, erasure).await?);
        Ok(self.counts)
    }

    fn count(&mut self, table: &str, rows: u64) {
        if rows > 0 {
            self.counts.insert(table.to_owned(), rows.into());
        }
    }
}

fn customer(whom: &Whom) -> (Option<&str>, Option<&str>) {
    whom.customer.as_ref().map(|(id, label)| (id.as_str(), label.as_str())).unzip()
}

async fn record_ids(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select id::text as "id!" from wechat_contact_record where corpid = $1 and customer_id = $2"#,
        whom.corpid.as_str(),
        customer(whom).0,
    )
    .fetch_all(conn)
    .await
}

async fn note_bytes(conn: &mut PgConnection, whom: &Whom, erasure: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into erasure_media (erasure_id, corpid, media_id, contact_time, location)
        select distinct on (record.media_id) $3, record.corpid, record.media_id, record.contact_time, media.location
        from wechat_contact_record record
        left join media on media.corpid = record.corpid and media.media_id = record.media_id
        where record.corpid = $1 and record.external_userid = any($2) and record.media_id is not null
        order by record.media_id, record.contact_time
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        erasure,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn delete_activity(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "delete from customer_activity where corpid = $1 and external_userid = any($2)",
        whom.corpid.as_str(),
        &whom.persons,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// A message names no member and counts for the customer's contact, so that member is stored in it before the contact
/// goes.
async fn empty_records(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let theirs = sqlx::query!(
        r#"
        update wechat_contact_record record
        set external_userid = person.label,
            sender = case when sender = person.id then person.label else sender end,
            wechat_userid = coalesce(record.wechat_userid, person.owner),
            content = '', media_id = null, detail = null
        from (
            select given.id, given.label, (
                select wechat_userid from customer_wechat_contact contact
                where contact.corpid = $1 and contact.external_userid = given.id
                order by status = 'contacted' desc, first_contact_time desc nulls last, contact.wechat_userid
                limit 1
            ) as owner
            from unnest($2::text[], $3::text[]) given (id, label)
        ) person
        where record.corpid = $1 and record.external_userid = person.id
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        &whom.labels,
    )
    .execute(&mut *conn)
    .await?;
    let (id, label) = customer(whom);
    let by_hand = sqlx::query!(
        "update wechat_contact_record set customer_id = $3, content = '' where corpid = $1 and customer_id = $2",
        whom.corpid.as_str(),
        id,
        label,
    )
    .execute(conn)
    .await?;
    Ok(theirs.rows_affected() + by_hand.rows_affected())
}

async fn delete_contacts(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "delete from customer_wechat_contact where corpid = $1 and external_userid = any($2)",
        whom.corpid.as_str(),
        &whom.persons,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// Their items and log lines stay, without identifying anybody.
async fn forget_handed_over(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<(u64, Vec<NamelessItem>)> {
    let log = sqlx::query!(
        r#"
        update handover_log log set subject = person.label
        from unnest($2::text[], $3::text[]) person (id, label), handover
        where log.kind = 'customer' and log.subject = person.id and handover.id = log.handover_id
            and handover.corpid = $1
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        &whom.labels,
    )
    .execute(&mut *conn)
    .await?;
    let items = sqlx::query_as!(
        NamelessItem,
        r#"
        with named as (
            select item.id, person.label
            from unnest($2::text[], $3::text[]) person (id, label)
            join handover_item item on item.kind = 'customer' and item.subject = person.id
            join handover on handover.id = item.handover_id and handover.corpid = $1
            union all
            select item.id, split_part(item.subject, '/', 1) || '/' || person.label
            from unnest($2::text[], $3::text[]) person (id, label)
            join handover_item item on item.kind = 'session' and split_part(item.subject, '/', 2) = person.id
            join handover on handover.id = item.handover_id and handover.corpid = $1
        )
        update handover_item item
        set subject = named.label
        from named
        where item.id = named.id
        returning item.id as item, item.handover_id as handover
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        &whom.labels,
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok((log.rows_affected() + kf::forget_logged(conn, whom).await?, items))
}

async fn delete_transfer_fails(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "delete from transfer_fail where corpid = $1 and external_userid = any($2)",
        whom.corpid.as_str(),
        &whom.persons,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

async fn delete_scans(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from contact_way_scan
        where corpid = $1 and (external_userid = any($2)
            or state in (select state from contact_way where corpid = $1 and customer_id = $3))
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        customer(whom).0,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// The customer's codes no longer identify them; they are deleted at WeCom as expired ones are.
async fn empty_contact_ways(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let used = sqlx::query!(
        r#"
        update contact_way set used_by = person.label
        from unnest($2::text[], $3::text[]) person (id, label)
        where corpid = $1 and used_by = person.id
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        &whom.labels,
    )
    .execute(&mut *conn)
    .await?;
    let (id, label) = customer(whom);
    let made = sqlx::query!(
        r#"
        update contact_way
        set customer_id = $3, state = $3 || '-' || id, qr_code = case when qr_code is not null then '' end,
            ended_at = coalesce(ended_at, now()), expires_at = least(expires_at, now())
        where corpid = $1 and customer_id = $2
        "#,
        whom.corpid.as_str(),
        id,
        label,
    )
    .execute(conn)
    .await?;
    Ok(used.rows_affected() + made.rows_affected())
}

/// Removes the customer's id from other people's candidates.
async fn delete_matches(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        delete from customer_match
        where corpid = $1 and (external_userid = any($2) or customer_id = $3
            or $3 = any(candidates) and cardinality(candidates) <= 2)
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        customer(whom).0,
    )
    .execute(&mut *conn)
    .await?;
    let fewer = customer_match::withdraw(conn, &whom.corpid, customer(whom).0).await?;
    Ok(gone.rows_affected() + fewer)
}

/// The business's orders stay, without a customer.
async fn empty_orders(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let (id, label) = customer(whom);
    sqlx::query!(
        r#"
        update work_order_change set note = null
        where note is not null and work_order_id in (select id from work_order where customer_id = $2 and corpid = $1)
        "#,
        whom.corpid.as_str(),
        id,
    )
    .execute(&mut *conn)
    .await?;
    let orders = sqlx::query!(
        r#"
        update work_order
        set customer_id = $3, customer_name = null, phone = null, address = null, description = '',
            contacted_state = null, version = version + 1
        where customer_id = $2 and corpid = $1
        "#,
        whom.corpid.as_str(),
        id,
        label,
    )
    .execute(conn)
    .await?;
    Ok(orders.rows_affected())
}

async fn empty_greetings(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let nameless = sqlx::query!(
        r#"
        update welcome set external_userid = person.label, state = null, reason = null
        from unnest($2::text[], $3::text[]) person (id, label)
        where corpid = $1 and external_userid = person.id
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        &whom.labels,
    )
    .execute(conn)
    .await?;
    Ok(nameless.rows_affected())
}

async fn empty_drift(conn: &mut PgConnection, whom: &Whom) -> sqlx::Result<u64> {
    let nameless = sqlx::query!(
        r#"
        update sync_drift drift set external_userid = person.label, held = null, found = null
        from unnest($2::text[], $3::text[]) person (id, label), sync_run run
        where run.corpid = $1 and drift.run_id = run.id and drift.external_userid = person.id
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        &whom.labels,
    )
    .execute(conn)
    .await?;
    Ok(nameless.rows_affected())
}

/// Clears stored answers, keeping only their keys: a repeated request is then refused instead of being carried out
/// again.
async fn empty_answers(conn: &mut PgConnection, whom: &Whom, records: &[String]) -> sqlx::Result<u64> {
    let ids: Vec<_> = whom.persons.iter().cloned().chain(customer(whom).0.map(str::to_owned)).collect();
    let emptied = sqlx::query!(
        r#"
        update idempotency_key set answer = '{}', subject = '', customer = '', hash = ''
        where answer->>'id' = any($2) or subject = any($1) or customer = any($1)
            or exists (select from unnest($1::text[]) id where position(to_json(id)::text in answer::text) > 0)
        "#,
        &ids,
        records,
    )
    .execute(conn)
    .await?;
    Ok(emptied.rows_affected())
}

async fn delete_tasks(conn: &mut PgConnection, whom: &Whom, erasure: i64) -> sqlx::Result<u64> {
    let (_, label) = customer(whom);
    let gone = sqlx::query!(
        r#"
        delete from task
        where corpid = $1 and (
            kind in ('refresh_contact', 'refresh_kf_customer') and subject = any($2)
            or kind in ('welcome', 'welcome_kf') and payload::jsonb->>$5::text = any($2)
            or kind = 'route_kf' and split_part(subject, '/', 2) = any($2)
            or kind = 'fetch_media' and subject in (select media_id from erasure_media where erasure_id = $4)
            or kind = 'notify_staff' and split_part(subject, ':', 1) = 'work_order'
                and split_part(subject, ':', 2) in (select id::text from work_order where customer_id = $3 and corpid = $1)
        )
        "#,
        whom.corpid.as_str(),
        &whom.persons,
        label,
        erasure,
        WelcomePayload::GREETED,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

async fn delete_media(conn: &mut PgConnection, erasure: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        r#"
        with gone as (
            delete from media using erasure_media noted
            where noted.erasure_id = $1 and media.corpid = noted.corpid and media.media_id = noted.media_id
            returning media.corpid, media.media_id, media.location
        )
        -- One that was fetched since it was noted.
        update erasure_media noted set location = gone.location
        from gone
        where noted.erasure_id = $1 and noted.corpid = gone.corpid and noted.media_id = gone.media_id
        "#,
        erasure,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}
