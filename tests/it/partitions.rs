//! Partitions: few locks with any number of days, days created ahead without delaying callbacks, and deliveries of the
//! default partition moved without losing or doubling any.

#![expect(clippy::disallowed_methods, reason = "a test asks freely")]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::{Connection, PgConnection};
use wecomd::{
    housekeeping,
    ids::DeliveryKey,
    inbox::{self, Filter, Inbox, Wake},
    sandbox::Push,
    states::DeliveryState,
    tables::upkeep::{
        partition_upkeep::{self, INBOX, RECORDS, Reach, Upkeep},
        partitions,
    },
};

use crate::support::{TestApp, TestDb, http::request, plaintext::text, wait::until};

const CUSTOMER: &str = "wmEXAMPLE00000000000000000000001";

/// Sixteen days with an index each, the inbox, its default partition, and what a statement needs beside.
const LOCKS_MAX: i64 = 44;

/// Midday of so many days ago; of a day to come if it is negative.
fn days_ago(days: i64) -> i64 {
    let today = Utc::now().date_naive().and_hms_opt(12, 0, 0).expect("midday").and_utc();
    today.timestamp() - days * 86_400
}

fn name_of(at: i64) -> String {
    format!("inbox_{}", DateTime::from_timestamp(at, 0).expect("a time").format("%Y%m%d"))
}

fn said(at: i64, id: u64) -> Push {
    Push::of_plaintext(text(at, CUSTOMER, "在吗", id))
}

async fn look(db: &TestDb) -> Upkeep {
    let mut conn = PgConnection::connect_with(&db.options()).await.expect("connects");
    let upkeep =
        partition_upkeep::look(&mut conn, &INBOX, Reach::All).await.expect("it looks").expect("nobody else does");
    partition_upkeep::look(&mut conn, &RECORDS, Reach::All).await.expect("it looks").expect("nobody else does");
    conn.close().await.expect("closes");
    upkeep
}

/// How many locks this transaction holds on the inbox, its partitions and their indexes.
async fn locks(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_locks join pg_class on pg_class.oid = relation
         where pid = pg_backend_pid() and relname like 'inbox%'",
    )
    .fetch_one(conn)
    .await
    .expect("it counts")
}

async fn partition_count(db: &TestDb) -> i64 {
    db.count(
        "select count(*) from pg_inherits where inhparent in ('inbox'::regclass, 'wechat_contact_record'::regclass)",
    )
    .await
}

/// Which tables hold the deliveries of a day, with their numbers.
async fn where_it_is(db: &TestDb, at: i64) -> Vec<String> {
    db.texts(&format!(
        "select tableoid::regclass || ' ' || count(*) from inbox
         where event_at >= date_trunc('day', to_timestamp({at}), 'UTC')
             and event_at < date_trunc('day', to_timestamp({at}), 'UTC') + interval '24 hours'
         group by tableoid order by 1"
    ))
    .await
}

/// An app with 400 days behind it, a delivery on each of them, all still to be recorded.
async fn four_hundred_days() -> (TestApp, Vec<DeliveryKey>) {
    let app = TestApp::start().await;
    app.db
        .execute(
            "do $$ declare day date; begin
                 for day in select (now() at time zone 'UTC')::date - it from generate_series(1, 400) it loop
                     execute format('create table inbox_%s partition of inbox for values from (%L) to (%L)',
                         to_char(day, 'YYYYMMDD'), day || ' 00:00+00', (day + 1) || ' 00:00+00');
                 end loop;
             end $$;
             insert into inbox (event_at, app_id, hash, plaintext)
             select date_trunc('day', now(), 'UTC') - it * interval '24 hours' + interval '1 hour',
                 (select min(id) from enterprise_wechat_config), sha256(it::text::bytea), 'no document'
             from generate_series(1, 400) it;
             insert into pending (event_at, app_id, hash) select event_at, app_id, hash from inbox;",
        )
        .await;
    let keys = app.db.texts(
        "select app_id || '-' || extract(epoch from event_at)::bigint || '-' || encode(hash, 'hex') from inbox
         order by event_at desc",
    );
    let keys = keys.await.iter().map(|it| it.parse().expect("a key")).collect();
    (app, keys)
}

#[tokio::test]
async fn reading_a_delivery_or_a_page_locks_only_a_few_of_400_days() {
    let (app, keys) = four_hundred_days().await;
    let pool = &app.app.admin_half.pool;
    // Often enough that PostgreSQL would switch to a generic plan.
    for _ in 0..7 {
        let mut asked = pool.begin().await.expect("begins");
        inbox::show(&mut asked, &keys[200]).await.expect("shown").expect("it is there");
        assert!(locks(&mut asked).await <= LOCKS_MAX, "show");
        assert!(inbox::replay(&mut asked, &keys[201]).await.expect("replayed"));
        assert!(locks(&mut asked).await <= LOCKS_MAX, "replay");
        inbox::received_at(&mut asked, keys[199].event_at, &keys[199].hash).await.expect("asked").expect("it is there");
        assert!(locks(&mut asked).await <= LOCKS_MAX, "received_at");
        asked.rollback().await.expect("undone");
    }
    let mut asked = pool.begin().await.expect("begins");
    for state in [
        None,
        Some(DeliveryState::Pending),
        Some(DeliveryState::Recorded),
        Some(DeliveryState::Erased),
        Some(DeliveryState::Parked),
    ] {
        let found = inbox::list(&mut asked, &Filter { state, ..Filter::default() }, 200).await.expect("listed");
        let expected = if matches!(state, None | Some(DeliveryState::Pending)) { 200 } else { 0 };
        assert_eq!(found.len(), expected, "{state:?}");
        assert!(locks(&mut asked).await <= LOCKS_MAX, "list {state:?}");
    }
    inbox::latest_of(&mut asked, 1).await.expect("asked");
    assert!(locks(&mut asked).await <= LOCKS_MAX, "latest_of");
    asked.rollback().await.expect("undone");
    app.finish().await;
}

#[tokio::test]
async fn a_page_of_400_days_goes_on_where_the_last_one_ended() {
    let (app, keys) = four_hundred_days().await;
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let mut filter = Filter::default();
    let mut found = Vec::new();
    loop {
        let page = inbox::list(&mut conn, &filter, 70).await.expect("listed");
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id.parse().expect("a key"));
        found.extend(page.into_iter().map(|it| it.id));
    }
    assert_eq!(found, keys.iter().map(ToString::to_string).collect::<Vec<_>>());
    drop(conn);
    app.finish().await;
}

#[tokio::test]
async fn a_claim_an_erasure_and_retention_lock_no_more_than_a_few_of_400_days() {
    let (app, keys) = four_hundred_days().await;
    // As workers connect.
    let options = app.db.options().options([("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")]);
    let mut conn = PgConnection::connect_with(&options).await.expect("connects");
    let mut claimed = BTreeSet::new();
    for _ in 0..40 {
        let mut batch = conn.begin().await.expect("begins");
        let taken = inbox::claim(&mut batch, DateTime::UNIX_EPOCH, 500).await.expect("claimed");
        assert!(locks(&mut batch).await <= LOCKS_MAX, "claim");
        if taken.is_empty() {
            break;
        }
        let emptied = inbox::empty(&mut batch, &[taken[0].key.clone()]).await.expect("emptied");
        assert_eq!(emptied, 1);
        assert!(locks(&mut batch).await <= LOCKS_MAX, "empty");
        claimed.extend(taken.into_iter().map(|it| it.key.to_string()));
        batch.commit().await.expect("settled");
    }
    assert_eq!(claimed, keys.iter().map(ToString::to_string).collect(), "each is claimed once, none is forgotten");

    let pool = &app.app.admin_half.pool;
    let mut step = pool.begin().await.expect("begins");
    let (mut after, mut looked) = (None, 0);
    loop {
        let stretch =
            inbox::mentions(&mut step, after.as_ref(), Utc::now(), &["wmX".to_owned()], 50).await.expect("looks");
        assert!(locks(&mut step).await <= LOCKS_MAX, "mentions");
        let Some(last) = stretch.last else { break };
        after = Some(last);
        looked += 1;
        assert!(looked <= 400, "it does not end");
    }
    assert_eq!(after.as_ref(), keys.first(), "it reached the latest delivery");
    step.rollback().await.expect("undone");

    let mut step = pool.begin().await.expect("begins");
    let oldest = partitions::list(&mut step, "inbox").await.expect("listed").swap_remove(0);
    inbox::note_dropped(&mut step, oldest.from).await.expect("noted");
    partitions::rows(&mut step, &oldest).await.expect("counted");
    partitions::drop(&mut step, &oldest).await.expect("dropped");
    inbox::drop_strays(&mut step, Utc::now(), 100).await.expect("dropped");
    assert!(locks(&mut step).await <= LOCKS_MAX, "retention");
    step.rollback().await.expect("undone");
    app.finish().await;
}

#[tokio::test]
async fn callbacks_of_any_times_make_no_partitions_and_are_stored_once_and_recorded() {
    let app = TestApp::start().await;
    let before = partition_count(&app.db).await;
    // From 2013 on, a day each month, and up to 2099: some 1,000 days and months.
    let days = (2013..2100).flat_map(|year| (1..=12).filter_map(move |month| NaiveDate::from_ymd_opt(year, month, 7)));
    let today = Utc::now().date_naive();
    let far: Vec<_> = days.filter(|day| *day > today + Days::new(40) || *day < today - Days::new(1_200)).collect();
    assert!(far.len() > 900);
    let push = |(number, day): (usize, &NaiveDate)| {
        said(day.and_hms_opt(8, 0, 0).expect("a time").and_utc().timestamp(), number as u64)
    };
    for _ in 0..2 {
        let report = app.deliver(far.iter().enumerate().map(push).collect()).await;
        assert_eq!(report.genuine.answered, far.len() as u64);
    }
    let expected = i64::try_from(far.len()).expect("few");
    assert_eq!(app.db.count("select count(*) from inbox").await, expected, "each is stored once");
    app.drain().await;
    assert_eq!(app.db.count("select count(*) from wechat_contact_record").await, expected);
    look(&app.db).await;
    assert_eq!(partition_count(&app.db).await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_locked_day_is_postponed_and_later_takes_in_rows_of_the_default_partition() {
    let app = TestApp::start().await;
    let at = days_ago(10);
    let name = name_of(at);
    assert!(app.post(&said(at, 1)).await.is_some() && app.post(&said(at, 2)).await.is_some());
    app.drain().await;
    assert_eq!(where_it_is(&app.db, at).await, ["inbox_elsewhen 2"]);

    let mut holder = app.db.pool.begin().await.expect("begins");
    sqlx::query("select count(*) from inbox").execute(&mut *holder).await.expect("it reads");
    let today = said(days_ago(0), 3);
    let (upkeep, answer) = tokio::join!(look(&app.db), app.post(&today));
    assert_eq!(upkeep.put_off, std::slice::from_ref(&name));
    assert!(answer.is_some(), "accepting does not wait for it");
    assert!(app.post(&said(at, 3)).await.is_some());
    holder.rollback().await.expect("released");

    // A reader of another day does not block it.
    let mut holder = app.db.pool.begin().await.expect("begins");
    let only_today = Utc::now().format("select count(*) from inbox where event_at = '%Y-%m-%d 12:00+00'").to_string();
    sqlx::query(sqlx::AssertSqlSafe(only_today)).execute(&mut *holder).await.expect("it reads");
    let upkeep = look(&app.db).await;
    holder.rollback().await.expect("released");
    assert_eq!((upkeep.made, upkeep.put_off), (vec![name.clone()], vec![]));
    assert_eq!(where_it_is(&app.db, at).await, [format!("{name} 3")]);

    assert!(app.post(&said(at, 1)).await.is_some());
    assert_eq!(where_it_is(&app.db, at).await, [format!("{name} 3")], "the repeat meets its original");
    app.drain().await;
    assert_eq!(app.db.count("select count(*) from wechat_contact_record").await, 4);
    assert_eq!(look(&app.db).await.made, [""; 0], "there is nothing left to do");
    app.finish().await;
}

#[tokio::test]
async fn days_are_created_ahead_and_take_in_deliveries_that_came_too_early() {
    let db = TestDb::new().await;
    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    let early = text(days_ago(-3), CUSTOMER, "早", 1);
    inbox.accept(1, "any", early.clone().into_bytes()).await.expect("stored");
    assert_eq!(where_it_is(&db, days_ago(-3)).await, ["inbox_elsewhen 1"]);
    let made: BTreeSet<_> = look(&db).await.made.into_iter().collect();
    assert_eq!(made, (0..4).map(|it| name_of(days_ago(-it))).collect());
    assert_eq!(where_it_is(&db, days_ago(-3)).await, [format!("{} 1", name_of(days_ago(-3)))]);
    inbox.accept(1, "any", early.into_bytes()).await.expect("known");
    assert_eq!(db.count("select count(*) from inbox").await, 1);
    drop(inbox);
    committer.await.expect("the committer ends");
    db.close().await;
}

/// Deliveries of two near days and a far one, more than move in one transaction.
const MANY: &str = "
    insert into inbox (event_at, app_id, hash, plaintext)
    select date_trunc('day', now(), 'UTC') - case when it % 2 = 0 then 5 else 6 end * interval '24 hours' + it * interval '1 s',
        1, sha256(it::text::bytea), it::text::bytea
    from generate_series(1, 15000) it;
    insert into inbox (event_at, app_id, hash, plaintext)
    select '2040-01-01 00:00+00'::timestamptz + it * interval '1 s', 1, sha256(it::text::bytea), it::text::bytea
    from generate_series(1, 500) it;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_partition_that_holds_whole_days_is_split_while_callbacks_and_erasures_go_on() {
    let db = TestDb::new().await;
    db.execute(MANY).await;
    // A start does not wait for the split: it creates the days ahead.
    housekeeping::partitions::prepare(&db.options()).await;
    assert_eq!(where_it_is(&db, days_ago(5)).await, ["inbox_elsewhen 7500"]);
    assert_eq!(
        db.count("select count(*) from pg_inherits where inhparent = 'inbox'::regclass").await,
        6,
        "today, three days ahead, and what has no time of its own"
    );
    // A process was killed while it split the partition.
    let days =
        "array['inbox_20260101'], array['2026-01-01 00:00+00'::timestamptz], array['2026-01-02 00:00+00'::timestamptz]";
    db.execute(&format!("select begin_split('inbox', 'YYYYMMDD', {days}); select copy_split('inbox', {days}, 0, 10)"))
        .await;
    let keys: Vec<DeliveryKey> = db
        .texts(
            "select app_id || '-' || extract(epoch from event_at)::bigint || '-' || encode(hash, 'hex') from inbox
             where event_at < now() order by md5(hash::text) limit 300",
        )
        .await
        .iter()
        .map(|it| it.parse().expect("a key"))
        .collect();

    let (inbox, committer) = Inbox::start(db.options(), Wake::default());
    let done = AtomicBool::new(false);
    let callbacks = async {
        let mut sent = 0;
        // Each callback twice, for as long as the split lasts.
        while !done.load(Ordering::Relaxed) || sent < 50 {
            for _ in 0..2 {
                let plaintext = text(days_ago(5) + sent, CUSTOMER, "忙", u64::try_from(sent).expect("small"));
                inbox.accept(1, "any", plaintext.into_bytes()).await.expect("stored");
            }
            sent += 1;
        }
        sent
    };
    let erasures = async {
        let mut conn = db.pool.acquire().await.expect("connects");
        for chunk in keys.chunks(20) {
            inbox::empty(&mut conn, chunk).await.expect("emptied");
        }
    };
    let split = async {
        let upkeep = look(&db).await;
        done.store(true, Ordering::Relaxed);
        upkeep
    };
    let (sent, (), upkeep) = tokio::join!(callbacks, erasures, split);
    drop(inbox);
    committer.await.expect("the committer ends");

    assert_eq!(upkeep.put_off, [""; 0]);
    for day in [5, 6] {
        assert!(upkeep.made.contains(&name_of(days_ago(day))), "{upkeep:?}");
        let places = where_it_is(&db, days_ago(day)).await;
        assert!(places.len() == 1 && places[0].starts_with(&name_of(days_ago(day))), "{places:?}");
    }
    assert_eq!(where_it_is(&db, 2_208_988_800).await, ["inbox_elsewhen 500"]);
    let counted = "select count(*) || ' ' || count(distinct (event_at, hash, app_id)) || ' '
        || count(*) filter (where plaintext = '') from inbox";
    let total = 15_500 + sent;
    assert_eq!(db.texts(counted).await, [format!("{total} {total} 300")]);
    let left = "select relname::text from pg_class where relname in ('inbox_20260101', 'inbox_elsewhen_next')";
    assert_eq!(db.texts(left).await, [""; 0], "nothing is left of it");
    assert_eq!(db.count("select count(*) from pg_trigger where tgname = 'mirror_split'").await, 0);
    assert_eq!(db.count("select count(*) from pg_constraint where conname = 'own_time'").await, 0);
    // The new default partition is one.
    let mut conn = db.pool.acquire().await.expect("connects");
    assert_eq!(inbox::drop_strays(&mut conn, Utc::now(), 10_000).await.expect("dropped"), 500);
    drop(conn);
    db.close().await;
}

#[tokio::test]
async fn readyz_says_why_recording_is_stuck_while_callbacks_are_stored() {
    let app = TestApp::start_with(|it| it.worker.enabled = true).await;
    let ready = async || {
        let answer = request(app.app.admin, "GET", "/readyz", &[], b"").await.expect("an answer");
        (answer.status, answer.json()["recording"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ready().await, (200, "ok".to_owned()));
    app.db.execute("alter function claim_due rename to elsewhere").await;
    assert!(app.post(&said(days_ago(0), 1)).await.is_some());
    until("it is said", async || ready().await.1.starts_with("stands still: 42883: function claim_due")).await;
    let metrics = request(app.app.admin, "GET", "/metrics", &[], b"").await.expect("an answer").text();
    assert!(
        metrics.contains("wecomd_recording_halted 1") && metrics.contains("wecomd_pending_age_seconds"),
        "{metrics}"
    );
    assert_eq!(ready().await.0, 200, "callbacks are stored all the same");
    app.db.execute("alter function elsewhere rename to claim_due").await;
    until("it goes on", async || ready().await.1 == "ok").await;
    until("it is recorded", async || app.db.count("select count(*) from wechat_contact_record").await == 1).await;
    app.finish().await;
}
