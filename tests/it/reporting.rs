//! Schema `reporting` and `reports/{name}`: the numbers of a small story, who may read them, and what they are called.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use wecomd::sandbox::{AppKind, Push};

use crate::support::{
    TestApp, TestDb,
    daemon::program,
    folder::Folder,
    http::{Answer, request},
    plaintext::{contact, text},
    wait::until,
};

const BASE: &str = "/api/enterprise-wechat";

/// The first of March 2024 at eight in the morning, in Shanghai.
const AT: i64 = 1_709_251_200;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

const REPORTS: [&str; 9] = [
    "contacts_by_staff_day",
    "first_response_time",
    "additions_and_losses",
    "work_order_funnel",
    "handover_outcomes",
    "message_volumes",
    "unmatched_customers",
    "contacts_by_tag",
    "group_activity",
];

/// What no callback brings: bindings, answers, orders, handovers. `CORP` stands for the corp.
const REST: &str = "
    insert into staff_wechat_bind (corpid, staff_id, wechat_userid) values
        ('CORP', 'E-1', 'zhangsan'), ('CORP', 'E-2', 'lisi');
    insert into wechat_contact_record (
        contact_time, id, corpid, customer_id, external_userid, wechat_userid, sender, contact_type, content, source
    ) values
        ('2024-03-01 09:30+08', gen_random_uuid(), 'CORP', 'C-1', null, 'zhangsan', 'crm', 'text', '已电话联系', 'manual'),
        ('2024-03-01 10:01+08', gen_random_uuid(), 'CORP', null, 'wmD', 'lisi', 'lisi', 'text', '您好', 'app'),
        ('2024-03-01 10:02+08', gen_random_uuid(), 'CORP', null, 'wmD', 'lisi', 'lisi', 'image', '[图片]', 'app');
    insert into customer_wechat_contact (
        corpid, external_userid, wechat_userid, staff_id, status, status_at, first_contact_time, card
    ) values
        ('CORP', 'wmE', 'lisi', 'E-2', 'gone', '2024-03-02 10:00+08', null, null),
        ('CORP', 'wmF', 'lisi', 'E-2', 'contacted', '2024-03-02 00:00+08', '2024-03-02 00:00+08', '{\"nickname\": \"=1+1\"}'),
        ('CORP', 'wmG', 'lisi', 'E-2', 'assumed', '2024-03-01 23:59:59+08', null, null);
    insert into customer_match (corpid, external_userid, matched_by, candidates)
        values ('CORP', 'wmF', 'mobile', array['C-7', 'C-8']);
    insert into work_order (corpid, customer_id, description, state, staff_id, created_at) overriding system value values
        ('CORP', 'C-1', 'x', 'done', 'E-1', '2024-03-01 10:00+08'),
        ('CORP', 'C-1', 'x', 'cancelled', 'E-1', '2024-03-01 11:00+08'),
        ('CORP', 'C-1', 'x', 'new', null, '2024-03-02 00:00+08'),
        ('CORP', 'C-1', 'x', 'assigned', 'E-1', '2024-02-29 23:59:59+08');
    insert into work_order_change (work_order_id, to_state, who, at) values
        (1, 'new', 'crm', '2024-03-01 10:00+08'), (1, 'assigned', 'crm', '2024-03-01 10:10+08'),
        (1, 'contacted', 'crm', '2024-03-01 11:00+08'), (1, 'done', 'crm', '2024-03-05 10:00+08'),
        (2, 'new', 'crm', '2024-03-01 11:00+08'), (2, 'quoted', 'crm', '2024-03-01 13:00+08'),
        (2, 'cancelled', 'crm', '2024-03-02 11:00+08'), (3, 'new', 'crm', '2024-03-02 00:00+08'),
        (4, 'new', 'crm', '2024-02-29 23:59:59+08'), (4, 'assigned', 'crm', '2024-03-01 00:00+08');
    insert into handover (corpid, wechat_userid, staff_id, state, left_at, detected_at, finished_at, cause) values
        ('CORP', 'wangwu', 'E-9', 'done', '2024-03-01 10:00+08', '2024-03-01 11:00+08', '2024-03-03 11:00+08', 'left'),
        ('CORP', 'zhaoliu', null, 'detected', null, '2024-03-02 11:00+08', null, 'resignation');
    insert into handover_item (handover_id, kind, subject, round, state) values
        (1, 'customer', 'wmX', 1, 'refused'), (1, 'customer', 'wmX', 2, 'done'), (1, 'customer', 'wmY', 1, 'refused'),
        (1, 'customer', 'wmZ', 1, 'overdue'), (1, 'order', '7', 1, 'done');";

/// Two days of a company: who came and went, who wrote and was answered.
async fn story() -> TestApp {
    let app = TestApp::start().await;
    let push = |plaintext: String| Push::genuine(AppKind::App, plaintext);
    let by_transfer = [("Source", "DELETE_BY_TRANSFER")];
    let mut pushes = vec![
        push(contact(AT, "add_external_contact", "zhangsan", "wmA", &[("State", "cust:C-1")])),
        push(contact(AT + 60, "add_external_contact", "zhangsan", "wmB", &[])),
        push(contact(AT + 120, "add_half_external_contact", "zhangsan", "wmC", &[])),
        push(contact(AT + 180, "add_external_contact", "lisi", "wmD", &[])),
        push(contact(AT + DAY, "del_follow_user", "zhangsan", "wmB", &[])),
        push(contact(AT + DAY + 10, "del_external_contact", "lisi", "wmD", &by_transfer)),
        push(contact(AT + DAY + 20, "del_external_contact", "zhangsan", "wmC", &[])),
    ];
    let said = [
        // A second before the first of March in Shanghai, and at its first moment.
        (AT - 8 * HOUR - 1, "wmA"),
        (AT - 8 * HOUR, "wmD"),
        (AT + HOUR, "wmA"),
        (AT + HOUR + 100, "wmA"),
        (AT + 2 * HOUR, "wmD"),
        (AT + 3 * HOUR, "wmB"),
        // A member's word to the app is no contact with a customer.
        (AT + 4 * HOUR, "zhangsan"),
        (AT + 16 * HOUR, "wmB"),
    ];
    for (at, from) in said {
        pushes.push(push(text(at, from, "水管漏水", at.unsigned_abs())));
    }
    app.deliver(pushes).await;
    app.drain().await;
    app.db.execute(&REST.replace("CORP", app.corp.corpid.as_str())).await;
    app
}

async fn csv_of(app: &TestApp, name: &str, query: &str) -> Answer {
    app.ask("GET", &format!("{BASE}/reports/{name}?format=csv&{query}"), None).await
}

/// The lines of a table without its head, the corp's name put aside.
async fn lines(app: &TestApp, name: &str, query: &str) -> Vec<String> {
    let answer = csv_of(app, name, query).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let table = answer.text().replace(app.corp.corpid.as_str(), "CORP");
    table.lines().skip(1).map(str::to_owned).collect()
}

const BOTH: &str = "since=2024-03-01&until=2024-03-02";

#[tokio::test]
async fn the_contact_views_show_the_recorded_events_correctly() {
    let app = story().await;
    assert_eq!(
        lines(&app, "contacts_by_staff_day", BOTH).await,
        [
            // wmD wrote twice, was answered twice and became a contact.
            "2024-03-01,CORP,lisi,E-2,1,5,4,1,2024-02-29T16:00:00Z,2024-03-01T02:02:00Z",
            // wmA became a contact, wrote twice and was called; wmB came and wrote; wmC came.
            "2024-03-01,CORP,zhangsan,E-1,3,7,4,3,2024-03-01T00:00:00Z,2024-03-01T03:00:00Z",
            "2024-03-02,CORP,lisi,E-2,1,1,0,1,2024-03-02T00:00:10Z,2024-03-02T00:00:10Z",
            "2024-03-02,CORP,zhangsan,E-1,2,3,1,2,2024-03-01T16:00:00Z,2024-03-02T00:00:20Z",
        ]
    );
    assert_eq!(
        lines(&app, "first_response_time", BOTH).await,
        [
            // wmD wrote at midnight and was answered at 10:01.
            "2024-03-01,CORP,lisi,E-2,1,1,36060,36060,36060",
            // wmA wrote at nine and was called at half past; nobody answered wmB.
            "2024-03-01,CORP,zhangsan,E-1,2,1,1800,1800,1800",
            "2024-03-02,CORP,zhangsan,E-1,1,0,,,",
        ]
    );
    assert_eq!(
        lines(&app, "additions_and_losses", BOTH).await,
        [
            "2024-03-01,CORP,lisi,E-2,1,0,0,0,0,0,1",
            "2024-03-01,CORP,zhangsan,E-1,2,1,0,0,0,0,2",
            "2024-03-02,CORP,lisi,E-2,0,0,0,0,1,1,-2",
            "2024-03-02,CORP,zhangsan,E-1,0,0,1,1,0,0,-2",
        ]
    );
    assert_eq!(
        lines(&app, "message_volumes", BOTH).await,
        ["2024-03-01,CORP,image,1,0,1,0,1", "2024-03-01,CORP,text,8,5,2,1,3", "2024-03-02,CORP,text,1,1,0,0,1",]
    );
    assert_eq!(
        lines(&app, "unmatched_customers", BOTH).await,
        [
            "2024-03-01,CORP,wmG,,lisi,E-2,assumed,,,2024-03-01T15:59:59Z,,0,false",
            "2024-03-02,CORP,wmF,'=1+1,lisi,E-2,contacted,,,2024-03-01T16:00:00Z,,2,false",
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn the_order_and_handover_views_show_the_recorded_outcomes() {
    let app = story().await;
    assert_eq!(
        lines(&app, "work_order_funnel", BOTH).await,
        ["2024-03-01,CORP,E-1,2,2,2,2,1,1,1,0,5400", "2024-03-02,CORP,,1,0,0,0,0,0,0,1,"]
    );
    let times = "2024-03-01T02:00:00Z,,2024-03-03T03:00:00Z";
    assert_eq!(
        lines(&app, "handover_outcomes", BOTH).await,
        [
            format!("2024-03-01,CORP,1,wangwu,E-9,left,done,customer,3,1,1,0,0,0,0,1,{times},1"),
            format!("2024-03-01,CORP,1,wangwu,E-9,left,done,order,1,1,0,0,0,0,0,0,{times},0"),
            "2024-03-02,CORP,2,zhaoliu,,resignation,detected,,0,0,0,0,0,0,0,0,,,,0".to_owned(),
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn a_report_covers_the_days_of_shanghai_and_the_staff_that_are_asked_for() {
    let app = story().await;
    let eve = "since=2024-02-29&until=2024-02-29";
    let first = "since=2024-03-01&until=2024-03-01";
    assert_eq!(lines(&app, "message_volumes", eve).await, ["2024-02-29,CORP,text,1,1,0,0,1"]);
    assert_eq!(lines(&app, "work_order_funnel", eve).await, ["2024-02-29,CORP,E-1,1,1,0,0,0,0,0,1,"]);
    for (name, rows) in REPORTS.into_iter().zip([2, 2, 2, 1, 2, 2, 1]) {
        let found = lines(&app, name, first).await;
        assert_eq!(found.len(), rows, "{name}: {found:?}");
        assert!(found.iter().all(|it| it.starts_with("2024-03-01,")), "{name}: {found:?}");
    }
    let of_lisi = lines(&app, "additions_and_losses", &format!("{BOTH}&staff_id=E-2")).await;
    assert_eq!(of_lisi.len(), 2, "{of_lisi:?}");
    assert!(of_lisi.iter().all(|it| it.contains(",E-2,")), "{of_lisi:?}");

    // A department holds the members of those below it, too.
    app.db
        .execute(&format!(
            "insert into department (corpid, id, parent_id, named_at) values
                 ('{corp}', 3, 1, now()), ('{corp}', 8, 3, now()), ('{corp}', 9, 1, now());
             update member set department = '8' where wechat_userid = 'lisi';
             insert into member (corpid, wechat_userid, department) values ('{corp}', 'lisi', '8'), ('{corp}', 'zhangsan', '9,1')
             on conflict on constraint member_key do update set department = excluded.department",
            corp = app.corp.corpid
        ))
        .await;
    for (department, users) in [("3", 2), ("8", 2), ("9", 2), ("1", 4), ("77", 0)] {
        let found = lines(&app, "additions_and_losses", &format!("{BOTH}&department={department}")).await;
        assert_eq!(found.len(), users, "{department}: {found:?}");
    }
    // A tag picks contacts.
    let unmatched = lines(&app, "unmatched_customers", BOTH).await.len();
    assert!(unmatched > 0);
    assert_eq!(lines(&app, "unmatched_customers", &format!("{BOTH}&tag=etA")).await, [""; 0]);
    app.db
        .execute(
            "update customer_wechat_contact set card = coalesce(card, '{}') || '{\"tag_ids\": [\"etA\"]}'
             where customer_id is null",
        )
        .await;
    assert_eq!(lines(&app, "unmatched_customers", &format!("{BOTH}&tag=etA")).await.len(), unmatched);
    let tagged = lines(&app, "contacts_by_tag", &format!("{BOTH}&tag=etA")).await;
    assert!(!tagged.is_empty() && tagged.iter().all(|it| it.contains(",etA,")), "{tagged:?}");
    assert_eq!(lines(&app, "contacts_by_tag", &format!("{BOTH}&tag=etB")).await, [""; 0]);

    // Without days it is today and the six before.
    assert_eq!(lines(&app, "message_volumes", "").await, [""; 0]);
    app.db
        .execute(
            "update wechat_contact_record set contact_time = now() - interval '6 days' where contact_type = 'image'",
        )
        .await;
    assert_eq!(lines(&app, "message_volumes", "").await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn the_table_and_the_pages_of_a_report_agree() {
    let app = story().await;
    for name in REPORTS {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("{BASE}/reports/{name}?{BOTH}&limit=1{cursor}");
            let page = app.ask("GET", &page, None).await.json();
            items.extend(page["items"].as_array().expect("items").clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let table = csv_of(&app, name, BOTH).await;
        assert!(
            table.head.contains("text/csv; charset=utf-8") && !table.head.contains("x-next-cursor"),
            "{}",
            table.head
        );
        let body = table.body.strip_prefix("\u{feff}".as_bytes()).expect("Excel sees that it is UTF-8");
        let mut reader = csv::Reader::from_reader(body);
        let names = reader.headers().expect("a line of names").clone();
        let rows: Vec<_> = reader.records().map(|it| it.expect("a row")).collect();
        let of_pages: Vec<Vec<String>> =
            items.iter().map(|it| names.iter().map(|name| cell(&it[name])).collect()).collect();
        let of_table: Vec<Vec<&str>> =
            rows.iter().map(|it| it.iter().map(|cell| cell.trim_start_matches('\'')).collect()).collect();
        assert_eq!(of_table, of_pages, "{name}");
        assert!(items.iter().all(|it| it.as_object().map(|it| it.len()) == Some(names.len())), "{name}: {names:?}");
    }
    let part = csv_of(&app, "additions_and_losses", &format!("{BOTH}&limit=3")).await;
    assert!(part.head.contains("x-next-cursor: "), "{}", part.head);
    let accept = [("authorization", &*bearer(&app)), ("accept", "text/csv")];
    let path = format!("{BASE}/reports/message_volumes?{BOTH}");
    let asked = request(app.app.admin, "GET", &path, &accept, b"").await.expect("an answer");
    assert_eq!(asked.body, csv_of(&app, "message_volumes", BOTH).await.body);
    app.finish().await;
}

#[tokio::test]
async fn a_report_about_one_day_reads_no_other_month() {
    let app = story().await;
    for view in ["contacts_by_staff_day", "first_response_time", "additions_and_losses", "message_volumes"] {
        let asked = format!("select * from reporting.{view} where day = '2024-03-02'");
        let plan = app.db.texts(&format!("explain (analyze, costs off, timing off) {asked}")).await;
        let of = |month: &str| {
            plan.iter().filter(|it| it.contains(&format!(" on wechat_contact_record_{month}"))).collect::<Vec<_>>()
        };
        let read = |month: &str| of(month).iter().any(|it| !it.contains("never executed"));
        assert!(read("202403"), "{view}: {plan:#?}");
        assert!(!of("202402").is_empty() && !read("202402"), "{view}: {plan:#?}");
    }
    app.finish().await;
}

#[tokio::test]
async fn two_reports_are_made_at_once_and_a_third_is_told_when_to_ask_again() {
    let app = story().await;
    let mut lock = app.db.pool.begin().await.expect("begins");
    sqlx::query("lock table wechat_contact_record in access exclusive mode").execute(&mut *lock).await.expect("locks");
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'wecomd' and wait_event_type = 'Lock'";
    let third = async {
        until("two reports wait for the table", async || app.db.count(waiting).await == 2).await;
        let refused = csv_of(&app, "first_response_time", BOTH).await;
        lock.rollback().await.expect("let go");
        refused
    };
    let (first, second, third) =
        tokio::join!(csv_of(&app, "message_volumes", BOTH), csv_of(&app, "contacts_by_staff_day", BOTH), third);
    assert_eq!((first.status, second.status, third.status), (200, 200, 429), "{}", third.text());
    assert!(third.head.contains("retry-after: 5"), "{}", third.head);
    assert_eq!(csv_of(&app, "first_response_time", BOTH).await.status, 200, "capacity is free again");
    app.finish().await;
}

#[tokio::test]
async fn an_unknown_report_or_invalid_parameter_is_refused_with_the_valid_ones() {
    let app = TestApp::start().await;
    let unknown = app.ask("GET", &format!("{BASE}/reports/pg_authid"), None).await.json();
    assert_eq!(unknown["code"], "report_unknown");
    for name in REPORTS {
        assert!(unknown["detail"].as_str().is_some_and(|it| it.contains(name)), "{unknown}");
    }
    for (query, field) in [
        ("since=2024-3-1", "since"),
        ("until=yesterday", "until"),
        ("since=2024-03-02&until=2024-03-01", "since"),
        ("since=2020-01-01&until=2024-03-01", "since"),
        ("format=pdf", "format"),
        ("limit=201", "limit"),
        ("cursor=eA", "cursor"),
        ("format=csv&limit=50001", "limit"),
        ("staff_id=E-1", "staff_id"),
        ("department=3", "department"),
        ("tag=etA", "tag"),
    ] {
        let refused = app.ask("GET", &format!("{BASE}/reports/message_volumes?{query}"), None).await;
        assert_eq!((refused.status, &refused.json()["field"]), (400, &Value::from(field)), "{query}");
    }
    for number in ["0", "-1", "sales"] {
        let target = format!("{BASE}/reports/contacts_by_staff_day?department={number}");
        let refused = app.ask("GET", &target, None).await;
        assert_eq!((refused.status, &refused.json()["field"]), (400, &Value::from("department")), "{number}");
    }
    app.finish().await;
}

#[tokio::test]
async fn every_view_and_column_is_explained_in_chinese_and_in_english() {
    let db = TestDb::new().await;
    let views = "select relname::text from pg_class where relnamespace = 'reporting'::regnamespace order by relname";
    // The history of owners has no day, so it is no report.
    let mut expected = Vec::from_iter(REPORTS.into_iter().chain(["owner_history"]));
    expected.sort_unstable();
    assert_eq!(db.texts(views).await, expected);
    let comments = db
        .texts(
            "select relname || coalesce('.' || attname, '') || '=' || coalesce(description, '')
             from pg_class
             left join lateral (
                select 0::smallint as attnum, null::name as attname
                union all
                select attnum, attname from pg_attribute where attrelid = pg_class.oid and attnum > 0
             ) part on true
             left join pg_description on objoid = pg_class.oid and objsubid = attnum and classoid = 'pg_class'::regclass
             where relnamespace = 'reporting'::regnamespace",
        )
        .await;
    assert!(comments.len() > 70, "{comments:?}");
    for comment in comments {
        let (name, said) = comment.split_once('=').expect("a name");
        let (english, chinese) = said.split_once(" | ").unwrap_or_default();
        assert!(chinese.chars().any(|it| ('一'..='龥').contains(&it)), "{name} has no Chinese: {said}");
        assert!(english.is_ascii() && english.len() > 3, "{name} has no English: {said}");
    }
    db.close().await;
}

#[tokio::test]
async fn a_granted_role_reads_the_views_and_nothing_else_until_it_is_revoked() {
    let app = story().await;
    let role = format!("analyst_{}", uuid::Uuid::now_v7().simple());
    let password = reporting(&app.db, &["grant", "--role", &role]).await.expect("granted");
    assert!(password.trim_end().len() >= 32, "a password, alone: {password}");
    assert_eq!(reporting(&app.db, &["grant", "--role", &role]).await.as_deref(), Ok(""), "it is shown once");

    app.db.execute("create view reporting.later as select 1 as one").await;
    let options = app.db.options().username(&role).password(password.trim_end());
    let mut conn = PgConnection::connect_with(&options).await.expect("it may log in");
    for view in REPORTS {
        assert!(allowed(&mut conn, &format!("select * from reporting.{view}")).await, "{view}");
    }
    assert!(allowed(&mut conn, "select * from reporting.later").await, "a view of a later version is readable at once");
    let settings: (String, String) =
        sqlx::query_as("select current_setting('statement_timeout'), current_setting('default_transaction_read_only')")
            .fetch_one(&mut conn)
            .await
            .expect("asked");
    assert_eq!(settings, ("1min".to_owned(), "on".to_owned()));

    // A role that resets the setting still has no permission.
    assert!(allowed(&mut conn, "set default_transaction_read_only = off").await);
    let of_kind = async |kinds: &str| {
        let sql = "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind in";
        app.db.texts(&format!("{sql} ({kinds})")).await
    };
    let tables = of_kind("'r', 'p'").await;
    assert!(tables.len() > 30, "{tables:?}");
    for table in of_kind("'v', 'm', 'S'").await.iter().chain(&tables) {
        assert!(!allowed(&mut conn, &format!("select * from {table}")).await, "{table} is readable");
    }
    for table in tables {
        assert!(!allowed(&mut conn, &format!("delete from {table}")).await, "{table} can be emptied");
    }
    for forbidden in [
        "delete from reporting.unmatched_customers",
        "create table reporting.mine (one integer)",
        "create table public.mine (one integer)",
        "select reporting_grant('somebody', 'x')",
        "select * from pg_authid",
    ] {
        assert!(!allowed(&mut conn, forbidden).await, "{forbidden}");
    }

    reporting(&app.db, &["revoke", "--role", &role]).await.expect("revoked");
    for view in REPORTS {
        assert!(!allowed(&mut conn, &format!("select * from reporting.{view}")).await, "{view} after the revocation");
    }
    conn.close().await.expect("closes");
    app.db.execute(&format!("drop role {role}")).await;
    app.finish().await;
}

#[tokio::test]
async fn a_role_with_write_permissions_is_not_granted_the_reports() {
    let db = TestDb::new().await;
    let own = db.texts("select current_user::text").await.concat();
    for name in [own.as_str(), "pg_monitor", "public", "No Such Name", "x\"; drop schema reporting; --"] {
        let refused = reporting(&db, &["grant", "--role", name]).await.expect_err(name);
        assert!(refused.contains("role"), "{name}: {refused}");
    }
    let writer = format!("writer_{}", uuid::Uuid::now_v7().simple());
    db.execute(&format!("create role {writer}; grant update on member to {writer}")).await;
    let refused = reporting(&db, &["grant", "--role", &writer]).await.expect_err("it may write");
    assert!(refused.contains("may do more than read"), "{refused}");
    db.execute(&format!("drop owned by {writer}; drop role {writer}")).await;
    assert!(reporting(&db, &["revoke", "--role", "nobody_at_all"]).await.is_err());
    assert_eq!(db.count("select count(*) from pg_db_role_setting join pg_database on pg_database.oid = setdatabase where datname = current_database()").await, 0);

    let listed = reporting(&db, &["list"]).await.expect("listed");
    let shown: BTreeMap<_, _> =
        listed.lines().filter(|it| !it.starts_with(' ')).filter_map(|it| it.split_once("  ")).collect();
    assert!(REPORTS.iter().all(|it| shown.contains_key(it)), "{listed}");
    assert!(listed.contains("  to_contact_median_s"), "{listed}");
    db.close().await;
}

/// `wecomd reporting …`: what it prints, or what it complains of.
async fn reporting(db: &TestDb, arguments: &[&str]) -> Result<String, String> {
    use secrecy::ExposeSecret;
    let folder = Folder::new("reporting");
    let mut command = tokio::process::Command::from(program(folder.path()));
    command.env("DATABASE_URL", db.url.expose_secret()).arg("reporting").args(arguments);
    let output = command.output().await.expect("wecomd runs");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Whether a statement is carried out; if not, it must be for lack of a right.
async fn allowed(conn: &mut PgConnection, sql: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "the statements are made up here")]
    match sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(conn).await {
        Ok(_) => true,
        Err(error) => {
            let code = error.as_database_error().and_then(|it| it.code()).expect("the database says why").into_owned();
            assert_eq!(code, "42501", "{sql}: {error}");
            false
        }
    }
}

fn bearer(app: &TestApp) -> String {
    use secrecy::ExposeSecret;
    format!("Bearer {}", app.token.expose_secret())
}

/// A value as a table shows it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
