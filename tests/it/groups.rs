//! Deliveries that were committed together wait in one group: they are recorded, listed, erased and parked like others.

use wecomd::{
    inbox,
    sandbox::{AppKind, Push},
    worker::{Settings, Step, Worker},
};

use crate::support::{TestApp, plaintext::contact};

/// A moment in the past, at 22:13:20 UTC.
const AT: i64 = 1_700_000_000;

/// How often a delivery is tried here.
const ATTEMPTS_MAX: u32 = 3;

/// The database refuses every contact of the member `poison`, as the errcode says.
fn refuse(errcode: &str) -> String {
    format!(
        "create function refuse() returns trigger language plpgsql as $$ begin
             raise exception 'no contact with %', new.wechat_userid using errcode = '{errcode}';
         end $$;
         create trigger refuse before insert on customer_wechat_contact
             for each row when (new.wechat_userid = 'poison') execute function refuse();"
    )
}

/// Stores one delivery per number, as one group; these numbers are refused.
async fn stored_together(app: &TestApp, numbers: std::ops::Range<i64>, refused: &[i64]) {
    let push = |number: i64| {
        let user = if refused.contains(&number) { "poison" } else { "zhangsan" };
        let text = contact(AT + number % 60, "add_external_contact", user, &format!("wm{number}"), &[]);
        Push::genuine(AppKind::App, text)
    };
    let count = numbers.clone().count() as u64;
    let report = app.deliver(numbers.map(push).collect()).await;
    assert_eq!(report.genuine.answered, count);
    app.db.wait_alone().await;
    app.db.wait_together().await;
    assert_eq!(app.db.count("select count(*) from pending_group").await, 1);
}

fn worker(app: &TestApp, batch_max: u32) -> Worker {
    Worker::new(app.db.options(), Settings { batch_max, attempts_max: ATTEMPTS_MAX })
}

async fn step(worker: &mut Worker) -> Step {
    worker.step().await.expect("the database answers")
}

async fn attempts(app: &TestApp) -> Vec<String> {
    app.db.texts("select attempts::text from pending_delivery order by 1").await
}

#[tokio::test]
async fn callbacks_that_arrive_together_wait_in_groups_of_one_day() {
    let app = TestApp::start().await;
    let second = 86_400;
    let times = (0..40).map(|number| AT + if number % 2 == 0 { 0 } else { second } + number / 2);
    let pushes = times.enumerate().map(|(number, at)| {
        Push::genuine(AppKind::App, contact(at, "add_external_contact", "zhangsan", &format!("wm{number}"), &[]))
    });
    app.deliver(pushes.collect()).await;
    let groups = "select count(*) from pending_group
                  where size < 2 or size <> cardinality(hashes) or size <> cardinality(app_ids)
                      or earliest <> (select min(it) from unnest(event_ats) it)
                      or latest <> (select max(it) from unnest(event_ats) it)
                      or date_bin('1 day', earliest, 'epoch') <> date_bin('1 day', latest, 'epoch')";
    assert_eq!(app.db.count(groups).await, 0, "each group holds what its row says, of one day");
    let waiting = "select count(*) from (
                       select event_at, app_id, hash from pending_delivery
                       intersect select event_at, app_id, hash from inbox
                   ) it";
    assert_eq!(app.db.count(waiting).await, 40, "all of them wait");
    app.drain().await;
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 40);
    assert_eq!(app.db.count("select count(*) from pending_delivery").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_claim_takes_whole_groups_and_leaves_half_of_the_places_to_single_deliveries() {
    let app = TestApp::start().await;
    for (numbers, batch) in [(0..30, 20), (30..60, 20), (60..90, 20)] {
        stored_together(&app, numbers, &[]).await;
        assert_eq!(step(&mut worker(&app, batch)).await, Step::Worked(30), "a group is taken whole");
    }
    stored_together(&app, 100..130, &[]).await;
    let single = contact(AT, "add_external_contact", "zhangsan", "wmAlone", &[]);
    app.deliver(vec![Push::genuine(AppKind::App, single)]).await;
    assert_eq!(step(&mut worker(&app, 2)).await, Step::Worked(31), "one alone, and the group");
    app.finish().await;
}

#[tokio::test]
async fn a_refused_batch_is_halved_until_only_the_refused_deliveries_wait() {
    let app = TestApp::start().await;
    app.db.execute(&refuse("P0001")).await;
    stored_together(&app, 0..200, &[7, 90, 91]).await;
    let mut worker = worker(&app, 500);
    assert_eq!(step(&mut worker).await, Step::Worked(0), "the batch is refused");
    assert_eq!(step(&mut worker).await, Step::Worked(200), "one transaction finds the three and records the others");
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 197);
    assert_eq!(attempts(&app).await, ["1", "1", "1"], "they wait for their next attempt");
    assert_eq!(app.db.count("select count(*) from pending_delivery where due_at <= now()").await, 0);
    assert_eq!(step(&mut worker).await, Step::Idle);
    app.finish().await;
}

#[tokio::test]
async fn deliveries_that_were_refused_before_do_not_spoil_the_next_batch() {
    let app = TestApp::start().await;
    app.db.execute(&refuse("P0001")).await;
    stored_together(&app, 0..10, &[3, 4]).await;
    let mut worker = worker(&app, 500);
    while step(&mut worker).await != Step::Idle {}
    assert_eq!(attempts(&app).await, ["1", "1"]);

    app.db.execute("update pending set due_at = now()").await;
    stored_together_beside(&app, 20..30).await;
    assert_eq!(step(&mut worker).await, Step::Worked(12), "one step records the new ones and tries the two");
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 18);
    assert_eq!(attempts(&app).await, ["2", "2"]);

    app.db.execute("update pending set due_at = now()").await;
    assert_eq!(step(&mut worker).await, Step::Worked(2));
    assert_eq!(app.db.count("select count(*) from parked").await, 2, "they were tried often enough");
    app.finish().await;
}

/// Stores one delivery per number, in whatever groups, beside what waits.
async fn stored_together_beside(app: &TestApp, numbers: std::ops::Range<i64>) {
    let pushes = numbers.map(|number| {
        Push::genuine(AppKind::App, contact(AT, "add_external_contact", "zhangsan", &format!("wm{number}"), &[]))
    });
    app.deliver(pushes.collect()).await;
}

#[tokio::test]
async fn a_batch_that_takes_too_long_is_taken_one_by_one() {
    let app = TestApp::start().await;
    // As a statement ends that ran into its time limit.
    app.db.execute(&refuse("57014")).await;
    stored_together(&app, 0..20, &[11]).await;
    let mut worker = worker(&app, 500);
    assert_eq!(step(&mut worker).await, Step::Worked(0), "the batch is undone");
    assert_eq!(app.db.count("select count(*) from pending_group").await, 0, "its deliveries wait alone");
    for _ in 0..20 {
        assert_eq!(step(&mut worker).await, Step::Worked(1));
    }
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 19);
    assert_eq!(attempts(&app).await, ["1"]);
    app.finish().await;
}

#[tokio::test]
async fn an_id_that_is_too_long_for_an_index_is_parked_at_once() {
    let app = TestApp::start().await;
    let long = "x".repeat(801);
    let fits = "y".repeat(800);
    let pushes = [("zhangsan", "wmAlice"), (&*long, "wmBob"), ("zhangsan", &*long), (&*fits, &*fits)];
    let pushes = pushes
        .map(|(user, customer)| Push::genuine(AppKind::App, contact(AT, "add_external_contact", user, customer, &[])));
    app.deliver(pushes.into()).await;
    let mut worker = worker(&app, 500);
    while step(&mut worker).await != Step::Idle {}
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 2, "what fits is recorded");
    let reasons = app.db.texts("select attempts || ' ' || reason from parked order by reason").await;
    let reason = |name: &str| format!("0 cannot be read: {name} is 801 bytes long, and an id has at most 800");
    assert_eq!(reasons, [reason("ExternalUserID"), reason("UserID")]);
    app.finish().await;
}

#[tokio::test]
async fn a_delivery_in_a_group_can_be_taken_out_of_the_queue() {
    let app = TestApp::start().await;
    stored_together(&app, 0..5, &[]).await;
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let pending = inbox::Filter { state: Some(wecomd::states::DeliveryState::Pending), ..inbox::Filter::default() };
    let listed = inbox::list(&mut conn, &pending, 10).await.expect("listed");
    assert_eq!(listed.len(), 5, "a group's deliveries are listed one by one");
    let keys: Vec<_> = listed[1..3].iter().map(|it| it.id.parse().expect("a key")).collect();
    inbox::unqueue(&mut conn, &keys).await.expect("taken out");
    let left = inbox::list(&mut conn, &pending, 10).await.expect("listed");
    let ids = |rows: &[inbox::DeliveryRow]| rows.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&left), [ids(&listed[..1]), ids(&listed[3..])].concat());
    assert_eq!(inbox::depth(&mut conn).await.expect("counted").0, 3);
    let shown = inbox::show(&mut conn, &keys[0]).await.expect("read").expect("it is there");
    assert_eq!(shown.listed.state, wecomd::states::DeliveryState::Recorded, "it counts as settled");
    drop(conn);
    app.drain().await;
    assert_eq!(app.db.count("select count(*) from customer_wechat_contact").await, 3);

    stored_together(&app, 10..12, &[]).await;
    let mut conn = app.db.pool.acquire().await.expect("connects");
    let listed = inbox::list(&mut conn, &pending, 10).await.expect("listed");
    let keys: Vec<_> = listed.iter().map(|it| it.id.parse().expect("a key")).collect();
    inbox::unqueue(&mut conn, &keys).await.expect("taken out");
    assert_eq!(app.db.count("select count(*) from pending_group").await, 0, "nothing is left of an empty group");
    drop(conn);
    app.finish().await;
}

#[tokio::test]
async fn a_group_of_a_dropped_day_does_not_stay_at_the_head_of_the_queue() {
    let app = TestApp::start().await;
    stored_together(&app, 0..3, &[]).await;
    app.db.execute("delete from inbox where true").await;
    assert_eq!(step(&mut worker(&app, 500)).await, Step::Idle);
    assert_eq!(app.db.count("select count(*) from pending_group").await, 0);
    app.finish().await;
}

/// Notes that this customer was erased before everything that is delivered here.
async fn erase(app: &TestApp, customer: &str) {
    let corpid = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into erased_person (corpid, person, erased_at, erasure_id)
             values ('{corpid}', erased_hash('{corpid}', '{customer}'), to_timestamp({AT} - 1), 1)"
        ))
        .await;
}

#[tokio::test]
async fn a_refused_delivery_that_brings_an_erased_person_back_keeps_its_plaintext() {
    let app = TestApp::start().await;
    app.db.execute(&refuse("P0001")).await;
    erase(&app, "wm5").await;
    stored_together(&app, 0..10, &[5]).await;
    let mut worker = worker(&app, 500);
    while step(&mut worker).await != Step::Idle {}
    assert_eq!(attempts(&app).await, ["1"]);
    assert_eq!(app.db.count("select count(*) from inbox where plaintext = ''").await, 0);

    app.db.execute("drop trigger refuse on customer_wechat_contact; update pending set due_at = now()").await;
    while step(&mut worker).await != Step::Idle {}
    let back = "select count(*) from customer_wechat_contact where external_userid = 'wm5'";
    assert_eq!(app.db.count(back).await, 1, "a new contact brings them back");
    app.finish().await;
}

#[tokio::test]
async fn an_unreadable_delivery_about_an_erased_person_is_emptied_although_the_rest_is_refused() {
    let app = TestApp::start().await;
    app.db.execute(&refuse("P0001")).await;
    erase(&app, "wmErased000000000000000000000001").await;
    let whole = contact(AT, "add_external_contact", "zhangsan", "wmErased000000000000000000000001", &[]);
    let cut = whole[..whole.find("</ExternalUserID>").expect("it is there")].to_owned();
    app.deliver(vec![Push::genuine(AppKind::App, cut)]).await;
    let refused = contact(AT, "add_external_contact", "poison", "wm1", &[]);
    app.deliver(vec![Push::genuine(AppKind::App, refused)]).await;
    app.db.wait_alone().await;
    app.db.wait_together().await;
    let mut worker = worker(&app, 500);
    while step(&mut worker).await != Step::Idle {}
    assert_eq!(attempts(&app).await, ["1"], "the other one is refused");
    assert_eq!(app.db.count("select count(*) from inbox where plaintext = ''").await, 1);
    assert_eq!(app.db.count("select count(*) from parked").await, 0, "nothing is left to look at");
    app.finish().await;
}
