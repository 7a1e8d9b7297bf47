//! Customers handed over, by members who are here and for members who left.

use serde_json::json;

use super::receiver::Receiver;
use super::*;
use crate::sandbox::world::{MemberStatus, TransferFlow, Visible};

const DAY: Duration = Duration::from_secs(24 * 3600);

const IN_SERVICE: &str = "externalcontact/transfer_customer";
const RESIGNED: &str = "externalcontact/resigned/transfer_customer";
const IN_SERVICE_RESULT: &str = "externalcontact/transfer_result";
const RESIGNED_RESULT: &str = "externalcontact/resigned/transfer_result";

/// A company of Amy, who has these customers, and Bo, who has none.
async fn company(customers: usize) -> (Service, Vec<ExternalUserId>) {
    let service = Service::of(Size { members: 0, customers: 0, departments: 3 }).await;
    let ids: Vec<_> = (0..customers).map(|n| ExternalUserId(format!("wmCUSTOMER{n:04}"))).collect();
    service.platform.with(|world| {
        for name in ["amy", "bo"] {
            world.add_member(&UserId::from(name), name);
        }
        for id in &ids {
            assert!(world.add_contact(&UserId::from("amy"), id, "小雨"));
        }
    });
    (service, ids)
}

fn body(from: &str, to: &str, customers: &[ExternalUserId]) -> Value {
    json!({ "handover_userid": from, "takeover_userid": to, "external_userid": customers })
}

/// Asks for a transfer that is not refused as a whole, and returns what was answered about each customer.
async fn asked(service: &Service, path: &str, body: Value) -> Vec<i64> {
    let answer = service.post(path, body).await.json();
    assert_eq!(answer["errcode"], 0, "{answer}");
    let rows = answer["customer"].as_array().expect("a list");
    rows.iter().map(|row| row["errcode"].as_i64().expect("a number")).collect()
}

/// The whole of a result, page by page: customer, status and time; and how many pages it took.
async fn results(service: &Service, path: &str, from: &str, to: &str) -> (Vec<(String, i64, i64)>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, json!(""));
    loop {
        let body = json!({ "handover_userid": from, "takeover_userid": to, "cursor": cursor });
        let page = service.post(path, body).await.json();
        assert_eq!(page["errcode"], 0, "{page}");
        rows.extend(page["customer"].as_array().expect("a list").iter().map(|row| {
            let number = |name: &str| row[name].as_i64().expect("a number");
            (row["external_userid"].as_str().expect("an id").to_owned(), number("status"), number("takeover_time"))
        }));
        pages += 1;
        cursor = page["next_cursor"].clone();
        if cursor == json!("") {
            return (rows, pages);
        }
    }
}

fn statuses(results: &[(String, i64, i64)]) -> Vec<i64> {
    results.iter().map(|(_, status, _)| *status).collect()
}

fn followers(service: &Service, customer: &ExternalUserId) -> Vec<String> {
    service.platform.with(|world| world.followers_of(customer)).into_iter().map(|it| it.0).collect()
}

/// What a callback says: its change, member, customer and reason.
fn brief(said: &str) -> String {
    let value = |name: &str| {
        let (_, rest) = said.split_once(&format!("<{name}>"))?;
        let text = rest.split_once(&format!("</{name}>"))?.0;
        Some(text.trim_start_matches("<![CDATA[").trim_end_matches("]]>"))
    };
    let names = ["ChangeType", "UserID", "ExternalUserID", "Source", "FailReason", "State", "WelcomeCode"];
    names.iter().filter_map(|name| value(name)).collect::<Vec<_>>().join(" ")
}

async fn heard(service: &Service, receiver: &Receiver) -> Vec<String> {
    service.platform.pushed().await;
    let mut said: Vec<String> = receiver.said().iter().map(|it| brief(it)).collect();
    said.sort();
    said
}

#[tokio::test]
async fn a_transfer_in_service_ends_after_a_day_with_callbacks_to_both_members() {
    let (mut service, ids) = company(2).await;
    let receiver = Receiver::of(&service.platform).await;
    assert_eq!(asked(&service, IN_SERVICE, body("amy", "Bo", &ids[..1])).await, [0]);
    let (waiting, _) = results(&service, IN_SERVICE_RESULT, "amy", "bo").await;
    let asked_at = service.platform.with(|world| world.transfer_calls[0].at);
    assert_eq!(waiting, [(ids[0].to_string(), 2, asked_at + 86_400)], "the time is that at which it will happen");

    service.later(DAY - Duration::from_secs(60)).await;
    assert_eq!(followers(&service, &ids[0]), ["amy"]);
    assert_eq!(heard(&service, &receiver).await, [""; 0], "nothing happens before");
    service.later(Duration::from_secs(60)).await;
    assert_eq!(followers(&service, &ids[0]), ["bo"]);
    assert_eq!(
        heard(&service, &receiver).await,
        [
            format!("add_external_contact bo {}", ids[0]),
            format!("del_external_contact amy {} DELETE_BY_TRANSFER", ids[0])
        ]
    );
    let time = format!("<CreateTime>{}</CreateTime>", asked_at + 86_400);
    assert!(receiver.said().iter().all(|it| it.contains(&time)), "{:?}", receiver.said());

    let card = service.get(&format!("externalcontact/get?external_userid={}", ids[0])).await.json();
    let follower = &card["follow_user"][0];
    assert_eq!((&follower["userid"], &follower["add_way"]), (&json!("bo"), &json!(202)));
    assert!(follower.get("state").is_none() && card["follow_user"][1].is_null(), "{card}");
    let (done, _) = results(&service, IN_SERVICE_RESULT, "amy", "bo").await;
    assert_eq!(done, [(ids[0].to_string(), 1, asked_at + 86_400)]);
    assert_eq!(
        results(&service, RESIGNED_RESULT, "amy", "bo").await.0,
        [],
        "the other endpoint does not know the transfer"
    );
}

#[tokio::test]
async fn customers_of_a_leaver_are_unassigned_until_they_are_transferred() {
    let (mut service, ids) = company(5).await;
    let receiver = Receiver::of(&service.platform).await;
    service.platform.with(|world| {
        world.limits.unassigned_per_page = 2;
        world.limits.transfers_per_page = 2;
    });
    assert_eq!(service.post(RESIGNED, body("amy", "bo", &ids)).await.errcode(), 40097, "amy is still here");
    service.platform.leave(&UserId::from("amy")).await.expect("they were here");
    assert_eq!(service.post(IN_SERVICE, body("amy", "bo", &ids)).await.errcode(), 60111, "amy is gone");
    assert_eq!(unassigned(&service).await, (ids.iter().map(|it| it.0.clone()).collect(), 3));
    assert_eq!(asked(&service, RESIGNED, body("AMY", "bo", &ids[..3])).await, [0, 0, 0]);
    assert_eq!(unassigned(&service).await.0.len(), 5, "a requested transfer is not completed yet");
    let (waiting, pages) = results(&service, RESIGNED_RESULT, "amy", "bo").await;
    assert_eq!((statuses(&waiting), pages), (vec![2, 2, 2], 2));

    service.later(DAY).await;
    assert_eq!(unassigned(&service).await.0, [ids[3].0.clone(), ids[4].0.clone()]);
    assert_eq!(statuses(&results(&service, RESIGNED_RESULT, "amy", "bo").await.0), [1, 1, 1]);
    let mut expected: Vec<_> = ids[..3].iter().map(|it| format!("add_external_contact bo {it}")).collect();
    expected.push("delete_user amy".to_owned());
    assert_eq!(heard(&service, &receiver).await, expected, "amy no longer gets callbacks");
    assert_eq!(service.platform.with(|world| world.customers_of(&UserId::from("bo"))), ids[..3]);
}

async fn unassigned(service: &Service) -> (Vec<String>, usize) {
    let (mut listed, mut pages, mut cursor) = (Vec::new(), 0, json!(""));
    loop {
        let page = service.post("externalcontact/get_unassigned_list", json!({ "cursor": cursor })).await.json();
        let rows = page["info"].as_array().expect("a list");
        listed.extend(rows.iter().map(|row| row["external_userid"].as_str().expect("an id").to_owned()));
        (pages, cursor) = (pages + 1, page["next_cursor"].clone());
        if page["is_last"] == json!(true) {
            return (listed, pages);
        }
    }
}

#[tokio::test]
async fn a_customer_who_refuses_or_exceeds_the_limit_is_not_transferred() {
    for (path, result, leaves) in [(IN_SERVICE, IN_SERVICE_RESULT, false), (RESIGNED, RESIGNED_RESULT, true)] {
        let (mut service, ids) = company(4).await;
        if leaves {
            service.platform.leave(&UserId::from("amy")).await.expect("they were here");
        }
        let receiver = Receiver::of(&service.platform).await;
        service.platform.with(|world| {
            world.transfer_rules.refusers.insert(ids[1].clone());
            world.member_mut(&UserId::from("bo")).expect("they are here").customers_max = Some(2);
        });
        assert_eq!(asked(&service, path, body("amy", "bo", &ids)).await, [0, 0, 0, 0], "there is room for two");
        service.later(Duration::from_secs(3600)).await;
        assert_eq!(statuses(&results(&service, result, "amy", "bo").await.0), [2, 3, 2, 2]);
        assert_eq!(heard(&service, &receiver).await, [format!("transfer_fail bo {} customer_refused", ids[1])]);
        service.later(DAY).await;
        let (ended, _) = results(&service, result, "amy", "bo").await;
        assert_eq!(statuses(&ended), [1, 3, 1, 4]);
        assert_eq!((ended[1].2, ended[3].2), (0, 0), "no successor is given");
        let said = heard(&service, &receiver).await;
        assert!(said.contains(&format!("transfer_fail bo {} customer_limit_exceed", ids[3])), "{said:?}");
        assert_eq!([&ids[1], &ids[3]].map(|it| followers(&service, it)), [["amy"], ["amy"]]);
        assert_eq!(asked(&service, path, body("amy", "bo", &ids[3..])).await, [40099], "now bo is full beforehand");
    }
}

#[tokio::test]
async fn a_share_of_the_customers_chosen_by_the_seed_refuses() {
    let (mut service, ids) = company(100).await;
    service.platform.with(|world| world.transfer_rules.refuse_share = 0.3);
    assert_eq!(asked(&service, IN_SERVICE, body("amy", "bo", &ids)).await, [0; 100]);
    service.later(DAY).await;
    let (rows, _) = results(&service, IN_SERVICE_RESULT, "amy", "bo").await;
    let refused: Vec<_> = rows.iter().filter(|(_, status, _)| *status == 3).map(|(id, ..)| id.clone()).collect();
    assert!((15..=45).contains(&refused.len()), "{}", refused.len());
    assert!(rows.iter().all(|(_, status, _)| [1, 3].contains(status)), "{rows:?}");

    let (mut again, mut ids) = company(100).await;
    ids.reverse();
    again.platform.with(|world| world.transfer_rules.refuse_share = 0.3);
    asked(&again, IN_SERVICE, body("amy", "bo", &ids)).await;
    again.later(DAY).await;
    let (rows, _) = results(&again, IN_SERVICE_RESULT, "amy", "bo").await;
    let mut others: Vec<_> = rows.into_iter().filter(|(_, status, _)| *status == 3).map(|(id, ..)| id).collect();
    others.sort();
    assert_eq!(others, refused, "in whatever order they are asked for");
}

#[tokio::test]
async fn each_customer_of_a_transfer_has_a_separate_errcode() {
    let (mut service, ids) = company(4).await;
    let (stranger, forgotten) = (ExternalUserId::from("wmSTRANGER"), ids[3].clone());
    service.platform.with(|world| {
        world.add_contact(&UserId::from("bo"), &ExternalUserId::from("wmBOS"), "别人");
        world.transfer_rules.errcodes.insert(ids[2].clone(), 40100);
    });
    service.platform.remove(&UserId::from("amy"), &forgotten).await.expect("they were contacts");
    let all = [ids[0].clone(), ids[0].clone(), ids[2].clone(), forgotten, ExternalUserId::from("wmBOS"), stranger];
    assert_eq!(
        asked(&service, IN_SERVICE, body("amy", "bo", &all)).await,
        [0, 40129, 40100, 84061, 40131, 40096],
        "begun, under way, said by the test, nobody's, somebody else's, unknown"
    );
    let call = service.platform.with(|world| world.transfer_calls[0].clone());
    let codes: Vec<i64> = call.customers.iter().map(|(_, errcode)| *errcode).collect();
    assert_eq!((call.flow, call.handover.as_str(), codes[1]), (TransferFlow::InService, "amy", 40129));

    // Twice within 90 days, and not a third time before they are over.
    service.later(DAY).await;
    assert_eq!(asked(&service, IN_SERVICE, body("bo", "amy", &ids[..1])).await, [0]);
    service.later(DAY).await;
    assert_eq!(asked(&service, IN_SERVICE, body("amy", "bo", &ids[..1])).await, [40128]);
    service.later(DAY * 89).await;
    assert_eq!(asked(&service, IN_SERVICE, body("amy", "bo", &ids[..1])).await, [0]);
    assert_eq!(service.platform.with(|world| world.transfers_accepted(&ids[0])), 3);
}

#[tokio::test]
async fn no_addition_is_pushed_for_a_customer_whom_the_successor_has_or_had() {
    let (mut service, ids) = company(2).await;
    service.platform.with(|world| {
        assert!(world.add_contact(&UserId::from("bo"), &ids[1], "小雨"));
        // Room for one more: whom bo knows already takes none.
        world.member_mut(&UserId::from("bo")).expect("they are here").customers_max = Some(2);
    });
    let receiver = Receiver::of(&service.platform).await;
    asked(&service, IN_SERVICE, body("amy", "bo", &ids)).await;
    service.later(DAY).await;
    let gone = |member: &str, id| format!("del_external_contact {member} {id} DELETE_BY_TRANSFER");
    let first = [format!("add_external_contact bo {}", ids[0]), gone("amy", &ids[0]), gone("amy", &ids[1])];
    assert_eq!(heard(&service, &receiver).await, first);
    asked(&service, IN_SERVICE, body("bo", "amy", &ids[..1])).await;
    service.later(DAY).await;
    let mut second = first.to_vec();
    second.push(gone("bo", &ids[0]));
    assert_eq!(heard(&service, &receiver).await, second);
    assert_eq!(followers(&service, &ids[0]), ["amy"]);
    let statuses_of = |rows: (Vec<(String, i64, i64)>, usize)| statuses(&rows.0);
    assert_eq!(statuses_of(results(&service, IN_SERVICE_RESULT, "amy", "bo").await), [1, 1]);
}

#[tokio::test]
async fn a_request_with_a_wrong_member_or_too_many_customers_is_refused_as_a_whole() {
    let (mut service, ids) = company(1).await;
    let refused = async |path: &str, body: Value| service.post(path, body).await.errcode();
    for (wrong, errcode) in [
        (body("nobody", "bo", &ids), 60111),
        (body("amy", "nobody", &ids), 60111),
        (body("amy", "AMY", &ids), 40130),
        (body("amy", "bo", &[]), 40058),
        (body("amy", "bo", &vec![ids[0].clone(); 101]), 40058),
        (json!({ "takeover_userid": "bo", "external_userid": ids }), 41009),
    ] {
        assert_eq!(refused(IN_SERVICE, wrong.clone()).await, errcode, "{wrong}");
    }
    assert_eq!(refused(RESIGNED, body("nobody", "bo", &ids)).await, 60111);
    let mut wordy = body("amy", "bo", &ids);
    wordy["transfer_success_msg"] = json!("长".repeat(201));
    assert_eq!(refused(IN_SERVICE, wordy).await, 40058);

    let bo = |change: &dyn Fn(&mut crate::sandbox::world::Member)| {
        service.platform.with(|world| change(world.member_mut(&UserId::from("bo")).expect("they are here")));
    };
    bo(&|it| it.verified = false);
    assert_eq!(refused(IN_SERVICE, body("amy", "bo", &ids)).await, 40098);
    bo(&|it| it.status = MemberStatus::NotActivated);
    assert_eq!(refused(IN_SERVICE, body("amy", "bo", &ids)).await, 41054);
    bo(&|it| it.customer_contact = false);
    assert_eq!(refused(IN_SERVICE, body("amy", "bo", &ids)).await, 84074);
    let amy_only = Visible::Only { members: vec![UserId::from("amy")], departments: Vec::new() };
    service.platform.with(|world| world.app_mut(AppKind::App).expect("it is there").visible = amy_only);
    assert_eq!(refused(IN_SERVICE, body("amy", "bo", &ids)).await, 60011);
    assert_eq!(service.platform.with(|world| world.transfer_calls.len()), 0);
    assert_eq!(service.platform.with(|world| world.transfers_accepted(&ids[0])), 0);

    service.platform.with(|world| {
        world.app_mut(AppKind::App).expect("it is there").visible = Visible::Everybody;
        world.add_member(&UserId::from("cho"), "cho");
    });
    service.platform.leave(&UserId::from("amy")).await.expect("they were here");
    service.later(DAY * 366).await;
    assert_eq!(service.post(RESIGNED, body("amy", "cho", &ids)).await.errcode(), 40205, "a year is over");
}

#[tokio::test]
async fn a_transfer_starts_even_if_the_answer_is_lost() {
    let (service, ids) = company(2).await;
    let broken = |drop| Fault { drop: Some(drop), times: Some(1), ..Fault::default() };
    service.platform.faults().set(IN_SERVICE, broken(DropAt::Before));
    assert!(service.try_post(IN_SERVICE, body("amy", "bo", &ids[..1])).await.is_none());
    assert_eq!(results(&service, IN_SERVICE_RESULT, "amy", "bo").await.0, []);
    service.platform.faults().set(IN_SERVICE, broken(DropAt::After));
    assert!(service.try_post(IN_SERVICE, body("amy", "bo", &ids[..1])).await.is_none());
    assert_eq!(statuses(&results(&service, IN_SERVICE_RESULT, "amy", "bo").await.0), [2]);
    assert_eq!(asked(&service, IN_SERVICE, body("amy", "bo", &ids)).await, [40129, 0]);
    assert_eq!(service.platform.with(|world| world.transfers_accepted(&ids[0])), 1);
}

#[tokio::test]
async fn a_customer_who_refused_may_be_requested_again_and_the_latest_result_counts() {
    let (mut service, ids) = company(3).await;
    service.platform.with(|world| world.transfer_rules.refusers.insert(ids[0].clone()));
    asked(&service, IN_SERVICE, body("amy", "bo", &ids)).await;
    service.later(Duration::from_secs(3600)).await;
    service.platform.with(|world| world.transfer_rules.refusers.clear());
    assert_eq!(asked(&service, IN_SERVICE, body("amy", "bo", &ids)).await, [0, 40129, 40129]);
    let (mut rows, _) = results(&service, IN_SERVICE_RESULT, "amy", "bo").await;
    rows.sort();
    assert_eq!(statuses(&rows), [2, 2, 2], "each customer once");
    service.later(DAY).await;
    assert_eq!(followers(&service, &ids[0]), ["bo"]);
}
