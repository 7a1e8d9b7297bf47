//! Exporting and erasing a customer's data: completely and for good, whatever arrives late.

use std::{sync::OnceLock, time::Duration};

use chrono::Utc;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wecomd::{
    changes::TaskKind,
    ids::{ExternalUserId, UserId},
    privacy::{Eraser, Step},
    sandbox::{Fault, Push},
    sync::{self, Over, Sync},
    tables::{privacy::erase::columns::COLUMNS, sync::sync_run::Which},
};

use crate::support::{
    Acting,
    http::{Answer, request},
    plaintext::{contact, event, picture, text},
    reconcile::to_the_end,
    wait::until,
};

const BASE: &str = "/api/enterprise-wechat";

/// The customer of these tests, by WeCom's id and the business's.
const PERSON: &str = "wmPERSON000000000000000000007749";
const CUSTOMER: &str = "K-7749-X";

/// Another customer, who is not erased.
const OTHER: &str = "wmOTHER0000000000000000000000001";

/// Texts and names that only this customer uses.
const NICKNAME: &str = "独孤求败之昵称";
const SAID: &str = "我家水管漏水了暗号四七";
const WRITTEN: &str = "电话里说了暗号四八";
const ORDERED: &str = "工单描述暗号四九";
const NAMED: &str = "上官暗号五零";
const PHONE: &str = "13977497749";
const LIVES: &str = "暗号路五一号";
const NOTED: &str = "备注暗号五二";
const UNREADABLE: &str = "暗号五三";

/// The bytes of the person's picture.
const PICTURE: &[u8] = b"\xff\xd8\xff a picture of a person 7749";

/// An hour ago, so that whatever is said then is before any erasure.
fn before() -> i64 {
    static BEFORE: OnceLock<i64> = OnceLock::new();
    *BEFORE.get_or_init(|| Utc::now().timestamp() - 3_600)
}

/// Some seconds ahead: after any erasure in this test.
fn after() -> i64 {
    Utc::now().timestamp() + 60
}

async fn deliver(acting: &Acting, plaintexts: Vec<String>) {
    let count = plaintexts.len();
    let report = acting.app.deliver(plaintexts.into_iter().map(Push::of_plaintext).collect()).await;
    assert_eq!(report.acked.len(), count);
}

async fn post(acting: &Acting, path: &str, key: &str, body: Value) -> Value {
    let bearer = format!("Bearer {}", acting.app.token.expose_secret());
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    let target = format!("{BASE}/{path}");
    let body = body.to_string();
    let answer = request(acting.app.app.admin, "POST", &target, &headers, body.as_bytes()).await.expect("an answer");
    assert!(answer.status < 300, "{path}: {}", answer.text());
    answer.json()
}

/// Stores the person in every table that the program can store them in, by its own means.
async fn plant() -> Acting {
    let acting = Acting::start().await;
    acting.platform.with(|world| {
        world.add_member(&UserId::from("ann"), "安娜");
        assert!(world.add_contact(&UserId::from("ann"), &ExternalUserId::from(PERSON), NICKNAME));
        assert!(world.add_contact(&UserId::from("ann"), &ExternalUserId::from(OTHER), "别人"));
    });
    let corp = acting.app.corp.corpid.clone();
    let bound = json!({ "staff_id": "S1", "wechat_userid": "ann" });
    assert_eq!(acting.app.ask("POST", &format!("{BASE}/staff-bind"), Some(bound)).await.status, 201);
    let (first, second) = acting.platform.with(|world| {
        let bytes = |more: &[u8]| [PICTURE, more].concat();
        (world.add_media(bytes(b"1"), "image/jpeg", "暗号.jpg"), world.add_media(bytes(b"2"), "image/jpeg", "2.jpg"))
    });
    let order = json!({ "customer_id": CUSTOMER, "description": ORDERED, "customer_name": NAMED, "phone": PHONE,
        "address": LIVES });
    let order = post(&acting, "work-orders", "order", order).await;
    let target = format!("{BASE}/work-orders/{}", order["id"]);
    let changed = acting.app.ask("PATCH", &target, Some(json!({ "staff_id": "S1", "note": NOTED }))).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let way = post(&acting, "customer-contact", "way", json!({ "customer_id": CUSTOMER, "staff_id": "S1" })).await;
    let state = way["state"].as_str().expect("a state").to_owned();
    post(&acting, "contact-records", "record", json!({ "customer_id": CUSTOMER, "content": WRITTEN })).await;

    let at = before();
    let code = [("WelcomeCode", "CODE7749"), ("State", state.as_str())];
    deliver(
        &acting,
        vec![
            contact(at, "add_external_contact", "ann", PERSON, &code),
            contact(at + 1, "edit_external_contact", "ann", PERSON, &[]),
            contact(at + 1, "add_external_contact", "ann", OTHER, &[]),
            text(at + 2, PERSON, SAID, 1),
            text(at + 2, OTHER, "别人的话", 2),
            picture(at + 3, PERSON, &first),
            contact(at + 5, "transfer_fail", "ann", PERSON, &[("FailReason", "customer_refused")]),
            event(at + 6, "something_of_tomorrow", &[("About", PERSON)]),
            format!("<xml><From>{PERSON}</From><Said>{UNREADABLE}</xml>"),
        ],
    )
    .await;
    acting.app.drain().await;
    for kind in [TaskKind::Welcome, TaskKind::RefreshContact, TaskKind::FetchMedia] {
        acting.act(kind).await;
    }
    write_to_kf(&acting).await;
    // One picture is still to be fetched, and one message still to be recorded.
    deliver(&acting, vec![picture(at + 4, PERSON, &second)]).await;
    acting.app.drain().await;
    deliver(&acting, vec![text(at + 7, PERSON, SAID, 3)]).await;
    acting.app.ask("GET", &format!("{BASE}/contact-records/{PERSON}"), None).await;

    // Rows that need a leaver, a run, or two customers with one phone number.
    acting
        .app
        .db
        .execute(&format!(
            "insert into handover (corpid, wechat_userid, state, cause) values ('{corp}', 'bob', 'planned', 'transfer');
             insert into handover_item (handover_id, kind, subject, state) select id, 'customer', '{PERSON}', 'planned'
                from handover;
             insert into handover_item (handover_id, kind, subject, state)
                select id, 'session', 'wk1/{PERSON}', 'planned' from handover;
             insert into handover_log (handover_id, item_id, kind, subject, to_state, actor, cause)
                select handover_id, id, kind, subject, 'planned', 'me', 'chosen' from handover_item;
             insert into sync_run (corpid, state, finished_at) values ('{corp}', 'done', now());
             insert into sync_drift (run_id, kind, external_userid, wechat_userid, held, found)
                select id, 'renamed', '{PERSON}', 'ann', 'x', '{NICKNAME}' from sync_run;
             insert into customer_match (corpid, external_userid, matched_by, candidates)
                values ('{corp}', 'wmTHIRD', 'mobile', array['{CUSTOMER}', 'K-1', 'K-2']);"
        ))
        .await;
    acting
}

/// They write to 微信客服, too; somebody is still to be found for them, and a greeting to be sent.
async fn write_to_kf(acting: &Acting) {
    let kf = acting.platform.with(|world| world.add_kf_account("报修", &["ann"]));
    let person = ExternalUserId::from(PERSON);
    acting.platform.kf_enter(&kf, &person, "cust%3AK-7749-X").await.expect("an account");
    acting.platform.kf_write(&kf, &person, SAID).await.expect("an account");
    let place = json!({ "latitude": 1.5, "longitude": 2.5, "name": NOTED, "address": LIVES });
    acting.platform.kf_say(&kf, &person, "location", place).await.expect("an account");
    acting.settle(TaskKind::PullKf).await;
    acting.app.drain().await;
    acting.act(TaskKind::RefreshKfCustomer).await;
}

/// Every table but views and partitions; what is counted stands in their parents.
async fn tables(acting: &Acting) -> Vec<String> {
    let sql = "select relname::text from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
        order by relname";
    acting.app.db.texts(sql).await
}

/// The tables that contain a text, as text or as bytes: `table: rows`.
async fn found(acting: &Acting, text: &str) -> Vec<String> {
    let (hex, mut found) = (hex::encode(text), Vec::new());
    for table in tables(acting).await {
        let sql = format!(
            "select count(*) from {table} it where position('{text}' in it::text) > 0 or position('{hex}' in it::text) > 0"
        );
        let rows = acting.app.db.count(&sql).await;
        if rows > 0 {
            found.push(format!("{table}: {rows}"));
        }
    }
    found
}

/// How many files of the media store hold the person's picture.
fn pictures(acting: &Acting) -> usize {
    let mut folders = vec![acting.media.path().to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(path).expect("a file");
                count += usize::from(bytes.windows(PICTURE.len()).any(|it| it == PICTURE));
            }
        }
    }
    count
}

fn eraser(acting: &Acting, stretch: i64) -> Eraser {
    let media = acting.app.app.admin_half.media.clone();
    Eraser { stretch, ..Eraser::new(acting.app.db.pool.clone(), media) }
}

async fn erase(acting: &Acting, id: &str) -> Value {
    let answer = acting.app.ask("DELETE", &format!("{BASE}/customers/{id}"), None).await;
    assert!([200, 202].contains(&answer.status), "{}", answer.text());
    while eraser(acting, 100).step().await.expect("the database answers") == Step::Worked {}
    let number = answer.json()["erasure"]["id"].clone();
    acting.app.ask("GET", &format!("{BASE}/erasures/{number}"), None).await.json()
}

/// Every page of an export.
async fn export(acting: &Acting, id: &str, format: &str) -> Vec<Answer> {
    let mut pages = Vec::new();
    let mut query = format!("format={format}");
    loop {
        let page = acting.app.ask("GET", &format!("{BASE}/customers/{id}/export?{query}"), None).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let next = match format {
            "tar" => page.head.lines().find_map(|it| it.strip_prefix("x-next-cursor: ")).map(str::to_owned),
            _ => page.json()["next_cursor"].as_str().map(str::to_owned),
        };
        pages.push(page);
        let Some(next) = next else { return pages };
        query = format!("format={format}&cursor={next}");
    }
}

#[tokio::test]
async fn an_export_holds_everything_that_is_known_and_the_pictures() {
    let acting = plant().await;
    let whole: String = export(&acting, CUSTOMER, "json").await.iter().map(Answer::text).collect();
    for planted in [PERSON, CUSTOMER, NICKNAME, SAID, WRITTEN, ORDERED, NAMED, PHONE, LIVES, NOTED, UNREADABLE] {
        assert!(whole.contains(planted), "{planted} is missing");
    }
    // The export names each table that holds them; the inbox appears as deliveries.
    for table in found(&acting, PERSON).await {
        let (table, _) = table.split_once(':').expect("a name");
        assert!(
            ["inbox", "wechat_contact_record"].contains(&table) || whole.contains(&format!("\"{table}\":[")),
            "{table}"
        );
    }
    assert!(!whole.contains("别人的话"), "nothing about others");
    let archives = export(&acting, PERSON, "tar").await;
    let holds = |page: &&Answer| page.body.windows(PICTURE.len()).any(|it| it == PICTURE);
    assert_eq!(archives.iter().filter(holds).count(), 1, "the picture is beside the record that names it");
    let mut names = Vec::new();
    for page in &archives {
        let mut archive = tar::Archive::new(page.body.as_slice());
        for entry in archive.entries().expect("an archive") {
            names.push(entry.expect("an entry").path().expect("a path").display().to_string());
        }
    }
    assert_eq!(names.iter().filter(|it| it.starts_with("media/")).count(), 1, "{names:?}");
    assert!(names.iter().filter(|it| *it == "customer.json").count() == archives.len());
    let unknown = acting.app.ask("GET", &format!("{BASE}/customers/K-0/export"), None).await;
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("customer_unknown")));
    acting.finish().await;
}

#[tokio::test]
async fn an_erased_customer_is_in_no_table_and_no_file() {
    let acting = plant().await;
    for planted in [PERSON, CUSTOMER, NICKNAME, SAID, WRITTEN, ORDERED, NAMED, PHONE, LIVES, NOTED, UNREADABLE] {
        assert!(!found(&acting, planted).await.is_empty(), "{planted} was never planted");
    }
    assert_eq!(pictures(&acting), 1);
    let messages = "select count(*) from wechat_contact_record where contact_type <> 'event'";
    let (counted, deliveries) =
        (acting.app.db.count(messages).await, acting.app.db.count("select count(*) from inbox").await);

    let erasure = erase(&acting, CUSTOMER).await;
    assert_eq!((erasure["state"].as_str(), erasure["asked_by"].as_str()), (Some("done"), Some("test")), "{erasure}");
    assert_eq!(erasure["media_left"], json!(0));
    for planted in [NICKNAME, SAID, WRITTEN, ORDERED, NAMED, PHONE, LIVES, NOTED, UNREADABLE] {
        assert_eq!(found(&acting, planted).await, [""; 0], "{planted}");
    }
    // Who looked at whose data is known for as long as the access log is kept; not that they were erased.
    let log = "select count(*) from access_log where method = 'DELETE' and (subject, customer)::text ~ '7749'";
    assert_eq!(acting.app.db.count(log).await, 0);
    for id in [PERSON, CUSTOMER] {
        let places = found(&acting, id).await;
        assert!(places.iter().all(|it| it.starts_with("access_log: ")), "{id}: {places:?}");
    }
    assert_eq!(pictures(&acting), 0);
    assert_eq!(acting.left(TaskKind::FetchMedia).await, [""; 0]);

    // The figures for staff and the business are kept, and other customers are unchanged.
    assert_eq!(acting.app.db.count(messages).await, counted);
    assert_eq!(acting.app.db.count("select count(*) from inbox").await, deliveries);
    assert_eq!(acting.app.db.count("select count(*) from work_order where customer_id like 'erased-%'").await, 1);
    let item = acting.app.db.texts("select state || ' ' || left(subject, 7) from handover_item order by id").await;
    assert_eq!(item, ["cancelled erased-", "cancelled wk1/era"]);
    let left = acting.app.db.texts("select array_to_string(candidates, ' ') from customer_match").await;
    assert_eq!(left, ["K-1 K-2"]);
    assert!(!found(&acting, "别人的话").await.is_empty());
    let contacts = acting.app.db.texts("select external_userid from customer_wechat_contact").await;
    assert_eq!(contacts, [OTHER]);
    acting.app.drain().await;
    assert_eq!(acting.app.db.count("select count(*) from pending_delivery").await, 0, "nothing is stuck");
    acting.finish().await;
}

#[tokio::test]
async fn late_callbacks_restore_no_erased_customer_and_a_returning_one_starts_anew() {
    let acting = plant().await;
    erase(&acting, PERSON).await;
    let at = before();

    // Earlier events, and later events that do not start a new contact.
    deliver(
        &acting,
        vec![
            contact(at + 20, "add_external_contact", "ann", PERSON, &[]),
            contact(at + 21, "edit_external_contact", "ann", PERSON, &[]),
            text(at + 22, PERSON, "迟到的话", 11),
            contact(after(), "edit_external_contact", "ann", PERSON, &[]),
            contact(after() + 1, "del_follow_user", "ann", PERSON, &[]),
            text(after(), PERSON, "后来的话", 12),
            event(after(), "something_of_tomorrow", &[("About", PERSON)]),
        ],
    )
    .await;
    acting.app.drain().await;
    for said in [PERSON, "迟到的话", "后来的话"] {
        let places = found(&acting, said).await;
        assert!(places.iter().all(|it| it.starts_with("access_log: ")), "{said}: {places:?}");
    }
    // A repeat is known, a replay finds nothing to record.
    let stored = acting.app.db.count("select count(*) from inbox").await;
    deliver(&acting, vec![text(at + 2, PERSON, SAID, 1)]).await;
    assert_eq!(acting.app.db.count("select count(*) from inbox").await, stored);
    let erased = acting.app.ask("GET", &format!("{BASE}/deliveries?state=erased"), None).await.json();
    let id = erased["items"][0]["id"].as_str().expect("a delivery").to_owned();
    let replayed = acting.app.ask("POST", &format!("{BASE}/deliveries/{id}/replay"), None).await;
    assert_eq!(replayed.status, 404, "{}", replayed.text());
    // A card, and a whole run, in which WeCom still names them.
    acting.enqueue(TaskKind::RefreshContact, PERSON, None).await;
    acting.act(TaskKind::RefreshContact).await;
    let sync = Sync { pool: acting.app.db.pool.clone(), wecom: acting.app.app.admin_half.wecom.clone() };
    let asked = sync::ask(&mut sync.pool.acquire().await.expect("connects"), &acting.app.corp.corpid).await;
    let mut run =
        sync.take(Which::One(asked.expect("asked").run())).await.expect("taken").expect("no worker has claimed it");
    assert_eq!(to_the_end(&mut run).await, Over::Done);
    for said in [PERSON, NICKNAME] {
        let places = found(&acting, said).await;
        assert!(places.iter().all(|it| it.starts_with("access_log: ")), "{said}: {places:?}");
    }

    // The customer returns: they start anew, without their earlier data.
    deliver(&acting, vec![contact(after() + 2, "add_external_contact", "ann", PERSON, &[])]).await;
    acting.app.drain().await;
    deliver(&acting, vec![text(after() + 3, PERSON, "新的话", 13), text(at + 23, PERSON, "旧的话", 14)]).await;
    acting.app.drain().await;
    let contacts = format!("select status from customer_wechat_contact where external_userid = '{PERSON}'");
    assert_eq!(acting.app.db.texts(&contacts).await, ["contacted"]);
    let said = format!("select content from wechat_contact_record where sender = '{PERSON}'");
    assert_eq!(acting.app.db.texts(&said).await, ["新的话"]);
    assert_eq!(found(&acting, "旧的话").await, [""; 0]);
    acting.finish().await;
}

#[tokio::test]
async fn an_interrupted_erasure_resumes_where_it_stopped() {
    let acting = plant().await;
    let answer = acting.app.ask("DELETE", &format!("{BASE}/customers/{PERSON}"), None).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["customers_left"], json!([CUSTOMER]));
    assert_eq!(eraser(&acting, 2).step().await.expect("a step"), Step::Worked);
    let place = "select coalesce(scanned_to, '-') from erasure";
    let first = acting.app.db.texts(place).await;
    assert_ne!(first, ["-"]);
    // The erasing process dies while it waits for a row in the middle of a step.
    let mut held = acting.app.db.pool.begin().await.expect("begins");
    sqlx::query("select from inbox for update").execute(&mut *held).await.expect("held");
    let stuck = eraser(&acting, 100);
    let stuck = tokio::spawn(async move { stuck.step().await });
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    until("its statement waits", async || acting.app.db.count(waiting).await > 0).await;
    stuck.abort();
    assert!(stuck.await.is_err());
    held.rollback().await.expect("let go");
    assert_eq!(acting.app.db.texts(place).await, first, "an interrupted step stores nothing");
    // Other processes continue the erasure; several at once do not conflict.
    let (one, two) = (eraser(&acting, 3), eraser(&acting, 3));
    let work = async |it: &Eraser| while it.step().await.expect("a step") == Step::Worked {};
    tokio::join!(work(&one), work(&two));
    until("it is done", async || {
        work(&one).await;
        acting.app.db.count("select count(*) from erasure where state = 'running'").await == 0
    })
    .await;
    let places = found(&acting, PERSON).await;
    assert!(places.iter().all(|it| it.starts_with("access_log: ")), "{places:?}");
    assert!(!found(&acting, CUSTOMER).await.is_empty(), "the business's customer is unaffected");
    assert_eq!(pictures(&acting), 0);
    acting.finish().await;
}

#[tokio::test]
async fn a_running_task_stores_nothing_about_a_customer_erased_meanwhile() {
    let acting = plant().await;
    let leased = "select count(*) from task where kind = 'fetch_media' and lease is not null";
    acting.platform.faults().set("media/get", Fault { latency: Duration::from_millis(1_500), ..Fault::default() });
    let erasing = async {
        until("the download is under way", async || acting.app.db.count(leased).await == 1).await;
        erase(&acting, PERSON).await
    };
    let ((), erasure) = tokio::join!(acting.act(TaskKind::FetchMedia), erasing);
    assert_eq!(erasure["state"], json!("done"));
    assert_eq!(pictures(&acting), 0);
    assert_eq!(acting.app.db.count("select count(*) from media").await, 0);
    assert_eq!(acting.left(TaskKind::FetchMedia).await, [""; 0]);
    acting.finish().await;
}

#[tokio::test]
async fn only_administrators_export_and_erase_and_only_known_customers() {
    let acting = plant().await;
    let made =
        acting.app.ask("POST", &format!("{BASE}/api-tokens"), Some(json!({ "name": "o", "role": "operator" }))).await;
    let bearer = format!("Bearer {}", made.json()["token"].as_str().expect("a token"));
    for (method, path) in [("GET", format!("customers/{PERSON}/export")), ("DELETE", format!("customers/{PERSON}"))] {
        let answer = acting.app.ask_as(&bearer, method, &format!("{BASE}/{path}"), None).await;
        assert_eq!(answer.status, 403, "{method} {path}");
    }
    let answer = acting.app.ask("DELETE", &format!("{BASE}/customers/K-0"), None).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("customer_unknown")));
    let answer = acting.app.ask("DELETE", &format!("{BASE}/customers/{CUSTOMER}?corpid=ww0"), None).await;
    assert_eq!((answer.status, answer.json()["field"].as_str()), (400, Some("corpid")));
    assert_eq!(acting.app.db.count("select count(*) from erasure").await, 0);
    let answer = acting.app.ask("GET", &format!("{BASE}/erasures/1"), None).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("erasure_unknown")));
    acting.finish().await;
}

#[tokio::test]
async fn every_column_that_may_identify_a_customer_is_listed_with_its_handling() {
    let acting = Acting::start().await;
    // The names of such columns, and columns with these names that hold no id.
    let named = "(customer|external|person|subject|used_by|candidate|sender|unionid)";
    let others = ["work_order.customer_name", "customer_wechat_contact.unionid"];
    let sql = format!(
        "select table_name || '.' || column_name from information_schema.columns
         join pg_class on oid = (quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass
         where table_schema = 'public' and column_name ~ '{named}' and relkind in ('r', 'p') and not relispartition
             and data_type in ('text', 'bytea', 'ARRAY', 'jsonb')
         order by (table_name || '.' || column_name) collate \"C\""
    );
    let mut known: Vec<_> = others.map(str::to_owned).into();
    for (table, columns, _) in COLUMNS {
        known.extend(columns.iter().map(|column| format!("{table}.{column}")));
    }
    known.sort();
    assert_eq!(acting.app.db.texts(&sql).await, known, "say in tables/erase/columns.rs what erasing does to it");
    acting.finish().await;
}
