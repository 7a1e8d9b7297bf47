//! Adds and changes apps: an administrator's input, its checks, and the resulting row.
//!
//! Every process learns of a change by NOTIFY once it is committed. This folder knows no HTTP: the admin API and the
//! command line both save here.

mod change;

mod input;

mod welcome;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};

use crate::{
    check::Invalid,
    states::AppStatus,
    tables::{
        self,
        apps::enterprise_wechat_config::{self, Row},
    },
    vault::{Vault, VaultError},
};
use change::Change;
pub use input::NewConfig;

/// An app that was added or changed.
#[derive(Debug)]
pub struct Saved {
    /// Whether it is new.
    pub created: bool,
    /// Its row now.
    pub row: Row,
    /// When it was saved, by the database's clock.
    pub at: DateTime<Utc>,
}

/// Why an app is not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A given field is invalid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It changed since the caller read it.
    #[error("the app was changed since it was read")]
    Changed,
    /// A secret does not open or cannot be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A rule cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Adds the app of that name, or changes the fields that `new` gives, in one transaction (within the caller's, if
/// any).
///
/// Every process learns of it once it is committed. New callback keys leave the old ones valid for `key_overlap`.
pub async fn save(
    conn: &mut PgConnection,
    vault: &Vault,
    key_overlap: TimeDelta,
    new: NewConfig,
) -> Result<Saved, SaveError> {
    save_if(conn, vault, key_overlap, new, None).await
}

/// The same, but only if the app is as the caller read it: `if_match` is an `If-Match` header.
pub async fn save_if(
    conn: &mut PgConnection,
    vault: &Vault,
    key_overlap: TimeDelta,
    new: NewConfig,
    if_match: Option<&str>,
) -> Result<Saved, SaveError> {
    new.check()?;
    let mut transaction = conn.begin().await?;
    enterprise_wechat_config::lock(&mut transaction).await?;
    let known = enterprise_wechat_config::find(&mut transaction, &new.name).await?;
    let created = known.is_none();
    if if_match.is_some_and(|wanted| !matches(wanted, known.as_ref())) {
        return Err(SaveError::Changed);
    }
    let mut row = match known {
        Some(row) => row,
        None => add(&mut transaction, vault, &new).await?,
    };
    // The previous keys expire by this clock in every process.
    let now = tables::now(&mut transaction).await?;
    Change { vault, now, key_overlap }.apply(&mut row, new)?;
    enterprise_wechat_config::update(&mut transaction, &row).await?;
    transaction.commit().await?;
    Ok(Saved { created, row, at: now })
}

/// Enables or disables an app; `false` if there is no app of this name.
pub async fn set_status(conn: &mut PgConnection, name: &str, enabled: bool) -> sqlx::Result<bool> {
    let status = if enabled { AppStatus::Enabled } else { AppStatus::Disabled };
    enterprise_wechat_config::set_status(conn, name, status).await
}

fn matches(wanted: &str, known: Option<&Row>) -> bool {
    known.is_some_and(|row| {
        let etag = etag(row);
        wanted.split(',').map(str::trim).any(|it| it == "*" || it == etag)
    })
}

/// A tag that changes whenever the app is saved.
pub fn etag(row: &Row) -> String {
    format!("\"{}-{}\"", row.id, row.updated_at.timestamp_micros())
}

/// Inserts the row that the other fields are then written into.
async fn add(conn: &mut PgConnection, vault: &Vault, new: &NewConfig) -> Result<Row, SaveError> {
    let (corpid, token, key) = new.required()?;
    let token = vault.seal(&enterprise_wechat_config::sealed_at(&new.name, "token"), token)?;
    let key = vault.seal(&enterprise_wechat_config::sealed_at(&new.name, "encoding_aes_key"), key)?;
    enterprise_wechat_config::insert(conn, &new.name, &corpid, &token, &key).await?;
    let row = enterprise_wechat_config::find(conn, &new.name).await?;
    // The row was inserted in this transaction, so it must be there.
    Ok(row.ok_or(sqlx::Error::RowNotFound)?)
}
