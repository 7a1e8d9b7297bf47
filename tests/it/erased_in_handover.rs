//! Erasing a customer who is in a handover: their items end by a transition like all others, and the log keeps what
//! happened but not whose customer it was.

use wecomd::{handover::item::Fact, states::ItemState};

use crate::{support::TestApp, tidy::sources};

/// A customer.
const PERSON: &str = "wmERASED0000000000000000000000077";

/// A handover that holds the person once in every state, each in a round of its own, with a line in the log.
async fn in_every_state() -> TestApp {
    let app = TestApp::start().await;
    let corp = &app.corp.corpid;
    app.db
        .execute(&format!(
            "insert into handover (corpid, wechat_userid, state, cause) values ('{corp}', 'ann', 'submitted', 'transfer')"
        ))
        .await;
    for (round, state) in (1..).zip(ItemState::ALL.map(ItemState::as_str)) {
        app.db
            .execute(&format!(
                "insert into handover_item (handover_id, kind, subject, round, state, reason)
                    select id, 'customer', '{PERSON}', {round}, '{state}', 'as it was' from handover;
                 insert into handover_log (handover_id, item_id, kind, subject, to_state, actor, cause)
                    select handover_id, id, kind, subject, state, 'me', 'begun' from handover_item where round = {round}"
            ))
            .await;
    }
    app
}

#[tokio::test]
async fn erasing_a_customer_ends_their_items_and_logs_each_without_the_id() {
    let app = in_every_state().await;
    let erased = app.ask("DELETE", &format!("/api/enterprise-wechat/customers/{PERSON}"), None).await;
    assert_eq!(erased.status, 202, "{}", erased.text());
    // The new lines of the log are not counted: they held no id.
    let counted = &erased.json()["erasure"]["counts"];
    assert_eq!(
        (counted["handover_item"].as_i64(), counted["handover_log"].as_i64()),
        (Some(11), Some(11)),
        "{counted}"
    );

    let items = "select state || ': ' || reason || case when finished_at is null then '' else ', now' end
        from handover_item order by round";
    let ended = "cancelled: the customer was erased 客户信息已删除, now";
    assert_eq!(
        app.db.texts(items).await,
        [
            ended,
            ended,
            ended,
            ended,
            ended,
            "done: as it was",
            "refused: as it was",
            "full: as it was",
            "gone: as it was",
            "failed: as it was",
            "cancelled: as it was",
        ]
    );
    let lines = "select concat_ws(' ', from_state, '→', to_state, actor, cause) from handover_log
        where from_state is not null order by id";
    let standing = ["open", "planned", "calling", "waiting", "overdue"];
    let line = |state| format!("{state} → cancelled wecomd the customer was erased 客户信息已删除");
    assert_eq!(app.db.texts(lines).await, standing.map(line));
    let named = "select count(*) from handover_log where subject is distinct from
        (select subject from handover_item item where item.id = handover_log.item_id) or subject !~ '^erased-'";
    assert_eq!(app.db.count(named).await, 0, "every line and item goes by the same label");
    assert_eq!(app.db.count("select count(*) from task where kind = 'handover'").await, 1, "the driver looks");
    app.finish().await;
}

#[test]
fn erasing_a_customer_ends_every_unfinished_item() {
    for state in ItemState::ALL {
        let after = (!state.is_final()).then_some(ItemState::Cancelled);
        assert_eq!(state.after(Fact::CustomerErased), after, "{state:?}");
    }
}

#[test]
fn only_the_handover_statements_change_item_states_or_write_the_log() {
    let files = sources(&["src"]);
    let broken: Vec<_> = files.iter().flat_map(|(path, source)| writes_states(path, source)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let other = "update handover_item item\nset subject = 'x', state = 'done' from named\nwhere state = 'open'";
    assert_eq!(writes_states("src/tables/privacy/erase/mod.rs", other).len(), 1);
    let nameless = "update handover_item item set subject = label from named where state = 'open'";
    assert_eq!(writes_states("src/tables/privacy/erase/mod.rs", nameless), [""; 0]);
    assert_eq!(writes_states("src/tables/task/mod.rs", "insert into handover_log (at) values (now())").len(), 1);
}

/// Statements of a source that write columns reserved for the handover's transition.
fn writes_states(path: &str, source: &str) -> Vec<String> {
    let is_item = path == "src/tables/handover/item.rs";
    let mut found = Vec::new();
    for rest in source.split("update handover_item").skip(1) {
        let set = rest.split("where").next().unwrap_or_default();
        let state = set.split([' ', '\n', ',']).any(|word| word == "state");
        if state && !is_item {
            found.push(format!("{path}: writes an item's state: only tables/handover/item.rs does"));
        }
    }
    let is_log = path == "src/tables/handover/log.rs";
    if source.contains("into handover_log") && !is_item && !is_log {
        found.push(format!("{path}: writes the handover's log: only tables/handover does"));
    }
    found
}
