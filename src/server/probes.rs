//! `/livez`, `/readyz`, `/metrics` for monitoring. They need no token and show no customer data.

use std::{sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;

use super::lately::Lately;
use crate::inbox::{self, CommitStatus, Failure, Inbox, Recording, SpoolStatus};

/// How long the database may take to answer a probe.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// How long one look at the database serves all probes: however many arrive, it is asked once a second.
const LOOKED_FOR: Duration = Duration::from_secs(1);

/// If our clock and the database's differ by more than this, welcome deadlines are wrong.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// The sources of the probes' answers.
#[derive(Clone)]
pub struct Health {
    pool: PgPool,
    metrics: PrometheusHandle,
    commit_status: CommitStatus,
    spool_status: Option<SpoolStatus>,
    recording: Recording,
    told: Told,
    looked: Arc<Lately<Looked>>,
}

/// What other parts tell of themselves, from time to time.
#[derive(Clone)]
pub struct Told {
    /// The task queue.
    pub tasks: watch::Receiver<Value>,
    /// What WeCom warns our apps of.
    pub alerts: watch::Receiver<Value>,
    /// The backups.
    pub backup: watch::Receiver<Value>,
    /// 微信客服.
    pub kf: watch::Receiver<Value>,
    /// The message archive.
    pub archive: watch::Receiver<Value>,
}

/// The result of a look at the database, unless it did not answer in time.
type Looked = Result<sqlx::Result<Found>, tokio::time::error::Elapsed>;

/// What was found in the database.
struct Found {
    /// Whether it takes writes.
    writes: bool,
    /// If the last callbacks could not be stored: why a trial write fails now.
    failure: Option<String>,
    /// How many deliveries are pending.
    pending: i64,
    /// How many are parked.
    parked: i64,
    /// For how many seconds the oldest due delivery has waited.
    overdue_s: f64,
    /// Our clock minus the database's.
    skew: TimeDelta,
}

impl Health {
    /// Probes this database and renders these metrics. `inbox` says how storing goes, `recording` is the workers'
    /// status, `told` that of the other parts.
    pub fn new(pool: PgPool, metrics: PrometheusHandle, inbox: &Inbox, recording: Recording, told: Told) -> Self {
        let looked = Arc::new(Lately::new(LOOKED_FOR));
        let (commit_status, spool_status) = (inbox.commit_status(), inbox.spool_status());
        Self { pool, metrics, commit_status, spool_status, recording, told, looked }
    }

    /// Whether callbacks can be stored, judged by the database, the spool and the last callbacks. Status 200 or 503.
    pub async fn ready(&self) -> (u16, Value) {
        let looked = self.looked().await;
        let found = match &*looked {
            Ok(Ok(found)) if !found.writes => return self.without_database("takes no writes"),
            Ok(Ok(found)) => found,
            Ok(Err(_)) => return self.without_database("refuses"),
            Err(_) => return self.without_database("does not answer"),
        };
        match self.failure(found) {
            Some(said) => self.not_ready(&format!("could not store the last callbacks: {said}")),
            None => (200, self.told(found)),
        }
    }

    /// The database is away: callbacks can only go to the spool.
    fn without_database(&self, database: &str) -> (u16, Value) {
        // Callbacks of the last seconds that the spool did not take count more than what it says of itself.
        let failed = self.commit_status.failure().is_some_and(|it| it.is_fresh());
        let takes = self.spool_status.as_ref().is_some_and(|it| it.problem().is_none());
        if failed || !takes {
            return self.not_ready(database);
        }
        (200, json!({ "status": "spooling", "database": database, "spool": self.spool() }))
    }

    fn not_ready(&self, database: &str) -> (u16, Value) {
        (503, json!({ "status": "not ready", "database": database, "spool": self.spool() }))
    }

    /// How the spool stands.
    fn spool(&self) -> Value {
        let Some(spool) = &self.spool_status else { return json!({ "state": "off" }) };
        let state = spool.problem().unwrap_or_else(|| "ok".to_owned());
        json!({ "state": state, "bytes": spool.bytes(), "age_s": spool.age().num_seconds() })
    }

    /// Why callbacks cannot be stored: a failure of the last seconds counts at once, an older one only if the trial
    /// failed.
    fn failure(&self, found: &Found) -> Option<String> {
        let failure = self.commit_status.failure()?;
        if failure.is_fresh() { Some(failure.said) } else { found.failure.clone() }
    }

    fn told(&self, found: &Found) -> Value {
        let skew = found.skew.num_milliseconds();
        let clock = if skew.abs() > SKEW_MAX.num_milliseconds() { "skewed" } else { "ok" };
        let recording = match self.recording.halted() {
            Some(said) => format!("stands still: {said}"),
            None => "ok".to_owned(),
        };
        let spooling = self.spool_status.as_ref().is_some_and(SpoolStatus::is_spooling);
        json!({ "status": if spooling { "spooling" } else { "ready" }, "database": "ok", "spool": self.spool(),
            "pending": found.pending, "parked": found.parked,
            "recording": recording, "overdue_s": found.overdue_s.round(), "clock": clock, "clock_skew_ms": skew,
            "tasks": *self.told.tasks.borrow(), "alerts": *self.told.alerts.borrow(),
            "backup": *self.told.backup.borrow(), "kf": *self.told.kf.borrow(),
            "archive": *self.told.archive.borrow() })
    }

    /// The metrics in Prometheus' text format; queue depths are up to a second old.
    pub async fn metrics(&self) -> String {
        metrics::gauge!("wecomd_recording_halted").set(f64::from(u8::from(self.recording.halted().is_some())));
        if let Some(spool) = &self.spool_status {
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            {
                metrics::gauge!("wecomd_spool_bytes").set(spool.bytes() as f64);
                metrics::gauge!("wecomd_spool_age_seconds").set(spool.age().num_milliseconds() as f64 / 1_000.0);
            }
        }
        if let Ok(Ok(found)) = &*self.looked().await {
            metrics::gauge!("wecomd_pending_age_seconds").set(found.overdue_s);
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            {
                metrics::gauge!("wecomd_pending").set(found.pending as f64);
                metrics::gauge!("wecomd_parked").set(found.parked as f64);
            }
        }
        self.metrics.render()
    }

    /// The look at the database of the last second, or a new one.
    async fn looked(&self) -> Arc<Looked> {
        let look = async {
            let found: sqlx::Result<Found> = self.look().await;
            found.inspect_err(|error| tracing::warn!(error = %error, "not ready: the database refuses"))
        };
        // Boxed, because the future is far larger than its callers' own.
        self.looked.get(Box::pin(tokio::time::timeout(PROBE_LIMIT, look))).await
    }

    async fn look(&self) -> sqlx::Result<Found> {
        let mut conn = self.pool.acquire().await?;
        let (now, writes) = inbox::database_standing(&mut conn).await?;
        let skew = Utc::now() - now;
        let failure = match self.commit_status.failure().filter(|_| writes) {
            Some(failure) => self.still(failure, &mut conn).await,
            None => None,
        };
        let (pending, parked) = inbox::depth(&mut conn).await?;
        let overdue_s = inbox::overdue_s(&mut conn).await?;
        Ok(Found { writes, failure, pending, parked, overdue_s, skew })
    }

    /// Why callbacks still cannot be stored, if so. A failure that is some seconds old may be over without a callback
    /// having shown it, so a trial write asks the database.
    async fn still(&self, failure: Failure, conn: &mut PgConnection) -> Option<String> {
        if failure.is_fresh() {
            return Some(failure.said);
        }
        match inbox::try_storing(conn).await {
            Ok(()) => {
                self.commit_status.mended(&failure);
                None
            }
            Err(error) => Some(error.as_database_error().map_or(failure.said, |it| it.message().to_owned())),
        }
    }
}
