//! `message/send`: sends messages to members. Receivers who cannot be reached are named; receivers over their limit
//! are dropped.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::ask::{Ask, Fields};
use super::card;
use super::refusal::{
    BAD_AGENTID, BAD_MEDIA_ID, BAD_MSGTYPE, BAD_PARAMETER, EMPTY_TEXT, MESSAGE_TOO_LONG, NO_AGENTID, NO_RECEIVERS,
    NOBODY_RECEIVES, Refusal, TOO_MANY_PARTIES, TOO_MANY_TAGS, TOO_MANY_USERIDS, WRONG_AGENTID,
};
use crate::sandbox::chance::ALPHANUMERIC;
use crate::sandbox::world::{Credential, Message, World, keep};

/// The receiver for all visible members.
const EVERYBODY: &str = "@all";

/// The most receivers of each kind.
const USERS_MAX: usize = 1000;
const PARTIES_MAX: usize = 100;
const TAGS_MAX: usize = 100;

/// The length to which a text is cut, in bytes.
const TEXT_BYTES_MAX: usize = 2048;

/// A text card's limits.
const TITLE_CHARS_MAX: usize = 128;
const DESCRIPTION_CHARS_MAX: usize = 512;
const URL_BYTES_MAX: usize = 2048;
const BUTTON_CHARS_MAX: usize = 4;

/// For how long an identical message is dropped, in seconds: the default, and the maximum.
const REPEAT_S: i64 = 1800;
const REPEAT_S_MAX: i64 = 14_400;

/// The characters of a message's id and of a response code.
const MSGID_CHARS: usize = 40;

/// The receivers of a message, and those it cannot reach.
#[derive(Default)]
struct Receivers {
    members: Vec<u32>,
    invalid_users: Vec<String>,
    invalid_parties: Vec<String>,
    invalid_tags: Vec<String>,
}

pub(super) fn send(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let agentid = agentid(fields, caller)?;
    let msgtype = fields.required("msgtype", BAD_MSGTYPE)?;
    let mut content = content(world, fields, msgtype)?;
    let receivers = receivers(world, fields, caller)?;
    if receivers.members.is_empty() {
        return Err(Refusal::of(NOBODY_RECEIVES));
    }
    let now = world.now();
    let interval = fields.number("duplicate_check_interval")?.unwrap_or(REPEAT_S).clamp(1, REPEAT_S_MAX);
    let checked = fields.switch("enable_duplicate_check")?;
    let repeated = checked && world.post.is_repeat(Sha256::digest(&ask.bytes).into(), now, interval);
    let msgid = world.chance.text(ALPHANUMERIC, MSGID_CHARS);
    if msgtype == "text" || msgtype == "markdown" {
        cut(&mut content);
    }
    let limits = (world.limits.messages_per_minute, world.limits.messages_per_hour);
    for place in if repeated { &[][..] } else { &receivers.members[..] } {
        let Some(member) = world.directory.get(*place) else { continue };
        // A receiver over their limit gets nothing, and the sender is not told.
        if world.post.admits(agentid, *place, now, limits) {
            let (to, msgtype) = (member.userid.clone(), msgtype.to_owned());
            let message = Message { to, agentid, msgtype, content: content.clone(), msgid: msgid.clone(), at: now };
            keep(&mut world.messages, message);
        }
    }
    let mut answer = json!({
        "invaliduser": receivers.invalid_users.join("|"),
        "invalidparty": receivers.invalid_parties.join("|"),
        "invalidtag": receivers.invalid_tags.join("|"),
        "unlicenseduser": "",
        "msgid": msgid,
    });
    if let (Some(answer), true) = (answer.as_object_mut(), msgtype == card::MSGTYPE && card::is_interactive(&content)) {
        answer.insert("response_code".to_owned(), world.chance.text(ALPHANUMERIC, MSGID_CHARS).into());
    }
    Ok(Answer::of(answer))
}

fn agentid(fields: Fields<'_>, caller: &Credential) -> Result<i64, Refusal> {
    let agentid = fields.value().get("agentid").filter(|it| !it.is_null()).ok_or_else(|| Refusal::of(NO_AGENTID))?;
    // A quoted number is accepted as well.
    let number = agentid.as_i64().or_else(|| agentid.as_str()?.parse().ok());
    let number = number.ok_or_else(|| Refusal::of(BAD_AGENTID))?;
    if caller.agentid == Some(number) { Ok(number) } else { Err(Refusal::of(WRONG_AGENTID)) }
}

/// The content under the message type's name, if it is valid.
fn content(world: &World, fields: Fields<'_>, msgtype: &str) -> Result<Value, Refusal> {
    const KNOWN: [&str; 9] = ["text", "markdown", "textcard", card::MSGTYPE, "image", "voice", "video", "file", "news"];
    if !KNOWN.contains(&msgtype) {
        return Err(Refusal::of(BAD_MSGTYPE));
    }
    let content = fields.object(msgtype)?.ok_or_else(|| Refusal::because(BAD_PARAMETER, msgtype))?;
    match msgtype {
        "text" | "markdown" => {
            content.required("content", EMPTY_TEXT)?;
        }
        "textcard" => textcard(content)?,
        card::MSGTYPE => card::check(content)?,
        "news" => {
            content.items("articles")?.ok_or_else(|| Refusal::because(BAD_PARAMETER, "articles"))?;
        }
        _ => {
            let media_id = content.required("media_id", BAD_MEDIA_ID)?;
            world.media.get(media_id, world.now()).ok_or_else(|| Refusal::of(BAD_MEDIA_ID))?;
        }
    }
    Ok(content.value().clone())
}

fn textcard(content: Fields<'_>) -> Result<(), Refusal> {
    let missing = |name: &str| Refusal::because(BAD_PARAMETER, format_args!("textcard.{name} is missing"));
    for (name, chars_max) in [("title", TITLE_CHARS_MAX), ("description", DESCRIPTION_CHARS_MAX)] {
        let text = content.text(name)?.ok_or_else(|| missing(name))?;
        if text.chars().count() > chars_max {
            return Err(Refusal::because(MESSAGE_TOO_LONG, name));
        }
    }
    let url = content.text("url")?.ok_or_else(|| missing("url"))?;
    let button = content.text("btntxt")?.unwrap_or_default();
    if url.len() > URL_BYTES_MAX || button.chars().count() > BUTTON_CHARS_MAX {
        return Err(Refusal::of(MESSAGE_TOO_LONG));
    }
    Ok(())
}

/// Cuts a text that is too long.
fn cut(content: &mut Value) {
    if let Some(Value::String(text)) = content.get_mut("content") {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    }
}

fn receivers(world: &World, fields: Fields<'_>, caller: &Credential) -> Result<Receivers, Refusal> {
    let list = |name: &str| {
        let text = fields.text(name)?.unwrap_or_default();
        Ok::<_, Refusal>(text.split('|').filter(|it| !it.is_empty()).collect::<Vec<_>>())
    };
    let (users, parties, tags) = (list("touser")?, list("toparty")?, list("totag")?);
    if users.is_empty() && parties.is_empty() && tags.is_empty() {
        return Err(Refusal::of(NO_RECEIVERS));
    }
    for (count, max, errcode) in [
        (users.len(), USERS_MAX, TOO_MANY_USERIDS),
        (parties.len(), PARTIES_MAX, TOO_MANY_PARTIES),
        (tags.len(), TAGS_MAX, TOO_MANY_TAGS),
    ] {
        if count > max {
            return Err(Refusal::of(errcode));
        }
    }
    // No member tags are made up, so every tag is unknown.
    let mut receivers = Receivers { invalid_tags: tags.into_iter().map(str::to_owned).collect(), ..Default::default() };
    let everybody = || (0..world.directory.members.len() as u32).filter(|&it| world.directory.shows(caller, it));
    if users.contains(&EVERYBODY) {
        receivers.members.extend(everybody());
        return Ok(receivers);
    }
    for user in users {
        match world.directory.find(user).filter(|&place| world.directory.shows(caller, place)) {
            Some(place) => receivers.members.push(place),
            None => receivers.invalid_users.push(user.to_ascii_lowercase()),
        }
    }
    for party in parties {
        let known = party.parse().ok().filter(|&id| world.directory.department(id).is_some());
        let Some(id) = known.filter(|&id| world.directory.shows_department(caller, id)) else {
            receivers.invalid_parties.push(party.to_owned());
            continue;
        };
        let departments = |place: u32| world.directory.get(place).map(|it| it.departments.as_slice());
        let is_in =
            |place: &u32| departments(*place).unwrap_or_default().iter().any(|&own| world.directory.is_below(own, id));
        receivers.members.extend(everybody().filter(is_in));
    }
    receivers.members.sort_unstable();
    receivers.members.dedup();
    Ok(receivers)
}
