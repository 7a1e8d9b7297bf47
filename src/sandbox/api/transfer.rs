//! Transfers of customers: begun and queried through two endpoints each, one for active members and one for leavers.
//! A transfer completes a day later; see the world's `transfer`.
//!
//! It is not documented whether the platform refuses a wrong member for the whole call or per customer. Here it is
//! for the whole call.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::{Ask, Fields};
use super::contact::serving;
use super::cursor;
use super::refusal::{
    BAD_EXTERNAL_USERID, BAD_PARAMETER, CUSTOMERS_FULL, LOGGED_IN_LONG_AGO, MOVED_TOO_OFTEN, NO_RELATION, NO_SUCH_USER,
    NO_USERID, NOT_ACTIVATED, NOT_LEFT, NOT_THEIR_CUSTOMER, NOT_VERIFIED, OK, OUT_OF_SIGHT, Refusal, SAME_MEMBER,
    TRANSFER_UNDER_WAY,
};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::world::{
    Credential, MemberStatus, NotTaken, Outcome, Pair, Transfer, TransferCall, TransferFlow, World, keep,
};

/// How many customers one call may name.
const CUSTOMERS_MAX: usize = 100;

/// The longest message to the customers, in characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// How long after a member left their customers can be transferred, in seconds.
const LEFT_WITHIN_S: i64 = 365 * 24 * 3600;

pub(super) fn in_service(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    ask.fields().short("transfer_success_msg", MESSAGE_CHARS_MAX)?;
    transfer(world, ask.fields(), caller, TransferFlow::InService)
}

pub(super) fn resigned(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    transfer(world, ask.fields(), caller, TransferFlow::Resigned)
}

pub(super) fn in_service_result(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    result(world, ask, TransferFlow::InService)
}

pub(super) fn resigned_result(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    result(world, ask, TransferFlow::Resigned)
}

/// A member who may get customers and groups.
pub(super) fn successor(world: &World, caller: &Credential, userid: &str) -> Result<u32, Refusal> {
    let place = serving(world, caller, userid)?;
    let member = world.directory.get(place).ok_or_else(|| Refusal::of(NO_SUCH_USER))?;
    match member.status {
        MemberStatus::Active if member.verified => Ok(place),
        MemberStatus::Active => Err(Refusal::of(NOT_VERIFIED)),
        MemberStatus::Disabled | MemberStatus::NotActivated | MemberStatus::Left => Err(Refusal::of(NOT_ACTIVATED)),
    }
}

fn transfer(world: &mut World, fields: Fields<'_>, caller: &Credential, flow: TransferFlow) -> Result<Answer, Refusal> {
    let customers = fields.texts("external_userid")?.unwrap_or_default();
    if customers.is_empty() || customers.len() > CUSTOMERS_MAX {
        return Err(Refusal::because(BAD_PARAMETER, "external_userid: 1 to 100"));
    }
    let (from, to) = (fields.required("handover_userid", NO_USERID)?, fields.required("takeover_userid", NO_USERID)?);
    if from.eq_ignore_ascii_case(to) {
        return Err(Refusal::of(SAME_MEMBER));
    }
    let pair = (flow, handing_over(world, caller, flow, from)?, successor(world, caller, to)?);
    let answered = |it: &str| (ExternalUserId::from(it), begin(world, pair, &ExternalUserId::from(it)));
    let answers: Vec<(ExternalUserId, i64)> = customers.into_iter().map(answered).collect();
    let rows: Vec<Value> =
        answers.iter().map(|(id, errcode)| json!({ "external_userid": id, "errcode": errcode })).collect();
    let (handover, takeover) = (UserId::from(from), UserId::from(to));
    let call = TransferCall { flow, handover, takeover, customers: answers, at: world.now() };
    keep(&mut world.transfer_calls, call);
    Ok(Answer::of(json!({ "customer": rows })))
}

/// The member who hands over. For a leaver it is unknown whether the app could see them.
fn handing_over(world: &World, caller: &Credential, flow: TransferFlow, userid: &str) -> Result<u32, Refusal> {
    let here = world.directory.find(userid);
    match (flow, here) {
        (TransferFlow::InService, None) => Err(Refusal::of(NO_SUCH_USER)),
        (TransferFlow::InService, Some(place)) if !world.directory.shows(caller, place) => {
            Err(Refusal::of(OUT_OF_SIGHT))
        }
        (TransferFlow::InService, Some(place)) => Ok(place),
        (TransferFlow::Resigned, Some(_)) => Err(Refusal::of(NOT_LEFT)),
        (TransferFlow::Resigned, None) => {
            let place = world.directory.find_left(userid).ok_or_else(|| Refusal::of(NO_SUCH_USER))?;
            let left_at = world.directory.get(place).and_then(|it| it.left_at).unwrap_or_default();
            // The code for this is not documented.
            let late = world.now() - left_at > LEFT_WITHIN_S;
            if late { Err(Refusal::because(LOGGED_IN_LONG_AGO, "left more than a year ago")) } else { Ok(place) }
        }
    }
}

/// Begins one customer's transfer; returns the customer's errcode.
fn begin(world: &mut World, pair: Pair, customer: &ExternalUserId) -> i64 {
    if let Some(errcode) = world.transfer_rules.errcodes.get(customer) {
        return *errcode;
    }
    match world.transfer(pair, customer) {
        Ok(()) => OK,
        Err(NotTaken::Unknown) => BAD_EXTERNAL_USERID,
        Err(NotTaken::Nobodys) => NO_RELATION,
        Err(NotTaken::NotTheirs) => NOT_THEIR_CUSTOMER,
        Err(NotTaken::UnderWay) => TRANSFER_UNDER_WAY,
        Err(NotTaken::MovedTooOften) => MOVED_TOO_OFTEN,
        Err(NotTaken::Full) => CUSTOMERS_FULL,
    }
}

fn result(world: &mut World, ask: &Ask, flow: TransferFlow) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let (from, to) = (fields.required("handover_userid", NO_USERID)?, fields.required("takeover_userid", NO_USERID)?);
    // Either member may have left meanwhile.
    let place = |userid| world.directory.find_here_or_left(userid).ok_or_else(|| Refusal::of(NO_SUCH_USER));
    let pair = (flow, place(from)?, place(to)?);
    let now = world.now();
    let (_, first) = cursor::begin(fields.text("cursor")?, pair, now)?;
    let mut transfers = world.transfers.of_pair(pair, first);
    let page: Vec<Value> = transfers
        .by_ref()
        .take(world.limits.transfers_per_page)
        .filter_map(|(_, transfer)| described(world, transfer))
        .collect();
    let next = transfers.next().map(|(place, _)| cursor::at((0, place), pair, now)).unwrap_or_default();
    Ok(Answer::of(json!({ "customer": page, "next_cursor": next })))
}

fn described(world: &World, transfer: &Transfer) -> Option<Value> {
    let customer = world.contacts.customer(transfer.customer)?;
    let (status, takeover_time) = match transfer.outcome {
        Outcome::Done(at) => (1, at),
        Outcome::Waiting(until) => (2, until),
        Outcome::Refused => (3, 0),
        Outcome::Full => (4, 0),
    };
    let (status, takeover_time) = match world.transfer_rules.results.get(&customer.id) {
        None => (status, takeover_time),
        Some(said) => ((*said)?, 0),
    };
    Some(json!({ "external_userid": customer.id, "status": status, "takeover_time": takeover_time }))
}
