//! `auth/getuserinfo`: tells who opened a login page. A code works once, for five minutes.

use serde_json::json;

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::{BAD_LOGIN_CODE, LOGIN_CODE_EXPIRED, LOGIN_CODE_USED, Refusal};
use crate::sandbox::world::{Credential, LOGIN_LIFE_S, Visitor, World, card};

/// The prefix of a visitor's openid; the rest equals the unionid's.
const OPENID_PREFIX: &str = "oOPEN";

pub(super) fn getuserinfo(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let code = ask.parameter("code").ok_or_else(|| Refusal::of(BAD_LOGIN_CODE))?;
    let now = world.now();
    let code = world.login_codes.get_mut(code).ok_or_else(|| Refusal::of(BAD_LOGIN_CODE))?;
    if code.used {
        return Err(Refusal::of(LOGIN_CODE_USED));
    }
    if now - code.issued_at >= LOGIN_LIFE_S {
        return Err(Refusal::of(LOGIN_CODE_EXPIRED));
    }
    code.used = true;
    // The app's visible range does not matter here: every member gets their userid, and the app must check the rest.
    Ok(Answer::of(match &code.meaning {
        Visitor::Member(userid) => json!({ "userid": userid }),
        Visitor::Stranger(None) => json!({ "openid": format!("{OPENID_PREFIX}{now}") }),
        Visitor::Stranger(Some(customer)) => {
            let unionid = card(world.seed, customer).unionid;
            json!({ "openid": format!("{OPENID_PREFIX}{unionid}"), "external_userid": customer })
        }
    }))
}
