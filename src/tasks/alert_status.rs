//! Reports to monitoring what WeCom warns our apps of: words for `/readyz`, a number for Prometheus.
//!
//! An app that WeCom restricts gets no customers' data any more, and nothing else fails: it has to be seen.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::{
    states::AlertKind,
    tables::company::app_alert::{self, AlertView},
};

/// How often the alerts are read.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How many alerts are named; the gauge counts these.
const NAMED_MAX: i64 = 50;

/// Reads the alerts periodically, until the receiver is gone.
pub async fn watch(pool: PgPool, said: watch::Sender<Value>) {
    while !said.is_closed() {
        match look(&pool).await {
            Ok(standing) => {
                gauges(&standing);
                said.send_replace(json!(standing));
            }
            Err(error) => tracing::debug!(error = %error, "WeCom's alerts cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = said.closed() => {}
        }
    }
}

async fn look(pool: &PgPool) -> sqlx::Result<Vec<AlertView>> {
    app_alert::standing(&mut *pool.acquire().await?, NAMED_MAX).await
}

fn gauges(standing: &[AlertView]) {
    for kind in AlertKind::ALL {
        let count = standing.iter().filter(|it| it.kind == kind).count();
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("wecomd_app_alerts", "kind" => kind.as_str()).set(count as f64);
    }
}
