//! The company's own changes: members arrive, move, are renamed and leave; departments and member tags change.

use super::cast::Staff;
use super::scene::{FollowUp, Story};
use super::wire::{Xml, event, head};
use crate::ids::UserId;
use crate::sandbox::push::{AppKind, Push};

/// The company's departments; members move between them.
const DEPARTMENTS: [&str; 4] = ["2", "3", "4", "3,4"];

/// A member is created in the directory.
pub(super) fn created(story: &mut Story, member: &Staff, at: i64) -> Push {
    let content = change(story, at, "create_user")
        .cdata("UserID", &member.id)
        .cdata("Name", &member.name)
        .cdata("Department", member.department)
        .plain("MainDepartment", member.department)
        .cdata("IsLeaderInDept", if member.position == "项目经理" { "1" } else { "0" })
        .cdata("Position", member.position)
        .plain("Gender", 0)
        .plain("Status", 1);
    Push::genuine(AppKind::Directory, content.document())
}

/// The app comes into a member's view.
pub(super) fn subscribed(story: &mut Story, member: &Staff, at: i64) -> Push {
    app_event(story, &member.id, at, "subscribe")
}

/// The app leaves the view of a member who is gone.
pub(super) fn unsubscribed(story: &mut Story, staff: usize, at: i64) -> Option<Push> {
    let gone = story.staff.get(staff)?.id.clone();
    Some(app_event(story, &gone, at, "unsubscribe"))
}

/// A member gets another id; from now on everything happens under the new one.
pub(super) fn renamed(story: &mut Story, (old, new): &(UserId, UserId), at: i64) -> Option<Push> {
    let content = change(story, at, "update_user").cdata("UserID", old).cdata("NewUserID", new);
    story.staff.iter_mut().find(|present| present.id == *old)?.id = new.clone();
    Some(Push::genuine(AppKind::Directory, content.document()))
}

/// A member leaves. Of their customers WeCom says nothing at this moment.
pub(super) fn left(story: &mut Story, staff: usize, at: i64) -> Option<Push> {
    let leaving = story.staff.get_mut(staff)?;
    leaving.working = false;
    let id = leaving.id.clone();
    story.next_of_all(FollowUp::Vanish(staff));
    Some(Push::genuine(AppKind::Directory, change(story, at, "delete_user").cdata("UserID", id).document()))
}

/// One of the changes that any day brings.
pub(super) fn routine(story: &mut Story, at: i64) -> Option<Push> {
    let staff = story.somebody()?;
    let id = story.staff.get(staff)?.id.clone();
    let department = story.chance.pick(&DEPARTMENTS);
    let number = story.chance.between(10, 99);
    let content = match story.chance.below(5) {
        0 => change(story, at, "create_party").plain("Id", number).cdata("Name", "夜班抢修组").plain("ParentId", 3),
        1 => change(story, at, "update_party").plain("Id", number).plain("ParentId", 2),
        2 => change(story, at, "update_tag").plain("TagId", number).cdata("AddUserItems", id),
        _ => change(story, at, "update_user").cdata("UserID", id).cdata("Department", department),
    };
    Some(Push::genuine(AppKind::Directory, content.document()))
}

/// A directory event; its `ChangeType` comes without CDATA, as in most of WeCom's samples.
fn change(story: &Story, at: i64, change: &str) -> Xml {
    event(&story.corpid, at, "change_contact").plain("ChangeType", change)
}

fn app_event(story: &Story, user: &UserId, at: i64, name: &str) -> Push {
    let content = head(Xml::on_lines(), &story.corpid, user.as_str(), at, "event")
        .cdata("Event", name)
        .cdata("EventKey", "")
        .plain("AgentID", &story.agentid);
    Push::genuine(AppKind::App, content.document())
}
