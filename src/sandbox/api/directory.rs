//! Members and departments visible to the app.

use serde_json::{Map, Value, json};

use super::answer::{Answer, tomorrow};
use super::ask::Ask;
use super::cursor;
use super::refusal::{BAD_PARAMETER, NO_DEPARTMENT, NO_SUCH_USER, NO_USERID, OUT_OF_SIGHT, Refusal};
use crate::sandbox::push::AppKind;
use crate::sandbox::world::{Credential, Department, Member, World};

/// A member status that is not documented yet.
const STATUS_OF_TOMORROW: i64 = 77;

/// The largest page of `user/list_id`.
const IDS_PER_PAGE_MAX: i64 = 10_000;

pub(super) fn user_get(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let userid = ask.parameter("userid").ok_or_else(|| Refusal::of(NO_USERID))?;
    // The answer is the same for an unknown member, a leaver, and one who is not visible.
    let place = world.directory.find(userid).filter(|&place| world.directory.shows(caller, place));
    let member = place.and_then(|place| world.directory.get(place)).ok_or_else(|| Refusal::of(NO_SUCH_USER))?;
    Ok(Answer::Fields(details(world, caller, member)))
}

pub(super) fn user_list(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let members = members_of(world, ask, caller)?;
    let list: Vec<Value> = members.map(|member| Value::Object(details(world, caller, member))).collect();
    Ok(Answer::of(json!({ "userlist": list })))
}

pub(super) fn user_simplelist(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let brief = |member: &Member| {
        let departments = seen_departments(world, caller, member);
        json!({ "userid": member.userid, "name": member.name, "department": departments })
    };
    let list: Vec<Value> = members_of(world, ask, caller)?.map(brief).collect();
    Ok(Answer::of(json!({ "userlist": list })))
}

pub(super) fn user_list_id(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let limit = fields.number("limit")?.unwrap_or(IDS_PER_PAGE_MAX);
    if !(1..=IDS_PER_PAGE_MAX).contains(&limit) {
        return Err(Refusal::because(BAD_PARAMETER, "limit"));
    }
    let now = world.now();
    let first = cursor::begin(fields.text("cursor")?, &ask.path, now)?;
    let members = (0..).zip(&world.directory.members).filter(|(_, member)| member.left_at.is_none());
    let rows = members.flat_map(|(place, member)| {
        (0..).zip(&member.departments).map(move |(nth, department)| ((place, nth), &member.userid, *department))
    });
    let mut rows = rows.skip_while(|(place, ..)| *place < first);
    let page: Vec<Value> = rows
        .by_ref()
        .take(usize::try_from(limit).unwrap_or_default())
        .map(|(_, userid, department)| json!({ "userid": userid, "department": department }))
        .collect();
    let next = rows.next().map(|(place, ..)| cursor::at(place, &ask.path, now)).unwrap_or_default();
    Ok(Answer::of(json!({ "next_cursor": next, "dept_user": page })))
}

pub(super) fn department_list(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let list: Vec<Value> = departments_below(world, ask, caller)?.map(|it| described(world, it)).collect();
    Ok(Answer::of(json!({ "department": list })))
}

pub(super) fn department_simplelist(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let brief = |it: &Department| json!({ "id": it.id, "parentid": it.parent, "order": order(it) });
    let list: Vec<Value> = departments_below(world, ask, caller)?.map(brief).collect();
    Ok(Answer::of(json!({ "department_id": list })))
}

pub(super) fn department_get(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let id = seen_department(world, caller, ask.parameter("id"))?;
    let department = world.directory.department(id).ok_or_else(|| Refusal::of(NO_DEPARTMENT))?;
    Ok(Answer::of(json!({ "department": described(world, department) })))
}

/// The direct members of the requested department.
fn members_of<'a>(
    world: &'a World,
    ask: &Ask,
    caller: &'a Credential,
) -> Result<impl Iterator<Item = &'a Member>, Refusal> {
    let id = seen_department(world, caller, ask.parameter("department_id"))?;
    let members = (0..).zip(&world.directory.members);
    let seen = members.filter(move |(place, it)| it.departments.contains(&id) && world.directory.shows(caller, *place));
    Ok(seen.map(|(_, member)| member))
}

/// The requested departments that are visible; all of them without an id.
fn departments_below<'a>(
    world: &'a World,
    ask: &Ask,
    caller: &'a Credential,
) -> Result<impl Iterator<Item = &'a Department>, Refusal> {
    let above = ask.parameter("id").map(|id| seen_department(world, caller, Some(id))).transpose()?;
    let directory = &world.directory;
    Ok(directory.departments.iter().filter(move |it| {
        above.is_none_or(|above| directory.is_below(it.id, above)) && sees_department(world, caller, it.id)
    }))
}

fn seen_department(world: &World, caller: &Credential, id: Option<&str>) -> Result<u32, Refusal> {
    let id = id.and_then(|id| id.parse().ok()).ok_or_else(|| Refusal::because(BAD_PARAMETER, "department id"))?;
    if world.directory.department(id).is_none() {
        return Err(Refusal::of(NO_DEPARTMENT));
    }
    if sees_department(world, caller, id) { Ok(id) } else { Err(Refusal::of(OUT_OF_SIGHT)) }
}

/// Directory sync sees every department.
fn sees_department(world: &World, caller: &Credential, id: u32) -> bool {
    caller.kind == AppKind::Directory || world.directory.shows_department(caller, id)
}

fn seen_departments(world: &World, caller: &Credential, member: &Member) -> Vec<u32> {
    member.departments.iter().copied().filter(|&id| sees_department(world, caller, id)).collect()
}

fn described(world: &World, department: &Department) -> Value {
    let leads = |it: &&Member| it.left_at.is_none() && it.departments.first() == Some(&department.id);
    let leader = world.directory.members.iter().find(leads).map(|it| &it.userid);
    json!({
        "id": department.id,
        "name": department.name,
        "name_en": "",
        "department_leader": leader.into_iter().collect::<Vec<_>>(),
        "parentid": department.parent,
        "order": order(department),
    })
}

/// The larger sorts first.
fn order(department: &Department) -> u32 {
    100_000_u32.saturating_sub(department.id)
}

fn details(world: &World, caller: &Credential, member: &Member) -> Map<String, Value> {
    let departments = seen_departments(world, caller, member);
    let zeros = vec![0; departments.len()];
    let mut card = Map::new();
    let mut set = |name: &str, value: Value| card.insert(name.to_owned(), value);
    set("userid", json!(member.userid));
    set("name", json!(member.name));
    set("order", json!(zeros));
    set("position", json!(member.position));
    set("is_leader_in_dept", json!(zeros));
    set("direct_leader", json!([]));
    if let Some(main) = departments.first() {
        set("main_department", json!(main));
    }
    set("department", json!(departments));
    set("alias", json!(""));
    set("status", json!(if world.speaks_of_tomorrow { STATUS_OF_TOMORROW } else { member.status.code() }));
    set("telephone", json!(""));
    set("external_position", json!(member.position));
    set("extattr", json!({ "attrs": [] }));
    if caller.private_fields {
        let face = format!("https://wework.qpic.cn/wwpic/{}/0", member.userid);
        set("gender", json!("1"));
        set("mobile", json!("13000000000"));
        set("email", json!(""));
        set("biz_mail", json!(format!("{}@example.com", member.userid)));
        set("avatar", json!(face));
        set("thumb_avatar", json!(face));
    }
    tomorrow(world, &mut card);
    card
}
