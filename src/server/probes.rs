//! `/livez`, `/readyz`, `/metrics`: for those who watch over us. No token, no customer data.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;

use super::lately::Lately;
use crate::inbox::{self, Standing};

/// How long the database may take to answer a probe.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// For how long what was found in the database serves everybody who probes: however many do, it is asked once a second.
const LOOKED_FOR: Duration = Duration::from_secs(1);

/// Clocks that differ by more than this make welcome deadlines wrong.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// What the probes look at.
#[derive(Clone)]
pub struct Health {
    pool: PgPool,
    metrics: PrometheusHandle,
    standing: Standing,
    tasks: watch::Receiver<Value>,
    backup: watch::Receiver<Value>,
    looked: Arc<Lately<Looked>>,
}

/// What was found in the database, unless it did not answer in time: its time and whether it takes writes, how many
/// deliveries wait and are parked, and how far our clock is from its.
type Looked = Result<sqlx::Result<((DateTime<Utc>, bool), (i64, i64), TimeDelta)>, tokio::time::error::Elapsed>;

impl Health {
    /// Probes this database and renders these metrics. `tasks` is what the acting half says of itself, and `backup`
    /// how the backups stand.
    pub fn new(
        pool: PgPool,
        metrics: PrometheusHandle,
        standing: Standing,
        tasks: watch::Receiver<Value>,
        backup: watch::Receiver<Value>,
    ) -> Self {
        let looked = Arc::new(Lately::new(LOOKED_FOR));
        Self { pool, metrics, standing, tasks, backup, looked }
    }

    /// Whether callbacks can be stored, as far as the database and the last of them tell. Status 200 or 503.
    pub async fn ready(&self) -> (u16, Value) {
        match &*self.looked().await {
            Ok(Ok(((_, false), ..))) => not_ready("takes no writes"),
            Ok(Ok(_)) if !self.standing.storing() => not_ready("could not store the last callbacks; the log says why"),
            Ok(Ok((_, (pending, parked), skew))) => {
                let skew = skew.num_milliseconds();
                let clock = if skew.abs() > SKEW_MAX.num_milliseconds() { "skewed" } else { "ok" };
                let found = json!({ "status": "ready", "database": "ok", "pending": pending, "parked": parked,
                    "clock": clock, "clock_skew_ms": skew, "tasks": *self.tasks.borrow(),
                    "backup": *self.backup.borrow() });
                (200, found)
            }
            Ok(Err(_)) => not_ready("refuses"),
            Err(_) => not_ready("does not answer"),
        }
    }

    /// The metrics in Prometheus' text form, with the depths as they were a moment ago.
    pub async fn metrics(&self) -> String {
        if let Ok(Ok((_, (pending, parked), _))) = *self.looked().await {
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            {
                metrics::gauge!("wecomd_pending").set(pending as f64);
                metrics::gauge!("wecomd_parked").set(parked as f64);
            }
        }
        self.metrics.render()
    }

    /// What was found in the database within the last second, or is now.
    async fn looked(&self) -> Arc<Looked> {
        let look = async {
            let mut conn = self.pool.acquire().await?;
            let standing = inbox::database_standing(&mut conn).await?;
            let skew = Utc::now() - standing.0;
            Ok((standing, inbox::depth(&mut conn).await?, skew))
        };
        let look = async {
            let found: sqlx::Result<_> = look.await;
            found.inspect_err(|error| tracing::warn!(error = %error, "not ready: the database refuses"))
        };
        // In a box: it is far larger than what waits for it.
        self.looked.get(Box::pin(tokio::time::timeout(PROBE_LIMIT, look))).await
    }
}

fn not_ready(database: &str) -> (u16, Value) {
    (503, json!({ "status": "not ready", "database": database }))
}
