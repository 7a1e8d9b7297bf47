//! `kf_account`: the accounts of 微信客服, how far each is pulled, and when it is polled.
//!
//! The cursor moves in the transaction that stores its page, and only from where the reader found it.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    changes::KfAccount,
    ids::{CorpId, UserId},
};

/// The longest pause between two polls after WeCom limited them, in seconds.
const PAUSE_MAX_S: i32 = 3_600;

/// An account as a pull finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Where the next page begins; empty for the oldest message that WeCom keeps.
    pub cursor: String,
    /// When a page was last stored.
    pub pulled_at: Option<DateTime<Utc>>,
    /// When WeCom's list of accounts was last read.
    pub listed_at: Option<DateTime<Utc>>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// An account in WeCom's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The account.
    pub open_kfid: String,
    /// Its name.
    pub name: String,
    /// Whether the app manages it.
    pub managed: bool,
}

/// An account that is to be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The corp.
    pub corpid: CorpId,
    /// The account.
    pub open_kfid: String,
    /// The app that pulls.
    pub app_id: i32,
}

/// An account as the admin API shows it.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "KfAccount")]
pub struct KfAccountView {
    /// The corp.
    pub corpid: String,
    /// The account.
    pub open_kfid: String,
    /// Its name.
    pub name: Option<String>,
    /// Whether it is managed through the API; none if that is not known yet.
    pub managed: Option<bool>,
    /// When a page of messages was last stored.
    pub pulled_at: Option<DateTime<Utc>>,
    /// When it is pulled without a callback.
    pub poll_due_at: DateTime<Utc>,
    /// Since when messages may be missing, because nothing was pulled for more than three days.
    pub lost_from: Option<DateTime<Utc>>,
    /// Sessions that wait for somebody.
    pub waiting: i64,
    /// Sessions that a servicer has.
    pub served: i64,
}

/// How all accounts stand together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KfCounts {
    /// How many there are.
    pub accounts: i64,
    /// How many of them are managed through the API.
    pub managed: i64,
    /// How many may lack messages.
    pub lost: i64,
    /// For how many seconds the one that was pulled longest ago was not pulled.
    pub lag_s: f64,
}

/// Adds the batch's accounts.
pub async fn upsert(conn: &mut PgConnection, accounts: &BTreeMap<(CorpId, String), KfAccount>) -> sqlx::Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let corps: Vec<_> = accounts.keys().map(|(corp, _)| corp.0.clone()).collect();
    let ids: Vec<_> = accounts.keys().map(|(_, id)| id.clone()).collect();
    let apps: Vec<_> = accounts.values().map(|it| it.app_id).collect();
    let managed: Vec<_> = accounts.values().map(|it| it.managed.as_ref().map(|it| it.value)).collect();
    let managed_at: Vec<_> = accounts.values().map(|it| it.managed.as_ref().map(|it| it.at)).collect();
    sqlx::query!(
        r#"
        insert into kf_account as own (corpid, open_kfid, app_id, managed, managed_at)
        select * from unnest($1::text[], $2::text[], $3::integer[], $4::boolean[], $5::timestamptz[])
        on conflict on constraint kf_account_key do update set
            app_id = least(own.app_id, excluded.app_id),
            managed = case when excluded.managed_at is not null and (own.managed_at is null
                or (excluded.managed_at, excluded.managed) > (own.managed_at, own.managed))
                then excluded.managed else own.managed end,
            managed_at = greatest(own.managed_at, excluded.managed_at)
        where excluded.managed_at is not null or excluded.app_id < own.app_id
        "#,
        &corps,
        &ids,
        &apps,
        &managed as _,
        &managed_at as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds the account, or adds it.
pub async fn open(conn: &mut PgConnection, corpid: &CorpId, open_kfid: &str, app_id: i32) -> sqlx::Result<Reading> {
    sqlx::query!(
        "insert into kf_account (corpid, open_kfid, app_id) values ($1, $2, $3) on conflict do nothing",
        corpid.as_str(),
        open_kfid,
        app_id,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_as!(
        Reading,
        r#"
        select cursor, pulled_at, listed_at, now() as "now!" from kf_account where corpid = $1 and open_kfid = $2
        "#,
        corpid.as_str(),
        open_kfid,
    )
    .fetch_one(conn)
    .await
}

/// Moves the cursor from where the reader found it; `false` if somebody else has moved it. The next poll is `pause` away.
pub async fn advance(
    conn: &mut PgConnection,
    corpid: &CorpId,
    open_kfid: &str,
    (from, to): (&str, &str),
    pause: Duration,
) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        r#"
        update kf_account
        set cursor = $4, pulled_at = now(), poll_due_at = now() + make_interval(secs => $5), poll_pause = null
        where corpid = $1 and open_kfid = $2 and cursor = $3
        "#,
        corpid.as_str(),
        open_kfid,
        from,
        to,
        pause.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() > 0)
}

/// Messages since that time may be missing.
pub async fn lost(
    conn: &mut PgConnection,
    corpid: &CorpId,
    open_kfid: &str,
    from: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update kf_account set lost_from = coalesce($3, now()) where corpid = $1 and open_kfid = $2",
        corpid.as_str(),
        open_kfid,
        from,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// WeCom limited a pull without a token: the pause until the next poll is doubled, up to an hour.
pub async fn rest(conn: &mut PgConnection, corpid: &CorpId, open_kfid: &str, usual: Duration) -> sqlx::Result<()> {
    let usual = i32::try_from(usual.as_secs()).unwrap_or(PAUSE_MAX_S);
    sqlx::query!(
        r#"
        update kf_account
        set poll_pause = least(2 * coalesce(poll_pause, $3), $4),
            poll_due_at = now() + make_interval(secs => least(2 * coalesce(poll_pause, $3), $4))
        where corpid = $1 and open_kfid = $2
        "#,
        corpid.as_str(),
        open_kfid,
        usual,
        PAUSE_MAX_S,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes every account due to be polled now.
pub async fn all_due(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("update kf_account set poll_due_at = now() where poll_due_at > now()").execute(conn).await?;
    Ok(())
}

/// Takes up to `limit` accounts that are due to be polled; the next poll is `pause` away.
pub async fn take_due(conn: &mut PgConnection, pause: Duration, limit: i64) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        with due as (
            select corpid, open_kfid from kf_account
            where poll_due_at <= now() and managed is distinct from false
            order by poll_due_at
            limit $2
            for update skip locked
        )
        update kf_account account
        set poll_due_at = now() + greatest(make_interval(secs => $1), make_interval(secs => coalesce(poll_pause, 0)))
        from due
        where account.corpid = due.corpid and account.open_kfid = due.open_kfid
        returning account.corpid as "corpid: CorpId", account.open_kfid, app_id
        "#,
        pause.as_secs_f64(),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// WeCom does not let the app list its accounts: it is asked again a day later.
pub async fn not_listed(
    conn: &mut PgConnection,
    corpid: &CorpId,
    open_kfid: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update kf_account set listed_at = $3 where corpid = $1 and open_kfid = $2",
        corpid.as_str(),
        open_kfid,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes in WeCom's list of accounts, read at that time. An account that is not named is not the app's any more.
pub async fn listed(
    conn: &mut PgConnection,
    corpid: &CorpId,
    app_id: i32,
    named: &[Named],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let ids: Vec<_> = named.iter().map(|it| it.open_kfid.clone()).collect();
    let names: Vec<_> = named.iter().map(|it| it.name.clone()).collect();
    let managed: Vec<_> = named.iter().map(|it| it.managed).collect();
    sqlx::query!(
        r#"
        insert into kf_account as own (corpid, open_kfid, app_id, name, managed, managed_at, listed_at)
        select $1, open_kfid, $2, name, managed, $6, $6
        from unnest($3::text[], $4::text[], $5::boolean[]) it (open_kfid, name, managed)
        order by open_kfid
        on conflict on constraint kf_account_key do update set
            name = excluded.name, listed_at = excluded.listed_at,
            managed = case when own.managed_at > excluded.managed_at then own.managed else excluded.managed end,
            managed_at = greatest(own.managed_at, excluded.managed_at)
        "#,
        corpid.as_str(),
        app_id,
        &ids,
        &names,
        &managed,
        at,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        update kf_account set managed = false, managed_at = $4, listed_at = $4
        where corpid = $1 and app_id = $2 and open_kfid <> all($3) and coalesce(managed_at, 'epoch') <= $4
        "#,
        corpid.as_str(),
        app_id,
        &ids,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// All accounts of the configured corps.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<(&str, &str)>,
    limit: i64,
) -> sqlx::Result<Vec<KfAccountView>> {
    let (corpid, open_kfid) = after.unzip();
    sqlx::query_as!(
        KfAccountView,
        r#"
        select account.corpid, open_kfid, name, managed, pulled_at, poll_due_at, lost_from,
            (
                select count(*) from kf_session session
                where session.corpid = account.corpid and session.open_kfid = account.open_kfid
                    and session.state in (0, 2) and session.state_at > to_timestamp(0)
            ) as "waiting!",
            (
                select count(*) from kf_session session
                where session.corpid = account.corpid and session.open_kfid = account.open_kfid and session.state = 3
            ) as "served!"
        from kf_account account
        where account.corpid in (select corpid from enterprise_wechat_config)
            and ($1::text is null or (account.corpid, open_kfid) > ($1, $2))
        order by account.corpid, open_kfid
        limit $3
        "#,
        corpid,
        open_kfid,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How all accounts stand together.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<KfCounts> {
    sqlx::query_as!(
        KfCounts,
        r#"
        select count(*) as "accounts!", count(*) filter (where managed) as "managed!",
            count(*) filter (where lost_from is not null) as "lost!",
            coalesce(extract(epoch from now() - min(pulled_at) filter (where managed is distinct from false))::float8, 0)
                as "lag_s!"
        from kf_account
        "#,
    )
    .fetch_one(conn)
    .await
}

/// Who served an account's sessions, by how many they have now.
pub async fn loads(conn: &mut PgConnection, corpid: &CorpId, users: &[UserId]) -> sqlx::Result<BTreeMap<UserId, i64>> {
    let users: Vec<_> = users.iter().map(|it| it.0.clone()).collect();
    let rows = sqlx::query!(
        r#"
        select given.userid as "userid!: UserId", count(session.external_userid) as "sessions!"
        from unnest($2::text[]) given (userid)
        left join kf_session session on session.corpid = $1 and session.state = 3
            and userid_key(session.servicer_userid) = userid_key(given.userid)
        group by given.userid
        "#,
        corpid.as_str(),
        &users,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.userid, row.sessions)).collect())
}
