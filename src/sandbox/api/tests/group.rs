//! Customer groups: listed, read, and given to somebody else.

use serde_json::json;

use super::*;
use crate::sandbox::world::Visible;

const LIST: &str = "externalcontact/groupchat/list";
const GET: &str = "externalcontact/groupchat/get";
const RESIGNED: &str = "externalcontact/groupchat/transfer";
const IN_SERVICE: &str = "externalcontact/groupchat/onjob_transfer";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A company of Amy, who has a customer and so many groups, and Bo and Cho, who have none.
async fn company(groups: usize) -> (Service, Vec<String>) {
    let service = Service::of(Size { members: 0, customers: 0, departments: 3 }).await;
    let ids = service.platform.with(|world| {
        for name in ["amy", "bo", "cho"] {
            world.add_member(&UserId::from(name), name);
        }
        world.add_contact(&UserId::from("amy"), &ExternalUserId::from("wmGUEST"), "小雨");
        let add = |n| world.add_group(&UserId::from("amy"), &format!("群{n}")).expect("they are here");
        (0..groups).map(add).collect()
    });
    (service, ids)
}

/// The groups of somebody, page by page: id and status; and how many pages it took.
async fn groups_of(service: &Service, owner: &str, status: i64) -> (Vec<(String, i64)>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, json!(""));
    loop {
        let filter = json!({ "userid_list": [owner] });
        let body = json!({ "status_filter": status, "owner_filter": filter, "cursor": cursor, "limit": 1000 });
        let page = service.post(LIST, body).await.json();
        assert_eq!(page["errcode"], 0, "{page}");
        rows.extend(page["group_chat_list"].as_array().expect("a list").iter().map(|row| {
            (row["chat_id"].as_str().expect("an id").to_owned(), row["status"].as_i64().expect("a number"))
        }));
        (pages, cursor) = (pages + 1, page["next_cursor"].clone());
        if cursor == json!("") {
            return (rows, pages);
        }
    }
}

/// Gives groups away, and returns the codes of those that were not given.
async fn given(service: &Service, path: &str, chat_ids: &[String], to: &str) -> Vec<i64> {
    let answer = service.post(path, json!({ "chat_id_list": chat_ids, "new_owner": to })).await.json();
    assert_eq!(answer["errcode"], 0, "{answer}");
    let failed = answer["failed_chat_list"].as_array().expect("a list");
    assert!(failed.iter().all(|row| row["chat_id"].is_string() && row["errmsg"].is_string()), "{answer}");
    failed.iter().map(|row| row["errcode"].as_i64().expect("a number")).collect()
}

async fn owner(service: &Service, chat_id: &str) -> Value {
    service.post(GET, json!({ "chat_id": chat_id })).await.json()["group_chat"]["owner"].clone()
}

#[tokio::test]
async fn a_group_is_read_with_everybody_in_it() {
    let (service, ids) = company(1).await;
    let group = service.post(GET, json!({ "chat_id": ids[0], "need_name": 1 })).await.json()["group_chat"].clone();
    assert_eq!((&group["name"], &group["owner"]), (&json!("群0"), &json!("amy")));
    let members = group["member_list"].as_array().expect("a list");
    let brief: Vec<_> =
        members.iter().map(|it| (it["userid"].clone(), it["type"].clone(), it["name"].clone())).collect();
    let expected =
        [("amy", 1, "amy"), ("wmGUEST", 2, "小雨")].map(|(id, kind, name)| (json!(id), json!(kind), json!(name)));
    assert_eq!(brief, expected);
    assert_eq!(service.post(GET, json!({ "chat_id": "wrNONE" })).await.errcode(), 40050);
    let bo_only = Visible::Only { members: vec![UserId::from("bo")], departments: Vec::new() };
    service.platform.with(|world| world.app_mut(AppKind::App).expect("it is there").visible = bo_only);
    assert_eq!(service.post(GET, json!({ "chat_id": ids[0] })).await.errcode(), 60011);
    assert_eq!(groups_of(&service, "amy", 0).await.0, []);
}

#[tokio::test]
async fn groups_of_a_leaver_are_inherited_at_once_or_after_a_delay() {
    let (mut service, ids) = company(3).await;
    assert_eq!(given(&service, RESIGNED, &ids[..1], "bo").await, [90500], "amy is still here");
    service.platform.leave(&UserId::from("amy")).await.expect("they were here");
    let orphaned: Vec<_> = ids.iter().map(|id| (id.clone(), 1)).collect();
    assert_eq!(groups_of(&service, "amy", 0).await.0, orphaned);
    assert_eq!(groups_of(&service, "amy", 1).await.0, orphaned);
    let unnamed = service.post(LIST, json!({ "limit": 10 })).await.json();
    assert_eq!(unnamed["group_chat_list"], json!([]), "a leaver's groups are shown to who names the leaver");

    assert_eq!(given(&service, IN_SERVICE, &ids[..1], "bo").await, [90502]);
    assert_eq!(given(&service, RESIGNED, &ids[..1], "bo").await, [0; 0]);
    assert_eq!(
        (owner(&service, &ids[0]).await, service.platform.with(|it| it.groups_of(&UserId::from("bo")))),
        (json!("bo"), vec![ids[0].clone()])
    );
    assert_eq!(groups_of(&service, "bo", 3).await.0, [(ids[0].clone(), 3)]);
    assert_eq!(given(&service, RESIGNED, &ids[..1], "cho").await, [90508], "inherited already");

    service.platform.with(|world| world.transfer_rules.inherit_after_s = 3600);
    assert_eq!(given(&service, RESIGNED, &ids[1..2], "bo").await, [0; 0]);
    assert_eq!(groups_of(&service, "amy", 2).await.0, [(ids[1].clone(), 2)]);
    assert_eq!(given(&service, RESIGNED, &ids[1..], "cho").await, [90507], "the other one is given");
    service.later(Duration::from_secs(3600)).await;
    let owners = service.platform.with(|world| [1, 2].map(|n| world.owner_of(&ids[n]).cloned()));
    assert_eq!(owners, [Some(UserId::from("bo")), Some(UserId::from("cho"))]);
    assert_eq!(groups_of(&service, "amy", 0).await.0, []);

    service.platform.leave(&UserId::from("bo")).await.expect("they were here");
    assert_eq!(groups_of(&service, "bo", 1).await.0.len(), 2, "and so on");
    let calls = service.platform.with(|world| world.group_calls.iter().map(|it| it.chat_ids.len()).sum::<usize>());
    assert_eq!(calls, 7);
}

#[tokio::test]
async fn a_group_changes_its_owner_in_service_twice_within_ninety_days() {
    let (mut service, ids) = company(1).await;
    assert_eq!(given(&service, IN_SERVICE, &ids, "amy").await, [90504], "it is hers");
    assert_eq!(given(&service, IN_SERVICE, &["wrNONE".to_owned()], "bo").await, [90501]);
    assert_eq!(given(&service, IN_SERVICE, &ids, "bo").await, [0; 0]);
    assert_eq!(owner(&service, &ids[0]).await, json!("bo"));
    assert_eq!(groups_of(&service, "bo", 0).await.0, [(ids[0].clone(), 0)]);
    assert_eq!(given(&service, IN_SERVICE, &ids, "cho").await, [0; 0]);
    assert_eq!(given(&service, IN_SERVICE, &ids, "amy").await, [40128]);
    let group = service.post(GET, json!({ "chat_id": ids[0] })).await.json()["group_chat"].clone();
    let staff: Vec<_> =
        group["member_list"].as_array().expect("a list").iter().map(|it| it["userid"].clone()).collect();
    assert_eq!(staff, ["cho", "amy", "bo", "wmGUEST"], "the former owner stays in the group");
    service.later(DAY * 90).await;
    assert_eq!(given(&service, IN_SERVICE, &ids, "amy").await, [0; 0]);
}

/// How long this day lasts in China.
fn until_midnight(service: &Service) -> Duration {
    let now = service.platform.clock().now().timestamp();
    Duration::from_secs((86_400 - (now + 8 * 3600).rem_euclid(86_400)).unsigned_abs())
}

#[tokio::test]
async fn the_daily_group_limit_of_a_member_resets_at_midnight_in_china() {
    let (mut service, ids) = company(5).await;
    service.platform.with(|world| world.limits.groups_per_day = 2);
    service.platform.leave(&UserId::from("amy")).await.expect("they were here");
    service.later(until_midnight(&service)).await;
    assert_eq!(given(&service, RESIGNED, &ids, "bo").await, [45009; 3]);
    assert_eq!(given(&service, RESIGNED, &ids[4..], "cho").await, [45009], "amy gave enough today");
    service.later(until_midnight(&service)).await;
    assert_eq!(given(&service, RESIGNED, &ids[2..], "bo").await, [45009]);
}

#[tokio::test]
async fn groups_are_listed_page_by_page_and_an_invalid_query_is_refused() {
    let (service, ids) = company(5).await;
    service.platform.with(|world| world.limits.groups_per_page = 2);
    let (rows, pages) = groups_of(&service, "amy", 0).await;
    assert_eq!((rows.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), pages), (ids.clone(), 3));
    for (body, errcode) in [
        (json!({}), 40058),
        (json!({ "limit": 1001 }), 40058),
        (json!({ "limit": 1, "status_filter": 4 }), 40058),
        (json!({ "limit": 1, "owner_filter": { "userid_list": ["nobody"] } }), 60111),
        (json!({ "limit": 1, "owner_filter": { "userid_list": vec!["amy"; 101] } }), 40032),
        (json!({ "limit": 1, "cursor": "C2" }), 50100),
    ] {
        assert_eq!(service.post(LIST, body.clone()).await.errcode(), errcode, "{body}");
    }
    for (chat_ids, to, errcode) in [(&ids[..0], "bo", 40058), (&ids[..], "nobody", 60111), (&ids[..], "", 41009)] {
        let body = json!({ "chat_id_list": chat_ids, "new_owner": to });
        assert_eq!(service.post(IN_SERVICE, body.clone()).await.errcode(), errcode, "{body}");
    }
    let too_many = json!({ "chat_id_list": vec!["wrX"; 101], "new_owner": "bo" });
    assert_eq!(service.post(RESIGNED, too_many).await.errcode(), 40058);
}

#[tokio::test]
async fn a_made_up_company_has_a_few_groups_from_the_beginning() {
    let service = Service::start().await;
    let owners: Vec<UserId> = service.platform.with(|world| world.members().map(|it| it.userid.clone()).collect());
    let mut owned = Vec::new();
    for owner in &owners {
        owned.extend(groups_of(&service, owner.as_str(), 0).await.0);
    }
    assert!((1..owners.len()).contains(&owned.len()), "{owned:?}");
    let same = World::of(&corp(), SMALL, 1);
    assert!(owned.iter().all(|(id, _)| same.group(id).is_some_and(|group| !group.guests.is_empty())));
    let unnamed = service.post(LIST, json!({ "limit": 100 })).await.json();
    assert_eq!(unnamed["group_chat_list"].as_array().map(Vec::len), Some(owned.len()));
}

#[tokio::test]
async fn groups_are_given_away_even_if_the_answer_is_lost() {
    let (service, ids) = company(1).await;
    let broken = Fault { drop: Some(DropAt::After), times: Some(1), ..Fault::default() };
    service.platform.faults().set(IN_SERVICE, broken);
    let body = json!({ "chat_id_list": ids, "new_owner": "bo" });
    assert!(service.try_post(IN_SERVICE, body).await.is_none());
    assert_eq!(owner(&service, &ids[0]).await, json!("bo"));
    assert_eq!(given(&service, IN_SERVICE, &ids, "bo").await, [90504], "asking again changes nothing");
}
