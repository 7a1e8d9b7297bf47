//! The words that text columns may hold: the enums, the constraints in the database and what is stored say the same, and
//! a word that nobody knows is an error that names its column.

use std::collections::{BTreeMap, BTreeSet};

use wecomd::{
    handover::transition::{By, settle},
    ids::{CorpId, ExternalUserId, UserId},
    states,
    tables::{
        access::{api_token, console_user},
        apps::enterprise_wechat_config,
        customers::{customer_match, customer_wechat_contact},
        handover::{self, ItemFilter, TransferFilter},
        orders::work_order,
        privacy::{erasure, retention},
        records::{
            conversation::{self, Filter, Talk},
            media, welcome,
        },
        staff::{resignation, staff_wechat_bind},
        sync::{
            sync_drift,
            sync_run::{self, Which},
            sync_shard,
        },
        task,
        upkeep::backup,
    },
};

use crate::support::TestDb;

/// Columns of an enum that no constraint holds: each is written by the program alone, and most are history.
const UNCONSTRAINED: [&str; 8] = [
    "customer_match.matched_by",
    "handover_log.from_state",
    "handover_log.kind",
    "handover_log.to_state",
    "task.kind",
    "wechat_contact_record.source",
    "work_order_change.from_state",
    "work_order_change.to_state",
];

#[tokio::test]
async fn every_enum_matches_its_check_constraint_and_every_constraint_has_an_enum() {
    let db = TestDb::new().await;
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select conrelid::regclass::text, pg_get_constraintdef(pg_constraint.oid) from pg_constraint
         join pg_class on pg_class.oid = conrelid and not relispartition
         where contype = 'c' and pg_constraint.connamespace = 'public'::regnamespace",
    )
    .fetch_all(&db.pool)
    .await
    .expect("the catalogue is read");
    let constrained: BTreeMap<_, _> = rows.iter().filter_map(|(table, check)| closed_set(table, check)).collect();
    assert!(constrained.len() > 20, "only {constrained:#?}");

    let declared: BTreeMap<_, BTreeSet<_>> = states::columns()
        .into_iter()
        .map(|(column, words)| (column.to_owned(), words.into_iter().map(str::to_owned).collect()))
        .collect();
    let without: Vec<_> = declared.keys().filter(|it| !constrained.contains_key(*it)).collect();
    assert_eq!(without, UNCONSTRAINED);
    for (column, words) in &constrained {
        assert_eq!(declared.get(column), Some(words), "{column}");
    }
    for (column, _) in states::columns() {
        let (table, name) = column.split_once('.').expect("table.column");
        let exists = "select count(*) from information_schema.columns
            where table_schema = 'public' and data_type = 'text' and table_name = ";
        assert_eq!(db.count(&format!("{exists} '{table}' and column_name = '{name}'")).await, 1, "{column}");
    }
    db.close().await;
}

#[test]
fn a_constraint_is_read_as_a_column_and_its_words() {
    let words = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(
        closed_set("a", "CHECK ((b = ANY (ARRAY['c'::text, 'd'::text])))"),
        Some(("a.b".to_owned(), words(&["c", "d"])))
    );
    for other in [
        "CHECK (((b <> 'done'::text) OR (reason IS NOT NULL)))",
        "CHECK (((NOT own_only) OR (role = ANY (ARRAY['viewer'::text, 'operator'::text]))))",
    ] {
        assert_eq!(closed_set("a", other), None, "{other}");
    }
}

/// `table.column` and its words, if a constraint says that a column holds one of a closed set.
fn closed_set(table: &str, check: &str) -> Option<(String, BTreeSet<String>)> {
    let (column, rest) = check.strip_prefix("CHECK ((")?.split_once(" = ANY (ARRAY[")?;
    if !column.bytes().all(|it| it.is_ascii_lowercase() || it == b'_') {
        return None;
    }
    let words = rest.strip_suffix("])))")?.split(", ");
    let words: Option<_> = words.map(|it| Some(it.strip_prefix('\'')?.strip_suffix("'::text")?.to_owned())).collect();
    Some((format!("{table}.{column}"), words?))
}

/// The error of a read, which must name these columns and the word.
#[track_caller]
fn refused<T>(read: sqlx::Result<T>, columns: &[&str]) {
    let error = read.err().expect("a strange word is no default").to_string();
    assert!(columns.iter().all(|it| error.contains(it)), "{error}");
    assert!(error.contains("holds `foo`, which this version does not know: it knows "), "{error}");
}

/// A database without constraints, whose rows below hold an unknown word.
async fn strange_database() -> TestDb {
    let db = TestDb::new().await;
    db.execute(
        "do $$ declare it record; begin
            for it in
                select conrelid::regclass as relation, conname from pg_constraint
                join pg_class on pg_class.oid = conrelid and not relispartition
                where contype = 'c' and pg_constraint.connamespace = 'public'::regnamespace and coninhcount = 0
            loop
                execute format('alter table %s drop constraint %I', it.relation, it.conname);
            end loop;
        end $$",
    )
    .await;
    let rows = "
        insert into enterprise_wechat_config (name, corpid, token, encoding_aes_key, status)
            values ('shop', 'ww1', '', '', 'foo');
        insert into work_order (corpid, customer_id, description, state) values ('ww1', 'C-1', 'tap', 'foo');
        insert into work_order (corpid, customer_id, description) values ('ww1', 'C-2', 'tap');
        insert into work_order_change (work_order_id, from_state, to_state, who) values (2, 'foo', 'new', 'x');
        insert into staff_wechat_bind (corpid, staff_id, wechat_userid, status) values ('ww1', 'E-1', 'amy', 'foo');
        insert into staff_wechat_bind (corpid, staff_id, wechat_userid, status, unbound_reason)
            values ('ww2', 'E-2', 'bo', 'unbound', 'foo');
        insert into resignation (corpid, staff_id, wechat_userid, last_day, requested_by, state)
            values ('ww1', 'E-1', 'amy', '2026-01-31', 'x', 'foo');
        insert into customer_wechat_contact (corpid, external_userid, wechat_userid, status, status_at)
            values ('ww1', 'wmA', 'amy', 'foo', now()), ('ww1', 'wmB', 'bo', 'contacted', now());
        insert into customer_match (corpid, external_userid, matched_by, candidates)
            values ('ww1', 'wmA', 'foo', '{C-1,C-2}');
        insert into handover (corpid, wechat_userid, state) values ('ww1', 'amy', 'foo'), ('ww1', 'bo', 'detected');
        insert into handover (corpid, wechat_userid, state, cause) values ('ww1', 'cy', 'detected', 'foo');
        insert into handover_item (handover_id, subject, kind, state, successor_userid)
            values (2, 'wmA', 'customer', 'foo', 'cy'), (3, 'wmB', 'foo', 'open', null);
        insert into handover_call (handover_id, kind, flow, handover_userid, successor_userid, items, outcome)
            values (1, 'foo', 'resigned', 'amy', 'bo', '{1}', null), (2, 'group', 'foo', 'bo', 'cy', '{1}', null),
                (3, 'group', 'resigned', 'cy', 'amy', '{1}', 'foo');
        insert into handover_log (handover_id, to_state, actor, cause) values (1, 'foo', 'x', 'y');
        insert into sync_run (corpid, phase) values ('ww1', 'foo');
        insert into sync_run (corpid, state) values ('ww2', 'foo');
        insert into sync_drift (run_id, kind) values (1, 'foo');
        insert into task (corpid, kind, subject, app_id, due_at, version)
            values ('ww1', 'foo', 'x', 1, now(), 1);
        insert into media (corpid, media_id, state) values ('ww1', 'm1', 'foo');
        insert into welcome (corpid, code_hash, external_userid, wechat_userid, app_id, received_at, outcome)
            values ('ww1', decode(repeat('07', 32), 'hex'), 'wmA', 'amy', 1, now(), 'foo');
        insert into backup (file, key_id, outcome) values ('b', 1, 'foo');
        insert into erasure (corpid, named_by, asked_by, request_id, persons, counts, state)
            values ('ww1', 'foo', 'x', gen_random_uuid(), '{}', '{}', 'done');
        insert into retention (kind, ran_at) values ('foo', now());
        insert into api_token (name, role, hash, prefix) values ('x', 'foo', decode(repeat('07', 32), 'hex'), 'p');
        insert into console_user (corpid, wechat_userid, role, added_by) values ('ww1', 'amy', 'foo', 'x');
        insert into wechat_contact_record (contact_time, id, corpid, sender, external_userid, contact_type, content, source)
            values ('2026-01-05', gen_random_uuid(), 'ww1', 'wmA', 'wmA', 'foo', 'hi', 'app'),
                ('2026-01-05', gen_random_uuid(), 'ww1', 'wmB', 'wmB', 'text', 'hi', 'foo');";
    db.execute(rows).await;
    db
}

#[tokio::test]
async fn an_unknown_word_of_orders_staff_or_contacts_is_an_error_that_names_its_column() {
    let db = strange_database().await;
    let mut held = db.pool.acquire().await.expect("connects");
    let conn = &mut *held;
    let corp = CorpId::from("ww1");
    refused(work_order::find(conn, 1).await, &["work_order.state"]);
    refused(work_order::list(conn, &work_order::Filter::default(), 10).await, &["work_order.state"]);
    refused(work_order::changes(conn, 2, 10).await, &["work_order_change.from_state"]);
    let bound = staff_wechat_bind::list(conn, None, Some("ww1"), None, 0, 10).await;
    refused(bound, &["staff_wechat_bind.status"]);
    let unbound = staff_wechat_bind::list(conn, None, Some("ww2"), None, 0, 10).await;
    refused(unbound, &["staff_wechat_bind.unbound_reason"]);
    refused(resignation::find(conn, 1).await, &["resignation.state"]);
    let key = [(ExternalUserId::from("wmA"), UserId::from("amy"))];
    let status = ["customer_wechat_contact.status"];
    refused(customer_wechat_contact::held(conn, &corp, &key).await, &status);
    refused(customer_wechat_contact::of_customer(conn, None, "wmA", 10).await, &status);
    let of = |customer: &str| Talk::Customer(customer.to_owned());
    let of_type = conversation::list(conn, &of("wmA"), &Filter::default(), 10).await;
    refused(of_type, &["wechat_contact_record.contact_type"]);
    let of_source = conversation::list(conn, &of("wmB"), &Filter::default(), 10).await;
    refused(of_source, &["wechat_contact_record.source"]);
    // This comes last, because it removes the contact from the table.
    refused(customer_wechat_contact::take(conn, &corp, &UserId::from("amy")).await, &status);
    refused(customer_match::list(conn, false, 0, 10).await, &["customer_match.matched_by"]);
    refused(enterprise_wechat_config::all(conn).await, &["enterprise_wechat_config.status"]);
    refused(api_token::find_live(conn, &[7; 32]).await, &["api_token.role"]);
    refused(console_user::page(conn, None, 10).await, &["console_user.role"]);
    drop(held);
    db.close().await;
}

#[tokio::test]
async fn an_unknown_handover_state_is_an_error_and_changes_nothing() {
    let db = strange_database().await;
    let mut held = db.pool.acquire().await.expect("connects");
    let conn = &mut *held;
    refused(handover::find(conn, 1).await, &["handover.state"]);
    refused(handover::find(conn, 3).await, &["handover.cause"]);
    refused(handover::items(conn, 2, &ItemFilter::default(), 0, 10).await, &["handover_item.state"]);
    refused(handover::items(conn, 3, &ItemFilter::default(), 0, 10).await, &["handover_item.kind"]);
    refused(handover::transfers(conn, &TransferFilter::default(), 10).await, &["handover_item.state"]);
    refused(handover::placed(conn, 2).await, &["handover_item.state"]);
    refused(handover::calls(conn, 1, 10).await, &["handover_call.kind"]);
    refused(handover::calls(conn, 2, 10).await, &["handover_call.flow"]);
    refused(handover::calls(conn, 3, 10).await, &["handover_call.outcome"]);
    let log = ["handover_log.from_state", "handover_log.to_state"];
    refused(handover::Turned::list(conn, 1, None, 10).await, &log);

    // Once taken for an open item, it would have made the whole handover another one.
    let settled = settle(conn, 2, By { actor: "wecomd", cause: "test" }).await;
    refused(settled, &["handover_item.state"]);
    drop(held);
    assert_eq!(db.texts("select state from handover where id = 2").await, ["detected"]);
    db.close().await;
}

#[tokio::test]
async fn an_unknown_word_of_tasks_runs_or_upkeep_is_an_error_that_names_its_column() {
    let db = strange_database().await;
    let mut held = db.pool.acquire().await.expect("connects");
    let conn = &mut *held;
    refused(task::list(conn, &task::Filter::default(), 10).await, &["task.kind"]);
    refused(task::standing(conn).await, &["task.kind"]);
    let lease = sync_run::take(conn, Which::One(1)).await.expect("asked").expect("it is due");
    // Once taken for the end, it would have counted as compared.
    refused(sync_run::look(conn, &lease).await, &["sync_run.phase"]);
    refused(sync_run::list(conn, Some(1), None, None, 1).await, &["sync_run.phase"]);
    refused(sync_run::list(conn, Some(2), None, None, 1).await, &["sync_run.state"]);
    refused(sync_drift::counts(conn, 1).await, &["sync_drift.kind"]);
    refused(sync_drift::list(conn, 1, None, 0, 10).await, &["sync_drift.kind"]);
    assert!(sync_shard::next(conn, 1).await.expect("asked").is_none(), "no shard is waiting");
    let media_id = ["m1".to_owned()];
    refused(media::states(conn, &["ww1".to_owned()], &media_id).await, &["media.state"]);
    refused(media::standing(conn, "m1").await, &["media.state"]);
    let (corpid, customer, user) = (CorpId::from("ww1"), ExternalUserId::from("wmA"), UserId::from("amy"));
    let due = welcome::Due {
        corpid: &corpid,
        code_hash: [7; 32],
        customer: &customer,
        user: Some(&user),
        open_kfid: None,
        app_id: 1,
        state: None,
        received_at: chrono::Utc::now(),
    };
    refused(welcome::open(conn, &due).await, &["welcome.outcome"]);
    refused(backup::standing(conn).await, &["backup.outcome"]);
    refused(backup::list(conn, 10).await, &["backup.outcome"]);
    refused(erasure::list(conn, None, None, 10).await, &["erasure.named_by"]);
    refused(retention::standing(conn).await, &["retention.kind"]);
    drop(held);
    db.close().await;
}
