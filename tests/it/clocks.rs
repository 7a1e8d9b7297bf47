//! The clocks of the process and of the database differ by forty days here; each decision uses only one of them.

use std::time::Duration;

use serde_json::{Value, json};
use wecomd::{
    backup::{Schedule as BackupSchedule, run_due_now},
    housekeeping::Housekeeper,
    media::MediaStore,
    sandbox::{AppKind, Push},
    sync::{self, Schedule},
    worker::{Settings, Worker},
};

use crate::support::{TestApp, TestDb, folder::Folder, plaintext::contact};

const BASE: &str = "/api/enterprise-wechat";

/// Both ways in which the database's clock may differ.
const APART: [&str; 2] = ["-40 days", "40 days"];

async fn beside(clock: &str) -> TestApp {
    let db = TestDb::new().await;
    db.set_clock(clock).await;
    let url = db.url.clone();
    TestApp::start_at(db, &url, |_| ()).await
}

/// One number, by a connection that sees the database's clock.
async fn count(app: &TestApp, sql: &str) -> i64 {
    let found: Vec<String> = crate::support::database::texts(&app.app.admin_half.pool, sql).await;
    found.first().and_then(|it| it.parse().ok()).expect("a number")
}

#[tokio::test]
async fn a_failed_delivery_is_retried_by_the_clock_of_the_database() {
    for clock in APART {
        let app = beside(clock).await;
        app.db
            .execute(
                "create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
                 create trigger refuse before insert on customer_wechat_contact
                     for each row execute function refuse();",
            )
            .await;
        let push = Push::genuine(AppKind::App, contact(1_700_000_000, "add_external_contact", "ann", "wmX", &[]));
        app.deliver(vec![push]).await;
        let options = app.db.options();
        let mut worker = Worker::new(options, Settings { batch_max: 100, attempts_max: 3 });
        for _ in 0..3 {
            worker.step().await.expect("the database answers");
        }
        let soon = "select count(*)::text from pending_delivery
                    where attempts = 1 and due_at between now() - interval '1 minute' and now() + interval '1 minute'";
        assert_eq!(count(&app, soon).await, 1, "{clock}");
        app.finish().await;
    }
}

#[tokio::test]
async fn a_notice_is_due_at_once_and_an_order_that_waits_too_long_is_escalated_once() {
    for clock in APART {
        let app = beside(clock).await;
        let corpid = &app.corp.corpid;
        app.db
            .execute(&format!(
                "insert into staff_wechat_bind (corpid, staff_id, wechat_userid) values ('{corpid}', 'S1', 'ann')"
            ))
            .await;
        let body = json!({ "customer_id": "C-1", "description": "水管漏水" });
        let order = app.ask("POST", &format!("{BASE}/work-orders"), Some(body)).await.json();
        let target = format!("{BASE}/work-orders/{}", order["id"]);
        let given = app.ask("PATCH", &target, Some(json!({ "staff_id": "S1" }))).await;
        assert_eq!(given.status, 200, "{}", given.text());
        let due = "select count(*)::text from task
                   where kind = 'notify_staff' and due_at between now() - interval '1 minute' and now()";
        assert_eq!(count(&app, due).await, 1, "{clock}");

        app.db
            .execute(
                "update work_order set assigned_at = assigned_at - interval '10 days',
                     notified_at = notified_at - interval '10 days'",
            )
            .await;
        let admin = &app.app.admin_half;
        let housekeeper = Housekeeper::new(admin.pool.clone(), admin.wecom.clone(), admin.rules.clone());
        for _ in 0..2 {
            housekeeper.round().await.expect("a round");
        }
        assert_eq!(count(&app, "select count(*)::text from work_order where escalated_at is not null").await, 1);
        assert_eq!(count(&app, "select notices::text from work_order").await, 1, "{clock}: no reminder was enqueued");
        app.finish().await;
    }
}

#[tokio::test]
async fn a_run_and_a_backup_are_made_once_per_scheduled_time() {
    for clock in APART {
        let app = beside(clock).await;
        app.entrust().await;
        let pool = &app.app.admin_half.pool;
        let mut conn = pool.acquire().await.expect("connects");
        app.db.execute("update enterprise_wechat_config set created_at = 'epoch'").await;
        let schedule = Schedule { every_hours: 24, at_hour: 3 };
        assert!(sync::begin_due_now(&mut conn, schedule).await.expect("looked") > 0, "{clock}");
        app.db.execute("update sync_run set state = 'done'").await;
        assert_eq!(sync::begin_due_now(&mut conn, schedule).await.expect("looked"), 0, "{clock}");
        drop(conn);

        let folder = Folder::new("clocks");
        let mut config = crate::support::app::config();
        config.backup.location = folder.path().join("kept").to_str().expect("UTF-8").to_owned();
        let media = MediaStore::new(&folder.path().join("media"), 1 << 30).expect("a folder");
        let backups = wecomd::app::backups(&config, &app.db.url, &app.app.admin_half.vault, &media);
        let schedule = BackupSchedule::parse("30 2 * * *").expect("a schedule");
        assert!(run_due_now(&backups, &schedule).await.expect("a backup").is_some(), "{clock}");
        assert!(run_due_now(&backups, &schedule).await.expect("looked").is_none(), "{clock}");
        app.finish().await;
    }
}

#[tokio::test]
async fn the_shown_state_of_a_token_is_the_one_enforced() {
    let app = beside("-40 days").await;
    let body = json!({ "name": "报表", "role": "viewer", "expires_days": 1 });
    let made = app.ask("POST", &format!("{BASE}/api-tokens"), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let bearer = format!("Bearer {}", made.json()["token"].as_str().expect("a token"));
    assert_eq!(app.ask_as(&bearer, "GET", &format!("{BASE}/work-orders"), None).await.status, 200);
    let listed = app.ask("GET", &format!("{BASE}/api-tokens"), None).await.json();
    let state = |name: &str| {
        let items = listed["items"].as_array().expect("tokens");
        items.iter().find(|it| it["name"] == json!(name)).map_or(Value::Null, |it| it["state"].clone())
    };
    assert_eq!(state("报表"), json!("live"));
    app.finish().await;
}

#[tokio::test]
async fn the_shared_clock_shows_database_time_and_keeps_running() {
    let db = TestDb::new().await;
    db.set_clock("-40 days").await;
    let pool = sqlx::PgPool::connect_with(db.options()).await.expect("connects");
    let mut conn = pool.acquire().await.expect("connects");
    let clock = wecomd::tables::SharedClock::read(&mut conn).await.expect("read");
    let first = clock.now();
    let apart = (chrono::Utc::now() - first) - chrono::TimeDelta::days(40);
    assert!(apart.abs() < chrono::TimeDelta::minutes(1), "{apart}");
    assert!(
        clock.now() >= first
            && clock.now() - first < chrono::TimeDelta::from_std(Duration::from_secs(60)).expect("small")
    );
    drop(conn);
    pool.close().await;
    db.close().await;
}
