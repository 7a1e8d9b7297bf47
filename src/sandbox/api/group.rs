//! Customer groups through the API: lists, details, and transfers.
//!
//! No document names the errcode for more than two moves of a group within 90 days, or for more than 300 groups a
//! day: such a group is refused with the code for a customer who was moved too often, or for too many calls.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::cursor;
use super::refusal::{
    BAD_CHAT_ID, BAD_PARAMETER, GROUP_DISSOLVED, GROUP_INHERITED, GROUP_INHERITING, MOVED_TOO_OFTEN, NO_SUCH_USER,
    NO_USERID, NOT_A_CUSTOMER_GROUP, OK, OUT_OF_SIGHT, OWNER_HAS_LEFT, OWNER_IS_HERE, OWNER_UNCHANGED, Refusal,
    TOO_BROAD, TOO_MANY_USERIDS, TOO_OFTEN,
};
use super::transfer::successor;
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::world::{
    Credential, Group, GroupCall, GroupStatus, JoinScene, Member, NotGiven, World, keep, version,
};

/// How many groups one call may transfer, and how many owners one call may name.
const GROUPS_MAX: usize = 100;
const OWNERS_MAX: usize = 100;

/// The largest page.
const PAGE_MAX: i64 = 1000;

/// With more visible members than this, the caller must name the owners.
const SIGHT_MAX: usize = 1000;

pub(super) fn list(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let limit = fields.number("limit")?.filter(|limit| (1..=PAGE_MAX).contains(limit));
    let limit = limit.ok_or_else(|| Refusal::because(BAD_PARAMETER, "limit: 1 to 1000"))?;
    let wanted = match fields.number("status_filter")?.unwrap_or_default() {
        0 => None,
        1 => Some(GroupStatus::Orphaned),
        2 => Some(GroupStatus::Inheriting),
        3 => Some(GroupStatus::Inherited),
        _ => return Err(Refusal::because(BAD_PARAMETER, "status_filter: 0 to 3")),
    };
    let filter = fields.object("owner_filter")?;
    let named = filter.map(|it| it.texts("userid_list")).transpose()?.flatten().filter(|list| !list.is_empty());
    let owners = named.as_deref().map(|named| owners(world, caller, named)).transpose()?;
    if owners.is_none() {
        let members = (0..).zip(&world.directory.members);
        if members.filter(|(place, _)| world.directory.shows(caller, *place)).count() > SIGHT_MAX {
            return Err(Refusal::of(TOO_BROAD));
        }
    }
    let asked = (wanted.map(|it| it as i64), &named);
    let (world, now) = (&*world, world.now());
    let (_, first) = cursor::begin(fields.text("cursor")?, asked, now)?;
    let mut groups = (0..).zip(&world.groups.all).skip(first as usize).filter(|(_, group)| {
        // Leavers' groups are listed only if the caller names the leaver.
        let seen = match &owners {
            Some(owners) => owners.contains(&group.owner),
            None => world.directory.shows(caller, group.owner),
        };
        seen && !group.is_dismissed() && wanted.is_none_or(|wanted| world.group_status(group) == wanted)
    });
    let page: Vec<Value> = groups
        .by_ref()
        .take(usize::try_from(limit).unwrap_or_default().min(world.limits.groups_per_page))
        .map(|(_, group)| json!({ "chat_id": group.chat_id, "status": world.group_status(group) as i64 }))
        .collect();
    let next = groups.next().map(|(place, _)| cursor::at((0, place), asked, now)).unwrap_or_default();
    Ok(Answer::of(json!({ "group_chat_list": page, "next_cursor": next })))
}

pub(super) fn get(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let group = world.groups.get(fields.required("chat_id", BAD_CHAT_ID)?).ok_or_else(|| Refusal::of(BAD_CHAT_ID))?;
    if group.is_dismissed() {
        return Err(Refusal::of(GROUP_DISSOLVED));
    }
    let owner = world.directory.get(group.owner).ok_or_else(|| Refusal::of(BAD_CHAT_ID))?;
    if owner.left_at.is_none() && !world.directory.shows(caller, group.owner) {
        return Err(Refusal::of(OUT_OF_SIGHT));
    }
    Ok(Answer::of(json!({ "group_chat": described(world, group, owner, fields.switch("need_name")?) })))
}

/// Transfers leavers' groups.
pub(super) fn transfer(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    give(world, ask, caller, true)
}

/// Transfers the groups of active members.
pub(super) fn onjob_transfer(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    give(world, ask, caller, false)
}

fn give(world: &mut World, ask: &Ask, caller: &Credential, resigned: bool) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let chat_ids = fields.texts("chat_id_list")?.unwrap_or_default();
    if chat_ids.is_empty() || chat_ids.len() > GROUPS_MAX {
        return Err(Refusal::because(BAD_PARAMETER, "chat_id_list: 1 to 100"));
    }
    let userid = fields.required("new_owner", NO_USERID)?;
    let new_owner = successor(world, caller, userid)?;
    let mut given = |chat_id: &str| {
        if let Some(errcode) = world.transfer_rules.group_errcodes.get(chat_id) {
            return (chat_id.to_owned(), *errcode);
        }
        let outcome = if resigned { world.bequeath(chat_id, new_owner) } else { world.give(chat_id, new_owner) };
        (chat_id.to_owned(), outcome.err().map_or(OK, code))
    };
    let answers: Vec<(String, i64)> = chat_ids.into_iter().map(&mut given).collect();
    let failed = answers.iter().filter(|(_, errcode)| *errcode != OK);
    let failed: Vec<Value> = failed
        .map(|(id, errcode)| json!({ "chat_id": id, "errcode": errcode, "errmsg": Refusal::of(*errcode).text }))
        .collect();
    let call = GroupCall { resigned, new_owner: UserId::from(userid), chat_ids: answers, at: world.now() };
    keep(&mut world.group_calls, call);
    Ok(Answer::of(json!({ "failed_chat_list": failed })))
}

fn code(not_given: NotGiven) -> i64 {
    match not_given {
        NotGiven::Unknown => NOT_A_CUSTOMER_GROUP,
        NotGiven::OwnerIsHere => OWNER_IS_HERE,
        NotGiven::OwnerHasLeft => OWNER_HAS_LEFT,
        NotGiven::SameOwner => OWNER_UNCHANGED,
        NotGiven::Inheriting => GROUP_INHERITING,
        NotGiven::Inherited => GROUP_INHERITED,
        NotGiven::MovedTooOften => MOVED_TOO_OFTEN,
        NotGiven::Daily => TOO_OFTEN,
    }
}

/// The named owners who are visible to the app; leavers in any case.
fn owners(world: &World, caller: &Credential, named: &[&str]) -> Result<Vec<u32>, Refusal> {
    if named.len() > OWNERS_MAX {
        return Err(Refusal::of(TOO_MANY_USERIDS));
    }
    let place = |userid: &&str| world.directory.find_here_or_left(userid).ok_or_else(|| Refusal::of(NO_SUCH_USER));
    let places = named.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let seen = |place: &u32| {
        let left = world.directory.get(*place).is_some_and(|it| it.left_at.is_some());
        left || world.directory.shows(caller, *place)
    };
    Ok(places.into_iter().filter(seen).collect())
}

fn described(world: &World, group: &Group, owner: &Member, named: bool) -> Value {
    let joined = |userid: &str, kind: i64, name: &str| {
        let (join_time, scene) = group.joined(userid);
        let mut row = json!({
            "userid": userid,
            "type": kind,
            "join_time": join_time,
            "join_scene": scene as i64,
            "group_nickname": "",
        });
        if kind == 2 && scene == JoinScene::Invited {
            row["invitor"] = json!({ "userid": owner.userid });
        }
        if kind == 2 && world.shows_unionids {
            row["unionid"] = world.unionid(&ExternalUserId::from(userid)).into();
        }
        if named {
            row["name"] = name.into();
        }
        row
    };
    let colleagues = group.colleagues.iter().filter_map(|&place| world.directory.get(place));
    let colleagues = colleagues.filter(|it| it.left_at.is_none());
    // A leaver is in no group any more, and the owner's place of their groups is empty.
    let here = std::iter::once(owner).filter(|it| it.left_at.is_none()).chain(colleagues);
    let guests = group.guests.iter().filter_map(|id| world.contacts.customer(world.contacts.find(id)?));
    let staff = here.map(|it| joined(it.userid.as_str(), 1, &it.name));
    let rows: Vec<Value> = staff.chain(guests.map(|it| joined(it.id.as_str(), 2, &it.nickname))).collect();
    json!({
        "chat_id": group.chat_id,
        "name": group.name,
        "owner": owner.userid,
        "create_time": group.created_at,
        "notice": "",
        "member_list": rows,
        "admin_list": [],
        "member_version": version(group.version),
    })
}
