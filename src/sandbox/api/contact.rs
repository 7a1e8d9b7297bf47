//! Customers: their followers, their cards, and lists of them.
//!
//! Only members visible to the app count; a customer of other members only is unknown to it.

use serde_json::{Map, Value, json};

use super::answer::{Answer, tomorrow};
use super::ask::Ask;
use super::cursor;
use super::refusal::{
    BAD_EXTERNAL_USERID, BAD_PARAMETER, BAD_USERID_LIST, NO_EXTERNAL_USERID, NO_RELATION, NO_SUCH_USER, NO_USERID,
    NOT_SERVING, OUT_OF_SIGHT, Refusal, TOO_MANY_USERIDS,
};
use crate::ids::ExternalUserId;
use crate::sandbox::world::{Credential, Customer, Follow, World, card};

/// How many followers a card shows per page.
const FOLLOWERS_PER_PAGE: usize = 500;

/// Page sizes of `batch/get_by_user`: the default, and the maximum.
const PAGE: i64 = 50;
const PAGE_MAX: i64 = 100;

/// How many members one call may ask for.
const USERIDS_MAX: usize = 100;

/// An `add_way` that is not documented yet.
const ADD_WAY_OF_TOMORROW: i64 = 9001;

/// The prefixes of customers' ids: on WeChat, and in another company.
const ON_WECHAT: &str = "wm";
const ON_WECOM: &str = "wo";

pub(super) fn get_follow_user_list(world: &mut World, _: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let members = (0..).zip(&world.directory.members);
    let serving = members.filter(|(place, it)| it.customer_contact && world.directory.shows(caller, *place));
    Ok(Answer::of(json!({ "follow_user": serving.map(|(_, it)| &it.userid).collect::<Vec<_>>() })))
}

pub(super) fn list(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let userid = ask.parameter("userid").ok_or_else(|| Refusal::of(NO_USERID))?;
    let member = serving(world, caller, userid)?;
    let follows = world.directory.get(member).map(|it| it.follows.as_slice()).unwrap_or_default();
    let customer = |&place: &u32| world.contacts.customer(world.contacts.follow(place)?.customer);
    let ids: Vec<&ExternalUserId> = follows.iter().filter_map(customer).map(|it| &it.id).collect();
    if ids.is_empty() {
        return Err(Refusal::of(NO_RELATION));
    }
    Ok(Answer::of(json!({ "external_userid": ids })))
}

pub(super) fn get(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let id = ask.parameter("external_userid").ok_or_else(|| Refusal::of(NO_EXTERNAL_USERID))?;
    if ![ON_WECHAT, ON_WECOM].iter().any(|prefix| id.starts_with(prefix)) {
        return Err(Refusal::of(BAD_EXTERNAL_USERID));
    }
    let (_, first) = cursor::begin(ask.parameter("cursor"), id, world.now())?;
    let place = world.contacts.find(&ExternalUserId::from(id)).ok_or_else(|| Refusal::of(NO_RELATION))?;
    let customer = world.contacts.customer(place).ok_or_else(|| Refusal::of(NO_RELATION))?;
    let seen = customer.follows.iter().filter_map(|&place| Some((place, world.contacts.follow(place)?)));
    let seen = seen.filter(|(place, it)| *place >= first && world.directory.shows(caller, it.member));
    let mut seen = seen.peekable();
    if seen.peek().is_none() {
        return Err(Refusal::of(NO_RELATION));
    }
    let followers: Vec<Value> =
        seen.by_ref().take(FOLLOWERS_PER_PAGE).map(|(_, it)| Value::Object(follow_user(world, customer, it))).collect();
    let next = seen.next().map(|(place, _)| cursor::at((0, place), id, world.now())).unwrap_or_default();
    Ok(Answer::of(json!({
        "external_contact": external_contact(world, customer),
        "follow_user": followers,
        "next_cursor": next,
    })))
}

pub(super) fn get_by_user(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let userids = fields.texts("userid_list")?.ok_or_else(|| Refusal::of(BAD_USERID_LIST))?;
    if userids.is_empty() || userids.len() > USERIDS_MAX {
        return Err(Refusal::of(TOO_MANY_USERIDS));
    }
    let limit = match fields.number("limit")? {
        None | Some(0) => PAGE,
        Some(limit) if limit < 0 => return Err(Refusal::because(BAD_PARAMETER, "limit")),
        Some(limit) => limit.min(PAGE_MAX),
    };
    let now = world.now();
    let (first_member, first_follow) = cursor::begin(fields.text("cursor")?, &userids, now)?;
    let members = userids.iter().map(|userid| serving(world, caller, userid)).collect::<Result<Vec<_>, _>>()?;

    // A row for each pair of customer and member: a customer of two members comes twice, perhaps on two pages.
    let mut rows = Vec::new();
    let mut next = String::new();
    'members: for (nth, &member) in (0..).zip(&members).skip(first_member as usize) {
        let follows = world.directory.get(member).map(|it| it.follows.as_slice()).unwrap_or_default();
        let from = if nth == first_member { first_follow } else { 0 };
        for &place in follows.iter().skip(follows.partition_point(|&place| place < from)) {
            if rows.len() as i64 == limit {
                next = cursor::at((nth, place), &userids, now);
                break 'members;
            }
            let Some(follow) = world.contacts.follow(place) else { continue };
            let Some(customer) = world.contacts.customer(follow.customer) else { continue };
            rows.push(json!({
                "external_contact": external_contact(world, customer),
                "follow_info": follow_info(world, customer, follow),
            }));
        }
    }
    Ok(Answer::of(json!({
        "external_contact_list": rows,
        "next_cursor": next,
        "fail_info": { "unlicensed_userid_list": [] },
    })))
}

/// A member who is visible to the app and may have customers.
pub(super) fn serving(world: &World, caller: &Credential, userid: &str) -> Result<u32, Refusal> {
    let place = world.directory.find(userid).ok_or_else(|| Refusal::of(NO_SUCH_USER))?;
    if !world.directory.shows(caller, place) {
        return Err(Refusal::of(OUT_OF_SIGHT));
    }
    let serves = world.directory.get(place).is_some_and(|member| member.customer_contact);
    if serves { Ok(place) } else { Err(Refusal::of(NOT_SERVING)) }
}

fn external_contact(world: &World, customer: &Customer) -> Value {
    let card = card(world.seed, &customer.id);
    let mut shown = json!({
        "external_userid": customer.id,
        "name": customer.nickname,
        "avatar": card.avatar,
        "type": 1,
        "gender": card.gender,
    });
    let Some(fields) = shown.as_object_mut() else { return shown };
    tomorrow(world, fields);
    if customer.id.as_str().starts_with(ON_WECOM) {
        fields.insert("type".to_owned(), 2.into());
        fields.insert("position".to_owned(), "采购".into());
        fields.insert("corp_name".to_owned(), "示例贸易".into());
        fields.insert("corp_full_name".to_owned(), "示例贸易有限公司".into());
    } else if world.shows_unionids {
        fields.insert("unionid".to_owned(), card.unionid.into());
    }
    shown
}

/// One of a card's followers, with the names of the tags.
fn follow_user(world: &World, customer: &Customer, follow: &Follow) -> Map<String, Value> {
    let mut shown = relation(world, customer, follow);
    let tag = |id: &String| world.tags.iter().find(|tag| tag.id == *id);
    let ids = follow.notes.as_deref().map(|notes| notes.tags.as_slice()).unwrap_or_default();
    let tags: Vec<Value> = ids
        .iter()
        .filter_map(tag)
        .map(|tag| json!({ "group_name": tag.group, "tag_name": tag.name, "tag_id": tag.id, "type": 1 }))
        .collect();
    shown.insert("tags".to_owned(), tags.into());
    shown
}

/// The same in a page of many, with the ids of the tags only.
fn follow_info(world: &World, customer: &Customer, follow: &Follow) -> Value {
    let mut shown = relation(world, customer, follow);
    let ids = follow.notes.as_deref().map(|notes| notes.tags.clone()).unwrap_or_default();
    shown.insert("tag_id".to_owned(), ids.into());
    Value::Object(shown)
}

fn relation(world: &World, customer: &Customer, follow: &Follow) -> Map<String, Value> {
    let userid = world.directory.get(follow.member).map(|it| it.userid.as_str()).unwrap_or_default();
    let notes = follow.notes.as_deref().cloned().unwrap_or_default();
    // Without a remark the member sees the nickname, and so does the API.
    let remark = if notes.remark.is_empty() { customer.nickname.to_string() } else { notes.remark };
    let mut shown = Map::new();
    let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    set("userid", userid.into());
    set("remark", remark.into());
    set("description", notes.description.into());
    set("createtime", follow.since.into());
    if !notes.remark_company.is_empty() {
        set("remark_corp_name", notes.remark_company.into());
    }
    set("remark_mobiles", notes.remark_mobiles.into());
    set("oper_userid", if follow.by_member { userid.into() } else { customer.id.as_str().into() });
    set("add_way", if world.speaks_of_tomorrow { ADD_WAY_OF_TOMORROW } else { follow.add_way as i64 }.into());
    if let Some(state) = follow.state.as_deref() {
        set("state", state.into());
    }
    tomorrow(world, &mut shown);
    shown
}
