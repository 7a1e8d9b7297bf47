//! A database of a former version comes to today's schema, and loses nothing on the way.

use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use wecomd::{tables::access::api_token, vault::ApiToken};

use crate::{
    support::{Daemon, TestDb, daemon::program, folder::Folder},
    transferred_out::COUNTED,
};

/// What version 0.1.0's demo left, and its master key.
const DATABASE: &str = include_str!("../../fixtures/upgrade/0.1.0.sql");
const MASTER_KEY: &str = include_str!("../../fixtures/upgrade/0.1.0.master-key");

/// Tables whose rows must all survive.
const KEPT: [&str; 15] = [
    "inbox",
    "ignored",
    "customer_wechat_contact",
    "wechat_contact_record",
    "member",
    "staff_wechat_bind",
    "handover",
    "handover_item",
    "handover_log",
    "work_order",
    "contact_way",
    "welcome",
    "media",
    "access_log",
    "enterprise_wechat_config",
];

/// A customer of the demo, who came through a contact way.
const CUSTOMER: &str = "C-9001";

/// Transfers as that version recorded them, of this year and of an earlier one; the dump itself has none.
const TRANSFERS: &str = "
    insert into wechat_contact_record (
        contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, event, content, source
    )
    select at, gen_random_uuid(), 'ww5a8ad9d513d80a5b', 'wmTRANSFERRED', 'heyong', 'sys', 'event',
        'change_external_contact/del_external_contact', '客户已转接给其他员工', 'app'
    from unnest(array['2026-11-29 09:00+00', '2019-05-06 07:08+00']::timestamptz[]) at;";

async fn counts(db: &TestDb) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in KEPT {
        counts.push((table, db.count(&format!("select count(*) from {table}")).await));
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a dump is many statements")]
async fn a_database_of_0_1_0_is_migrated_and_served_and_keeps_every_row() {
    let db = TestDb::empty().await;
    // A connection of its own: a dump empties the search path of the session that reads it.
    let mut conn = PgConnection::connect_with(&db.options()).await.expect("connects");
    sqlx::raw_sql(AssertSqlSafe(DATABASE)).execute(&mut conn).await.expect("the dump is read");
    conn.close().await.expect("closes");
    db.execute(TRANSFERS).await;
    let before = counts(&db).await;
    let transfers = db.texts(COUNTED).await;
    assert!(transfers[0].starts_with("2 transferred out, "), "{transfers:?}");
    assert!(before.iter().all(|(_, rows)| *rows > 0), "the dump holds something of everything: {before:?}");

    // It starts: it migrates, and opens the secrets that were sealed then.
    let settings = [("DATABASE_URL", db.url.expose_secret())];
    let wecomd = Daemon::start(MASTER_KEY.trim(), &settings, &[]).await;
    // Expected rows after migrations that merge or move rows.
    assert_eq!(counts(&db).await, before);
    assert_eq!(db.texts(COUNTED).await, transfers);

    let token = ApiToken::new();
    let mut conn = db.pool.acquire().await.expect("connects");
    api_token::create(&mut conn, "after", wecomd::states::Role::Viewer, &token.hash, &token.prefix)
        .await
        .expect("a token");
    drop(conn);
    let bearer = format!("Bearer {}", token.secret.expose_secret());
    for what in ["customer-contact", "contact-records"] {
        let target = format!("/api/enterprise-wechat/{what}/{CUSTOMER}");
        let answer = wecomd.ask(&bearer, "GET", &target, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("wm0GIIExOfRAL9fTGy9PNxi15ERjbGEs"), "{}", answer.text());
    }

    let folder = Folder::new("upgrade");
    let audit = program(folder.path()).args(["audit", "verify"]).envs(settings).output().expect("it runs");
    assert!(audit.status.success(), "the access log still verifies: {audit:?}");
    drop(wecomd);
    db.close().await;
}
