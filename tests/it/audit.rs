//! The access log's chains: a changed line is detected, and many writers may append at once.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use wecomd::{
    access::audit::{Break, End, Verdict, What, verify},
    tables::MIGRATOR,
};

use crate::support::{TestApp, TestDb, http::request};

/// The number of concurrent writers.
const WRITERS: usize = 16;

/// The migration that made the chains.
const CHAINS_CAME: i64 = 15;

/// How many requests each makes.
const EACH: usize = 25;

/// So many lines, written one after the other: they are in one chain.
async fn lines(db: &TestDb, count: usize) {
    for number in 1..=count {
        db.execute(&format!(
            "insert into access_log (token_id, who, role, method, route, subject, status, request_id, address)
             values (7, '王工', 'operator', 'GET', '/r', 'C-{number}', 200, gen_random_uuid(), '192.0.2.1')"
        ))
        .await;
    }
}

/// Does what only an owner of the database can do, with the triggers off.
async fn behind_its_back(db: &TestDb, sql: &str) {
    db.execute(&format!("begin; set local session_replication_role = replica; {sql}; commit")).await;
}

fn ends(verdict: Verdict) -> Vec<End> {
    match verdict {
        Verdict::Whole { ends, .. } => ends,
        Verdict::Broken(found) => panic!("{found}"),
    }
}

fn at(position: i64, what: What) -> Verdict {
    Verdict::Broken(Break { chain: 1, position, what })
}

#[tokio::test]
async fn a_line_that_is_changed_removed_swapped_or_added_is_found_where_it_is() {
    let db = TestDb::new().await;
    lines(&db, 9).await;
    let whole = ends(verify(&db.pool, &[]).await.expect("it reads"));
    assert_eq!(whole.iter().map(|it| (it.chain, it.lines)).collect::<Vec<_>>(), [(1, 9)]);

    db.execute("create table kept as select * from access_log; create table kept_heads as select * from access_chain")
        .await;
    let restore = "delete from access_log; insert into access_log overriding system value select * from kept;
        delete from access_chain; insert into access_chain select * from kept_heads";
    let place =
        "update access_log it set (position, previous, hash) = (select position, previous, hash from kept where id =";
    let swap = format!(
        "update access_log set position = -1 where id = 3; {place} 3) where it.id = 6; {place} 6) where it.id = 3"
    );
    let exchange = "update access_log it set (who, subject, at) = (select who, subject, at from kept
        where id = case it.id when 3 then 6 else 3 end) where id in (3, 6)";
    for (harm, found) in [
        ("update access_log set subject = 'C-0' where id = 4", at(4, What::Changed(4))),
        ("update access_log set at = at + interval '1 microsecond' where id = 9", at(9, What::Changed(9))),
        ("update access_log set who = '王', role = '工operator' where id = 1", at(1, What::Changed(1))),
        ("delete from access_log where id = 1", at(1, What::Missing)),
        ("delete from access_log where id = 5", at(5, What::Missing)),
        ("delete from access_log where id > 6", at(7, What::Missing)),
        ("delete from access_log", at(1, What::Missing)),
        (swap.as_str(), at(3, What::Changed(6))),
        (exchange, at(3, What::Changed(3))),
        (
            "update access_log set subject = 'C-0' where id = 4;
          update access_log it set hash = access_log_hash(it) where id = 4",
            at(5, What::Misplaced(5)),
        ),
        (
            "update access_log set subject = 'C-0' where id = 9;
          update access_log it set hash = access_log_hash(it) where id = 9",
            at(9, What::Rewritten),
        ),
        (
            "insert into access_log overriding system value select 99, at, token_id, who, role, method, route, subject,
          status, request_id, address, customer, times, 1, 10, hash, hash from kept where id = 9",
            at(10, What::Added(99)),
        ),
        ("delete from access_chain where chain = 1", at(1, What::Added(1))),
    ] {
        behind_its_back(&db, harm).await;
        assert_eq!(verify(&db.pool, &[]).await.expect("it reads"), found, "{harm}");
        behind_its_back(&db, restore).await;
        assert_eq!(ends(verify(&db.pool, &[]).await.expect("it reads")), whole, "restored after {harm}");
    }
    db.close().await;
}

#[tokio::test]
async fn a_rewritten_log_is_detected_by_chain_ends_noted_earlier() {
    let db = TestDb::new().await;
    lines(&db, 6).await;
    let noted = ends(verify(&db.pool, &[]).await.expect("it reads"));
    lines(&db, 3).await;
    assert_eq!(ends(verify(&db.pool, &noted).await.expect("it reads"))[0].lines, 9, "it goes on from there");

    // Every line after the second is chained anew, as the database itself would.
    let anew = "create temp table old on commit drop as select * from access_log where position > 2;
        delete from access_log where position > 2;
        update access_chain set position = 2, hash = (select hash from access_log where position = 2) where chain = 1;
        set local session_replication_role = origin;
        insert into access_log (token_id, who, role, method, route, subject, status, request_id, address)
        select token_id, 'somebody', role, method, route, subject, status, request_id, address from old order by id";
    behind_its_back(&db, anew).await;
    assert_eq!(ends(verify(&db.pool, &[]).await.expect("it reads"))[0].lines, 9, "it fits in itself");
    assert_eq!(verify(&db.pool, &noted).await.expect("it reads"), at(6, What::Rewritten));

    behind_its_back(
        &db,
        "delete from access_log where position > 4;
         update access_chain set position = 4, hash = (select hash from access_log where position = 4) where chain = 1",
    )
    .await;
    assert_eq!(ends(verify(&db.pool, &[]).await.expect("it reads"))[0].lines, 4);
    assert_eq!(verify(&db.pool, &noted).await.expect("it reads"), at(5, What::Missing));
    db.close().await;
}

#[tokio::test]
async fn lines_from_before_the_chains_are_chained_afterwards() {
    let db = TestDb::empty().await;
    let migrate = async |wanted: std::ops::RangeInclusive<i64>| {
        for migration in MIGRATOR.iter().filter(|it| wanted.contains(&it.version)) {
            db.execute(migration.sql.as_str()).await;
        }
    };
    migrate(1..=CHAINS_CAME - 1).await;
    lines(&db, 5).await;
    migrate(CHAINS_CAME..=i64::MAX).await;
    assert_eq!(ends(verify(&db.pool, &[]).await.expect("it reads"))[0].lines, 5);
    lines(&db, 2).await;
    assert_eq!(ends(verify(&db.pool, &[]).await.expect("it reads"))[0].lines, 7, "they go on");
    db.close().await;
}

#[tokio::test]
async fn the_program_can_only_append_to_the_access_log() {
    let db = TestDb::new().await;
    lines(&db, 2).await;
    for refused in [
        "update access_log set who = 'x'",
        "delete from access_log",
        "truncate access_log",
        "update access_chain set position = 0",
        "insert into access_chain (chain) values (99)",
        "delete from access_chain",
        "truncate access_chain",
    ] {
        let error = sqlx::raw_sql(refused).execute(&db.pool).await.expect_err(refused);
        let code = error.as_database_error().and_then(|it| it.code()).map(|it| it.into_owned());
        assert_eq!(code.as_deref(), Some("42501"), "{refused}: insufficient_privilege");
    }
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_at_once_leave_chains_that_verify() {
    let app = TestApp::start_with(|config| config.database.pool_max = 20).await;
    let (admin, bearer) = (app.app.admin, format!("Bearer {}", app.token.expose_secret()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let bearer = bearer.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let target = format!("/api/enterprise-wechat/customer-contact/C-{writer}-{number}");
                    let headers = [("authorization", bearer.as_str())];
                    let answer = request(admin, "GET", &target, &headers, b"").await.expect("an answer");
                    assert_eq!(answer.status, 404, "{}", answer.text());
                }
            })
        })
        .collect();
    // A verification that runs meanwhile sees an intact log, too.
    ends(verify(&app.db.pool, &[]).await.expect("it reads"));
    for writer in writers {
        writer.await.expect("it ends");
    }
    let found = ends(verify(&app.db.pool, &[]).await.expect("it reads"));
    let total: i64 = found.iter().map(|it| it.lines).sum();
    assert_eq!(total, i64::try_from(WRITERS * EACH).expect("small"), "{found:?}");
    let subjects = app.db.texts("select subject from access_log").await;
    assert_eq!(BTreeSet::from_iter(subjects).len(), WRITERS * EACH, "each request has its line");
    app.finish().await;
}

#[tokio::test]
async fn writers_who_hold_every_chain_are_waited_for() {
    let db = TestDb::new().await;
    let mut holder = db.pool.begin().await.expect("begins");
    sqlx::query("select from access_chain for update").execute(&mut *holder).await.expect("locked");
    let pool = db.pool.clone();
    let waiting = tokio::spawn(async move {
        sqlx::query(
            "insert into access_log (who, role, method, route, subject, status, request_id, address)
             values ('x', '-', 'GET', '/r', '', 200, gen_random_uuid(), '-')",
        )
        .execute(&pool)
        .await
    });
    crate::support::wait::until("the writer waits for a chain", async || {
        db.count(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .await
            == 1
    })
    .await;
    holder.rollback().await.expect("let go");
    waiting.await.expect("it ends").expect("written");
    assert_eq!(ends(verify(&db.pool, &[]).await.expect("it reads")).len(), 1);
    db.close().await;
}
