//! The queue of tasks: whose a task is, when it is due again, and what a person can do about it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use wecomd::{
    changes::{Task, TaskKind},
    ids::CorpId,
    tables::task::{self, Finished, Room, Taken},
};

use crate::support::{TestApp, TestDb};

const LEASE: Duration = Duration::from_secs(30);
const KIND: TaskKind = TaskKind::RefreshContact;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).expect("a time")
}

async fn enqueue(db: &TestDb, subject: &str, deadline: Option<DateTime<Utc>>) {
    let task = Task { app_id: 1, payload: None, due_at: at(0), deadline, marks: 1 };
    let mut conn = db.pool.acquire().await.expect("connects");
    task::enqueue(&mut conn, &CorpId::from("ww1"), KIND, subject, task).await.expect("enqueued");
}

async fn claim(db: &TestDb, limit: i64) -> Vec<Taken> {
    let mut conn = db.pool.acquire().await.expect("connects");
    task::claim(&mut conn, KIND, &Room::of(limit), LEASE).await.expect("claimed")
}

async fn claim_one(db: &TestDb) -> Taken {
    claim(db, 1).await.pop().expect("one is due")
}

async fn finish(db: &TestDb, task: &Taken) -> Finished {
    task::finish(&mut db.pool.acquire().await.expect("connects"), task).await.expect("asked")
}

#[tokio::test]
async fn tasks_show_no_priority_but_older_processes_may_still_write_one() {
    let app = TestApp::start().await;
    enqueue(&app.db, "wmAlice", None).await;
    let listed = app.ask("GET", "/api/enterprise-wechat/tasks", None).await.json();
    let shown: Vec<_> = listed["items"][0].as_object().expect("a task").keys().cloned().collect();
    assert!(shown.contains(&"due_at".to_owned()) && !shown.contains(&"priority".to_owned()), "{shown:?}");
    let columns = "select column_name::text from information_schema.columns
        where table_schema = 'public' and table_name = 'task' order by ordinal_position";
    // Each of these but `priority` is read by somebody: a column that would rank tasks belongs into the claim as well.
    let expected = [
        "corpid",
        "kind",
        "subject",
        "app_id",
        "payload",
        "due_at",
        "deadline",
        "version",
        "id",
        "created_at",
        "attempts",
        "lease",
        "leased_until",
        "attempted_at",
        "parked_at",
        "reason",
        "priority",
    ];
    let mut found = app.db.texts(columns).await;
    let mut expected: Vec<_> = expected.map(str::to_owned).into();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let as_an_older_process = "insert into task (corpid, kind, subject, app_id, payload, due_at, version, priority)
        select corpid, kind, subject || '2', app_id, payload, due_at, version, 10 from task";
    let written = sqlx::query(as_an_older_process).execute(&app.db.pool).await.expect("an older process may write");
    assert_eq!(written.rows_affected(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_task_with_an_expired_lease_is_taken_again_and_its_first_holder_is_ignored() {
    let db = TestDb::new().await;
    enqueue(&db, "wmAlice", None).await;
    let first = claim_one(&db).await;
    assert_eq!(claim(&db, 9).await, [], "it is claimed");

    db.execute("update task set leased_until = now() - interval '1 second'").await;
    let second = claim_one(&db).await;
    assert_eq!((first.attempts, second.attempts), (1, 2));
    let mut conn = db.pool.acquire().await.expect("connects");
    assert_eq!(finish(&db, &first).await, Finished::Lost);
    assert!(!task::begin_attempt(&mut conn, &first).await.expect("asked"), "it must not call any more");
    assert!(!task::park(&mut conn, &first, "broken").await.expect("asked"));
    let held = task::extend(&mut conn, &[first.id], &[first.lease, second.lease], LEASE).await.expect("extended");
    assert_eq!(held, [second.lease]);
    assert_eq!(finish(&db, &second).await, Finished::Done);
    assert_eq!(db.count("select count(*) from task").await, 0);
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn a_lease_that_is_extended_does_not_run_out() {
    let db = TestDb::new().await;
    enqueue(&db, "wmAlice", None).await;
    let task = claim_one(&db).await;
    db.execute("update task set leased_until = now() - interval '1 second'").await;
    let mut conn = db.pool.acquire().await.expect("connects");
    assert_eq!(task::extend(&mut conn, &[task.id], &[task.lease], LEASE).await.expect("extended"), [task.lease]);
    assert_eq!(claim(&db, 9).await, []);
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn a_task_that_is_marked_again_while_it_runs_stays_due() {
    let db = TestDb::new().await;
    enqueue(&db, "wmAlice", None).await;
    let task = claim_one(&db).await;
    enqueue(&db, "wmAlice", None).await;
    assert_eq!(claim(&db, 9).await, [], "nobody else takes it meanwhile");
    assert_eq!(finish(&db, &task).await, Finished::MarkedAgain);
    let again = claim_one(&db).await;
    assert_eq!((again.id, again.attempts, again.version), (task.id, 1, task.version + 1));
    assert_eq!(finish(&db, &again).await, Finished::Done);
    db.close().await;
}

#[tokio::test]
async fn a_parked_task_waits_for_a_person_or_for_another_mark() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("connects");
    enqueue(&db, "wmAlice", None).await;
    for attempt in 1..=3 {
        let task = claim_one(&db).await;
        assert_eq!(task.attempts, 1, "attempts begin anew, time {attempt}");
        assert!(task::park(&mut conn, &task, "WeCom does not know them").await.expect("parked"));
        assert_eq!(claim(&db, 9).await, []);
        match attempt {
            1 => assert!(task::replay(&mut conn, task.id).await.expect("replayed")),
            _ => enqueue(&db, "wmAlice", None).await,
        }
    }
    let task = claim_one(&db).await;
    enqueue(&db, "wmAlice", None).await;
    assert!(task::park(&mut conn, &task, "too late").await.expect("asked"));
    assert_eq!(claim(&db, 9).await.len(), 1, "a task marked meanwhile is not parked");
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn a_postponed_task_waits_as_long_as_it_was_told_and_one_given_back_loses_no_attempt() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("connects");
    enqueue(&db, "wmAlice", None).await;
    let task = claim_one(&db).await;
    assert!(task::postpone(&mut conn, &task, Duration::from_secs(60), "45009", false).await.expect("postponed"));
    assert_eq!(claim(&db, 9).await, []);
    let wait = "select extract(epoch from due_at - now())::bigint from task where reason = '45009'";
    assert!((55..=60).contains(&db.count(wait).await));

    db.execute("update task set due_at = now()").await;
    let task = claim_one(&db).await;
    assert_eq!(task.attempts, 2);
    assert!(task::release(&mut conn, &task, Duration::ZERO).await.expect("released"));
    assert_eq!(claim_one(&db).await.attempts, 2);
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn the_task_with_the_nearest_deadline_is_taken_first() {
    let db = TestDb::new().await;
    for (subject, deadline) in [("never", None), ("late", Some(at(30))), ("soon", Some(at(20)))] {
        enqueue(&db, subject, deadline).await;
    }
    let taken = claim(&db, 2).await;
    assert_eq!(taken.iter().map(|it| it.subject.as_str()).collect::<Vec<_>>(), ["soon", "late"]);
    assert_eq!(claim_one(&db).await.subject, "never");
    db.close().await;
}

#[tokio::test]
async fn tasks_past_their_deadline_wait_behind_tasks_that_can_meet_theirs() {
    let db = TestDb::new().await;
    for number in 0..20 {
        enqueue(&db, &format!("too late {number}"), Some(at(number))).await;
    }
    enqueue(&db, "in time", Some(Utc::now() + TimeDelta::seconds(20))).await;
    let taken = claim(&db, 3).await;
    let subjects: Vec<_> = taken.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!(subjects, ["in time", "too late 0", "too late 1"]);
    db.close().await;
}

#[tokio::test]
async fn an_attempt_that_is_not_safe_to_repeat_is_remembered_until_the_task_is_done() {
    let db = TestDb::new().await;
    enqueue(&db, "wmAlice", None).await;
    let task = claim_one(&db).await;
    assert_eq!(task.attempted_at, None);
    let mut conn = db.pool.acquire().await.expect("connects");
    assert!(task::begin_attempt(&mut conn, &task).await.expect("recorded"));
    db.execute("update task set leased_until = now() - interval '1 second'").await;
    let again = claim_one(&db).await;
    assert!(again.attempted_at.is_some_and(|it| Utc::now() - it < TimeDelta::minutes(1)));
    enqueue(&db, "wmAlice", None).await;
    assert_eq!(finish(&db, &again).await, Finished::MarkedAgain);
    assert_eq!(claim_one(&db).await.attempted_at, None, "a later mark is separate");
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn tasks_are_listed_page_by_page_replayed_and_cancelled() {
    let app = TestApp::start().await;
    for subject in ["wmAlice", "wmBob", "wmCarl"] {
        enqueue(&app.db, subject, None).await;
    }
    let bob = app.db.count("select id from task where subject = 'wmBob'").await;
    app.db
        .execute("update task set parked_at = now(), reason = 'WeCom does not know them' where subject = 'wmBob'")
        .await;
    app.db.execute("update task set leased_until = now() + interval '1 hour' where subject = 'wmCarl'").await;

    let path = "/api/enterprise-wechat/tasks";
    let subjects = async |query: &str| {
        let page = app.ask("GET", &format!("{path}?{query}"), None).await.json();
        let items = page["items"].as_array().expect("items").clone();
        let found: Vec<_> = items.iter().map(|it| format!("{} {}", it["subject"], it["state"])).collect();
        (found.join(", ").replace('"', ""), page["next_cursor"].as_str().unwrap_or_default().to_owned())
    };
    let (first, cursor) = subjects("limit=2").await;
    assert_eq!(first, "wmCarl running, wmBob parked");
    assert_eq!(subjects(&format!("limit=2&cursor={cursor}")).await.0, "wmAlice due");
    assert_eq!(subjects("state=parked&kind=refresh_contact").await.0, "wmBob parked");
    assert_eq!(subjects("subject=wmAlice").await.0, "wmAlice due");
    assert_eq!(subjects("kind=welcome").await.0, "");
    assert_eq!(app.ask("GET", &format!("{path}?kind=dance"), None).await.status, 400);
    assert_eq!(app.ask("GET", &format!("{path}?state=lost"), None).await.status, 400);

    let replayed = app.ask("POST", &format!("{path}/{bob}/replay"), None).await;
    assert_eq!((replayed.status, replayed.json()), (202, json!({ "id": bob, "state": "due" })));
    assert_eq!(subjects("state=parked").await.0, "");
    let cancelled = app.ask("POST", &format!("{path}/{bob}/cancel"), None).await;
    assert_eq!(cancelled.status, 200);
    assert_eq!(subjects("subject=wmBob").await.0, "");
    let unknown = app.ask("POST", &format!("{path}/{bob}/replay"), None).await;
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("task_unknown")));
    app.finish().await;
}
