//! Finding records by what they say: in which order, for whom, and that what is erased is not found.

use serde_json::{Value, json};
use wecomd::{
    admin::door::auth::Role,
    housekeeping::indexing::Indexer,
    privacy::{Retention, Settings},
    states::RetentionKind,
    tables::records::{
        record_search::{self, Text},
        wechat_contact_record::KnownMonths,
    },
};

use crate::support::{
    TestApp,
    leaver::BASE,
    scoped::own_token,
    talk::{contents, said, talk},
    wait::until,
};

/// 漏水 in a URL.
const LEAK: &str = "%E6%BC%8F%E6%B0%B4";

/// Makes every record findable that is not yet.
async fn index(app: &TestApp) {
    let mut indexer = Indexer::new(app.db.pool.clone());
    while indexer.round().await.expect("the database answers") > 0 {}
}

async fn page(app: &TestApp, query: &str) -> Value {
    let answer = app.ask("GET", &format!("{BASE}/contact-records?{query}"), None).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_text_is_found_in_all_channels_and_filters_narrow() {
    let app = TestApp::start().await;
    let names = talk(&app).await;
    assert_eq!(contents(&app, None, &format!("contact-records?q={LEAK}")).await, [""; 0], "nothing is findable yet");
    index(&app).await;
    said(&app, 7, "dee", "Leak in the  KITCHEN", &[("source", "manual"), ("customer_id", "C-2")]).await;
    index(&app).await;
    for (query, expected) in [
        (format!("q={LEAK}"), vec!["水管漏水了"]),
        ("q=%E7%BE%A4%E9%87%8C".to_owned(), vec!["别的群里说", "群里回复", "群里问一下"]),
        ("q=%E7%BE%A4%E9%87%8C&chat_id=wrOurs".to_owned(), vec!["群里回复", "群里问一下"]),
        (format!("q=%E7%BE%A4%E9%87%8C&sender={}", names.user), vec!["群里回复"]),
        ("q=%E7%BE%A4%E9%87%8C&source=kf".to_owned(), vec![]),
        (
            "q=%E7%BE%A4%E9%87%8C&from=2024-03-01T10:05:00%2B08:00&to=2024-03-01T10:06:00%2B08:00".to_owned(),
            vec!["群里回复"],
        ),
        ("q=the+kitchen".to_owned(), vec!["Leak in the  KITCHEN"]),
        // It has each pair of characters, but not side by side.
        ("q=%E9%87%8C%E7%BE%A4%E9%87%8C".to_owned(), vec![]),
    ] {
        assert_eq!(contents(&app, None, &format!("contact-records?{query}")).await, expected, "{query}");
    }
    let found = page(&app, &format!("q={LEAK}")).await;
    assert_eq!(found["items"][0]["customer_id"], json!(names.customer));
    assert_eq!((&found["next_cursor"], &found["complete"]), (&Value::Null, &json!(true)));
    app.finish().await;
}

#[tokio::test]
async fn a_text_without_two_neighbouring_characters_or_of_a_hundred_and_one_is_refused() {
    let app = TestApp::start().await;
    for query in
        [String::new(), "q=".to_owned(), "q=a".to_owned(), "q=a+b".to_owned(), format!("q={}", "ab".repeat(51))]
    {
        let answer = app.ask("GET", &format!("{BASE}/contact-records?{query}"), None).await;
        assert_eq!((answer.status, answer.json()["field"].as_str()), (400, Some("q")), "{}", answer.text());
    }
    app.finish().await;
}

/// More records than a span may have that is read at once, in one hour, several days, a month without a partition, and
/// without a time.
#[tokio::test]
async fn following_the_cursors_meets_every_record_once_latest_first_however_crowded_an_hour_is() {
    let app = TestApp::start().await;
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into wechat_contact_record (contact_time, id, corpid, external_userid, sender, source, contact_type, content)
             select at, gen_random_uuid(), '{corp}', 'wmA', 'wmA', 'app', 'text', case when n % 3 = 0 then '没有' else '漏水' end
             from (
                 select n, date_trunc('month', now()) - interval '10 days' + n * interval '1 second' as at
                 from generate_series(1, 2400) n
                 union all
                 select n, date_trunc('month', now()) - n * interval '3 hours' from generate_series(1, 200) n
                 union all
                 select n, timestamptz '2015-05-05 10:00Z' + n * interval '1 minute' from generate_series(1, 50) n
                 union all
                 select n, to_timestamp(0) from generate_series(1, 7) n
             ) made"
        ))
        .await;
    index(&app).await;
    let expected = app
        .db
        .texts(
            "select id::text from wechat_contact_record where content = '漏水'
             order by contact_time desc, id desc, corpid desc",
        )
        .await;
    let (mut met, mut next) = (Vec::new(), String::new());
    loop {
        let page = page(&app, &format!("q={LEAK}&limit=200{next}")).await;
        let items = page["items"].as_array().expect("items");
        met.extend(items.iter().map(|it| it["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(met, expected);

    // A filter that lets nothing through ends a page early, and says where to go on.
    let first = page(&app, &format!("q={LEAK}&sender=nobody")).await;
    assert_eq!(first["items"], json!([]));
    app.finish().await;
}

#[tokio::test]
async fn whoever_sees_their_own_alone_finds_only_what_they_may_read() {
    let app = TestApp::start().await;
    let names = talk(&app).await;
    said(&app, 8, "wmOther", "漏水，请快来", &[("external_userid", "wmOther"), ("source", "kf")]).await;
    said(&app, 9, &names.user, "给应用的话:漏水", &[("wechat_userid", &names.user), ("source", "app")]).await;
    index(&app).await;
    let viewer = own_token(&app, &names, Role::Viewer).await;
    let found = async |query: &str| contents(&app, Some(&viewer), &format!("contact-records?{query}")).await;
    assert_eq!(found(&format!("q={LEAK}")).await, ["给应用的话:漏水", "水管漏水了"]);
    assert_eq!(found("q=%E7%BE%A4%E9%87%8C").await, ["群里回复", "群里问一下"], "of groups, only from within");
    app.db.execute("update customer_wechat_contact set status = 'transferred_out'").await;
    assert_eq!(found(&format!("q={LEAK}")).await, ["给应用的话:漏水"]);
    app.finish().await;
}

#[tokio::test]
async fn records_of_before_the_search_are_made_findable_latest_first_and_only_once() {
    let app = TestApp::start().await;
    talk(&app).await;
    app.db.execute("delete from record_search_queue; update record_search_backfill set done_at = null").await;
    assert_eq!(page(&app, &format!("q={LEAK}")).await["complete"], json!(false));
    index(&app).await;
    assert_eq!(contents(&app, None, &format!("contact-records?q={LEAK}")).await, ["水管漏水了"]);
    assert_eq!(page(&app, &format!("q={LEAK}")).await["complete"], json!(true));
    assert_eq!(app.db.count("select count(*) from record_search").await, 6);
    assert_eq!(Indexer::new(app.db.pool.clone()).round().await.expect("looks"), 0);
    app.finish().await;
}

#[tokio::test]
async fn a_record_is_found_by_its_present_words() {
    let app = TestApp::start().await;
    talk(&app).await;
    index(&app).await;
    app.db.execute("update wechat_contact_record set content = '阀门坏了' where content = '水管漏水了'").await;
    app.db.execute("update wechat_contact_record set content = '' where content = '明天到'").await;
    index(&app).await;
    assert_eq!(contents(&app, None, &format!("contact-records?q={LEAK}")).await, [""; 0]);
    assert_eq!(contents(&app, None, "contact-records?q=%E9%98%80%E9%97%A8").await, ["阀门坏了"]);
    assert_eq!(app.db.count("select count(*) from record_search").await, 5);
    app.finish().await;
}

#[tokio::test]
async fn an_erasure_waits_for_whoever_read_the_words_and_leaves_none_to_be_found() {
    let app = TestApp::start().await;
    let names = talk(&app).await;
    // Somebody has read the records and not written their terms yet.
    let mut reading = app.db.pool.begin().await.expect("begins");
    assert!(record_search::try_lock(&mut reading).await.expect("locks"));
    let texts = record_search::take_queued(&mut reading, 100).await.expect("read");
    assert_eq!(texts.len(), 6);
    let target = format!("{BASE}/customers/{}", names.external);
    let erasing = app.ask("DELETE", &target, None);
    let writing = async {
        let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted";
        until("the erasure waits", async || app.db.count(waiting).await > 0).await;
        let termed: Vec<_> = texts.into_iter().map(Text::termed).collect();
        let mut months = KnownMonths::of("record_search");
        record_search::write(&mut reading, &termed, &mut months).await.expect("written");
        reading.commit().await.expect("commits");
    };
    let (answer, ()) = tokio::join!(erasing, writing);
    assert!([200, 202].contains(&answer.status), "{}", answer.text());
    index(&app).await;
    let left =
        "select array_agg(content) from record_search join wechat_contact_record using (contact_time, id, corpid)";
    assert_eq!(app.db.texts(&format!("select ({left})::text")).await, ["{群里回复}"]);
    assert_eq!(app.db.count("select count(*) from record_search").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn what_is_past_its_retention_period_is_not_found() {
    let app = TestApp::start().await;
    talk(&app).await;
    said(&app, 1, "wmA", "漏水", &[("external_userid", "wmA"), ("source", "kf")]).await;
    app.db
        .execute("update wechat_contact_record set contact_time = now() where external_userid = 'wmA'; delete from record_search_queue;
                  update record_search_backfill set done_at = null")
        .await;
    index(&app).await;
    assert_eq!(app.db.count("select count(*) from record_search").await, 7);
    let keep = Retention {
        pool: app.db.pool.clone(),
        media: app.app.admin_half.media.clone(),
        settings: Settings { records_months: 3, ..Settings::default() },
    };
    keep.run(RetentionKind::Records, false).await.expect("runs");
    assert_eq!(app.db.count("select count(*) from record_search").await, 1);
    assert_eq!(contents(&app, None, &format!("contact-records?q={LEAK}")).await, ["漏水"]);
    app.finish().await;
}
