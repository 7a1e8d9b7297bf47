//! Contact ways (联系我) through the API: made, read, listed, changed, deleted.
//!
//! The QR code leads to a page of this server, which simulates the scan.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::{Ask, Fields};
use super::contact::serving;
use super::cursor;
use super::refusal::{
    BAD_CONFIG_ID, BAD_PARAMETER, BAD_WAY_SCENE, BAD_WAY_STYLE, BAD_WAY_TYPE, NO_CONFIG_ID, NO_DEPARTMENT,
    NO_WAY_SCENE, NO_WAY_TYPE, NOT_ACTIVATED, NOT_VERIFIED, OUT_OF_SIGHT, Refusal, TOO_MANY_WAY_MEMBERS, TOO_MANY_WAYS,
};
use crate::ids::UserId;
use crate::sandbox::chance::HEX;
use crate::sandbox::world::{ContactWay, Credential, MemberStatus, Temporary, World};

/// The longest remark and state, in characters.
const REMARK_CHARS_MAX: usize = 30;
const STATE_CHARS_MAX: usize = 30;

/// The most members behind one way.
const MEMBERS_MAX: usize = 100;

/// The characters of a `config_id`.
const CONFIG_ID_CHARS: usize = 32;

/// The looks of a button: for one member, and for several.
const STYLES: (i64, i64) = (3, 2);

/// A temporary way's validity in seconds: the default, and the maximum.
const EXPIRES_IN_S: i64 = 7 * 24 * 3600;
const CHAT_EXPIRES_IN_S: i64 = 24 * 3600;
const EXPIRES_IN_S_MAX: i64 = 14 * 24 * 3600;

/// How far back a list goes by default, in seconds.
const LISTED_S: i64 = 90 * 24 * 3600;

/// Page sizes of the list: the default, and the maximum.
const PAGE: i64 = 100;
const PAGE_MAX: i64 = 1000;

/// The path of the page that simulates a scan.
pub(super) const SCAN_PATH: &str = "/sandbox/scan/";

pub(super) fn add(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let single = match fields.number("type")?.ok_or_else(|| Refusal::of(NO_WAY_TYPE))? {
        1 => true,
        2 => false,
        _ => return Err(Refusal::of(BAD_WAY_TYPE)),
    };
    let button = match fields.number("scene")?.ok_or_else(|| Refusal::of(NO_WAY_SCENE))? {
        1 => true,
        2 => false,
        _ => return Err(Refusal::of(BAD_WAY_SCENE)),
    };
    if world.contact_ways.len() >= world.limits.contact_ways {
        return Err(Refusal::of(TOO_MANY_WAYS));
    }
    let mut way = ContactWay {
        config_id: world.chance.text(HEX, CONFIG_ID_CHARS),
        single,
        button,
        style: 1,
        remark: String::new(),
        skip_verify: true,
        state: String::new(),
        user: Vec::new(),
        party: Vec::new(),
        is_exclusive: fields.flag("is_exclusive")?.unwrap_or_default(),
        temporary: None,
        created_at: world.now(),
    };
    if fields.flag("is_temp")?.unwrap_or_default() {
        way.temporary = Some(Temporary {
            expires_in: EXPIRES_IN_S,
            chat_expires_in: CHAT_EXPIRES_IN_S,
            unionid: String::new(),
            conclusions: Value::Null,
        });
    }
    write(&mut way, fields)?;
    check(world, caller, &way)?;
    let mut made = json!({ "config_id": way.config_id });
    if let (Some(made), false) = (made.as_object_mut(), way.button) {
        made.insert("qr_code".to_owned(), qr_code(ask, &way).into());
    }
    world.contact_ways.add(way);
    Ok(Answer::of(made))
}

pub(super) fn get(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let way = world.contact_ways.get(config_id(ask)?).ok_or_else(|| Refusal::of(BAD_CONFIG_ID))?;
    Ok(Answer::of(json!({ "contact_way": described(ask, way) })))
}

pub(super) fn list(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let now = world.now();
    let (from, to) = (fields.number("start_time")?, fields.number("end_time")?);
    let limit = fields.number("limit")?.filter(|&limit| limit > 0).unwrap_or(PAGE).min(PAGE_MAX);
    let (_, first) = cursor::begin(fields.text("cursor")?, (from, to), now)?;
    let within = from.unwrap_or(now - LISTED_S)..=to.unwrap_or(now);
    let listed = |way: &ContactWay| way.temporary.is_none() && within.contains(&way.created_at);
    let mut ways = world.contact_ways.from(first).filter(|(_, way)| listed(way));
    let page: Vec<Value> = ways
        .by_ref()
        .take(usize::try_from(limit).unwrap_or_default())
        .map(|(_, way)| json!({ "config_id": way.config_id }))
        .collect();
    let next = ways.next().map(|(place, _)| cursor::at((0, place), (from, to), now)).unwrap_or_default();
    Ok(Answer::of(json!({ "contact_way": page, "next_cursor": next })))
}

/// Changes the given fields; type and scene stay.
pub(super) fn update(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let id = config_id(ask)?;
    let mut way = world.contact_ways.get(id).cloned().ok_or_else(|| Refusal::of(BAD_CONFIG_ID))?;
    if !way.is_live(world.now()) {
        return Err(Refusal::because(BAD_CONFIG_ID, "expired"));
    }
    write(&mut way, ask.fields())?;
    check(world, caller, &way)?;
    if let Some(kept) = world.contact_ways.get_mut(id) {
        *kept = way;
    }
    Ok(Answer::done())
}

pub(super) fn delete(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    world.contact_ways.remove(config_id(ask)?).ok_or_else(|| Refusal::of(BAD_CONFIG_ID))?;
    Ok(Answer::done())
}

fn config_id(ask: &Ask) -> Result<&str, Refusal> {
    ask.fields().required("config_id", NO_CONFIG_ID)
}

fn write(way: &mut ContactWay, fields: Fields<'_>) -> Result<(), Refusal> {
    if let Some(remark) = fields.short("remark", REMARK_CHARS_MAX)? {
        remark.clone_into(&mut way.remark);
    }
    if let Some(state) = fields.short("state", STATE_CHARS_MAX)? {
        state.clone_into(&mut way.state);
    }
    way.skip_verify = fields.flag("skip_verify")?.unwrap_or(way.skip_verify);
    way.style = fields.number("style")?.unwrap_or(way.style);
    if let Some(user) = fields.texts("user")? {
        way.user = user.into_iter().map(UserId::from).collect();
    }
    if let Some(party) = fields.numbers("party")? {
        way.party = party;
    }
    let Some(temporary) = &mut way.temporary else { return Ok(()) };
    let life = |name: &str, before: i64| match fields.number(name)? {
        None => Ok(before),
        Some(seconds) if (1..=EXPIRES_IN_S_MAX).contains(&seconds) => Ok(seconds),
        Some(_) => Err(Refusal::because(BAD_PARAMETER, name)),
    };
    temporary.expires_in = life("expires_in", temporary.expires_in)?;
    temporary.chat_expires_in = life("chat_expires_in", temporary.chat_expires_in)?;
    if let Some(unionid) = fields.text("unionid")? {
        unionid.clone_into(&mut temporary.unionid);
    }
    if let Some(conclusions) = fields.object("conclusions")? {
        temporary.conclusions = conclusions.value().clone();
    }
    Ok(())
}

/// Checks that a way leads to members who are visible to the app and may be added.
fn check(world: &World, caller: &Credential, way: &ContactWay) -> Result<(), Refusal> {
    if way.single && (way.user.len() != 1 || !way.party.is_empty()) {
        return Err(Refusal::because(BAD_PARAMETER, "type 1 leads to exactly one user"));
    }
    if way.user.is_empty() && way.party.is_empty() {
        return Err(Refusal::because(BAD_PARAMETER, "user and party are empty"));
    }
    if way.temporary.is_some() && !way.single {
        return Err(Refusal::because(BAD_PARAMETER, "a temporary way is of type 1"));
    }
    if way.user.len() > MEMBERS_MAX {
        return Err(Refusal::of(TOO_MANY_WAY_MEMBERS));
    }
    let styles = if way.single { STYLES.0 } else { STYLES.1 };
    if !(1..=styles).contains(&way.style) {
        return Err(Refusal::of(BAD_WAY_STYLE));
    }
    for &party in &way.party {
        if world.directory.department(party).is_none() {
            return Err(Refusal::of(NO_DEPARTMENT));
        }
        if !world.directory.shows_department(caller, party) {
            return Err(Refusal::of(OUT_OF_SIGHT));
        }
    }
    for userid in &way.user {
        // A member who never logged in has another errcode than one who does not serve customers.
        let member = world.member(userid);
        if member.is_some_and(|member| member.status == MemberStatus::NotActivated) {
            return Err(Refusal::of(NOT_ACTIVATED));
        }
        if member.is_some_and(|member| !member.verified) {
            return Err(Refusal::of(NOT_VERIFIED));
        }
        serving(world, caller, userid.as_str())?;
    }
    Ok(())
}

fn qr_code(ask: &Ask, way: &ContactWay) -> String {
    format!("{}{SCAN_PATH}{}", ask.base_url, way.config_id)
}

fn described(ask: &Ask, way: &ContactWay) -> Value {
    let mut shown = json!({
        "config_id": way.config_id,
        "type": if way.single { 1 } else { 2 },
        "scene": if way.button { 1 } else { 2 },
        "remark": way.remark,
        "skip_verify": way.skip_verify,
        "state": way.state,
        "user": way.user,
        "party": way.party,
        "is_temp": way.temporary.is_some(),
        "is_exclusive": way.is_exclusive,
    });
    let Some(fields) = shown.as_object_mut() else { return shown };
    if way.button {
        fields.insert("style".to_owned(), way.style.into());
    } else {
        fields.insert("qr_code".to_owned(), qr_code(ask, way).into());
    }
    if let Some(temporary) = &way.temporary {
        fields.insert("expires_in".to_owned(), temporary.expires_in.into());
        fields.insert("chat_expires_in".to_owned(), temporary.chat_expires_in.into());
        fields.insert("unionid".to_owned(), temporary.unionid.as_str().into());
        fields.insert("conclusions".to_owned(), temporary.conclusions.clone());
    }
    shown
}
