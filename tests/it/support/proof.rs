//! The proof that a stream of callbacks survived: what was answered is stored once, what is stored is recorded once.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use sqlx::PgPool;
use wecomd::{
    inbox::{Inbox, Wake},
    sandbox::{Push, Rates, Report, stir, work_day},
    worker::{Settings, Step, Worker},
};

use super::{
    Company, TestDb,
    database::{execute, texts},
    tables::{assert_same, tables},
    wait::until,
};

/// Repeats and disorder, as a bad network makes them.
const BAD_NETWORK: Rates = Rates { duplicate: 0.15, reorder: 0.2, forge: 0.0 };

/// One eventful working day of so many callbacks, repeats not counted.
pub(crate) fn bad_day(company: &Company, seed: u64, callbacks: usize) -> Vec<Push> {
    let date = chrono::NaiveDate::from_ymd_opt(2026, 5, 29).expect("a date");
    stir(work_day(&company.corp, seed, date, callbacks).pushes, seed, &BAD_NETWORK)
}

/// Notes every delivery that a committed transaction settled, so that none can be settled twice unseen.
pub(crate) async fn watch_settling(pool: &PgPool) {
    execute(
        pool,
        "create table settled (event_at timestamptz, app_id integer, hash bytea);
         create function note_settled() returns trigger language plpgsql as $$ begin
             insert into settled select event_at, app_id, hash from gone;
             return null;
         end $$;
         create trigger note_settled after delete on pending referencing old table as gone
             for each statement execute function note_settled();
         create function note_settled_group() returns trigger language plpgsql as $$ begin
             insert into settled select it.* from gone, unnest(event_ats, app_ids, hashes) it;
             return null;
         end $$;
         create trigger note_settled after delete on pending_group referencing old table as gone
             for each statement execute function note_settled_group();",
    )
    .await;
}

/// Everything was answered, each answered callback is stored once and settled once, and the tables say what they say
/// when the same callbacks are recorded one after the other without any trouble.
pub(crate) async fn assert_survived(pool: &PgPool, company: &Company, pushes: &[Push], report: &Report) {
    assert_eq!((report.genuine.answered, report.genuine.failed), (pushes.len() as u64, 0), "{:?}", report.genuine);
    let answered: BTreeSet<String> = report.acked.iter().map(|it| hex::encode(it.sha256)).collect();
    let stored = async || texts(pool, "select count(*)::text from inbox").await;
    // What the spool took is stored a moment after the database is back.
    until("everything is stored", async || stored().await == [answered.len().to_string()]).await;
    let hashes = "select encode(hash, 'hex') collate \"C\" from inbox order by 1";
    assert_eq!(texts(pool, hashes).await, Vec::from_iter(answered), "each answered callback is stored once");

    until("everything is recorded", async || {
        texts(pool, "select hash::text from pending_delivery limit 1").await.is_empty()
    })
    .await;
    let settled = "select encode(hash, 'hex') collate \"C\" from settled order by 1";
    assert_eq!(texts(pool, settled).await, texts(pool, hashes).await, "each stored callback is settled once");

    let expected = recorded_in_peace(company, pushes).await;
    assert_same(&tables(pool, &company.corp.corpid.0).await, &expected, "at the end");
    // A day that leaves nothing behind would prove nothing.
    for kind in ["customer_wechat_contact", "wechat_contact_record", "member_alias", "handover_item", "task"] {
        assert!(expected.iter().any(|row| row.starts_with(kind)), "the day has no {kind}");
    }
}

/// What the tables say when each of these callbacks is stored once and one worker records them in order.
pub(crate) async fn recorded_in_peace(company: &Company, pushes: &[Push]) -> Vec<String> {
    let db = TestDb::new().await;
    company.save(&db.pool).await;
    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    let mut seen = BTreeSet::new();
    for push in pushes.iter().filter(|it| seen.insert(Sha256::digest(&it.plaintext))) {
        let app = company.corp.app(push.app).expect("an app");
        let id =
            db.count(&format!("select id::bigint from enterprise_wechat_config where name = '{}'", app.name)).await;
        let id = i32::try_from(id).expect("small");
        inbox.accept(id, &app.name, push.plaintext.clone().into_bytes()).await.expect("stored");
    }
    drop(inbox);
    committer.await.expect("the committer ends");
    let mut worker = Worker::new(db.options(), Settings { batch_max: 500, attempts_max: 1 });
    while worker.step().await.expect("records") != Step::Idle {}
    let rows = tables(&db.pool, &company.corp.corpid.0).await;
    db.close().await;
    rows
}
