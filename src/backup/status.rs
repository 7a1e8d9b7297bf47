//! Reports the backups' state to monitoring. A failed or missing backup stops nothing: it is reported in `/readyz`
//! and in two metrics.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch as channel;

use super::Schedule;
use crate::{
    states::BackupOutcome,
    tables::{
        self,
        upkeep::backup::{self, BackupStatus},
    },
};

/// How often the table is read: it is one small row.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reads the state periodically, until the receiver is gone. Without a schedule no backup is ever missing.
pub async fn watch(pool: PgPool, schedule: Option<Schedule>, listeners: channel::Sender<Value>) {
    while !listeners.is_closed() {
        // A backup's age is measured by the database's clock, which wrote its time.
        let looked = async {
            let mut conn = pool.acquire().await?;
            Ok::<_, sqlx::Error>((backup::standing(&mut conn).await?, tables::now(&mut conn).await?))
        };
        match looked.await {
            Ok((standing, now)) => {
                gauges(&standing, schedule.as_ref(), now);
                listeners.send_replace(said(&standing, schedule.as_ref(), now));
            }
            Err(error) => tracing::debug!(error = %error, "the backups' state cannot be read"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = listeners.closed() => {}
        }
    }
}

/// The state in `/readyz`: `ok`, `failed`, `missing`, `incomplete`, or `off` if backups are disabled.
pub fn said(standing: &BackupStatus, schedule: Option<&Schedule>, now: DateTime<Utc>) -> Value {
    json!({
        "state": state(standing, schedule, now),
        "running": standing.outcome == Some(BackupOutcome::Running),
        "last_at": standing.done_at,
        "age_seconds": standing.done_at.map(|at| (now - at).num_seconds()),
    })
}

fn state(standing: &BackupStatus, schedule: Option<&Schedule>, now: DateTime<Utc>) -> &'static str {
    let age_max = schedule.and_then(|it| it.age_max(now));
    let late = age_max.is_some_and(|most| standing.done_at.is_none_or(|at| now - at > most));
    match standing.outcome {
        Some(BackupOutcome::Failed) => "failed",
        _ if late => "missing",
        _ if standing.incomplete => "incomplete",
        _ if standing.done_at.is_none() => "off",
        _ => "ok",
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges")]
fn gauges(standing: &BackupStatus, schedule: Option<&Schedule>, now: DateTime<Utc>) {
    if let Some(at) = standing.done_at {
        metrics::gauge!("wecomd_backup_age_seconds").set((now - at).num_milliseconds() as f64 / 1e3);
    }
    let failed = !matches!(state(standing, schedule, now), "ok" | "off");
    metrics::gauge!("wecomd_backup_failed").set(f64::from(u8::from(failed)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_backup_counts_as_missing_once_two_scheduled_times_have_passed() {
        let schedule = Schedule::parse("0 3 * * *").expect("a schedule");
        let done_at = Some(at("2026-05-28T19:00:00Z"));
        let standing =
            BackupStatus { done_at, tried_at: done_at, outcome: Some(BackupOutcome::Done), incomplete: false };
        let state_at = |now: &str| state(&standing, Some(&schedule), at(now));
        assert_eq!(state_at("2026-05-30T19:00:00Z"), "ok");
        assert_eq!(state_at("2026-05-30T19:00:01Z"), "missing");
        assert_eq!(state(&standing, None, at("2027-01-01T00:00:00Z")), "ok", "nobody asked for another");
    }

    #[test]
    fn having_no_backup_counts_as_missing_only_with_a_schedule() {
        let (none, schedule) = (BackupStatus::default(), Schedule::parse("0 3 * * *").expect("a schedule"));
        let now = at("2026-05-30T19:00:00Z");
        assert_eq!((state(&none, Some(&schedule), now), state(&none, None, now)), ("missing", "off"));
    }

    #[test]
    fn the_last_attempt_decides_whether_it_failed() {
        let now = at("2026-05-30T19:00:00Z");
        let of = |outcome| BackupStatus { done_at: Some(now), outcome: Some(outcome), ..BackupStatus::default() };
        assert_eq!(
            (state(&of(BackupOutcome::Failed), None, now), state(&of(BackupOutcome::Running), None, now)),
            ("failed", "ok")
        );
        assert_eq!(state(&BackupStatus { incomplete: true, ..of(BackupOutcome::Done) }, None, now), "incomplete");
    }
}
