//! 微信客服: accounts, pulled messages, servicers, sessions, customers, greetings.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::{
    BAD_CURSOR, BAD_KF_TOKEN, BAD_PARAMETER, BAD_WELCOME_CODE, DUPLICATE_MSGID, EMPTY_TEXT, ILLEGAL_MOVE,
    KF_NOT_MANAGED, MESSAGE_TOO_LONG, NO_INQUIRY, NO_SERVICER, NO_SUCH_KF_ACCOUNT, NOT_RECEIVING, Refusal,
    SESSION_ENDED, TOO_OFTEN,
};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::world::{
    Credential, KF_KEPT_S, KF_SESSION_S, KF_TOKEN_LIFE_S, KfAccount, KfGreeting, WELCOME_LIFE_S, World, card, keep,
    kf_state as state,
};

/// The most messages of a page, and the most accounts.
const MESSAGES_MAX: i64 = 1_000;
const ACCOUNTS_MAX: i64 = 100;

/// The most customers of one call.
const CUSTOMERS_MAX: usize = 100;

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 2_048;

/// The longest msgid.
const MSGID_BYTES_MAX: usize = 32;

pub(super) fn account_list(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let (offset, limit) = (fields.number("offset")?.unwrap_or(0), fields.number("limit")?.unwrap_or(ACCOUNTS_MAX));
    if offset < 0 || !(1..=ACCOUNTS_MAX).contains(&limit) {
        return Err(Refusal::because(BAD_PARAMETER, "offset, limit"));
    }
    let rows = world.kf.accounts.iter().skip(offset as usize).take(limit as usize);
    let rows: Vec<Value> = rows
        .map(|it| json!({ "open_kfid": it.open_kfid, "name": it.name, "avatar": "", "manage_privilege": it.managed }))
        .collect();
    Ok(Answer::of(json!({ "account_list": rows })))
}

pub(super) fn sync_msg(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let open_kfid = fields.required("open_kfid", NO_SUCH_KF_ACCOUNT)?;
    let now = world.now();
    managed(world, open_kfid)?;
    match fields.text("token")? {
        Some(token) => {
            let known = world.kf.tokens.get(token);
            known
                .filter(|(of, issued)| of == open_kfid && now - issued <= KF_TOKEN_LIFE_S)
                .ok_or_else(|| Refusal::of(BAD_KF_TOKEN))?;
        }
        None => {
            let max = world.kf.tokenless_per_minute;
            if !world.admits(&format!("kf/sync_msg without token {open_kfid}"), max) {
                return Err(Refusal::of(TOO_OFTEN));
            }
        }
    }
    let limit = fields.number("limit")?.unwrap_or(MESSAGES_MAX);
    if !(1..=MESSAGES_MAX).contains(&limit) {
        return Err(Refusal::because(BAD_PARAMETER, "limit"));
    }
    let (empty, per_page) = (world.kf.empty_pages, world.kf.per_page.min(limit as usize));
    let account = managed(world, open_kfid)?;
    // `K7`: from the seventh on; `E7`: the same, after an empty page.
    let (after_empty, first) = match fields.text("cursor")? {
        None => (false, account.log.iter().take_while(|(at, _)| now - at > KF_KEPT_S).count()),
        Some(cursor) => {
            let place = cursor.get(1..).and_then(|it| it.parse().ok()).filter(|it| *it <= account.log.len());
            (cursor.starts_with('E'), place.ok_or_else(|| Refusal::of(BAD_CURSOR))?)
        }
    };
    if empty && !after_empty && first < account.log.len() {
        return Ok(Answer::of(json!({ "next_cursor": format!("E{first}"), "has_more": 1, "msg_list": [] })));
    }
    let page: Vec<&Value> = account.log.iter().skip(first).take(per_page).map(|(_, said)| said).collect();
    let next = first + page.len();
    let more = i64::from(next < account.log.len());
    Ok(Answer::of(json!({ "next_cursor": format!("K{next}"), "has_more": more, "msg_list": page })))
}

pub(super) fn servicer_list(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let account = managed(world, ask.parameter("open_kfid").unwrap_or_default())?;
    let rows = account.servicers.iter();
    let rows: Vec<Value> = rows
        .map(|(user, receives)| json!({ "userid": user, "status": i64::from(!receives), "stop_type": 0 }))
        .chain([json!({ "department_id": 1 })])
        .collect();
    Ok(Answer::of(json!({ "servicer_list": rows })))
}

pub(super) fn state_get(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let account = managed(world, fields.required("open_kfid", NO_SUCH_KF_ACCOUNT)?)?;
    let customer = ExternalUserId::from(fields.required("external_userid", BAD_PARAMETER)?);
    let (state, servicer) = account.session(&customer).unwrap_or((state::ENDED, None));
    let mut answer = json!({ "service_state": state });
    if let Some(servicer) = servicer {
        answer["servicer_userid"] = servicer.0.into();
    }
    Ok(Answer::of(answer))
}

pub(super) fn state_trans(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let now = world.now();
    let open_kfid = fields.required("open_kfid", NO_SUCH_KF_ACCOUNT)?;
    let customer = ExternalUserId::from(fields.required("external_userid", BAD_PARAMETER)?);
    let to = fields.number("service_state")?.unwrap_or(-1);
    let servicer = fields.text("servicer_userid")?.map(UserId::from);
    let account = managed(world, open_kfid)?;
    let servicers = account.servicers.clone();
    let session = account.sessions.get_mut(&customer).ok_or_else(|| Refusal::of(NO_INQUIRY))?;
    if session.wrote_at.max(session.entered_at).is_none_or(|at| now - at > KF_SESSION_S) {
        return Err(Refusal::of(NO_INQUIRY));
    }
    let legal = match session.state {
        state::ENDED => return Err(Refusal::of(SESSION_ENDED)),
        state::HUMAN => [state::HUMAN, state::ENDED].contains(&to),
        state::POOL => to == state::HUMAN,
        _ => [state::POOL, state::HUMAN].contains(&to),
    };
    if !legal {
        return Err(Refusal::of(ILLEGAL_MOVE));
    }
    if to == state::HUMAN {
        let servicer = servicer.ok_or_else(|| Refusal::of(NO_SERVICER))?;
        let known = servicers.iter().find(|(user, _)| user.is(&servicer)).ok_or_else(|| Refusal::of(NO_SERVICER))?;
        if !known.1 {
            return Err(Refusal::of(NOT_RECEIVING));
        }
        session.servicer = Some(known.0.clone());
    } else {
        session.servicer = None;
    }
    session.state = to;
    Ok(Answer::of(json!({ "msg_code": "MC" })))
}

pub(super) fn customers(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let ids = ask.fields().texts("external_userid_list")?.unwrap_or_default();
    if ids.is_empty() || ids.len() > CUSTOMERS_MAX {
        return Err(Refusal::because(BAD_PARAMETER, "external_userid_list: 1 to 100"));
    }
    let (now, mut found, mut invalid) = (world.now(), Vec::new(), Vec::new());
    for id in ids {
        let customer = ExternalUserId::from(id);
        let sessions = world.kf.accounts.iter().filter_map(|it| it.sessions.get(&customer));
        let last = sessions.filter_map(|it| it.wrote_at.max(it.entered_at)).max();
        if last.is_none_or(|at| now - at > KF_SESSION_S) {
            invalid.push(id);
            continue;
        }
        let card = card(world.seed, &customer);
        let mut row = json!({
            "external_userid": id, "nickname": world.kf_nickname(&customer), "avatar": card.avatar, "gender": 1,
            "enter_session_context": { "scene": "home", "scene_param": "" },
        });
        if world.kf.shows_unionids {
            row["unionid"] = world.kf_unionid(&customer).into();
        }
        found.push(row);
    }
    Ok(Answer::of(json!({ "customer_list": found, "invalid_external_userid": invalid })))
}

pub(super) fn send_on_event(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let now = world.now();
    let code = fields.required("code", BAD_WELCOME_CODE)?;
    let msgid = fields.short("msgid", MSGID_BYTES_MAX)?.unwrap_or_default().to_owned();
    let text = fields.object("text")?.map(|it| it.text("content")).transpose()?.flatten();
    let text = text.ok_or_else(|| Refusal::of(EMPTY_TEXT))?.to_owned();
    if text.len() > TEXT_BYTES_MAX {
        return Err(Refusal::of(MESSAGE_TOO_LONG));
    }
    if !msgid.is_empty() && world.kf.greetings.iter().any(|it| it.msgid == msgid) {
        return Err(Refusal::of(DUPLICATE_MSGID));
    }
    let known = world.kf.codes.get_mut(code).ok_or_else(|| Refusal::of(BAD_WELCOME_CODE))?;
    if known.used || now - known.issued_at >= WELCOME_LIFE_S {
        return Err(Refusal::of(BAD_WELCOME_CODE));
    }
    known.used = true;
    let (open_kfid, customer) = (known.meaning.open_kfid.clone(), known.meaning.customer.clone());
    keep(&mut world.kf.greetings, KfGreeting { open_kfid, customer, text, msgid: msgid.clone() });
    Ok(Answer::of(json!({ "msgid": msgid })))
}

/// An account that exists and that the app manages.
fn managed<'a>(world: &'a mut World, open_kfid: &str) -> Result<&'a mut KfAccount, Refusal> {
    let account = world.kf.account_mut(open_kfid).ok_or_else(|| Refusal::of(NO_SUCH_KF_ACCOUNT))?;
    if account.managed { Ok(account) } else { Err(Refusal::of(KF_NOT_MANAGED)) }
}
