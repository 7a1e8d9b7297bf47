//! Members' notes about customers, written through the API: remarks and tags. They cause no callback.

use super::answer::Answer;
use super::ask::{Ask, Fields};
use super::refusal::{
    BAD_PARAMETER, BAD_TAG, NO_EXTERNAL_USERID, NO_RELATION, NO_SUCH_USER, NO_USERID, OUT_OF_SIGHT, Refusal,
};
use crate::ids::ExternalUserId;
use crate::sandbox::world::{Credential, Notes, World};

/// The longest remark, company and description, in characters.
const REMARK_CHARS_MAX: usize = 20;
const DESCRIPTION_CHARS_MAX: usize = 150;

/// The most telephone numbers.
const MOBILES_MAX: usize = 5;

pub(super) fn remark(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let remark = fields.short("remark", REMARK_CHARS_MAX)?;
    let description = fields.short("description", DESCRIPTION_CHARS_MAX)?;
    let company = fields.short("remark_company", REMARK_CHARS_MAX)?;
    let mobiles = fields.texts("remark_mobiles")?;
    let picture = fields.text("remark_pic_mediaid")?;
    if [remark, description, company, picture].iter().all(Option::is_none) && mobiles.is_none() {
        return Err(Refusal::because(BAD_PARAMETER, "nothing to set"));
    }
    if mobiles.as_ref().is_some_and(|mobiles| mobiles.len() > MOBILES_MAX) {
        return Err(Refusal::because(BAD_PARAMETER, "remark_mobiles"));
    }
    let notes = notes(world, fields, caller)?;
    let set = |to: &mut String, value: Option<&str>| {
        if let Some(value) = value {
            value.clone_into(to);
        }
    };
    set(&mut notes.remark, remark);
    set(&mut notes.description, description);
    set(&mut notes.remark_company, company);
    if let Some(mobiles) = mobiles {
        // The whole list is replaced; one empty number empties it.
        notes.remark_mobiles = mobiles.into_iter().filter(|it| !it.is_empty()).map(str::to_owned).collect();
    }
    Ok(Answer::done())
}

pub(super) fn mark_tag(world: &mut World, ask: &Ask, caller: &Credential) -> Result<Answer, Refusal> {
    let fields = ask.fields();
    let add = fields.texts("add_tag")?.unwrap_or_default();
    let remove = fields.texts("remove_tag")?.unwrap_or_default();
    if add.is_empty() && remove.is_empty() {
        return Err(Refusal::because(BAD_PARAMETER, "add_tag and remove_tag are empty"));
    }
    let known = |id: &&str| world.tags.iter().any(|tag| tag.id == *id);
    if !add.iter().chain(&remove).all(known) {
        return Err(Refusal::of(BAD_TAG));
    }
    let notes = notes(world, fields, caller)?;
    notes.tags.retain(|id| !remove.contains(&id.as_str()));
    for id in add {
        if !notes.tags.iter().any(|known| known == id) {
            notes.tags.push(id.to_owned());
        }
    }
    Ok(Answer::done())
}

/// The notes of the named contact, to be changed.
fn notes<'a>(world: &'a mut World, fields: Fields<'_>, caller: &Credential) -> Result<&'a mut Notes, Refusal> {
    let userid = fields.required("userid", NO_USERID)?;
    let customer = ExternalUserId::from(fields.required("external_userid", NO_EXTERNAL_USERID)?);
    let member = world.directory.find(userid).ok_or_else(|| Refusal::of(NO_SUCH_USER))?;
    if !world.directory.shows(caller, member) {
        return Err(Refusal::of(OUT_OF_SIGHT));
    }
    let customer = world.contacts.find(&customer);
    let place = customer.and_then(|customer| world.contacts.between(member, customer));
    let follow = place.and_then(|place| world.contacts.follow_mut(place)).ok_or_else(|| Refusal::of(NO_RELATION))?;
    Ok(follow.notes.get_or_insert_default())
}
