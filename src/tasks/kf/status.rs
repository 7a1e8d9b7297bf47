//! Reports how 微信客服 stands to monitoring: numbers for Prometheus, warnings for `/readyz`.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::{
    states::KfRoute,
    tables::kf::kf_account::{self, KfCounts},
};

/// How often the accounts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Looks periodically, until the receiver is gone.
pub async fn watch(pool: PgPool, route: KfRoute, said: watch::Sender<Value>) {
    while !said.is_closed() {
        match look(&pool).await {
            Ok(counts) => {
                gauges(&counts);
                said.send_replace(words(&counts, route));
            }
            Err(error) => tracing::debug!(error = %error, "the accounts of 微信客服 cannot be looked at"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = said.closed() => {}
        }
    }
}

async fn look(pool: &PgPool) -> sqlx::Result<KfCounts> {
    let mut conn = pool.acquire().await?;
    kf_account::counts(&mut conn).await
}

fn words(counts: &KfCounts, route: KfRoute) -> Value {
    let mut warnings = Vec::new();
    if route == KfRoute::Off && counts.managed > 0 {
        warnings.push(format!(
            "kf.route is off, and WeCom routes nobody for {} accounts that are managed through the API: customers wait",
            counts.managed
        ));
    }
    if counts.lost > 0 {
        warnings.push(format!("messages of {} accounts may be missing: see lost_from in GET kf-accounts", counts.lost));
    }
    json!({ "accounts": counts.accounts, "warnings": warnings })
}

fn gauges(counts: &KfCounts) {
    #[expect(clippy::cast_precision_loss, reason = "gauges")]
    {
        metrics::gauge!("wecomd_kf_accounts").set(counts.accounts as f64);
        metrics::gauge!("wecomd_kf_lost_accounts").set(counts.lost as f64);
    }
    metrics::gauge!("wecomd_kf_lag_seconds").set(counts.lag_s);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_nobody_routes_and_lost_messages_are_warned_of() {
        let said = |route, managed, lost| {
            let counts = KfCounts { accounts: 2, managed, lost, lag_s: 0.0 };
            words(&counts, route)["warnings"].as_array().map(Vec::len)
        };
        assert_eq!(said(KfRoute::Off, 1, 0), Some(1));
        assert_eq!(said(KfRoute::Off, 0, 0), Some(0), "another program manages them");
        assert_eq!((said(KfRoute::Owner, 2, 0), said(KfRoute::Pool, 2, 1)), (Some(0), Some(1)));
    }
}
