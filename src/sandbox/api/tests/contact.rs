//! Customers read page by page and one by one, and what is written about them.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::NaiveDate;
use serde_json::json;

use super::*;
use crate::sandbox::day::{Ended, work_day};

/// Larger than a page for every member.
const MANY: Size = Size { members: 9, customers: 1500, departments: 4 };

/// Every pair of member and customer that a whole pass over all members names, and how many pages it took.
async fn whole_pass(service: &Service) -> (Vec<(String, String)>, usize) {
    let members = service.get("externalcontact/get_follow_user_list").await.json()["follow_user"].clone();
    let (mut pairs, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let body = json!({ "userid_list": members, "cursor": cursor, "limit": 1000 });
        let page = service.post("externalcontact/batch/get_by_user", body).await.json();
        assert_eq!(page["errcode"], 0, "{page}");
        let rows = page["external_contact_list"].as_array().expect("a list");
        assert!(rows.len() <= 100, "a page has {} rows", rows.len());
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        pairs.extend(
            rows.iter()
                .map(|row| (text(&row["follow_info"]["userid"]), text(&row["external_contact"]["external_userid"]))),
        );
        pages += 1;
        cursor = text(&page["next_cursor"]);
        if cursor.is_empty() {
            return (pairs, pages);
        }
    }
}

fn known_pairs(service: &Service) -> BTreeSet<(String, String)> {
    service.platform.with(|world| {
        let of = |userid: UserId| world.customers_of(&userid).into_iter().map(move |it| (userid.to_string(), it.0));
        world.members().flat_map(|member| of(member.userid.clone())).collect()
    })
}

#[tokio::test]
async fn reading_all_pages_lists_every_contact_once() {
    let service = Service::of(MANY).await;
    let (pairs, pages) = whole_pass(&service).await;
    let known = known_pairs(&service);
    assert!(known.len() > 1500, "some customers know two members: {}", known.len());
    assert_eq!(pages, known.len().div_ceil(100));
    assert_eq!(pairs.len(), known.len());
    assert_eq!(pairs.into_iter().collect::<BTreeSet<_>>(), known);
}

#[tokio::test]
async fn a_cursor_is_good_for_the_same_members_and_some_hours_only() {
    let service = Service::of(MANY).await;
    let member = service.serving();
    let ask = |userids: Value, cursor: Value| {
        let body = json!({ "userid_list": userids, "cursor": cursor });
        service.post("externalcontact/batch/get_by_user", body)
    };
    let page = ask(json!([member]), json!("")).await.json();
    assert_eq!(page["external_contact_list"].as_array().map(Vec::len), Some(50), "without extra options");
    let cursor = page["next_cursor"].clone();
    assert_eq!(ask(json!([member]), cursor.clone()).await.errcode(), 0);
    assert_eq!(ask(json!([member, member]), cursor.clone()).await.errcode(), 50100);
    assert_eq!(ask(json!([member]), json!("made-up")).await.errcode(), 50100);
    assert_eq!(ask(json!(["nobody"]), json!("")).await.errcode(), 60111);
    assert_eq!(ask(json!([]), json!("")).await.errcode(), 40032);
    assert_eq!(ask(json!(member), json!("")).await.errcode(), 40058);
    // The token lives less long than the cursor's hours.
    service.platform.clock().advance(Duration::from_secs(4 * 3600));
    let token = service.new_token(AppKind::App).await;
    let body = json!({ "userid_list": [member], "cursor": cursor }).to_string();
    let path = with_token("externalcontact/batch/get_by_user", &token);
    let late = service.ask(Method::POST, &path, &[], Bytes::from(body)).await.expect("answered");
    assert_eq!(late.errcode(), 50100);
}

#[tokio::test]
async fn a_value_of_a_wrong_type_is_refused_or_passed_over_with_a_warning() {
    let service = Service::start().await;
    let member = service.serving();
    let body = || json!({ "userid_list": [member], "limit": "100" });
    let refused = service.post("externalcontact/batch/get_by_user", body()).await.json();
    assert!(refused["errcode"] == 40058 && refused["errmsg"].to_string().contains("wrong json format"), "{refused}");
    service.platform.with(|world| world.tolerates_wrong_types = true);
    let taken = service.post("externalcontact/batch/get_by_user", body()).await.json();
    assert!(taken["errcode"] == 0 && taken["errmsg"].to_string().contains("wrong json format"), "{taken}");
    let path = with_token("externalcontact/batch/get_by_user", &service.token);
    let garbage = service.ask(Method::POST, &path, &[], Bytes::from_static(b"{")).await.expect("answered");
    assert_eq!(garbage.errcode(), 40058);
    assert_eq!(service.get("externalcontact/nonsense").await.status, 404);
}

#[tokio::test]
async fn the_api_still_returns_a_contact_that_only_one_side_deleted() {
    let service = Service::start().await;
    let (member, customer) = service.pair();
    let read = format!("externalcontact/get?external_userid={customer}");
    let remark = || json!({ "userid": member, "external_userid": customer, "remark": "老客户" });
    service.platform.unfollow(&member, &customer).await.expect("they are contacts");
    assert_eq!(
        service.post("externalcontact/remark", remark()).await.errcode(),
        0,
        "a one-sided contact is sufficient"
    );

    let followers = service.get(&read).await.json()["follow_user"].as_array().map_or(0, Vec::len);
    service.platform.remove(&member, &customer).await.expect("they are contacts");
    assert_eq!(service.post("externalcontact/remark", remark()).await.errcode(), 84061);
    let after = service.get(&read).await.json();
    assert_eq!(after["follow_user"].as_array().map_or(0, Vec::len), followers - 1, "{after}");
    assert_eq!(service.get("externalcontact/get?external_userid=wmNobody").await.errcode(), 84061);
    assert_eq!(service.get("externalcontact/get?external_userid=nobody").await.errcode(), 40096);
}

#[tokio::test]
async fn remarks_and_tags_are_kept_for_the_member_who_wrote_them() {
    let service = Service::start().await;
    let (member, customer) = service.pair();
    let (vip, other) = service.platform.with(|world| (world.tags()[0].id.clone(), world.tags()[1].id.clone()));
    let with = |more: Value| {
        let mut body = json!({ "userid": member, "external_userid": customer });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let mobiles = json!({ "remark": "老王#1001", "remark_mobiles": ["13000000000"] });
    assert_eq!(service.post("externalcontact/remark", with(mobiles)).await.errcode(), 0);
    let marked = service.post("externalcontact/mark_tag", with(json!({ "add_tag": [vip, other, vip] }))).await;
    assert_eq!(marked.errcode(), 0);
    assert_eq!(service.post("externalcontact/mark_tag", with(json!({ "remove_tag": [other] }))).await.errcode(), 0);
    let notes = service.platform.with(|world| world.notes(&member, &customer)).expect("contacts");
    assert_eq!((notes.remark.as_str(), notes.remark_mobiles), ("老王#1001", vec!["13000000000".to_owned()]));
    assert!(notes.tags.contains(&vip) && !notes.tags.contains(&other), "{:?}", notes.tags);

    let cleared = service.post("externalcontact/remark", with(json!({ "remark_mobiles": [""] }))).await;
    assert_eq!(cleared.errcode(), 0);
    let notes = service.platform.with(|world| world.notes(&member, &customer)).expect("contacts");
    assert_eq!((notes.remark.as_str(), notes.remark_mobiles.len()), ("老王#1001", 0));

    let long = json!({ "remark": "长".repeat(21) });
    assert_eq!(service.post("externalcontact/remark", with(long)).await.errcode(), 40058);
    assert_eq!(service.post("externalcontact/remark", with(json!({}))).await.errcode(), 40058);
    assert_eq!(service.post("externalcontact/mark_tag", with(json!({ "add_tag": ["etX"] }))).await.errcode(), 40068);
    assert_eq!(service.platform.calls().last().map(|call| call.errcode), Some(40068));
}

#[tokio::test]
async fn the_customers_of_former_members_are_listed_page_by_page() {
    let service = Service::start().await;
    let member = service.serving();
    let customers = service.platform.with(|world| world.customers_of(&member));
    assert!(customers.len() > 2, "{}", customers.len());
    let ask = |cursor: Value| {
        service.post("externalcontact/get_unassigned_list", json!({ "page_size": 2, "cursor": cursor }))
    };
    assert_eq!(ask(json!("")).await.json()["info"], json!([]));
    service.platform.leave(&member).await.expect("they were here");
    let (mut listed, mut cursor) = (Vec::new(), json!(""));
    loop {
        let page = ask(cursor).await.json();
        listed.extend(page["info"].as_array().expect("a list").iter().map(|row| {
            assert_eq!(row["handover_userid"], json!(member));
            ExternalUserId::from(row["external_userid"].as_str().expect("an id"))
        }));
        cursor = page["next_cursor"].clone();
        assert_eq!(page["is_last"], json!(cursor == json!("")));
        if cursor == json!("") {
            break;
        }
    }
    assert_eq!(listed, customers);
    assert_eq!(service.get(&format!("user/get?userid={member}")).await.errcode(), 60111);
}

#[tokio::test]
async fn everybody_whom_a_working_day_names_has_a_card_until_it_ends() {
    let date = NaiveDate::from_ymd_opt(2024, 11, 15).expect("a date");
    let day = work_day(&corp(), 3, date, 600);
    let service = Service::start().await;
    service.platform.with(|world| world.include(&day));
    for staff in &day.staff {
        let card = service.get(&format!("user/get?userid={}", staff.id)).await.json();
        assert_eq!((&card["name"], &card["status"]), (&json!(staff.name), &json!(1)));
    }
    for customer in &day.customers {
        let card = service.get(&format!("externalcontact/get?external_userid={}", customer.id)).await.json();
        assert_eq!(card["external_contact"]["name"], json!(customer.nickname));
        assert_eq!(card["follow_user"][0].get("state").and_then(Value::as_str), customer.state.as_deref());
    }

    service.platform.with(|world| world.end(&day));
    let (old, new) = &day.renamed;
    assert_eq!(service.get(&format!("user/get?userid={old}")).await.errcode(), 60111);
    assert_eq!(service.get(&format!("user/get?userid={new}")).await.errcode(), 0);
    assert_eq!(service.get(&format!("user/get?userid={}", day.leaver)).await.errcode(), 60111);
    let deleted = day.contacts.iter().find(|it| it.ended == Some(Ended::ByMember)).expect("some were deleted");
    let gone = service.platform.with(|world| world.notes(&deleted.userid, &deleted.external_userid));
    assert_eq!(gone, None);
}

#[tokio::test]
async fn the_directory_is_walked_by_its_departments_or_listed_at_once() {
    let service = Service::start().await;
    let ids = |value: &Value, name: &str| -> BTreeSet<String> {
        value.as_array().expect("a list").iter().map(|row| row[name].to_string()).collect()
    };
    let everybody: BTreeSet<String> =
        service.platform.with(|world| world.members().map(|it| json!(it.userid).to_string()).collect());
    let departments = service.get("department/simplelist").await.json()["department_id"].clone();
    let mut walked = BTreeSet::new();
    for id in ids(&departments, "id") {
        let members = service.get(&format!("user/simplelist?department_id={id}")).await.json();
        walked.extend(ids(&members["userlist"], "userid"));
        let detailed = service.get(&format!("user/list?department_id={id}")).await.json();
        assert_eq!(ids(&detailed["userlist"], "userid"), ids(&members["userlist"], "userid"));
    }
    assert_eq!(walked, everybody);

    let sync = service.new_token(AppKind::Directory).await;
    let (mut listed, mut cursor) = (BTreeSet::new(), json!(""));
    loop {
        let body = json!({ "limit": 5, "cursor": cursor }).to_string();
        let page = service.ask(Method::POST, &with_token("user/list_id", &sync), &[], Bytes::from(body)).await;
        let page = page.expect("answered").json();
        listed.extend(ids(&page["dept_user"], "userid"));
        cursor = page["next_cursor"].clone();
        if cursor == json!("") {
            break;
        }
    }
    assert_eq!(listed, everybody);
}

#[tokio::test]
async fn a_customer_of_very_many_members_is_read_on_two_pages() {
    let service = Service::of(Size { members: 0, customers: 0, departments: 3 }).await;
    let everybody: Vec<UserId> = (0..501).map(|n| UserId(format!("member{n}"))).collect();
    let customer = ExternalUserId::from("wmPOPULAR");
    service.platform.with(|world| {
        for userid in &everybody {
            world.add_member(userid, "某");
            assert!(world.add_contact(userid, &customer, "名人"));
        }
    });
    let read = format!("externalcontact/get?external_userid={customer}");
    let first = service.get(&read).await.json();
    let cursor = first["next_cursor"].as_str().expect("a text");
    let rest = service.get(&format!("{read}&cursor={cursor}")).await.json();
    let userids = |page: &Value| -> Vec<Value> {
        page["follow_user"].as_array().expect("a list").iter().map(|it| it["userid"].clone()).collect()
    };
    assert_eq!((userids(&first).len(), userids(&rest)), (500, vec![json!("member500")]));
    assert_eq!(rest["next_cursor"], json!(""));
    let other = format!("externalcontact/get?external_userid=wmOTHER&cursor={cursor}");
    assert_eq!(service.get(&other).await.errcode(), 50100, "a cursor belongs to its customer");
}

#[tokio::test]
async fn listing_a_member_without_customers_answers_no_relation() {
    let service = Service::start().await;
    let newcomer = UserId::from("New.Comer");
    service.platform.with(|world| world.add_member(&newcomer, "新人"));
    let list = |userid: &UserId| format!("externalcontact/list?userid={userid}");
    assert_eq!(service.get(&list(&newcomer)).await.errcode(), 84061);
    let member = service.serving();
    let customers = service.platform.with(|world| world.customers_of(&member));
    assert_eq!(service.get(&list(&member)).await.json()["external_userid"], json!(customers));
    service.platform.with(|world| world.member_mut(&member).expect("they are here").customer_contact = false);
    assert_eq!(service.get(&list(&member)).await.errcode(), 84074);
}

#[tokio::test]
async fn the_fields_of_a_card_depend_on_the_company_and_the_age_of_the_app() {
    let service = Service::start().await;
    let (member, _) = service.pair();
    let customer = ExternalUserId::from("wmSOMEBODY");
    service.platform.with(|world| world.add_contact(&member, &customer, "某人"));
    let unionid = service.platform.with(|world| world.unionid(&customer));
    let read = format!("externalcontact/get?external_userid={customer}");
    assert_eq!(service.get(&read).await.json()["external_contact"]["unionid"], json!(unionid));
    service.platform.with(|world| world.shows_unionids = false);
    assert!(service.get(&read).await.json()["external_contact"].get("unionid").is_none());

    let member = format!("user/get?userid={member}");
    assert!(service.get(&member).await.json().get("avatar").is_none());
    service.platform.with(|world| world.app_mut(AppKind::App).expect("it is there").private_fields = true);
    let told = service.get(&member).await.json();
    assert!(told["avatar"].is_string() && told["gender"] == json!("1"), "{told}");
}

#[tokio::test]
async fn answers_can_include_fields_and_values_that_no_document_names() {
    let service = Service::start().await;
    let (member, customer) = service.pair();
    service.platform.with(|world| world.speaks_of_tomorrow = true);
    let card = service.get(&format!("externalcontact/get?external_userid={customer}")).await.json();
    for (place, of) in [("", &card), ("contact", &card["external_contact"]), ("follower", &card["follow_user"][0])] {
        assert!(of["hologram"].is_object(), "{place}: {card}");
    }
    assert_eq!(card["follow_user"][0]["add_way"], 9001);
    let told = service.get(&format!("user/get?userid={member}")).await.json();
    assert!(told["errcode"] == 0 && told["status"] == 77 && told["hologram"].is_object(), "{told}");
}
