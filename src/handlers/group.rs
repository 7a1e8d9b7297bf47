//! Handles events of customer groups: made, changed, dissolved.
//!
//! An event names who joined or left, and says of everything else only that it changed, so the group is read again.

use chrono::TimeDelta;

use crate::{
    changes::{Changes, Payload, RefreshGroupPayload, Source, Task, TaskKind},
    event::{GroupChange, GroupChanged, GroupUpdate, UpdateDetail},
    ids::ChatId,
};

/// How long reading a group waits: WeCom's lists lag some seconds behind its callbacks, and a group that fills causes
/// many of them.
const REFRESH_DELAY: TimeDelta = TimeDelta::seconds(10);

/// A group was made, changed or dissolved. An event without the group's id is kept and counted only.
pub fn changed(source: &Source, name: &str, it: &GroupChanged, changes: &mut Changes) {
    let Some(chat) = it.chat_id.as_deref().map(ChatId::from) else { return changes.ignore(source, name) };
    let at = source.at();
    let group = changes.group(&source.corpid, &chat);
    match &it.change {
        GroupChange::Created => {
            // An event without a time says that the group exists, and not since when.
            if let Some(at) = source.happened_at {
                group.made(at);
            }
            refresh(source, &chat, None, changes);
        }
        GroupChange::Dismissed => group.dismissed(at),
        GroupChange::Updated(update) => updated(source, &chat, update, changes),
    }
}

fn updated(source: &Source, chat: &ChatId, update: &GroupUpdate, changes: &mut Changes) {
    let at = source.at();
    let mut version = None;
    match update.detail {
        UpdateDetail::MembersAdded => {
            version = update.current_version.clone();
            for person in &update.people {
                changes.group_member(&source.corpid, chat, person).joined(small(update.join_scene), at);
            }
        }
        UpdateDetail::MembersRemoved => {
            version = update.current_version.clone();
            for person in &update.people {
                changes.group_member(&source.corpid, chat, person).left(small(update.quit_scene), at);
            }
        }
        UpdateDetail::OwnerChanged
        | UpdateDetail::NameChanged
        | UpdateDetail::NoticeChanged
        | UpdateDetail::Other(_) => {}
    }
    // Payloads from before November 2023 name nobody, so their version says nothing about what is recorded.
    let version = version.filter(|_| !update.people.is_empty());
    refresh(source, chat, version, changes);
}

fn refresh(source: &Source, chat: &ChatId, version: Option<String>, changes: &mut Changes) {
    let payload = RefreshGroupPayload { event_s: source.at().timestamp(), version };
    let task = Task {
        app_id: source.key.app_id,
        payload: Some(payload.to_text()),
        due_at: source.counts_from() + REFRESH_DELAY,
        deadline: None,
        marks: 1,
    };
    changes.task(source, TaskKind::RefreshGroup, chat.as_str(), task);
}

/// A number of WeCom's that is one of a few; none if it is too large for any.
fn small(number: Option<i32>) -> Option<i16> {
    number.and_then(|it| i16::try_from(it).ok())
}
