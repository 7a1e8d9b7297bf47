//! Replacing master keys: every sealed value is found and sealed again while callbacks arrive.

use std::{
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
};

use secrecy::ExposeSecret;
use sqlx::Connection;
use tokio::process::Command;
use wecomd::{sandbox::work_day, tables::apps::sealed};

use crate::support::{Company, Daemon, TestDb, daemon::program, folder::Folder, wait::until};

/// Byte columns without secrets: hashes, and WeCom's answers.
const PLAIN: &[&str] = &[
    "_sqlx_migrations.checksum",
    "access_anchor.hash",
    "access_chain.hash",
    "access_log.hash",
    "access_log.previous",
    "api_token.hash",
    "archive_key.public_hash",
    "backup.sha256",
    "console_session.hash",
    "erased_person.person",
    "idempotency_key.hash",
    "ignored.hash",
    "inbox.hash",
    "inbox.plaintext",
    "login_state.state_hash",
    "media.sha256",
    "parked.hash",
    "pending.hash",
    "wecom_token.secret_hash",
    "welcome.code_hash",
];

/// A second master key.
const SECOND: &str = "2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// Seals a value for every sealed column.
async fn fill(db: &TestDb, company: &Company) {
    company.save(&db.pool).await;
    company.entrust(&db.pool).await;
    for app in &company.corp.apps {
        for column in ["previous_token", "previous_encoding_aes_key"] {
            let place = format!("enterprise_wechat_config/{}/{column}", app.name);
            let value = company.vault.seal(&place, &"previous".to_owned().into()).expect("sealed");
            let value = hex::encode(value);
            let sql =
                format!("update enterprise_wechat_config set {column} = '\\x{value}' where name = '{}'", app.name);
            db.execute(&sql).await;
        }
    }
    let place = format!("archive_key/{}/{}/private_key", company.corp.corpid, "cd".repeat(32));
    let value = hex::encode(company.vault.seal(&place, &"a private key".to_owned().into()).expect("sealed"));
    let row = format!("'{}', '\\x{}', '\\x{value}', ''", company.corp.corpid, "cd".repeat(32));
    db.execute(&format!("insert into archive_key (corpid, public_hash, private_key, public_key) values ({row})")).await;
    let place = format!("wecom_token/{}/{}", company.corp.corpid, "ab".repeat(32));
    let value = hex::encode(company.vault.seal(&place, &"a token".to_owned().into()).expect("sealed"));
    let hash = "ab".repeat(32);
    let row = format!("'{}', '\\x{hash}', '\\x{value}'", company.corp.corpid);
    db.execute(&format!("insert into wecom_token (corpid, secret_hash, token) values ({row})")).await;
}

/// `wecomd key …` with these master keys.
fn key(db: &TestDb, folder: &Folder, keys: &str, command: &str) -> Command {
    let mut program = Command::from(program(folder.path()));
    program.args(["key", command]).env("WECOMD_MASTER_KEY", keys).env("DATABASE_URL", db.url.expose_secret());
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    program
}

async fn said(mut command: Command) -> (bool, String) {
    let output = command.output().await.expect("it runs");
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).expect("text"))
}

/// How many values still need the first key.
async fn under_the_first(db: &TestDb) -> usize {
    let mut conn = db.pool.acquire().await.expect("connects");
    sealed::values(&mut conn, "", Some(2), 1_000).await.expect("listed").len()
}

#[tokio::test]
async fn every_bytea_column_is_listed_as_sealed_or_plain() {
    let db = TestDb::new().await;
    let mut known: Vec<String> = PLAIN.iter().map(|it| (*it).to_owned()).collect();
    for (table, columns) in sealed::COLUMNS {
        known.extend(columns.iter().map(|column| format!("{table}.{column}")));
    }
    known.sort();
    let sql = "select table_name || '.' || column_name from information_schema.columns
         join pg_class on oid = (quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass
         where table_schema not in ('pg_catalog', 'information_schema') and data_type = 'bytea'
             and relkind in ('r', 'p') and not relispartition
         order by (table_name || '.' || column_name) collate \"C\"";
    assert_eq!(db.texts(sql).await, known, "a sealed column belongs into tables/sealed.rs, another one into this list");
    db.close().await;
}

#[tokio::test]
async fn every_sealed_column_is_listed_with_its_place_and_its_key() {
    let (db, company) = (TestDb::new().await, Company::new());
    fill(&db, &company).await;
    let mut conn = db.pool.acquire().await.expect("connects");
    let values = sealed::values(&mut conn, "", None, 1_000).await.expect("listed");
    let mut columns: Vec<_> = values.iter().map(|it| format!("{}.{}", it.table, it.column)).collect();
    columns.sort();
    columns.dedup();
    let mut expected: Vec<String> = Vec::new();
    for (table, names) in sealed::COLUMNS {
        expected.extend(names.iter().map(|name| format!("{table}.{name}")));
    }
    expected.sort();
    assert_eq!(columns, expected);
    for value in &values {
        company.vault.open(&value.place, &value.sealed).unwrap_or_else(|error| panic!("{}: {error}", value.place));
        assert_eq!(value.key_id, 1);
    }
    // A value that is gone is not overwritten.
    let value = &values[0];
    let changed = sealed::Value { sealed: b"another".to_vec(), ..value.clone() };
    assert!(!sealed::replace(&mut conn, &changed, b"new").await.expect("looked"));
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn a_killed_rotation_under_load_resumes_and_the_old_key_is_no_longer_needed() {
    let (db, company, folder) = (TestDb::new().await, Company::new(), Folder::new("rotate"));
    fill(&db, &company).await;
    let total = under_the_first(&db).await;
    let both = format!("{},{SECOND}", company.key);
    let settings = [("DATABASE_URL", db.url.expose_secret())];
    let daemon = Daemon::start(&both, &settings, &[]).await;
    let sender = company.sender(daemon.public);
    let date = chrono::NaiveDate::from_ymd_opt(2026, 5, 29).expect("a date");
    let pushes = work_day(&company.corp, 1, date, 6_000).pushes;

    let rotated = AtomicBool::new(false);
    let load = async {
        let mut delivered = (0, 0);
        for some in pushes.chunks(50) {
            let report = sender.deliver_all(some.to_vec(), 8, |_| ()).await;
            delivered = (delivered.0 + some.len(), delivered.1 + report.acked.len());
            if rotated.load(Ordering::Relaxed) {
                break;
            }
        }
        delivered
    };
    let rotation = async {
        // Somebody holds a row, so that the rotation stands still in the middle and is killed there.
        let mut holder = db.pool.acquire().await.expect("connects");
        let mut held = holder.begin().await.expect("begins");
        sqlx::query("select from wecom_token for update").execute(&mut *held).await.expect("held");
        let mut first = key(&db, &folder, &both, "rotate").spawn().expect("it runs");
        until("all but the held one are sealed anew", async || under_the_first(&db).await == 1).await;
        first.kill().await.expect("killed");
        // PostgreSQL sees that a client is gone when it answers it, and not while a statement waits for a row.
        let waiting = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        db.execute(&format!("select pg_terminate_backend(pid) {waiting}")).await;
        until("its statement is gone", async || db.count(&format!("select count(*) {waiting}")).await == 0).await;
        held.rollback().await.expect("let go");
        // A value that is still sealed with the old key meanwhile is found as well.
        let place = format!("enterprise_wechat_config/{}/previous_token", company.corp.apps[0].name);
        let value = hex::encode(company.vault.seal(&place, &"late".to_owned().into()).expect("sealed"));
        let name = &company.corp.apps[0].name;
        let late = format!("update enterprise_wechat_config set previous_token = '\\x{value}' where name = '{name}'");
        db.execute(&late).await;
        let (_, status) = said(key(&db, &folder, &both, "status")).await;
        assert!(
            status.contains("key 1: opens; 2 values (enterprise_wechat_config 1, wecom_token 1), 0 backups"),
            "{status}"
        );

        let (well, words) = said(key(&db, &folder, &both, "rotate")).await;
        assert!(well && words.starts_with("2 values were sealed anew"), "{words}");
        rotated.store(true, Ordering::Relaxed);
    };
    let (delivered, ()) = tokio::join!(load, rotation);
    assert!(delivered.0 > 0 && delivered.0 == delivered.1, "{delivered:?}");
    assert_eq!(under_the_first(&db).await, 0);
    drop(daemon);

    // The second key alone opens everything, and callbacks are understood.
    let (well, status) = said(key(&db, &folder, SECOND, "status")).await;
    assert!(well && status.starts_with(&format!("key 2: seals and opens; {total} values")), "{status}");
    let alone = Daemon::start(SECOND, &settings, &[]).await;
    let last = work_day(&company.corp, 2, date, 20).pushes;
    let report = company.sender(alone.public).deliver_all(last.clone(), 4, |_| ()).await;
    assert_eq!(report.acked.len(), last.len());
    drop(alone);
    db.close().await;
}

#[tokio::test]
async fn a_rotation_names_the_value_and_the_key_that_is_missing() {
    let (db, company, folder) = (TestDb::new().await, Company::new(), Folder::new("rotate"));
    fill(&db, &company).await;
    let (well, words) = said(key(&db, &folder, SECOND, "rotate")).await;
    assert!(!well && words.contains("archive_key/"), "{words}");
    assert!(words.contains("sealed with master key 1, which is missing (there is [2])"), "{words}");
    let (_, status) = said(key(&db, &folder, SECOND, "status")).await;
    assert!(status.contains("key 1: MISSING"), "{status}");
    let (well, words) = said(key(&db, &folder, &company.key, "rotate")).await;
    assert!(well && words.contains("there is no other key; add a line `2:…`"), "{words}");
    db.close().await;
}
