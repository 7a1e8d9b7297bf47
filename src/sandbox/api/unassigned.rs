//! Leavers' unassigned customers. A customer in a running transfer is still listed until it completes.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::cursor;
use super::refusal::{BAD_PARAMETER, Refusal};
use crate::sandbox::world::{Credential, Visible, World};

/// The default and maximum page size.
const PAGE_MAX: i64 = 1000;

pub(super) fn list(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let size = fields.number("page_size")?.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(Refusal::because(BAD_PARAMETER, "page_size"));
    }
    let (world, now) = (&*world, world.now());
    let first = cursor::begin(fields.text("cursor")?, &ask.path, now)?;
    // A leaver is visible to nobody, so only an app that sees the whole company gets their customers.
    let sees = caller.visible == Visible::Everybody;
    let members = (0..).zip(&world.directory.members).skip(first.0 as usize);
    let left = members.filter_map(|(place, member)| Some((place, member, member.left_at.filter(|_| sees)?)));
    let rows = left.flat_map(|(place, member, left_at)| {
        member.follows.iter().filter_map(move |&follow| {
            let customer = world.contacts.customer(world.contacts.follow(follow)?.customer)?;
            Some(((place, follow), &member.userid, &customer.id, left_at))
        })
    });
    let mut rows = rows.skip_while(|(place, ..)| *place < first);
    let page: Vec<Value> = rows
        .by_ref()
        .take(usize::try_from(size).unwrap_or_default().min(world.limits.unassigned_per_page))
        .map(|(_, userid, customer, left_at)| {
            json!({ "handover_userid": userid, "external_userid": customer, "dimission_time": left_at })
        })
        .collect();
    let next = rows.next().map(|(place, ..)| cursor::at(place, &ask.path, now));
    Ok(Answer::of(json!({ "info": page, "is_last": next.is_none(), "next_cursor": next.unwrap_or_default() })))
}
