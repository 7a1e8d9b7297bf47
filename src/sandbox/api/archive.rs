//! The message archive's endpoints: who has a seat, and who agreed.

use serde_json::{Value, json};

use super::answer::Answer;
use super::ask::Ask;
use super::refusal::{BAD_PARAMETER, NO_SUCH_ROOM, Refusal, TOO_MANY_PAIRS};
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::world::{Credential, World};

/// How many pairs one call may ask about.
const PAIRS_MAX: usize = 100;

pub(super) fn seats(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let edition = ask.fields().number("type")?;
    let wanted = world.archive.seats.iter().filter(|(it, _)| edition.is_none_or(|edition| edition == **it));
    let mut ids: Vec<_> = wanted.flat_map(|(_, ids)| ids.iter().map(UserId::as_str)).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(Answer::of(json!({ "ids": ids })))
}

/// Pairs of which nothing is known are left out.
pub(super) fn single(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let info = fields.items("info")?.filter(|it| !it.is_empty());
    let info = info.ok_or_else(|| Refusal::because(BAD_PARAMETER, "info"))?;
    if info.len() > PAIRS_MAX {
        return Err(Refusal::of(TOO_MANY_PAIRS));
    }
    let mut rows = Vec::new();
    for item in info {
        let item = fields.of(item);
        let (user, customer) =
            (item.required("userid", BAD_PARAMETER)?, item.required("exteranalopenid", BAD_PARAMETER)?);
        let key = (UserId::from(user), ExternalUserId::from(customer));
        if let Some((word, at)) = world.archive.pairs.get(&key) {
            rows.push(row(Some(user), customer, word, *at));
        }
    }
    Ok(Answer::of(json!({ "agreeinfo": rows })))
}

pub(super) fn room(world: &mut World, ask: &Ask, _: &Credential) -> Result<Answer, Refusal> {
    let room = ask.fields().required("roomid", BAD_PARAMETER)?;
    let said = world.archive.rooms.get(room).ok_or_else(|| Refusal::of(NO_SUCH_ROOM))?;
    let rows: Vec<_> = said.iter().map(|(customer, word, at)| row(None, customer.as_str(), word, *at)).collect();
    Ok(Answer::of(json!({ "agreeinfo": rows })))
}

fn row(user: Option<&str>, customer: &str, word: &str, at: i64) -> Value {
    let mut row = json!({ "status_change_time": at, "exteranalopenid": customer, "agree_status": word });
    if let Some(user) = user {
        row["userid"] = user.into();
    }
    row
}
