//! Retention: old days and months are dropped whole, with their files; deliveries still to be recorded are kept.

use std::process::Stdio;

use chrono::{DateTime, Days, NaiveDate, Utc};
use secrecy::ExposeSecret;
use tokio::process::Command;
use wecomd::{
    access::audit::{End, Verdict, What, verify},
    changes::TaskKind,
    privacy::{Outcome, Retention, Settings},
    sandbox::Push,
    states::RetentionKind,
};

use crate::support::{
    Acting, TestDb,
    daemon::program,
    folder::Folder,
    plaintext::{contact, event, picture, text},
};

const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

fn at(time: &str) -> i64 {
    time.parse::<DateTime<Utc>>().expect("a time").timestamp()
}

fn keep(acting: &Acting, settings: Settings) -> Retention {
    Retention { pool: acting.app.db.pool.clone(), media: acting.app.app.admin_half.media.clone(), settings }
}

async fn deliver(acting: &Acting, plaintexts: Vec<String>) {
    let report = acting.app.deliver(plaintexts.into_iter().map(Push::of_plaintext).collect()).await;
    assert_eq!(report.genuine.failed, 0, "each is answered");
}

async fn partitions(db: &TestDb, parent: &str) -> Vec<String> {
    let sql =
        format!("select inhrelid::regclass::text from pg_inherits where inhparent = '{parent}'::regclass order by 1");
    db.texts(&sql).await
}

/// A day of the inbox that had a partition in its time.
async fn make_day(db: &TestDb, day: &str) {
    let next = day.parse::<NaiveDate>().expect("a day") + Days::new(1);
    let name = day.replace('-', "");
    db.execute(&format!(
        "create table inbox_{name} partition of inbox for values from ('{day} 00:00+00') to ('{next} 00:00+00')"
    ))
    .await;
}

async fn run(keep: &Retention, kind: RetentionKind, dry: bool) -> Outcome {
    keep.run(kind, dry).await.expect("it goes well")
}

fn files(acting: &Acting) -> usize {
    let mut folders = vec![acting.media.path().to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { count += 1 }
        }
    }
    count
}

#[tokio::test]
async fn old_days_of_the_inbox_are_dropped_except_unsettled_deliveries() {
    let acting = Acting::start().await;
    let now = Utc::now().timestamp();
    for day in ["2025-01-10", "2025-01-12"] {
        make_day(&acting.app.db, day).await;
    }
    deliver(
        &acting,
        vec![
            text(at("2025-01-10T08:00:00Z"), CUSTOMER, "一", 1),
            text(at("2025-01-10T09:00:00Z"), CUSTOMER, "二", 2),
            event(at("2025-01-10T10:00:00Z"), "something_of_tomorrow", &[]),
            text(now, CUSTOMER, "今", 3),
        ],
    )
    .await;
    acting.app.drain().await;
    // One without a day of its own, which came long ago; and one that is still to be recorded.
    deliver(&acting, vec![text(0, CUSTOMER, "无", 5)]).await;
    acting.app.drain().await;
    deliver(&acting, vec![text(at("2025-01-12T08:00:00Z"), CUSTOMER, "三", 4)]).await;
    acting.app.db.execute("update inbox_undated set received_at = now() - interval '1 year'").await;
    let keep = keep(&acting, Settings { plaintext_days: 30, ..Settings::default() });
    let stored = acting.app.db.count("select count(*) from inbox").await;

    let dry = run(&keep, RetentionKind::Plaintext, true).await;
    assert_eq!(dry.partitions, ["inbox_20250110"]);
    assert_eq!(dry.waiting, ["inbox_20250112"]);
    assert_eq!(dry.rows, 4, "three of the day, and one without");
    assert_eq!(acting.app.db.count("select count(*) from inbox").await, stored, "a dry run changes nothing");

    let wet = run(&keep, RetentionKind::Plaintext, false).await;
    assert_eq!(wet, dry);
    let left = partitions(&acting.app.db, "inbox").await;
    assert!(!left.contains(&"inbox_20250110".to_owned()) && left.contains(&"inbox_20250112".to_owned()), "{left:?}");
    assert_eq!(acting.app.db.count("select count(*) from inbox").await, stored - 4);
    assert_eq!(acting.app.db.count("select count(*) from ignored").await, 0);

    acting.app.drain().await;
    assert_eq!(run(&keep, RetentionKind::Plaintext, false).await.partitions, ["inbox_20250112"]);
    assert_eq!(acting.app.db.count("select count(*) from wechat_contact_record where content = '三'").await, 1);
    acting.finish().await;
}

#[tokio::test]
async fn a_captured_callback_of_a_dropped_day_is_acknowledged_and_not_stored() {
    let acting = Acting::start().await;
    let db = &acting.app.db;
    make_day(db, "2025-01-10").await;
    make_day(db, "2025-01-11").await;
    let parked = contact(at("2025-01-11T08:00:00Z"), "add_external_contact", "zhangsan", CUSTOMER, &[]);
    let parked = parked[..parked.len() / 2].to_owned();
    let dropped = [
        text(at("2025-01-10T08:00:00Z"), CUSTOMER, "一", 1),
        // One that never had a day of its own.
        text(at("2016-05-05T08:00:00Z"), CUSTOMER, "旧", 2),
    ];
    // Impossible event times do not make a callback old.
    let kept = [
        text(0, CUSTOMER, "无", 3),
        text(at("2012-01-01T00:00:00Z"), CUSTOMER, "古", 4),
        text(at("2050-01-01T00:00:00Z"), CUSTOMER, "远", 5),
    ];
    let all: Vec<_> = dropped.iter().chain(&kept).chain([&parked]).cloned().collect();
    deliver(&acting, all.clone()).await;
    acting.app.drain().await;
    db.execute("update inbox set received_at = now() - interval '1 year'").await;
    let keep = keep(&acting, Settings { plaintext_days: 30, ..Settings::default() });
    let went = run(&keep, RetentionKind::Plaintext, false).await;
    assert_eq!((went.partitions, went.waiting), (vec!["inbox_20250110".to_owned()], vec!["inbox_20250111".to_owned()]));
    assert_eq!(db.count("select count(*) from inbox").await, 1, "a day with parked deliveries is kept");
    db.execute("delete from wechat_contact_record").await;

    // `deliver` fails unless each is answered.
    deliver(&acting, all).await;
    let stored = "select convert_from(plaintext, 'UTF8') from inbox order by event_at";
    let mut expected = kept.to_vec();
    expected.insert(2, parked);
    assert_eq!(db.texts(stored).await, expected);
    acting.app.drain().await;
    let recorded = "select content from wechat_contact_record order by contact_time";
    assert_eq!(db.texts(recorded).await, ["无", "古", "远"]);
    let metrics = acting.app.ask_raw("GET", "/metrics", b"").await.text();
    assert!(metrics.contains(r#"wecomd_callbacks_total{outcome="dropped_day"} 2"#), "{metrics}");
    acting.finish().await;
}

#[tokio::test]
async fn callbacks_of_today_are_stored_even_if_a_wrong_clock_dropped_the_day() {
    let acting = Acting::start().await;
    let db = &acting.app.db;
    let now = Utc::now();
    // As if retention had run weeks ahead of time.
    db.execute(&format!(
        "drop table inbox_{}; insert into inbox_dropped_day (day) values ('{}')",
        now.format("%Y%m%d"),
        now.format("%Y-%m-%d")
    ))
    .await;
    deliver(&acting, vec![text(now.timestamp(), CUSTOMER, "今", 1)]).await;
    assert_eq!(db.count("select count(*) from inbox").await, 1);
    acting.finish().await;
}

#[tokio::test]
async fn old_months_of_records_go_with_their_files() {
    let acting = Acting::start().await;
    let (old, new) = acting.platform.with(|world| {
        (
            world.add_media(b"old".to_vec(), "image/jpeg", "1.jpg"),
            world.add_media(b"new".to_vec(), "image/jpeg", "2.jpg"),
        )
    });
    let now = Utc::now().timestamp();
    deliver(&acting, vec![picture(at("2025-01-10T08:00:00Z"), CUSTOMER, &old), picture(now, CUSTOMER, &new)]).await;
    acting.app.drain().await;
    // WeCom gives old pictures to nobody; this one was fetched in its time.
    acting.app.db.execute("update task set deadline = null").await;
    acting.act(TaskKind::FetchMedia).await;
    assert_eq!(files(&acting), 2);
    let keep = keep(&acting, Settings { records_months: 12, ..Settings::default() });
    let dry = run(&keep, RetentionKind::Records, true).await;
    assert_eq!((dry.partitions.clone(), dry.rows, dry.files), (vec!["wechat_contact_record_202501".to_owned()], 1, 1));
    assert_eq!(files(&acting), 2, "a dry run changes nothing");
    assert_eq!(run(&keep, RetentionKind::Records, false).await, dry);
    assert_eq!(files(&acting), 1);
    assert_eq!(acting.app.db.count("select count(*) from wechat_contact_record").await, 1);
    assert_eq!(acting.app.db.texts("select media_id from media").await, [new]);
    acting.finish().await;
}

#[tokio::test]
async fn old_media_files_are_deleted_and_their_rows_say_why() {
    let acting = Acting::start().await;
    let media = acting.platform.with(|world| world.add_media(b"old".to_vec(), "image/jpeg", "1.jpg"));
    deliver(&acting, vec![picture(Utc::now().timestamp(), CUSTOMER, &media)]).await;
    acting.app.drain().await;
    acting.act(TaskKind::FetchMedia).await;
    let keep = keep(&acting, Settings { media_days: 90, ..Settings::default() });
    assert_eq!(run(&keep, RetentionKind::Media, false).await.files, 0, "it is not old yet");
    acting.app.db.execute("update media set fetched_at = now() - interval '92 days'").await;
    let dry = run(&keep, RetentionKind::Media, true).await;
    assert_eq!((dry.files, dry.bytes, files(&acting)), (1, 3, 1));
    assert_eq!(run(&keep, RetentionKind::Media, false).await, dry);
    assert_eq!(files(&acting), 0);
    let answer = acting.app.ask("GET", &format!("/api/enterprise-wechat/media/{media}"), None).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("media_gone")));
    assert!(answer.text().contains("kept for 90 days"), "{}", answer.text());
    acting.finish().await;
}

/// A line of that time, by whoever.
async fn line(db: &TestDb, time: &str) {
    db.execute(&format!(
        "insert into access_log (at, who, role, method, route, subject, status, request_id, address)
         values ('{time}', '王工', 'operator', 'GET', '/r', 'C-1', 200, gen_random_uuid(), '192.0.2.1')"
    ))
    .await;
}

fn ends(verdict: Verdict) -> Vec<End> {
    match verdict {
        Verdict::Whole { ends, .. } => ends,
        Verdict::Broken(found) => panic!("{found}"),
    }
}

#[tokio::test]
async fn old_months_of_the_access_log_are_dropped_and_the_rest_still_verifies() {
    let acting = Acting::start().await;
    let db = &acting.app.db;
    for month in ["2025-01-01", "2025-02-01"] {
        db.execute(&format!("select make_access_log_month('{month}')")).await;
    }
    for time in ["2025-01-10 00:00+00", "2025-01-31 23:59:59+00", "2025-02-01 00:00+00", "2025-02-03 00:00+00"] {
        line(db, time).await;
    }
    for _ in 0..3 {
        acting.app.ask("GET", "/api/enterprise-wechat/config", None).await;
    }
    // A late line of an older month is not placed behind the newer ones.
    line(db, "2025-02-04 00:00+00").await;
    let noted = ends(verify(&db.pool, &[]).await.expect("it reads"));
    let total: i64 = noted.iter().map(|it| it.lines).sum();

    // Only the oldest may go, and nothing of this month.
    for refused in ["2025-02-01", &Utc::now().format("%Y-%m-01").to_string()] {
        let sql = format!("select drop_access_log_month('{refused}')");
        assert_eq!(db.refusal(&sql).await.as_deref(), Some("55000"), "{refused}");
    }
    let keep = keep(&acting, Settings { access_log_months: 6, ..Settings::default() });
    let dry = run(&keep, RetentionKind::AccessLog, true).await;
    assert_eq!(
        (dry.partitions.clone(), dry.rows),
        (vec!["access_log_202501".to_owned(), "access_log_202502".to_owned()], 5)
    );
    let wet = run(&keep, RetentionKind::AccessLog, false).await;
    assert_eq!((wet.partitions, wet.rows), (dry.partitions, 5));
    assert_eq!(db.count("select count(*) from access_log").await, total - 5 + 2, "and a line for each month");

    let found = verify(&db.pool, &noted).await.expect("it reads");
    assert!(matches!(&found, Verdict::Whole { dropped, .. } if !dropped.is_empty()), "{found:?}");
    assert_eq!(found.lines(), total - 5 + 2);
    line(db, "now").await;
    ends(verify(&db.pool, &noted).await.expect("it reads"));

    // Removing the first remaining line as well is detected, and so is a log that contradicts the noted ends.
    let harm = |sql: &str| format!("begin; set local session_replication_role = replica; {sql}; commit");
    let anchored = "(select chain from access_anchor order by position desc limit 1)";
    db.execute("create table kept_anchors as select * from access_anchor").await;
    db.execute(&harm(&format!("update access_anchor set hash = sha256('x') where chain = {anchored}"))).await;
    let broken = verify(&db.pool, &noted).await.expect("it reads");
    assert!(
        matches!(&broken, Verdict::Broken(it) if matches!(it.what, What::Misplaced(_) | What::Rewritten)),
        "{broken:?}"
    );
    db.execute(&harm("delete from access_anchor; insert into access_anchor select * from kept_anchors")).await;
    ends(verify(&db.pool, &noted).await.expect("it reads"));
    db.execute(&harm("delete from access_anchor")).await;
    let broken = verify(&db.pool, &[]).await.expect("it reads");
    assert!(matches!(&broken, Verdict::Broken(it) if it.what == What::Missing), "{broken:?}");
    acting.finish().await;
}

#[tokio::test]
async fn a_monthly_partition_of_the_access_log_cannot_be_edited_directly() {
    let db = TestDb::new().await;
    line(&db, "now").await;
    let month = format!("access_log_{}", Utc::now().format("%Y%m"));
    for refused in [
        format!("update {month} set who = 'x'"),
        format!("delete from {month}"),
        format!("truncate {month}"),
        "truncate access_log_elsewhen".to_owned(),
        "truncate access_anchor".to_owned(),
    ] {
        assert_eq!(db.refusal(&refused).await.as_deref(), Some("42501"), "{refused}");
    }
    db.close().await;
}

#[tokio::test]
async fn the_command_reports_what_would_be_dropped_and_what_was_dropped() {
    let (db, folder) = (TestDb::new().await, Folder::new("retention"));
    make_day(&db, "2025-01-10").await;
    let command = |dry: bool| {
        let mut command = Command::from(program(folder.path()));
        command.arg("retention").args(dry.then_some("--dry-run")).env("DATABASE_URL", db.url.expose_secret());
        command.env("WECOMD_RETENTION__PLAINTEXT_DAYS", "30").stdout(Stdio::piped()).kill_on_drop(true);
        command
    };
    let said = async |dry: bool| {
        let output = command(dry).output().await.expect("it runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let dry = said(true).await;
    assert!(dry.contains("would go 1 partitions, 0 rows") && dry.contains("  inbox_20250110\n"), "{dry}");
    assert!(dry.contains("access_log: kept for ever"), "{dry}");
    assert!(said(false).await.contains("went 1 partitions"));
    assert!(said(true).await.contains("would go 0 partitions"));
    db.close().await;
}
