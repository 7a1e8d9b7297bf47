//! Deliveries that cannot be recorded: they are retried, then parked, and do not block others.

use std::{fs, path::Path};

use wecomd::{
    ids::DeliveryKey,
    inbox,
    sandbox::{AppKind, Push},
    worker::{Settings, Step, Worker},
};

use crate::support::{
    TestApp,
    plaintext::{contact, event},
};

/// A moment in the past.
const AT: i64 = 1_700_000_000;

/// How often a delivery is tried here.
const ATTEMPTS_MAX: u32 = 3;

/// A dozen deliveries need no more, even one by one.
const STEPS_MAX: u32 = 100;

/// The database refuses every contact of the member `poison`.
const REFUSE: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin
        raise exception 'no contact with %', new.wechat_userid;
    end $$;
    create trigger refuse before insert on customer_wechat_contact
        for each row when (new.wechat_userid = 'poison') execute function refuse();";

fn met(user: &str, customer: &str) -> Push {
    Push::genuine(AppKind::App, contact(AT, "add_external_contact", user, customer, &[]))
}

fn worker(app: &TestApp) -> Worker {
    Worker::new(app.db.options(), Settings { batch_max: 100, attempts_max: ATTEMPTS_MAX })
}

/// Works until nothing is due.
async fn work(worker: &mut Worker) {
    for _ in 0..STEPS_MAX {
        if worker.step().await.expect("the database answers") == Step::Idle {
            return;
        }
    }
    panic!("it does not end");
}

#[tokio::test]
async fn a_delivery_refused_by_the_database_is_retried_then_parked_and_blocks_no_other() {
    let app = TestApp::start().await;
    app.db.execute(REFUSE).await;
    let mut pushes: Vec<_> = (0..10).map(|it| met("zhangsan", &format!("wm{it}"))).collect();
    pushes.insert(4, met("poison", "wmX"));
    app.deliver(pushes).await;
    let mut worker = worker(&app);

    for attempt in 1..ATTEMPTS_MAX {
        work(&mut worker).await;
        let contacts = "select count(*) from customer_wechat_contact";
        assert_eq!(app.db.count(contacts).await, 10, "the rest of its batch is recorded");
        let waiting = "select attempts || ' ' || (due_at > now()) || ' ' || (due_at < now() + interval '1 hour') from pending_delivery";
        assert_eq!(app.db.texts(waiting).await, [format!("{attempt} true true")], "it waits for its next attempt");
        assert_eq!(app.db.count("select count(*) from parked").await, 0);
        app.db.execute("update pending set due_at = now()").await;
    }
    work(&mut worker).await;
    assert_eq!(app.db.count("select count(*) from pending_delivery").await, 0, "it is not retried for ever");
    let reasons = app.db.texts("select attempts || ' ' || reason from parked").await;
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].starts_with("3 the database refuses it: ") && reasons[0].contains("no contact with poison"),
        "{reasons:?}"
    );

    app.db.execute("drop trigger refuse on customer_wechat_contact").await;
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let parked = parked_key(&app).await;
    assert!(inbox::replay(&mut conn, &parked).await.expect("replayed"));
    drop(conn);
    work(&mut worker).await;
    let poison = "select external_userid from customer_wechat_contact where wechat_userid = 'poison'";
    assert_eq!(app.db.texts(poison).await, ["wmX"], "once the reason is gone it is recorded");
    assert_eq!(app.db.count("select count(*) from parked").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_is_parked_at_once_and_the_others_are_recorded() {
    let app = TestApp::start().await;
    let whole = contact(AT, "add_external_contact", "zhangsan", "wmCut", &[]);
    let unreadable = [whole[..whole.len() / 2].to_owned(), "no document at all".to_owned(), String::new()];
    let mut pushes: Vec<_> = (0..5).map(|it| met("zhangsan", &format!("wm{it}"))).collect();
    pushes.extend(unreadable.into_iter().map(|it| Push::genuine(AppKind::App, it)));
    let report = app.deliver(pushes).await;
    assert_eq!(report.genuine.answered, 8, "an authentic callback is accepted with any content");

    app.drain().await;
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 5);
    assert_eq!(app.db.count("select count(*) from pending_delivery").await, 0, "it will never become readable");
    let parked = app.db.texts("select reason from parked").await;
    assert_eq!(parked.len(), 3);
    assert!(parked.iter().all(|reason| reason.starts_with("cannot be read: ")), "{parked:?}");
    app.finish().await;
}

#[tokio::test]
async fn unknown_events_are_kept_and_counted_by_name() {
    let app = TestApp::start().await;
    let news = [(AT, "moon_landing"), (AT + 1, "moon_landing"), (AT, "sun_rise")];
    let pushes = news.map(|(at, name)| Push::genuine(AppKind::App, event(at, name, &[])));
    app.deliver(pushes.into()).await;
    app.drain().await;
    let counted = "select name || ' ' || count(*) from ignored group by name order by name";
    assert_eq!(app.db.texts(counted).await, ["moon_landing 2", "sun_rise 1"]);
    assert_eq!(app.db.count("select count(*) from inbox").await, 3, "kept until a version knows them");
    assert_eq!(
        app.db.count("select count(*) from pending_delivery").await + app.db.count("select count(*) from parked").await,
        0
    );
    app.finish().await;
}

#[tokio::test]
async fn every_callback_that_wecom_documents_is_accepted_and_none_is_parked() {
    let app = TestApp::start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/callbacks");
    let files = fs::read_dir(folder).expect("the fixtures").map(|it| it.expect("a file").path());
    let fixtures: Vec<_> = files.map(|it| fs::read_to_string(it).expect("a text")).collect();
    assert!(fixtures.len() > 100, "only {} fixtures", fixtures.len());
    let report = app.deliver(fixtures.iter().map(|it| Push::of_plaintext(it.as_str())).collect()).await;
    assert_eq!(report.genuine.answered, fixtures.len() as u64);

    app.drain().await;
    assert_eq!(app.db.texts("select reason from parked").await, [""; 0]);
    assert_eq!(app.db.count("select count(*) from pending_delivery").await, 0);
    let settled = "select count(*) filter (where ignored.hash is null) || ' recorded, '
        || count(*) filter (where ignored.name = '') || ' without a name'
        from inbox left join ignored using (event_at, app_id, hash)";
    let settled = app.db.texts(settled).await;
    assert!(!settled[0].starts_with("0 ") && settled[0].ends_with(" 0 without a name"), "{settled:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_worker_reports_a_missing_table_and_continues_once_it_is_back() {
    let app = TestApp::start().await;
    app.deliver(vec![met("zhangsan", "wmAlice")]).await;
    app.db.execute("alter table pending rename to elsewhere").await;
    let mut worker = worker(&app);
    // Anything but an error would make it try again without a pause.
    worker.step().await.expect_err("nothing can be claimed");
    app.db.execute("alter table elsewhere rename to pending").await;
    work(&mut worker).await;
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 1);
    app.finish().await;
}

async fn parked_key(app: &TestApp) -> DeliveryKey {
    let text = app.db.texts(
        "select app_id || '-' || extract(epoch from event_at)::bigint || '-' || encode(hash, 'hex') from parked",
    );
    text.await[0].parse().expect("a delivery's name")
}
