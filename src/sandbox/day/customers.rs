//! Customers come, are described, leave, and come back.

use super::Ended;
use super::cast::{self, opaque};
use super::scene::{FollowUp, Story, Tie, TieStatus};
use super::wire::contact_event;
use crate::sandbox::push::{AppKind, Push};

/// How many additions are by a customer who need not be confirmed at once.
const HALF_SHARE: f64 = 0.12;

/// How many of those the member confirms later.
const CONFIRMED_SHARE: f64 = 0.9;

/// How many additions are of a customer whom a colleague knows already.
const SHARED_SHARE: f64 = 0.15;

/// How many additions may still be welcomed; the others had chatted before or the code went to another app.
const WELCOME_SHARE: f64 = 0.85;

/// How many new customers get a remark.
const REMARK_SHARE: f64 = 0.4;

/// When a confirmation comes, in seconds after the addition.
const CONFIRM_WITHIN: (u32, u32) = (20, 900);

/// When a remark comes, in seconds after the addition.
const REMARK_WITHIN: (u32, u32) = (15, 600);

/// The characters of a welcome code.
const WELCOME_CODE_CHARS: usize = 43;

/// A member and a customer become contacts, fully or by half.
pub(super) fn add(story: &mut Story, at: i64) -> Option<Push> {
    let staff = story.somebody()?;
    let known = story.chance.below(story.customers.len());
    let shared = story.chance.happens(SHARED_SHARE) && !story.customers.is_empty();
    let customer = if shared { known } else { story.customers.len() };
    if shared && story.ties.iter().any(|tie| tie.staff == staff && tie.customer == customer) {
        return None;
    }
    if !shared {
        let newcomer = cast::customer(&mut story.chance, customer);
        story.customers.push(newcomer);
    }
    let tie = story.ties.len();
    story.ties.push(Tie { staff, customer, since: at, status: TieStatus::Contact });
    let half = story.chance.happens(HALF_SHARE);
    if half && story.chance.happens(CONFIRMED_SHARE) {
        story.later(at, CONFIRM_WITHIN, FollowUp::Confirm(tie));
    }
    if story.chance.happens(REMARK_SHARE) {
        story.later(at, REMARK_WITHIN, FollowUp::Remark(tie));
    }
    let welcome = story.chance.happens(WELCOME_SHARE);
    added(story, tie, at, if half { "add_half_external_contact" } else { "add_external_contact" }, welcome)
}

/// The member confirms; the welcome code was used when the customer came.
pub(super) fn confirm(story: &mut Story, tie: usize, at: i64) -> Option<Push> {
    still_contact(story, tie)?;
    added(story, tie, at, "add_external_contact", false)
}

/// The member writes a remark about a new customer.
pub(super) fn remark(story: &mut Story, tie: usize, at: i64) -> Option<Push> {
    still_contact(story, tie)?;
    changed(story, tie, at, "edit_external_contact")
}

/// A remark, tag or telephone number of some customer is edited.
pub(super) fn edit(story: &mut Story, at: i64) -> Option<Push> {
    let tie = story.some_tie(true)?;
    changed(story, tie, at, "edit_external_contact")
}

/// The member deletes the customer, or the customer the member.
pub(super) fn remove(story: &mut Story, at: i64) -> Option<Push> {
    let tie = story.some_tie(true)?;
    let change = story.chance.pick(&["del_external_contact", "del_follow_user", "del_follow_user"]);
    let by = if change == "del_follow_user" { Ended::ByCustomer } else { Ended::ByMember };
    let push = changed(story, tie, at, change)?;
    story.ties.get_mut(tie)?.status = TieStatus::Ended(by);
    Some(push)
}

/// Two who had deleted each other become contacts again.
pub(super) fn return_to(story: &mut Story, at: i64) -> Option<Push> {
    let tie = story.some_tie(false)?;
    let returning = story.ties.get_mut(tie)?;
    (returning.status, returning.since) = (TieStatus::Contact, at);
    added(story, tie, at, "add_external_contact", true)
}

/// A customer agrees to session archiving.
pub(super) fn consent(story: &mut Story, at: i64) -> Option<Push> {
    let tie = story.some_tie(true)?;
    changed(story, tie, at, "msg_audit_approved")
}

fn still_contact(story: &Story, tie: usize) -> Option<()> {
    let tie = story.ties.get(tie)?;
    (tie.status == TieStatus::Contact && story.works(tie.staff)).then_some(())
}

fn added(story: &mut Story, tie: usize, at: i64, change: &str, welcome: bool) -> Option<Push> {
    let code = welcome.then(|| opaque(&mut story.chance, "", WELCOME_CODE_CHARS));
    let tie = story.ties.get(tie)?;
    let (staff, customer) = (story.staff.get(tie.staff)?, story.customers.get(tie.customer)?);
    let document = contact_event(&story.corpid, at, change, &staff.id, &customer.id)
        .optional("State", customer.state.as_deref())
        .optional("WelcomeCode", code.as_deref())
        .document();
    Some(Push::genuine(AppKind::App, document))
}

fn changed(story: &Story, tie: usize, at: i64, change: &str) -> Option<Push> {
    let tie = story.ties.get(tie)?;
    let (staff, customer) = (story.staff.get(tie.staff)?, story.customers.get(tie.customer)?);
    let document = contact_event(&story.corpid, at, change, &staff.id, &customer.id).document();
    Some(Push::genuine(AppKind::App, document))
}
