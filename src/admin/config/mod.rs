//! `config`: the apps we listen for. Secrets go in, and only when they were last set comes out.

mod change;

mod input;

mod welcome;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::{
    body,
    call::{Answer, Call},
    page::Page,
    problem::{Code, Problem},
};
use crate::{
    apps::ReplyRule,
    states::AppStatus,
    tables::{
        self,
        apps::enterprise_wechat_config::{self, Row},
    },
    tasks::template::Rules,
    vault::Vault,
};
use change::Change;
pub use input::NewConfig;

/// An app that was added or changed.
#[derive(Debug)]
pub struct Saved {
    /// Whether it is new.
    pub created: bool,
    /// How it stands now.
    pub shown: Shown,
}

/// An app as it is shown: no secret, sealed or not, is in it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "App")]
pub struct Shown {
    /// The slug in its callback URL.
    pub name: String,
    /// The corp it belongs to.
    pub corpid: String,
    /// WeCom's number of the app; empty if it has none.
    pub agentid: String,
    /// Which receiveids a callback may carry; null means the corpid alone.
    pub receive_ids: Option<Vec<String>>,
    /// What a new customer is greeted with.
    pub welcome_message: Option<String>,
    /// What goes with it, what is said instead of it in some channels, and when to be quiet.
    #[schemars(with = "Rules")]
    pub welcome: serde_json::Value,
    /// What it answers by itself.
    #[schemars(with = "Vec<ReplyRule>")]
    pub auto_reply: serde_json::Value,
    /// enabled or disabled.
    pub status: AppStatus,
    /// The app's secret.
    pub secret: SecretShown,
    /// The callback's Token.
    pub token: SecretShown,
    /// The callback's EncodingAESKey.
    pub encoding_aes_key: SecretShown,
    /// Until when the previous Token and EncodingAESKey are accepted too; null if they are not.
    pub previous_keys_until: Option<DateTime<Utc>>,
    /// How many deliveries have come under them since they were replaced, a few seconds late: as long as it grows, WeCom
    /// still uses them. Null if no keys were ever replaced.
    pub previous_keys_deliveries: Option<i64>,
    /// When the last of them came.
    pub previous_keys_last_used_at: Option<DateTime<Utc>>,
    /// The path to enter in WeCom's console, after the address of the public listener.
    pub callback_path: String,
    /// When the app was added.
    pub created_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub updated_at: DateTime<Utc>,
    /// What to send as `If-Match` so that a change is made only if nobody else made one.
    pub etag: String,
}

/// All that is shown of a secret.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct SecretShown {
    /// Whether there is one.
    pub set: bool,
    /// When it was last set.
    pub rotated_at: Option<DateTime<Utc>>,
}

/// Adds the app of that name, or changes what `new` says of it, in one transaction (within the caller's, if any).
///
/// Every process hears of it once it is committed. While new callback keys take over, the old ones stay valid for
/// `key_overlap`.
pub async fn save(
    conn: &mut PgConnection,
    vault: &Vault,
    key_overlap: TimeDelta,
    new: NewConfig,
) -> Result<Saved, Problem> {
    save_if(conn, vault, key_overlap, new, None).await
}

/// The same, but only if the app is as the caller read it: `if_match` is an `If-Match` header.
async fn save_if(
    conn: &mut PgConnection,
    vault: &Vault,
    key_overlap: TimeDelta,
    new: NewConfig,
    if_match: Option<&str>,
) -> Result<Saved, Problem> {
    new.check()?;
    let mut transaction = conn.begin().await?;
    enterprise_wechat_config::lock(&mut transaction).await?;
    let known = enterprise_wechat_config::find(&mut transaction, &new.name).await?;
    let created = known.is_none();
    if if_match.is_some_and(|wanted| !matches(wanted, known.as_ref())) {
        let detail = "list the apps again, look at what changed, and send the `etag` that is shown";
        return Err(Problem::new(Code::PreconditionFailed, detail).at("If-Match"));
    }
    let mut row = match known {
        Some(row) => row,
        None => add(&mut transaction, vault, &new).await?,
    };
    // The clock by which the previous keys end, in every process.
    let now = tables::now(&mut transaction).await?;
    Change { vault, now, key_overlap }.apply(&mut row, new)?;
    enterprise_wechat_config::update(&mut transaction, &row).await?;
    transaction.commit().await?;
    Ok(Saved { created, shown: shown(row, now) })
}

/// Opens (`enabled`) or closes an app's door.
pub async fn set_status(conn: &mut PgConnection, name: &str, enabled: bool) -> Result<(), Problem> {
    let status = if enabled { AppStatus::Enabled } else { AppStatus::Disabled };
    if !enterprise_wechat_config::set_status(conn, name, status).await? {
        return Err(Problem::new(Code::ConfigUnknown, "list the apps to see their names").at("name"));
    }
    Ok(())
}

pub(super) async fn list(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let now = tables::now(conn).await?;
    let rows = enterprise_wechat_config::all(conn).await?;
    // A company has a handful of apps: they are one page.
    Answer::ok(Page { items: rows.into_iter().map(|row| shown(row, now)).collect(), next_cursor: None })
}

pub(super) async fn post(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let new: NewConfig = body::parse(&call.request.body)?;
    call.subject.clone_from(&new.name);
    let (settings, if_match) = (&call.admin.settings, call.request.if_match.as_deref());
    let saved = save_if(conn, &call.admin.vault, settings.key_overlap, new, if_match).await?;
    let status = if saved.created { 201 } else { 200 };
    let headers = vec![("etag", saved.shown.etag.clone())];
    Ok(Answer { apps_changed: true, headers, ..Answer::new(status, saved.shown)? })
}

/// Whether an app is as an `If-Match` says: one of the tags in it is the app's, or it is `*` and there is the app.
fn matches(wanted: &str, known: Option<&Row>) -> bool {
    known.is_some_and(|row| {
        let etag = etag(row);
        wanted.split(',').map(str::trim).any(|it| it == "*" || it == etag)
    })
}

/// A tag that changes whenever the app is saved.
fn etag(row: &Row) -> String {
    format!("\"{}-{}\"", row.id, row.updated_at.timestamp_micros())
}

/// Adds the row that the rest is then written into.
async fn add(conn: &mut PgConnection, vault: &Vault, new: &NewConfig) -> Result<Row, Problem> {
    let (corpid, token, key) = new.required()?;
    let token = vault.seal(&enterprise_wechat_config::sealed_at(&new.name, "token"), token)?;
    let key = vault.seal(&enterprise_wechat_config::sealed_at(&new.name, "encoding_aes_key"), key)?;
    enterprise_wechat_config::insert(conn, &new.name, &corpid, &token, &key).await?;
    let row = enterprise_wechat_config::find(conn, &new.name).await?;
    row.ok_or_else(|| Problem::internal("an app that was just added is not there"))
}

fn shown(row: Row, now: DateTime<Utc>) -> Shown {
    let key = || SecretShown { set: true, rotated_at: Some(row.keys_rotated_at) };
    Shown {
        etag: etag(&row),
        callback_path: format!("/callback/{}", row.name),
        secret: SecretShown { set: row.secret.is_some(), rotated_at: row.secret_rotated_at },
        token: key(),
        encoding_aes_key: key(),
        previous_keys_until: row.previous_until.filter(|until| row.previous_token.is_some() && *until > now),
        previous_keys_deliveries: row.previous_token.is_some().then_some(row.previous_deliveries),
        previous_keys_last_used_at: row.previous_last_at,
        name: row.name,
        corpid: row.corpid.0,
        agentid: row.agentid,
        receive_ids: row.receive_ids,
        welcome_message: row.welcome_message,
        welcome: row.welcome,
        auto_reply: row.auto_reply,
        status: row.status,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
