//! `/livez`, `/readyz`, `/metrics`: for those who watch over us. No token, no customer data.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;

use crate::inbox::{self, Failure, Recording, Standing};

/// How long the database may take to answer a probe.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Clocks that differ by more than this make welcome deadlines wrong.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// What the probes look at.
#[derive(Clone)]
pub struct Health {
    pool: PgPool,
    metrics: PrometheusHandle,
    standing: Standing,
    recording: Recording,
    tasks: watch::Receiver<Value>,
    backup: watch::Receiver<Value>,
}

impl Health {
    /// Probes this database and renders these metrics. `recording` is how the workers get on, `tasks` what the acting
    /// half says of itself, and `backup` how the backups stand.
    pub fn new(
        pool: PgPool,
        metrics: PrometheusHandle,
        standing: Standing,
        recording: Recording,
        tasks: watch::Receiver<Value>,
        backup: watch::Receiver<Value>,
    ) -> Self {
        Self { pool, metrics, standing, recording, tasks, backup }
    }

    /// Whether callbacks can be stored, as far as the database and the last of them tell. Status 200 or 503.
    pub async fn ready(&self) -> (u16, Value) {
        let looked = async {
            let mut conn = self.pool.acquire().await?;
            let standing = inbox::database_standing(&mut conn).await?;
            let failure = match self.standing.failure().filter(|_| standing.1) {
                Some(failure) => self.still(failure, &mut conn).await,
                None => None,
            };
            let depth = inbox::depth(&mut conn).await?;
            Ok::<_, sqlx::Error>((standing, failure, depth, inbox::overdue_s(&mut conn).await?))
        };
        match tokio::time::timeout(PROBE_LIMIT, looked).await {
            Ok(Ok(((_, false), ..))) => not_ready("takes no writes"),
            Ok(Ok((_, Some(said), ..))) => not_ready(&format!("could not store the last callbacks: {said}")),
            Ok(Ok(((now, _), None, (pending, parked), overdue_s))) => {
                let skew = (Utc::now() - now).num_milliseconds();
                let clock = if skew.abs() > SKEW_MAX.num_milliseconds() { "skewed" } else { "ok" };
                let recording = match self.recording.halted() {
                    Some(said) => format!("stands still: {said}"),
                    None => "ok".to_owned(),
                };
                let found = json!({ "status": "ready", "database": "ok", "pending": pending, "parked": parked,
                    "recording": recording, "overdue_s": overdue_s.round(), "clock": clock, "clock_skew_ms": skew, "tasks": *self.tasks.borrow(),
                    "backup": *self.backup.borrow() });
                (200, found)
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "not ready: the database refuses");
                not_ready("refuses")
            }
            Err(_) => not_ready("does not answer"),
        }
    }

    /// What keeps callbacks from being stored, if it still does. A failure that is some seconds old may be over, and
    /// nobody may have come to find out: then the database is asked by a trial.
    async fn still(&self, failure: Failure, conn: &mut PgConnection) -> Option<String> {
        if failure.is_fresh() {
            return Some(failure.said);
        }
        match inbox::try_storing(conn).await {
            Ok(()) => {
                self.standing.mended(&failure);
                None
            }
            Err(error) => Some(error.as_database_error().map_or(failure.said, |it| it.message().to_owned())),
        }
    }

    /// The metrics in Prometheus' text form, with the depths as of now.
    pub async fn metrics(&self) -> String {
        let looked = async {
            let mut conn = self.pool.acquire().await?;
            let depth = inbox::depth(&mut conn).await?;
            Ok::<_, sqlx::Error>((depth, inbox::overdue_s(&mut conn).await?))
        };
        metrics::gauge!("wecomd_recording_halted").set(f64::from(u8::from(self.recording.halted().is_some())));
        if let Ok(Ok(((pending, parked), overdue_s))) = tokio::time::timeout(PROBE_LIMIT, looked).await {
            metrics::gauge!("wecomd_pending_age_seconds").set(overdue_s);
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            {
                metrics::gauge!("wecomd_pending").set(pending as f64);
                metrics::gauge!("wecomd_parked").set(parked as f64);
            }
        }
        self.metrics.render()
    }
}

fn not_ready(database: &str) -> (u16, Value) {
    (503, json!({ "status": "not ready", "database": database }))
}
