//! Puts every odd value into every field of every answer: the answer can be read, and only that field differs.
//!
//! The fields are learnt from the types themselves, so a new field is covered automatically; a type that is missing
//! in the table makes the first test fail.

mod odd;

mod probe;

use std::{collections::BTreeSet, fmt::Debug, fs};

use serde::de::DeserializeOwned;

use self::{
    odd::{ODD, Odd},
    probe::{Kind, Leaf, Sample},
};
use super::{
    approval, archive, contact_way, customer, group_chat, kf, lenient::Answer, login, member, message, network,
    rows::Row, tag, token, transfer,
};

/// Calls a function with each answer's type.
macro_rules! for_each_answer {
    ($call:ident) => {
        [
            $call::<customer::CustomerAnswer>(),
            $call::<customer::Customer>(),
            $call::<customer::ContactsAnswer>(),
            $call::<customer::FollowUsersAnswer>(),
            $call::<customer::UnassignedAnswer>(),
            $call::<member::Member>(),
            $call::<member::MembersAnswer>(),
            $call::<member::DepartmentsAnswer>(),
            $call::<member::DepartmentAnswer>(),
            $call::<approval::ApprovalAnswer>(),
            $call::<kf::AccountsAnswer>(),
            $call::<kf::ServicersAnswer>(),
            $call::<kf::CustomersAnswer>(),
            $call::<kf::StateAnswer>(),
            $call::<group_chat::GroupsAnswer>(),
            $call::<group_chat::GroupAnswer>(),
            $call::<group_chat::GroupsTransferredAnswer>(),
            $call::<transfer::TakenAnswer>(),
            $call::<transfer::ResultsAnswer>(),
            $call::<contact_way::Made>(),
            $call::<contact_way::ContactWayAnswer>(),
            $call::<contact_way::ContactWaysAnswer>(),
            $call::<message::Sent>(),
            $call::<login::Visitor>(),
            $call::<tag::TagsAnswer>(),
            $call::<network::AddressesAnswer>(),
            $call::<token::TokenAnswer>(),
            $call::<archive::SeatsAnswer>(),
            $call::<archive::AgreedAnswer>(),
        ]
    };
}

fn read<T: DeserializeOwned>(body: &[u8]) -> T {
    let answer = Answer::parse(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)));
    answer.read().unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

/// The answer with one field replaced by an odd value.
fn spoilt(sample: &Sample, leaf: &Leaf, odd: &Odd) -> Option<Vec<u8>> {
    let Some(raw) = odd.raw else { return Some(sample.without(leaf).into_bytes()) };
    let marked = sample.with_mark_at(leaf);
    let (before, after) = marked.split_once(probe::MARK)?;
    Some([before.as_bytes(), raw, after.as_bytes()].concat())
}

#[test]
fn every_type_read_from_wecom_is_covered_by_the_malformed_value_tests() {
    let known: BTreeSet<String> = for_each_answer!(structs).into_iter().flatten().collect();
    let mut found = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wecom")).expect("the sources") {
        let path = file.expect("a file").path();
        let Ok(source) = fs::read_to_string(&path) else { continue };
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for derived in source.split("#[derive(").skip(1).filter(|it| it.split(')').next().is_some_and(is_read)) {
            let Some((_, named)) = derived.split_once("struct ") else { continue };
            let name: String = named.chars().take_while(|it| it.is_alphanumeric()).collect();
            assert!(known.contains(&name), "{name} of {} is read from WeCom: put it into the table", path.display());
            found += 1;
        }
    }
    assert!(found > 20, "only {found} types were found in the sources");
}

fn structs<T: DeserializeOwned>() -> BTreeSet<String> {
    Sample::of::<T>().structs
}

fn is_read(derives: &str) -> bool {
    derives.split(',').any(|it| it.trim() == "Deserialize") && !derives.contains("Serialize, Deserialize, schemars")
}

#[test]
fn a_malformed_value_in_an_answer_loses_only_its_own_field() {
    for_each_answer!(costs_itself);
}

fn costs_itself<T: DeserializeOwned + Debug>() {
    let sample = Sample::of::<T>();
    let base = format!("{:?}", read::<T>(sample.json().as_bytes()));
    assert!(!sample.leaves.is_empty(), "{base} has no fields");
    for leaf in &sample.leaves {
        for odd in ODD {
            let Some(body) = spoilt(&sample, leaf, odd) else { continue };
            let told = format!("{:?}", read::<T>(&body));
            // An odd element is handled by the list itself.
            if matches!(leaf.kind, Kind::List | Kind::PlainList) && odd.raw == Some(b"[1]") {
                continue;
            }
            let expected = leaf.expected(&base, odd);
            assert_eq!(told, expected, "{} with {}", leaf.name(), odd.name());
        }
    }
}

/// Whether a field cannot be used with this value.
type IsOdd = fn(&Odd) -> bool;

/// For each field of a row: whether the row is left out exactly if the field is required.
fn left_out<T: DeserializeOwned + Row>(ids: &[&str], others: &[(&str, IsOdd)]) {
    let sample = Sample::of::<T>();
    let whole: T = read(sample.json().as_bytes());
    assert_eq!(whole.lacks(), None, "{}", sample.json());
    for leaf in &sample.leaves {
        let name = leaf.name();
        for odd in ODD {
            let Some(body) = spoilt(&sample, leaf, odd) else { continue };
            let lacks = read::<T>(&body).lacks();
            let judged = others.iter().find(|(it, _)| *it == name).map(|(_, is_odd)| is_odd(odd));
            let must = judged.unwrap_or(ids.contains(&name.as_str()) && odd.text.trim().is_empty());
            assert_eq!(lacks.is_some(), must, "{name} with {}: {lacks:?}", odd.name());
        }
    }
}

#[test]
fn a_row_is_skipped_only_if_its_key_fields_cannot_be_read() {
    left_out::<customer::Contact>(&["external_contact/external_userid", "follow_info/userid"], &[]);
    left_out::<customer::Follower>(&["userid"], &[]);
    let no_time: IsOdd = |odd| odd.number.and_then(super::lenient::time).is_none();
    left_out::<customer::UnassignedRow>(&["handover_userid", "external_userid"], &[("dimission_time", no_time)]);
    left_out::<member::Member>(&["userid"], &[]);
    left_out::<member::Department>(&[], &[("id", |odd| odd.number.is_none_or(|it| it <= 0))]);
    left_out::<group_chat::GroupRow>(&["chat_id"], &[]);
    left_out::<group_chat::GroupFailedRow>(&["chat_id"], &[]);
    left_out::<transfer::TakenRow>(&["external_userid"], &[("errcode", |odd| odd.number.is_none())]);
    left_out::<transfer::TransferResult>(&["external_userid"], &[]);
    left_out::<contact_way::ContactWayId>(&["config_id"], &[]);
}

#[test]
fn skipped_rows_are_reported_by_their_ids_and_nothing_else() {
    let body = br#"{"errcode":0,"external_contact_list":[
        {"external_contact":{"external_userid":"wm1","name":"a\u0000b"},"follow_info":{"userid":"ann","remark":null}},
        {"external_contact":{"name":"secret"},"follow_info":{"userid":"ann"}},
        {"external_contact":{"external_userid":"wm3"},"follow_info":"secret"},
        null
    ],"next_cursor":{"secret":1}}"#;
    let answer: customer::ContactsAnswer = read(body);
    let told = format!("{answer:?}");
    assert!(told.contains("name: \"ab\"") && told.contains("Cursor(None)"), "{told}");
    let rows = answer.external_contact_list.rows("external_contact_list");
    assert_eq!(rows.len(), 1);
    let named: Vec<_> = rows
        .unreadable
        .iter()
        .map(|it| {
            let (user, customer) = (it.user.as_ref(), it.customer.as_ref());
            format!("{:?} {:?} {}", user.map(|it| it.as_str()), customer.map(|it| it.as_str()), it.why)
        })
        .collect();
    let why = |field: &str, row| format!("`{field}` of row {row} of `external_contact_list` is missing or odd");
    assert_eq!(
        named,
        [
            format!("Some(\"ann\") None {}", why("external_userid", 2)),
            format!("None Some(\"wm3\") {}", why("userid", 3)),
            format!("None None {}", why("external_userid", 4)),
        ]
    );
    let none: customer::ContactsAnswer = read(br#"{"external_contact_list":"secret"}"#);
    let rows = none.external_contact_list.rows("external_contact_list");
    assert_eq!(
        rows.unreadable.iter().map(|it| it.why.as_str()).collect::<Vec<_>>(),
        ["`external_contact_list` is no list"]
    );
}
