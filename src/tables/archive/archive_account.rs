//! `archive_account`: how far each corp's archive is read, and why it is not read further.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{ids::CorpId, states::TaskKind};

/// WeCom's number of the archive, which counts as an app.
const AGENTID: &str = "2000004";

/// How often seats and consents are read.
const CONSENTS_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// A corp's archive.
#[derive(Debug, Clone)]
pub struct Account {
    /// The corp.
    pub corpid: CorpId,
    /// The app that pulls it.
    pub app_id: i32,
    /// The number of the last message that is stored.
    pub seq: i64,
    /// When a page last came.
    pub pulled_at: Option<DateTime<Utc>>,
    /// Up to which key the sealed messages were tried.
    pub keys_tried_at: Option<DateTime<Utc>>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// A stretch of messages that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last message before it.
    pub from: i64,
    /// The first one after it.
    pub to: i64,
}

/// A corp's archive for people.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Archive")]
pub struct ArchiveView {
    /// The corp.
    pub corpid: String,
    /// The number of the last message that is stored.
    pub seq: i64,
    /// When a page last came.
    pub pulled_at: Option<DateTime<Utc>>,
    /// When nothing was left to pull.
    pub caught_up_at: Option<DateTime<Utc>>,
    /// When the last stored message was sent.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// For how many seconds the archive has been behind; 0 if it is caught up.
    pub lag_s: f64,
    /// How many messages did not open yet.
    pub sealed: i64,
    /// What was lost because WeCom keeps messages for five days: `from`, `to` and `found_at` of each.
    pub gaps: Value,
    /// Why it cannot be read at present.
    pub trouble: Option<String>,
    /// The members with a seat, by edition: 1 office, 2 service, 3 enterprise.
    pub seats: Value,
    /// When seats and consents were last read.
    pub consent_checked_at: Option<DateTime<Utc>>,
    /// How many customers' talks are archived with their consent.
    pub agreed: i64,
    /// How many customers' talks are not, because they did not agree.
    pub disagreed: i64,
}

/// Registers the archive of each corp that has an enabled app for it, and asks for a pull where none happened for
/// `poll`, and for the consents once a day.
pub async fn keep_going(conn: &mut PgConnection, poll: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into archive_account as own (corpid, app_id)
        select distinct on (corpid) corpid, id from enterprise_wechat_config
        where agentid = $1 and status = 'enabled' and secret is not null order by corpid, id
        on conflict on constraint archive_account_key do update set app_id = excluded.app_id
        where own.app_id <> excluded.app_id
        "#,
        AGENTID,
    )
    .execute(&mut *conn)
    .await?;
    for (kind, after) in [(TaskKind::PullArchive, poll), (TaskKind::CheckConsent, CONSENTS_EVERY)] {
        let after = i32::try_from(after.as_secs()).unwrap_or(i32::MAX);
        sqlx::query!(
            r#"
            insert into task (corpid, kind, subject, app_id, due_at, version)
            select corpid, $1, corpid, app_id, now(), 1 from archive_account
            where coalesce(case $1 when 'pull_archive' then pulled_at else consent_checked_at end < now() - make_interval(secs => $2), true)
                and exists (
                    select from enterprise_wechat_config app
                    where app.id = archive_account.app_id and app.status = 'enabled' and app.secret is not null
                )
            on conflict on constraint task_key do nothing
            "#,
            kind.as_str(),
            f64::from(after),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A corp's archive, if it is registered.
pub async fn find(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        r#"
        select corpid as "corpid: CorpId", app_id, seq, pulled_at, keys_tried_at, clock_timestamp() as "now!"
        from archive_account where corpid = $1
        "#,
        corpid.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// Moves the cursor from `old` to `new`, in the transaction that stores the page. `false` if somebody else moved it:
/// the caller then undoes everything.
pub async fn advance(
    conn: &mut PgConnection,
    corpid: &CorpId,
    (old, new): (i64, i64),
    last_sent_at: Option<DateTime<Utc>>,
    gap: Option<Gap>,
) -> sqlx::Result<bool> {
    let (from, to) = gap.map(|it| (it.from, it.to)).unzip();
    let moved = sqlx::query!(
        r#"
        update archive_account
        set seq = $3, pulled_at = now(), trouble = null, last_sent_at = coalesce($4, last_sent_at),
            gaps = case
                when $5::bigint is null then gaps
                else gaps || jsonb_build_array(jsonb_build_object('from', $5, 'to', $6::bigint, 'found_at', now()))
            end
        where corpid = $1 and seq = $2
        "#,
        corpid.as_str(),
        old,
        new,
        last_sent_at,
        from,
        to,
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Nothing is left to pull.
pub async fn caught_up(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<()> {
    sqlx::query!(
        "update archive_account set pulled_at = now(), caught_up_at = now(), trouble = null where corpid = $1",
        corpid.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Why it cannot be read now.
pub async fn trouble(conn: &mut PgConnection, corpid: &CorpId, why: &str) -> sqlx::Result<()> {
    sqlx::query!("update archive_account set trouble = $2 where corpid = $1", corpid.as_str(), why)
        .execute(conn)
        .await?;
    Ok(())
}

/// The sealed messages were tried with all keys up to this time.
pub async fn keys_tried(conn: &mut PgConnection, corpid: &CorpId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("update archive_account set keys_tried_at = $2 where corpid = $1", corpid.as_str(), at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Who has a seat, as WeCom said now.
pub async fn set_seats(conn: &mut PgConnection, corpid: &CorpId, seats: &Value) -> sqlx::Result<()> {
    sqlx::query!(
        "update archive_account set seats = $2, consent_checked_at = now() where corpid = $1",
        corpid.as_str(),
        seats,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every corp's archive.
pub async fn views(conn: &mut PgConnection) -> sqlx::Result<Vec<ArchiveView>> {
    sqlx::query_as!(
        ArchiveView,
        r#"
        select corpid, seq, pulled_at, caught_up_at, last_sent_at,
            case
                when caught_up_at is not null and caught_up_at >= pulled_at and trouble is null
                    and caught_up_at > now() - interval '10 minutes' then 0
                else coalesce(extract(epoch from now() - greatest(caught_up_at, last_sent_at)), 0)
            end::float8 as "lag_s!",
            (select count(*) from archive_sealed sealed where sealed.corpid = account.corpid) as "sealed!",
            gaps, trouble, seats, consent_checked_at,
            (select count(distinct external_userid) from archive_consent consent
                where consent.corpid = account.corpid and status <> 'Disagree') as "agreed!",
            (select count(distinct external_userid) from archive_consent consent
                where consent.corpid = account.corpid and status = 'Disagree') as "disagreed!"
        from archive_account account order by corpid
        "#,
    )
    .fetch_all(conn)
    .await
}
