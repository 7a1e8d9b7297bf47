//! Probes: many concurrent probes cause one query, and do not delay administrators.

use tokio::task::JoinSet;

use crate::support::{TestApp, http::request, wait::until};

/// Connections that wait for a lock of this database.
const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_concurrent_probes_use_one_connection_and_delay_no_administrator() {
    let app = TestApp::start().await;
    let mut lock = app.db.pool.begin().await.expect("begins");
    sqlx::query("lock table pending in access exclusive mode").execute(&mut *lock).await.expect("locks");
    let mut probing = JoinSet::new();
    for number in 0..120 {
        let (admin, target) = (app.app.admin, if number % 2 == 0 { "/readyz" } else { "/metrics" });
        probing.spawn(async move { request(admin, "GET", target, &[], b"").await.expect("an answer").status });
    }
    until("a probe queries the database", async || app.db.count(WAITING).await > 0).await;
    for _ in 0..20 {
        let answer = app.ask("GET", "/api/enterprise-wechat/config", None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(app.db.count(WAITING).await <= 1, "the others wait for the one that looks");
    }
    lock.rollback().await.expect("lets go");
    let statuses = probing.join_all().await;
    assert!(statuses.iter().all(|it| [200, 503].contains(it)), "{statuses:?}");
    until("it is ready", async || {
        request(app.app.admin, "GET", "/readyz", &[], b"").await.expect("an answer").status == 200
    })
    .await;
    app.finish().await;
}
