//! Reports the state of the task queue to monitoring: numbers for Prometheus, a few words for `/readyz`.
//!
//! A long queue stops nothing. Recording goes on, because all refreshes of one customer are one task however many
//! callbacks ask for it; urgent kinds have worker pools of their own. So a backlog is only reported.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::{
    changes::TaskKind,
    handover::OVERDUE_AFTER,
    tables::{
        handover,
        task::{self, TaskCounts},
    },
};

/// How often the queue is counted. Counting a long queue costs the database a little.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// With more due tasks than this, the executors lag: there are too few of them, or WeCom limits us.
pub const BACKLOG_MAX: i64 = 10_000;

/// Counts the queue periodically, until the receiver is gone.
pub async fn watch(pool: PgPool, said: watch::Sender<Value>) {
    while !said.is_closed() {
        match look(&pool).await {
            Ok((standing, stuck)) => {
                gauges(&standing);
                #[expect(clippy::cast_precision_loss, reason = "a gauge")]
                metrics::gauge!("wecomd_handover_stuck_items").set(stuck as f64);
                said.send_replace(words(&standing));
            }
            Err(error) => tracing::debug!(error = %error, "the task queue cannot be counted"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = said.closed() => {}
        }
    }
}

/// Counts the queue by kind, and the stuck items of handovers.
async fn look(pool: &PgPool) -> sqlx::Result<(Vec<TaskCounts>, i64)> {
    let mut conn = pool.acquire().await?;
    let stuck = handover::stuck(&mut conn, OVERDUE_AFTER).await?;
    Ok((task::standing(&mut conn).await?, stuck))
}

fn words(standing: &[TaskCounts]) -> Value {
    let sum = |of: fn(&TaskCounts) -> i64| standing.iter().map(of).sum::<i64>();
    let due = sum(|it| it.due);
    json!({ "due": due, "running": sum(|it| it.running), "parked": sum(|it| it.parked), "behind": due > BACKLOG_MAX })
}

fn gauges(standing: &[TaskCounts]) {
    for kind in TaskKind::ALL {
        let found = standing.iter().find(|it| it.kind == kind);
        let kind = kind.as_str();
        let count = |state: &'static str, of: fn(&TaskCounts) -> i64| {
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            metrics::gauge!("wecomd_tasks", "kind" => kind, "state" => state).set(found.map_or(0, of) as f64);
        };
        count("due", |it| it.due);
        count("waiting", |it| it.waiting);
        count("running", |it| it.running);
        count("parked", |it| it.parked);
        metrics::gauge!("wecomd_task_age_seconds", "kind" => kind).set(found.map_or(0.0, |it| it.age_s));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_queue_is_reported_as_behind() {
        let of =
            |due| TaskCounts { kind: TaskKind::RefreshContact, due, waiting: 7, running: 1, parked: 2, age_s: 0.5 };
        let said = words(&[of(BACKLOG_MAX), of(1)]);
        assert_eq!(said, json!({ "due": BACKLOG_MAX + 1, "running": 2, "parked": 4, "behind": true }));
        assert_eq!(words(&[of(BACKLOG_MAX)])["behind"], json!(false));
    }
}
