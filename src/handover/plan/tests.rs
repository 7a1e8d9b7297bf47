//! Plans of small and of made-up handovers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn leaver() -> Leaver {
    Leaver { user: "lao".into(), departments: BTreeSet::from(["3".to_owned()]), gone_too_long: false }
}

fn item(id: i64, kind: ItemKind, subject: &str) -> Item {
    Item { id, kind, subject: subject.to_owned(), customers: Vec::new(), moved_lately: false }
}

fn customers(count: i64) -> Vec<Item> {
    (1..=count).map(|id| item(id, ItemKind::Customer, &format!("wm{id}"))).collect()
}

fn staff(staff_id: &str, contacts: i64, departments: &[&str]) -> Candidate {
    Candidate {
        staff_id: staff_id.to_owned(),
        user: Some(UserId(staff_id.to_lowercase())),
        name: None,
        departments: departments.iter().map(|it| (*it).to_owned()).collect(),
        active: true,
        in_sight: Some(true),
        serves: None,
        contacts,
        orders: 0,
    }
}

fn rules(json: serde_json::Value) -> Vec<Rule> {
    serde_json::from_value(json).expect("rules")
}

fn told(plan: &Plan) -> String {
    let given = plan.given.iter().map(|it| format!("{} {} → {}", it.kind.as_str(), it.subject, it.staff_id));
    let left = plan.left.iter().map(|it| format!("{} {}: {}", it.kind.as_str(), it.subject, it.reason.said().code));
    let refused = plan
        .refusals
        .iter()
        .map(|it| format!("{}{} {}", it.staff_id, it.subject.as_deref().unwrap_or_default(), it.broken.said().code));
    given.chain(left).chain(refused).collect::<Vec<_>>().join("\n")
}

fn planned(items: &[Item], candidates: &[Candidate], json: serde_json::Value) -> Plan {
    plan(&leaver(), items, candidates, &BTreeMap::new(), &rules(json))
}

#[test]
fn one_successor_gets_everything_of_the_kinds_that_are_meant() {
    let items = [item(2, ItemKind::Group, "wr1"), item(1, ItemKind::Customer, "wm1"), item(3, ItemKind::Order, "7")];
    let json = serde_json::json!([{ "rule": "successor", "staff_id": "S1", "kinds": ["customer", "order"] }]);
    insta::assert_snapshot!(told(&planned(&items, &[staff("S1", 5, &[])], json)), @r"
    customer wm1 → S1
    order 7 → S1
    group wr1: nobody_fits
    ");
}

#[test]
fn an_order_goes_with_its_customer_unless_a_list_names_it() {
    let order = |id, subject: &str, customers: &[&str]| Item {
        customers: customers.iter().map(|it| (*it).to_owned()).collect(),
        ..item(id, ItemKind::Order, subject)
    };
    let mut items = customers(2);
    items.extend([order(3, "31", &["wm2"]), order(4, "32", &["wm2"]), order(5, "33", &["wmX"]), order(6, "34", &[])]);
    let json = serde_json::json!([
        { "rule": "round_robin", "staff_ids": ["S1", "S2"], "kinds": ["customer"] },
        { "rule": "successor", "staff_id": "S1" },
        { "rule": "assign", "items": [{ "kind": "order", "subject": "32", "staff_id": "S1" }] },
    ]);
    let placed = BTreeMap::from([("wmX".to_owned(), "S2".to_owned())]);
    let candidates = [staff("S1", 0, &[]), staff("S2", 0, &[])];
    insta::assert_snapshot!(told(&plan(&leaver(), &items, &candidates, &placed, &rules(json))), @r"
    customer wm1 → S1
    customer wm2 → S2
    order 31 → S2
    order 32 → S1
    order 33 → S2
    order 34 → S1
    ");
}

#[test]
fn colleagues_share_by_least_load_and_the_next_rule_takes_what_they_cannot() {
    let candidates = [staff("S1", 2, &["3", "4"]), staff("S2", 0, &["3"]), staff("S3", 0, &["9"])];
    let plan = planned(&customers(4), &candidates, serde_json::json!([{ "rule": "department" }]));
    insta::assert_snapshot!(told(&plan), @r"
    customer wm1 → S2
    customer wm2 → S2
    customer wm3 → S1
    customer wm4 → S2
    ");
    let share = plan.shares.iter().find(|it| it.staff_id == "S2").expect("a share");
    assert_eq!((share.given.customers, share.contacts), (3, Load { before: 0, after: 3 }));

    let alone = [staff("S3", 0, &["9"])];
    let json = serde_json::json!([{ "rule": "department" }, { "rule": "least_load" }]);
    assert!(planned(&customers(1), &alone, json).given.iter().all(|it| it.staff_id == "S3"));
}

#[test]
fn everything_that_stands_against_a_successor_is_told_at_once() {
    let mut gone = staff("S1", 0, &[]);
    (gone.active, gone.in_sight, gone.serves) = (false, Some(false), Some(false));
    let own = Candidate { user: Some("lao".into()), ..staff("S0", 0, &[]) };
    let json = serde_json::json!([
        { "rule": "assign", "items": [
            { "kind": "customer", "subject": "wm1", "staff_id": "S1" },
            { "kind": "customer", "subject": "wm9", "staff_id": "S0" },
        ] },
        { "rule": "round_robin", "staff_ids": ["S7", "S0"] },
    ]);
    insta::assert_snapshot!(told(&planned(&customers(2), &[gone, own], json)), @r"
    customer wm1 → S1
    customer wm2: nobody_fits
    S0 is_leaver
    S0wm9 not_in_handover
    S1 not_active
    S1 out_of_sight
    S1 not_serving
    S7 not_bound
    ");
}

#[test]
fn what_wecom_will_not_move_stays_open_with_its_reason() {
    let mut items = customers(2);
    items[0].moved_lately = true;
    let json = serde_json::json!([{ "rule": "successor", "staff_id": "S1" }]);
    insta::assert_snapshot!(told(&planned(&items, &[staff("S1", 0, &[])], json.clone())), @r"
    customer wm2 → S1
    customer wm1: moved_twice
    ");
    let long_gone = Leaver { gone_too_long: true, ..leaver() };
    items.push(item(3, ItemKind::Order, "7"));
    let plan = plan(&long_gone, &items, &[staff("S1", 0, &[])], &BTreeMap::new(), &rules(json));
    insta::assert_snapshot!(told(&plan), @r"
    order 7 → S1
    customer wm1: left_too_long
    customer wm2: left_too_long
    ");
}

#[test]
fn every_broken_rule_has_a_code_and_words_in_both_languages() {
    use Broken::*;
    let all =
        [NotBound, NotActive, OutOfSight, NotServing, IsLeaver, NotInHandover, MovedTwice, LeftTooLong, NobodyFits];
    let codes: BTreeSet<_> = all.iter().map(|it| it.said().code).collect();
    assert_eq!(codes.len(), all.len());
    assert!(all.iter().all(|it| it.said().en.is_ascii() && !it.said().zh.is_ascii()));
}

fn some_items() -> impl Strategy<Value = Vec<Item>> {
    let one = (0..3usize, prop::collection::vec(0..40i64, 0..3), prop::bool::weighted(0.1));
    prop::collection::vec(one, 0..40).prop_map(|rows| {
        let made = (1i64..).zip(rows).map(|(id, (kind, customers, moved_lately))| Item {
            id,
            kind: ItemKind::ALL[kind],
            subject: format!("s{id}"),
            customers: customers.iter().map(|it| format!("s{it}")).collect(),
            moved_lately,
        });
        made.collect()
    })
}

fn some_candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (prop::bool::weighted(0.9), prop::bool::weighted(0.9), 0..4u8, 0..50i64, 0..9i64);
    prop::collection::vec(one, 0..7).prop_map(|rows| {
        let made = rows.into_iter().zip(0..).map(|((bound, active, department, contacts, orders), number)| {
            let mut it = staff(&format!("S{number}"), contacts, &[]);
            it.departments.insert(department.to_string());
            (it.active, it.orders) = (active, orders);
            it.user = it.user.filter(|_| bound);
            it
        });
        made.collect()
    })
}

fn some_rules() -> impl Strategy<Value = Vec<Rule>> {
    let ids = || prop::collection::vec((0..8u8).prop_map(|it| format!("S{it}")), 0..4);
    let kinds = || prop::sample::subsequence(ItemKind::ALL.to_vec(), 0..=3);
    let line = (0..3usize, 1..45i64, 0..8u8).prop_map(|(kind, id, staff)| Assigned {
        kind: ItemKind::ALL[kind],
        subject: format!("s{id}"),
        staff_id: format!("S{staff}"),
    });
    let rule = prop_oneof![
        ((0..8u8), kinds()).prop_map(|(id, kinds)| Rule::Successor { staff_id: format!("S{id}"), kinds }),
        prop::collection::vec(line, 0..5).prop_map(|items| Rule::Assign { items }),
        kinds().prop_map(|kinds| Rule::Department { kinds }),
        (ids(), kinds()).prop_map(|(staff_ids, kinds)| Rule::LeastLoad { staff_ids, kinds }),
        (ids(), kinds()).prop_map(|(staff_ids, kinds)| Rule::RoundRobin { staff_ids, kinds }),
    ];
    prop::collection::vec(rule, 0..4)
}

proptest! {
    #[test]
    fn every_item_is_given_once_or_listed_with_a_reason_and_loads_add_up(
        items in some_items(), candidates in some_candidates(), rules in some_rules(),
    ) {
        let none = BTreeMap::new();
        let made = plan(&leaver(), &items, &candidates, &none, &rules);
        let mut met: Vec<_> =
            made.given.iter().map(|it| it.item).chain(made.left.iter().map(|it| it.item)).collect();
        met.sort_unstable();
        prop_assert_eq!(met, items.iter().map(|it| it.id).collect::<Vec<_>>());

        for share in &made.shares {
            let of = |kind| {
                let own = made.given.iter().filter(|it| it.kind == kind && it.staff_id == share.staff_id);
                i64::try_from(own.count()).expect("few")
            };
            prop_assert_eq!(share.given.customers, of(ItemKind::Customer));
            prop_assert_eq!(share.given.orders, of(ItemKind::Order));
            prop_assert_eq!(share.given.groups, of(ItemKind::Group));
            prop_assert_eq!(share.given.sessions, of(ItemKind::Session));
            prop_assert_eq!(share.contacts.after - share.contacts.before, share.given.customers);
            prop_assert_eq!(share.open_orders.after - share.open_orders.before, share.given.orders);
        }
        let shared: i64 = made
            .shares
            .iter()
            .map(|it| it.given.customers + it.given.orders + it.given.groups + it.given.sessions)
            .sum();
        prop_assert_eq!(shared, i64::try_from(made.given.len()).expect("few"));
        // Nobody whom a rule stands against gets anything in a plan that may be kept.
        if made.refusals.is_empty() {
            prop_assert!(made.shares.iter().all(|it| it.broken.is_empty() && it.user.is_some()));
        }

        let mut turned = items.clone();
        turned.reverse();
        let mut others = candidates.clone();
        others.reverse();
        prop_assert_eq!(plan(&leaver(), &turned, &others, &none, &rules), made);
    }
}
