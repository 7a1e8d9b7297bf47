//! What events and readings say about a customer group and the people in it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::register::{Register, earliest, latest};
use crate::ids::UserId;

/// Changes to one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupChat {
    /// When it was made.
    pub made_at: Option<DateTime<Utc>>,
    /// When it was dissolved.
    pub dismissed_at: Option<DateTime<Utc>>,
    /// Its card as WeCom last returned it; callbacks do not carry it.
    pub card: Option<Register<GroupCard>>,
    /// Whether its owner is there, as the list of groups numbers it.
    pub status: Option<Register<i16>>,
}

/// A group's card: always read from WeCom as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupCard {
    /// Its name; none if it has none.
    pub name: Option<String>,
    /// Its owner; none if that could not be read.
    pub owner: Option<UserId>,
    /// Its notice.
    pub notice: Option<String>,
    /// Its administrators.
    pub admins: Vec<UserId>,
    /// WeCom's version of its list of members.
    pub member_version: Option<String>,
}

/// Changes to one person in a group: a member or a customer, which callbacks do not tell apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// How they last joined, and when.
    pub joined: Option<Register<Option<i16>>>,
    /// How they last left, and when.
    pub left: Option<Register<Option<i16>>>,
    /// What the last reading that named them said.
    pub named: Option<Register<Named>>,
}

/// What a reading says about a person in a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// 1 a member, 2 a customer.
    pub kind: Option<i16>,
    /// Their name in the group.
    pub name: Option<String>,
    /// Their id across the company's WeChat apps.
    pub unionid: Option<String>,
    /// The `state` of the way by which they joined.
    pub state: Option<String>,
    /// The member who invited them.
    pub invitor: Option<UserId>,
}

impl GroupChat {
    /// It was made at `at`.
    pub fn made(&mut self, at: DateTime<Utc>) {
        earliest(&mut self.made_at, Some(at));
    }

    /// It was dissolved at `at`.
    pub fn dismissed(&mut self, at: DateTime<Utc>) {
        latest(&mut self.dismissed_at, Some(at));
    }

    /// Folds in other changes to the same group.
    pub fn absorb(&mut self, other: Self) {
        earliest(&mut self.made_at, other.made_at);
        latest(&mut self.dismissed_at, other.dismissed_at);
        Register::absorb(&mut self.card, other.card);
        Register::absorb(&mut self.status, other.status);
    }
}

impl GroupCard {
    /// Every userid in it.
    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.owner.iter().chain(&self.admins)
    }

    /// The same, to be replaced by their owners' current ones.
    pub(super) fn users_mut(&mut self) -> impl Iterator<Item = &mut UserId> {
        self.owner.iter_mut().chain(&mut self.admins)
    }
}

impl GroupMember {
    /// They joined.
    pub fn joined(&mut self, scene: Option<i16>, at: DateTime<Utc>) {
        Register::set(&mut self.joined, scene, at);
    }

    /// They left.
    pub fn left(&mut self, scene: Option<i16>, at: DateTime<Utc>) {
        Register::set(&mut self.left, scene, at);
    }

    /// The member who invited them.
    pub(super) fn invitor(&self) -> Option<&UserId> {
        self.named.as_ref()?.value.invitor.as_ref()
    }

    /// The same, to be replaced by its owner's current id.
    pub(super) fn invitor_mut(&mut self) -> Option<&mut UserId> {
        self.named.as_mut()?.value.invitor.as_mut()
    }

    /// Folds in other changes to the same person in the same group.
    pub fn absorb(&mut self, other: Self) {
        Register::absorb(&mut self.joined, other.joined);
        Register::absorb(&mut self.left, other.left);
        Register::absorb(&mut self.named, other.named);
    }

    /// Keeps only what is from after `at`; `false` if nothing is left.
    pub(super) fn begin_after(&mut self, at: DateTime<Utc>) -> bool {
        self.joined.take_if(|it| it.at <= at);
        self.left.take_if(|it| it.at <= at);
        self.named.take_if(|it| it.at <= at);
        self.joined.is_some() || self.left.is_some() || self.named.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    #[test]
    fn the_latest_join_and_the_latest_leave_win_in_any_order() {
        let mut one = GroupMember::default();
        one.joined(Some(3), at(10));
        one.left(Some(0), at(20));
        let mut other = GroupMember::default();
        other.joined(None, at(10));
        other.left(Some(1), at(15));
        let (mut forth, mut back) = (one.clone(), other.clone());
        forth.absorb(other);
        back.absorb(one);
        assert_eq!(forth, back);
        assert_eq!(forth.joined, Some(Register { value: Some(3), at: at(10) }));
        assert_eq!(forth.left, Some(Register { value: Some(0), at: at(20) }));
    }

    #[test]
    fn nothing_from_before_an_erasure_is_kept() {
        let mut it = GroupMember::default();
        it.joined(None, at(10));
        it.left(None, at(20));
        assert!(it.clone().begin_after(at(15)));
        assert!(!it.begin_after(at(20)));
    }
}
