//! What is pulled from WeCom goes through the inbox as callbacks do.

use chrono::{DateTime, Duration, Utc};
use sqlx::postgres::PgListener;
use wecomd::{
    changes::{Changes, RevokedBy, Source},
    ids::{CorpId, DeliveryKey},
    inbox::{self, Deposit},
    privacy::{Retention, Settings},
    states::{Origin, RetentionKind},
    tables::{apply, records::wechat_contact_record::KnownMonths},
};

use crate::support::{TestApp, TestDb};

/// A member changed to another company: no message, and kept by its name.
fn message(msgid: &str, millis: i64) -> Deposit {
    let at = DateTime::from_timestamp_millis(millis).expect("in range");
    let plaintext = format!(r#"{{"msgid":"{msgid}","msgtime":{millis},"action":"switch"}}"#);
    Deposit { app_id: 1, origin: Origin::Archive, event_at: at, plaintext: plaintext.into_bytes() }
}

#[tokio::test]
async fn a_pulled_message_is_deposited_once_and_recorded_like_a_callback() {
    let app = TestApp::start().await;
    let mut listener = PgListener::connect_with(&app.db.pool).await.expect("connects");
    listener.listen("wecomd_inbox").await.expect("listens");
    let millis = Utc::now().timestamp() * 1_000 + 123;
    let page = vec![message("m1", millis), message("m2", millis), message("m3", millis - 86_400_000)];
    let mut transaction = app.db.pool.begin().await.expect("begins");
    assert_eq!(inbox::deposit(&mut transaction, page.clone()).await.expect("stored"), 3);
    transaction.commit().await.expect("commits");
    listener.recv().await.expect("the workers are woken");
    drop(listener);
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let again = [page, vec![message("m4", millis)]].concat();
    assert_eq!(inbox::deposit(&mut conn, again).await.expect("stored"), 1, "repeats are recognised");
    let stored = "select origin || ' ' || (date_trunc('second', event_at) = event_at) from inbox";
    assert_eq!(app.db.texts(stored).await, ["1 true"; 4], "the key has whole seconds");
    assert_eq!(app.db.count("select count(*) from pending_delivery").await, 4);
    drop(conn);
    app.drain().await;
    let kept = app.db.texts("select name from ignored").await;
    assert_eq!(kept, ["archive/switch"; 4], "nothing is dropped silently");
    app.finish().await;
}

#[tokio::test]
async fn a_deposit_that_is_rolled_back_leaves_nothing() {
    let db = TestDb::new().await;
    let mut transaction = db.pool.begin().await.expect("begins");
    inbox::deposit(&mut transaction, vec![message("m1", 1_760_000_000_000)]).await.expect("stored");
    transaction.rollback().await.expect("rolls back");
    assert_eq!(db.count("select (select count(*) from inbox) + (select count(*) from pending_delivery)").await, 0);
    db.close().await;
}

#[tokio::test]
async fn a_process_of_an_earlier_version_gets_callbacks_alone() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("connects");
    let mut page: Vec<_> = (0..3).map(|it| message(&format!("m{it}"), 1_760_000_000_000)).collect();
    for callback in page.iter_mut().skip(1) {
        callback.origin = Origin::Callback;
    }
    inbox::deposit(&mut conn, page).await.expect("stored");
    drop(conn);
    let claimed = db.texts("select length(plaintext) || '' from claim_pending('epoch', 100, 16)").await;
    assert_eq!(claimed.len(), 2);
    assert_eq!(db.count("select count(*) from pending where due_at > now()").await, 1, "the other one waits");
    db.execute("update pending set due_at = now()").await;
    let left = db.texts("select origin || ' ' || attempts from claim_due('epoch', 100, 16)").await;
    assert_eq!(left, ["1 0"]);
    db.close().await;
}

#[tokio::test]
async fn an_origin_of_another_version_is_an_error_that_names_its_column() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("connects");
    inbox::deposit(&mut conn, vec![message("m1", 1_760_000_000_000)]).await.expect("stored");
    db.execute("update inbox set origin = 9").await;
    let error = inbox::claim(&mut conn, DateTime::UNIX_EPOCH, 10).await.expect_err("no default").to_string();
    assert!(error.contains("inbox.origin holds 9, which this version does not know"), "{error}");
    drop(conn);
    db.close().await;
}

fn source(at: DateTime<Utc>) -> Source {
    let key = DeliveryKey { event_at: at, app_id: 1, hash: [0; 32] };
    Source {
        key,
        corpid: CorpId::from("ww1"),
        happened_at: Some(at),
        received_at: at,
        origin: Origin::Archive,
        msgid: Some("recall".to_owned()),
        repaired: false,
    }
}

#[tokio::test]
async fn of_several_recalls_the_earliest_counts_in_any_order() {
    let db = TestDb::new().await;
    let at = DateTime::from_timestamp(1_760_000_000, 0).expect("in range");
    let recalls =
        [(at, RevokedBy::Member), (at, RevokedBy::Customer), (at + Duration::seconds(5), RevokedBy::Customer)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        db.execute("delete from message_revocation").await;
        for (at, by_whom) in order.map(|it| recalls[it]) {
            let mut changes = Changes::default();
            changes.revoke(&source(at), "m1", by_whom);
            let mut transaction = db.pool.begin().await.expect("begins");
            apply::apply(&mut transaction, changes, &mut KnownMonths::default()).await.expect("written");
            transaction.commit().await.expect("commits");
        }
        let kept = "select extract(epoch from revoked_at)::bigint || ' ' || by_whom from message_revocation";
        assert_eq!(db.texts(kept).await, ["1760000000 customer"]);
    }
    db.close().await;
}

#[tokio::test]
async fn recalls_go_with_the_months_of_their_messages() {
    let app = TestApp::start().await;
    app.db
        .execute(
            "insert into message_revocation (corpid, record_id, revoked_at, by_whom) values
                ('ww1', gen_random_uuid(), now() - interval '100 days', 'member'),
                ('ww1', gen_random_uuid(), now(), 'customer'), ('ww1', gen_random_uuid(), to_timestamp(0), 'customer')",
        )
        .await;
    let settings = Settings { plaintext_days: 0, records_months: 1, media_days: 0, access_log_months: 0 };
    let media = app.app.admin_half.media.clone();
    let keep = Retention { pool: app.db.pool.clone(), media, settings };
    keep.run(RetentionKind::Records, false).await.expect("it works");
    let left = app.db.texts("select by_whom from message_revocation").await;
    assert_eq!(left, ["customer"; 2], "the latest, and one without a time");
    app.finish().await;
}
