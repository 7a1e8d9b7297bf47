//! Reports how the message archives stand: numbers for Prometheus, a few words for `/readyz`.
//!
//! An archive that is behind or cannot be read stops nothing else, so it is only reported.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::tables::archive::archive_account::{self, ArchiveView};

/// How often the tables are read.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// An archive that is behind for longer is reported: WeCom keeps messages for five days.
const BEHIND_S: f64 = 24.0 * 3_600.0;

/// Reads the state periodically, until the receiver is gone.
pub async fn watch_archive(pool: PgPool, said: watch::Sender<Value>) {
    while !said.is_closed() {
        let looked = async { archive_account::views(&mut *pool.acquire().await?).await };
        match looked.await {
            Ok(views) => {
                gauges(&views);
                said.send_replace(words(&views));
            }
            Err(error) => tracing::debug!(error = %error, "the archives' state cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = said.closed() => {}
        }
    }
}

/// The state of an archive that this process does not read.
pub fn archive_off() -> Value {
    json!({ "state": "off" })
}

fn words(views: &[ArchiveView]) -> Value {
    let state = match views {
        [] => "no app with agentid 2000004 has a secret",
        _ if views.iter().any(|it| it.trouble.is_some()) => "trouble",
        _ if views.iter().any(|it| it.lag_s > BEHIND_S) => "behind",
        _ => "ok",
    };
    let corps = views.iter().map(|it| {
        json!({ "corpid": it.corpid, "lag_s": it.lag_s.round(), "sealed": it.sealed, "gaps": gaps(it), "trouble": it.trouble })
    });
    json!({ "state": state, "corps": corps.collect::<Vec<_>>() })
}

fn gaps(view: &ArchiveView) -> usize {
    view.gaps.as_array().map_or(0, Vec::len)
}

fn gauges(views: &[ArchiveView]) {
    let lag = views.iter().map(|it| it.lag_s).fold(0.0, f64::max);
    metrics::gauge!("wecomd_archive_lag_seconds").set(lag);
    #[expect(clippy::cast_precision_loss, reason = "gauges")]
    {
        metrics::gauge!("wecomd_archive_sealed").set(views.iter().map(|it| it.sealed).sum::<i64>() as f64);
        metrics::gauge!("wecomd_archive_gaps").set(views.iter().map(gaps).sum::<usize>() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(lag_s: f64, trouble: Option<&str>) -> ArchiveView {
        ArchiveView {
            corpid: "ww1".to_owned(),
            seq: 7,
            pulled_at: None,
            caught_up_at: None,
            last_sent_at: None,
            lag_s,
            sealed: 2,
            gaps: json!([{ "from": 1, "to": 5 }]),
            trouble: trouble.map(str::to_owned),
            seats: json!({}),
            consent_checked_at: None,
            agreed: 0,
            disagreed: 0,
        }
    }

    #[test]
    fn trouble_is_told_first_and_a_day_s_lag_next() {
        assert_eq!(words(&[view(0.0, None)])["state"], "ok");
        assert_eq!(words(&[view(90_000.0, None)])["state"], "behind");
        let said = words(&[view(90_000.0, Some("the library has no symbol GetSliceLen"))]);
        assert_eq!(said["state"], "trouble");
        let trouble = "the library has no symbol GetSliceLen";
        let corp = json!({ "corpid": "ww1", "lag_s": 90_000.0, "sealed": 2, "gaps": 1, "trouble": trouble });
        assert_eq!(said["corps"], json!([corp]));
        assert_eq!(words(&[])["state"], "no app with agentid 2000004 has a secret");
    }
}
