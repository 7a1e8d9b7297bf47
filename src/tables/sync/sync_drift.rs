//! `sync_drift`: the differences that a run found between WeCom and our tables.
//!
//! Differences within a page are added with the page; those that only the whole run shows are derived from the tables
//! at the end.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;

use crate::ids::{CorpId, ExternalUserId, UserId};
use crate::states::DriftKind;
use crate::tables::plans;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Its kind.
    pub kind: DriftKind,
    /// The customer it is about.
    pub customer: Option<ExternalUserId>,
    /// The member it is about.
    pub user: Option<UserId>,
    /// Our value.
    pub held: Option<String>,
    /// WeCom's value.
    pub found: Option<String>,
}

/// Adds differences. Those that the run has found before stay as they were: a page may be read again.
pub async fn add(conn: &mut PgConnection, run: i64, found: &[Drift]) -> sqlx::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    let kinds: Vec<_> = found.iter().map(|it| it.kind.as_str().to_owned()).collect();
    let customers: Vec<_> = found.iter().map(|it| text(it.customer.as_ref().map(ExternalUserId::as_str))).collect();
    let users: Vec<_> = found.iter().map(|it| text(it.user.as_ref().map(UserId::as_str))).collect();
    let helds: Vec<_> = found.iter().map(|it| it.held.clone()).collect();
    let founds: Vec<_> = found.iter().map(|it| it.found.clone()).collect();
    sqlx::query!(
        r#"
        insert into sync_drift (run_id, kind, external_userid, wechat_userid, held, found)
        select $1, kind, external_userid, wechat_userid, held, found
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
            it (kind, external_userid, wechat_userid, held, found)
        -- Whoever was erased and is no contact again is not known here, and does not become so by a report.
        where not exists (
            select from sync_run run
            join erased_person erased on erased.corpid = run.corpid
                and erased.person = erased_hash(run.corpid, it.external_userid)
            where run.id = $1 and not exists (
                select from customer_wechat_contact contact
                where contact.corpid = run.corpid and contact.external_userid = it.external_userid
                offset 0
            )
            offset 0
        )
        on conflict on constraint sync_drift_once do nothing
        "#,
        run,
        &kinds,
        &customers,
        &users,
        &helds as _,
        &founds as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A customer whom one member lost and another gained has a new owner: one line replaces the two. The same holds for
/// a leaver's customer whom WeCom lists as assigned to another member (`add_way` 202); the leaver's own list is not
/// read, so nothing else would show it.
pub async fn join_moves(conn: &mut PgConnection, run: i64, corpid: &CorpId) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with gained as (
            select drift.external_userid, drift.wechat_userid, contact.add_way
            from sync_drift drift
            cross join lateral (
                select add_way from customer_wechat_contact contact
                where contact.corpid = $2 and contact.external_userid = drift.external_userid
                    and contact.wechat_userid is not distinct from drift.wechat_userid
                offset 0
            ) contact
            where drift.run_id = $1 and drift.kind = 'missing_here'
        ),
        moved as (
            select lost.external_userid, lost.wechat_userid, gained.wechat_userid as owner
            from gained
            cross join lateral (
                select external_userid, wechat_userid from sync_drift
                where run_id = $1 and kind = 'gone_there' and external_userid = gained.external_userid
                offset 0
            ) lost
            union
            select contact.external_userid, contact.wechat_userid, gained.wechat_userid
            from gained
            cross join lateral (
                select contact.* from customer_wechat_contact contact
                where contact.corpid = $2 and contact.external_userid = gained.external_userid
                offset 0
            ) contact
            cross join lateral (
                select left_at, joined_at from member
                where member.corpid = $2 and member.wechat_userid = contact.wechat_userid
                offset 0
            ) member
            where contact.wechat_userid <> gained.wechat_userid and gained.add_way = 202
                and contact.status in ('assumed', 'contacted')
                and left_at is not null and (joined_at is null or joined_at <= left_at)
        )
        insert into sync_drift (run_id, kind, external_userid, wechat_userid, held, found)
        select $1, 'other_owner', external_userid, wechat_userid, wechat_userid, min(owner)
        from moved
        group by external_userid, wechat_userid
        order by external_userid, wechat_userid
        on conflict on constraint sync_drift_once do nothing
        "#,
        run,
        corpid.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    drop_halves(conn, run).await
}

/// Deletes the two lines that a new-owner line replaces.
async fn drop_halves(conn: &mut PgConnection, run: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from sync_drift
        where run_id = $1 and id = any(array(
            select part.id
            from sync_drift moved
            cross join (values ('gone_there'), ('missing_here')) half (kind)
            cross join lateral (
                select id from sync_drift
                where run_id = $1 and sync_drift.kind = half.kind and external_userid = moved.external_userid
                    and wechat_userid = case half.kind when 'gone_there' then moved.held else moved.found end
                offset 0
            ) part
            where moved.run_id = $1 and moved.kind = 'other_owner'
        ))
        "#,
        run,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Members with contacts in our tables who were in no group of this run, though they have not left.
pub async fn find_not_serving(conn: &mut PgConnection, run: i64, corpid: &CorpId) -> sqlx::Result<()> {
    plans::whole(conn).await?;
    sqlx::query!(
        r#"
        insert into sync_drift (run_id, kind, wechat_userid, held)
        select $1, 'not_serving', contact.wechat_userid, count(*)::text
        from customer_wechat_contact contact
        left join member using (corpid, wechat_userid)
        where contact.corpid = $2 and contact.status in ('assumed', 'contacted')
            and (left_at is null or joined_at > left_at)
            and contact.wechat_userid not in (
                select coalesce(alias.wechat_userid, served) from sync_shard
                cross join unnest(users) served
                left join member_alias alias on alias.key = userid_key(served) and alias.corpid = $2
                where run_id = $1
            )
        group by contact.wechat_userid
        order by contact.wechat_userid
        on conflict on constraint sync_drift_once do nothing
        "#,
        run,
        corpid.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    plans::keyed(conn).await
}

/// How many differences of each kind were found.
pub async fn counts(conn: &mut PgConnection, run: i64) -> sqlx::Result<BTreeMap<DriftKind, i64>> {
    let rows = sqlx::query!(
        r#"
        select kind as "kind: DriftKind", count(*) as "count!" from sync_drift where run_id = $1 group by kind
        "#,
        run,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.count)).collect())
}

/// A line of the report.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SyncDrift")]
pub struct DriftRow {
    /// Its number within the run.
    #[serde(skip)]
    pub id: i64,
    /// What is otherwise.
    pub kind: DriftKind,
    /// The customer it is about; empty if it is about a member alone.
    pub external_userid: String,
    /// The member it is about.
    pub wechat_userid: String,
    /// What we held.
    pub held: Option<String>,
    /// What WeCom says.
    pub found: Option<String>,
}

/// Up to `limit` lines of a run's report after `after`, perhaps of one kind only.
pub async fn list(
    conn: &mut PgConnection,
    run: i64,
    kind: Option<DriftKind>,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<DriftRow>> {
    sqlx::query_as!(
        DriftRow,
        r#"
        select id, kind as "kind: DriftKind", external_userid, wechat_userid, held, found
        from sync_drift
        where run_id = $1 and id > $2 and ($3::text is null or kind = $3)
        order by id
        limit $4
        "#,
        run,
        after,
        kind.map(DriftKind::as_str),
        limit,
    )
    .fetch_all(conn)
    .await
}
