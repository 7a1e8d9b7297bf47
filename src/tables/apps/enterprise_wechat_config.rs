//! `enterprise_wechat_config`: the apps. Sealed columns stay sealed here: this file holds no key.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::ids::CorpId;
use crate::states::AppStatus;

/// The channel on which processes tell each other that an app was added or changed.
pub const CHANGED: &str = "wecomd_config";

/// One app of one corp. Its form as JSON is that of the file in which the apps are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The id to which deliveries refer.
    pub id: i32,
    /// The slug in its callback URL.
    pub name: String,
    /// The corp it belongs to.
    pub corpid: CorpId,
    /// WeCom's number of the app; empty for what has none, such as a robot.
    pub agentid: String,
    /// The app's secret, sealed.
    pub secret: Option<Vec<u8>>,
    /// The callback's Token, sealed.
    pub token: Vec<u8>,
    /// The callback's EncodingAESKey, sealed.
    pub encoding_aes_key: Vec<u8>,
    /// The Token before the current one, sealed.
    pub previous_token: Option<Vec<u8>>,
    /// The EncodingAESKey before the current one, sealed.
    pub previous_encoding_aes_key: Option<Vec<u8>>,
    /// Until when the previous pair is accepted too.
    pub previous_until: Option<DateTime<Utc>>,
    /// How many deliveries used earlier pairs since the current one was set.
    pub previous_deliveries: i64,
    /// When the last of these arrived.
    pub previous_last_at: Option<DateTime<Utc>>,
    /// Which receiveids a callback may carry; none means the corpid alone.
    pub receive_ids: Option<Vec<String>>,
    /// The default text of a greeting.
    pub welcome_message: Option<String>,
    /// The greeting's attachments, texts per channel and quiet hours, as JSON.
    pub welcome: serde_json::Value,
    /// The auto-reply rules, as JSON.
    pub auto_reply: serde_json::Value,
    /// enabled or disabled.
    pub status: AppStatus,
    /// When the secret was last set.
    pub secret_rotated_at: Option<DateTime<Utc>>,
    /// When the callback keys were last set.
    pub keys_rotated_at: DateTime<Utc>,
    /// When the app was added.
    pub created_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The context that a column's value is sealed for, so that it opens nowhere else.
pub fn sealed_at(name: &str, column: &str) -> String {
    format!("enterprise_wechat_config/{name}/{column}")
}

/// Every app, by name.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<Row>> {
    named(conn, None).await
}

/// The app of that name.
pub async fn find(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<Row>> {
    Ok(named(conn, Some(name)).await?.pop())
}

/// A company has a handful of apps, so one statement serves both for all and for one.
async fn named(conn: &mut PgConnection, name: Option<&str>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"
        select
            id, name, corpid as "corpid: CorpId", agentid, secret, token, encoding_aes_key, previous_token,
            previous_encoding_aes_key, previous_until, coalesce(deliveries, 0) as "previous_deliveries!",
            last_at as "previous_last_at?", receive_ids, welcome_message, welcome, auto_reply,
            status as "status: AppStatus", secret_rotated_at, keys_rotated_at, created_at, updated_at
        from enterprise_wechat_config
        left join callback_key_use on app_id = id and rotated_at = keys_rotated_at
        where $1::text is null or name = $1
        order by name
        "#,
        name,
    )
    .fetch_all(conn)
    .await
}

/// The corps that have an app.
pub async fn corps(conn: &mut PgConnection) -> sqlx::Result<Vec<CorpId>> {
    sqlx::query_scalar!(r#"select distinct corpid as "corpid: CorpId" from enterprise_wechat_config order by corpid"#)
        .fetch_all(conn)
        .await
}

/// Blocks other changes of the configuration until `conn`'s transaction ends. Reading goes on.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("lock table enterprise_wechat_config in share row exclusive mode").execute(conn).await?;
    Ok(())
}

/// Adds an app with its required fields; the rest takes its defaults.
pub async fn insert(
    conn: &mut PgConnection,
    name: &str,
    corpid: &CorpId,
    token: &[u8],
    encoding_aes_key: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into enterprise_wechat_config (name, corpid, token, encoding_aes_key) values ($1, $2, $3, $4)",
        name,
        corpid.as_str(),
        token,
        encoding_aes_key,
    )
    .execute(&mut *conn)
    .await?;
    announce(conn).await
}

/// Updates an app's row. Its id, name and creation never change.
pub async fn update(conn: &mut PgConnection, row: &Row) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update enterprise_wechat_config
        set corpid = $2, agentid = $3, secret = $4, token = $5, encoding_aes_key = $6, previous_token = $7,
            previous_encoding_aes_key = $8, previous_until = $9, receive_ids = $10, welcome_message = $11,
            auto_reply = $12, status = $13, secret_rotated_at = $14, keys_rotated_at = $15, updated_at = $16, welcome = $17
        where id = $1
        "#,
        row.id,
        row.corpid.as_str(),
        row.agentid,
        row.secret,
        row.token,
        row.encoding_aes_key,
        row.previous_token,
        row.previous_encoding_aes_key,
        row.previous_until,
        row.receive_ids.as_deref(),
        row.welcome_message,
        row.auto_reply,
        row.status.as_str(),
        row.secret_rotated_at,
        row.keys_rotated_at,
        row.updated_at,
        row.welcome,
    )
    .execute(&mut *conn)
    .await?;
    announce(conn).await
}

/// Enables or disables an app; `false` if there is no app of that name.
pub async fn set_status(conn: &mut PgConnection, name: &str, status: AppStatus) -> sqlx::Result<bool> {
    let result = sqlx::query!(
        "update enterprise_wechat_config set status = $2, updated_at = now() where name = $1",
        name,
        status.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    announce(conn).await?;
    Ok(result.rows_affected() > 0)
}

/// Notifies every process, once the transaction commits.
async fn announce(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, '')", CHANGED).execute(conn).await?;
    Ok(())
}

/// The app that sends a corp's messages: enabled, preferably with a secret and a number.
pub async fn speaker(conn: &mut PgConnection, corpid: &CorpId) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        r#"
        select id from enterprise_wechat_config
        where corpid = $1 and status = 'enabled'
        order by secret is null, agentid = '', id
        limit 1
        "#,
        corpid.as_str(),
    )
    .fetch_optional(conn)
    .await
}
