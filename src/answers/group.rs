//! Customer groups: the card and everybody in it, and what the list of groups says about the owner.

use chrono::{DateTime, Utc};

use crate::{
    changes::{
        Changes, Register,
        group::{GroupCard, Named},
    },
    ids::{ChatId, CorpId},
    wecom::group_chat::{Group, GroupMember, GroupRow},
};

/// Applies a group that WeCom returned at `read_at`. Everybody whom it names is in the group since they joined; whoever it
/// does not name has left, which writing the changes finds out.
///
/// If a row could not be read, the card is not taken over: the person of that row would count as gone.
pub fn learn(changes: &mut Changes, corpid: &CorpId, chat: &ChatId, it: &Group, read_at: DateTime<Utc>) {
    let group = changes.group(corpid, chat);
    if let Some(at) = it.made_at {
        group.made(at);
    }
    if it.unreadable.is_empty() {
        Register::set(&mut group.card, card(it), read_at);
    }
    for person in &it.people {
        let member = changes.group_member(corpid, chat, &person.person);
        member.joined(small(person.join_scene.0), person.joined_at().unwrap_or(read_at));
        Register::set(&mut member.named, named(person), read_at);
    }
}

/// Applies the rows of a list of groups, which was read as of `at`.
pub fn listed(changes: &mut Changes, corpid: &CorpId, groups: &[GroupRow], at: DateTime<Utc>) {
    for it in groups {
        let group = changes.group(corpid, &ChatId::from(it.chat_id.as_str()));
        Register::set(&mut group.status, i16::try_from(it.status).unwrap_or_default(), at);
    }
}

fn card(it: &Group) -> GroupCard {
    GroupCard {
        name: filled(&it.name),
        owner: it.owner.clone(),
        notice: filled(&it.notice),
        admins: it.admins.clone(),
        member_version: filled(&it.member_version),
    }
}

fn named(it: &GroupMember) -> Named {
    Named {
        kind: small(it.kind.0),
        name: filled(&it.group_nickname).or_else(|| filled(&it.name)),
        unionid: it.unionid.as_deref().and_then(filled),
        state: it.state.as_deref().and_then(filled),
        invitor: it.invitor().cloned(),
    }
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|it| !it.is_empty())
}

fn small(number: Option<i64>) -> Option<i16> {
    number.and_then(|it| i16::try_from(it).ok())
}
