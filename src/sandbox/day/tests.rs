//! Properties of a made-up day.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::sandbox::push::AppKind;

const DATE: NaiveDate = NaiveDate::from_ymd_opt(2024, 11, 15).expect("a date");

fn day(seed: u64, callbacks: usize) -> Day {
    work_day(&Corp::from_seed(1), seed, DATE, callbacks)
}

/// The text of the first element of this name.
fn field<'a>(push: &'a Push, name: &str) -> Option<&'a str> {
    let rest = push.plaintext.split_once(&format!("<{name}>"))?.1;
    let text = rest.split_once(&format!("</{name}>"))?.0;
    Some(text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text))
}

fn at(push: &Push) -> i64 {
    field(push, "CreateTime").and_then(|text| text.parse().ok()).expect("a time")
}

/// What kind of callback it is: its message type, or its event and change.
fn kind(push: &Push) -> String {
    ["MsgType", "Event", "ChangeType"].iter().filter_map(|name| field(push, name)).collect::<Vec<_>>().join("/")
}

#[test]
fn a_seed_always_gives_the_same_day() {
    assert_eq!(day(7, 500), day(7, 500));
    assert_ne!(day(7, 500).pushes, day(8, 500).pushes);
}

#[test]
fn a_day_has_the_requested_number_of_distinct_callbacks() {
    for (asked, made) in [(0, CALLBACKS_MIN), (60, 60), (500, 500), (5000, 5000)] {
        let day = day(3, asked);
        assert_eq!(day.pushes.len(), made);
        let distinct: HashSet<&str> = day.pushes.iter().map(|push| push.plaintext.as_str()).collect();
        assert_eq!(distinct.len(), made);
        assert!(day.pushes.iter().all(|push| !push.forged()));
    }
}

#[test]
fn everything_happens_in_order_within_working_hours_in_shanghai() {
    let day = day(3, 3000);
    let times: Vec<i64> = day.pushes.iter().map(at).collect();
    assert!(times.is_sorted());
    let begins = DATE.and_hms_opt(0, 30, 0).expect("08:30 in Shanghai is 00:30 UTC").and_utc().timestamp();
    assert!(times.iter().all(|time| (begins..=begins + 10 * 3600).contains(time)));
}

#[test]
fn a_long_day_has_every_kind_of_callback() {
    let day = day(3, 5000);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for push in &day.pushes {
        *seen.entry(kind(push)).or_default() += 1;
    }
    for expected in [
        "text",
        "image",
        "voice",
        "video",
        "location",
        "link",
        "hologram",
        "event/change_contact/create_user",
        "event/change_contact/update_user",
        "event/change_contact/delete_user",
        "event/change_contact/create_party",
        "event/change_contact/update_tag",
        "event/subscribe",
        "event/unsubscribe",
        "event/change_external_contact/add_external_contact",
        "event/change_external_contact/add_half_external_contact",
        "event/change_external_contact/edit_external_contact",
        "event/change_external_contact/del_external_contact",
        "event/change_external_contact/del_follow_user",
        "event/change_external_contact/msg_audit_approved",
        "event/change_external_contact/stage_changed",
        "event/change_external_chat/create",
        "event/change_external_chat/update",
        "event/change_external_chat/dismiss",
        "event/change_external_tag/shuffle",
        "event/kf_msg_or_event",
        "event/sys_approval_change",
        "event/customer_acquisition/friend_request",
        "event/smart_visit_plan",
        "event/msgaudit_notify",
        "event/enter_agent",
    ] {
        assert!(seen.contains_key(expected), "{expected} is not in {seen:?}");
    }
}

#[test]
fn directory_events_and_nothing_else_go_to_the_directory_app() {
    for push in day(3, 3000).pushes {
        let directory = field(&push, "Event") == Some("change_contact");
        assert_eq!(push.app == AppKind::Directory, directory, "{}", push.plaintext);
        assert_eq!(Push::of_plaintext(push.plaintext.clone()).app, push.app);
    }
}

#[test]
fn customers_come_with_and_without_a_state_and_some_states_name_them() {
    let day = day(3, 3000);
    let state_of: HashMap<&str, Option<&str>> =
        day.customers.iter().map(|it| (it.id.as_str(), it.state.as_deref())).collect();
    let (mut named, mut placed, mut without) = (0, 0, 0);
    for push in day.pushes.iter().filter(|push| kind(push).ends_with("add_external_contact")) {
        let customer = field(push, "ExternalUserID").expect("a customer");
        let state = field(push, "State");
        assert_eq!(state_of.get(customer).copied(), Some(state));
        match state {
            Some(state) if state.starts_with("cust:C-") => named += 1,
            Some(_) => placed += 1,
            None => without += 1,
        }
    }
    assert!(named > 50 && placed > 50 && without > 50, "{named} {placed} {without}");
}

#[test]
fn a_half_addition_is_followed_by_a_full_one_without_a_welcome_code() {
    let day = day(3, 3000);
    let pair =
        |push: &Push| (field(push, "UserID").map(str::to_owned), field(push, "ExternalUserID").map(str::to_owned));
    let (mut followed, mut halves) = (0, 0);
    for (place, push) in day.pushes.iter().enumerate() {
        if !kind(push).ends_with("add_half_external_contact") {
            continue;
        }
        halves += 1;
        let later = day.pushes.iter().skip(place + 1);
        let full = later.clone().find(|it| kind(it).ends_with("/add_external_contact") && pair(it) == pair(push));
        followed += usize::from(full.is_some_and(|full| field(full, "WelcomeCode").is_none()));
    }
    assert!(halves > 20 && followed * 10 > halves * 6, "{followed} of {halves}");
}

#[test]
fn only_existing_contacts_are_deleted_and_some_are_added_again() {
    let day = day(3, 5000);
    let mut contacts: HashMap<(String, String), bool> = HashMap::new();
    let renamed = day.renamed.clone();
    let mut returned = 0;
    for push in day.pushes.iter().filter(|push| field(push, "Event") == Some("change_external_contact")) {
        let (Some(user), Some(customer)) = (field(push, "UserID"), field(push, "ExternalUserID")) else { continue };
        // Under either name the member is the same person.
        let user = if user == renamed.1.as_str() { renamed.0.as_str() } else { user };
        let contact = contacts.entry((user.to_owned(), customer.to_owned()));
        match field(push, "ChangeType").expect("a change") {
            "add_external_contact" | "add_half_external_contact" => {
                returned += usize::from(contact.or_insert(true) == &false);
                contacts.insert((user.to_owned(), customer.to_owned()), true);
            }
            change @ ("del_external_contact" | "del_follow_user") => {
                assert_eq!(contacts.insert((user.to_owned(), customer.to_owned()), false), Some(true), "{change}");
            }
            _ => assert_eq!(contact.or_insert(false), &true, "only contacts are edited"),
        }
    }
    assert!(returned > 10, "{returned}");
}

#[test]
fn the_leaver_is_deleted_near_the_end_and_does_nothing_more() {
    let day = day(3, 2000);
    let left = |push: &Push| kind(push).ends_with("delete_user");
    let place = day.pushes.iter().position(left).expect("somebody leaves");
    assert!(place > 1700, "{place}");
    let leaver = day.leaver.as_str();
    let mut after = day.pushes.iter().skip(place);
    assert_eq!(after.next().and_then(|push| field(push, "UserID")), Some(leaver));
    let gone = after.next().expect("more callbacks");
    assert_eq!((kind(gone).as_str(), field(gone, "FromUserName")), ("event/unsubscribe", Some(leaver)));
    for push in after {
        let named = [field(push, "UserID"), field(push, "FromUserName")];
        assert!(!named.contains(&Some(leaver)), "{}", push.plaintext);
    }
    let customers = day.pushes.iter().filter(|push| field(push, "UserID") == Some(leaver)).count();
    assert!(customers > 10, "a leaver without customers would make no handover: {customers}");
}

#[test]
fn after_the_renaming_only_the_new_name_occurs() {
    let day = day(3, 2000);
    let (old, new) = (day.renamed.0.as_str(), day.renamed.1.as_str());
    let place = day.pushes.iter().position(|push| field(push, "NewUserID") == Some(new)).expect("a renaming");
    assert_eq!(day.pushes.get(place).and_then(|push| field(push, "UserID")), Some(old));
    let names = |push: &Push, name: &str| [field(push, "UserID"), field(push, "FromUserName")].contains(&Some(name));
    assert!(!day.pushes.iter().skip(place + 1).any(|push| names(push, old)));
    assert!(!day.pushes.iter().take(place).any(|push| names(push, new)));
    assert!(day.pushes.iter().skip(place + 1).any(|push| names(push, new)));
}

#[test]
fn every_member_of_the_staff_is_created_and_gets_the_app() {
    let day = day(3, 5000);
    assert_eq!(day.staff.len(), 40);
    let ids: HashSet<&UserId> = day.staff.iter().map(|member| &member.id).collect();
    assert_eq!(ids.len(), 40, "no two share an id");
    for (member, arrival) in day.staff.iter().zip(day.pushes.chunks(2)) {
        assert_eq!(
            arrival.iter().map(kind).collect::<Vec<_>>(),
            ["event/change_contact/create_user", "event/subscribe"]
        );
        assert_eq!(field(&arrival[0], "Name"), Some(member.name.as_str()));
        assert_eq!(field(&arrival[1], "FromUserName"), Some(member.id.as_str()));
    }
}

#[test]
fn no_text_has_an_unfilled_gap() {
    for push in day(3, 3000).pushes {
        let content = field(&push, "Content").unwrap_or_default();
        assert!(!content.contains('{') && !content.contains("]]>"), "{content}");
    }
}
