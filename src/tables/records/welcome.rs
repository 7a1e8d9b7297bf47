//! `welcome`: every greeting that was due, and its outcome.
//!
//! A welcome code sends one greeting, so it has one row, found by its hash. The row is written before WeCom is asked:
//! after a crash the next attempt knows that a greeting may have been sent.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    ids::{CorpId, ExternalUserId, UserId},
    states::WelcomeOutcome,
};

/// A greeting that is due.
#[derive(Debug, Clone)]
pub struct Due<'a> {
    /// The corp.
    pub corpid: &'a CorpId,
    /// SHA-256 of the welcome code.
    pub code_hash: [u8; 32],
    /// The customer.
    pub customer: &'a ExternalUserId,
    /// The member they added; none if they opened 微信客服.
    pub user: Option<&'a UserId>,
    /// The account of 微信客服 that they opened.
    pub open_kfid: Option<&'a str>,
    /// The app that received the callback.
    pub app_id: i32,
    /// The `state` of the channel.
    pub state: Option<&'a str>,
    /// When its callback was stored.
    pub received_at: DateTime<Utc>,
}

/// A greeting's row.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Its number.
    pub id: i64,
    /// When its callback was stored.
    pub received_at: DateTime<Utc>,
    /// When WeCom was first asked.
    pub attempted_at: Option<DateTime<Utc>>,
    /// Its outcome; none while it is in progress.
    pub outcome: Option<WelcomeOutcome>,
}

/// The end of a greeting.
#[derive(Debug, Clone)]
pub struct End {
    /// The outcome.
    pub outcome: WelcomeOutcome,
    /// When WeCom accepted it.
    pub sent_at: Option<DateTime<Utc>>,
    /// By how much the code's validity was exceeded.
    pub late_ms: Option<i64>,
    /// WeCom's reason, if it refused.
    pub reason: Option<String>,
}

impl End {
    /// An end without further details.
    pub fn of(outcome: WelcomeOutcome) -> Self {
        Self { outcome, sent_at: None, late_ms: None, reason: None }
    }
}

/// Opens the row of a greeting, or finds it.
pub async fn open(conn: &mut PgConnection, due: &Due<'_>) -> sqlx::Result<Ledger> {
    sqlx::query_as!(
        Ledger,
        r#"
        insert into welcome as own (
            corpid, code_hash, external_userid, wechat_userid, app_id, state, received_at, open_kfid
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict on constraint welcome_key do update set received_at = least(own.received_at, excluded.received_at)
        returning id, received_at, attempted_at, outcome as "outcome: WelcomeOutcome"
        "#,
        due.corpid.as_str(),
        &due.code_hash[..],
        due.customer.as_str(),
        due.user.map(UserId::as_str),
        due.app_id,
        due.state,
        due.received_at,
        due.open_kfid,
    )
    .fetch_one(conn)
    .await
}

/// Records that WeCom is asked now. The caller commits before it asks.
pub async fn begin(conn: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!("update welcome set attempted_at = coalesce(attempted_at, now()) where id = $1", id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Records its end; `false` if an end is recorded already, which stays.
pub async fn end(conn: &mut PgConnection, id: i64, end: &End) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        "update welcome set outcome = $2, sent_at = $3, late_ms = $4, reason = $5 where id = $1 and outcome is null",
        id,
        end.outcome.as_str(),
        end.sent_at,
        end.late_ms,
        end.reason,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// The customer's nickname and the member's name, as far as they are known. A new contact has no card yet, but another
/// member may have met the same customer before.
pub async fn names(
    conn: &mut PgConnection,
    corpid: &CorpId,
    customer: &ExternalUserId,
    user: &UserId,
) -> sqlx::Result<(Option<String>, Option<String>)> {
    let row = sqlx::query!(
        r#"
        select
            (
                select nickname from customer_wechat_contact
                where corpid = $1 and external_userid = $2 and nickname <> ''
                order by card_at desc, wechat_userid
                limit 1
            ) as customer,
            coalesce(
                (
                    select nullif(wechat_name, '') from staff_wechat_bind
                    where wechat_userid = $3 and corpid is not distinct from $1 and status is not distinct from 'bound'
                ),
                (select nullif(name, '') from member where corpid = $1 and wechat_userid = $3)
            ) as staff
        "#,
        corpid.as_str(),
        customer.as_str(),
        user.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok((row.customer, row.staff))
}
