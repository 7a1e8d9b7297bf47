//! Access checks of API calls: token, address, frequency and role, in the platform's order.

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::{
    BAD_CORPID, BAD_PARAMETER, BAD_SECRET, BAD_TOKEN, BODY_TOO_LONG, IP_NOT_ALLOWED, NO_CORPID, NO_SECRET,
    NO_SUCH_PATH, NO_TOKEN, NOT_PERMITTED, Refusal, SYNC_MAY_NOT_READ, TOKEN_EXPIRED, TOO_OFTEN,
};
use super::routes::{self, Needs};
use crate::sandbox::push::AppKind;
use crate::sandbox::world::{Credential, TOKEN_LIFE_S, TokenError, World};

/// The path that needs no token because it gives one.
pub(super) const GETTOKEN: &str = "gettoken";

/// Paths without a limit per minute: the platform counts messages by receiver, and login codes not at all.
const UNCOUNTED: [&str; 2] = ["auth/getuserinfo", "message/send"];

/// The longest JSON body.
const JSON_BYTES_MAX: usize = 1024 * 1024;

/// Answers a call, or refuses it.
pub(super) fn pass(world: &mut World, ask: &Ask) -> Result<Answer, Refusal> {
    if ask.path == GETTOKEN {
        return gettoken(world, ask);
    }
    let route = routes::find(&ask.path).ok_or_else(|| Refusal::of(NO_SUCH_PATH))?;
    let token = ask.parameter("access_token").ok_or_else(|| Refusal::of(NO_TOKEN))?;
    let caller = match world.tokens.check(token, world.now()) {
        Ok(place) => world.credentials.get(place).cloned().ok_or_else(|| Refusal::of(BAD_TOKEN))?,
        Err(TokenError::Unknown) => return Err(Refusal::of(BAD_TOKEN)),
        Err(TokenError::Expired) => return Err(Refusal::of(TOKEN_EXPIRED)),
    };
    allowed_from(world, ask)?;
    if !UNCOUNTED.contains(&ask.path.as_str()) {
        counted(world, ask)?;
    }
    permitted(&caller, route.needs)?;
    if ask.bytes.len() > JSON_BYTES_MAX && !ask.body.is_null() {
        return Err(Refusal::of(BODY_TOO_LONG));
    }
    if ask.malformed {
        return Err(Refusal::because(BAD_PARAMETER, "the body is no JSON object"));
    }
    (route.handler)(world, ask, &caller)
}

/// Issues a token for a secret.
fn gettoken(world: &mut World, ask: &Ask) -> Result<Answer, Refusal> {
    let corpid = ask.parameter("corpid").ok_or_else(|| Refusal::of(NO_CORPID))?;
    let secret = ask.parameter("corpsecret").ok_or_else(|| Refusal::of(NO_SECRET))?;
    let now = world.now();
    if world.tokens.is_banned(ask.from, now) {
        return Err(Refusal::of(TOO_OFTEN));
    }
    counted(world, ask)?;
    if corpid != world.corpid.as_str() {
        return Err(Refusal::of(BAD_CORPID));
    }
    let Some(place) = world.credentials.iter().position(|it| it.secret == secret) else {
        let max = world.limits.wrong_secrets_per_hour;
        world.tokens.punish(ask.from, now, max);
        return Err(Refusal::of(BAD_SECRET));
    };
    allowed_from(world, ask)?;
    let token = world.tokens.give(place, world.token_mode, now, &mut world.chance);
    // The full validity even for a token that is returned again: a caller that relies on it is refused later, as on
    // the platform.
    Ok(Answer::of(serde_json::json!({ "access_token": token, "expires_in": TOKEN_LIFE_S })))
}

fn allowed_from(world: &World, ask: &Ask) -> Result<(), Refusal> {
    let allowed = world.allowed_ips.as_ref().is_none_or(|list| list.contains(&ask.from));
    if allowed { Ok(()) } else { Err(Refusal::of(IP_NOT_ALLOWED)) }
}

fn counted(world: &mut World, ask: &Ask) -> Result<(), Refusal> {
    if world.admits_call(&ask.path) { Ok(()) } else { Err(Refusal::of(TOO_OFTEN)) }
}

fn permitted(caller: &Credential, needs: Needs) -> Result<(), Refusal> {
    let app = caller.kind == AppKind::App;
    match needs {
        Needs::AppOrSync if caller.kind == AppKind::Archive => Err(Refusal::of(NOT_PERMITTED)),
        Needs::Any | Needs::AppOrSync => Ok(()),
        Needs::App if app => Ok(()),
        Needs::CustomerContact if app && caller.customer_contact => Ok(()),
        Needs::Sync if caller.kind == AppKind::Directory => Ok(()),
        Needs::Archive if caller.kind == AppKind::Archive => Ok(()),
        Needs::AppForDetails if app => Ok(()),
        Needs::AppForDetails => Err(Refusal::of(SYNC_MAY_NOT_READ)),
        Needs::App | Needs::CustomerContact | Needs::Sync | Needs::Archive => Err(Refusal::of(NOT_PERMITTED)),
    }
}
