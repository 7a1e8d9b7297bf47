//! Handles member events: joined, changed, renamed, left.

use crate::{
    changes::{Changes, Register, Source, Task, TaskKind},
    event::{Member, MemberFields, MemberUpdated},
    ids::UserId,
};

/// `Status` of a member who left the corp by themselves.
const STATUS_LEFT: i32 = 5;

/// A member joined, perhaps again.
pub fn created(source: &Source, it: &Member, changes: &mut Changes) {
    changes.member(source, &it.user).joined(source.at());
    changes.directory_says(&source.corpid, &it.user, source.at());
    described(source, &it.user, &it.fields, changes);
}

/// A member changed: a new userid is learnt, and the other fields apply to the userid's current owner.
pub fn updated(source: &Source, it: &MemberUpdated, changes: &mut Changes) {
    match &it.new_user {
        Some(new) => changes.rename(source, &it.user, new),
        None => changes.directory_says(&source.corpid, &it.user, source.at()),
    }
    described(source, &it.user, &it.fields, changes);
}

/// A member left: their binding ends and their customers need a successor.
pub fn deleted(source: &Source, user: &UserId, changes: &mut Changes) {
    changes.member(source, user).left(source.at());
    changes.directory_says(&source.corpid, user, source.at());
}

/// A member left an app's range: gone, disabled, or merely moved. Only WeCom can tell, so a task asks it.
pub fn unsubscribed(source: &Source, user: &UserId, changes: &mut Changes) {
    changes.member(source, user).perhaps_left(source.at());
    let task =
        Task { app_id: source.key.app_id, payload: None, due_at: source.counts_from(), deadline: None, marks: 1 };
    changes.task(source, TaskKind::RefreshMember, &user.key(), task);
}

/// A member came into an app's range: a hint that they had left it is outdated.
pub fn subscribed(source: &Source, user: &UserId, changes: &mut Changes) {
    changes.member(source, user).subscribed(source.at());
}

/// Takes over the fields in the event; missing ones are unchanged.
fn described(source: &Source, user: &UserId, fields: &MemberFields, changes: &mut Changes) {
    let at = source.at();
    let member = changes.member(source, user);
    if let Some(name) = &fields.name {
        Register::set(&mut member.name, name.clone(), at);
    }
    if let Some(avatar) = &fields.avatar {
        Register::set(&mut member.avatar, avatar.clone(), at);
    }
    if let Some(department) = &fields.department {
        Register::set(&mut member.department, department.join(","), at);
    }
    if let Some(status) = fields.status {
        Register::set(&mut member.status, status, at);
        if status == STATUS_LEFT {
            member.left(at);
        }
    }
}
