//! The enabled apps and their keys: the configuration as the callback path needs it.
//!
//! It is kept in memory, so that verifying a callback needs no database and works while the database is down, and in a
//! file, so that it also works if the database is down at the start. Changes by any process arrive by NOTIFY, and at the
//! latest with the next poll.

mod kept;

pub use kept::{KeptError, kept_key_id};

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Mutex;

use kept::KeptApps;

use crate::{
    crypto::{CallbackKeys, Receivers},
    ids::CorpId,
    states::AppStatus,
    tables::{
        self,
        apps::{
            callback_key_use,
            enterprise_wechat_config::{self, CHANGED, Row},
        },
    },
    time_limit::{DatabaseFailure, within},
    vault::Vault,
};

/// Time between two reads of the table, in case a notification was lost; also the longest delay before an old key set
/// expires.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// How long reading the table may take; only this limit detects a database that vanishes without closing the
/// connection.
const REFRESH_LIMIT: Duration = Duration::from_secs(10);

/// Time between attempts to listen again after the connection was lost.
const LISTEN_RETRY: Duration = Duration::from_secs(2);

/// One app, ready to open its callbacks.
#[derive(Debug)]
pub struct App {
    /// `enterprise_wechat_config.id`.
    pub id: i32,
    /// The slug in its callback URL.
    pub name: String,
    /// The corp it belongs to.
    pub corpid: CorpId,
    /// The current key set, then the previous one while it is still valid.
    pub keys: Vec<CallbackKeys>,
    /// When the current key set became the current one.
    pub keys_rotated_at: DateTime<Utc>,
    /// Which receiveids its callbacks may carry.
    pub receivers: Receivers,
    /// Its auto-reply rules.
    pub auto_reply: Vec<ReplyRule>,
}

/// When an app answers by itself, and what. The first rule that fits answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyRule {
    /// What it answers to.
    pub on: ReplyOn,
    /// For a text message: only if it contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The answer, a text of at most 2,048 bytes.
    pub reply: String,
}

/// What an auto-reply rule answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplyOn {
    /// A text message to the app.
    Text,
    /// A member opened the app.
    EnterAgent,
}

/// The apps by name. Cheap to clone; clones share the state.
#[derive(Clone)]
pub struct Apps {
    pool: PgPool,
    vault: Arc<Vault>,
    known: Arc<RwLock<Arc<ByName>>>,
    /// Where the rows are kept for a start without a database, if they are.
    kept: Option<KeptApps>,
    /// Locked while the table is read and its result published: otherwise a slow reader could restore an older state
    /// that lacks a new app, and that app's callbacks would be refused. It holds the rows that were kept last, as JSON.
    reading: Arc<Mutex<Option<String>>>,
    /// How many deliveries used previous keys since the last write to the database, by app and key change.
    behind: Arc<std::sync::Mutex<Behind>>,
}

type Behind = BTreeMap<(i32, DateTime<Utc>), i64>;

type ByName = HashMap<String, Arc<App>>;

impl Apps {
    /// Reads the table for the first time, and keeps nothing.
    pub async fn load(pool: PgPool, vault: Arc<Vault>) -> anyhow::Result<Self> {
        let apps = Self::new(pool, vault, None);
        apps.read_strictly().await?;
        Ok(apps)
    }

    /// No apps yet. What is read from the database is kept in the folder `keep_in`.
    pub fn new(pool: PgPool, vault: Arc<Vault>, keep_in: Option<&Path>) -> Self {
        let kept = keep_in.map(|folder| KeptApps::new(folder, vault.clone()));
        Self { pool, vault, known: Arc::default(), kept, reading: Arc::default(), behind: Arc::default() }
    }

    /// Reads the table. A secret that the master key does not open is an error here, unless the app is disabled:
    /// disabling apps is the way out after a master key is lost.
    pub async fn read_strictly(&self) -> anyhow::Result<()> {
        let mut reading = self.reading.lock().await;
        let mut conn = self.pool.acquire().await?;
        let rows = enterprise_wechat_config::all(&mut conn).await?;
        let now = tables::now(&mut conn).await?;
        drop(conn);
        for row in enabled(&rows) {
            if let Err(error) = ready(row, &self.vault, now) {
                return Err(error.context(format!("app {:?} cannot be opened", row.name)));
            }
        }
        self.put(&rows, now);
        self.keep(rows, &mut reading).await;
        Ok(())
    }

    /// Takes the apps that were kept, and says how many are enabled; none if none were kept. It blocks for a moment.
    pub fn read_kept(&self) -> Result<Option<usize>, KeptError> {
        let Some(rows) = self.kept.as_ref().map(KeptApps::read).transpose()?.flatten() else { return Ok(None) };
        // The database's clock is not known; previous keys last for hours, so ours will do. It is read again until the
        // database is back, so that they end.
        self.put(&rows, Utc::now());
        Ok(Some(enabled(&rows).count()))
    }

    /// The enabled app of that name.
    pub fn get(&self, name: &str) -> Option<Arc<App>> {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get(name).cloned()
    }

    /// Reads the table again.
    pub async fn refresh(&self) -> sqlx::Result<()> {
        let mut reading = self.reading.lock().await;
        let mut conn = self.pool.acquire().await?;
        let rows = enterprise_wechat_config::all(&mut conn).await?;
        self.put(&rows, tables::now(&mut conn).await?);
        drop(conn);
        self.keep(rows, &mut reading).await;
        Ok(())
    }

    /// Keeps the rows for a start without a database, unless they are the last ones kept.
    async fn keep(&self, mut rows: Vec<Row>, last: &mut Option<String>) {
        let Some(kept) = self.kept.clone() else { return };
        for row in &mut rows {
            // These change with callbacks, and nobody reads them from the file.
            (row.previous_deliveries, row.previous_last_at) = (0, None);
        }
        let json = serde_json::to_string(&rows).ok();
        if json == *last {
            return;
        }
        let written = tokio::task::spawn_blocking(move || kept.write(&rows)).await;
        match written {
            Ok(Ok(())) => *last = json,
            Ok(Err(error)) => tracing::warn!(error = %error, "{NOT_KEPT}"),
            Err(error) => tracing::warn!(error = %error, "{NOT_KEPT}"),
        }
    }

    /// Counts a delivery of this app that used its previous keys.
    pub fn note_previous(&self, app: &App) {
        metrics::counter!("wecomd_callback_previous_keys_total", "app" => app.name.clone()).increment(1);
        *self.behind().entry((app.id, app.keys_rotated_at)).or_default() += 1;
    }

    /// Writes these counts to the database; counts that cannot be written are kept for the next time.
    pub async fn write_previous(&self) -> sqlx::Result<()> {
        let counts = self.behind().clone();
        if counts.is_empty() {
            return Ok(());
        }
        self.write(&counts).await?;
        let mut behind = self.behind();
        for (key, written) in counts {
            if let Some(count) = behind.get_mut(&key) {
                *count -= written;
            }
        }
        behind.retain(|_, count| *count > 0);
        Ok(())
    }

    async fn write(&self, counts: &Behind) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin().await?;
        for ((app, rotated_at), count) in counts {
            callback_key_use::add(&mut transaction, *app, *rotated_at, *count).await?;
        }
        transaction.commit().await
    }

    fn behind(&self) -> std::sync::MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Keeps the apps current. Never returns.
    pub async fn follow(self) {
        loop {
            if let Err(error) = self.listen().await {
                tracing::warn!(error = %error, "cannot read configuration changes; going on with the known apps");
            }
            tokio::time::sleep(LISTEN_RETRY).await;
        }
    }

    async fn listen(&self) -> Result<(), DatabaseFailure> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANGED).await?;
        loop {
            within(REFRESH_LIMIT, "reading the apps' configuration", self.refresh()).await?;
            let written = within(REFRESH_LIMIT, "counting uses of previous callback keys", self.write_previous()).await;
            if let Err(error) = written {
                tracing::warn!(error = %error, "uses of previous callback keys cannot be recorded yet");
            }
            if let Ok(told) = tokio::time::timeout(POLL_EVERY, listener.recv()).await {
                told?;
            }
        }
    }

    /// An app that cannot be opened keeps its previous state and is reported: one bad row must not close the other
    /// apps.
    fn put(&self, rows: &[Row], at: DateTime<Utc>) {
        let before = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut now = HashMap::new();
        for row in enabled(rows) {
            match ready(row, &self.vault, at) {
                Ok(app) => {
                    now.insert(row.name.clone(), Arc::new(app));
                }
                Err(error) => {
                    tracing::error!(
                        app = row.name,
                        error = format!("{error:#}"),
                        "an app's configuration cannot be used"
                    );
                    now.extend(before.get(&row.name).map(|app| (row.name.clone(), app.clone())));
                }
            }
        }
        *self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(now);
    }
}

/// The warning if the apps cannot be kept.
const NOT_KEPT: &str = "the apps cannot be kept for a start without a database";

fn enabled(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.status == AppStatus::Enabled)
}

/// `now` is the database's time, by which the previous keys end.
fn ready(row: &Row, vault: &Vault, now: DateTime<Utc>) -> anyhow::Result<App> {
    let open = |column: &str, sealed: &[u8]| -> anyhow::Result<SecretString> {
        Ok(vault.open(&enterprise_wechat_config::sealed_at(&row.name, column), sealed)?)
    };
    let pair = |token: SecretString, key: SecretString| CallbackKeys::new(token.expose_secret(), key.expose_secret());
    let mut keys = vec![pair(open("token", &row.token)?, open("encoding_aes_key", &row.encoding_aes_key)?)?];
    if let (Some(token), Some(key), Some(until)) =
        (&row.previous_token, &row.previous_encoding_aes_key, row.previous_until)
        && until > now
    {
        keys.push(pair(open("previous_token", token)?, open("previous_encoding_aes_key", key)?)?);
    }
    let receivers = match &row.receive_ids {
        None => Receivers::Exactly(vec![row.corpid.0.clone()]),
        Some(ids) if ids.iter().all(String::is_empty) => Receivers::Empty,
        Some(ids) => Receivers::Exactly(ids.clone()),
    };
    Ok(App {
        id: row.id,
        name: row.name.clone(),
        corpid: row.corpid.clone(),
        keys,
        keys_rotated_at: row.keys_rotated_at,
        receivers,
        auto_reply: serde_json::from_value(row.auto_reply.clone())?,
    })
}
