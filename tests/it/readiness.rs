//! What `/readyz` says when callbacks cannot be stored, and what one refused callback costs the others.

use wecomd::{
    inbox::{Inbox, Wake, try_storing},
    sandbox::{AppKind, Push},
};

use crate::support::{
    TestApp, TestDb,
    http::request,
    plaintext::{contact, event},
    wait::until,
};

/// A moment in the past.
const AT: i64 = 1_700_000_000;

fn met(customer: &str) -> Push {
    Push::genuine(AppKind::App, contact(AT, "add_external_contact", "zhangsan", customer, &[]))
}

/// The status of `/readyz`, and what it says of the database.
async fn ready(app: &TestApp) -> (u16, String) {
    let answer = request(app.app.admin, "GET", "/readyz", &[], b"").await.expect("an answer");
    (answer.status, answer.json()["database"].as_str().unwrap_or_default().to_owned())
}

/// Sends callbacks until `/readyz` has heard of enough refusals; none may be answered.
async fn refuse_several(app: &TestApp) {
    for number in 0..5 {
        assert!(app.post(&met(&format!("wmRefused{number}"))).await.is_none(), "it is not stored, so not answered");
    }
}

#[tokio::test]
async fn readyz_names_why_the_database_refuses_every_callback() {
    let app = TestApp::start().await;
    assert!(app.post(&met("wmFirst")).await.is_some());
    app.db
        .execute(
            "create function refuse() returns trigger language plpgsql as $$ begin
                 raise exception 'closed for stocktaking';
             end $$",
        )
        .await;
    for (refuse, allow, said) in [
        (
            "create trigger refuse before insert on pending for each row execute function refuse()",
            "drop trigger refuse on pending",
            "P0001: closed for stocktaking",
        ),
        (
            "alter table pending add constraint pending_refuse check (attempts > 7) not valid",
            "alter table pending drop constraint pending_refuse",
            "23514: new row for relation \"pending\" violates check constraint \"pending_refuse\"",
        ),
        (
            "alter table inbox rename column plaintext to words",
            "alter table inbox rename column words to plaintext",
            "42703: column \"plaintext\" of relation \"inbox\" does not exist",
        ),
    ] {
        app.db.execute(refuse).await;
        refuse_several(&app).await;
        let found = ready(&app).await;
        app.db.execute(allow).await;
        assert_eq!(found, (503, format!("could not store the last callbacks: {said}")));
        assert!(app.post(&met("wmRefused0")).await.is_some(), "WeCom's repeat");
        assert_eq!(ready(&app).await, (200, "ok".to_owned()), "something was stored since");
        app.db.execute("delete from inbox where true; delete from pending; delete from pending_group").await;
    }
    app.finish().await;
}

#[tokio::test]
async fn readyz_names_a_permission_that_was_taken_away() {
    let app = TestApp::start().await;
    assert!(app.post(&met("wmFirst")).await.is_some());
    let role = format!("r_{}", uuid::Uuid::now_v7().simple());
    // New connections use a role that may do anything but store.
    app.db
        .execute(&format!(
            "create role {role};
             grant all on all tables in schema public to {role};
             revoke insert on inbox from {role};
             do $$ begin execute format('alter database %I set role = {role}', current_database()); end $$;
             select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'wecomd'"
        ))
        .await;
    // The first may meet the connection that was just ended.
    refuse_several(&app).await;
    let found = ready(&app).await;
    app.db
        .execute(&format!(
            "do $$ begin execute format('alter database %I reset role', current_database()); end $$;
             select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'wecomd';
             drop owned by {role}; drop role {role}"
        ))
        .await;
    assert_eq!(found, (503, "could not store the last callbacks: 42501: permission denied for table inbox".to_owned()));
    until("it is stored again", async || app.post(&met("wmRefused0")).await.is_some()).await;
    until("it is ready again", async || ready(&app).await.0 == 200).await;
    app.finish().await;
}

/// The database refuses what contains the word.
const REFUSE_POISON: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin
        if position('poison'::bytea in new.plaintext) > 0 then
            raise exception 'no poison';
        end if;
        return new;
    end $$;
    create trigger refuse before insert on inbox for each row execute function refuse();";

#[tokio::test]
async fn one_refused_callback_does_not_affect_others_and_readyz_stays_200() {
    let app = TestApp::start().await;
    app.db.execute(REFUSE_POISON).await;
    let standing = {
        let (inbox, committer) = Inbox::start(app.db.options(), Wake::default());
        // All of them wait before the committer takes the first, so they are one group.
        let plaintexts =
            (0..20).map(|it| event(AT, if it == 7 { "poison" } else { "good" }, &[("N", &it.to_string())]));
        let accepting: Vec<_> = plaintexts
            .map(|it| {
                let inbox = inbox.clone();
                tokio::spawn(async move { inbox.accept(1, "any", it.into_bytes()).await })
            })
            .collect();
        for (number, accepted) in accepting.into_iter().enumerate() {
            assert_eq!(accepted.await.expect("no panic").is_err(), number == 7, "{number}");
        }
        let standing = inbox.commit_status();
        drop(inbox);
        committer.await.expect("the committer ends");
        standing
    };
    assert_eq!(standing.failure(), None);
    assert_eq!(app.db.count("select count(*) from inbox").await, 19);

    // WeCom repeats what was not answered, and nothing else comes.
    for _ in 0..5 {
        assert!(app.post(&Push::genuine(AppKind::App, event(AT, "poison", &[]))).await.is_none());
        assert_eq!(ready(&app).await, (200, "ok".to_owned()));
    }
    app.finish().await;
}

#[tokio::test]
async fn the_storage_trial_reports_its_result_and_stores_nothing() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("connects");
    try_storing(&mut conn).await.expect("it can be stored");
    db.execute("alter table pending add constraint pending_refuse check (attempts > 7) not valid").await;
    let refused = try_storing(&mut conn).await.expect_err("it cannot");
    assert_eq!(refused.as_database_error().and_then(|it| it.code()).as_deref(), Some("23514"));
    assert_eq!(db.count("select (select count(*) from inbox) + (select count(*) from pending_delivery)").await, 0);
    drop(conn);
    db.close().await;
}
