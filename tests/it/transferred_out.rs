//! How many customers a transfer took away from a member: counted by a column, whatever the summary for people says.

use wecomd::sandbox::{AppKind, Push};

use crate::support::{TestApp, TestDb, plaintext::contact};

/// A time in March 2024.
const AT: i64 = 1_709_251_200;

/// What versions before the column wrote as the summary of a transfer.
const FORMER_SUMMARY: &str = "客户已转接给其他员工";

/// How many customers members lost by transfers and by their own deletions, as the report counts them.
pub(crate) const COUNTED: &str = "
    select coalesce(sum(transferred_out), 0) || ' transferred out, ' || coalesce(sum(deleted_by_member), 0) || ' deleted'
    from reporting.additions_and_losses";

/// Records one transfer and one deletion.
async fn recorded() -> TestApp {
    let app = TestApp::start().await;
    let push = |plaintext: String| Push::genuine(AppKind::App, plaintext);
    app.deliver(vec![
        push(contact(AT, "del_external_contact", "lisi", "wmA0000", &[("Source", "DELETE_BY_TRANSFER")])),
        push(contact(AT + 1, "del_external_contact", "lisi", "wmB0000", &[])),
    ])
    .await;
    app.drain().await;
    app
}

/// A record as versions before the column insert it.
async fn record_as_before(db: &TestDb, at: i64, content: &str) {
    db.execute(&format!(
        "insert into wechat_contact_record (
            contact_time, id, corpid, external_userid, wechat_userid, sender, contact_type, event, content, source
        )
        values (to_timestamp({at}), md5('{at}')::uuid, 'ww1', 'wmC0000', 'wangwu', 'sys', 'event',
            'change_external_contact/del_external_contact', '{content}', 'app')
        on conflict on constraint wechat_contact_record_key do update set content = excluded.content"
    ))
    .await;
}

#[tokio::test]
async fn a_transfer_is_counted_with_any_summary_text() {
    let app = recorded().await;
    assert_eq!(app.db.texts(COUNTED).await, ["1 transferred out, 1 deleted"]);
    app.db.execute("update wechat_contact_record set content = '已由同事接替' where external_userid = 'wmA0000'").await;
    assert_eq!(app.db.texts(COUNTED).await, ["1 transferred out, 1 deleted"]);
    app.finish().await;
}

#[tokio::test]
async fn a_transfer_is_still_counted_once_its_customer_is_erased() {
    let app = recorded().await;
    let erased = app.ask("DELETE", "/api/enterprise-wechat/customers/wmA0000", None).await;
    assert_eq!(erased.status, 202, "{}", erased.text());
    assert_eq!(app.db.count("select count(*) from wechat_contact_record where external_userid ~ '^erased-'").await, 1);
    assert_eq!(app.db.count("select count(*) from wechat_contact_record where content = ''").await, 1);
    assert_eq!(app.db.texts(COUNTED).await, ["1 transferred out, 1 deleted"]);
    app.finish().await;
}

#[tokio::test]
async fn a_transfer_that_an_older_process_records_is_counted() {
    let db = TestDb::new().await;
    record_as_before(&db, AT, FORMER_SUMMARY).await;
    record_as_before(&db, AT + 1, "员工删除了客户").await;
    assert_eq!(db.texts(COUNTED).await, ["1 transferred out, 1 deleted"]);
    // One that was read better the second time.
    record_as_before(&db, AT + 1, FORMER_SUMMARY).await;
    assert_eq!(db.texts(COUNTED).await, ["2 transferred out, 0 deleted"]);
    // A partition that is made after the migration has the same rule.
    db.execute(
        "create table wechat_contact_record_202301 partition of wechat_contact_record
            for values from ('2023-01-01 00:00+00') to ('2023-02-01 00:00+00')",
    )
    .await;
    record_as_before(&db, AT - 400 * 86_400, FORMER_SUMMARY).await;
    assert_eq!(db.texts(COUNTED).await, ["3 transferred out, 0 deleted"]);
    db.close().await;
}
